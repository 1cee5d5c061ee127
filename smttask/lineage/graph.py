"""What a task depends on, as a networkx graph.

Tasks are known here only by what they tell of themselves: name, digest, inputs and the
tasks among them. Nothing is run, loaded or looked up.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import networkx as nx

from smttask.errors import short_repr
from smttask.lineage.picture import Picture, draw

if TYPE_CHECKING:
    from collections.abc import Sequence

    DiGraph = nx.DiGraph[str]
else:
    DiGraph = nx.DiGraph

__all__ = ["GraphedTask", "TaskGraph", "task_graph"]

VALUE_LENGTH = 28  # characters of a value in a label
SMALL_ARRAY = 4  # elements of an array that a label shows, not only its shape
MAX_SHOWN = 200  # tasks whose picture a notebook still can show


class GraphedTask(Protocol):
    """What a graph asks of a task."""

    @property
    def name(self) -> str:
        """Name of the task."""
        ...

    @property
    def description_key(self) -> str:
        """What names the computation: the digest, or a key where only a run would tell the digest."""
        ...

    @property
    def upstream(self) -> Sequence[Any]:
        """The tasks among the inputs, each once."""
        ...

    @property
    def raw_inputs(self) -> Mapping[str, Any]:
        """The inputs by name."""
        ...


class TaskGraph(DiGraph):
    """A task, all that it depends on, and their plain inputs; edges lead from an input to its task.

    It is a `networkx.DiGraph`, so ``networkx.ancestors``, ``topological_sort`` and
    the like work on it.

    A task stands once, under its digest (one whose digest is that of its result, under
    the key that it has in descriptions), with the attributes ``kind="task"``,
    ``label`` (its name), ``task`` (the task itself), ``is_recorded`` and
    ``arguments`` (the names of its inputs, in order). A plain input stands under
    ``"<digest>.<argument>"``, apart for each argument of each task, with
    ``kind="input"``, ``label`` (name and a short form of the value), ``argument``,
    ``shown`` (that short form), ``value`` and ``is_default``. An edge tells in
    ``arguments`` by which arguments the input enters.
    """

    @property
    def tasks(self) -> list[Any]:
        """The tasks in an order in which they can be run: each after those it depends on."""
        found = (self.nodes[node].get("task") for node in nx.topological_sort(self))
        return [task for task in found if task is not None]

    def draw(self, path: str | Path, *, inputs: bool = True) -> Path:
        """Draw a picture to the file at `path`; returns the path.

        Time runs from left to right. Each task is a box with its arguments; an
        edge ends at the argument that takes the result. Results of filled boxes
        are recorded; arguments at their default are grey.

        Parameters
        ----------
        path
            Its suffix says what is written: ``.svg``; ``.dot`` or ``.gv`` for
            graphviz; ``.png``, ``.pdf`` and others that matplotlib writes.
        inputs
            Show the plain inputs too.

        Raises
        ------
        StorageError
            If the suffix is of no picture, or the file cannot be written.
        MissingExtraError
            If matplotlib is needed and not installed.
        """
        return draw(self._picture(inputs=inputs), Path(path))

    def to_svg(self, *, inputs: bool = True) -> str:
        """The picture as SVG text; see `draw`."""
        return self._picture(inputs=inputs).to_svg()

    def to_dot(self, *, inputs: bool = True) -> str:
        """The graph in graphviz's language; see `draw`."""
        return self._picture(inputs=inputs).to_dot()

    def _picture(self, *, inputs: bool) -> Picture:
        picture = Picture()
        for node, facts in self.nodes(data=True):
            if facts.get("kind") != "task":
                continue
            rows: dict[str, tuple[str, bool] | None] = dict.fromkeys(facts["arguments"] if inputs else ())
            fed: dict[str, list[str]] = {}
            for source, _, edge in self.in_edges(node, data=True):
                other = self.nodes[source]
                if other.get("kind") == "input":
                    rows[other["argument"]] = (other["shown"], other["is_default"])
                    continue
                for argument in edge.get("arguments", ("",)):  # others may add edges of their own
                    fed.setdefault(argument, []).append(source)
            shown = [
                (name, *(rows.get(name) or ("", False)))
                for name in dict.fromkeys([*facts["arguments"], *fed])
                if name in fed or (inputs and rows.get(name))
            ]
            picture.add_box(node, facts["label"], shown, is_filled=facts["is_recorded"])
            for argument, sources in fed.items():
                for source in sources:
                    picture.add_edge(source, node, argument)
        return picture

    def _repr_svg_(self) -> str | None:
        return self.to_svg() if self._n_tasks() <= MAX_SHOWN else None

    def _n_tasks(self) -> int:
        return sum(facts.get("kind") == "task" for _, facts in self.nodes(data=True))

    def __repr__(self) -> str:
        n_tasks = self._n_tasks()
        return f"<TaskGraph of {n_tasks} tasks and {len(self) - n_tasks} plain inputs>"


