from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from smttask import RSView
from smttask.errors import InputError
from smttask.testing import scratch_project
from smttask.view import ParameterComparison, compare_tasks, dfdiff, fold_task_inputs, get_task_param


def test_two_runs_are_compared_by_their_inputs(lab: SimpleNamespace) -> None:
    """Runs are told by record, label or task; equal code and packages are not mentioned."""
    two, three = (lab.view.filter.params(eq={"x": x})[0] for x in (2, 3))
    shown = lab.view.compare(two, three.label)
    assert str(shown) == f"{two.label} -> {three.label}\n  x: 2.0 -> 3.0"
    assert lab.view.compare(lab.tasks.Square(x=2), three).differences == shown.differences
    assert shown.dframe().to_dict("records") == [
        {"kind": "input", "name": "x", two.label: "2.0", three.label: "3.0"}
    ]
    assert "inputs, code and packages are equal" in str(lab.view.compare(two, two))
    assert "-&gt;" in shown._repr_html_()
    with pytest.raises(InputError, match="3 is no record"):
        lab.view.compare(3, two)


def test_inputs_are_compared_through_dataclasses_and_tasks(lab: SimpleNamespace) -> None:
    """What differs inside a dataclass is told by its dotted path."""
    old, new = reversed(list(lab.view.filter.task("Analyze")))
    names = {difference.name for difference in lab.view.compare(old, new).differences}
    assert names >= {"model.sigma", "model.n", "mode", "größe"}


def test_changed_code_and_packages_are_told(tmp_path: Path) -> None:
    """Between two runs of one task, the function that changed is named, also when the result was deleted."""
    source = (
        "from smttask import RecordedTask\n\ndef scale(x: int) -> int:\n    return x * {}\n\n"
        "@RecordedTask\ndef Scale(x: int) -> int:\n    return scale(x)\n"
    )
    with scratch_project(tmp_path / "project", {"scaling.py": source.format(2)}) as scratch:
        scratch.run("from scaling import Scale; Scale(x=1).run()")
        (scratch.root / "scaling.py").write_text(source.format(3))
        scratch.commit("Scale by three")
        scratch.run("import docutils; from scaling import Scale; Scale(x=1).run(recompute=True)")
        view = RSView()
        new, old = view
        found = view.compare(old, new).differences
        assert [difference.name for difference in found if difference.kind == "code"] == ["scaling:scale"]
        packages = {(each.name, each.old) for each in found if each.kind == "package"}
        assert packages == {("docutils", "not imported")}
        old.outputpath.unlink()
        kinds = {(each.kind, each.name) for each in view.compare(old, new).differences}
        assert ("code", "commit") in kinds


def test_changed_code_of_upstream_tasks_is_told_by_function(tmp_path: Path) -> None:
    """The function is named once, for many upstream runs and for those with other inputs too."""
    source = (
        "from smttask import RecordedTask\n\ndef step(x: int) -> int:\n    return x + {}\n\n"
        "@RecordedTask\ndef Simulate(x: int) -> int:\n    return step(x)\n\n"
        "@RecordedTask\ndef Total(values: list[int]) -> int:\n    return sum(values)\n"
    )
    run = "from chain import Simulate, Total; Total([Simulate({}), Simulate({})]).run()"
    with scratch_project(tmp_path / "project", {"chain.py": source.format(1)}) as scratch:
        scratch.run(run.format(1, 2))
        (scratch.root / "chain.py").write_text(source.format(2))
        scratch.commit("Two steps")
        for numbers in ((1, 2), (3, 4)):
            scratch.run(run.format(*numbers), SMTTASK_ON_CODE_CHANGE="recompute")
        other, again, first = RSView().filter.task("Total")
        for new in (again, other):
            names = [
                each.name for each in RSView().compare(first, new).differences if each.kind == "upstream"
            ]
            assert names == ["chain:step"]
        for path in (first.outputpath.parent.parent / "Simulate").glob("*.json"):
            path.unlink()
        assert "upstream task Simulate" in str(RSView().compare(first, again))


def test_inputs_of_many_runs_stand_side_by_side(lab: SimpleNamespace) -> None:
    """Only the inputs that are not the same in all runs have a row; a column is a run."""
    runs = lab.view.filter.task("Square")
    comparison = ParameterComparison(runs)
    assert comparison.dframe().loc["x"].tolist() == [-1.0, 3.0, 2.0, 1.0]
    assert list(comparison.dframe().index) == ["x"]
    assert list(comparison.dframe().columns) == runs.labels()
    assert str(ParameterComparison(runs, ["a", "b", "c", "d"])) == "x: a -1.0, b 3.0, c 2.0, d 1.0"
    assert str(ParameterComparison(runs[:1])) == "all inputs are equal"
    with pytest.raises(InputError, match="a label for each"):
        ParameterComparison(runs, ["a"])
    with pytest.raises(InputError, match="3 has no inputs to compare"):
        ParameterComparison([3])  # type: ignore[list-item]


def test_tasks_descriptions_and_mappings_are_compared_alike(lab: SimpleNamespace) -> None:
    """Tasks that were never run, their descriptions and plain mappings are compared through tasks too."""
    other = lab.tasks.Analyze(
        series=lab.tasks.Detrend(series=lab.tasks.Load(seed=8), degree=2), model=lab.tasks.Model(0.25)
    )
    table = compare_tasks(lab.deep, other.desc, lab.deep, labels=["a", "b", "c"])
    assert table.to_dict("index") == {"series.series.seed": {"a": 7, "b": 8, "c": 7}}
    record = lab.view.filter.task(lab.deep)[0]
    assert list(dfdiff(record, other).index) == ["series.series.seed"]
    frame = dfdiff({"a": {"b": 1, "t": 0}, "c": [1]}, {"a": {"b": 2, "t": 5}}, "old", "new", ignore=["t"])
    assert frame["old"].tolist() == [1, "[1]"]
    assert frame.loc["c", "new"] is pd.NA


def test_different_tasks_are_told_whole(lab: SimpleNamespace) -> None:
    """Where one task stands in the place of another, no input by input comparison is made up."""
    one = lab.tasks.Detrend(series=lab.tasks.Load(seed=1))
    two = lab.tasks.Detrend(series=lab.tasks.Detrend(series=[1.0]))
    assert list(compare_tasks(one, two).index) == ["series"]


def test_an_input_is_read_from_records_tasks_and_mappings(lab: SimpleNamespace) -> None:
    """One dotted path reads a record, a task, its description or a mapping; else the default."""
    record = lab.view.filter.task(lab.deep)[0]
    for source in (record, lab.deep, lab.deep.desc):
        assert get_task_param(source, "series.series.seed") == 7
        assert get_task_param(source, "model.sigma") == 0.25
        assert get_task_param(source, "model.missing", "no") == "no"
    assert get_task_param({"x": [1, 2]}, "x[1]") == 2
    assert get_task_param({"x": [1, 2]}, "x[5]", 0) == 0


def test_inputs_of_tasks_are_folded_into_one_mapping(lab: SimpleNamespace) -> None:
    """The inputs of upstream tasks stand in their places, for a record as for a task."""
    folded = fold_task_inputs(lab.deep)
    assert folded["series"]["series"] == {"seed": 7}
    record = lab.view.filter.task(lab.deep)[0]
    assert fold_task_inputs(record)["series"]["degree"] == 2
