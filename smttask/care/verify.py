"""Whether all is as it was written: every result, every kept value, every link, every record."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from smttask.care.inventory import iter_links, iter_manifests
from smttask.errors import DamagedResultError
from smttask.hashing import hash_file
from smttask.project import Project
from smttask.project.cloning import read_origin
from smttask.records.originals import kept_elsewhere
from smttask.records.query import Selection
from smttask.records.record import STATUSES
from smttask.records.tags import status_tag
from smttask.storage.atomic import read_link
from smttask.storage.layout import VALUES_DIR
from smttask.storage.manifest import Head, read_head, read_rest
from smttask.view.progress import watched

__all__ = ["Problem", "Verification", "verify"]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not as it should be.

    Parameters
    ----------
    kind
        ``"result"``, ``"value"``, ``"link"`` or ``"record"``.
    what
        Path of the file, or label of the record.
    found
        One line.
    """

    kind: str
    what: str
    found: str


@dataclass(slots=True)
class Verification:
    """How many of each kind were looked at, and what is wrong, in the order it was met.

    Parameters
    ----------
    elsewhere
        Output stores of other working copies, and how many records tell of results that are
        kept there; these were not looked at.
    """

    n_results: int
    n_values: int
    n_links: int
    n_records: int
    problems: list[Problem]
    elsewhere: dict[str, int] = field(default_factory=dict)


def verify(project: Project, *, only_sizes: bool = False) -> Verification:
    """Look at every stored result, value, link and finished record of `project`; nothing is changed.

    Progress is shown in a terminal.

    Parameters
    ----------
    only_sizes
        Compare the sizes of files, not their checksums; manifests are checked whole all the same.

    Raises
    ------
    StorageError, RecordStoreError
        If a store cannot be read at all.

    Examples
    --------
    >>> verify(get_current_project()).problems  # doctest: +SKIP
    []
    """
    done = Verification(0, 0, 0, 0, [])
    told: dict[str, _Told | None] = {}
    paths = list(iter_manifests(project.data))
    start = len(str(project.data.output_dir)) + 1
    for path in watched(paths, len(paths), "results"):
        done.n_results += 1
        head, problems = _look_at_result(path, only_sizes)
        told[path[start:]] = None if head is None else _told(head)
        done.problems += problems
    if not only_sizes:
        values = _values(project)
        for path in watched(values, len(values), "values"):
            done.n_values += 1
            done.problems += _look_at_file("value", path, None, os.path.basename(path).partition(".")[0])
    for folder, link in watched(iter_links(project.data), len(paths), "links"):
        done.n_links += 1
        found = _look_at_link(link.path, link.name, folder)
        done.problems += [Problem("link", link.path, found)] if found else []
    done.problems += _look_at_records(project, told, done)
    return done


_Told = tuple[str, str, str, str]
"""Label, digest, full digest and task of a manifest: what its record must tell too."""


def _told(head: Head) -> _Told:
    return head.label, head.digest, head.full_digest, sys.intern(head.task)


def _look_at_result(path: str, only_sizes: bool) -> tuple[Head | None, list[Problem]]:
    try:
        head = read_head(path)
        read_rest(head)
    except DamagedResultError as error:
        return None, [Problem("result", path, error.found.rpartition("\n")[2])]
    except OSError as error:
        return None, [Problem("result", path, error.strerror or str(error))]
    problems: list[Problem] = []
    if f"{head.label}.json" != os.path.basename(path):
        problems.append(Problem("result", path, f"it is the manifest of {head.label}"))
    for entry in head.outputs.values():
        for name, size, blake3 in entry.files:
            problems += _look_at_file(
                "result", f"{os.path.dirname(path)}/{name}", size, None if only_sizes else blake3
            )
    return head, problems


def _look_at_file(kind: str, path: str, size: int | None, blake3: str | None) -> list[Problem]:
    try:
        found = os.stat(path).st_size
        if size is not None and found != size:
            return [Problem(kind, path, f"it has {found} bytes instead of {size}")]
        if blake3 is not None and hash_file(path) != blake3:
            return [Problem(kind, path, "its checksum does not fit")]
    except OSError as error:
        return [Problem(kind, path, error.strerror or str(error))]
    return []


def _values(project: Project) -> list[str]:
    folder = project.data.output_dir / VALUES_DIR
    if not folder.is_dir():
        return []
    return sorted(entry.path for entry in os.scandir(folder) if entry.is_file() and entry.name[0] != ".")


def _look_at_link(path: str, name: str, folder: str) -> str:
    """What is wrong with the link at `path`; empty if nothing is."""
    try:
        target = read_link(path)
        if target is None:
            return ""  # removed meanwhile
        head = read_head(os.path.join(os.path.dirname(path), target))
    except FileNotFoundError:
        return "it leads to a result that is not there"
    except DamagedResultError as error:
        return f"it leads to a damaged result: {error.found.rpartition(chr(10))[2]}"
    except (OSError, ValueError) as error:
        return str(getattr(error, "strerror", None) or error)
    if head.digest != name or head.path.parent.name != folder:
        return f"it leads to a result of {head.task} {head.digest}"
    return ""


def _look_at_records(
    project: Project, manifests: dict[str, _Told | None], done: Verification
) -> Iterator[Problem]:
    """What does not fit between the records and what the manifests, by path, tell."""
    store = project.records
    origin = read_origin(project.root)
    before = "" if origin is None else origin.before  # what a clone brought along has its records elsewhere
    if not store.is_made():  # asking would make it
        for manifest in manifests:
            label = os.path.basename(manifest).removesuffix(".json")
            if label < before:
                continue
            yield Problem("record", label, "there is no record store")
        return
    columns = ["id", "label", "manifest", "digest", "full_digest"]
    missing: dict[int, tuple[str, str]] = {}
    known = set(store.labels(Selection().where("coalesce(s.manifest, '') <> ''")))
    finished = store.columns(Selection().with_tags("_finished_"), columns)
    for record_id, label, manifest, digest, full_digest in finished:
        if not manifest:  # of Sumatra or SumatraTask
            continue
        done.n_records += 1
        if manifest not in manifests:
            is_linked = os.path.isabs(manifest) and os.path.isfile(manifest)  # only a link leads there
            if not is_linked:
                missing[record_id] = label, manifest
            continue
        told = manifests[manifest]
        if told is not None and told[:3] != (label, digest, full_digest):
            yield Problem("record", label, f"its manifest tells of {told[0]}, {told[3]} {told[1]}")
    without_status = Selection().where("s.is_open = 0").without_tags(*map(status_tag, STATUSES))
    for label, manifest in store.columns(without_status, ["label", "manifest"]):
        found = "it was closed, and its status was removed since"
        if manifests.get(manifest) is not None:
            found += f"; its result says that it finished: `smt tag _finished_ {label}` gives it back"
        yield Problem("record", label, found)
    elsewhere = kept_elsewhere(store, missing, project.data.output_dir)
    done.n_records -= len(elsewhere)
    done.elsewhere = dict(Counter(elsewhere.values()))
    for record_id, (label, manifest) in missing.items():
        if record_id not in elsewhere:
            yield Problem("record", label, f"its result is not there: {manifest}")
    for manifest, told in manifests.items():
        if told is not None and told[0] not in known and told[0] >= before:
            yield Problem("record", told[0], f"a result without a record: {manifest}")
