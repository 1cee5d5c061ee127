"""Runs on hosts that do not write the record store come into it all the same, once and whole."""

import json
import os
import signal
import subprocess
import sys
import time
import warnings
from datetime import UTC, datetime

import pytest

from smttask.errors import RecordStoreError, RecordStoreWarning
from smttask.records.record import Record
from smttask.runner import settle_open_runs, take_in_journals
from smttask.runner.recording import RunRecord
from smttask.testing import scratch_project

TASKS = """
import os, time
from pathlib import Path

from smttask import RecordedTask


@RecordedTask
def Square(x: float) -> float:
    print("squaring")
    if x < 0:
        raise ValueError("negative")
    return x**2


@RecordedTask
def Sleep(x: int) -> int:
    (Path(__file__).parent / ".smt" / "sleeping").touch()
    time.sleep(600)
    return x
"""


@pytest.fixture
def lab(tmp_path):
    with scratch_project(tmp_path, {"tasks.py": TASKS}) as scratch:
        yield scratch


@pytest.fixture
def sleeper(lab):
    """A process that runs a task without end and keeps its record in a journal."""
    environment = {**os.environ, "SMTTASK_RECORD_STORE": "journal"}
    code = "import tasks; tasks.Sleep(1).run()"
    process = subprocess.Popen([sys.executable, "-c", code], cwd=lab.root, env=environment)
    while not (lab.root / ".smt" / "sleeping").exists():
        assert process.poll() is None
        time.sleep(0.02)
    yield process
    process.kill()
    process.wait()


def journals(lab):
    return sorted((lab.root / ".smt" / "journal").glob("*.jsonl"))


def elsewhere(path):
    """Let the journal at `path` be one of a process on a host of which nothing can be known."""
    first, _, rest = path.read_text().partition("\n")
    told = json.loads(first)
    told["process"][0] = told["host"]["name"] = "node7"
    told["process"][2] = "another boot/another namespace/1"
    path.write_text(json.dumps(told) + "\n" + rest)


def statuses(lab):
    return sorted((record.task, record.status) for record in lab.project.records.records())


def test_a_worker_without_the_record_store_runs_and_its_records_come_at_the_next_run(lab):
    """With `record_store = "journal"` an unreadable store is no matter; records are as any others."""
    store = lab.root / ".smt" / "records"
    hidden = store.rename(store.with_name("hidden"))
    store.mkdir()
    code = (
        "import tasks; tasks.Square(2.0, reason='far away').run()\n"
        "try: tasks.Square(-1.0).run()\nexcept ValueError: pass"
    )
    done = lab.run(code, SMTTASK_RECORD_STORE="journal")
    assert "Warning" not in done.stderr
    store.rmdir()
    hidden.rename(store)
    assert len(journals(lab)) == 1
    tasks = lab.load("tasks")
    tasks.Square(3.0).run()
    assert statuses(lab) == [("Square", "crashed"), ("Square", "finished"), ("Square", "finished")]
    (record,) = [record for record in lab.project.records.records() if record.reason == "far away"]
    manifest = tasks.Square(2.0).outputpaths[""]
    assert (record.label, record.manifest) == (manifest.stem, f"Square/{manifest.name}")
    assert (record.stdout_stderr, len(record.output_data)) == ("squaring\n", 1)
    assert record.duration_s is not None
    here = lab.project.records.get(tasks.Square(3.0).record.label)
    assert (
        {item.name for item in here.dependencies}
        >= {"numpy", "pydantic"}
        <= {item.name for item in record.dependencies}
    )
    assert (record.platform, record.user, record.version) == (here.platform, here.user, here.version)
    assert not (lab.root / ".smt" / "journal").exists()


def test_a_worker_that_may_fall_back_keeps_a_journal_while_the_record_store_fails(lab):
    """One warning a minute; also the end of a run stands there that the store had opened."""
    tasks, store = lab.load("tasks"), lab.root / ".smt" / "records"
    lab.project.may_fall_back = True
    begun = Record(
        label="20260101-000000-000001_abcdef", timestamp=datetime(2026, 1, 1, tzinfo=UTC), task="Begun"
    )
    opened = RunRecord(begun, lab.project)
    opened.open()
    lab.project.records.close()
    hidden = [path.rename(path.with_name(f"hidden{path.name}")) for path in store.parent.glob("records*")]
    store.mkdir()
    with warnings.catch_warnings(record=True) as told:
        opened.close("finished", "", 1.0, text="")
        assert tasks.Square(2.0).run() == 4.0
    [one] = told
    assert str(one.message).startswith(
        "Records are kept in a journal, to be taken in later, for:\nThe record store"
    )
    assert (opened.error, len(journals(lab))) == (None, 1)
    store.rmdir()
    for path in hidden:
        path.rename(path.with_name(path.name.removeprefix("hidden")))
    lab.project.journal.close()
    lab.run("import tasks; tasks.Square(3.0).run()")
    assert statuses(lab) == [("Begun", "finished"), ("Square", "finished"), ("Square", "finished")]


