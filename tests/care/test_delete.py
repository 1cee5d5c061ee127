"""`delete` takes out runs whole, and never what a result that stays was computed from."""

import os

from smttask.care.clean import KINDS, find_rubbish
from smttask.care.delete import delete, plan_deletion
from smttask.care.verify import verify


def label_of(task):
    return task.record.label


def test_a_run_is_deleted_with_its_record_result_and_link(lab):
    """Nothing is left of it, and the rest is whole."""
    three = lab.tasks.Square(3.0)
    label = label_of(three)
    plan = plan_deletion(lab.project, [label])
    assert (plan.labels, [head.label for head in plan.results], plan.kept) == ([label], [label], {})
    assert plan.size == three.resultpaths[0].stat().st_size
    assert delete(lab.project, plan) == 1
    assert not lab.project.records.has(label)
    assert not three.has_run
    assert find_rubbish(lab.project, kinds=KINDS, older_than_s=0) == []
    assert verify(lab.project).problems == []
    assert verify(lab.project).n_results == 2


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
    """The record goes last, so what it names is found again."""
    label = label_of(lab.ramp)
    for path in lab.ramp.resultpaths:
        os.unlink(path)
    delete(lab.project, plan_deletion(lab.project, [label]))
    assert not lab.project.records.has(label)
    assert verify(lab.project).problems == []


def test_a_running_record_is_kept(lab):
    """As long as its process may live."""
    from dataclasses import replace

    record = replace(lab.project.records.get(label_of(lab.ramp)), label="running", status="running")
    lab.project.records.open_record(replace(record, output_data=()))
    assert plan_deletion(lab.project, ["running"]).kept == {"running": "it is running"}
