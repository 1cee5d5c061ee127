"""What crashed runs and deleted results leave behind: found, and removed when nobody can need it."""

from __future__ import annotations

import os
import re
import shutil
import stat
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import chain

from smttask.care.inventory import is_label, iter_links, task_folders
from smttask.care.values import remove_value, unused_values
from smttask.errors import InputError, LockError, short_repr
from smttask.project import Project
from smttask.storage.atomic import read_link, storage_error
from smttask.storage.layout import DAMAGED_DIR, OLDER_DIR, VALUES_DIR
from smttask.storage.locks import computing

__all__ = ["KINDS", "Rubbish", "find_rubbish", "remove_rubbish"]

#: What `find_rubbish` knows; the last three were kept on purpose and are found only when asked for
KINDS = ("temporary", "lock", "orphan", "link", "value", "unfit", "damaged")

DAY_S = 86_400.0
LABEL_OF_FILE = re.compile(r"\.?(\d{8}-\d{6}-\d{6}_[0-9a-f]{6})(?=[_.])")


@dataclass(frozen=True, slots=True)
class Rubbish:
    """A file or folder that no result needs.

    Parameters
    ----------
    kind
        One of `KINDS`.
    task
        Name of the task's folder; empty where it is of no task.
    size
        In bytes, all that is inside a folder included.
    age_s
        Since it was last changed, in seconds.
    """

    kind: str
    path: str
    task: str
    size: int
    age_s: float


def find_rubbish(
    project: Project,
    *,
    kinds: Iterable[str] = KINDS[:4],
    older_than_s: float = DAY_S,
    larger_than: int = 0,
    tasks: Iterable[str] = (),
) -> list[Rubbish]:
    """What could be removed, sorted by kind and path; nothing is changed.

    Files of runs whose process may live are never among it.

    Parameters
    ----------
    kinds
        ``"temporary"``: files and folders of runs that were killed. ``"lock"``: files of locks.
        ``"orphan"``: files of outputs without a manifest. ``"link"``: links to results that
        are gone. ``"value"``: kept inputs and texts that no manifest and no record names, which
        takes reading all of these. ``"unfit"``: returned values that did not fit. ``"damaged"``: what was
        set aside.
    older_than_s
        Only what has not changed for so many seconds; a value that no run asked for, and at least an hour.
    larger_than
        Only what has at least so many bytes.
    tasks
        Only what lies in the folders of these tasks; of all if empty.

    Raises
    ------
    InputError
        If there is no such task.
    StorageError, RecordStoreError
        If a store cannot be read.
    """
    wanted, chosen = set(kinds), _known(project, tasks)
    found: list[Rubbish] = []
    now = time.time()
    unused = unused_values(project) if "value" in wanted else []
    for kind, path, task in chain(_candidates(project), (("value", path, "") for path in unused)):
        if kind not in wanted or (chosen and task not in chosen):
            continue
        try:
            size, changed = _measure(path)
        except FileNotFoundError:
            continue
        if now - changed >= older_than_s and size >= larger_than:
            found.append(Rubbish(kind, path, task, size, now - changed))
    return sorted(found, key=lambda item: (KINDS.index(item.kind), item.path))


def remove_rubbish(rubbish: Iterable[Rubbish]) -> int:
    """Remove what `find_rubbish` found; returns how many bytes became free.

    Raises
    ------
    StorageError
        If something cannot be removed; what comes behind it stays.
    """
    n_bytes = 0
    for item in rubbish:
        try:
            if item.kind == "lock":
                with computing(item.path, timeout_s=0):  # which removes the file at its end
                    pass
            elif item.kind == "value":
                if not remove_value(item.path):
                    continue
            elif os.path.isdir(item.path) and not os.path.islink(item.path):
                shutil.rmtree(item.path)
            elif item.kind != "link" or _leads_nowhere(item.path):
                os.unlink(item.path)
        except (FileNotFoundError, LockError):  # gone meanwhile, or taken
            continue
        except OSError as error:
            raise storage_error(f"Cannot remove {item.path}.", item.path, error) from error
        n_bytes += item.size
    return n_bytes


def _known(project: Project, tasks: Iterable[str]) -> set[str]:
    """These names of tasks, each of which has a folder in one of the stores."""
    names, data = set(tasks), project.data
    for name in sorted(names):
        if name and any(os.path.isdir(f"{root}/{name}") for root in (data.output_dir, data.input_dir)):
            continue
        near = get_close_matches(name, task_folders(data), n=1)
        raise InputError(
            f"There is no task {short_repr(name)} in the stores.",
            f"searched: {data.output_dir}",
            f"did you mean {near[0]!r}?" if near else "give the name of its folder",
        )
    return names