def test_a_running_task_elsewhere_is_shown_as_running_and_a_killed_one_as_killed(lab, sleeper):
    """Of a process on this kernel it is known at once."""
    assert take_in_journals(lab.project).settled == []
    assert statuses(lab) == [("Sleep", "running")]
    assert len(journals(lab)) == 1
    sleeper.send_signal(signal.SIGKILL)
    sleeper.wait()
    (label,) = take_in_journals(lab.project).settled
    assert lab.project.records.get(label).status == "killed"
    assert not (lab.root / ".smt" / "journal").exists()


def test_a_process_of_another_host_is_dead_after_15_minutes_of_silence_and_may_come_back(lab, sleeper):
    """What it writes later counts, as long as its journal is there."""
    (path,) = journals(lab)
    elsewhere(path)
    take_in_journals(lab.project)
    assert statuses(lab) == [("Sleep", "running")]
    os.utime(path, (time.time() - 1000,) * 2)
    (label,) = take_in_journals(lab.project).settled
    assert statuses(lab) == [("Sleep", "killed")]
    assert path.exists()
    close = {"close": label, "status": "finished", "outcome": "late", "duration_s": 3.0}
    rest = {"output_data": [], "dependencies": [], "stdout_stderr": "", "ended": None}
    with path.open("a") as file:
        file.write(json.dumps({**close, **rest}) + "\n")
    assert take_in_journals(lab.project).closed == [label]
    record = lab.project.records.get(label)
    assert (record.status, record.duration_s, record.outcome.splitlines()[-1]) == ("finished", 3.0, "late")
    os.utime(path, (time.time() - 8 * 86_400,) * 2)
    take_in_journals(lab.project)
    assert not path.exists()


def test_what_a_process_wrote_counts_more_than_its_death(lab):
    """Whoever settles its open run before its last lines were taken in does not know of them."""
    code = "import tasks\ntry: tasks.Square(-1.0).run()\nexcept ValueError: pass"
    lab.run(code, SMTTASK_RECORD_STORE="journal")
    (path,) = journals(lab)
    text = path.read_text()
    path.write_text(text[: text.index('{"close"')])
    elsewhere(path)
    take_in_journals(lab.project)
    (label,) = lab.project.records.labels()
    lab.project.records.mark_killed(label)
    path.write_text(text)
    take_in_journals(lab.project)
    assert statuses(lab) == [("Square", "crashed")]
    assert lab.project.records.get(label).outcome == "ValueError: negative"


def test_half_a_line_is_taken_when_it_is_whole(lab):
    """Its writer was killed, or is about to write the rest; nothing is taken twice."""
    lab.run("import tasks; tasks.Square(2.0).run()", SMTTASK_RECORD_STORE="journal")
    (path,) = journals(lab)
    elsewhere(path)
    text = path.read_text()
    body = text[: text.index('{"end"')]
    cut = body.index('{"close"') + 30
    path.write_text(body[:cut])
    assert len(take_in_journals(lab.project).opened) == 1
    assert statuses(lab) == [("Square", "running")]
    assert take_in_journals(lab.project).opened == []
    path.write_text(body)
    assert len(take_in_journals(lab.project).closed) == 1
    assert statuses(lab) == [("Square", "finished")]
    assert take_in_journals(lab.project).closed == []


def test_lines_that_make_no_sense_keep_nobody_from_the_others(lab):
    """They are told with their journal; a file that is no journal stays where it is."""
    lab.run("import tasks; tasks.Square(2.0).run()", SMTTASK_RECORD_STORE="journal")
    (path,) = journals(lab)
    first, _, rest = path.read_text().partition("\n")
    path.write_text(f'{first}\n{{"open": {{"label": 3}}}}\nrubbish\n{rest}')
    foreign = path.with_name("notes.jsonl")
    foreign.write_text('{"a": 1}\n')
    damaged = dict(take_in_journals(lab.project).damaged)
    assert damaged == {
        str(foreign): "its first line is none of a journal of format 1",
        str(path): "2 lines could not be read",
    }
    assert statuses(lab) == [("Square", "finished")]
    assert foreign.exists()
    assert not path.exists()


def test_a_worker_that_died_is_noted_by_the_next_process_of_its_host(lab, sleeper):
    """It has no record store either: the end of the run stands in a journal of its own."""
    sleeper.kill()
    sleeper.wait()
    code = (
        "from smttask.project import get_project\n"
        "from smttask.runner import settle_open_runs\n"
        "print(len(settle_open_runs(get_project('.'))))\n"
        "print(len(settle_open_runs(get_project('.'))))"
    )
    assert lab.run(code, SMTTASK_RECORD_STORE="journal").stdout == "1\n0\n"
    assert len(journals(lab)) == 2
    take_in_journals(lab.project)
    assert statuses(lab) == [("Sleep", "killed")]


def test_workers_keep_their_records_in_journals(lab):
    """`smttask run` passes the setting on."""
    tasks = lab.load("tasks")
    for x in range(4):
        tasks.Square(float(x)).save(lab.root / "todo")
    lab.smttask("run", "-n2", "--record-store", "journal", "todo")
    assert journals(lab)
    assert lab.project.records.count() == 0
    settle_open_runs(lab.project)
    assert statuses(lab) == [("Square", "finished")] * 4


