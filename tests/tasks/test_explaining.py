"""Why a task would be found or computed: each cause is told by its name, as a difference from a run."""

from __future__ import annotations

import os
import subprocess
import warnings
from pathlib import Path
from typing import Any

import pytest

from smttask import RSView, config
from smttask.errors import CodeChangedWarning, DamagedResultWarning
from smttask.tasks.explanation import Difference, Explanation

HELPERS = """
FACTOR = 2.0

def scaled(x):
    return x * FACTOR
"""
TASKS = """
from dataclasses import dataclass
import numpy as np
from smttask import MemoizedTask, NonMemoizedTask, RecordedTask
from smttask.testing import count_call
from smttask.typing import Array
from helpers import scaled

@dataclass
class Model:
    sigma: float
    order: int = 1

@RecordedTask
def Source(degree: int) -> float:
    count_call()
    return 10.0 * degree

@MemoizedTask
def Offset(x: float) -> float:
    return x + 1

@NonMemoizedTask
def Passing(x: float) -> float:
    return x

@RecordedTask
def Analyze(x: float, y: float = 0.0, n: int = 10) -> float:
    count_call()
    if x < 0:
        raise ValueError("x is negative")
    return scaled(x) + y + n

@RecordedTask
def Field(model: Model, weights: Array) -> Array[float]:
    return np.ones(20_000) * model.sigma
"""
DIE = """
import os
from smttask import RecordedTask

@RecordedTask
def Die(x: int) -> int:
    os.kill(os.getpid(), 9)
"""
LATER = """
import random
from smttask import RecordedIterativeTask, RecordedTask, TaskOutput, UnpureMemoizedTask
from smttask.testing import count_call

class Grown(TaskOutput):
    n: int
    x: float

@RecordedIterativeTask("n", map={"x": "x0"})
def Grow(n: int, x0: float = 1.0, rate: float = 0.5) -> Grown:
    return Grown(n=n, x=x0 + rate)

@UnpureMemoizedTask
def Now(k: int) -> float:
    count_call()
    return random.random()

@RecordedTask
def Use(x: float, y: float = 0.0) -> float:
    return x
"""
FILES = {"tasks.py": TASKS, "helpers.py": HELPERS}


@pytest.fixture
def lab(scratch: Any) -> Any:
    return scratch(FILES)


def edit(lab: Any, file: str, old: str, new: str) -> Any:
    """The module `tasks` after this edit, freshly loaded."""
    assert old in FILES[file]
    lab.write({file: FILES[file].replace(old, new)})
    return lab.reload("tasks")


def told(explanation: Explanation) -> list[str]:
    return [str(difference) for difference in explanation.differences]


def files(lab: Any) -> dict[str, tuple[int, int]]:
    """Everything in both stores, to see that nothing was touched."""
    root = lab.project.data.input_dir
    stats = {str(path): os.lstat(path) for path in root.rglob("*")}
    return {path: (stat.st_size, stat.st_mtime_ns) for path, stat in stats.items()}


# -- the causes


def test_a_task_that_never_ran(lab: Any) -> None:
    """Neither in a project without a single run nor beside runs of other tasks."""
    tasks = lab.load("tasks")
    assert str(tasks.Analyze(1.0).explain()).endswith(": never run")
    tasks.Source(1).run()
    explanation = tasks.Analyze(1.0).explain()
    assert (explanation.hit, explanation.reason, explanation.differences) == (False, "never run", ())


def test_a_stored_result(lab: Any) -> None:
    """A hit names the run it comes from."""
    task = lab.load("tasks").Analyze(1.0)
    task.run()
    explanation = task.explain()
    assert (explanation.hit, explanation.where, explanation.label) == (True, "disk", task.record.label)
    assert str(explanation) == f"hit   Analyze ({task.digest}): stored"


def test_a_changed_input(lab: Any) -> None:
    """The run with the fewest other inputs is the one compared with, and the values are shown."""
    tasks = lab.load("tasks")
    for x, y in [(1.0, 1.0), (3.0, 0.5), (5.0, 2.0)]:
        tasks.Analyze(x, y).run()
    explanation = tasks.Analyze(4.0, 0.5).explain()
    assert not explanation.hit
    assert explanation.reason == "not run with these inputs; the nearest run differs in x"
    assert told(explanation) == ["x: 3.0 -> 4.0"]
    assert explanation.label == tasks.Analyze(3.0, 0.5).record.label


