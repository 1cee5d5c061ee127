from __future__ import annotations

import csv
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from smttask.errors import InputError, StorageError


def test_records_are_exported_whole_as_json(lab: SimpleNamespace, tmp_path: Path) -> None:
    """A JSON file has every record of the view with all its fields, parameters parsed."""
    path = lab.view.filter.task("Square").export(tmp_path / "runs.json")
    exported = json.loads(path.read_text())
    assert [entry["label"] for entry in exported] == lab.view.filter.task("Square").labels()
    crashed = exported[0]
    assert (crashed["status"], crashed["outcome"]) == ("crashed", "ValueError: negative <x>")
    assert crashed["parameters"]["tasks"][crashed["digest"]]["inputs"]["x"] == -1.0
    assert {item["name"] for item in crashed["dependencies"]} >= {"numpy", "blake3"}
    assert exported[1]["output_data"][0]["path"].startswith("Square/")
    assert exported[0]["timestamp"].endswith("+00:00")


def test_records_are_exported_as_a_table(lab: SimpleNamespace, tmp_path: Path) -> None:
    """A CSV file has a row for each record, with its inputs."""
    view = lab.view.filter(lambda record: record.get_param("x", 0) > 1)
    with open(view.export(str(tmp_path / "runs.CSV")), newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["label"], row["x"]) for row in rows] == [
        (record.label, str(record.get_param("x"))) for record in view
    ]


def test_a_table_of_chosen_inputs_leads_through_tasks(lab: SimpleNamespace, tmp_path: Path) -> None:
    """Inputs of upstream tasks are columns where they are asked for; JSON has all there is."""
    view = lab.view.filter.task("Analyze")
    with open(view.export(tmp_path / "runs.csv", parameters=["series.degree"]), newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["series.degree"] for row in rows] == ["", "2.0"]
    assert "model" not in rows[0]
    with pytest.raises(InputError, match="cannot be chosen for JSON"):
        view.export(tmp_path / "runs.json", parameters=["model"])


def test_nothing_is_exported_as_an_empty_list(lab: SimpleNamespace, tmp_path: Path) -> None:
    """A view without records makes a file that can be read all the same."""
    nothing = lab.view.filter.task("Nothing")
    assert json.loads(nothing.export(tmp_path / "none.json").read_text()) == []
    assert nothing.export(tmp_path / "none.csv").read_text().startswith("label,task")


def test_what_cannot_be_exported_is_refused(lab: SimpleNamespace, tmp_path: Path) -> None:
    """An unknown ending is refused, and a folder that is missing is named; no half of a file stays."""
    with pytest.raises(InputError, match=r"cannot be exported to 'runs.xls'"):
        lab.view.export("runs.xls")
    with pytest.raises(StorageError, match="Cannot export records"):
        lab.view.export(tmp_path / "missing" / "runs.json")
    assert list(tmp_path.iterdir()) == []