def test_forked_children_write_journals_of_their_own(lab):
    """Never two writers of one file."""
    code = (
        "import os, tasks\n"
        "tasks.Square(1.0).run()\n"
        "if (child := os.fork()) == 0:\n"
        "    tasks.Square(2.0).run()\n"
        "    os._exit(0)\n"
        "os.waitpid(child, 0)\n"
        "tasks.Square(3.0).run()\n"
    )
    lab.run(code, SMTTASK_RECORD_STORE="journal")
    assert sorted(path.read_text().count('{"open"') for path in journals(lab)) == [1, 2]
    take_in_journals(lab.project)
    assert statuses(lab) == [("Square", "finished")] * 3
    assert journals(lab) == []


def test_where_another_host_is_at_home_records_go_to_the_journal_and_a_warning_says_so(lab):
    """Once a process, with what to do; at home they are taken in."""
    home = lab.project.home
    home.path.write_text("")
    told = {"name": "server", "machine": "m", "boot": "b", "addresses": []}
    home.path.write_text(json.dumps({"host": told, "inode": home.path.stat().st_ino}))
    tasks = lab.load("tasks")
    with pytest.warns(RecordStoreWarning, match="server writes the record store") as caught:
        tasks.Square(2.0).run()
    assert "smttask store rebuild --here" in str(caught[0].message)
    tasks.Square(3.0).run()
    assert lab.project.records.count() == 0
    assert take_in_journals(lab.project).opened == []
    lab.project.journal.close()
    home.claim(replace=True)
    assert len(take_in_journals(lab.project).closed) == 2
    tasks.Square(4.0).run()
    assert lab.project.records.count() == 3


def test_a_killed_intake_is_completed_by_the_next(lab):
    """Whatever instant it was killed at: what stands in the store already is passed over."""
    code = "import tasks\nfor x in range(20): tasks.Square(float(x)).run()"
    lab.run(code, SMTTASK_RECORD_STORE="journal")
    take = (
        "import os, itertools\n"
        "from smttask.project import get_project\n"
        "from smttask.runner import take_in_journals\n"
        "from smttask.records.connection import SQLiteDatabase\n"
        "write, count = SQLiteDatabase.write, itertools.count(1)\n"
        "def dying(self, action):\n"
        "    if next(count) > int(os.environ['N']): os.kill(os.getpid(), 9)\n"
        "    return write(self, action)\n"
        "SQLiteDatabase.write = dying\n"
        "take_in_journals(get_project('.'))\n"
    )
    for n in (1, 5, 8, 2, 11):
        assert lab.run(take, check=False, N=str(n)).returncode == -9
    take_in_journals(lab.project)
    assert statuses(lab) == [("Square", "finished")] * 20
    assert len(set(lab.project.records.labels())) == 20
    assert not any(record.outcome for record in lab.project.records.records())


def test_journals_that_cannot_be_read_keep_nobody_from_recording(lab):
    """A warning says so; who asks for the intake gets the error."""
    (lab.root / ".smt" / "journal").write_text("no folder")
    tasks = lab.load("tasks")
    with pytest.warns(RecordStoreWarning, match="journals of records cannot be taken in"):
        tasks.Square(2.0).run()
    assert statuses(lab) == [("Square", "finished")]
    with pytest.raises(RecordStoreError, match="cannot be taken in"):
        take_in_journals(lab.project)


@pytest.mark.slow
def test_writers_that_go_on_and_die_while_two_take_in_lose_and_double_nothing(lab):
    """Every result has one finished record, every killed run one that says so."""
    write = "import sys, tasks\nfor x in range(40): tasks.Square(float(sys.argv[1]) + x).run()"
    take = (
        "import sys, time\n"
        "from smttask.project import get_project\n"
        "from smttask.runner import take_in_journals\n"
        "while True: take_in_journals(get_project('.')); time.sleep(0.01)\n"
    )
    environment = {**os.environ, "SMTTASK_RECORD_STORE": "journal", "PYTHONWARNINGS": "ignore"}
    taking = [subprocess.Popen([sys.executable, "-c", take], cwd=lab.root) for _ in range(2)]
    writing = [
        subprocess.Popen([sys.executable, "-c", write, str(100 * n)], cwd=lab.root, env=environment)
        for n in range(4)
    ]
    results = lab.root / "data" / "run_dump" / "Square"
    while not results.exists() or len(list(results.glob("*.json"))) < 20:
        time.sleep(0.01)
    writing[0].kill()
    taking[0].kill()
    assert [process.wait() for process in writing[1:]] == [0, 0, 0]
    taking[1].kill()
    for process in (*writing, *taking):
        process.wait()
    settle_open_runs(lab.project)
    by_status = {"finished": set(), "killed": set()}
    for record in lab.project.records.records():
        by_status[record.status].add(record.label)
    labels = lab.project.records.labels()
    assert len(labels) == len(set(labels))
    assert by_status["finished"] == {path.stem for path in results.glob("*.json")}
    assert len(by_status["finished"]) >= 120
    assert len(by_status["killed"]) <= 1
    assert not (lab.root / ".smt" / "journal").exists()