def _candidates(project: Project) -> Iterator[tuple[str, str, str]]:
    """Kind, path and task of all that may be rubbish by its name."""
    data = project.data
    running = _running(project)
    for task in task_folders(data):
        yield from _in_results(f"{data.output_dir}/{task}", task, running)
    for name in _names(f"{data.output_dir}/{VALUES_DIR}"):
        if name.startswith(".") and name.endswith(".part"):
            yield "temporary", f"{data.output_dir}/{VALUES_DIR}/{name}", ""
    for name in _names(f"{data.output_dir}/{VALUES_DIR}/{DAMAGED_DIR}"):
        yield "damaged", f"{data.output_dir}/{VALUES_DIR}/{DAMAGED_DIR}/{name}", ""
    has_results = bool(task_folders(data))  # else the disk is not mounted, and all links lead nowhere
    folders: dict[str, str] = {}
    for task in task_folders(data):
        folders[f"{data.input_dir}/{task}"] = task
    for task, link in iter_links(data):
        folders[os.path.dirname(link.path).removesuffix(f"/{OLDER_DIR}")] = task
        if has_results and _leads_nowhere(link.path):
            yield "link", link.path, task
    for folder, task in folders.items():
        yield from _beside_links(folder, task)
    for name in _names(str(project.root / ".smt")):
        if name.startswith(".") and ".part" in name:  # a project file or a backup that was not finished
            yield "temporary", str(project.root / ".smt" / name), ""
    locks = str(project.root / ".smt" / "locks")
    for name in _names(locks):
        if name.endswith(".lock"):
            yield "lock", f"{locks}/{name}", name.rpartition("-")[0]


def _running(project: Project) -> set[str]:
    """Labels without suffix of the runs whose process may live."""
    if not project.records.is_made():
        return set()
    return {run.label.partition("__")[0] for run in project.records.open_runs() if not run.is_abandoned}


def _in_results(folder: str, task: str, running: set[str]) -> Iterator[tuple[str, str, str]]:
    names = _names(folder)
    labels = [name.removesuffix(".json") for name in names if name.endswith(".json")]
    whole = {label for label in labels if is_label(label)}
    for name in names:
        if name == DAMAGED_DIR:
            yield from (("damaged", f"{folder}/{name}/{inner}", task) for inner in _names(f"{folder}/{name}"))
            continue
        match = LABEL_OF_FILE.match(name)
        if match is None or match[1] in running:
            continue
        if name.startswith("."):
            if name.endswith(".part"):
                yield "temporary", f"{folder}/{name}", task
        elif name.removesuffix(".json") not in whole:
            # The label of an iteration has its suffix: `<start>_<digest>__n_5_<output>.npy`
            if any(name.startswith((f"{label}_", f"{label}.")) for label in _labels_of(name, whole)):
                continue
            yield ("unfit" if "_unfit." in name else "orphan"), f"{folder}/{name}", task


def _labels_of(name: str, whole: set[str]) -> list[str]:
    """The labels among `whole` that `name` may begin with."""
    parts = name.replace(".", "_").split("_")
    return [label for n in range(2, len(parts) + 1) if (label := "_".join(parts[:n])) in whole]


def _beside_links(folder: str, task: str) -> Iterator[tuple[str, str, str]]:
    for place in (folder, f"{folder}/{OLDER_DIR}"):
        for name in _names(place):
            if name.startswith(".") and name.endswith(".part"):
                yield "temporary", f"{place}/{name}", task
            elif name.startswith(".") and name.endswith(".json.lock"):
                yield "lock", f"{place}/{name}", task


def _leads_nowhere(path: str) -> bool:
    try:
        target = read_link(path)
    except (OSError, ValueError):
        return False
    return target is not None and not os.path.lexists(os.path.join(os.path.dirname(path), target))


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise storage_error("Cannot look through a store.", folder, error) from error


def _measure(path: str) -> tuple[int, float]:
    """Size with all that is inside, in bytes, and the time of the last change."""
    found = os.lstat(path)
    size, changed = 0 if stat.S_ISLNK(found.st_mode) else found.st_size, found.st_mtime
    if not stat.S_ISDIR(found.st_mode):
        return size, changed
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                inner = os.lstat(os.path.join(folder, name))
            except FileNotFoundError:
                continue
            size, changed = size + inner.st_size, max(changed, inner.st_mtime)
    return size, changed
