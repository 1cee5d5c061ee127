"""`delete` takes out runs whole, and never what a result that stays was computed from."""

import os
import random
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from datetime import timedelta

import pytest

from smttask.care.clean import KINDS, find_rubbish
from smttask.care.delete import _remove_files, delete, plan_deletion
from smttask.care.verify import verify
from smttask.errors import OutputError, RecordStoreError, StorageError
from smttask.records.query import Selection

UNFIT = """
from smttask import RecordedTask

@RecordedTask
def Wrong(x: int) -> int:
    return "text"
"""

MANY = """
import numpy as np
from smttask import RecordedTask
from smttask.typing import Array

@RecordedTask
def Many(x: int) -> Array[float, 1]:
    return np.zeros(100)
"""


def label_of(task):
    return task.record.label


def test_a_run_is_deleted_with_its_record_result_and_link(lab):
    """Nothing is left of it, and the rest is whole."""
    three = lab.tasks.Square(3.0)
    label = label_of(three)
    plan = plan_deletion(lab.project, [label])
    assert (plan.labels, [*plan.sizes], plan.kept) == ([label], [label], {})
    assert plan.size == three.resultpaths[0].stat().st_size
    assert delete(lab.project, plan).labels == [label]
    assert not lab.project.records.has(label)
    assert not three.has_run
    assert find_rubbish(lab.project, kinds=KINDS, older_than_s=0) == []
    assert verify(lab.project).problems == []
    assert verify(lab.project).n_results == 2


