"""Tasks as JSON: one flat form serves files, records and pickles.

::

    {"format": 1, "task": d,
     "tasks": {d: {"name", "module", "inputs": {"x": {"$task": d2}, …}, "defaults": […], "reason"}, d2: …}}

Each task stands once, under its digest, after those it depends on, so that a diamond
of tasks is not repeated and a long chain needs no recursion. ``defaults`` names the
inputs that stood at their default when the description was made.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from smttask.errors import (
    DefaultsChangedWarning,
    DescriptionError,
    NotRecordableError,
    SmttaskError,
    short_repr,
)
from smttask.identity.canonical import canonical_bytes, named_bytes
from smttask.identity.digest import digest
from smttask.protocols import Runnable
from smttask.storage.atomic import storage_error, write_whole
from smttask.tasks import lookup
from smttask.tasks.composition import with_values
from smttask.typing.jsonform import from_json, to_json

if TYPE_CHECKING:
    from smttask.tasks.task import Task

__all__ = [
    "FORMAT",
    "describe_task",
    "load_task",
    "pickled_task",
    "read_description",
    "save_task",
    "task_from_pickle",
]

FORMAT = 1
SUFFIX = ".taskdesc.json"
_KEYS = {"name", "module", "inputs"}


def describe_task(
    task: Task[Any],
    *,
    on_large: Callable[[Any], str | None] | None = None,
    leave_out: Callable[[Task[Any]], Any] | None = None,
) -> dict[str, Any]:
    """The description of `task` and of all tasks among its inputs.

    Parameters
    ----------
    on_large
        Called with each large array; the digest that it returns stands in its place.
    leave_out
        Called with each upstream task; what it returns, if not None, stands for the
        task, which then is not described itself.
    """
    entries: dict[str, Any] = {}
    stack: list[Task[Any]] = [task]

    def reference(upstream: Runnable) -> Any:
        short = leave_out(cast("Task[Any]", upstream)) if leave_out else None
        return {"$task": upstream.digest} if short is None else short

    while stack:
        current = stack[-1]
        if current.digest in entries:
            stack.pop()
            continue
        missing = [
            upstream
            for upstream in current.upstream
            if upstream.digest not in entries and (leave_out is None or leave_out(upstream) is None)
        ]
        if missing:
            stack.extend(reversed(missing))
            continue
        entries[current.digest] = _entry(current, reference, on_large)
        stack.pop()
    return {"format": FORMAT, "task": task.digest, "tasks": entries}


def _entry(task: Task[Any], reference: Callable[[Runnable], Any], on_large: Any) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": task.__wrapped__.__qualname__, "module": task.__wrapped__.__module__}
    if fixed := task.fixed_name:
        entry["identity"] = fixed
    entry["inputs"] = {
        name: to_json(value, on_task=reference, on_large=on_large, root=task.path_root())
        for name, value in task.raw_inputs.items()
    }
    if task.defaulted:
        entry["defaults"] = list(task.defaulted)
    if task.reason:
        entry["reason"] = task.reason
    return entry


def save_task(task: Task[Any], path: Path) -> Path:
    """Write the description of `task`; see `Task.save`."""
    for described in iter_described(task):
        if reason := described.unsavable:
            raise NotRecordableError(
                f"Task {described.name!r} ({described.digest}) cannot be saved.",
                f"found: {reason}",
                "move it to a module of the project, at the top level",
            )
    text = json.dumps(describe_task(task), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    file = path if path.suffix == ".json" else path / f"{task.name}__{task.digest}{SUFFIX}"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(str(file), lambda stream: stream.write(text.encode()))
    except OSError as error:
        raise storage_error(f"Cannot save task {task.name!r} ({task.digest}).", str(file), error) from error
    return file


def iter_described(task: Task[Any]) -> Iterable[Task[Any]]:
    """`task` and every task that it depends on, each once."""
    seen = {task.digest}
    stack = [task]
    while stack:
        current = stack.pop()
        yield current
        for upstream in current.upstream:
            if upstream.digest not in seen:
                seen.add(upstream.digest)
                stack.append(upstream)


def pickled_task(task: Task[Any]) -> str:
    """The description as text, for a pickle."""
    return json.dumps(describe_task(task), separators=(",", ":"))


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
    return _build(tree, lookup.get_task_type, origin, get_large)


def read_description(source: Any) -> tuple[Mapping[str, Any], str]:
    """The parsed description, its outer form checked, and a name for it in messages."""
    if isinstance(source, Mapping):
        return _checked(source, "description"), "description"
    origin = "description"
    if isinstance(source, Path) or (isinstance(source, str) and not source.lstrip().startswith("{")):
        origin = str(source)
        try:
            text = Path(source).read_text(encoding="utf-8")
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
        )
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DescriptionError(
            f"Description {origin} is not whole JSON.",
            f"found: {error or 'nesting too deep'}",
            "save the task again; the file was cut short or edited",
            source=origin,
        ) from error
    return _checked(tree, origin), origin


def _checked(tree: Any, origin: str) -> Mapping[str, Any]:
    """Refuse what is not of the form in the module's docstring."""
    if not isinstance(tree, Mapping) or "format" not in tree:
        raise DescriptionError(
            f"{origin} is no task description.",
            f"found: {short_repr(tree)}\nexpected: an object with format, task and tasks",
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
    problem = ""
    if not isinstance(tasks, Mapping) or tree.get("task") not in tasks:
        problem = "the entry of the task itself is missing"
    else:
        for key, entry in tasks.items():
            if (
                not isinstance(entry, Mapping)
                or not entry.keys() >= _KEYS
                or not isinstance(entry["inputs"], Mapping)
            ):
                problem = f"entry {key!r} lacks {', '.join(sorted(_KEYS))}"
            elif not all(isinstance(entry[part], str) for part in ("name", "module")):
                problem = f"name and module of entry {key!r} are not text"
    if problem:
        raise DescriptionError(
            f"Description {origin} is damaged.", f"found: {problem}", "save the task again", source=origin
        )
    return tree


class _NamedInFile(Runnable):
    """An upstream task under the digest that the file gives it, which today's defaults may have changed."""

    __slots__ = ("_digest",)

    def __init__(self, digest: str) -> None:
        self._digest = digest

    @property
    def digest(self) -> str:
        return self._digest


def _build(
    tree: Mapping[str, Any],
    get_type: Callable[[Mapping[str, Any], str], type[Task[Any]]],
    origin: str,
    get_large: Callable[[str], Any] | None = None,
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
        built[key] = _build_one(key, entries[key], built, get_type, origin, get_large)
        stack.pop()
    return built[tree["task"]]


def _references(tree: Any) -> list[str]:
    """Digests of the tasks that stand in a JSON tree."""
    found: dict[str, None] = {}
    stack = [tree]
    while stack:
        item = stack.pop()
        if isinstance(item, Mapping):
            if item.keys() == {"$task"} and isinstance(item["$task"], str):
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
                root=kind.path_root(),
            )
            for name, value in entry["inputs"].items()
        }
        task = kind(**inputs, reason=entry.get("reason") or None)
    except DescriptionError:
        raise
    except (SmttaskError, RecursionError) as error:
        raise DescriptionError(
            f"Description {origin}: task {entry['name']!r} ({key}) cannot be made.",
            "\n".join(part for part in (str(error),) if part),
            "if its function changed, construct the task anew; otherwise save it again",
            source=origin,
        ) from error
    if task.digest != key:
        _compare_digest(key, entry, task, built, origin)
    return task


