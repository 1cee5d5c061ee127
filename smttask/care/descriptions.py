"""Descriptions and other JSON files for people: as readable text, and searched."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from smttask.errors import DescriptionError
from smttask.records.parameters import form_text, task_reference

__all__ = ["find_paths", "humanize", "read_json_file"]

JSON = Any
INDENT = "  "


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
        raise DescriptionError(f"{path} is nested too deep.", "", "give a file that smttask wrote") from error
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
    first = tree.get("task")
    order = [first] if first in tasks else []
    order += [digest for digest in reversed(tasks) if digest != first]
    lines: list[str] = []
    for digest in order:
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


def _after(text: str) -> str:
    return f" {text}" if text else ""


def _lines(form: JSON, indent: str, names: Mapping[str, str]) -> list[str]:
    """Text of a form: what stands behind its name, and the lines below with their indent."""
    if isinstance(form, dict):
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
