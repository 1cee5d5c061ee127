"""What tasks depend on, in the order in which it is made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from smttask.errors import DefinitionError
from smttask.protocols import Runnable

if TYPE_CHECKING:
    from smttask.tasker.inputs import Needs
    from smttask.tasker.unit import TaskUnit

__all__ = ["Behind", "Graph"]


@dataclass(slots=True)
class Behind:
    """What counts for a task: its own inputs, and those of tasks without outputs before it.

    Parameters
    ----------
    files
        Absolute path -> the task that names it.
    storing
        The nearest tasks that store something -> absolute paths of the outputs that are used.
    silent
        Tasks without outputs on the way, each after those it depends on.
    """

    files: dict[str, TaskUnit] = field(default_factory=dict)
    storing: dict[TaskUnit, tuple[str, ...]] = field(default_factory=dict)
    silent: list[TaskUnit] = field(default_factory=list)
    recorded: list[Runnable] = field(default_factory=list)


class Graph:
    """Tasks and all they depend on.

    Attributes
    ----------
    order
        Each task after those it depends on; the same each time.
    needs
        What each depends on directly.

    Raises
    ------
    DefinitionError
        If tasks depend on each other in a circle.
    """

    def __init__(self, targets: Iterable[TaskUnit]) -> None:
        self.order: list[TaskUnit] = []
        self.needs: dict[TaskUnit, Needs] = {}
        for target in targets:
            if target not in self.needs:
                self._add(target)
        self._place = {task: number for number, task in enumerate(self.order)}
        self._n_users = Counter(upstream for needs in self.needs.values() for upstream in needs.tasks)

    def _add(self, target: TaskUnit) -> None:
        open_tasks: dict[TaskUnit, Iterator[TaskUnit]] = {target: self._enter(target)}
        while open_tasks:
            task, waiting = next(reversed(open_tasks.items()))
            for upstream in waiting:
                if upstream in open_tasks:
                    raise _circle([*open_tasks], upstream)
                if upstream not in self.needs:
                    open_tasks[upstream] = self._enter(upstream)
                    break
            else:
                del open_tasks[task]
                self.order.append(task)

    def _enter(self, task: TaskUnit) -> Iterator[TaskUnit]:
        needs = self.needs[task] = task.needs
        return iter(needs.tasks)

    def behind(self, task: TaskUnit) -> Behind:
        """What counts for `task`, through tasks without outputs."""
        found = Behind()
        seen: set[TaskUnit] = {task}
        waiting = [task]
        while waiting:
            user = waiting.pop()
            needs = self.needs[user]
            for path in needs.files:
                found.files.setdefault(path, user)
            found.recorded += needs.recorded
            for upstream, paths in needs.tasks.items():
                if upstream.output_paths:
                    used = found.storing.get(upstream, ())
                    found.storing[upstream] = (*used, *(p for p in paths if p not in used)) if used else paths
                elif upstream not in seen:
                    seen.add(upstream)
                    found.silent.append(upstream)
                    waiting.append(upstream)
        found.silent.sort(key=self._place.__getitem__)
        return found

    def last_uses(self, kept: Iterable[TaskUnit] = ()) -> list[list[TaskUnit]]:
        """For each place in `order` the tasks without outputs whose value nobody needs after it.

        Parameters
        ----------
        kept
            Tasks whose values are needed after all.
        """
        end = len(self.order)
        last = dict.fromkeys(kept, end)
        for number in range(end - 1, -1, -1):
            user = self.order[number]
            until = number if user.output_paths else last.setdefault(user, end)
            for upstream in self.needs[user].tasks:
                last[upstream] = max(last.get(upstream, -1), until)
        uses: list[list[TaskUnit]] = [[] for _ in range(end + 1)]
        for task, number in last.items():
            if not task.output_paths:
                uses[number].append(task)
        return uses

    def n_users(self, task: TaskUnit) -> int:
        """How many tasks of these take the value of `task`."""
        return self._n_users[task]


def _circle(open_tasks: list[TaskUnit], again: TaskUnit) -> DefinitionError:
    circle = [*open_tasks[open_tasks.index(again) :], again]
    folder = again.tasker.folder
    names = [t.name if t.tasker.folder == folder else f"{t.name} of {t.tasker.folder}" for t in circle]
    return DefinitionError(
        f"Tasks of {folder} depend on each other in a circle: {' <- '.join(names)}.",
        "found: each takes what the next one makes",
        "take one of these inputs away",
        tasks=tuple(names),
    )
