from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from smttask.errors import FilterError, InputError
from smttask.testing import scratch_project
from smttask.view import RSView, record_filter
from smttask.view.moments import to_moment, to_span


def test_runs_are_filtered_by_task(lab: SimpleNamespace) -> None:
    """A task is told by name, by module and name, by type, or as a task object with these inputs."""
    tasks, task = lab.tasks, lab.view.filter.task
    assert len(task("Square")) == len(task("labtasks.Square")) == len(task(tasks.Square)) == 4
    assert [record.get_param("x") for record in task(tasks.Square(x=2))] == [2.0]
    assert len(task("Squ")) == len(task("other.Square")) == 0
    with pytest.raises(InputError, match="3 is no task"):
        task(3)


def test_runs_of_a_task_whose_code_moved_are_found_by_its_fixed_name(tmp_path: Path) -> None:
    """`name=` is what the task is called, in whatever module its function stood when it ran."""
    source = (
        "from smttask import RecordedTask\n\n"
        "@RecordedTask(name='lab.total')\ndef Total(x: float) -> float:\n    return x\n"
    )
    with scratch_project(tmp_path / "project", {"early.py": source}) as scratch:
        scratch.run("from early import Total; Total(1.0).run()")
        scratch.write({"early.py": "", "late.py": source.replace("def Total", "def Sum")})
        scratch.run("from late import Sum; Sum(2.0).run()")
        view = RSView()
        assert len(view.filter.task("lab.total")) == len(view.filter.task(scratch.load("late").Sum)) == 2
        assert len(view.filter.task("early.Total")) == len(view.filter.task("Sum")) == 1
        assert len(view.filter.task("lab.tota")) == len(view.filter.task("lab")) == 0
        assert len(view.filter.match(view.latest, "x")) == len(view.filter.match(view.earliest, "x")) == 2
        assert len(view.filter.match(view.latest)) == 1


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


@pytest.mark.filterwarnings("ignore::smttask.errors.UnknownParameterWarning")
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


def test_runs_are_filtered_by_any_or_none_of_several_tags(lab: SimpleNamespace) -> None:
    """One of several tags is enough for `tags_or`, and too much for `tags_not`."""
    assert len(lab.view.filter.tags_or("finished", "crashed")) == 7
    assert len(lab.view.filter.tags_or("crashed", "mine")) == 1
    assert len(lab.view.filter.tags_not("crashed", "mine")) == 6
    assert len(lab.view.filter.tags_or()) == 0
    assert len(lab.view.filter.tags_not()) == 7


def test_runs_are_filtered_by_texts(lab: SimpleNamespace) -> None:
    """Reason, outcome, user, output text, script, files and commit are found by a part of them."""
    only = lab.view.filter
    assert [record.get_param("x") for record in only.reason("x is 2", "<b>")] == [2.0]
    assert len(only.outcome("ValueError")) == len(only.outcome("negative <x>")) == 1
    assert len(only.user(lab.view[0].user[:5])) == len(only.script("labtasks.py")) == 7
    assert len(only.script("Square")) == 4
    assert len(only.stdout_stderr("analyzing")) == 2
    assert len(only.output("Analyze/")) == 2
    assert len(only.version(lab.view[0].version[:7])) == 7
    assert len(only.reason("%")) == len(only.version("zz")) == len(only.output("_")) - 6 == 0
    with pytest.raises(InputError, match="cannot be filtered by the text 3"):
        only.reason(3)


def test_runs_are_filtered_by_the_day_they_started(lab: SimpleNamespace) -> None:
    """A day, a month or any other span of time keeps the runs that started in it."""
    started = lab.view[0].timestamp.astimezone()
    for span in (started.date(), f"{started:%Y-%m-%d}", int(f"{started:%Y%m}"), f"{started:%Y}"):
        assert len(lab.view.filter.on(span)) == 7
    assert lab.view[0] in lab.view.filter.on(f"{started:%Y%m%d%H%M%S}")
    assert len(lab.view.filter.on(started.date() - timedelta(days=1))) == 0


@pytest.mark.parametrize(
    ("given", "days"), [(202602, 28), (202612, 31), (2028, 366), ("2026-11-22", 1), (date(2026, 3, 29), 1)]
)
def test_a_span_ends_where_the_next_one_begins(given: Any, days: int) -> None:
    """Spans are calendar years, months and days, also where the clock is changed within."""
    begin, end = (moment.replace(tzinfo=None) for moment in to_span(given))
    assert end - begin == timedelta(days=days)


@pytest.mark.parametrize("given", [datetime(2026, 11, 22), "2026-11-22T10:15Z", "2026-11-22 10:15:30.5"])
def test_what_lasts_for_no_time_is_no_span(lab: SimpleNamespace, given: Any) -> None:
    """A moment is refused where a span is asked for, and the message names the way out."""
    with pytest.raises(InputError, match="is no span of time"):
        lab.view.filter.on(given)


