from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import matplotlib
import pytest

from smttask import RSView
from smttask.errors import InputError
from smttask.records.record import Record
from smttask.testing import scratch_project

matplotlib.use("Agg")
BEGIN = datetime(2026, 11, 22, 10, tzinfo=UTC)


@pytest.fixture
def axes() -> Iterator[Any]:
    from matplotlib import pyplot

    figure, axes = pyplot.subplots()
    yield axes
    pyplot.close(figure)


def bars(axes: Any) -> dict[str, list[tuple[float, float]]]:
    """For each status the lengths, in seconds, and the lower ends of the bars."""
    found: dict[str, list[tuple[float, float]]] = {}
    for collection in axes.collections:
        corners = [path.vertices for path in collection.get_paths()]
        found.setdefault(collection.get_label(), []).extend(
            (round(float(each[1][0] - each[0][0]) * 86400, 2), round(float(each[0][1]), 2))
            for each in corners
        )
    return found


def test_runs_are_drawn_when_they_ran(lab: SimpleNamespace, axes: Any) -> None:
    """Each task has a row, the last at the top; each run has a bar, in the colour of its status."""
    assert lab.view.plot(ax=axes) is axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["Analyze", "Detrend", "Square"]
    assert axes.get_ylim() == (3, 0)
    assert {status: len(each) for status, each in bars(axes).items()} == {"finished": 6, "crashed": 1}
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["finished", "crashed"]
    axes.figure.canvas.draw()


def test_runs_at_the_same_time_stand_below_each_other(tmp_path: Path, axes: Any) -> None:
    """Bars are as long as the runs, and those that overlap have places of their own."""
    with scratch_project(tmp_path / "p") as scratch:
        store = scratch.project.records
        for number, (start_s, taken_s) in enumerate([(0, 60), (30, 60), (60, 10)]):
            moment = BEGIN + timedelta(seconds=start_s)
            store.open_record(Record(label=str(number), timestamp=moment, duration_s=float(taken_s)))
            store.close_record(str(number), status="finished", duration_s=float(taken_s))
        RSView().plot(ax=axes)
    assert sorted(bars(axes)["finished"]) == [(10.0, 0.05), (60.0, 0.05), (60.0, 0.55)]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["(no task)"]


def test_an_input_is_drawn_against_the_duration(lab: SimpleNamespace, axes: Any) -> None:
    """Each finished run with the input is a point; tasks have colours of their own."""
    view = lab.view.filter.tags("finished")
    view.plot("x", ax=axes)
    (points,) = axes.collections
    assert sorted(points.get_offsets()[:, 0]) == [1.0, 2.0, 3.0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("x", "duration (s)")
    seconds = [record.duration.total_seconds() for record in view.filter.task("Square")]
    assert sorted(points.get_offsets()[:, 1]) == pytest.approx(sorted(seconds), abs=1e-5)


def test_texts_and_parts_of_inputs_are_drawn_too(lab: SimpleNamespace, axes: Any) -> None:
    """A path leads through dataclasses and tasks, and what is no number has a place by its text."""
    lab.view.plot(lab.view.params.model.sigma, ax=axes)
    lab.view.plot("mode", ax=axes)
    assert len(axes.collections) == 2
    axes.figure.canvas.draw()
    assert {label.get_text() for label in axes.get_xticklabels()} >= {"Mode.FAST", "Mode.SLOW"}


def test_long_texts_leave_room_for_the_picture(tmp_path: Path, axes: Any) -> None:
    """A few are cut below the axis; of many only the number is told."""
    source = "from smttask import RecordedTask\n@RecordedTask\ndef Echo(word: str) -> str: return word\n"
    with scratch_project(tmp_path / "project", {"echoing.py": source}) as scratch:
        tasks = scratch.load("echoing")
        for k in range(3):
            tasks.Echo(f"{k} " + 60 * "x").run()
        RSView(scratch.project).plot("word", ax=axes).figure.canvas.draw()
        assert [label.get_text()[:2] for label in axes.get_xticklabels()] == ["0 ", "1 ", "2 "]
        assert {len(label.get_text()) for label in axes.get_xticklabels()} == {40}
        for k in range(20):
            tasks.Echo(f"{k}").run()
        RSView(scratch.project).plot("word", ax=axes)
    assert (list(axes.get_xticks()), axes.get_xlabel()) == ([], "word (23 values)")


def test_an_input_that_no_run_has_is_not_drawn(lab: SimpleNamespace) -> None:
    """A misspelt input is an error that names the nearest one; nothing is drawn."""
    with pytest.raises(InputError, match="No record of the view has an input 'model.sgima'") as caught:
        lab.view.plot("model.sgima")
    assert "did you mean 'model.sigma'" in str(caught.value)
    with pytest.raises(InputError, match="names no place"):
        lab.view.plot("a..b")


def test_an_empty_view_is_an_empty_picture(lab: SimpleNamespace, axes: Any) -> None:
    """Where there are no runs there are no bars and no points, and no error."""
    nothing = lab.view.filter.task("Nothing")
    assert not nothing.plot(ax=axes).collections
    assert not nothing.plot("x", ax=axes).collections
    axes.figure.canvas.draw()


def test_a_picture_without_matplotlib_says_what_to_install(lab: SimpleNamespace) -> None:
    """The error names the extra that brings the library."""
    code = (
        "import sys\nsys.modules['matplotlib'] = None\nfrom smttask import RSView\n"
        "try:\n    RSView().plot()\nexcept ImportError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=lab.scratch.root, capture_output=True, text=True, check=True
    )
    assert "'matplotlib' is not installed" in done.stdout
    assert 'pip install "smttask[viz]"' in done.stdout