def _compare_digest(
    key: str, entry: Mapping[str, Any], task: Task[Any], built: Mapping[str, Task[Any]], origin: str
) -> None:
    """Tell changed defaults, which are fine, from an edited file, which is not."""
    in_file = {task.digest: name for name, task in built.items()}
    defaults = set(entry.get("defaults", ()))
    parts = {}
    for name, value in task.raw_inputs.items():
        if name in entry["inputs"] and name not in defaults:
            named = with_values(value, lambda upstream: _NamedInFile(in_file[upstream.digest]))
            parts[name] = canonical_bytes(named, root=task.path_root())
    if digest(named_bytes(task.full_name, parts)) != key:
        raise DescriptionError(
            f"Description {origin}: task {entry['name']!r} is not what its digest says.",
            f"found: {task.digest}\nexpected: {key}",
            "the file was edited; construct the task with the inputs you want and save it",
            source=origin,
        )
    warnings.warn(
        f"Task {entry['name']!r} ({key}) was described under other defaults; "
        f"the values in {origin} hold, and its digest is {task.digest} now.",
        DefaultsChangedWarning,
        stacklevel=2,
    )


def wrong_type(task: Task[Any], expected: type[Task[Any]]) -> DescriptionError:
    """The error of a description of another kind of task than was asked for."""
    return DescriptionError(
        f"The description is of task {task.name!r}.",
        f"expected: {expected.__name__!r}",
        "call Task.from_desc, which takes any task",
    )


def read_parameters(source: Mapping[str, Any] | str | Path) -> Mapping[str, Any]:
    """Arguments from a mapping or from a JSON, TOML or YAML file, by its suffix."""
    if isinstance(source, Mapping):
        return source
    path = Path(source)
    try:
        text = path.read_text(encoding="utf-8")
        parameters = _parsed(text, path.suffix.lower())
    except (OSError, ValueError) as error:
        raise DescriptionError(
            f"Parameters cannot be read from {path}.",
            f"found: {error}",
            "give a JSON, TOML or YAML file that holds one object",
            source=str(path),
        ) from error
    if not isinstance(parameters, Mapping):
        raise DescriptionError(
            f"{path} holds no parameters.",
            f"found: {short_repr(parameters)}\nexpected: one object with a value for each argument",
            source=str(path),
        )
    return parameters


def _parsed(text: str, suffix: str) -> Any:
    if suffix == ".toml":
        import tomllib

        return tomllib.loads(text)
    if suffix in (".yaml", ".yml"):
        import yaml

        try:
            return yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ValueError(str(error)) from error
    return json.loads(text)
