"""`rebuild` brings back links and records from the manifests, and nothing else."""

import json
import os
import random
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from smttask import RSView, config
from smttask.care.rebuild import rebuild
from smttask.care.verify import verify
from smttask.errors import RecordStoreError, RecordStoreWarning
from smttask.storage.atomic import is_unfinished


def records(lab):
    """All records by label; where a distribution was downloaded from stands in no manifest."""
    found = {}
    for record in lab.project.records.records():
        dependencies = tuple(replace(item, source=None) for item in record.dependencies)
        found[record.label] = replace(record, dependencies=dependencies)
    return found


def links(lab):
    """All links by path, and where they lead; not what killed processes had begun, which `clean` removes."""
    found = {}
    for folder, _, names in os.walk(lab.root / "data"):
        for path in (os.path.join(folder, name) for name in names if not is_unfinished(name)):
            if os.path.islink(path):
                found[path] = os.readlink(path)
    return found


def lose(lab, what):
    """Delete the record store, the links, or both."""
    if "records" in what:
        lab.project.records.close()
        for path in (lab.root / ".smt").glob("records*"):
            path.unlink()
    if "links" in what:
        for path in links(lab):
            os.unlink(path)


@pytest.mark.parametrize("what", ["records", "links", "records and links"])
def test_what_was_lost_comes_back_as_it_was(lab, what):
    """Every field of every finished record, and every link, those to older results too."""
    lab.tasks.Grow(3).run()
    lab.tasks.Grow(5).run()
    lab.scratch.write({"tasks.py": (lab.root / "tasks.py").read_text().replace("x**2", "x * x")})
    lab.scratch.reload("tasks").Square(3.0).run(recompute=True)
    before = records(lab), links(lab)
    assert any(".older" in path for path in before[1])
    lose(lab, what)
    rebuild(lab.project)
    assert (records(lab), links(lab)) == before
    assert verify(lab.project).problems == []


def test_tags_comments_and_reasons_come_back(lab):
    """Edits of the view are noted beside the store; half a line of a killed writer does no harm."""
    view = RSView(lab.project)
    view.add_tag("good", "bad")
    view.remove_tag("bad")
    view.filter.task("Ramp").update_reason("another")
    view.filter.task("Square").add_comment("looks right")
    before = records(lab)
    assert {record.tags for record in before.values()} == {frozenset({"good"})}
    with open(lab.root / ".smt" / "edits.jsonl", "a") as file:
        file.write('{"column": "tags", "labels": ["')
    lose(lab, "records")
    rebuild(lab.project)
    assert records(lab) == before


def test_results_are_hits_again(lab):
    """Nothing is computed after the links came back."""
    lose(lab, "links")
    lab.tasks.Square(3.0).clear()
    assert not lab.tasks.Square(3.0).has_run
    rebuild(lab.project)
    assert lab.tasks.Square(3.0).has_run


def test_a_second_call_changes_nothing(lab):
    """What is there stays, and a dry run only tells."""
    lose(lab, "records and links")
    told = rebuild(lab.project, dry_run=True)
    assert not links(lab)
    assert not (lab.root / ".smt" / "records").exists()
    made = rebuild(lab.project)
    assert (sorted(told.links), sorted(told.records)) == (sorted(made.links), sorted(made.records))
    again = rebuild(lab.project)
    assert (again.links, again.records, again.settled, again.damaged) == ([], [], [], [])


def test_a_link_that_leads_nowhere_is_mended(lab):
    """The main link leads to the latest result there is."""
    path = lab.root / "data" / "Ramp" / f"{lab.ramp.digest}.json"
    target = os.readlink(path)
    path.unlink()
    path.symlink_to("nowhere.json")
    assert rebuild(lab.project).links == [str(path)]
    assert os.readlink(path) == target


def test_a_damaged_manifest_is_told_and_keeps_nobody_from_the_others(lab):
    """The other records come back."""
    lab.four.outputpaths[""].write_text("{}")
    lose(lab, "records")
    done = rebuild(lab.project)
    assert len(done.records) == 2
    assert [reason for _, reason in done.damaged] == ["cut within its first line, after 2 bytes"]


def test_open_records_of_dead_processes_are_closed(lab):
    """A run that was killed has no manifest; its record says so after a rebuild."""
    code = (
        "import os, tasks\n"
        "from smttask import RecordedTask\n"
        "tasks.np.arange = lambda n: os.kill(os.getpid(), 9)\n"
        "tasks.Ramp(7.0).run()"
    )
    assert lab.scratch.run(code, check=False).returncode == -9
    (label,) = rebuild(lab.project).settled
    assert lab.project.records.get(label).status == "killed"


