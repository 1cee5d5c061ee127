from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from smttask.errors import FilterError, InputError
from smttask.view.filters import to_moment


def test_runs_are_filtered_by_task(lab: SimpleNamespace) -> None:
    """A task is told by name, by module and name, by type, or as a task object with these inputs."""
    tasks, task = lab.tasks, lab.view.filter.task
    assert len(task("Square")) == len(task("labtasks.Square")) == len(task(tasks.Square)) == 4
    assert [record.get_param("x") for record in task(tasks.Square(x=2))] == [2.0]
    assert len(task("Squ")) == len(task("other.Square")) == 0
    with pytest.raises(InputError, match="3 is no task"):
        task(3)


def test_runs_are_filtered_by_status_and_tags(lab: SimpleNamespace) -> None:
    """A status counts as a tag, with or without its underscores."""
    tags = lab.view.filter.tags
    assert len(tags("finished")) == len(tags("_finished_")) == 6
    assert [record.outcome for record in tags("crashed")] == ["ValueError: negative <x>"]
    assert len(tags("finished", "crashed")) == len(tags("mine")) == 0


def test_runs_are_filtered_by_label(lab: SimpleNamespace) -> None:
    """A label is told by its beginning or by a pattern as in a shell."""
    label = lab.view.labels()[1]
    assert lab.view.filter.label(label[:-2]).labels() == [label]
    assert lab.view.filter.label(f"*_{label[-6:]}").labels() == [label]
    assert len(lab.view.filter.label("20*")) == 7


def test_runs_are_filtered_by_time(lab: SimpleNamespace) -> None:
    """Runs before and after a moment are those that started so; the moment itself counts as after."""
    middle = lab.view[3].timestamp
    assert len(lab.view.filter.after(middle)) == 4
    assert len(lab.view.filter.before(middle)) == 3
    today = datetime.now()
    assert (
        len(lab.view.filter.after(today - timedelta(days=1)).filter.before(today.date() + timedelta(days=1)))
        == 7
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (datetime(2026, 11, 22, 10, 15), datetime(2026, 11, 22, 10, 15)),
        (date(2026, 11, 22), datetime(2026, 11, 22)),
        (202611, datetime(2026, 11, 1)),
        (2026, datetime(2026, 1, 1)),
        ("20261122", datetime(2026, 11, 22)),
        ("2026-11", datetime(2026, 11, 1)),
        ("2026-11-22 10:15", datetime(2026, 11, 22, 10, 15)),
        (20261122101530, datetime(2026, 11, 22, 10, 15, 30)),
        ("2026-11-22T10:15Z", datetime(2026, 11, 22, 10, 15, tzinfo=UTC)),
    ],
)
def test_a_moment_is_told_in_many_ways(given: Any, expected: datetime) -> None:
    """Datetimes, dates, ISO texts and digits tell a moment, in local time unless they name a zone."""
    assert to_moment(given) == expected.astimezone()


@pytest.mark.parametrize("given", [20261, 202613, "yesterday", True, None, 2026.5, "", 0])
def test_what_is_no_moment_is_refused(lab: SimpleNamespace, given: Any) -> None:
    """Anything else is refused, with examples of what would do."""
    with pytest.raises(InputError, match="is no moment"):
        lab.view.filter.after(given)


@pytest.mark.parametrize(
    ("eq", "expected"),
    [
        ({"x": 2}, 1),
        ({"x": 2.0}, 1),
        ({"x": np.float64(2)}, 1),
        ({"x": True}, 0),
        ({"x": "2"}, 0),
        ({"x": float("nan")}, 0),
        ({"x": 10**30}, 0),
        ({"x": 2, "tags": ["a"]}, 1),
        ({"tags": ["a"]}, 4),
        ({"tags[0]": "a"}, 4),
        ({"tags": ("a",)}, 4),
        ({"tags[3]": "a"}, 0),
        ({"model.sigma": 0.25}, 1),
        ({"model.n": 9}, 1),
        ({"model.n": None}, 0),
        ({"mode": "SLOW"}, 1),
        ({"series": [1, 2]}, 1),
        ({"series": np.array([1.0, 2.0])}, 1),
        ({"series[1]": 2}, 1),
        ({"series.degree": 2}, 1),
        ({"series.series.seed": 7}, 1),
        ({"series.series.seed": 8}, 0),
        ({"größe": 2.0}, 1),
        ({"missing": 1}, 0),
        ({"x.missing": 1}, 0),
    ],
    ids=str,
)
def test_runs_are_filtered_by_their_inputs(lab: SimpleNamespace, eq: dict[str, Any], expected: int) -> None:
    """Inputs and their parts are found by path, through dataclasses and tasks; numbers are equal by value."""
    found = lab.view.filter.params(eq=eq)
    assert len(found) == expected
    assert len(found.labels()) == expected


def test_runs_are_filtered_by_inputs_that_are_objects(lab: SimpleNamespace) -> None:
    """A dataclass, an enum or a task is looked for as it was given."""
    tasks, params = lab.tasks, lab.view.filter.params
    assert params(eq={"model": tasks.Model(0.25)})[0].task == lab.deep
    assert len(params(eq={"mode": tasks.Mode.SLOW})) == 1
    assert len(params(eq={"series": lab.flat})) == 1
    assert len(params(eq={"series": tasks.Load(seed=7)})) == 1


@pytest.mark.parametrize("path", ["", "a..b", "a[x]", "a[-1]"])
def test_a_path_that_names_no_place_is_refused(lab: SimpleNamespace, path: str) -> None:
    """A malformed path is refused at once, with the form of a good one."""
    with pytest.raises(InputError, match="names no place in the parameters"):
        lab.view.filter.params(eq={path: 1})


def test_any_function_filters(lab: SimpleNamespace) -> None:
    """A function of a record filters, is called only when records are asked for, and chains with others."""
    calls = []

    def is_large(record: Any) -> bool:
        calls.append(record.label)
        return record.get_param("x", 0) > 1

    view = lab.view.filter(is_large).filter.task("Square").filter(lambda record: record.status == "finished")
    assert calls == []
    assert [record.get_param("x") for record in view] == [3.0, 2.0]
    assert len(calls) == 4
    assert view.labels()[1] == view[1].label == view.earliest.label
    assert len(view) == len(view.dframe()) == 2


def test_an_error_in_a_function_names_the_record(lab: SimpleNamespace) -> None:
    """When a function of the user fails, the error is passed on with the label of the record."""
    with pytest.raises(TypeError) as caught:
        len(lab.view.filter(lambda record: record.get_param("x") > 1))
    assert lab.view[0].label in caught.value.__notes__[0]
    with pytest.raises(InputError, match="cannot be filtered by 'x > 1'"):
        lab.view.filter("x > 1")


def test_filters_narrow_a_slice_and_nothing_else(lab: SimpleNamespace) -> None:
    """A filter after a slice looks at the records of the slice only."""
    assert len(lab.view[:2].filter.task("Square")) == 0
    assert len(lab.view[3:5].filter.task("Square")) == 2
    oldest = lab.view[::-1][:2].filter.task("Square")
    assert [record.get_param("x") for record in oldest] == [1.0, 2.0]


def test_an_unknown_filter_is_refused_with_a_suggestion(lab: SimpleNamespace) -> None:
    """A misspelt filter is an attribute error that names the nearest one and all others."""
    with pytest.raises(FilterError, match=r"There is no filter 'taks'") as caught:
        lab.view.filter.taks("Square")
    assert "did you mean 'task'" in str(caught.value)
    assert "after, before, label" in str(caught.value)
    assert not hasattr(lab.view.filter, "nothing_like_it")
