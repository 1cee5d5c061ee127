"""What tasks of many folders do, seen from another process."""

import os
import pty
import signal
import subprocess
import sys
import textwrap
import time

import pytest
from jupyter_client.manager import KernelManager

from smttask.errors import InputError
from smttask.headway import Position
from smttask.records.process import Process, this_process
from smttask.tasker import Monitor, Tasker
from smttask.tasker.monitor import COLUMNS
from smttask.tasker.status import Status, iter_statuses, status_path, write_status


@pytest.fixture
def folders(tmp_path):
    """Ten folders, of which nothing was run."""
    made = [tmp_path / f"movie{n}" for n in range(10)]
    for folder in made:
        folder.mkdir()
    return made


def tell(
    folder, status="working", *, task="size", begun_s=100.0, told_s=1.0, levels=None, process=None, **more
):
    """As a task does that began, and told this, so many seconds ago."""
    now = time.time()
    position = None if levels is None else Position(levels, begun_s - told_s)
    of = process or this_process()
    write_status(folder, Status(task, status, of, now - begun_s, now - told_s, position, **more))


def test_a_working_task_shows_times_and_counts(folders):
    """Time per item and time left come from what is done; the first item counts 0."""
    tell(folders[0], levels=((20, 100, "frames"),), begun_s=101.0, told_s=1.0)
    [row] = Monitor(folders[0]).standings()
    assert (row.dir, row.task, row.status) == (str(folders[0]), "size", "working")
    assert (row.current, row.total, row.info) == (20, 100, "frames")
    assert row.elapsed_time == pytest.approx(101, abs=0.5)
    assert row.since_update == pytest.approx(1, abs=0.5)
    assert row.time_per == pytest.approx(5)
    assert row.time_left == pytest.approx(399, abs=0.5)


def test_a_table_has_a_row_for_each_folder_that_does_nothing(folders):
    """The columns are those of the old Monitor and `info`; unknown values are missing ones."""
    tell(folders[1], "done", begun_s=10, told_s=4, levels=((4, 4, "frames"),))
    table = Monitor(folders[:2]).get_statuses()
    assert tuple(table.columns) == COLUMNS
    assert table["status"].tolist() == ["", "done"]
    assert table["elapsed_time"].dt.total_seconds().round().tolist()[1] == 6
    assert table.loc[0, ["since_update", "total", "time_left"]].isna().all()
    assert table.loc[1, ["current", "total"]].tolist() == [4, 4]
    assert table.dtypes.astype(str)[["since_update", "current"]].tolist() == ["timedelta64[us]", "Int64"]


def test_all_running_tasks_of_a_folder_show_else_the_last_one(folders):
    """Several processes may run tasks of one folder."""
    tell(folders[0], task="first", begun_s=3)
    tell(folders[0], task="second", begun_s=2)
    tell(folders[0], "done", task="over", told_s=0)
    assert [row.task for row in Monitor(folders[0]).standings()] == ["first", "second"]
    tell(folders[1], "ERROR", task="early", told_s=9, error="ValueError: no")
    tell(folders[1], "done", task="late", told_s=1)
    assert [row.task for row in Monitor(folders[1]).standings()] == ["late"]


def test_what_failed_says_why(folders):
    """Also what was killed, and a file that cannot be read."""
    tell(folders[0], "ERROR", error="ValueError: no such frame")
    here = this_process()
    tell(folders[1], process=Process(here.host, here.pid, here.start[:-1] + "x"))
    status_path(folders[2], "size").parent.mkdir()
    status_path(folders[2], "size").write_text("{")
    rows = Monitor(folders[:3]).standings()
    assert [row.status for row in rows] == ["ERROR", "interrupted", "unreadable"]
    assert rows[0].info == "ValueError: no such frame"
    assert rows[1].info == "its process ended without a word"
    assert str(status_path(folders[2], "size")) in rows[2].info


def test_a_clock_that_is_ahead_and_a_loop_of_unknown_length_do_no_harm(folders):
    """Times are never negative, and what is unknown stays empty."""
    tell(folders[0], begun_s=-50, told_s=-60, levels=((3, None, ""),))
    tell(folders[1], levels=((0, 0, ""),))
    row, empty = Monitor(folders[:2]).standings()
    assert (row.elapsed_time, row.since_update, row.current, row.total, row.time_left) == (
        0,
        0,
        3,
        None,
        None,
    )
    assert (empty.time_per, empty.time_left) == (None, 0)


def test_taskers_can_be_monitored(folders):
    """One, or many; a run leaves what it did."""
    t = Tasker(folders[0])

    @t.stores("size.txt")
    def size(tsk):
        for n in tsk.progress.tally(range(3), info="frames"):
            tsk.output_files[0].write_text(str(n))

    size()
    [row] = Monitor(t).standings()
    assert (row.dir, row.task, row.status, row.current, row.total) == (str(folders[0]), "size", "done", 3, 3)
    assert Monitor([t, t]).get_statuses()["status"].tolist() == ["done", "done"]
    size.clear()
    assert Monitor(t).get_statuses()["status"].tolist() == [""]


def test_a_task_that_stores_nothing_shows_if_it_says_something(folders):
    """Else it leaves no file in the folder."""
    t = Tasker(folders[0])

    @t
    def silent(tsk):
        return 1

    @t
    def counting(tsk):
        return sum(tsk.progress.tally([1, 2]))

    assert silent() == 1
    assert list(iter_statuses(str(folders[0]))) == []
    assert counting() == 3
    [row] = Monitor(t).standings()
    assert (row.task, row.status, row.current) == ("counting", "done", 2)