@pytest.mark.filterwarnings("ignore::smttask.errors.UnknownParameterWarning")
@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({"ge": {"x": 2}}, [3.0, 2.0]),
        ({"gt": {"x": 2}}, [3.0]),
        ({"le": {"x": 2.0}}, [-1.0, 2.0, 1.0]),
        ({"lt": {"x": np.int64(2)}}, [-1.0, 1.0]),
        ({"ge": {"x": 1}, "lt": {"x": 3}}, [2.0, 1.0]),
        ({"eq": {"tags": ["a"]}, "gt": {"x": 2}}, [3.0]),
        ({"lt": {"x": float("inf")}}, [-1.0, 3.0, 2.0, 1.0]),
        ({"ge": {"x": float("nan")}}, []),
        ({"ge": {"x": "1"}}, []),
        ({"ge": {"missing": 1}}, []),
        ({"isclose": {"x": 2.00001}}, [2.0]),
        ({"isclose": {"x": 2.1}}, []),
        ({"isclose": {"x": 2.1}, "rtol": 0.1}, [2.0]),
        ({"isclose": {"x": 2.5}, "atol": 0.5}, [3.0, 2.0]),
    ],
    ids=str,
)
def test_runs_are_filtered_by_a_range_of_an_input(
    lab: SimpleNamespace, how: dict[str, Any], expected: list[float]
) -> None:
    """Inputs compare by order or closeness; what has no order with the value is left out."""
    assert [record.get_param("x") for record in lab.view.filter.params(**how)] == expected


def test_ranges_lead_through_dataclasses_and_tasks(lab: SimpleNamespace) -> None:
    """A part of an input, or an input of an upstream task, is compared like any other."""
    params = lab.view.filter.params
    assert len(params(gt={"model.sigma": 0.2})) == 2
    assert len(params(gt={"model.sigma": 0.25})) == 1
    assert len(params(ge={"series.degree": 2}, le={"series.series.seed": 7})) == 1
    assert len(params(lt={"series.degree": 2})) == 0
    assert len(params(gt={"größe": 1.5})) == 1
    assert len(params(ge={"tags[0]": "Z"})) == 4


@pytest.mark.parametrize("value", [True, None, [1], np.arange(2), 1j])
def test_what_has_no_order_is_refused_in_a_range(lab: SimpleNamespace, value: Any) -> None:
    """A range by a bool, a list or an array is refused with what would do."""
    with pytest.raises(InputError, match="Inputs 'x' cannot be ordered by"):
        lab.view.filter.params(ge={"x": value})
    with pytest.raises(InputError, match="Inputs 'x' cannot be ordered by"):
        lab.view.filter.params(isclose={"x": value})


def test_runs_like_another_are_found_but_for_some_inputs(lab: SimpleNamespace) -> None:
    """`match` keeps runs of the same task with the same inputs, but for those that are named."""
    match, record = lab.view.filter.match, lab.view.filter.params(eq={"x": 2})[0]
    assert match(record).labels() == match(record.label).labels() == [record.label]
    assert match(lab.tasks.Square(x=2)).labels() == [record.label]
    assert len(match(record, "x")) == 4
    deep = lab.view.filter.task(lab.deep)[0]
    assert len(match(deep, "model.n")) == len(match(deep, "series.series.seed", "mode")) == 1
    assert len(match(deep, "model", "series", "mode", "größe")) == 2
    with pytest.raises(InputError, match=r"has no input 'y'"):
        match(record, "y")
    with pytest.raises(InputError, match="did you mean 'model.sigma'"):
        match(deep, "model.sigmma")
    with pytest.raises(InputError, match="3 is no record"):
        match(3)


def test_views_are_united(lab: SimpleNamespace) -> None:
    """The union of two views has each record once, newest first, and is narrowed like any view."""
    only = lab.view.filter
    both = only.tags("crashed") | only.params(ge={"x": 2}) | only.params(eq={"x": 2})
    assert [record.get_param("x") for record in both] == [-1.0, 3.0, 2.0]
    assert [record.get_param("x") for record in both.filter.tags("finished")] == [3.0, 2.0]
    assert (lab.view[:2] | lab.view[5:]).labels() == lab.view.labels()[:2] + lab.view.labels()[5:]
    large = only(lambda record: record.get_param("x", 0) > 2)
    assert len(large | only.tags("crashed")) == 2
    assert len(lab.view | only.tags("mine")) == 7
    with pytest.raises(TypeError):
        _ = lab.view | []


def test_a_function_becomes_a_filter_with_a_name(lab: SimpleNamespace) -> None:
    """A decorated function filters every view by its name, takes arguments and shows in completion."""

    @record_filter
    def x_above(record: Any, bound: float = 2) -> bool:
        return bool(record.get_param("x", 0) > bound)

    assert len(lab.view.filter.x_above()) == 1
    assert len(lab.view.filter.task("Square").filter.x_above(bound=1)) == 2
    assert "x_above" in dir(lab.view.filter)
    with pytest.raises(InputError, match="cannot become a filter"):
        record_filter(lambda record: True)


def test_a_filter_of_smttask_keeps_its_name(lab: SimpleNamespace) -> None:
    """A function named like a filter that there is already is refused."""

    def tags(record: Any) -> bool:
        return True

    with pytest.raises(InputError, match="cannot become a filter"):
        record_filter(tags)