def test_a_changed_input_inside_a_model_and_an_array(lab: Any) -> None:
    """The place leads into dataclasses; arrays are told by their summaries."""
    tasks = lab.load("tasks")
    tasks.Field(tasks.Model(1.0), list(range(200))).run()
    explanation = tasks.Field(tasks.Model(2.0), list(range(201))).explain()
    assert told(explanation) == [
        "model.sigma: 1.0 -> 2.0",
        "weights: int64 (200,): 0 1 2 … 199 -> int64 (201,): 0 1 2 … 200",
    ]


def test_a_changed_input_of_an_upstream_task(lab: Any) -> None:
    """The difference is followed to the input that made it, through recorded and memoized tasks."""
    tasks = lab.load("tasks")
    tasks.Analyze(tasks.Source(1), tasks.Offset(1.0)).run()
    explanation = tasks.Analyze(tasks.Source(2), tasks.Offset(5.0)).explain()
    assert told(explanation) == ["x.degree: 1 -> 2", "y.x: 1.0 -> 5.0"]


def test_a_changed_default(lab: Any) -> None:
    """The input that stood at its default is named with both values."""
    lab.load("tasks").Analyze(1.0).run()
    tasks = edit(lab, "tasks.py", "n: int = 10", "n: int = 20")
    explanation = tasks.Analyze(1.0).explain()
    assert (explanation.hit, explanation.reason) == (False, "stored with other defaults: n")
    assert "n: 10 -> 20 (default)" in told(explanation)
    given = tasks.Analyze(1.0, n=10).explain()
    assert not given.hit
    assert "run with the same inputs under another digest" in given.reason


def test_a_changed_default_of_an_upstream_task_and_of_a_field(lab: Any) -> None:
    """They are told by their places too."""
    tasks = lab.load("tasks")
    tasks.Analyze(tasks.Analyze(1.0)).run()
    tasks.Field(tasks.Model(1.0), [1, 2]).run()
    text = TASKS.replace("n: int = 10", "n: int = 20").replace("order: int = 1", "order: int = 2")
    lab.write({"tasks.py": text})
    tasks = lab.reload("tasks")
    both = tasks.Analyze(tasks.Analyze(1.0)).explain()
    assert both.reason == "stored with other defaults: x.n, n"
    assert tasks.Field(tasks.Model(1.0), [1, 2]).explain().reason == "stored with other defaults: model.order"


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [("x * FACTOR", "FACTOR * x", "helpers:scaled changed"), ("2.0", "3.0", "helpers:FACTOR changed")],
)
def test_a_changed_helper_or_constant(lab: Any, old: str, new: str, named: str) -> None:
    """It is named, and the policy says what follows from it."""
    lab.load("tasks").Analyze(1.0).run()
    tasks = edit(lab, "helpers.py", old, new)
    explanation = tasks.Analyze(1.0).explain()
    assert (explanation.hit, told(explanation)) == (True, [named])
    assert explanation.reason == f"stored by other code ({named}); on_code_change is 'warn'"
    for policy, hit in [("recompute", False), ("ignore", True), ("error", False)]:
        with config.use(on_code_change=policy):
            explanation = tasks.Analyze(1.0).explain()
        assert (explanation.hit, told(explanation)) == (hit, [named])
        assert explanation.reason.endswith(f"on_code_change is '{policy}'")


def test_a_changed_upstream_task(lab: Any) -> None:
    """The function is named with the task it belongs to; of one without a manifest the task alone."""
    tasks = lab.load("tasks")
    tasks.Analyze(tasks.Source(1), tasks.Offset(1.0)).run()
    lab.write({"tasks.py": TASKS.replace("10.0 * degree", "degree * 10.0").replace("x + 1", "1 + x")})
    tasks = lab.reload("tasks")
    source, offset = tasks.Source(1), tasks.Offset(1.0)
    explanation = tasks.Analyze(source, offset).explain()
    assert told(explanation) == [
        f"tasks:Source changed (in upstream task Source {source.digest})",
        f"upstream task Offset {offset.digest} changed",
    ]


