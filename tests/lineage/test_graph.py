from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace

import networkx as nx
import numpy as np
import pytest

from smttask.lineage.graph import short_value, task_graph
from smttask.testing import scratch_project
from smttask.typing import InputFile

LAB = """
from dataclasses import dataclass

from smttask import MemoizedTask, NonMemoizedTask, RecordedTask
from smttask.testing import count_call


@dataclass
class Model:
    rate: float
    noise: float = 0.5


@MemoizedTask
def Load(n: int, m: int = 0) -> float:
    count_call()
    return float(n)


@RecordedTask
def Mean(values: list[float], offset: float = 0.0) -> float:
    return sum(values) / len(values) + offset


@NonMemoizedTask
def Simulate(model: Model, start: float) -> float:
    return model.rate + start
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    with scratch_project(tmp_path_factory.mktemp("lab") / "project", {"graphlab.py": LAB}) as scratch:
        module = scratch.load("graphlab")
        module.scratch = scratch
        yield module


def labels(graph, kind):
    return sorted(facts["label"] for _, facts in graph.nodes(data=True) if facts["kind"] == kind)


def test_a_shared_task_stands_once(lab):
    """A task that several others need is one node, also when it was constructed twice."""
    task = lab.Mean([lab.Load(1), lab.Mean([lab.Load(1), lab.Load(2)])])
    graph = task.graph
    assert labels(graph, "task") == ["Load", "Load", "Mean", "Mean"]
    assert graph.out_degree(lab.Load(1).digest) == 2
    assert nx.ancestors(graph, task.digest) >= {lab.Load(1).digest, lab.Load(2).digest}


def test_equal_inputs_of_different_arguments_stay_apart(lab):
    """Two arguments with the same value are two nodes, and so are those of two tasks."""
    graph = lab.Mean([lab.Load(3, 3), lab.Load(4, 3)]).graph
    assert labels(graph, "input") == ["m = 3", "m = 3", "n = 3", "n = 4", "offset = 0.0"]


def test_an_edge_tells_by_which_arguments_a_result_enters(lab):
    """The same task may feed two arguments; what else stands beside it in an argument is an input."""
    load = lab.Load(1)
    task = lab.Simulate(lab.Model(load), load)
    graph = task.graph
    assert graph.edges[load.digest, task.digest]["arguments"] == ("model", "start")
    assert graph.nodes[f"{task.digest}.model"]["label"] == "model = Model(…)"
    assert f"{task.digest}.start" not in graph


def test_nodes_tell_what_they_stand_for(lab):
    """From a node one gets the task, the value, and whether it is the default."""
    task = lab.Load(5)
    graph = task.graph
    assert graph.nodes[task.digest]["task"] is task
    assert graph.nodes[task.digest]["is_recorded"] is False
    assert graph.nodes[f"{task.digest}.n"]["value"] == 5
    assert [graph.nodes[f"{task.digest}.{name}"]["is_default"] for name in ("n", "m")] == [False, True]


def test_tasks_come_in_an_order_in_which_they_can_be_run(lab):
    """`tasks` lists each task after all that it depends on."""
    first, second = lab.Load(1), lab.Load(2)
    middle = lab.Mean([first, second])
    last = lab.Mean([second, middle, first])
    tasks = last.graph.tasks
    assert tasks[2:] == [middle, last]
    assert set(tasks[:2]) == {first, second}


def test_nothing_is_run_for_a_graph(lab):
    """Making a graph and its picture calls no function."""
    before = lab.scratch.calls("Load")
    lab.Mean([lab.Load(100), lab.Load(101)]).graph.to_svg()
    assert lab.scratch.calls("Load") == before


def test_a_long_chain_has_a_graph(lab):
    """Depth is no limit: 3000 tasks in a row."""
    task = lab.Load(0)
    for _ in range(3000):
        task = lab.Mean([task])
    assert len(task.graph.tasks) == 3001


def test_a_part_of_a_graph_is_a_graph_that_can_be_drawn(lab):
    """Operations of networkx give graphs with pictures."""
    middle = lab.Mean([lab.Load(1)])
    graph = lab.Mean([middle]).graph
    part = graph.subgraph(nx.ancestors(graph, middle.digest) | {middle.digest})
    assert [task.name for task in part.tasks] == ["Load", "Mean"]
    assert part.to_svg().count("<title>") == 2
    assert graph.reverse().to_svg().count("<path") == 2


def test_nodes_and_edges_of_ones_own_do_not_spoil_the_picture(lab):
    """What a user adds to a graph without our facts is passed over, edges between tasks are drawn."""
    graph = lab.Mean([lab.Load(1), lab.Load(2)]).graph
    graph.add_edge(lab.Load(1).digest, lab.Load(2).digest)
    graph.add_edge("note", lab.Load(1).digest)
    assert graph.to_svg().count("<path") == 3
    assert "note" not in graph.to_dot()


def test_only_graphs_import_networkx():
    """A session that asks for no graph never loads networkx or matplotlib."""
    code = (
        "import sys\nfrom smttask import NonMemoizedTask\n"
        "@NonMemoizedTask\ndef F(x: float) -> float: return x\n"
        "F(1.0).run(); print(sorted({'networkx', 'matplotlib'} & set(sys.modules)))\n"
        "F(1.0).graph.to_svg(); print(sorted({'networkx', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["[]", "['networkx']"]


class Odd:
    def __repr__(self) -> str:
        return "two\n  lines"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (np.zeros((3, 200), dtype="f4"), "float32[3, 200]"),
        (np.array([1.5, 2.0]), "[1.5, 2.0]"),
        (InputFile(__file__), "test_graph.py"),
        (Odd(), "two lines"),
        (SimpleNamespace(dtype="f8", shape=None), "namespace(dtype='f8', sha..."),
    ],
    ids=["array", "small array", "file", "lines", "odd"],
)
def test_a_label_shows_a_value_in_a_few_characters(value, shown):
    """Arrays show dtype and shape, files their name, all in one short line."""
    assert short_value(value) == shown


@dataclass
class Late:
    """Something whose digest only a run would tell."""

    description_key: str
    raw_inputs: dict[str, object]
    name: str = "Late"

    @property
    def upstream(self) -> list[Late]:
        return [value for value in self.raw_inputs.values() if isinstance(value, Late)]

    @property
    def digest(self) -> str:
        raise AssertionError("it would be run for this")


def test_nothing_is_asked_that_only_a_run_could_tell():
    """What has no digest before a run stands under the key that it has in descriptions."""
    last = Late("u-2", {"x": Late("u-1", {}), "n": 3})
    graph = task_graph(last, lambda value: [value] if isinstance(value, Late) else [])
    assert [task.description_key for task in graph.tasks] == ["u-1", "u-2"]
    assert graph.nodes["u-2.n"]["label"] == "n = 3"
