"""Scratch projects for tests: a real git repository, real modules, real stores.

For the tests of smttask and for those of projects that use it.
"""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

from smttask.project import Project, create_project, find_project, get_project, use_project

__all__ = ["ScratchProject", "count_call", "git", "scratch_project"]

#: Who commits, on machines where git knows nobody.
IDENTITY = ("-c", "user.name=scratch", "-c", "user.email=scratch@localhost", "-c", "commit.gpgsign=false")


def git(root: Path, *args: str) -> str:
    """Call git in the folder `root`; what it printed, without the last line break.

    Raises
    ------
    subprocess.CalledProcessError
        If git fails; its message is a note of the error.
    """
    done = subprocess.run(["git", *IDENTITY, *args], cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        error = subprocess.CalledProcessError(done.returncode, done.args, done.stdout, done.stderr)
        error.add_note(done.stderr)
        raise error
    return done.stdout.removesuffix("\n")


@dataclass(frozen=True)
class ScratchProject:
    """A project that lives as long as a test; made by `scratch_project`."""

    root: Path

    @property
    def project(self) -> Project:
        """The project itself."""
        return get_project(self.root)

    def write(self, files: Mapping[str, str], *, commit: bool = True) -> None:
        """Write `files`, paths relative to the root and their text, and commit them unless told not to.

        Modules that are loaded stay as they are; see `reload`.
        """
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            # bytecode is judged by whole seconds and size, so an edit within a second could go unseen
            shutil.rmtree(path.parent / "__pycache__", ignore_errors=True)
        importlib.invalidate_caches()
        if commit:
            self.commit()

    def commit(self, message: str = "Change") -> str:
        """Commit all files as they are; the new commit's id."""
        git(self.root, "add", "--all")
        git(self.root, "commit", "--quiet", "--allow-empty", "--message", message)
        return git(self.root, "rev-parse", "HEAD")

    def load(self, name: str) -> ModuleType:
        """Import the project's module `name`, as a script in the root would."""
        return importlib.import_module(name)

    def reload(self, name: str) -> ModuleType:
        """Import the module `name` anew, and with it all of the project's modules."""
        self.forget_modules()
        return importlib.import_module(name)

    def forget_modules(self) -> None:
        """Drop every loaded module whose file lies in the project."""
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None)
            if file and Path(file).is_relative_to(self.root):
                del sys.modules[name]

    def run(self, code: str, *, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run `code` in a fresh Python process whose working directory is the root.

        Raises
        ------
        subprocess.CalledProcessError
            If it fails and `check` holds; what it printed as error is a note.
        """
        return self._call([sys.executable, "-c", code], check, environment)

    def smttask(self, *args: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        """Call the command ``smttask`` in the root; raises like `run`."""
        return self._call([sys.executable, "-m", "smttask", *args], check, environment)

    def calls(self, name: str) -> int:
        """How often functions of the qualified name `name` called `count_call`, in all processes."""
        path = _calls_path(self.root, name)
        return path.stat().st_size if path.exists() else 0

    def _call(
        self, command: list[str], check: bool, environment: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        plain = {key: value for key, value in os.environ.items() if not key.startswith("SMTTASK_")}
        done = subprocess.run(
            command,
            cwd=self.root,
            env={**plain, "PYTHONDONTWRITEBYTECODE": "1", **environment},
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        if check and done.returncode:
            error = subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
            error.add_note(done.stdout + done.stderr)
            raise error
        return done


@contextmanager
def scratch_project(
    folder: Path,
    files: Mapping[str, str] | None = None,
    *,
    commit: bool = True,
    name: str = "scratch",
    record_store: bool = True,
) -> Iterator[ScratchProject]:
    """Make a project in `folder` and use it for the block; its modules can be imported meanwhile.

    The current directory is left alone.

    Parameters
    ----------
    folder
        Empty or not there yet.
    files
        Text of the files of the project, by path relative to `folder`.
    commit
        Whether `files` are committed; the repository has a first commit in any case.
    record_store
        Put an empty record store there, copied from one that is made once in this
        process; making one takes a second. False: the first run makes it.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder, scratch_project(Path(folder)) as scratch:
    ...     scratch.project.name
    'scratch'
    """
    root = Path(os.path.realpath(folder))
    root.mkdir(parents=True, exist_ok=True)
    git(root, "init", "--quiet")
    project = create_project(root, name=name)
    scratch = ScratchProject(root)
    scratch.commit("Begin")
    if record_store:
        shutil.copyfile(_empty_record_store(), root / ".smt" / "records")
    if files:
        scratch.write(files, commit=commit)
    sys.path.insert(0, str(root))
    importlib.invalidate_caches()
    try:
        with use_project(project):
            yield scratch
    finally:
        sys.path.remove(str(root))
        scratch.forget_modules()


@cache
def _empty_record_store() -> Path:
    from smttask.records.schema import make_store

    folder = tempfile.TemporaryDirectory(prefix="smttask-scratch-")
    _kept.append(folder)
    path = Path(folder.name) / "records"
    make_store(path)
    return path


_kept: list[tempfile.TemporaryDirectory[str]] = []  # removed when the process ends


def count_call() -> None:
    """Count a call of the function that calls this, for `ScratchProject.calls`; safe with many processes.

    Examples
    --------
    In a module of a scratch project::

        @RecordedTask
        def Square(x: float) -> float:
            count_call()
            return x**2
    """
    caller = sys._getframe(1)
    project = find_project(Path(caller.f_globals["__file__"]).parent)
    if project is None:
        raise RuntimeError(f"{caller.f_globals['__file__']} is in no project")
    path = _calls_path(project.root, caller.f_code.co_qualname)
    path.parent.mkdir(exist_ok=True)
    with open(path, "ab", buffering=0) as file:
        file.write(b".")


def _calls_path(root: Path, name: str) -> Path:
    return root / ".smt" / "calls" / name