def test_a_change_behind_a_task_in_memory_is_told_of_the_task_that_changed(lab: Any) -> None:
    """What stands between two stored results is named only if it changed itself."""
    tasks = lab.load("tasks")
    tasks.Analyze(tasks.Passing(tasks.Offset(tasks.Source(1)))).run()
    source = "10.0 * degree", "degree * 10.0"
    for edits, named in (
        ([source], ["tasks:Source changed (in upstream task Source {source})"]),
        ([("x + 1", "1 + x")], ["upstream task Passing {passing} or one behind it changed"]),
        (
            [source, ("return x\n", "return +x\n")],
            [
                "upstream task Passing {passing} or one behind it changed",
                "tasks:Source changed (in upstream task Source {source})",
            ],
        ),
    ):
        text = TASKS
        for old, new in edits:
            text = text.replace(old, new)
        lab.write({"tasks.py": text})
        tasks = lab.reload("tasks")
        source_task = tasks.Source(1)
        passing = tasks.Passing(tasks.Offset(source_task))
        names = {"source": source_task.digest, "passing": passing.digest}
        assert told(tasks.Analyze(passing).explain()) == [text.format(**names) for text in named]


def test_a_function_that_many_upstream_tasks_share_is_told_once(lab: Any) -> None:
    """A chain of tasks of one kind has one function that changed."""
    tasks = lab.load("tasks")
    tasks.Analyze(tasks.Analyze(tasks.Analyze(1.0))).run()
    tasks = edit(lab, "helpers.py", "2.0", "3.0")
    explanation = tasks.Analyze(tasks.Analyze(tasks.Analyze(1.0))).explain()
    assert told(explanation) == ["helpers:FACTOR changed"]


def test_code_changed_since_the_nearest_run_is_told_too(lab: Any) -> None:
    """Other inputs and other code: both stand in the differences."""
    lab.load("tasks").Analyze(1.0).run()
    tasks = edit(lab, "helpers.py", "2.0", "3.0")
    assert told(tasks.Analyze(2.0).explain()) == ["x: 1.0 -> 2.0", "helpers:FACTOR changed"]


def test_a_changed_package(lab: Any, tmp_path: Path) -> None:
    """Versions are shown as information, and decide where the setting says so."""

    def install(version: str) -> None:
        for old in tmp_path.glob("site/wavelab-*"):
            (old / "METADATA").unlink()
            old.rmdir()
        (tmp_path / "site" / f"wavelab-{version}.dist-info").mkdir(parents=True)
        header = f"Metadata-Version: 2.1\nName: wavelab\nVersion: {version}\n"
        (tmp_path / "site" / f"wavelab-{version}.dist-info" / "METADATA").write_text(header)
        (tmp_path / "site" / "wavelab.py").write_text("")

    def explain(action: str, **settings: str) -> str:
        code = f"import sys; sys.path.append({str(tmp_path / 'site')!r})\nimport wavelab, tasks\n"
        done = lab.run(code + f"print(tasks.Analyze(1.0).{action}())", **settings)
        return str(done.stdout)

    install("1.0")
    explain("run")
    install("1.1")
    shown = explain("explain")
    assert shown.startswith("hit ")
    assert "\n  wavelab 1.0 -> 1.1\n" in shown
    decided = explain("explain", SMTTASK_ON_PACKAGE_CHANGE="recompute")
    assert decided.startswith("miss ")
    assert "stored with other packages (wavelab 1.0 -> 1.1); on_package_change is 'recompute'" in decided


@pytest.mark.parametrize("kind", ["manifest", "output", "cut output"])
def test_a_damaged_result(lab: Any, kind: str) -> None:
    """Before it is noticed, nothing is moved; once set aside, the place where it is kept is named."""
    tasks = lab.load("tasks")
    task = tasks.Field(tasks.Model(1.0), [1, 2])
    task.run()
    manifest, output = task.resultpaths
    path = manifest if kind == "manifest" else output
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data[:-1] if kind == "cut output" else data)
    before = files(lab)
    explanation = task.explain()
    assert not explanation.hit
    assert explanation.reason.startswith("its result is damaged: ")
    assert explanation.label == manifest.stem
    assert files(lab) == before
    with pytest.warns(DamagedResultWarning), pytest.raises(LookupError):
        task.load()
    assert f"damaged and is kept as {manifest.parent / '.damaged' / manifest.name}" in task.explain().reason


