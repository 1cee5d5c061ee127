"""Descriptions and other JSON files for people: as readable text, and searched."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from smttask.errors import DescriptionError
from smttask.records.parameters import form_text, task_reference

__all__ = ["find_paths", "humanize", "readable_tasks", "read_json_file"]

JSON = Any
INDENT = "  "
LONGEST = 120  # characters of the summary of an array


def read_json_file(path: str | os.PathLike[str]) -> JSON:
    """What a file of JSON, or of JSON lines such as a manifest, holds; lines become a list.

    Raises
    ------
    DescriptionError
        If it cannot be read or is no JSON.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DescriptionError(f"{path} cannot be read.", f"found: {error}", "check the path") from error
    try:
        return json.loads(text)
    except RecursionError as error:
        raise DescriptionError(
            f"{path} is nested too deep.", f"found: {error}", "give a file that smttask wrote"
        ) from error
    except ValueError as error:
        try:
            return [json.loads(line) for line in text.splitlines() if line.strip()]
        except (ValueError, RecursionError):
            raise DescriptionError(
                f"{path} is no JSON.", f"found: {error}", "give a description file or a manifest"
            ) from error


def humanize(tree: JSON) -> str:
    """The description `tree` as indented text: each task once, the task itself first; other JSON as it is.

    Examples
    --------
    >>> inputs = {"x": 2.0, "model": {"$dataclass": "m:Model", "fields": {"sigma": 1}}}
    >>> tree = {"task": "3f", "tasks": {"3f": {"name": "Square", "module": "tasks", "inputs": inputs}}}
    >>> print(humanize(tree))
    Square (tasks) 3f
      x: 2.0
      model: Model
        sigma: 1
    """
    tasks = tree.get("tasks") if isinstance(tree, dict) else None
    if not isinstance(tasks, dict) or not all(isinstance(entry, dict) for entry in tasks.values()):
        return "\n".join(_lines(tree, "", {}))
    names = {digest: str(entry.get("name", "")) for digest, entry in tasks.items()}
    lines: list[str] = []
    for digest in _order(tree):
        entry = tasks[digest]
        lines.append(f"{names[digest]} ({entry.get('module', '')}) {digest}")
        if entry.get("reason"):
            lines.append(f"{INDENT}reason: {entry['reason']}")
        defaults = entry.get("defaults", ())
        inputs = entry.get("inputs")
        for name, form in inputs.items() if isinstance(inputs, dict) else ():
            mark = "  (default)" if name in defaults else ""
            first_line, *rest = _lines(form, INDENT * 2, names)
            lines += [f"{INDENT}{name}:{_after(first_line)}{mark}", *rest]
    return "\n".join(lines)


def readable_tasks(tree: JSON) -> list[dict[str, Any]]:
    """What `humanize` shows of a description, an object for each task: inputs as text, by name.

    Examples
    --------
    >>> tree = {"task": "3f", "tasks": {"3f": {"name": "Square", "module": "tasks", "inputs": {"x": 2.0}}}}
    >>> readable_tasks(tree)[0]["inputs"]
    {'x': '2.0'}
    """
    tasks = tree["tasks"]
    names = {digest: str(entry.get("name", "")) for digest, entry in tasks.items()}
    return [
        {
            "digest": digest,
            "name": names[digest],
            "module": tasks[digest].get("module", ""),
            "reason": tasks[digest].get("reason", ""),
            "inputs": {
                name: "\n".join(_lines(form, "", names))
                for name, form in (tasks[digest].get("inputs") or {}).items()
            },
            "defaults": list(tasks[digest].get("defaults", ())),
        }
        for digest in _order(tree)
    ]


def _order(tree: JSON) -> list[str]:
    """Digests of the tasks: the task itself, then those it depends on."""
    first = tree.get("task")
    order = [first] if first in tree["tasks"] else []
    return order + [digest for digest in reversed(tree["tasks"]) if digest != first]


def _after(text: str) -> str:
    return f" {text}" if text else ""


def _lines(form: JSON, indent: str, names: Mapping[str, str]) -> list[str]:
    """Text of a form: what stands behind its name, and the lines below with their indent."""
    if isinstance(form, dict):
        if (summary := _array_text(form)) is not None:
            return [summary]
        if (digest := task_reference(form)) is not None:
            name = names.get(digest, "")
            return [f"task {name} {digest}" if name else form_text(form)]
        title, parts = "", form
        for tag in ("$dataclass", "$model"):
            if tag in form and isinstance(form.get("fields"), dict):
                title, parts = str(form[tag]).rpartition(":")[2], form["fields"]
        if title or not any(str(name).startswith("$") for name in form):
            return [title or ("" if parts else "{}"), *_parts(parts.items(), indent, names)]
    elif isinstance(form, list) and any(isinstance(item, dict | list) for item in form):
        return ["", *_parts(((f"[{n}]", item) for n, item in enumerate(form)), indent, names)]
    return [form_text(form)]


def _array_text(form: JSON) -> str | None:
    """Dtype, shape and first and last elements of an array; None if `form` is none."""
    if "$masked" in form and isinstance(form["$masked"], dict):
        inner = _array_text(form["$masked"])
        return None if inner is None else f"masked {inner}"
    if "$array" not in form:
        return None
    if isinstance(form.get("summary"), str):
        return f"array {form['summary']}"
    dtype = form.get("dtype")
    shape, flat = _flat(form["$array"])
    shown = [form_text(item) for item in (flat if len(flat) <= 4 else [*flat[:3], flat[-1]])]
    if len(flat) > 4:
        shown.insert(3, "…")
    kind = dtype if isinstance(dtype, str) else "structured"
    text = f"array {kind} {tuple(form.get('shape', shape))}: {' '.join(shown)}"
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _flat(lists: JSON) -> tuple[list[int], list[JSON]]:
    """Shape and elements of nested lists."""
    shape: list[int] = []
    flat = [lists]
    while flat and all(isinstance(item, list) for item in flat):
        shape.append(len(flat[0]))
        flat = [part for item in flat for part in item]
    return shape, flat


def _parts(parts: Any, indent: str, names: Mapping[str, str]) -> Iterator[str]:
    for name, part in parts:
        first, *rest = _lines(part, indent + INDENT, names)
        yield f"{indent}{name}:{_after(first)}"
        yield from rest


def find_paths(tree: JSON, pattern: str) -> list[tuple[str, str]]:
    """Path and text of each key or plain value that contains `pattern`, upper and lower case alike.

    A path has dots before names and brackets around positions, from the top down.

    Examples
    --------
    >>> find_paths({"model": {"sigma": 0.5}, "list": ["a", "Sigma"]}, "sigma")
    [('model.sigma', '0.5'), ('list[1]', "'Sigma'")]
    """
    wanted = pattern.casefold()
    found: list[tuple[str, str]] = []
    # A stack, not recursion: descriptions may be as deep as JSON goes
    todo: list[tuple[str, str, JSON]] = [("", "", tree)]
    while todo:
        path, name, form = todo.pop()
        is_plain = not isinstance(form, dict | list)
        if wanted in name.casefold() or (is_plain and wanted in str(form).casefold()):
            found.append((path, form_text(form)))
        if isinstance(form, dict):
            inner = [(f"{path}.{key}" if path else str(key), str(key), part) for key, part in form.items()]
        elif isinstance(form, list):
            inner = [(f"{path}[{n}]", "", part) for n, part in enumerate(form)]
        else:
            continue
        todo += reversed(inner)
    return found
