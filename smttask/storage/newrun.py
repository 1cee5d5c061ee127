"""The files of one run, from the claim of its label to the link to its result."""

from __future__ import annotations

import os
import pickle
import stat
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, cast

from smttask.errors import DamagedResultError, StorageError
from smttask.formats.file import FileFormat
from smttask.formats.registry import Choice, choose
from smttask.formats.rooted import rooted
from smttask.hashing import HashingFile, hash_file
from smttask.protocols import Format
from smttask.storage.atomic import (
    create_link,
    read_link,
    replace_link,
    storage_error,
    sync,
    unlink_if_there,
    write_whole,
)
from smttask.storage.layout import (
    OLDER_DIR,
    Key,
    label_for,
    link_name,
    older_name,
    output_file_name,
    temporary_name,
)
from smttask.storage.locks import computing
from smttask.storage.manifest import Head, OutputEntry, compose, read_head
from smttask.storage.workfolder import WorkFolder, file_ending

__all__ = ["NewRun"]


class NewRun:
    """A run whose label is claimed; leaving its ``with`` without `commit` removes what it wrote.

    Made by `DataStore.start`.

    Parameters
    ----------
    input_dir, output_dir
        The two stores.
    to_results
        The output store relative to the input store, links resolved.
    root
        Folder of the project, to which paths in outputs are written relative; None: absolute.
    started
        With a time zone; moved on by microseconds until the label is free.
    """

    label: str

    def __init__(
        self,
        input_dir: Path,
        output_dir: Path,
        to_results: str,
        root: Path | None,
        key: Key,
        started: datetime,
    ) -> None:
        self._key = key
        self._root = root
        self._links = f"{input_dir}/{key.link_folder}"
        self._link_folders = [self._links, f"{input_dir}/{key.folder}", str(input_dir)]
        up = "../" * (1 + key.link_folder.count("/"))
        self._to_results = f"{up}{to_results}/{key.folder}"
        self._dir = f"{output_dir}/{key.folder}"
        self._outputs: dict[str, OutputEntry] = {}
        self._taken: set[str] = set()  # case-folded names of files of this run
        self._written: list[str] = []  # paths to remove if there is no commit
        self._pid = os.getpid()
        #: Head of the result, once it is one.
        self.committed: Head | None = None
        try:
            self.label = self._claim(started)
        except OSError as error:
            raise storage_error(
                f"Cannot start a run of {key.folder} {key.name}.", self._dir, error
            ) from error
        self.work_folder = WorkFolder(f"{self._dir}/{temporary_name(self.label)}")

    def _claim(self, started: datetime) -> str:
        """Take a label by exclusive creation of the manifest under its temporary name."""
        while True:
            label = label_for(self._key, started)
            claim = f"{self._dir}/{temporary_name(label + '.json')}"
            try:
                os.close(os.open(claim, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
            except FileNotFoundError:
                os.makedirs(self._dir, exist_ok=True)
                continue
            except FileExistsError:
                started += timedelta(microseconds=1)
                continue
            if not os.path.lexists(f"{self._dir}/{label}.json"):
                self._written.append(claim)
                return label
            os.unlink(claim)
            started += timedelta(microseconds=1)

    def __enter__(self) -> NewRun:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A child forked by the task's function leaves this `with` too; the files are its parent's.
        if os.getpid() != self._pid:
            return
        if self.committed is None:
            self._discard()
        self.work_folder.remove()

    def _discard(self) -> None:
        """Remove what was written; the manifest, without which there is no result, first."""
        for path in reversed(self._written):
            try:
                unlink_if_there(path)
            except OSError:  # the reason why we are here matters more; `store clean` removes it
                continue
        self._written.clear()

    def save_output(
        self, name: str, value: Any, *, format: Format | None = None, inline: bool = True
    ) -> OutputEntry:
        """Write the output `name`: into the manifest if it is small and plain, else as a file beside it.

        Parameters
        ----------
        name
            ``""`` for the one unnamed output.
        format
            None: what fits the value. A pickle is made only if it is given here.
        inline
            False: as a file in any case.

        Raises
        ------
        OutputError
            If no format takes the value.
        StorageError
            If the file cannot be written; nothing of it is left.
        """
        choice = choose(value, self._root) if format is None else Choice(rooted(format, self._root))
        if not inline and choice.is_inline:
            choice = Choice(choice.format)
        format = choice.format
        if choice.is_inline:
            entry = self._outputs[name] = OutputEntry(format.name, choice.tree)
            return entry
        companions: tuple[str, ...] = getattr(format, "companions", ())
        file_name = self._free_name(name, format.suffix, companions)
        expected = getattr(value, "nbytes", 0)
        if choice.text is None:
            size, blake3 = self._write(name, file_name, lambda file: format.save(value, file), expected)
        else:
            text = choice.text.encode("ascii") + b"\n"
            size, blake3 = self._write(name, file_name, lambda file: file.write(text), expected)
        also = []
        for suffix in companions:
            save = partial(format.save_companion, suffix, value)  # type: ignore[attr-defined]
            companion = file_name.removesuffix(format.suffix) + suffix
            also.append((companion, *self._write(name, companion, save, 0)))
        entry = OutputEntry(format.name, None, file_name, size, blake3, tuple(also))
        self._outputs[name] = entry
        return entry

    def _free_name(self, output: str, suffix: str, companions: tuple[str, ...]) -> str:
        """A name for the file of an output that leaves those of its companions free too."""
        taken = set(self._taken)
        while True:
            name = output_file_name(self.label, output, suffix, taken)
            stem = name.removesuffix(suffix)
            if taken.isdisjoint((stem + other).casefold() for other in companions):
                return name
            taken.add(name.casefold())

    def _write(
        self, output: str, file_name: str, save: Callable[[BinaryIO], object], expected_bytes: int
    ) -> tuple[int, str]:
        """Write a file of an output under its temporary name; its size and blake3."""
        path = f"{self._dir}/{temporary_name(file_name)}"
        self._written.append(path)
        try:
            os.makedirs(self._dir, exist_ok=True)  # it may have been deleted while the function ran
            with HashingFile(path, expected_bytes=expected_bytes) as file:
                save(cast(BinaryIO, file))
        except OSError as error:
            unlink_if_there(path)
            raise storage_error(f"Cannot store output {output!r} of {self.label}.", path, error) from error
        except BaseException:
            unlink_if_there(path)
            raise
        self._taken.add(file_name.casefold())
        return file.n_bytes, file.blake3

    def take_file(self, name: str, path: Path) -> Path:
        """Make the file at `path`, in the work folder, the output `name`; its path after `commit`.

        Raises
        ------
        StorageError
            If it cannot be moved or read.
        """
        file_name = self._free_name(name, file_ending(path.name), ())
        temporary = f"{self._dir}/{temporary_name(file_name)}"
        self._written.append(temporary)
        try:
            os.rename(path, temporary)
            found = os.stat(temporary)
            # Nothing in the store is overwritten, and all of it can be read.
            os.chmod(temporary, stat.S_IMODE(found.st_mode) & ~0o222 | 0o400)
            blake3 = hash_file(temporary)
        except OSError as error:
            raise storage_error(f"Cannot store output {name!r} of {self.label}.", str(path), error) from error
        self._taken.add(file_name.casefold())
        self._outputs[name] = OutputEntry(FileFormat.name, None, file_name, found.st_size, blake3)
        return Path(os.path.realpath(self._dir)) / file_name

    def keep_unfit(self, value: Any) -> Path:
        """Save a value that does not fit its annotation as it came; it stays although the run failed.

        As a pickle, or as the text of its ``repr`` if it cannot be pickled. The work folder, if
        there is one, stays too, under the same name with the ending ``.files``.

        Raises
        ------
        StorageError
            If the file cannot be written.
        """
        try:
            data, ending = pickle.dumps(value, protocol=5), ".pickle"
        except Exception:  # noqa: BLE001 - what a foreign __reduce__ raises can be anything
            try:
                data, ending = repr(value).encode(errors="backslashreplace"), ".txt"
            except Exception as error:  # noqa: BLE001 - and so can a foreign __repr__
                data, ending = f"{type(value)!r}: its repr raises {error!r}".encode(), ".txt"
        file_name = output_file_name(self.label, "unfit", ending, self._taken)
        self._taken.add(file_name.casefold())
        path = f"{self._dir}/{file_name}"
        try:
            write_whole(path, lambda file: file.write(data))
            self.work_folder.keep_as(f"{path}.files")
        except OSError as error:
            raise storage_error(f"Cannot keep the unfit value of {self.label}.", path, error) from error
        return Path(path)

    def commit(self, *, task: str, code: str, rest: Mapping[str, Any], durability: str = "crash") -> Head:
        """Make the run a result that is found: name its files, write the manifest, move the link.

        Killed at any instant, this leaves the old result or the new one.

        Parameters
        ----------
        task
            Full name of the task.
        code
            Digest of the code fingerprint.
        rest
            What else is worth knowing of the run, as strict JSON, one line for each key.
        durability
            ``"power"``: return only when all is on the disk itself, safe from a power cut.

        Raises
        ------
        StorageError
            If it cannot be written; then nothing is left of it.
        """
        manifest = f"{self._dir}/{self.label}.json"
        head, text = compose(
            label=self.label,
            task=task,
            digest=self._key.name,
            full_digest=self._key.full_digest,
            code=code,
            outputs=self._outputs,
            rest=rest,
            file=manifest,
        )
        try:
            self._name_files(manifest, text, durability == "power")
            self._move_links(head)
            self.committed = head
            if durability == "power":
                for folder in (f"{self._links}/{OLDER_DIR}", *self._link_folders):
                    if os.path.isdir(folder):
                        sync(folder)
        except BaseException as error:
            if self.committed is None:
                self._discard()
            if isinstance(error, OSError) and not isinstance(error, StorageError):
                raise storage_error(f"Cannot store the result {self.label}.", self._dir, error) from error
            raise
        return head

    def _name_files(self, manifest: str, text: bytes, is_synced: bool) -> None:
        """Give all files their names, the manifest last."""
        claim = f"{self._dir}/{temporary_name(self.label + '.json')}"
        flags = os.O_CREAT | os.O_WRONLY | getattr(os, "O_BINARY", 0)
        try:
            fd = os.open(claim, flags, 0o666)
        except FileNotFoundError:  # the folder was deleted while the function ran
            os.makedirs(self._dir, exist_ok=True)
            fd = os.open(claim, flags, 0o666)
        try:
            n_done = 0
            while n_done < len(text):
                n_done += os.write(fd, text[n_done:])
            if is_synced:
                os.fsync(fd)
        finally:
            os.close(fd)
        for entry in self._outputs.values():
            for name, _, _ in entry.files:
                path, temporary = f"{self._dir}/{name}", f"{self._dir}/{temporary_name(name)}"
                if is_synced:
                    sync(temporary)
                self._written.append(path)
                os.rename(temporary, path)
        self._written.append(manifest)
        os.rename(claim, manifest)
        if is_synced:
            for folder in (self._dir, os.path.dirname(self._dir)):
                sync(folder)

    def _move_links(self, head: Head) -> None:
        """Let the main link lead to `head`; the result it led to stays found unless `head` replaces it."""
        key = self._key
        main = f"{self._links}/{link_name(key)}"
        target = f"{self._to_results}/{self.label}.json"
        own = f"{self._links}/{OLDER_DIR}/{older_name(key, head.full_digest, head.code)}"
        is_new = create_link(target, main)
        if is_new and not os.path.lexists(own):
            return
        # Two processes that move these links at once could each lose what the other put there.
        with computing(f"{self._links}/.{link_name(key)}.lock"):
            if not is_new:
                self._keep_former(main, head)
                replace_link(target, main)
            if read_link(main) == target:
                unlink_if_there(own)

    def _keep_former(self, main: str, head: Head) -> None:
        """Give the result that `main` leads to an older link, if it is by other inputs or other code."""
        try:
            target = read_link(main)
        except ValueError:
            return
        if target is None:
            return
        try:
            former = read_head(os.path.join(self._links, target))
            name = older_name(self._key, former.full_digest, former.code)
            is_replaced = (former.full_digest, former.code) == (head.full_digest, head.code)
        except FileNotFoundError:
            return
        except DamagedResultError:  # by a newer smttask, perhaps: its link is kept under a name of its own
            name, is_replaced = older_name(self._key, target, ""), False
        if not is_replaced:
            replace_link(os.path.join("..", target), f"{self._links}/{OLDER_DIR}/{name}")
