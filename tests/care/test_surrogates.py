"""`create_surrogates` gives results a record that have none."""

import shutil
from dataclasses import replace

import pytest

from smttask import RSView
from smttask.care.surrogates import create_surrogates
from smttask.care.verify import verify
from smttask.errors import DamagedResultError, ResultNotFoundError
from smttask.records.deletion import delete_records
from smttask.records.query import Selection
from smttask.testing import scratch_project


@pytest.fixture
def file(lab, tmp_path):
    """The description of Ramp, whose record and that of the Square behind it are lost."""
    lab.before = {record.label: record for record in lab.project.records.records()}
    delete_records(lab.project.records, lab.project.records.labels(Selection()))
    return lab.ramp.save(tmp_path)


def test_the_record_is_as_it_was_but_for_the_tag(lab, file):
    """All fields come from the manifest; the task that it depends on gets a record too."""
    made = create_surrogates(lab.project, file)
    assert [(item.task, item.digest, item.is_new) for item in made] == [
        ("Square", lab.four.digest, True),
        ("Ramp", lab.ramp.digest, True),
    ]
    for label in (item.label for item in made):
        record, before = lab.project.records.get(label), lab.before[label]
        assert record.tags == {"surrogate"}
        assert replace(record, tags=frozenset(), dependencies=before.dependencies) == before
    assert RSView(lab.project)[made[1].label].task == lab.ramp


def test_a_result_with_a_record_is_left_alone(lab, file):
    """A second call makes nothing, a dry run neither."""
    assert all(item.is_new for item in create_surrogates(lab.project, file, dry_run=True))
    assert len(RSView(lab.project)) == 0
    create_surrogates(lab.project, file)
    assert not any(item.is_new for item in create_surrogates(lab.project, file))
    assert len(RSView(lab.project)) == 2


def test_a_result_that_only_a_link_leads_to_counts(lab, file, tmp_path):
    """A project may have nothing but links into the store of another."""
    text = (lab.root / "tasks.py").read_text()
    (manifest, output), last = lab.ramp.resultpaths, lab.ramp.run()[-1]
    lab.scratch.forget_modules()
    with scratch_project(tmp_path / "other", {"tasks.py": text}) as other:
        folder = other.root / "data" / "Ramp"
        folder.mkdir(parents=True)
        (folder / f"{lab.ramp.digest}.json").symlink_to(manifest)
        (made,) = create_surrogates(other.project, file)
        record = RSView(other.project)[made.label]
        assert record.outputpath == output
        assert record.get_output()[-1] == last
        assert verify(other.project).problems == []


def test_without_a_result_there_is_no_record(lab, file, tmp_path):
    """The message says how to compute it; nothing is run."""
    never = lab.tasks.Square(99.0).save(tmp_path)
    with pytest.raises(ResultNotFoundError, match="No stored result for task 'Square'") as caught:
        create_surrogates(lab.project, never)
    assert f"to compute it: smttask run {never}" in str(caught.value)
    shutil.rmtree(lab.root / "data" / "Ramp")
    with pytest.raises(ResultNotFoundError, match="No stored result for task 'Ramp'"):
        create_surrogates(lab.project, file)


def test_a_damaged_manifest_makes_no_record(lab, file):
    """What it says could be wrong."""
    manifest = lab.ramp.resultpaths[0]
    manifest.write_bytes(manifest.read_bytes()[:-20] + b"x" * 20)
    with pytest.raises((DamagedResultError, ResultNotFoundError)):
        create_surrogates(lab.project, file)
    assert not lab.project.records.has(manifest.stem)
