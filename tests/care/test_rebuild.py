"""`rebuild` brings back links and records from the manifests, and nothing else."""

import os
from dataclasses import replace

import pytest

from smttask import RSView
from smttask.care.rebuild import rebuild
from smttask.care.verify import verify


def records(lab):
    """All records by label; where a distribution was downloaded from stands in no manifest."""
    found = {}
    for record in lab.project.records.records():
        dependencies = tuple(replace(item, source=None) for item in record.dependencies)
        found[record.label] = replace(record, dependencies=dependencies)
    return found


def links(lab):
    """All links by path, and where they lead."""
    found = {}
    for folder, _, names in os.walk(lab.root / "data"):
        for path in (os.path.join(folder, name) for name in names):
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
