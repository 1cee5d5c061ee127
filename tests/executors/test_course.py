"""What is known of a run by now, and the lines that say it."""

from smttask.executors.course import Course
from smttask.executors.lines import Lines
from smttask.executors.outcome import Outcome
from smttask.executors.progress import outcome_text, report, short_name, slowest_text
from smttask.executors.together import Together
from smttask.executors.work import Work
from smttask.headway import Position


def work(number):
    return Work(f"t/A__{number}.taskdesc.json", number)


def done(number, status="computed", duration_s=1.0, **more):
    return Outcome(f"t/A__{number}.taskdesc.json", status, duration_s, number=number, worker=number, **more)


def far(n, elapsed_s):
    return {"progress": Position(((n, 10, "steps"),), elapsed_s).to_message()}


def test_what_workers_tell_is_kept_with_what_they_run():
    """Memory stays with the worker, the rest goes with the task."""
    course = Course()
    course.started(1, work(1))
    course.watched(1, {"why": "never run", "reason": "first look", "task": "Up", "memory_bytes": 5000})
    course.watched(1, far(3, 1.0))
    first = course.underway[1]
    assert (first.told_reason, first.task, first.memory_bytes) == ("never run", "Up", 5000)
    assert first.position.text() == "3 of 10 steps"
    course.watched(1, {"progress": None})
    assert first.position is None
    course.finished(done(1))
    course.started(1, work(2))
    assert (course.underway[1].told_reason, course.memory_bytes) == ("", 5000)


def test_what_an_idle_worker_tells_late_is_forgotten():
    """Its task has ended meanwhile."""
    course = Course()
    course.started(1, work(1))
    course.idle(1)
    course.watched(1, far(3, 1.0))
    assert (course.underway, course.n_finished, course.seconds_left(course.begin + 1)) == ({}, 0, None)


def test_the_time_left_follows_the_tasks_when_nothing_waits():
    """The one that takes longest decides; while one says nothing, the pace does."""
    course = Course()
    course.planned(3, is_all=True)
    for number in (1, 2, 3):
        course.started(number, work(number))
    course.finished(done(3))
    course.watched(1, far(5, 10.0))
    assert course.seconds_left(course.begin + 100) > 60
    course.watched(2, far(2, 10.0))
    assert course.seconds_left(course.begin + 100) == 40.0


def test_the_slowest_are_known_without_keeping_all():
    """Five of a thousand, the longest first."""
    course = Course()
    for number in range(1000):
        course.finished(done(number, duration_s=float(number * 7 % 1000)))
    assert [outcome.duration_s for outcome in course.slowest] == [999.0, 998.0, 997.0, 996.0, 995.0]
    assert slowest_text(course.slowest[:2]) == "slowest: A__857 16 min 39 s, A__714 16 min 38 s"
    assert slowest_text([done(1, duration_s=0.9)]) == ""


def test_lines_come_at_intervals_and_failures_at_once(capsys):
    """How far all is, and what runs longest; without an interval a line for each file."""
    lines = Lines(interval_s=0.001)
    lines.planned(4, is_all=False)
    lines.started(1, work(1))
    lines.started(2, work(2))
    lines.watched(1, {"memory_bytes": 2_500_000} | far(3, 1.0))
    lines.finished(done(2))
    lines.finished(done(3, "failed", error="ValueError: no"))
    shown = ""
    while shown.count("\n") < 2:
        lines.refresh()
        shown += capsys.readouterr().out
    failure, line, *_ = shown.splitlines()
    assert failure == "[2/4+] failed   A__3: ValueError: no"
    assert line.startswith("[2/4+] 1 running; 1 failed; ")
    assert "/s; " in line
    assert "2.5 MB; longest: A__1 0.0" in line
    assert line.endswith(" s, 3 of 10 steps")


def test_quiet_lines_say_nothing_but_warnings(capsys):
    """Failures stand in the summary."""
    lines = Lines(quiet=True, interval_s=0.000001)
    lines.finished(done(3, "failed", error="ValueError: no"))
    lines.refresh()
    lines.tell("look here")
    assert capsys.readouterr() == ("", "look here\n")


def test_texts_of_tasks_cannot_steer_the_terminal():
    """Neither names of files, nor errors, nor tracebacks, which keep their indentation."""
    bad = done(1, "failed", error="two\nlines \x1b[2J", details="Traceback:\n  here \x07\n", attempts=3)
    assert outcome_text(bad) == "failed   A__1 (attempt 3): two lines \ufffd[2J"
    from smttask.executors.outcome import Summary

    summary = Summary()
    summary.add(bad)
    _, *lines = report(summary, verbose=True)
    assert lines == [
        "  t/A__1.taskdesc.json: two lines \ufffd[2J",
        "    Traceback:",
        "      here \ufffd",
    ]


def test_names_are_short_in_tables():
    """As much of the digest as labels of runs have; suffix and other names stay."""
    assert short_name("a/A__88aa01b1c2d3e4f5a6b7__n_5.taskdesc.json") == "A__88aa01__n_5"
    assert short_name("a/A__u-88aa01b1c2d3e4f5a6b7.taskdesc.json") == "A__u-88aa01"
    assert short_name("mine.json") == "mine.json"


class Broken(Course):
    """A terminal that is gone."""

    def refresh(self):
        raise OSError(5, "Input/output error")


def test_a_display_that_cannot_write_stops_no_run():
    """The others are told on."""
    broken, other = Broken(), Course()
    with Together([broken, other]) as both:
        both.planned(1, is_all=True)
        both.refresh()
        both.started(1, work(1))
        both.watched(1, {"why": "never run"})
        both.idle(1)
        both.finished(done(1))
        both.output("")
        both.tell("")
    assert (broken.n_finished, other.n_finished) == (0, 1)