def test_a_record_store_that_cannot_be_written_keeps_the_results(lab):
    """Nothing is deleted, rather than results whose records stay."""
    three = lab.tasks.Square(3.0)
    plan = plan_deletion(lab.project, [label_of(three)])
    records = lab.project.records
    records.close()
    records._database._timeout_s = 0.1
    other = sqlite3.connect(records.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(RecordStoreError, match="is locked"):
        delete(lab.project, plan)
    other.execute("ROLLBACK")
    assert three.has_run
    assert delete(lab.project, plan).labels == plan.labels


def test_a_file_that_cannot_be_deleted_is_told_and_its_record_stays(lab):
    """It is deleted with all that is left by the same call, when that is mended."""
    label = label_of(lab.ramp)
    plan = plan_deletion(lab.project, [label])
    path = lab.ramp.outputpaths[""]
    path.unlink()
    path.mkdir()
    with pytest.raises(StorageError, match=f"Cannot delete the result {label}"):
        delete(lab.project, plan)
    assert lab.project.records.has(label)
    path.rmdir()
    assert delete(lab.project, plan).labels == plan.labels


def test_what_another_result_needs_is_kept(lab):
    """Unless that result goes too."""
    four, ramp = label_of(lab.four), label_of(lab.ramp)
    plan = plan_deletion(lab.project, [four])
    assert (plan.labels, plan.kept) == ([], {four: f"result {ramp} was computed from it"})
    assert plan_deletion(lab.project, [four, ramp]).kept == {}


def test_what_a_kept_result_needs_is_kept_too(lab):
    """Through any number of results in between."""
    last = lab.tasks.Square(lab.tasks.Square(lab.tasks.Square(5.0)))
    last.run()
    middle, first = last.x, last.x.x
    plan = plan_deletion(lab.project, [label_of(first), label_of(middle)])
    assert plan.labels == []
    assert list(plan.kept) == [label_of(first), label_of(middle)]


def test_iterations_that_a_result_was_continued_from_are_kept(lab):
    """The longer run was computed from the shorter."""
    lab.tasks.Grow(3).run()
    lab.tasks.Grow(5).run()
    plan = plan_deletion(lab.project, [label_of(lab.tasks.Grow(3))])
    assert plan.labels == []


def test_the_link_leads_to_the_latest_result_that_is_left(lab):
    """Deleting the newer of two runs brings back the older one."""
    three = lab.tasks.Square(3.0)
    older = label_of(three)
    three.run(recompute=True)
    newer = label_of(three)
    assert older != newer
    delete(lab.project, plan_deletion(lab.project, [newer]))
    assert label_of(three) == older
    assert verify(lab.project).problems == []


def test_deletion_that_was_cut_short_is_completed_by_the_same_call(lab):
    """The record goes last, so what it names is found again, files of outputs too."""
    label = label_of(lab.ramp)
    manifest, output = lab.ramp.resultpaths
    manifest.unlink()
    delete(lab.project, plan_deletion(lab.project, [label]))
    assert not lab.project.records.has(label)
    assert not output.exists()
    assert verify(lab.project).problems == []


def test_what_a_crashed_run_left_goes_with_it(lab):
    """A returned value that did not fit was kept for its user, who deletes the run."""
    lab.scratch.write({"unfit.py": UNFIT})
    with pytest.raises(OutputError) as caught:
        lab.scratch.load("unfit").Wrong(1).run()
    assert os.path.exists(caught.value.saved)
    (label,) = lab.project.records.labels(Selection().with_tags("_crashed_"))
    delete(lab.project, plan_deletion(lab.project, [label]))
    assert not os.path.exists(caught.value.saved)


def test_files_of_others_stay(lab):
    """A record names its manifest; what that name cannot be is nobody's to delete."""
    mine = lab.root / "data" / "run_dump" / "Square" / "notes.json"
    mine.write_text("{}")
    record = replace(lab.project.records.get(label_of(lab.ramp)), output_data=())
    for label, manifest in (("notes", "Square/notes.json"), ("20", "/etc/passwd"), ("up", "../../tasks.py")):
        lab.project.records.open_record(replace(record, label=label, manifest=manifest))
    assert delete(lab.project, plan_deletion(lab.project, ["notes", "20", "up"])).labels
    assert mine.exists()
    assert (lab.root / "tasks.py").exists()


def test_a_running_record_is_kept_with_what_it_was_given(lab):
    """As long as its process may live."""
    record = lab.project.records.get(label_of(lab.ramp))
    running = replace(record, label="running", status="running", output_data=())
    lab.project.records.open_record(running)
    first, ramp = label_of(lab.four), label_of(lab.ramp)
    plan = plan_deletion(lab.project, ["running", first, ramp])
    assert (plan.labels, plan.running) == ([ramp], ["running"])
    assert plan.kept == {
        "running": "it is running",
        first: "run running, which may be going on, was given it",
    }


def test_a_result_whose_task_is_being_computed_is_kept(lab):
    """The lock of the task tells; the others are deleted."""
    three = lab.tasks.Square(3.0)
    labels = [label_of(three), label_of(lab.ramp)]
    plan = plan_deletion(lab.project, labels)
    lock = lab.root / ".smt" / "locks" / f"Square-{three.digest}.lock"
    code = (
        "from smttask.storage.locks import computing\n"
        f"with computing({str(lock)!r}):\n print('held', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        done = delete(lab.project, plan)
        holder.communicate("\n")
    assert done.labels == [labels[1]]
    assert done.kept[labels[0]].startswith(f"its task is being computed: held by process {holder.pid} on")
    assert three.has_run
    assert lab.project.records.has(labels[0])


@pytest.mark.slow
def test_deletion_of_thousands_that_is_killed_is_completed(lab):
    """At any instant: what is left is whole, and the same command deletes the rest."""
    lab.scratch.write({"many.py": MANY})
    lab.scratch.load("many")
    n = 2_000
    lab.scratch.run(f"import many\nfor x in range({n}): many.Many(x).run()", SMTTASK_ON_CODE_CHANGE="ignore")
    command = [sys.executable, "-m", "smttask", "store", "delete", "since", "2000", "--task", "Many", "--yes"]
    wait = random.Random(4)
    for _ in range(5):
        with subprocess.Popen(command, cwd=lab.root, stdout=subprocess.DEVNULL) as child:
            time.sleep(wait.uniform(0.8, 2.5))
            child.kill()
        assert_nothing_leads_to_half_a_result(lab)
    subprocess.run(command, cwd=lab.root, check=True, capture_output=True)
    assert len(lab.project.records.labels(Selection().with_task("Many"))) == 0
    assert list((lab.root / "data" / "run_dump" / "Many").iterdir()) == []
    assert find_rubbish(lab.project, kinds=("temporary", "orphan", "link"), older_than_s=0) == []
    assert verify(lab.project).problems == []


def assert_nothing_leads_to_half_a_result(lab):
    """Each manifest that is left has all its outputs."""
    folder = lab.root / "data" / "run_dump" / "Many"
    names = {path.name for path in folder.iterdir()}
    for name in names:
        if name.endswith(".json"):
            assert f"{name.removesuffix('.json')}_result.npy" in names


@pytest.mark.slow
def test_ten_thousand_runs_are_planned_and_deleted_in_seconds(lab):
    """Each manifest is read once, whatever depends on what."""
    record = lab.project.records.get(label_of(lab.ramp))
    labels = [f"bulk-{n}" for n in range(10_000)]
    for n, label in enumerate(labels):
        lab.project.records.open_record(
            replace(record, label=label, timestamp=record.timestamp + timedelta(seconds=n), output_data=())
        )
    begun = time.monotonic()
    plan = plan_deletion(lab.project, labels)
    assert len(delete(lab.project, plan).labels) == 10_000
    assert time.monotonic() - begun < 60
    assert verify(lab.project).n_records == 3


def test_a_record_that_names_files_elsewhere_deletes_none_of_them(lab, tmp_path):
    """Records may come from the stores of others, where anything may be written."""
    label = label_of(lab.four)
    others = tmp_path / "others"
    others.mkdir()
    kept = others / f"{label}.json"
    kept.write_text("a result of another project")
    path = os.path.relpath(kept, lab.project.data.output_dir)
    assert path.startswith("..")
    lab.project.records.close()
    for manifest, digest in ((path, lab.four.digest), (str(kept), ""), (f"Square/{label}.json", "../../x")):
        with sqlite3.connect(lab.project.records.path) as connection:
            connection.execute(
                "UPDATE smttask_run SET manifest = ?, digest = ? WHERE task = 'Square'", (manifest, digest)
            )
        connection.close()
        _remove_files(lab.project, [label])
        assert kept.exists()
        assert lab.four.has_run
