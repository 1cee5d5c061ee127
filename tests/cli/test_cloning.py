"""`smttask project clone` as a user meets it."""

import json
import os
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from click.testing import CliRunner

from smttask.cli import main
from smttask.errors import ProjectError
from smttask.project import get_project
from smttask.project.environment import find_requirements
from smttask.testing import git, scratch_project

TASKS = """
from smttask import RecordedTask
from smttask.typing import Array, InputFile


@RecordedTask
def Square(x: float) -> float:
    return x**2


@RecordedTask
def Ramp(x: float, n: int = 20_000) -> Array[float, 1]:
    import numpy as np

    return np.arange(float(n)) * x


@RecordedTask
def Size(file: InputFile) -> int:
    return len(file.path.read_bytes())
"""
RUN = "import sys; sys.path.insert(0, '.'); import tasks"


@pytest.fixture
def lab(tmp_path):
    """A project with results of three tasks, and a file of the user in the input store."""
    with scratch_project(tmp_path / "lab", {"tasks.py": TASKS}) as scratch:
        tasks = scratch.load("tasks")
        tasks.Ramp(tasks.Square(2.0)).run()
        raw = scratch.root / "data" / "raw" / "m.csv"
        raw.parent.mkdir()
        raw.write_text("1,2")
        tasks.Size(raw).run()
        yield scratch


def clone(*args, status=0):
    done = CliRunner().invoke(main, ["project", "clone", *map(str, args)])
    assert done.exit_code == status, (done.stdout, done.stderr, done.exception)
    assert "Traceback" not in done.stderr
    return done.stdout if status == 0 else done.stdout + done.stderr


