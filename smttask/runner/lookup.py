"""The way of a hit: find the stored result, compare its code, load it checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from smttask.errors import (
    CodeChangedError,
    CodeChangedWarning,
    DamagedResultError,
    DamagedResultWarning,
    PackageChangedError,
    PackageChangedWarning,
    ResultNotFoundError,
    StorageError,
    warn,
)
from smttask.project import Project
from smttask.runner.packages import changed_packages
from smttask.runner.unit import Stored, Unit
from smttask.storage.manifest import Head, read_rest

__all__ = ["find_any_code", "find_stored", "load_stored"]

_told: set[tuple[Path, str, str, str]] = set()


def find_stored(unit: Unit, project: Project, code: str) -> Head | None:
    """The stored result that serves `unit`, by the policies on changed code and packages; None is a miss.

    Parameters
    ----------
    code
        Combined fingerprint of the code as loaded.

    Raises
    ------
    CodeChangedError
        If other code made the result and the policy is ``"error"``.
    PackageChangedError
        If it was made with other packages and the policy on these is ``"error"``.
    """
    head = find_any_code(unit, project, code)
    if head is None or (head.code != code and not _serves_other_code(unit, project, head, code)):
        return None
    policy = project.setting("on_package_change")
    if policy != "ignore" and not _serves_other_packages(unit, project, head, policy):
        return None
    return head


def find_any_code(unit: Unit, project: Project, code: str) -> Head | None:
    """The stored result that `code` made, else the newest by other code, whatever the policy says."""
    return project.data.find(unit.key, code, unit.is_same, on_damaged=_report_damaged)


def _serves_other_code(unit: Unit, project: Project, head: Head, code: str) -> bool:
    """Whether a result by other code is loaded all the same; says so, or refuses, as the policy wants."""
    policy = unit.code_policy or project.setting("on_code_change")
    if policy in ("recompute", "ignore"):
        return bool(policy == "ignore")
    if policy == "error":
        changed = _changed_code(unit, project, head)
        raise CodeChangedError(
            f"Task {unit.name!r} ({unit.key.name}): its result was made by other code.",
            f"changed: {', '.join(changed)}\nresult: {head.label}",
            "recompute it with run(recompute=True), mark it as still valid with accept(), "
            "or load it with on_code_change='ignore'",
            changed=tuple(changed),
            label=head.label,
        )
    if (fact := (project.root, unit.name, head.code, code)) not in _told:
        changed = _changed_code(unit, project, head)
        _told.add(fact)
        warn(
            f"Task {unit.name!r} loads results made by other code: {', '.join(changed)}. "
            "To compute anew: run(recompute=True) or on_code_change='recompute'; to keep them: accept().",
            CodeChangedWarning,
        )
    return True


def _serves_other_packages(unit: Unit, project: Project, head: Head, policy: str) -> bool:
    """The same for a result made with other versions of packages."""
    try:
        found = changed_packages(read_rest(head))
    except DamagedResultError as error:
        _report_damaged(project.data.set_aside(head), error.found)
        return False
    except FileNotFoundError:
        return False
    if not found or policy == "recompute":
        return not found
    changed = [f"{name} {old} -> {new}" for name, old, new in found]
    if policy == "error":
        raise PackageChangedError(
            f"Task {unit.name!r} ({unit.key.name}): its result was made with other packages.",
            f"changed: {', '.join(changed)}\nresult: {head.label}",
            "recompute it with run(recompute=True), or load it with on_package_change='ignore'",
            changed=tuple(changed),
            label=head.label,
        )
    if (fact := (project.root, unit.name, "packages", ", ".join(changed))) not in _told:
        _told.add(fact)
        warn(
            f"Task {unit.name!r} loads results made with other packages: {', '.join(changed)}. "
            "To compute anew: run(recompute=True) or on_package_change='recompute'.",
            PackageChangedWarning,
        )
    return True


def _changed_code(unit: Unit, project: Project, head: Head) -> list[str]:
    """Which functions differ from those that made the result, in words."""
    try:
        rest = read_rest(head)
    except (DamagedResultError, OSError) as error:
        return [f"unknown, its manifest cannot be read ({error})"]
    changed = unit.changed_code(rest, project.data.output_dir)
    if not changed and (earlier := rest.get("continued_from")):
        changed.append(f"it continued from {earlier['label']}, which other code made")
    return changed or ["code that cannot be followed"]


def _report_damaged(path: Path, reason: str) -> None:
    warn(f"A damaged result is not used; it is kept in {path}.\n{reason}", DamagedResultWarning)


def load_stored(
    head: Head,
    project: Project,
    *,
    mmap: bool = False,
    may_unpickle: Callable[[str], bool] | None = None,
    names: Iterable[str] | None = None,
) -> Stored | None:
    """The outputs of a stored result; None if it is damaged, which is reported, or was deleted.

    Parameters
    ----------
    may_unpickle
        Whether the task declares that the output of this name is a pickle; None if none is.
    names
        Only these; None if one of them is not there.
    """
    try:
        verify, data = project.setting("verify"), project.data
        outputs = {
            name: data.load_output(
                head,
                name,
                verify=verify,
                mmap=mmap,
                allow_pickle=may_unpickle is not None and may_unpickle(name),
            )
            for name in (head.outputs if names is None else names)
        }
    except ResultNotFoundError:
        return None
    except DamagedResultError as error:
        _report_damaged(project.data.set_aside(head), error.found)
        return None
    except StorageError as error:
        if not getattr(error, "is_whole", False):
            raise
        warn(f"A stored result is not used: {error}", CodeChangedWarning)
        return None
    return Stored(outputs, head)