def test_only_one_kind_can_be_asked_for(lab):
    """Links alone, or records alone."""
    lose(lab, "records and links")
    assert rebuild(lab.project, records=False).records == []
    assert not (lab.root / ".smt" / "records").exists()
    lose(lab, "links")
    assert rebuild(lab.project, links=False).links == []
    assert not links(lab)


def test_accepted_results_are_accepted_again(lab):
    """What `task.accept()` said is noted beside the records; half a line of a killed process does no harm."""
    lab.scratch.write({"tasks.py": (lab.root / "tasks.py").read_text().replace("x**2", "x * x")})
    task = lab.scratch.reload("tasks").Square(3.0)
    task.accept()
    with open(lab.root / ".smt" / "accepted.jsonl", "a") as file:
        file.write('{"folder": "Squ')
    before = links(lab)
    assert any(".older" in path for path in before)
    lose(lab, "links")
    rebuild(lab.project)
    assert links(lab) == before
    with config.use(on_code_change="error"):
        assert task.run() == 9.0
    assert task.last_hit == "disk"


def test_an_acceptance_of_a_result_that_is_gone_makes_no_link(lab):
    """And one whose code has a result of its own by now leads to that."""
    lab.scratch.write({"tasks.py": (lab.root / "tasks.py").read_text().replace("x**2", "x * x")})
    task = lab.scratch.reload("tasks").Square(3.0)
    label = task.accept()
    task.run(recompute=True)
    task.run(recompute=True)
    (lab.root / "data" / "run_dump" / "Square" / f"{label}.json").unlink()
    lose(lab, "links")
    rebuild(lab.project)
    assert [path for path in links(lab) if ".older" in path] == []


def test_records_of_other_hosts_come_from_their_journals_too(lab):
    """Those of crashed runs, which have no manifest."""
    code = "import tasks\ntry: tasks.Square(-1.0).run()\nexcept ValueError: pass"
    lab.scratch.run(code, SMTTASK_RECORD_STORE="journal")
    (label,) = rebuild(lab.project).journaled
    assert lab.project.records.get(label).status == "crashed"


def test_only_the_host_that_writes_the_record_store_rebuilds_it(lab):
    """Others may make links, or become that host."""
    home = lab.project.home.path
    home.write_text("")
    other = {"name": "server", "machine": "m", "boot": "b", "addresses": []}
    home.write_text(json.dumps({"host": other, "inode": home.stat().st_ino}))
    lose(lab, "links")
    with (
        pytest.warns(RecordStoreWarning),
        pytest.raises(RecordStoreError, match="are not rebuilt here") as caught,
    ):
        rebuild(lab.project)
    assert "written by server" in str(caught.value)
    assert "smttask store rebuild --here" in str(caught.value)
    assert len(rebuild(lab.project, records=False).links) == 3
    with config.use(record_store="journal"), pytest.raises(RecordStoreError, match="is 'journal'"):
        rebuild(lab.project)
    lab.project.home.claim(replace=True)
    assert rebuild(lab.project).damaged == []


@pytest.mark.slow
def test_a_rebuild_killed_at_any_instant_is_completed_by_the_next(lab):
    """Again and again, with edits and acceptances: in the end all is as it was."""
    lab.scratch.run("import tasks\nfor x in range(200): tasks.Square(float(x)).run()")
    RSView(lab.project).filter.task("Square").add_tag("good")
    lab.scratch.write({"tasks.py": (lab.root / "tasks.py").read_text().replace("x**2", "x * x")})
    lab.scratch.reload("tasks").Square(7.0).accept()
    before = records(lab), links(lab)
    lose(lab, "records and links")
    assert lab.project.records.count() == 0  # which makes it anew: a second that would need a kill of its own
    code = "from smttask.care.rebuild import rebuild; from smttask.project import get_project"
    command = [sys.executable, "-c", f"{code}; print(flush=True); rebuild(get_project('.')); print('done')"]
    n_killed, draw, is_done = 0, random.Random(4), False
    while not is_done:
        with subprocess.Popen(command, cwd=lab.root, stdout=subprocess.PIPE, text=True) as process:
            process.stdout.readline()
            time.sleep(draw.uniform(0.0, 0.05 * (n_killed + 1)))
            process.kill()
            is_done = process.stdout.read() == "done\n"
            n_killed += not is_done
    assert n_killed > 2
    assert (records(lab), links(lab)) == before
    assert verify(lab.project).problems == []
