"""What a run tells of itself."""

import io
from dataclasses import replace

from rich.console import Console

from smttask.executors.course import Pace
from smttask.executors.lines import Lines
from smttask.executors.live import LiveDisplay
from smttask.executors.outcome import Outcome, Summary
from smttask.executors.progress import counts_text, report
from smttask.executors.work import Work


def outcomes():
    return [
        Outcome("t/A__1.taskdesc.json", "computed", 0.5),
        Outcome("t/A__2.taskdesc.json", "failed", 1.0, "ValueError: no", "Traceback: here"),
        Outcome("t/A__3.taskdesc.json", "failed", 1.0, "Task A would not.", "found: x\ndo y", is_ours=True),
        Outcome("t/A__4.taskdesc.json", "failed", 1.0, "Task B would not.", "found: x\ndo y", is_ours=True),
        Outcome("t/A__5.taskdesc.json", "killed", 90.0, "stopped by SIGINT"),
        Outcome("t/A__6.taskdesc.json", "gone"),
    ]


def summary():
    made = Summary(duration_s=75.2)
    for outcome in outcomes():
        made.add(outcome)
    return made


def test_the_report_names_every_failure_with_its_error():
    """What follows the first line of our own messages is said once; tracebacks only when asked for."""
    assert list(report(summary())) == [
        "4 of 6 tasks failed; their files stay:",
        "  t/A__2.taskdesc.json: ValueError: no",
        "  t/A__3.taskdesc.json: Task A would not.",
        "    found: x",
        "    do y",
        "  t/A__4.taskdesc.json: Task B would not.",
        "  t/A__5.taskdesc.json: stopped by SIGINT",
    ]
    assert "    Traceback: here" in list(report(summary(), verbose=True))


def test_the_report_says_where_an_error_came_up():
    """The line of one's own code, once for all that failed there, and how to see more."""
    trace = """Traceback (most recent call last):
  File "/lab/taskfile.py", line 7, in first
    json.loads(text)
  File "/usr/lib/python3.11/json/__init__.py", line 346, in loads
    raise JSONDecodeError
json.decoder.JSONDecodeError: Expecting value"""
    made = Summary()
    for name in ("m1", "m2"):
        made.add(Outcome(name, "failed", 1.0, "JSONDecodeError: Expecting value", trace))
    assert list(report(made, noun="folder")) == [
        "2 of 2 folders failed:",
        "  m1: JSONDecodeError: Expecting value",
        "    at /lab/taskfile.py, line 7",
        "  m2: JSONDecodeError: Expecting value",
        "-v shows the tracebacks.",
    ]


def test_the_report_calls_no_failure_what_was_stopped():
    """Unless something else failed."""
    stopped = Summary(signal=2)
    stopped.add(outcomes()[4])
    assert list(report(stopped)) == [
        "1 of 1 task was stopped; its file stays:",
        "  t/A__5.taskdesc.json: stopped by SIGINT",
        "What was stopped has no result; what was finished is stored. The same command continues.",
    ]
    stopped.add(outcomes()[1])
    assert next(report(stopped)) == "2 of 2 tasks failed; their files stay:"


def test_the_report_says_which_files_are_left():
    """Files not begun, and those whose results live in memory only unless files stay anyway."""
    left = Summary(n_left=1, n_lost=2)
    lost = "2 files are still there: the results were kept in memory only."
    assert list(report(left)) == [lost, "1 file is not begun."]
    assert list(report(left, keeps=True)) == ["1 file is not begun."]


def test_the_last_line_counts_what_became_of_the_files():
    """Good outcomes before bad ones, and the time."""
    assert counts_text(summary()) == "6 tasks: 1 computed, 1 gone, 3 failed, 1 killed in 1 min 15 s"
    assert counts_text(Summary()) == "0 tasks: none begun in 0.00 s"


def test_exit_status_is_zero_only_if_all_went_well():
    """A signal that ended the run shows as a shell shows it."""
    assert (Summary().exit_status, summary().exit_status, Summary(signal=2).exit_status) == (0, 1, 130)


def test_lines_say_how_many_of_how_many(capsys):
    """The total has a plus while more files may come; quiet ones say nothing."""
    display = Lines()
    display.planned(4, is_all=False)
    display.finished(outcomes()[0])
    display.planned(6, is_all=True)
    display.finished(outcomes()[1])
    Lines(quiet=True).finished(outcomes()[0])
    assert capsys.readouterr().out.splitlines() == [
        "[1/4+] computed A__1  0.50 s",
        "[2/6] failed   A__2: ValueError: no",
    ]


def test_the_pace_follows_what_happened_lately():
    """An hour of slow tasks does not spoil the forecast for quick ones."""
    pace = Pace(begin=0.0)
    assert pace.seconds_left(5, now=0.0) is None
    pace.add(3600.0)
    for tenth in range(1, 400):
        pace.add(3600.0 + tenth / 10)
    assert 9.9 < pace.rate(now=3640.0) < 10.1


def test_the_live_table_shows_running_tasks_rate_and_failures():
    """Failures stay above the table as lines; the rest is drawn over."""
    out = io.StringIO()
    display = LiveDisplay(Console(file=out, force_terminal=True, width=100, no_color=True))
    with display:
        display.planned(3, is_all=True)
        display.refresh()
        display._refreshed = 0.0
        display.started(1, Work("t/A__1.taskdesc.json"))
        display.started(2, Work("t/A__2.taskdesc.json"))
        display.refresh()
        display.finished(replace(outcomes()[1], worker=2))
        display.tell("[look] here")
        display._refreshed = 0.0
        display.refresh()
    text = out.getvalue()
    for part in (
        "workers are starting",
        "worker 1",
        "A__1",
        "0/3",
        "1/3",
        "1 failed",
        "left",
        "failed   A__2: ValueError: no",
        "[look] here",
    ):
        assert part in text
