"""Tasks as a workflow for stock Snakemake: one rule for each kind of task.

A target is the link in the input store to the stored result, so that Snakemake and
`smttask run` agree on what is done. Where there is no such link, as for tasks whose result
is kept in memory or whose digest is known only after a run, it is an empty file, a mark.
"""

from __future__ import annotations

import json
import keyword
import os
import re
import shlex
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from smttask.errors import SettingError, StorageError
from smttask.executors.snakefile import ALL, INDEX, head_text, rule_text
from smttask.project import Project
from smttask.storage.atomic import storage_error, unlink_if_there, write_whole
from smttask.storage.layout import link_name
from smttask.tasks import Task
from smttask.tasks.recorded import Recorded

__all__ = ["Workflow", "plan_workflow"]

_TAKEN = frozenset({ALL, *keyword.kwlist, *keyword.softkwlist})


@dataclass
class _Kind:
    """The tasks of one function whose targets are alike."""

    full_name: str
    name: str
    folder: str  # of the links; empty: targets are marks
    rule: str = ""
    tasks: dict[str, Task[Any]] = field(default_factory=dict)
    upstream: dict[str, list[Task[Any]]] = field(default_factory=dict)
    wanted: dict[str, None] = field(default_factory=dict)


class Workflow:
    """Some tasks, and the recorded tasks that they depend on, as rules of Snakemake.

    `plan_workflow` makes it.
    """

    def __init__(self, project: Project, kinds: _Kinds) -> None:
        self._project = project
        self._kinds = kinds
        self._all = kinds.named()

    @property
    def n_rules(self) -> int:
        """Number of kinds of tasks."""
        return len(self._all)

    @property
    def n_tasks(self) -> int:
        """Number of tasks; those that others depend on count too."""
        return sum(len(kind.tasks) for kind in self._all)

    def write(
        self, path: Path, *, replace: bool = False, imports: Sequence[str] = (), reason: str | None = None
    ) -> None:
        """Write the Snakefile at `path`, and beside it the folder ``<name>.tasks`` of descriptions.

        The rules run the descriptions in this folder; others may go.

        Parameters
        ----------
        replace
            Whether a file that is there is replaced.
        imports
            Modules to be imported first, whose packages are trusted.
        reason
            Replaces the reason of each task.

        Raises
        ------
        StorageError
            If the files cannot be written, or there is one already.
        """
        if not replace and os.path.lexists(path):
            raise StorageError(
                f"{path} is there already.",
                "",
                "--force writes it anew; -o names another file",
                path=str(path),
            )
        tasks_dir = path.with_name(f"{path.name}.tasks")
        self.write_tasks(tasks_dir)
        text = self.text(path.parent, tasks_dir, is_there=True, imports=imports, reason=reason)
        _write_text(path, text)

    def write_tasks(self, folder: Path) -> None:
        """Write descriptions and index into `folder`; what an earlier workflow wrote there goes."""
        needs = {
            kind.rule: {
                key: [[other.rule, name] for other, name in map(self._kinds.place, upstream)]
                for key, upstream in kind.upstream.items()
            }
            for kind in self._all
        }
        wanted = {kind.rule: list(kind.wanted) for kind in self._all if kind.wanted}
        before = _read_needs(folder / INDEX)
        for kind in self._all:
            for key, task in kind.tasks.items():
                task.save(folder / kind.rule / f"{key}.json")
        _write_text(folder / INDEX, json.dumps({"wanted": wanted, "needs": needs}))
        for rule, keys in before.items():
            for key in keys - needs.get(rule, {}).keys():
                unlink_if_there(str(folder / rule / f"{key}.json"))

    def text(
        self,
        here: Path,
        tasks_dir: Path,
        *,
        is_there: bool = False,
        imports: Sequence[str] = (),
        reason: str | None = None,
    ) -> str:
        """The Snakefile, whose paths are relative to the folder `here`.

        Parameters
        ----------
        tasks_dir
            Where `write_tasks` writes.
        is_there
            Whether the file will lie in `here`, and may be moved with it.
        """
        here = Path(os.path.realpath(here))
        root, links = self._project.root, self._project.data.input_dir
        links_dir = os.path.relpath(links, here) if links.is_relative_to(root) else str(links)
        head = head_text(
            command=f"{shlex.quote(sys.executable)} -m smttask",
            here=None if is_there else str(here),
            tasks=os.path.relpath(os.path.realpath(tasks_dir), here),
            root=os.path.relpath(root, here),
            options=_options(imports, reason),
            targets=[(kind.rule, links_dir if kind.folder else None, kind.folder) for kind in self._all],
        )
        sharing = Counter(kind.folder for kind in self._all if kind.folder)
        rules = [
            rule_text(
                kind.rule,
                kind.full_name,
                is_stored=bool(kind.folder),
                only=kind.tasks if sharing[kind.folder] > 1 else None,
            )
            for kind in self._all
        ]
        return "".join([head, *rules])


