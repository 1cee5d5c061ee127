"""`Tasker(dir, record=True)`: each run of a task is a Sumatra record."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from smttask import RSView, config
from smttask.care.verify import verify
from smttask.errors import (
    DescriptionError,
    ProjectError,
    RecordStoreError,
    RecordStoreWarning,
    ResultNotFoundError,
    SmttaskWarning,
    StaleModuleError,
    UncommittedChangesError,
)
from smttask.hashing import hash_file
from smttask.runner import settle_open_runs, take_in_journals
from smttask.tasker import Tasker, use
from smttask.testing import ScratchProject, scratch_project

TASKFILE = """
import os
from smttask import tasker

def use(dir):
    t = tasker.Tasker(dir, record=True)
    t.conf = {"scale": 3, "camera": {"fps": 50}}

    @t.stores(tasker.JSON("numbers.json"))
    def numbers(tsk, source="a.txt"):
        print("reading", source.name)
        if source.read_text() == "die":
            os.kill(os.getpid(), 9)
        return [int(word) * tsk.conf.scale for word in source.read_text().split()]

    @t
    def largest(tsk, numbers=numbers):
        return max(numbers)

    @t.stores("summary.txt", tasker.JSON("largest.json"))
    def summary(tsk, largest=largest):
        tsk.output_files[0].write_text(f"largest: {largest}")
        return None, largest

    return t
