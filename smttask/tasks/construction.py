"""Tasks from descriptions: each built once, those it depends on first, its digest checked."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from smttask.errors import DefaultsChangedWarning, DescriptionError, SmttaskError, short_repr, warn
from smttask.tasks import lookup
from smttask.tasks.composition import with_values
from smttask.tasks.description import field_defaults, read_description
from smttask.tasks.digests import LATE
from smttask.tasks.inputs import NamedTask
from smttask.tasks.sumatratask import flat_form, is_sumatratask
from smttask.typing.jsonform import from_json

if TYPE_CHECKING:
    from smttask.tasks.task import Task

__all__ = ["load_task", "task_from_pickle"]

GetType = Callable[[Mapping[str, Any], str], "type[Task[Any]]"]


def task_from_pickle(text: str) -> Task[Any]:
    """The task in a pickle; unlike a file it may name tasks of ``__main__`` and of functions."""
    return _build(json.loads(text), lookup.get_pickled_type, "pickle")


def load_task(source: Any, *, get_large: Callable[[str], Any] | None = None) -> Task[Any]:
    """The task that a mapping, JSON text, path or open file describes; see `Task.from_desc`.

    Parameters
    ----------
    get_large
        Gives the array that stands there by this blake3 only, as in the parameters of a record.
    """
    tree, origin = read_description(source)
    if is_sumatratask(tree):
        return _build(flat_form(tree, origin), lookup.get_task_type, origin, has_digests=False)
    return _build(tree, lookup.get_task_type, origin, get_large)


def _build(
    tree: Mapping[str, Any],
    get_type: GetType,
    origin: str,
    get_large: Callable[[str], Any] | None = None,
    *,
    has_digests: bool = True,
) -> Task[Any]:
    entries: Mapping[str, Any] = tree["tasks"]
    built: dict[str, Task[Any]] = {}
    stack: list[str] = [tree["task"]]
    entered: set[str] = set()
    while stack:
        key = stack[-1]
        if key in built:
            stack.pop()
            continue
        missing = [needed for needed in _references(entries[key]["inputs"]) if needed not in built]
        for needed in missing:
            if needed not in entries or needed in entered:
                raise DescriptionError(
                    f"Description {origin} is damaged.",
                    f"found: task {key} refers to {short_repr(needed)}, "
                    + ("which depends on it in turn" if needed in entries else "which is not described"),
                    "save the task again",
                    source=origin,
                )
        if missing:
            entered.add(key)
            stack.extend(missing)
            continue
        built[key] = task = _build_one(key, entries[key], built, get_type, origin, get_large)
        if has_digests:
            _check_digest(key, entries[key], task, built, origin, get_large is not None)
        stack.pop()
    return built[tree["task"]]


def _references(tree: Any) -> list[str]:
    """Digests of the tasks that stand in a JSON tree."""
    found: dict[str, None] = {}
    stack = [tree]
    while stack:
        item = stack.pop()
        if isinstance(item, Mapping):
            if isinstance(item.get("$task"), str):
                found[item["$task"]] = None
            else:
                stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
    return list(found)


def _build_one(
    key: str,
    entry: Mapping[str, Any],
    built: Mapping[str, Task[Any]],
    get_type: Any,
    origin: str,
    get_large: Callable[[str], Any] | None,
) -> Task[Any]:
    kind = get_type(entry, origin)
    try:
        inputs = {
            name: from_json(
                value,
                get_task=built.__getitem__,
                get_large=get_large,
                get_class=lookup.get_class,
                get_definition=lookup.get_definition,
                root=kind.path_root(),
            )
            for name, value in entry["inputs"].items()
        }
        task: Task[Any] = kind(**inputs, reason=entry.get("reason") or None)
    except DescriptionError:
        raise
    except (SmttaskError, RecursionError) as error:
        raise DescriptionError(
            f"Description {origin}: task {entry['name']!r} ({key}) cannot be made.",
            "\n".join(part for part in (str(error),) if part),
            "if its function changed, construct the task anew; otherwise save it again",
            source=origin,
        ) from error
    return task


def _check_digest(
    key: str,
    entry: Mapping[str, Any],
    task: Task[Any],
    built: Mapping[str, Task[Any]],
    origin: str,
    is_record: bool,
) -> None:
    """Tell changed defaults, which are fine, from an edited file, which is not."""
    if task.description_key == key or (is_record and task.has_late_digest and not key.startswith(LATE)):
        return  # a record has the digest of its run, which nothing but another run could check
    in_file = {task.description_key: name for name, task in built.items()}
    defaults = set(entry.get("defaults", ()))
    fields = _defaults_of_fields(entry)
    inputs = {
        name: with_values(
            value,
            lambda upstream: NamedTask(in_file[cast("Task[Any]", upstream).description_key]),
            checked=False,
        )
        for name, value in task.raw_inputs.items()
        if name in entry["inputs"] and name not in defaults
    }
    if task.key_with(inputs, defaults=fields) != key:
        raise DescriptionError(
            f"Description {origin}: task {entry['name']!r} is not what its digest says.",
            f"found: {task.description_key}\nexpected: {key}",
            "the file was edited; construct the task with the inputs you want and save it",
            source=origin,
        )
    today = field_defaults(task)
    as_today = {name: {f: today.get(name, {}).get(f, "") for f in known} for name, known in fields.items()}
    if (defaults, fields) == (set(task.defaulted), as_today):
        return  # only the digest of an upstream task moved, which said so
    warn(
        f"Task {entry['name']!r} ({key}) was described under other defaults; "
        f"the values in {origin} hold, and its digest is {task.description_key} now.",
        DefaultsChangedWarning,
    )


def _defaults_of_fields(entry: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Class -> each field that the file gives -> digest of its default then, or an empty text."""
    given = entry.get("field_defaults", {})
    found: dict[str, dict[str, str]] = {}
    stack: list[Any] = [entry["inputs"]]
    while stack:
        item = stack.pop()
        if isinstance(item, Mapping):
            name = item.get("$dataclass", item.get("$model"))
            if isinstance(name, str) and isinstance(item.get("fields"), Mapping):
                known = given.get(name, {})
                found.setdefault(name, {}).update(
                    (field, str(known.get(field, ""))) for field in item["fields"]
                )
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
    return found
