"""The page that a run leaves."""

import re
import xml.etree.ElementTree as ET

import pytest

from smttask.errors import StorageError
from smttask.executors.outcome import Outcome, Summary
from smttask.executors.report import Report
from smttask.executors.timeline import Bar, timeline
from smttask.executors.work import Work


def made(path, outcomes, **facts):
    """The page on a run with `outcomes`."""
    report = Report(str(path))
    summary = Summary(duration_s=10.0)
    for outcome in outcomes:
        report.started(outcome.worker, Work(outcome.name))
        report.watched(outcome.worker, facts)
        report.finished(outcome)
        summary.add(outcome)
    report.close(summary)
    return path.read_text("utf-8")


def rows(page):
    return [re.findall("<td[^>]*>(.*?)</td>", row) for row in re.findall("<tr>(<td.*?)</tr>", page)]


def test_the_page_has_failures_first_then_the_slowest(tmp_path):
    """With times, workers, memory and why each ran; nothing is loaded from elsewhere."""
    outcomes = [
        Outcome("t/A__1.taskdesc.json", "computed", 1.0, worker=1, peak_bytes=10**8),
        Outcome("t/A__2.taskdesc.json", "failed", 0.5, "ValueError: no", "Traceback: here", worker=2),
        Outcome("t/A__3.taskdesc.json", "computed", 75.0, worker=1, attempts=2),
    ]
    page = made(tmp_path / "run.html", outcomes, why="differs in dt", memory_bytes=2 * 10**6)
    table = rows(page)
    assert [row[0] for row in table] == ["A__2", "A__3", "A__1"]
    assert table[1][2:3] == ["1 min 15 s"]
    assert table[2][4:8] == ["1", "100.0 MB", "1", "differs in dt"]
    assert "3 tasks: 2 computed, 1 failed in 10 s" in page
    assert "<pre>Traceback: here</pre>" in page
    assert re.findall("(?:src|href)=|url\\(|@import|https?://", page) == []


def test_what_tasks_say_is_text_on_the_page(tmp_path):
    """Never HTML, in names, errors, tracebacks or reasons."""
    evil = "<script>alert(1)<!--"
    outcome = Outcome(f"t/{evil}.taskdesc.json", "failed", 1.0, evil, f"{evil}\n\ud800", worker=1)
    page = made(tmp_path / "run.html", [outcome], why=evil)
    assert evil not in page
    assert page.count("&lt;script&gt;alert(1)&lt;!--") >= 5


def test_ten_thousand_tasks_fit_on_a_page(tmp_path):
    """Of many failures only the first have tracebacks; the timeline stays small."""
    outcomes = [
        Outcome(
            f"t/A__{n}.taskdesc.json", "failed" if n % 10 else "computed", 0.001, "no", "trace", worker=n % 2
        )
        for n in range(10_000)
    ]
    page = made(tmp_path / "run.html", outcomes)
    assert len(rows(page)) == 10_000
    assert page.count("<pre>") == 500
    assert "The other 8500 stand in the table." in page
    assert len(page) < 4_000_000


def test_a_stopped_run_says_so(tmp_path):
    """With the number of files that were not begun."""
    report = Report(str(tmp_path / "run.html"))
    assert "The run is not over." in (tmp_path / "run.html").read_text()
    report.close(Summary(signal=15, n_left=7))
    page = (tmp_path / "run.html").read_text()
    assert "stopped by signal 15" in page
    assert "7 files were not begun" in page


def test_a_page_that_cannot_be_written_is_told_before_the_work(tmp_path):
    """Not after hours."""
    with pytest.raises(StorageError, match="cannot be written") as caught:
        Report(str(tmp_path / "no" / "run.html"))
    assert "give --report a file in a folder that is there" in str(caught.value)


def test_inputs_that_are_run_by_themselves_stand_in_the_timeline(tmp_path):
    """They are no tasks of their own in the table."""
    report = Report(str(tmp_path / "run.html"))
    report.started(1, Work("Up__1", part="1"))
    report.idle(1)
    report.close(Summary(duration_s=1.0))
    page = (tmp_path / "run.html").read_text()
    assert "<rect class=part" in page
    assert "an input of others, computed" in page


def test_the_timeline_is_a_picture_whatever_there_is():
    """No task, one of no time, a week of them, a thousand workers; narrow ones become one."""
    day_s = 86400.0
    for bars, duration_s in [
        ([], 0.0),
        ([Bar(1, 0.0, 0.0, "computed", "A & <B>")], 0.0),
        ([Bar(1, n * day_s, day_s, "computed", "A") for n in range(7)], 7 * day_s),
        ([Bar(n, 0.0, 1.0, "failed", "A") for n in range(1000)], 1.0),
    ]:
        svg = timeline(bars, duration_s)
        ET.fromstring(re.sub(r"class=(\w+)", r'class="\1"', svg))
    many = [Bar(1, n / 1000, 0.001, "computed", f"A{n}") for n in range(100_000)]
    assert timeline(many, 100.0).count("<rect") < 20
    assert "100000 tasks: computed, A0 … A99999" in timeline(many, 100.0)
