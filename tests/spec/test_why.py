"""Why something runs: `explain` names the cause, and `run` does what it said."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from smttask import config
from smttask.errors import DamagedResultWarning

TASKS = """
import wavelab
from smttask import RecordedTask
from smttask.typing import Array, Figure

FACTOR = 3

def helper(x):
    return x + 1

@RecordedTask
def Base(seed: int) -> Array[float]:
    return [seed] * 3

@RecordedTask
def Analyze(base: Array[float], x: float, n: int = 10) -> Array[float]:
    return base * FACTOR + helper(x) + n + len(wavelab.__name__)

@RecordedTask
def Draw(n: int) -> Figure:
    from matplotlib.figure import Figure
    figure = Figure()
    figure.subplots().plot(range(n))
    return figure
"""

Change = Callable[[Any, Any], object]


def edit(old: str, new: str) -> Change:
    assert old in TASKS
    return lambda lab, task: lab.write({"tasks.py": TASKS.replace(old, new)})


def install(lab: Any, version: str) -> None:
    """A package `wavelab` that pip would have put beside the project."""
    folder = lab.root.parent / "site"
    for old in folder.glob("*.dist-info"):
        old.rename(folder / f"wavelab-{version}.dist-info")
    made = folder / f"wavelab-{version}.dist-info"
    made.mkdir(parents=True, exist_ok=True)
    (folder / "wavelab.py").write_text("")
    (made / "METADATA").write_text(f"Metadata-Version: 2.1\nName: wavelab\nVersion: {version}\n")
    (made / "RECORD").write_text("wavelab.py,,\n")


def damage(lab: Any, task: Any) -> None:
    path = task.resultpaths[-1]
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def delete(lab: Any, task: Any) -> None:
    task.resultpaths[-1].unlink()


def nothing(lab: Any, task: Any) -> None:
    pass


@pytest.fixture
def lab(scratch: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    made = scratch({"tasks.py": TASKS})
    install(made, "1.0")
    monkeypatch.syspath_prepend(str(made.root.parent / "site"))
    yield made
    sys.modules.pop("wavelab", None)


CAUSES: dict[str, tuple[Change, float, str]] = {
    "input changed": (nothing, 2.0, "the nearest run differs in x"),
    "default changed": (edit("n: int = 10", "n: int = 11"), 1.0, "stored with other defaults: n"),
    "helper changed": (edit("x + 1", "x + 2"), 1.0, "tasks:helper"),
    "constant changed": (edit("FACTOR = 3", "FACTOR = 4"), 1.0, "tasks:FACTOR"),
    "upstream task changed": (edit("[seed] * 3", "[seed + 1] * 3"), 1.0, "tasks:Base"),
    "result damaged": (damage, 1.0, "its result is damaged: its checksum does not fit"),
    "result deleted": (delete, 1.0, "its result was deleted: "),
}


@pytest.mark.parametrize("cause", CAUSES)
def test_each_cause_is_named_and_what_runs_is_what_was_said(lab: Any, cause: str) -> None:
    """After one change, the reason names it, nothing else is named, and `run` computes once."""
    change, x, words = CAUSES[cause]
    tasks = lab.load("tasks")
    task = tasks.Analyze(tasks.Base(1), 1.0)
    task.run()
    change(lab, task)
    tasks = lab.reload("tasks")
    policies = {"on_code_change": "recompute", "on_package_change": "recompute"}
    with config.use(**policies):
        task = tasks.Analyze(tasks.Base(1), x)
        explanation = task.explain()
        assert words in explanation.reason
        assert not explanation.hit
        named = {difference.name for difference in explanation.differences}
        assert named <= {"x", "n", "tasks:helper", "tasks:FACTOR", "tasks:Base", "tasks:Analyze"}
        assert bool(named) == (cause not in ("result damaged", "result deleted"))
        assert ("tasks:Analyze" in named) == (cause == "default changed")  # where its default stands
        if cause == "result damaged":
            with pytest.warns(DamagedResultWarning):
                task.run()
        else:
            task.run()
        assert task.last_hit == "computed"
        again = tasks.Analyze(tasks.Base(1), x)
        assert again.explain().hit
        again.run()
        assert again.last_hit == "disk"


def test_a_changed_package_is_named_and_what_runs_is_what_was_said(lab: Any) -> None:
    """By default it is told and changes nothing; where packages count, the task is computed."""
    code = """
import tasks
task = tasks.Analyze(tasks.Base(1), 1.0)
print(task.explain())
task.run()
print(task.last_hit)
"""
    site = {"PYTHONPATH": str(lab.root.parent / "site")}
    lab.run(code, **site)
    install(lab, "1.1")
    told, computed, again = (
        lab.run(code, SMTTASK_ON_PACKAGE_CHANGE=policy, **site).stdout
        for policy in ("ignore", "recompute", "recompute")
    )
    assert (told[:4], told.split()[-1], "wavelab 1.0 -> 1.1" in told) == ("hit ", "disk", True)
    assert (computed[:4], computed.split()[-1]) == ("miss", "computed")
    assert "stored with other packages (wavelab 1.0 -> 1.1)" in computed
    assert (again[:4], again.split()[-1], "wavelab" in again) == ("hit ", "disk", False)


def test_what_never_ran_is_said_to_have_never_run(lab: Any) -> None:
    """And explaining it leaves it so."""
    tasks = lab.load("tasks")
    task = tasks.Analyze(tasks.Base(1), 1.0)
    assert (task.explain().hit, task.explain().reason) == (False, "never run")
    assert not list((lab.root / "data").rglob("*"))


@pytest.mark.parametrize("index", [0, 1, 2])
def test_each_deleted_file_of_a_figure_is_named(lab: Any, index: int) -> None:
    """Its manifest, PNG or SVG."""
    task = lab.load("tasks").Draw(3)
    task.run()
    path = task.resultpaths[index]
    path.unlink()
    assert task.explain().reason == f"its result was deleted: {path}"