def test_a_table_is_shown_as_text(folders, capsys):
    """All columns, or those asked for, in their order; long texts are cut."""
    tell(folders[0], levels=((20, 100, "frames " * 30),))
    Monitor(folders[0]).show()
    head, row = capsys.readouterr().out.splitlines()
    assert head.split() == list(COLUMNS)
    assert "1 min 40 s" in row
    assert row.endswith("…")
    Monitor(folders[0]).show(["status", "current"])
    assert capsys.readouterr().out == "status   current\nworking       20\n"


def test_a_monitor_that_ends_a_cell_is_shown_as_its_table(folders, capsys):
    """Of very many folders the first fifty."""
    Monitor(folders).show()
    assert repr(Monitor(folders)) + "\n" == capsys.readouterr().out
    assert repr(Monitor(folders * 30)).splitlines()[-1] == f"and {30 * len(folders) - 50} more"


def test_a_column_that_does_not_exist_is_an_error(folders):
    """A near one is suggested."""
    for ask in (Monitor(folders).show, lambda columns: Monitor(folders).watch(1, columns)):
        with pytest.raises(
            InputError, match="no column 'elapsed'.\n  known: dir, .*\n  did you mean 'elapsed_time'"
        ):
            ask(["elapsed"])


@pytest.mark.parametrize("interval", [0, -1, float("nan"), "5", None])
def test_an_impossible_interval_is_an_error(folders, interval):
    """It would look without end, or never."""
    with pytest.raises(InputError, match="found: interval="):
        Monitor(folders).watch(interval)


def test_a_folder_that_does_not_exist_is_an_error(tmp_path):
    """So is a file; a folder that goes later shows nothing."""
    with pytest.raises(InputError, match="no folder .*gone to monitor.\n  found: nothing at"):
        Monitor([tmp_path / "gone"])
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="found: a file at"):
        Monitor([tmp_path / "file"])
    (tmp_path / "folder").mkdir()
    seen = Monitor(tmp_path / "folder")
    (tmp_path / "folder").rmdir()
    assert [row.status for row in seen.standings()] == [""]


class Terminal:
    """A process that watches in a terminal of so many lines."""

    def __init__(self, folders, lines):
        parent, child = pty.openpty()
        code = (
            f"import sys; from smttask.tasker import Monitor; Monitor({[str(f) for f in folders]}).watch(0.1)"
        )
        environment = {**os.environ, "LINES": str(lines), "COLUMNS": "100", "TERM": "xterm"}
        self.process = subprocess.Popen([sys.executable, "-c", code], stdout=child, env=environment)
        os.close(child)
        self.parent = parent
        self.text = ""

    def read_until(self, *wanted):
        deadline = time.monotonic() + 60
        while not all(text in self.text for text in wanted):
            assert time.monotonic() < deadline, self.text
            self.text += os.read(self.parent, 100_000).decode()

    def end(self):
        self.process.send_signal(signal.SIGINT)
        status = self.process.wait(timeout=60)
        os.close(self.parent)
        return status


def test_watching_in_a_terminal_shows_changes_until_ctrl_c(folders):
    """What works comes first where there is no room for all."""
    tell(folders[8], task="early")
    terminal = Terminal(folders, lines=6)
    terminal.read_until("movie8", "early", "and 7 more")
    tell(folders[9], "ERROR", task="late")
    terminal.read_until("movie9", "late")
    assert "\x1b[2J" in terminal.text
    assert terminal.end() == 0


def test_watching_without_a_terminal_prints_table_after_table(folders):
    """Nothing is erased; Ctrl-C ends it without an error."""
    code = f"from smttask.tasker import Monitor; Monitor({str(folders[0])!r}).watch(0.05)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        shown = [process.stdout.readline() for _ in range(6)]
        process.send_signal(signal.SIGINT)
        process.stdout.read()
    assert process.returncode == 0
    assert [bool(line.strip()) for line in shown] == [True, True, False] * 2
    assert shown[0].startswith("dir")
    assert shown[4].strip().endswith("/movie0")
    assert "\x1b" not in "".join(shown)


def test_watching_in_a_notebook_replaces_the_table_until_the_cell_is_interrupted(folders):
    """In one place below the cell; the interrupt is no error."""
    tell(folders[0], levels=((20, 100, "<frames>"),))
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(cwd=str(folders[0]))
    client = manager.client()
    shown = []

    def show(message):
        if "data" in message["content"]:
            shown.append(message)
            if len(shown) == 3:
                manager.interrupt_kernel()

    try:
        client.start_channels()
        client.wait_for_ready(timeout=60)
        cell = "from smttask.tasker import Monitor; Monitor('.').watch(0.1)"
        reply = client.execute_interactive(cell, timeout=60, output_hook=show)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert reply["content"]["status"] == "ok"
    kinds = [message["msg_type"] for message in shown]
    assert kinds == ["display_data"] + ["update_display_data"] * (len(shown) - 1)
    assert "&lt;frames&gt;" in shown[0]["content"]["data"]["text/html"]


def test_hundreds_of_folders_read_a_file_each(tmp_path):
    """No file but the status of a task is opened."""
    many = []
    for n in range(300):
        folder = tmp_path / str(n)
        folder.mkdir()
        tell(folder, "done")
        many.append(folder)
    assert len(Monitor(many).get_statuses()) == 300
    code = f"""
        import sys
        opened = []
        from smttask.tasker import Monitor
        sys.addaudithook(lambda event, args: event == "open" and opened.append(args[0]))
        rows = Monitor([f"{tmp_path}/{{n}}" for n in range(300)]).standings()
        print(len(rows), len(opened), "pandas" in sys.modules)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "300 300 False\n"