"""


@pytest.fixture
def rat(tmp_path: Path) -> Iterator[ScratchProject]:
    """A committed project with a taskfile and the data of one rat."""
    with scratch_project(tmp_path / "project", {"taskfile_sub.py": TASKFILE}) as scratch:
        scratch.write({"rats/rat1/a.txt": "1 2 3"}, commit=False)
        yield scratch


def records(scratch: ScratchProject) -> dict[str, Any]:
    """Task -> its latest record."""
    return {record.task: record for record in reversed(list(scratch.project.records.records()))}


def test_each_run_is_a_record_and_what_is_current_makes_none(rat: ScratchProject) -> None:
    """With status, duration, what was printed, commit, packages, folder and reason to run again none."""
    t = use(rat.root / "rats/rat1")
    assert t.summary() == [rat.root / "rats/rat1/summary.txt", 9]
    t.summary()
    found = records(rat)
    assert rat.project.records.count() == 2
    assert {name: record.status for name, record in found.items()} == {
        "numbers": "finished",
        "summary": "finished",
    }
    numbers = found["numbers"]
    assert numbers.stdout_stderr == "reading a.txt\n"
    assert numbers.duration_s >= 0
    assert {"numpy"} <= {package.name for package in numbers.dependencies}
    assert (numbers.main_file, numbers.module) == ("taskfile_sub.py", "taskfile_sub")
    assert numbers.script_arguments == "numbers rats/rat1"
    assert numbers.working_directory == str(rat.root / "rats/rat1")


def test_files_are_data_keys_by_content(rat: ScratchProject) -> None:
    """What goes in, from other tasks too, is relative to the input store, the rest to the output store."""
    t = use(rat.root / "rats/rat1")
    t.summary()
    found = records(rat)
    data, folder = rat.project.data, rat.root / "rats/rat1"
    named = [
        *((data.input_dir, key) for task in ("numbers", "summary") for key in found[task].input_data),
        *((data.output_dir, key) for task in ("numbers", "summary") for key in found[task].output_data),
    ]
    files = [(Path(os.path.normpath(root / key.path)), key.metadata["blake3"]) for root, key in named]
    expected = ["a.txt", "numbers.json", "numbers.json", "summary.txt", "largest.json"]
    assert sorted(files) == sorted((folder / name, hash_file(str(folder / name))) for name in expected)


def test_a_folder_reached_by_a_link_is_the_same(rat: ScratchProject, tmp_path: Path) -> None:
    """So are its records, by whatever path the project is reached."""
    (tmp_path / "link").symlink_to(rat.root)
    t = use(tmp_path / "link/rats/rat1")
    t.numbers()
    record = RSView(rat.project).latest
    assert [key.path for key in record.output_data] == ["../../rats/rat1/numbers.json"]
    assert RSView(rat.project).filter.task(use(rat.root / "rats/rat1").numbers).labels() == [record.label]


def test_parameters_hold_folder_conf_and_upstream_digests(rat: ScratchProject) -> None:
    """They are looked for like inputs of any task; of conf there is what was read."""
    t = use(rat.root / "rats/rat1")
    t.summary()
    assert RSView(rat.project).filter.params(eq={"conf.scale": 3}).latest.task_name == "numbers"
    assert records(rat)["numbers"].parameters.count("camera") == 0
    record = RSView(rat.project).filter.task("summary").latest
    assert (record.get_param("folder"), record.get_param("conf")) == (t.p, {})
    upstream = record.get_param("upstream.numbers")
    assert upstream == {"numbers.json": hash_file(str(t.p / "numbers.json"))}
    assert RSView(rat.project).filter.task(t.summary).labels() == [record.label]


def test_a_record_says_where_its_task_and_its_files_are(rat: ScratchProject) -> None:
    """It has no manifest, and its task is made by the taskfile."""
    t = use(rat.root / "rats/rat1")
    t.numbers()
    record = RSView(rat.project).latest
    with pytest.raises(DescriptionError, match=r"smttask.tasker.use\('rats/rat1'\).numbers"):
        _ = record.task
    with pytest.raises(ResultNotFoundError, match="or a Tasker, whose files stay(.|\n)*output_data"):
        record.get_output()
    assert "def numbers" in record.task_code
    assert "input folder    'rats/rat1'" in record.describe()


def test_a_run_that_fails_is_a_crashed_record(rat: ScratchProject) -> None:
    """Its outcome is the error, its output the traceback, and the error names the record."""
    (rat.root / "rats/rat1/a.txt").write_text("one")
    t = use(rat.root / "rats/rat1")
    with pytest.raises(ValueError, match="invalid literal") as caught:
        t.summary()
    (record,) = rat.project.records.records()
    assert record.status == "crashed"
    assert '"conf":{"scale":3,"camera":{"fps":50}}' in record.parameters
    assert record.outcome.startswith("ValueError: invalid literal")
    assert "reading a.txt" in record.stdout_stderr
    assert "Traceback" in record.stdout_stderr
    assert any(record.label in note for note in caught.value.__notes__)


def test_the_record_of_a_killed_run_is_settled_by_the_next(rat: ScratchProject) -> None:
    """Nobody needs to do anything about it."""
    source = rat.root / "rats/rat1/a.txt"
    source.write_text("die")
    assert rat.run("from smttask.tasker import use; use('rats/rat1').summary()", check=False).returncode == -9
    assert [record.status for record in rat.project.records.records()] == ["running"]
    source.write_text("4")
    assert use(rat.root / "rats/rat1").summary()[1] == 12
    statuses = [record.status for record in rat.project.records.records()]
    assert sorted(statuses) == ["finished", "finished", "killed"]
    assert settle_open_runs(rat.project) == []


def test_an_interrupted_run_is_a_killed_record(rat: ScratchProject) -> None:
    """As for recorded tasks."""
    t = use(rat.root / "rats/rat1")

    @t.stores("never.txt")
    def endless(tsk: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        t.endless()
    (record,) = rat.project.records.records()
    assert (record.status, record.outcome) == ("killed", "KeyboardInterrupt")


def test_sumatra_and_the_commands_of_smttask_know_the_records(rat: ScratchProject) -> None:
    """`smt list`, `smttask store show` and `verify`, which finds nothing wrong."""
    t = use(rat.root / "rats/rat1")
    t.summary()
    label = records(rat)["summary"].label
    listed = rat.smttask("smt", "list", "--long").stdout
    assert label in listed
    assert "summary.txt" in listed
    shown = rat.smttask("store", "show", label).stdout
    assert "rats/rat1" in shown
    assert "summary.txt" in shown
    assert verify(rat.project).problems == []
    assert "rats/rat1" in repr(RSView(rat.project).latest.input_texts)


def test_lists_of_records_name_the_folder(rat: ScratchProject, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of the same task in many folders are told apart; where there is little room its end is shown."""
    use(rat.root / "rats/rat1").numbers()
    view = RSView(rat.project)
    assert "  numbers  rats/rat1  " in repr(view)
    assert repr(view.latest) == f"<RecordView {view.latest.label} numbers rats/rat1 finished>"
    assert "rats/rat1" in view._repr_html_()
    listed = rat.smttask("store", "list").stdout
    assert listed.split()[:3] == ["label", "task", "folder"]
    assert "  rats/rat1  " in listed
    far = rat.root / "rats" / "far" / "from" / "the" / "others" / "rat2"
    far.mkdir(parents=True)
    (far / "a.txt").write_text("1")
    use(far).numbers()
    monkeypatch.setenv("COLUMNS", "60")
    assert "…others/rat2" in repr(RSView(rat.project))


