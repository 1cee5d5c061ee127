from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from smttask import RSView
from smttask.errors import InputError
from smttask.testing import scratch_project


def test_a_view_is_split_by_a_field_or_an_input(lab: SimpleNamespace) -> None:
    """Each value of a field or an input has a view of its own, newest first; None stands for none."""
    by_task = lab.view.splitby("task")
    assert {name: len(runs) for name, runs in by_task.items()} == {"Analyze": 2, "Detrend": 1, "Square": 4}
    assert by_task["Square"].labels() == lab.view.filter.task("Square").labels()
    by_x = lab.view.splitby("x")
    assert [len(by_x[x]) for x in (None, -1, 3, 2, 1)] == [3, 1, 1, 1, 1]
    assert list(lab.view.filter.task("Analyze").splitby("model.sigma")) == [4.0, 0.25]


def test_a_view_is_split_by_several_names(lab: SimpleNamespace) -> None:
    """Several names make tuples; `inputs.` tells an input from a field; lists stand as text."""
    runs = lab.view.filter.task("Square")
    assert list(runs.splitby("status", "inputs.tags")) == [("crashed", "['a']"), ("finished", "['a']")]
    assert set(lab.view.splitby("date", "tags")) == {(lab.view[0].timestamp.astimezone().date(), frozenset())}
    assert list(lab.view.filter.task("Analyze").splitby("mode")) == ["Mode.SLOW", "Mode.FAST"]
    assert lab.view.filter.task("Nothing").splitby("x") == {}


def test_groups_are_narrowed_further(lab: SimpleNamespace) -> None:
    """A group is a view like any other, also of a view that a function filters."""
    finished = lab.view.filter(lambda record: record.status == "finished").splitby("task")["Square"]
    assert len(finished.filter.params(gt={"x": 1})) == 2


def test_a_split_by_nothing_is_refused(lab: SimpleNamespace) -> None:
    """Without a name, the message lists the fields; a malformed path is refused too."""
    with pytest.raises(InputError, match="cannot be split by nothing"):
        lab.view.splitby()
    with pytest.raises(InputError, match="names no place"):
        lab.view.splitby("a..b")


def test_a_summary_has_a_row_for_runs_of_one_kind(lab: SimpleNamespace) -> None:
    """Runs of one task with one reason are one row, with their number, times and statuses."""
    lab.view.filter.task("Square").update_reason("powers", mode="replace")
    table = lab.view.summary()
    row = table[table["task"] == "Square"].iloc[0]
    assert (row["reason"], row["n_runs"], row["status"]) == ("powers", 4, "1 crashed, 3 finished")
    assert row["first"] <= row["last"]
    assert table["n_runs"].sum() == len(lab.view.summary(merge=False)) == 7
    assert len(lab.view.filter.task("Nothing").summary()) == 0


def test_a_summary_is_cut_to_its_ends(lab: SimpleNamespace) -> None:
    """`head` and `tail` give the first and last rows, of the merged summary and of single runs."""
    merged = lab.view.summary()
    assert lab.view.summary(head=1, tail=1).equals(merged.iloc[[0, -1]].reset_index(drop=True))
    assert lab.view.summary(head=99).equals(merged)
    labels = lab.view.labels()
    assert list(lab.view.summary(merge=False, head=2, tail=1)["label"]) == [*labels[:2], labels[-1]]
    assert list(lab.view.summary(merge=False, tail=1)["label"]) == labels[-1:]
    assert list(lab.view.summary(merge=False)["label"]) == labels


def test_groups_are_shown_as_counts(lab: SimpleNamespace) -> None:
    """What `splitby` gives is short where a notebook shows it: no table for each value."""
    assert repr(lab.view.splitby("task")).splitlines() == [
        "'Analyze': 2 records",
        "'Detrend': 1 record",
        "'Square': 4 records",
    ]
    assert repr(lab.view.filter.task("Nothing").splitby("x")) == "no records"


def test_what_looks_alike_is_not_put_together(tmp_path: Path) -> None:
    """Long lists that differ at their end are two groups, and so are arrays; runs of equal tasks are one."""
    source = (
        "from smttask import RecordedTask\nfrom smttask.typing import Array\n"
        "@RecordedTask\ndef One() -> int: return 1\n"
        "@RecordedTask\ndef Sum(xs: list[int], one: int) -> int: return sum(xs)\n"
        "@RecordedTask\ndef Mean(xs: Array[float]) -> float: return xs.mean()\n"
    )
    with scratch_project(tmp_path / "project", {"adding.py": source}) as scratch:
        tasks = scratch.load("adding")
        for last in (1, 2):
            tasks.One().run(recompute=True)
            tasks.Sum([*range(100), last], tasks.One()).run()
            tasks.Mean([*range(100), last]).run()
        view = RSView(scratch.project)
        for task in ("Sum", "Mean"):
            assert [len(runs) for runs in view.filter.task(task).splitby("xs").values()] == [1, 1]
        assert list(view.filter.task("Sum").splitby("one")) == [f"task {tasks.One().digest}"]