def call(folder, *args):
    """What a fresh Python prints in `folder`, in the project there."""
    plain = {key: value for key, value in os.environ.items() if not key.startswith("SMTTASK_")}
    done = subprocess.run(
        [sys.executable, *args], cwd=folder, env=plain, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_clone_finds_the_results_and_records_only_its_own_runs(lab, tmp_path):
    """Those that were computed in the source, of files in the input store too."""
    told = clone(lab.root, tmp_path / "copy")
    assert told.splitlines() == [
        f"Made a clone of {lab.root}: {tmp_path / 'copy'} (name: copy)",
        "  results: 4 files; other files in the input store: 1",
    ]
    wanted = "tasks.Ramp(tasks.Square(2.0)), tasks.Size('data/raw/m.csv'), tasks.Square(3.0)"
    code = (
        f"{RUN}\nfor task in ({wanted}):\n    task.run()\n    print(task.last_hit)\nprint(task.record.label)"
    )
    *hits, label = call(tmp_path / "copy", "-c", code).split()
    assert hits == ["disk", "disk", "computed"]
    assert call(tmp_path / "copy", "-m", "smttask", "smt", "list").split() == [label]
    assert "3 records" in call(lab.root, "-m", "smttask", "store", "list")


def test_neither_spoils_the_other(lab, tmp_path):
    """Results deleted, computed and overwritten on one side are as they were on the other."""
    copy = tmp_path / "copy"
    clone(lab.root, copy)
    assert "no problem" in call(copy, "-m", "smttask", "store", "verify")
    shutil.rmtree(lab.root / "data" / "run_dump")
    call(copy, "-c", f"{RUN}; tasks.Square(7.0).run(); tasks.Square(2.0).invalidate()")
    assert "no problem" in call(copy, "-m", "smttask", "store", "verify")
    assert call(copy, "-c", f"{RUN}; print(tasks.Ramp(tasks.Square(2.0)).has_run)") == "True\n"
    assert not (lab.root / "data" / "run_dump").exists()
    assert len(list((lab.root / "data" / "Square").iterdir())) == 1


def test_a_clone_is_a_git_clone_with_the_identity_of_its_source(lab, tmp_path):
    """Commits may be brought back; the working copy is clean."""
    git(lab.root, "config", "user.name", "Ada")
    clone(lab.root, tmp_path / "copy", "--name", "revision")
    assert git(tmp_path / "copy", "status", "--short") == ""
    assert git(tmp_path / "copy", "config", "--local", "user.name") == "Ada"
    assert git(tmp_path / "copy", "remote", "get-url", "origin") == str(lab.root)
    facts = json.loads(call(tmp_path / "copy", "-m", "smttask", "project", "status", "--json"))
    assert (facts["name"], facts["cloned_from"]) == ("revision", str(lab.root))
    assert facts["records"]["total"] == 0


def test_settings_come_along_and_stores_stay_apart(lab, tmp_path):
    """Where git does not keep them; stores elsewhere become stores of the clone."""
    settings = {"verify": "size", "output_store": str(tmp_path / "results"), "record_store": "mine.sqlite"}
    (lab.root / ".smt" / "smttask.json").write_text(json.dumps(settings))
    shutil.move(lab.root / "data" / "run_dump", tmp_path / "results")
    for link in (lab.root / "data").glob("*/*.json"):
        target = tmp_path / "results" / link.readlink().relative_to("../run_dump")
        link.unlink()
        link.symlink_to(target)
    told = call(lab.root, "-m", "smttask", "project", "clone", ".", str(tmp_path / "copy"), "--json")
    assert json.loads(told)["n_results"] == 4
    kept = json.loads((tmp_path / "copy" / ".smt" / "smttask.json").read_text())
    assert kept == {"verify": "size"}
    assert call(tmp_path / "copy", "-c", f"{RUN}; print(tasks.Square(2.0).has_run)") == "True\n"


def test_a_committed_setting_that_gives_both_one_store_is_told(lab, tmp_path):
    """And both need names of their own in one record store."""
    stores = (
        f'input_store = "{tmp_path}/in"\noutput_store = "{tmp_path}/out"\nrecord_store = "{tmp_path}/r"\n'
    )
    (lab.root / "pyproject.toml").write_text(f"[tool.smttask]\n{stores}")
    lab.commit()
    smttask = ("-m", "smttask", "project", "clone", ".", str(tmp_path / "copy"))
    told = call(lab.root, *smttask)
    assert [line for line in told.splitlines() if "shared" in line] == [
        f"  shared: {store}, by a setting of both projects"
        for store in ("input store", "output store", "record store")
    ]
    shutil.rmtree(tmp_path / "copy")
    with pytest.raises(AssertionError, match="give it another: --name NAME"):
        call(lab.root, *smttask, "--name", "scratch")
    assert not (tmp_path / "copy").exists()


def test_a_project_below_the_root_of_its_working_copy_is_as_deep_in_the_clone(lab, tmp_path):
    """Git clones the whole working copy."""
    inner = lab.root / "paper"
    assert CliRunner().invoke(main, ["project", "init", str(inner)]).exit_code == 0
    lab.commit()
    assert f"{tmp_path / 'copy' / 'paper'} (name: copy)" in clone(inner, tmp_path / "copy")
    assert (tmp_path / "copy" / "paper" / ".smt" / "project").is_file()


def test_uncommitted_changes_are_refused_left_or_taken(lab, tmp_path):
    """Nothing is cloned unless --changes says what becomes of them."""
    lab.write({"tasks.py": TASKS + "\n# later\n"}, commit=False)
    told = clone(lab.root, tmp_path / "copy", status=1)
    assert "it has uncommitted changes.\n  changed: tasks.py\n" in told
    assert not (tmp_path / "copy").exists()
    assert "stayed behind: tasks.py" in clone(lab.root, tmp_path / "left", "--changes", "leave")
    assert "# later" not in (tmp_path / "left" / "tasks.py").read_text()
    assert "came along, uncommitted: tasks.py" in clone(lab.root, tmp_path / "took", "--changes", "take")
    assert git(tmp_path / "took", "status", "--short") == " M tasks.py"


def test_requirements_without_an_environment_are_wrong_usage(lab, tmp_path):
    """Nothing is cloned."""
    options = ("--requirements", str(lab.root / "tasks.py"))
    assert "what to install with --venv" in clone(lab.root, tmp_path / "copy", *options, status=2)
    assert not (tmp_path / "copy").exists()


def test_targets_that_cannot_be_used_are_left_as_they_are(lab, tmp_path):
    """Full folders, files, folders in the source; an empty one is used."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("kept")
    (tmp_path / "file").write_text("kept")
    assert "found: a folder that is not empty" in clone(lab.root, tmp_path / "full", status=1)
    assert "found: a file" in clone(lab.root, tmp_path / "file", status=1)
    assert "lies in the working copy that is cloned" in clone(lab.root, lab.root / "inner", status=1)
    assert (tmp_path / "full" / "mine").read_text() == (tmp_path / "file").read_text() == "kept"
    (tmp_path / "empty").mkdir()
    clone(lab.root, tmp_path / "empty")


def test_sources_that_cannot_be_cloned(lab, tmp_path):
    """No project; no commit; a record store that git keeps. Nothing is left behind."""
    assert "is no project." in clone(tmp_path, tmp_path / "copy", status=1)
    bare = tmp_path / "bare"
    bare.mkdir()
    git(bare, "init", "--quiet")
    assert CliRunner().invoke(main, ["project", "init", str(bare)]).exit_code == 0
    assert "commit" in clone(bare, tmp_path / "copy", status=1)
    (lab.root / ".gitignore").unlink()
    lab.commit()
    assert "git keeps its folder .smt" in clone(lab.root, tmp_path / "copy", status=1)
    assert not (tmp_path / "copy").exists()


def test_without_git_nothing_is_cloned(lab, tmp_path, monkeypatch):
    """One message that says so."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "git" in clone(lab.root, tmp_path / "copy", status=1)
    assert not (tmp_path / "copy").exists()


def test_a_git_that_fails_is_quoted(lab, tmp_path):
    """And what was begun is removed."""
    objects = lab.root / ".git" / "objects"
    for folder in objects.iterdir():
        if len(folder.name) == 2:
            shutil.rmtree(folder)
    told = clone(lab.root, tmp_path / "copy", "--changes", "leave", status=1)
    assert "git" in told
    assert not (tmp_path / "copy").exists()


def test_results_of_others_become_symbolic_links(lab, tmp_path):
    """Where hard links are refused, as between two disks."""
    if not os.path.isdir("/dev/shm") or os.stat("/dev/shm").st_dev == os.stat(tmp_path).st_dev:
        pytest.fail("this test needs a second file system at /dev/shm")
    target = f"/dev/shm/smttask-{os.getpid()}"
    try:
        clone(lab.root, target)
        (link,) = (lab.root / "data" / "run_dump" / "Square").glob("*.json")
        assert os.readlink(f"{target}/data/run_dump/Square/{link.name}") == str(link)
        assert call(target, "-c", f"{RUN}; print(tasks.Square(2.0).run())") == "4.0\n"
        assert "no problem" in call(target, "-m", "smttask", "store", "verify")
    finally:
        shutil.rmtree(target, ignore_errors=True)


def wheel(folder):
    """A wheel of a package that holds one module, made without any tool."""
    info, name = "tiny-1.0.dist-info", "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(folder / name, "w") as file:
        file.writestr("tiny.py", "size = 'tiny'\n")
        file.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{info}/RECORD", "")
    return name


@pytest.mark.slow
def test_a_killed_clone_is_refused_as_a_target_and_made_again_elsewhere(lab, tmp_path):
    """The source is as it was."""
    results = lab.root / "data" / "run_dump" / "Square"
    for n in range(20_000):
        (results / f"20261122-101500-{n:06d}_{n:06x}.json").write_text("{}")
    command = [sys.executable, "-m", "smttask", "project", "clone", ".", str(tmp_path / "copy")]
    process = subprocess.Popen(command, cwd=lab.root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (tmp_path / "copy" / "data" / "run_dump" / "Square").exists():
        assert process.poll() is None
    process.kill()
    process.wait()
    assert "found: a folder that is not empty" in clone(lab.root, tmp_path / "copy", status=1)
    assert "results: 20004 files" in clone(lab.root, tmp_path / "again")
    assert len(list(results.iterdir())) == 20_001


@pytest.mark.slow
def test_a_virtual_environment_has_what_the_lock_file_names(lab, tmp_path):
    """Paths in it are relative to it; git does not see the environment."""
    lab.write({"requirements.txt": f"./{wheel(lab.root)}\n"})
    told = clone(lab.root, tmp_path / "copy", "--venv")
    python = told.splitlines()[-1].removeprefix("  python: ")
    done = subprocess.run(
        [python, "-c", "import tiny; print(tiny.size)"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "tiny\n"
    assert git(tmp_path / "copy", "status", "--short") == ""


@pytest.mark.slow
def test_an_environment_that_cannot_be_made_leaves_the_clone(lab, tmp_path):
    """The message quotes pip and names the command to repeat."""
    lab.write({"requirements.txt": "./gone-1.0-py3-none-any.whl\n"})
    told = clone(lab.root, tmp_path / "copy", "--venv", status=1)
    assert "cannot be installed." in told
    assert "gone-1.0" in told
    assert "mend it and repeat:" in told
    assert (tmp_path / "copy" / ".smt" / "project").is_file()


def test_without_a_lock_file_the_last_finished_run_tells_what_to_install(lab, tmp_path):
    """Versions as they were imported; what was installed from elsewhere by its address."""
    clone(lab.root, tmp_path / "copy")
    copied = get_project(tmp_path / "copy")
    lines = find_requirements(copied, lab.project).read_text().splitlines()
    assert f"numpy=={np.__version__}" in lines
    assert next(line for line in lines if line.startswith("smttask ")).startswith("smttask @ file://")
    with pytest.raises(ProjectError, match="Nothing says what to install"):
        find_requirements(copied, copied)


def test_requirements_without_venv_are_wrong_usage(lab, tmp_path):
    """Nothing is made."""
    lab.write({"requirements.txt": "numpy\n"})
    told = clone(lab.root, tmp_path / "copy", "--requirements", lab.root / "requirements.txt", status=2)
    assert "--venv" in told
    assert not (tmp_path / "copy").exists()