def test_uncommitted_code_is_refused_or_kept_as_a_difference(rat: ScratchProject) -> None:
    """As for recorded tasks: the message names both ways out, and nothing ran."""
    rat.write({"taskfile_sub.py": TASKFILE + "\nextra = 1\n"}, commit=False)
    t = use(rat.root / "rats/rat1")
    with pytest.raises(UncommittedChangesError, match="Task 'numbers' of .*rat1.*(.|\n)*taskfile_sub.py"):
        t.summary()
    assert rat.project.records.count() == 0
    assert not (t.p / "numbers.json").exists()
    with config.use(allow_uncommitted_changes=True):
        t.summary()
    assert "+extra = 1" in records(rat)["summary"].diff


def test_code_that_its_file_no_longer_holds_is_refused(rat: ScratchProject) -> None:
    """A Tasker made before an edit says so instead of recording the wrong commit."""
    t = use(rat.root / "rats/rat1")
    rat.write({"taskfile_sub.py": TASKFILE.replace("max(", "min(")})
    with pytest.raises(StaleModuleError, match="taskfile_sub.py"):
        t.summary()


def test_a_folder_in_no_project_is_refused_when_the_tasker_is_made(tmp_path: Path) -> None:
    """The message says what to do."""
    with pytest.raises(ProjectError, match="in no project(.|\n)*smttask project init(.|\n)*record=True"):
        Tasker(tmp_path, record=True)


def test_a_notebook_must_be_allowed(rat: ScratchProject) -> None:
    """Its cells are in no commit: refused, unless the project keeps their source."""
    script = (
        "from smttask.tasker import Tasker, JSON\n"
        "t = Tasker('rats/rat1', record=True)\n"
        "@t.stores(JSON('two.json'))\n"
        "def two(tsk):\n"
        "    return 2\n"
        "print(t.two())\n"
    )
    refused = rat.run(script, check=False)
    assert "NotRecordableError" in refused.stderr
    assert "allow_main" in refused.stderr
    (rat.root / "analysis.py").write_text(script)
    done = subprocess.run(
        [sys.executable, "analysis.py"],
        cwd=rat.root,
        env={**os.environ, "SMTTASK_ALLOW_MAIN": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "2\n", done.stderr
    (record,) = rat.project.records.records()
    entry = json.loads(record.parameters)["tasks"][record.digest]
    assert "return 2" in rat.project.data.get_text(entry["source"], ".py")
    assert record.main_file == "analysis.py"


def test_file_names_that_no_record_can_hold_are_refused_before_the_run(rat: ScratchProject) -> None:
    """Instead of a run that is recorded without its files."""
    long = "x" * 210
    rat.write({"taskfile_sub.py": TASKFILE.replace("summary.txt", long)})
    t = use(rat.root / "rats/rat1")
    with pytest.raises(RecordStoreError, match="No record can hold the path"):
        t.summary()
    assert not (t.p / long).exists()


def test_a_failing_record_store_loses_no_output(rat: ScratchProject) -> None:
    """The run goes on, and a warning tells that it has no record."""
    (rat.root / ".smt/records").write_bytes(b"no database")
    t = use(rat.root / "rats/rat1")
    with pytest.warns(RecordStoreWarning, match="'numbers' runs without a record"):
        assert t.numbers() == [3, 6, 9]
    assert t.numbers.is_current()


def test_recording_is_off_by_default_and_by_setting(rat: ScratchProject) -> None:
    """`record=False` in the settings means no record at all, and git is not asked."""
    rat.write({"taskfile_sub.py": TASKFILE + "\nextra = 1\n"}, commit=False)
    with config.use(record=False):
        use(rat.root / "rats/rat1").summary()
    assert rat.project.records.count() == 0
    assert Tasker(rat.root).record is False


def test_values_of_conf_that_no_record_can_hold_stand_as_text(rat: ScratchProject) -> None:
    """They are no reason not to run."""
    t = use(rat.root / "rats/rat1")
    t.conf.scale = _Strange(3)
    with pytest.warns(SmttaskWarning, match="conf.scale"):
        t.summary()
    assert records(rat)["numbers"].status == "finished"
    assert "Strange" in RSView(rat.project).filter.task("numbers").latest.get_param("conf.scale")


def test_where_another_host_writes_the_records_a_journal_keeps_them(rat: ScratchProject) -> None:
    """They come out of it as they would have been, with what was read of conf."""
    t = use(rat.root / "rats/rat1")
    with config.use(record_store="journal"):
        t.numbers()
    assert rat.project.records.count() == 0
    take_in_journals(rat.project)
    record = RSView(rat.project).latest
    assert (record.status, record.get_param("conf")) == ("finished", {"scale": 3})


class _Strange:
    def __init__(self, value: int) -> None:
        self.value = value

    def __rmul__(self, other: int) -> int:
        return other * self.value

    def __repr__(self) -> str:
        return "Strange"