def task_graph(task: GraphedTask, tasks_in: Callable[[Any], list[Any]]) -> TaskGraph:
    """The graph of `task` and of all that it depends on; nothing is run.

    Parameters
    ----------
    tasks_in
        Gives the tasks that stand in an input, each once.
    """
    graph = TaskGraph()
    for current in _upstream_first(task):
        node = current.description_key
        graph.add_node(
            node,
            kind="task",
            label=current.name,
            task=current,
            is_recorded=bool(getattr(current, "is_recorded", False)),
            arguments=tuple(current.raw_inputs),
        )
        defaulted = getattr(current, "defaulted", ())
        for argument, value in current.raw_inputs.items():
            tasks = tasks_in(value)
            for upstream in tasks:
                known = graph.get_edge_data(upstream.description_key, node, {"arguments": ()})
                graph.add_edge(upstream.description_key, node, arguments=(*known["arguments"], argument))
            if not tasks or not _is_all_tasks(value, tasks):
                shown = f"{type(value).__name__}(…)" if tasks else short_value(value)
                plain = f"{node}.{argument}"
                graph.add_node(
                    plain,
                    kind="input",
                    label=f"{argument} = {shown}",
                    argument=argument,
                    shown=shown,
                    value=value,
                    is_default=argument in defaulted,
                )
                graph.add_edge(plain, node, arguments=(argument,))
    return graph


def _upstream_first(task: GraphedTask) -> Iterator[GraphedTask]:
    """`task` and all that it depends on, each once, after what it depends on itself; no recursion."""
    done: set[str] = set()
    stack = [task]
    while stack:
        current = stack[-1]
        missing = [upstream for upstream in current.upstream if upstream.description_key not in done]
        if missing and current.description_key not in done:
            stack.extend(reversed(missing))
            continue
        stack.pop()
        if current.description_key not in done:
            done.add(current.description_key)
            yield current


def _is_all_tasks(value: Any, tasks: list[Any]) -> bool:
    """Whether nothing but tasks stands in `value`."""
    stack, kinds = [value], {type(task) for task in tasks}
    while stack:
        item = stack.pop()
        if type(item) in kinds:
            continue
        if isinstance(item, Mapping):
            stack.extend(item.values())
        elif isinstance(item, (list, tuple, set, frozenset)):
            stack.extend(item)
        else:
            return False
    return True


def short_value(value: Any) -> str:
    """`value` in a few characters: arrays by type and shape, files by name.

    Examples
    --------
    >>> short_value([1, 2]), short_value("x" * 50)
    ('[1, 2]', "'xxxxxxxxxxxxxxxxxxxxxxxx...")
    """
    dtype, shape = getattr(value, "dtype", None), getattr(value, "shape", None)
    if dtype is not None and isinstance(shape, tuple):
        if value.size <= SMALL_ARRAY:
            return short_repr(value.tolist(), length=VALUE_LENGTH)
        return f"{dtype}[{', '.join(map(str, shape))}]"
    if isinstance(value, os.PathLike):
        return _cut(os.path.basename(os.fspath(value)))
    return _cut(short_repr(value, length=VALUE_LENGTH))


def _cut(text: Any) -> str:
    line = " ".join(str(text).split())
    return line if len(line) <= VALUE_LENGTH else f"{line[: VALUE_LENGTH - 1]}…"