@pytest.mark.parametrize("which", [0, 1])
def test_a_deleted_result(lab: Any, which: int) -> None:
    """The file that is gone is named."""
    tasks = lab.load("tasks")
    task = tasks.Field(tasks.Model(1.0), [1, 2])
    task.run()
    path = task.resultpaths[which]
    path.unlink()
    explanation = task.explain()
    assert (explanation.hit, explanation.reason) == (False, f"its result was deleted: {path}")


def test_deleted_stores(lab: Any) -> None:
    """The records still know of the run."""
    task = lab.load("tasks").Analyze(1.0)
    task.run()
    manifest = task.resultpaths[0]
    subprocess.run(["rm", "-r", str(lab.project.data.input_dir)], check=True)
    assert task.explain().reason == f"its result was deleted: {manifest}"


# -- what else there is to say


def test_an_invalidated_result(lab: Any) -> None:
    """The run stays, its result is not used."""
    task = lab.load("tasks").Analyze(1.0)
    task.run()
    task.invalidate()
    assert task.explain().reason == "its result was invalidated"


def test_a_crashed_run(lab: Any) -> None:
    """The error is told."""
    task = lab.load("tasks").Analyze(-1.0)
    with pytest.raises(ValueError, match="negative"):
        task.run()
    assert task.explain().reason == "its last run crashed: ValueError: x is negative"


def test_a_crashed_run_of_an_upstream_task(lab: Any) -> None:
    """What needs its result was not run; the error is told, not the nearest other run."""
    tasks = lab.load("tasks")
    tasks.Analyze(1.0).run()
    task = tasks.Analyze(tasks.Offset(tasks.Analyze(-1.0)))
    with pytest.raises(ValueError, match="negative"):
        task.run()
    crashed = RSView().filter.tags("crashed").latest
    name = f"upstream task Analyze ({crashed.digest})"
    found = task.explain()
    assert found.reason == f"not run; the last run of {name} crashed: ValueError: x is negative"
    assert found.label == crashed.label


def test_a_killed_run(lab: Any) -> None:
    """Also before anyone has closed its record."""
    lab.write({"more.py": DIE})
    lab.run("from more import Die; Die(1).run()", check=False)
    assert lab.load("more").Die(1).explain().reason == "its last run was killed"


def test_tasks_in_memory(lab: Any) -> None:
    """Memoized tasks, those that keep nothing, and recorded ones without a record."""
    tasks = lab.load("tasks")
    offset = tasks.Offset(77.0)
    assert offset.explain().reason == "not in the memory of this process"
    offset.run()
    assert (offset.explain().hit, offset.explain().where) == (True, "memory")
    assert "not kept" in tasks.Passing(1.0).explain().reason
    with config.use(record=False):
        assert not tasks.Analyze(77.0).explain().hit
        tasks.Analyze(77.0).run()
        assert tasks.Analyze(77.0).explain().where == "memory"


def test_explaining_computes_and_changes_nothing(lab: Any) -> None:
    """Neither the task, its upstream tasks, nor any file; no record store is made."""
    tasks = lab.load("tasks")
    tasks.Analyze(tasks.Source(1)).run()
    task = tasks.Analyze(tasks.Source(2))
    before = files(lab)
    task.explain()
    assert files(lab) == before
    assert (lab.calls("Source"), task.last_hit) == (1, None)


def test_a_record_store_that_cannot_be_read(lab: Any) -> None:
    """What is stored is told all the same."""
    tasks = lab.load("tasks")
    tasks.Analyze(1.0).run()
    lab.project.records.close()
    (lab.root / ".smt" / "records").write_bytes(b"no database" * 1000)
    assert tasks.Analyze(1.0).explain().hit
    assert "earlier runs are not known" in tasks.Analyze(2.0).explain().reason


def test_a_result_that_does_not_fit_any_more(lab: Any) -> None:
    """The annotation of today decides, as in a run."""
    lab.load("tasks").Analyze(1.5).run()
    tasks = edit(lab, "tasks.py", "n: int = 10) -> float", "n: int = 10) -> bytes")
    assert "does not fit what the task returns today" in tasks.Analyze(1.5).explain().reason


def test_an_explanation_shows_itself_and_is_plain_json() -> None:
    """One line for the answer, one for the run compared with, one for each difference."""
    difference = Difference("input", "x", "1", "2")
    explanation = Explanation("Square", "3f", False, "not run", (difference,) * 25, "2026")
    assert repr(explanation).splitlines()[:3] == [
        "miss  Square (3f): not run",
        "  compared with 2026",
        "  x: 1 -> 2",
    ]
    assert repr(explanation).endswith("\n  and 5 more")
    assert explanation.to_json()["differences"][0] == {
        "kind": "input", "name": "x", "old": "1", "new": "2", "within": "",
    }  # fmt: skip


