from __future__ import annotations

import copy
import pickle
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from smttask import RSView
from smttask.errors import InputError, UnknownParameterWarning, UnknownTaskWarning
from smttask.testing import scratch_project
from smttask.view.paths import ParameterPath


def test_the_paths_of_inputs_are_attributes_and_texts(lab: SimpleNamespace) -> None:
    """A path leads through dataclasses and tasks, and serves wherever a dotted path does."""
    params = lab.view.params
    assert params.model.sigma == "model.sigma"
    assert list(params) == [
        *("degree", "größe", "mode", "model", "model.n", "model.sigma"),
        *("series", "series.degree", "series.seed", "series.series", "series.series.seed", "tags", "x"),
    ]
    assert len(lab.view.filter.params(eq={params.model.sigma: 4}, ge={params.größe: 2})) == 1
    assert list(lab.view.dframe(parameters=[params.x])["x"].dropna()) == [-1.0, 3.0, 2.0, 1.0]
    assert lab.view[0].get_param(params.model.n) == 9
    assert set(lab.view.splitby(params.model.n)) == {None, 3, 9}
    assert type(copy.copy(params.x)) is type(pickle.loads(pickle.dumps(params.x))) is str


def test_paths_are_those_of_the_records_of_the_view(lab: SimpleNamespace) -> None:
    """A narrower view has fewer inputs; one of no records has none."""
    assert repr(lab.view.filter.task("Square").params) == "<inputs: tags, x>"
    assert repr(lab.view.filter.task("Nothing").params) == "<no inputs>"
    assert dir(lab.view.filter.task("Square").params) == ["tags", "x"]
    assert not hasattr(lab.view.params, "sgima")


def test_a_path_in_brackets_is_looked_up(lab: SimpleNamespace) -> None:
    """Positions and names that are no attributes are given as text; a wrong one names the nearest."""
    params = lab.view.params
    assert params["tags[0]"] == "tags[0]"
    assert params["model"].sigma == "model.sigma"
    assert isinstance(params["model.sigma"], ParameterPath)
    assert "model.sigma" in params
    assert "nothing" not in params
    with pytest.raises(InputError, match="No record of the view has an input 'sigma'") as caught:
        params["sigma"]
    assert "did you mean 'model.sigma'" in str(caught.value)


def test_inputs_named_like_methods_of_text_are_inputs(tmp_path: Path) -> None:
    """An input may be called `split` or `count`: its path is a text all the same."""
    source = (
        "from smttask import RecordedTask\n\n"
        "@RecordedTask\ndef F(split: dict[str, int]) -> int:\n    return split['count']\n"
    )
    with scratch_project(tmp_path / "p", {"odd.py": source}) as scratch:
        scratch.load("odd").F({"split": 1, "count": 2}).run()
        view = RSView()
        path = view.params.split.count
        assert len(view.filter.params(eq={path: 2, view.params.split.split: 1})) == 1
        assert list(view.dframe(parameters=[view.params.split.split])["split.split"]) == [1]
        assert (view.latest.params.split["count"], view.latest.get_param(path)) == (2, 2)


def test_the_inputs_of_a_record_are_attributes(lab: SimpleNamespace) -> None:
    """`record.params` has the inputs by name, and dataclasses and tasks as mappings of theirs."""
    params = lab.view.filter.task(lab.deep)[0].params
    assert (params.model.sigma, params["model.n"], params.series.degree) == (0.25, 3, 2)
    assert params.mode is lab.tasks.Mode.FAST
    assert dict(params.model) == {"sigma": 0.25, "n": 3}
    assert list(params) == ["series", "model", "mode", "größe"]
    assert repr(params.model) == "sigma: 0.25\nn: 3"
    assert params.get("nothing") is None
    with pytest.raises(KeyError, match="did you mean 'größe'"):
        params["grösse"]
    with pytest.raises(AttributeError):
        _ = params.nothing


@pytest.fixture
def told() -> Iterator[list[str]]:
    """The texts of the warnings of unknown inputs."""
    texts: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield texts
        assert [str(each.message).splitlines()[0] for each in caught] == texts
        assert {each.category for each in caught} <= {UnknownParameterWarning}
        assert {each.filename for each in caught} <= {__file__}


@pytest.mark.parametrize(
    "look",
    [
        len,
        list,
        repr,
        lambda view: view.labels(),
        lambda view: view.dframe(),
        lambda view: view.add_tag("nice"),
    ],
)
def test_a_misspelt_input_is_told_when_nothing_is_found(
    lab: SimpleNamespace, told: list[str], look: Any
) -> None:
    """A filter by an input that no record has finds nothing, and warns, once, with the nearest name."""
    view = lab.view.filter.task("Analyze").filter.params(gt={"model.sgima": 0})
    look(view)
    look(view)
    told.append("No record of the view has an input 'model.sgima'.")


def test_a_missing_value_is_no_misspelt_input(lab: SimpleNamespace, told: list[str]) -> None:
    """Where a record has the input nothing is said, whether its value is found or not."""
    assert len(lab.view.filter.params(eq={"x": 77})) == 0
    assert len(lab.view.filter.params(eq={"model.sigma": 0.25})) == 1
    assert len(lab.view.filter.task("Nothing").filter.params(eq={"nothing": 1})) == 0
    assert list(lab.view.dframe(parameters=["x"]).columns)[-1] == "x"


def test_a_misspelt_input_is_told_by_tables_and_groups(lab: SimpleNamespace, told: list[str]) -> None:
    """A column, or a group, of nothing but missing values is explained."""
    assert lab.view.dframe(parameters=["model.sgima", "x"])["model.sgima"].isna().all()
    assert list(lab.view.splitby("tasks")) == [None]
    told += [f"No record of the view has an input {name!r}." for name in ("model.sgima", "tasks")]


def test_a_misspelt_task_is_told(lab: SimpleNamespace) -> None:
    """A filter by a task of nearly this name says which there are; one that has not run is silent."""
    with pytest.warns(UnknownTaskWarning, match="did you mean 'Analyze'") as caught:
        assert len(lab.view.filter.task("labtasks.Analyse").filter.tags("finished")) == 0
    assert "tasks: Analyze, Detrend, Square" in str(caught[0].message)
    assert len(lab.view.filter.task("Draw")) == 0
    assert len(lab.view.filter.task("Square").filter.reason("nothing")) == 0