class _Kinds:
    """Kinds of tasks, by function and by what their targets are."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[str, str], _Kind] = {}

    def place(self, task: Task[Any]) -> tuple[_Kind, str]:
        """The kind of `task`, and its name among the tasks of this kind, which its target and file have."""
        folder, key = "", task.description_key
        if _has_link(task):
            stored = task.stored_key()
            folder = stored.folder
            link = f"{stored.link_folder}/{link_name(stored)}"
            key = link.removeprefix(f"{folder}/").removesuffix(".json")
        name = task.full_name.removeprefix(":").replace(":", ".")
        kind = self._kinds.setdefault((name, folder), _Kind(name, task.name, folder))
        return kind, key

    def named(self) -> list[_Kind]:
        """All of them, sorted, with names for their rules, short ones where these are told apart."""
        kinds = sorted(self._kinds.values(), key=lambda kind: (kind.full_name, kind.folder))
        short = Counter(_identifier(kind.name).casefold() for kind in kinds)
        used: set[str] = set()
        for kind in kinds:
            name = _identifier(kind.name)
            if short[name.casefold()] > 1:
                name = _identifier(kind.full_name)
            number = 1
            kind.rule = name
            while kind.rule.casefold() in used:
                number += 1
                kind.rule = f"{name}_{number}"
            used.add(kind.rule.casefold())
        return kinds


def plan_workflow(tasks: Iterable[Task[Any]], project: Project) -> Workflow:
    """The rules for `tasks` and for the recorded tasks that they depend on; nothing is run.

    A task whose digest nobody knows without a run has a mark for a target, and so has one whose result is
    kept in memory. Such tasks among the inputs of others are run within these.

    Raises
    ------
    SettingError
        If the project stores nothing.
    """
    if not project.setting("record"):
        raise SettingError(
            f"Snakemake could not see what is done in project {project.name!r}.",
            "found: record = false, so that nothing is stored",
            "set it to true, or use smttask run",
            name="record",
        )
    kinds = _Kinds()
    for task in tasks:
        kind, key = kinds.place(task)
        kind.wanted[key] = None
        stack = [task]
        while stack:
            current = stack.pop()
            kind, key = kinds.place(current)
            if key not in kind.tasks:
                kind.tasks[key] = current
                kind.upstream[key] = list(_nearest_with_link(current))
                stack += kind.upstream[key]
    return Workflow(project, kinds)


def _has_link(task: Task[Any]) -> bool:
    return isinstance(task, Recorded) and not task.has_late_digest


def _nearest_with_link(task: Task[Any]) -> Iterator[Task[Any]]:
    """The tasks with a link that `task` depends on, directly or through tasks without one."""
    seen = {task.session_key}
    stack = list(reversed(task.upstream))
    while stack:
        current = stack.pop()
        if current.session_key in seen:
            continue
        seen.add(current.session_key)
        if _has_link(current):
            yield current
        else:
            stack += reversed(current.upstream)


def _identifier(name: str) -> str:
    """A name that Snakemake takes for a rule."""
    plain = re.sub(r"[^A-Za-z0-9_]", "_", name)
    return f"task_{plain}" if plain in _TAKEN or not plain[0].isalpha() else plain


def _options(imports: Sequence[str], reason: str | None) -> str:
    options = [f" --import {shlex.quote(module)}" for module in imports]
    return "".join(options) + (f" --reason {shlex.quote(reason)}" if reason is not None else "")


def _read_needs(path: Path) -> dict[str, set[str]]:
    """The tasks of each rule of the workflow that was written before; none if there was none."""
    try:
        needs = json.loads(path.read_text(encoding="utf-8"))["needs"]
        return {rule: set(tasks) for rule, tasks in needs.items()}
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return {}


def _write_text(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(str(path), lambda file: file.write(text.encode()))
    except OSError as error:
        raise storage_error(f"Cannot write {path}.", str(path), error) from error
