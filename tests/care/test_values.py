"""Kept values that nothing names any more are found, and none that somebody needs."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from smttask.care.clean import find_rubbish, remove_rubbish
from smttask.care.delete import delete, plan_deletion
from smttask.care.values import remove_value, unused_values
from smttask.care.verify import verify
from smttask.errors import RecordStoreError, StorageError
from smttask.testing import scratch_project

TASKS = """
from smttask import RecordedTask
from smttask.typing import Array

@RecordedTask
def Total(values: Array) -> float:
    if values[0] < 0:
        raise ValueError("negative")
    return float(values.sum())
"""


class Lab:
    """A project with two runs, one of them failed, of large inputs that were kept a day ago."""

    def __init__(self, scratch):
        self.root, self.project, self.tasks = scratch.root, scratch.project, scratch.load("tasks")
        self.good = self.tasks.Total(np.arange(20_000.0))
        self.good.run()
        self.bad = self.tasks.Total(np.full(20_000, -1.0))
        with pytest.raises(ValueError, match="negative"):
            self.bad.run()
        self.age()

    @property
    def values(self) -> list[Path]:
        return sorted((self.root / "data" / "run_dump" / ".values").glob("*.npy"))

    def age(self) -> None:
        for path in self.values:
            os.utime(path, (time.time() - 90_000,) * 2)

    def delete(self, *labels: str) -> None:
        delete(self.project, plan_deletion(self.project, labels))

    @property
    def labels(self) -> list[str]:
        return self.project.records.labels()


@pytest.fixture
def lab(tmp_path):
    with scratch_project(tmp_path / "lab", {"tasks.py": TASKS}) as scratch:
        yield Lab(scratch)


def test_values_stay_while_a_result_or_a_record_names_them(lab):
    """A failed run has but its record, a result may have lost its record, or be damaged."""
    assert len(lab.values) == 2
    assert unused_values(lab.project) == []
    lab.delete(lab.labels[0])
    assert len(unused_values(lab.project)) == 1
    lab.project.records.close()
    for path in (lab.root / ".smt").glob("records*"):
        path.unlink()
    assert len(unused_values(lab.project)) == 1
    lab.project.data.set_aside(lab.good.resultpaths[0])
    assert len(unused_values(lab.project)) == 1


def test_values_of_deleted_runs_are_removed_when_that_is_asked_for(lab):
    """The other kinds of rubbish are none of them; what is left is whole."""
    lab.delete(lab.labels[0])
    assert find_rubbish(lab.project) == []
    [found] = find_rubbish(lab.project, kinds=["value"])
    assert (found.kind, found.size > 160_000, found.age_s > 80_000) == ("value", True, True)
    assert remove_rubbish([found]) == found.size
    assert len(lab.values) == 1
    assert verify(lab.project).problems == []
    assert lab.good.record.get_param("values")[-1] == 19_999.0


def test_a_value_that_a_run_asks_for_again_stays(lab):
    """Between a look at the values and their removal, a run may need one that is there already."""
    lab.delete(*lab.labels)
    found = find_rubbish(lab.project, kinds=["value"])
    assert len(found) == 2
    lab.good.run()
    assert remove_rubbish(found) == next(item.size for item in found)
    assert lab.good.record.get_param("values")[-1] == 19_999.0
    assert find_rubbish(lab.project, kinds=["value"], older_than_s=0) == []


def test_a_value_that_was_put_aside_is_written_anew(lab):
    """A run that meets a removal half done has its value all the same; what is left is temporary rubbish."""
    lab.delete(*lab.labels)
    for path in lab.values:
        path.rename(path.with_name(f".{path.name}.part"))
    lab.good.run()
    assert len(lab.values) == 1
    assert not remove_value(str(lab.values[0].with_name("0" * 64 + ".npy")))
    kinds = [item.kind for item in find_rubbish(lab.project, older_than_s=0)]
    assert kinds == ["temporary", "temporary"]


def test_runs_that_stand_in_journals_need_their_values(lab):
    """What another host wrote is in no record store until it is taken in."""
    lab.delete(*lab.labels)
    names = [path.stem for path in lab.values]
    folder = lab.root / ".smt" / "journal"
    folder.mkdir()
    (folder / "node1-1-1.jsonl").write_text(f'{{"parameters": "{{\\"stored\\": \\"{names[0]}\\"}}"}}\n')
    assert [Path(path).stem for path in unused_values(lab.project)] == names[1:]


def test_nothing_is_found_where_not_all_can_be_read(lab):
    """What cannot be looked into may name any value."""
    lab.delete(lab.labels[0])
    manifest = lab.good.resultpaths[0]
    content = manifest.read_bytes()
    manifest.unlink()
    manifest.symlink_to(manifest.name)
    with pytest.raises(StorageError, match="Cannot see which values are in use"):
        unused_values(lab.project)
    manifest.unlink()
    manifest.write_bytes(content)
    lab.project.records.close()
    (lab.root / ".smt" / "records").write_bytes(b"no database, but text" * 1000)
    with pytest.raises(RecordStoreError, match="is damaged"):
        unused_values(lab.project)