def test_iterative_tasks_say_where_they_continue(scratch: Any) -> None:
    """From the largest number of iterations that is stored, which need not be the run compared with."""
    tasks = scratch({"tasks.py": LATER}).load("tasks")
    for n in (3, 5):
        tasks.Grow(n).run()
    explanation = tasks.Grow(9).explain()
    assert explanation.reason.endswith("differs in n; continues from n = 5")
    assert told(explanation) == ["n: 5 -> 9"]
    tasks.Grow(5).resultpaths[0].unlink()
    assert tasks.Grow(5).explain().reason.endswith("; continues from n = 3")
    assert "continues" not in tasks.Grow(9, rate=0.1).explain().reason
    assert tasks.Grow(3).explain().hit


def test_a_result_continued_from_other_code_says_so(scratch: Any) -> None:
    """Its own function is that of today; the run that it began from is named."""
    lab = scratch({"tasks.py": LATER})
    lab.load("tasks").Grow(3).run()
    label = lab.load("tasks").Grow(3).record.label
    lab.write({"tasks.py": LATER.replace("x0 + rate", "rate + x0")})
    tasks = lab.reload("tasks")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CodeChangedWarning)
        tasks.Grow(5).run()
    explanation = tasks.Grow(5).explain()
    assert explanation.hit
    assert f"the code of {label}, which it continued from, changed" in explanation.reason


def test_unpure_tasks_are_not_run(scratch: Any) -> None:
    """What depends on the result of one has no digest yet."""
    lab = scratch({"tasks.py": LATER})
    tasks = lab.load("tasks")
    now = tasks.Now(1)
    task = tasks.Use(now)
    assert now.explain().reason == "an unpure task, which has not run"
    assert task.explain().reason == (
        f"its digest depends on the result of Now ({now.description_key}), which has not run"
    )
    assert lab.calls("Now") == 0
    task.run()
    assert task.explain().hit
    assert now.explain().where == "memory"
    assert told(tasks.Use(now, 2.0).explain()) == ["y: 0.0 -> 2.0"]


# -- accept


def test_an_accepted_result_is_loaded_without_a_word(lab: Any) -> None:
    """Until the code changes again; nothing is computed, and the way back to the old code stays open."""
    lab.load("tasks").Analyze(1.0).run()
    tasks = edit(lab, "helpers.py", "2.0", "3.0")
    task = tasks.Analyze(1.0)
    label = task.accept()
    with warnings.catch_warnings(), config.use(on_code_change="error"):
        warnings.simplefilter("error")
        assert task.run() == 12.0
        assert task.record.label == label
    assert task.accept() == label
    assert task.explain().reason == (
        "stored by other code (helpers:FACTOR changed) and accepted as still valid"
    )
    tasks = edit(lab, "helpers.py", "2.0", "4.0")
    with pytest.warns(CodeChangedWarning, match="helpers:FACTOR changed"):
        assert tasks.Analyze(1.0).run() == 12.0
    assert lab.calls("Analyze") == 1


def test_results_below_an_accepted_one_count_as_made_by_the_code_of_today(lab: Any) -> None:
    """What is computed from it needs no acceptance of its own."""
    lab.load("tasks").Source(1).run()
    tasks = edit(lab, "tasks.py", "10.0 * degree", "degree * 10.0")
    tasks.Source(1).accept()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            assert tasks.Analyze(tasks.Source(1)).run() == 30.0
    assert (lab.calls("Source"), lab.calls("Analyze")) == (1, 1)


def test_only_a_stored_result_can_be_accepted(lab: Any) -> None:
    """One with other defaults is of other inputs; without a project there is none."""
    lab.load("tasks").Analyze(1.0).run()
    tasks = edit(lab, "tasks.py", "n: int = 10", "n: int = 20")
    for task in (tasks.Analyze(1.0), tasks.Analyze(2.0)):
        with pytest.raises(LookupError, match="No stored result for task 'Analyze'"):
            task.accept()
    with config.use(record=False), pytest.raises(LookupError, match="No stored result"):
        tasks.Analyze(1.0).accept()
