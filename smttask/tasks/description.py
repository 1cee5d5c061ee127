"""Tasks as JSON: one flat form serves files, records and pickles.

::

    {"format": 1, "task": d,
     "tasks": {d: {"name", "module", "inputs": {"x": {"$task": d2}, …}, "defaults": […], "reason"}, d2: …}}

Each task stands once, under its digest, after those it depends on, so that a diamond
of tasks is not repeated and a long chain needs no recursion. A task whose digest is late,
see `smttask.tasks.digests`, stands under its key. ``defaults`` names the
inputs that stood at their default when the description was made; ``field_defaults``,
where there are any, names the fields of dataclasses and models that did, by class, each
with the digest of the default.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from smttask.errors import (
    DescriptionError,
    NotRecordableError,
    short_repr,
)
from smttask.identity.standing import Standing
from smttask.protocols import Runnable
from smttask.storage.atomic import storage_error, write_whole
from smttask.tasks.signature import RESERVED
from smttask.tasks.sumatratask import is_sumatratask
from smttask.typing.jsonform import to_json

if TYPE_CHECKING:
    from smttask.tasks.task import Task

__all__ = [
    "FORMAT",
    "describe_task",
    "field_defaults",
    "pickled_task",
    "read_description",
    "save_task",
]

FORMAT = 1
SUFFIX = ".taskdesc.json"
IN_MEMORY = "in memory"  # the name of a description that is no file
_KEYS = {"name", "module", "inputs"}
_TEXTS = ("identity", "reason", "made_by")


def describe_task(
    task: Task[Any],
    *,
    on_large: Callable[[Any], str | None] | None = None,
    leave_out: Callable[[Task[Any]], Any] | None = None,
    get_key: Callable[[Task[Any]], str] | None = None,
) -> dict[str, Any]:
    """The description of `task` and of all tasks among its inputs.

    Parameters
    ----------
    on_large
        Called with each large array; the digest that it returns stands in its place.
    leave_out
        Called with each upstream task; what it returns, if not None, stands for the
        task, which then is not described itself.
    get_key
        Gives the key of each task, where it is not to be that of files.
    """
    key_of = get_key or attrgetter("description_key")
    entries: dict[str, Any] = {}
    stack: list[Task[Any]] = [task]

    def reference(upstream: Runnable) -> Any:
        task = cast("Task[Any]", upstream)
        short = leave_out(task) if leave_out else None
        return {"$task": key_of(task)} if short is None else short

    while stack:
        current = stack[-1]
        if key_of(current) in entries:
            stack.pop()
            continue
        missing = [
            upstream
            for upstream in current.upstream
            if key_of(upstream) not in entries and (leave_out is None or leave_out(upstream) is None)
        ]
        if missing:
            stack.extend(reversed(missing))
            continue
        entries[key_of(current)] = _entry(current, reference, on_large, leave_out is not None)
        stack.pop()
    return {"format": FORMAT, "task": key_of(task), "tasks": entries}


def _entry(
    task: Task[Any], reference: Callable[[Runnable], Any], on_large: Any, is_record: bool
) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": task.__wrapped__.__qualname__, "module": task.__wrapped__.__module__}
    if fixed := task.fixed_name:
        entry["identity"] = fixed
    if task.made_by:
        entry["made_by"] = task.made_by
    entry["inputs"] = {
        name: to_json(
            value, on_task=reference, on_large=on_large, root=task.path_root(), allow_sources=is_record
        )
        for name, value in task.raw_inputs.items()
    }
    if task.defaulted:
        entry["defaults"] = list(task.defaulted)
    if fields := field_defaults(task):
        entry["field_defaults"] = fields
    if task.reason:
        entry["reason"] = task.reason
    return entry


def field_defaults(task: Task[Any]) -> Standing:
    """The fields of dataclasses and models among the inputs that stand at their default."""
    return {name: fields for name, fields in task.own_standing_defaults.items() if name != task.full_name}


def save_task(task: Task[Any], path: Path) -> Path:
    """Write the description of `task`; see `Task.save`."""
    for described in iter_described(task):
        if reason := described.unsavable:
            raise NotRecordableError(
                f"Task {described.name!r} ({described.description_key}) cannot be saved.",
                f"found: {reason}",
                described.how_to_save,
            )
    text = json.dumps(describe_task(task), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    file = path if path.suffix == ".json" else path / f"{task.name}__{task.description_key}{SUFFIX}"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(str(file), lambda stream: stream.write(text.encode()))
    except OSError as error:
        raise storage_error(
            f"Cannot save task {task.name!r} ({task.description_key}).", str(file), error
        ) from error
    return file


def iter_described(task: Task[Any]) -> Iterable[Task[Any]]:
    """`task` and every task that it depends on, each once."""
    seen = {task.description_key}
    stack = [task]
    while stack:
        current = stack.pop()
        yield current
        for upstream in current.upstream:
            if upstream.description_key not in seen:
                seen.add(upstream.description_key)
                stack.append(upstream)


def pickled_task(task: Task[Any]) -> str:
    """The description as text, for a pickle."""
    return json.dumps(describe_task(task), separators=(",", ":"))


def read_description(source: Any) -> tuple[Mapping[str, Any], str]:
    """The parsed description, its outer form checked, and a name for it in messages.

    What SumatraTask wrote comes back in its own form.
    """
    if isinstance(source, Mapping):
        return _checked(source, IN_MEMORY), IN_MEMORY
    origin = IN_MEMORY
    if isinstance(source, Path) or (isinstance(source, str) and not source.lstrip().startswith("{")):
        origin = str(source)
        try:
            with open(source, "rb", buffering=0) as file:
                text = file.read().decode()
        except (OSError, UnicodeDecodeError, ValueError) as error:
            raise DescriptionError(
                f"Description {origin} cannot be read.", f"found: {error}", "check the path", source=origin
            ) from error
    elif hasattr(source, "read"):
        origin = str(getattr(source, "name", origin))
        text = source.read()
    elif isinstance(source, str):
        text = source
    else:
        raise DescriptionError(
            f"{short_repr(source)} is no task description.",
            f"found: {type(source).__name__}\nexpected: a mapping, JSON text, a path or an open file",
            "give what task.save wrote or task.desc gave",
        )
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DescriptionError(
            f"Description {origin} is not whole JSON.",
            f"found: {str(error) or 'nesting too deep'}",
            "save the task again; the file was cut short or edited",
            source=origin,
        ) from error
    return _checked(tree, origin), origin


def _checked(tree: Any, origin: str) -> Mapping[str, Any]:
    """Refuse what is not of the form in the module's docstring."""
    if is_sumatratask(tree):
        return cast("Mapping[str, Any]", tree)
    if not isinstance(tree, Mapping) or "format" not in tree:
        raise DescriptionError(
            f"{'What was given' if origin == IN_MEMORY else origin} is no task description.",
            f"found: {short_repr(tree)}\nexpected: an object with format, task and tasks",
            "give what task.save wrote or task.desc gave",
            source=origin,
        )
    if tree["format"] != FORMAT:
        raise DescriptionError(
            f"Description {origin} has format {short_repr(tree['format'])}.",
            f"expected: format {FORMAT}, which this version of smttask reads",
            "read it with the version that wrote it, or a newer one",
            source=origin,
        )
    tasks = tree.get("tasks")
    name = tree.get("task")
    if not isinstance(tasks, Mapping) or not isinstance(name, str) or name not in tasks:
        problem = "the entry of the task itself is missing"
    else:
        problem = next(filter(None, (_fault(key, entry) for key, entry in tasks.items())), "")
    if problem:
        raise DescriptionError(
            f"Description {origin} is damaged.", f"found: {problem}", "save the task again", source=origin
        )
    return tree


def _fault(key: str, entry: Any) -> str:
    """What is wrong with the form of one entry; empty if nothing is."""
    if (
        not isinstance(entry, Mapping)
        or not entry.keys() >= _KEYS
        or not isinstance(entry["inputs"], Mapping)
    ):
        return f"entry {key!r} lacks {', '.join(sorted(_KEYS))}"
    tables = entry.get("field_defaults", {})
    if not isinstance(tables, Mapping) or not _are(Mapping, tables.values()):
        return f"field_defaults of entry {key!r} is no table by class"
    if RESERVED & entry["inputs"].keys():
        return f"inputs of entry {key!r} have a name that no argument can have"
    if not _are(str, [entry["name"], entry["module"], *[entry[part] for part in _TEXTS if part in entry]]):
        return f"name, module or reason of entry {key!r} is no text"
    defaults = entry.get("defaults", [])
    if not isinstance(defaults, list | tuple) or not _are(str, defaults):
        return f"defaults of entry {key!r} is no list of names"
    return ""


def _are(kind: type, items: Iterable[Any]) -> bool:
    for item in items:  # noqa: SIM110 - every file that is read comes here; a generator costs more than the looks
        if not isinstance(item, kind):
            return False
    return True
