"""Stored results: find them by name, load them checked, set damaged ones aside.

A result is found through a link in the input store and lies in the output
store; nothing in the output store is ever overwritten.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from smttask.errors import DamagedResultError, ResultNotFoundError, StorageError
from smttask.formats.registry import get_format, load_inline
from smttask.formats.rooted import rooted
from smttask.hashing import PARALLEL_BYTES, FileHashing, hash_file
from smttask.storage.atomic import read_link, storage_error, unlink_if_there
from smttask.storage.damage import DamageKeeper, DamageWitness, OnDamaged
from smttask.storage.iterations import Iterations
from smttask.storage.layout import OLDER_DIR, Key, link_name, older_name, older_prefix
from smttask.storage.manifest import Head, OutputEntry, damaged, read_head, read_rest
from smttask.storage.newrun import NewRun
from smttask.storage.values import ValueStore

__all__ = ["DataStore"]

# Formats whose damaged files do no harm when they are loaded while they are being checked.
CHECKED_BESIDE = ("npy",)
# What the system says of a link that leads to itself, through a file, or to a name that cannot be.
LEADS_NOWHERE = (errno.ELOOP, errno.ENOTDIR, errno.ENAMETOOLONG)


class DataStore:
    """The results of one project on disk; safe with many threads and processes.

    Parameters
    ----------
    input_dir
        The input store: links to the latest results.
    output_dir
        The output store: all results. Neither folder needs to exist yet.
    root
        Folder of the project: paths inside, in results, are kept relative to it, so that it can be
        moved and copied. None: all are absolute.
    only_looks
        Leave damaged results where they are.
    """

    def __init__(
        self,
        input_dir: str | os.PathLike[str],
        output_dir: str | os.PathLike[str],
        *,
        root: Path | None = None,
        only_looks: bool = False,
    ) -> None:
        self.input_dir = Path(os.path.abspath(input_dir))
        self.output_dir = Path(os.path.abspath(output_dir))
        self.root = root
        self.values = ValueStore(self.output_dir)
        self._links = str(self.input_dir)
        self._damage = DamageWitness() if only_looks else DamageKeeper()

    def only_looking(self) -> DataStore:
        """The same results, of which damaged ones are left where they are."""
        return DataStore(self.input_dir, self.output_dir, root=self.root, only_looks=True)

    # What is there

    def find(
        self,
        key: Key,
        code: str,
        is_same: Callable[[dict[str, Any]], bool],
        on_damaged: OnDamaged | None = None,
    ) -> Head | None:
        """The best stored result for `key`: same inputs and same code, else same inputs and newest.

        Look at ``head.code`` to know which; that of a result accepted for `code` is `code`. A deleted result
        is not found; a damaged, truncated or foreign one is set aside, told once, and passed over.

        Parameters
        ----------
        code
            Digest of the fingerprint of the code that would run now.
        is_same
            Asked with the rest of a manifest whose full digest differs from that of `key`:
            are its inputs the same all the same?
        on_damaged
            Called with the place where a damaged file is kept and what was found.

        Raises
        ------
        StorageError
            If the stores cannot be read.
        """
        folder = f"{self._links}/{key.link_folder}"
        try:
            main_link = f"{folder}/{link_name(key)}"
            target = self._target(main_link, on_damaged)
            main = self._behind(main_link, target, key, on_damaged)
            if main is not None and main.full_digest == key.full_digest and main.code == code:
                return main
            own = f"{folder}/{OLDER_DIR}/{older_name(key, key.full_digest, code)}"
            head = self._follow(own, key, on_damaged)
            if head is not None:  # by this code, or accepted for it
                return replace(head, full_digest=key.full_digest, code=code)
            if main is not None and self._has_same_inputs(main, key, is_same, on_damaged):
                return main  # the newest there is
            # Only now are the older links listed: 3 ms where a folder has 10 000 of them.
            if target:
                return self._best_older(key, code, is_same, on_damaged)
        except StorageError:
            raise
        except OSError as error:
            raise storage_error(f"Cannot look for {key.folder} {key.name}.", folder, error) from error
        return None

    def iterations(self, key: Key, parameter: str) -> Iterations:
        """The stored iterations of the task of `key`, whose suffix does not count.

        Parameters
        ----------
        parameter
            Name of the iteration parameter.
        """
        return Iterations(f"{self._links}/{key.folder}/{key.digest}", parameter, f"{key.folder} {key.digest}")

    def load_output(
        self,
        head: Head,
        name: str = "",
        *,
        verify: str = "full",
        mmap: bool = False,
        allow_pickle: bool = False,
    ) -> Any:
        """The value of the output `name` of a stored result, checked against its checksum.

        Parameters
        ----------
        verify
            ``"full"``, or ``"size"`` to check no more than the size of a file.
        mmap
            Leave arrays on disk, where the format can; only the size is checked.
        allow_pickle
            Whether the task declared that this output is a pickle, which may run any code.

        Raises
        ------
        ResultNotFoundError
            If there is no such output, or its file was deleted.
        DamagedResultError
            If it is not as it was written; then `set_aside` it.
        StorageError
            If its file cannot be read, nobody has registered its format, or it is whole and
            cannot be loaded all the same, because a class is not there any more.
        """
        entry = head.outputs.get(name)
        if entry is None:
            raise ResultNotFoundError(
                f"{head.task} {head.digest} has no output {name!r}.",
                f"stored are {sorted(head.outputs)}",
                "ask for one of these",
            )
        if entry.format == "pickle" and not allow_pickle:
            raise damaged(head.file, f"output {name!r} is a pickle, which its task does not declare")
        if entry.file is None:
            try:
                return load_inline(entry.format, entry.json, self.root)
            except (ValueError, TypeError, LookupError) as error:
                raise _unloadable(head.file, entry.format, error) from error
        path = f"{os.path.dirname(head.file)}/{entry.file}"
        return self._load_file(path, entry, check=verify == "full" and not mmap, mmap=mmap)

    def read_rest(self, head: Head) -> dict[str, Any]:
        """The rest of the manifest of `head`; see `smttask.storage.manifest.read_rest`."""
        return read_rest(head)

    # What changes

    def start(self, key: Key, started: datetime) -> NewRun:
        """A new run, its label claimed; use it in a ``with``.

        Parameters
        ----------
        started
            With a time zone. If its label is taken, the next free microsecond serves.

        Raises
        ------
        StorageError
            If the output store cannot be written.
        """
        return NewRun(self.input_dir, self.output_dir, self._to_results, self.root, key, started)

    def put_value(self, value: Any) -> str:
        """Keep a large input once, in ``.values``; returns the blake3 it is found by."""
        return self.values.put(value)

    def get_value(self, blake3: str) -> Any:
        """The value that `put_value` kept under this name, checked."""
        return self.values.get(blake3)

    def put_text(self, text: str, ending: str = ".diff") -> str:
        """Keep a long text once, in ``.values``; returns the blake3 it is found by."""
        return self.values.put_text(text, ending)

    def get_text(self, blake3: str, ending: str = ".diff") -> str:
        """The text that `put_text` kept under this name, checked."""
        return self.values.get_text(blake3, ending)

    def set_aside(self, result: Head | str | os.PathLike[str]) -> Path:
        """Move a damaged result with all its files to ``.damaged`` beside it; returns its new place.

        It is kept whole and not found again. On a read-only disk it stays where it is, and is
        passed over by this object from then on.

        Parameters
        ----------
        result
            Its head, or the path of its manifest.
        """
        return self._damage.set_aside(result.file if isinstance(result, Head) else os.fspath(result))[0]

    def invalidate(self, key: Key) -> bool:
        """Unlink all results for `key`, by whatever code; the runs stay. Returns whether there was one.

        Raises
        ------
        StorageError
            If the input store cannot be written.
        """
        main = f"{self._links}/{key.link_folder}/{link_name(key)}"
        try:
            n_removed = sum([unlink_if_there(path) for path in (main, *self._older_links(key))])
        except OSError as error:
            raise storage_error(f"Cannot invalidate {key.folder} {key.name}.", main, error) from error
        return n_removed > 0

    # How

    @cached_property
    def _to_results(self) -> str:
        """The output store as links in the input store name it."""
        return os.path.relpath(os.path.realpath(self.output_dir), os.path.realpath(self.input_dir))

    def _older_links(self, key: Key) -> Iterator[str]:
        """The paths of the older links of `key`."""
        folder = f"{self._links}/{key.link_folder}/{OLDER_DIR}"
        try:
            names = os.listdir(folder)
        except FileNotFoundError:
            return
        prefix = older_prefix(key)
        for name in names:
            if name.startswith(prefix) and name.endswith(".json"):
                yield f"{folder}/{name}"

    def _follow(self, link: str, key: Key, on_damaged: OnDamaged | None) -> Head | None:
        """The whole result that `link` leads to; None if there is none, or not any more."""
        return self._behind(link, self._target(link, on_damaged), key, on_damaged)

    def _target(self, link: str, on_damaged: OnDamaged | None) -> str | None:
        """Where `link` leads; None if there is none, empty if it is damaged."""
        try:
            return read_link(link)
        except ValueError as error:
            self._damage.keep_link(link, str(error), on_damaged)
            return ""

    def _behind(self, link: str, target: str | None, key: Key, on_damaged: OnDamaged | None) -> Head | None:
        """The whole result at `target`, to which `link` leads."""
        if not target:
            return None
        file = os.path.join(os.path.dirname(link), target)
        if self._damage.is_stuck(file):
            return None
        try:
            head = read_head(file)
            if head.digest != key.name:
                self._damage.keep_link(link, f"it leads to a result of {head.task} {head.digest}", on_damaged)
                return None
            for entry in head.outputs.values():
                for name, size, _ in entry.files:
                    _check_size(f"{os.path.dirname(file)}/{name}", size)
        except FileNotFoundError:
            return None
        except DamagedResultError as error:
            self._damage.keep_result(file, error, on_damaged)
            return None
        except OSError as error:
            if error.errno not in LEADS_NOWHERE:
                raise
            self._damage.keep_link(link, f"it leads nowhere: {error.strerror}", on_damaged)
            return None
        return head

    def _best_older(
        self, key: Key, code: str, is_same: Callable[[dict[str, Any]], bool], on_damaged: OnDamaged | None
    ) -> Head | None:
        """The newest result with the same inputs behind an older link, by the same code if possible."""
        heads = [self._follow(path, key, on_damaged) for path in self._older_links(key)]
        whole = [head for head in heads if head is not None]
        whole.sort(key=lambda head: (head.code == code, head.label), reverse=True)
        return next((head for head in whole if self._has_same_inputs(head, key, is_same, on_damaged)), None)

    def _has_same_inputs(
        self,
        head: Head,
        key: Key,
        is_same: Callable[[dict[str, Any]], bool],
        on_damaged: OnDamaged | None,
    ) -> bool:
        if head.full_digest == key.full_digest:
            return True
        try:
            rest = read_rest(head)
        except FileNotFoundError:
            return False
        except DamagedResultError as error:
            self._damage.keep_result(head.file, error, on_damaged)
            return False
        return is_same(rest)

    def _load_file(self, path: str, entry: OutputEntry, *, check: bool, mmap: bool) -> Any:
        format = rooted(get_format(entry.format), self.root)
        try:
            _check_size(path, entry.size)
            for name, size, blake3 in entry.also:
                companion = f"{os.path.dirname(path)}/{name}"
                _check_size(companion, size)
                if check:
                    _check_hash(companion, hash_file(companion), blake3)
            if not check:
                return format.load(Path(path), mmap=mmap)
            if entry.format in CHECKED_BESIDE and entry.size >= PARALLEL_BYTES:
                hashing = FileHashing(path)
                try:
                    value = format.load(Path(path))
                finally:
                    found = hashing.result()
                _check_hash(path, found, entry.blake3)
                return value
            _check_hash(path, hash_file(path), entry.blake3)
            return format.load(Path(path))
        except FileNotFoundError as error:
            raise ResultNotFoundError(
                f"The file {os.path.basename(path)} of a stored result is gone.",
                f"{path} was deleted",
                "run the task again",
            ) from error
        except DamagedResultError:
            raise
        except MemoryError:  # also what a damaged header asks for
            _check_hash(path, hash_file(path), entry.blake3)
            raise
        except OSError as error:
            raise storage_error(f"Cannot read {os.path.basename(path)}.", path, error) from error
        except Exception as error:
            _check_hash(path, hash_file(path), entry.blake3)
            raise _unloadable(path, entry.format, error) from error


def _unloadable(path: str, format_name: str, error: Exception) -> StorageError:
    """What to raise for a file that is as it was written and cannot be loaded all the same."""
    return StorageError(
        f"The stored result {os.path.basename(path)} is whole but cannot be loaded as {format_name}.",
        f"{path}\n{type(error).__name__}: {error}",
        "import what defines its classes, or go back to the code that wrote it; or recompute",
        path=path,
        is_whole=True,
    )


def _check_size(path: str, expected: int) -> None:
    size = os.stat(path).st_size
    if size != expected:
        raise damaged(path, f"it has {size} bytes instead of {expected}")


def _check_hash(path: str, found: str, expected: str) -> None:
    if found != expected:
        raise damaged(path, "its checksum does not fit")
