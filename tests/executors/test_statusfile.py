"""What a run tells other terminals."""

import json
import os
import subprocess
import sys

import pytest

from smttask.executors.outcome import Outcome, Summary
from smttask.executors.standing import folder_standing
from smttask.executors.statusfile import StatusFile, folders_of, read_status
from smttask.executors.work import Work


@pytest.fixture
def lab(tmp_path):
    """A folder that looks like a project, with ten description files."""
    (tmp_path / ".smt").mkdir()
    (tmp_path / ".smt" / "project").touch()
    (tmp_path / "todo").mkdir()
    for number in range(10):
        path_of(tmp_path, number).touch()
    return tmp_path


def path_of(lab, number):
    return lab / "todo" / f"A__{number}.taskdesc.json"


def work(lab, number):
    return Work(str(path_of(lab, number)), number, path=str(path_of(lab, number)))


def failure(lab, number):
    return Outcome(str(path_of(lab, number)), "failed", 1.0, "ValueError: no", worker=number)


def told_files(lab):
    return sorted((lab / ".smt" / "runs").iterdir())


def begun(lab, **more):
    """A run of the folder that has one task at work and one failed."""
    status = StatusFile([str(lab / "todo")], **more)
    status.__enter__()
    status.planned(10, is_all=True)
    status.started(1, work(lab, 1))
    status.started(2, work(lab, 2))
    status.finished(failure(lab, 2))
    again(status)
    return status


def again(status):
    """Let it write now, not in a second."""
    status._due = 0.0
    status.refresh()


def test_a_run_tells_who_does_what(lab):
    """Host, process, command, workers, what they run, counts and failures."""
    begun(lab, executor="process", n_workers=3)
    [path] = told_files(lab)
    told = read_status(str(path))
    assert (told["pid"], told["executor"], told["n_workers"]) == (os.getpid(), "process", 3)
    assert told["counts"] == {"failed": 1}
    assert [(each["worker"], each["path"]) for each in told["running"]] == [(1, str(path_of(lab, 1)))]
    assert [each["error"] for each in told["failures"]] == ["ValueError: no"]


def test_an_input_that_is_run_by_itself_is_named(lab):
    """Beside the file that needs it."""
    status = begun(lab)
    name = "Up__88aa01b1c2d3e4f5a6b7"
    status.started(1, Work(name, 1, path=str(path_of(lab, 1)), part="88aa01b1c2d3e4f5a6b7"))
    again(status)
    [work] = read_status(str(told_files(lab)[0]))["running"]
    assert (work["path"], work["task"]) == (str(path_of(lab, 1)), "Up__88aa01")


def test_the_files_of_a_folder_run_wait_or_failed(lab):
    """Each is counted once, also from below and from above the folder."""
    status = begun(lab)
    for folder in (lab, lab / "todo"):
        standing = folder_standing(str(folder))
        assert (len(standing.running), standing.n_waiting, len(standing.failed)) == (1, 8, 1)
        assert [run.state for run in standing.runs] == ["running"]
    status.close(Summary())
    standing = folder_standing(str(lab / "todo"))
    assert (len(standing.running), standing.n_waiting, len(standing.failed)) == (0, 9, 1)
    assert [run.state for run in standing.runs] == ["ended"]
    (lab / "other").mkdir()
    assert folder_standing(str(lab / "other")).runs == []
    assert json.loads(json.dumps(standing.to_json()))["n_failed"] == 1


def test_a_failure_is_told_until_its_file_is_run_again(lab):
    """It waits while a later run has the folder; when its file is gone it is forgotten."""
    begun(lab).close(Summary())
    [last] = told_files(lab)
    last.rename(last.with_name("other-1.json"))
    second = StatusFile([str(lab / "todo")])
    second.__enter__()
    assert folder_standing(str(lab / "todo")).failed == []
    second.close(Summary())
    assert [path.name for path in told_files(lab)] != ["other-1.json"]
    begun(lab).close(Summary())
    path_of(lab, 2).unlink()
    assert folder_standing(str(lab / "todo")).failed == []


def test_the_summary_of_a_run_beside_it_stays(lab):
    """Only those that ended before this one began are removed, and only of the same folders."""
    first, second = begun(lab), begun(lab)
    second._paths = [path.replace(".json", "-2.json") for path in second._paths]
    first.close(Summary())
    again(second)
    second.close(Summary(signal=2))
    assert len(told_files(lab)) == 2
    assert read_status(str(told_files(lab)[0]))["signal"] == 2


KILLED = """
import os, signal, sys
from smttask.executors.statusfile import StatusFile
from smttask.executors.work import Work
status = StatusFile([sys.argv[1]])
status.__enter__()
status.planned(10, is_all=True)
status.started(1, Work("a", path=sys.argv[1] + "/A__1.taskdesc.json"))
status._due = 0.0
status.refresh()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_run_that_was_killed_is_known_for_dead(lab):
    """What it ran waits again, and the next run removes what it left."""
    subprocess.run([sys.executable, "-c", KILLED, str(lab / "todo")], check=False)
    standing = folder_standing(str(lab / "todo"))
    assert [run.state for run in standing.runs] == ["dead"]
    assert (len(standing.running), standing.n_waiting) == (0, 10)
    begun(lab).close(Summary())
    assert [run.state for run in folder_standing(str(lab)).runs] == ["ended"]


def test_a_run_of_another_host_that_is_silent_is_said_to_be(lab):
    """Nobody here can know whether it lives."""
    begun(lab)
    [path] = told_files(lab)
    told = read_status(str(path)) | {"host": "elsewhere", "told": "2020-01-01T00:00:00.000+00:00"}
    path.write_text(json.dumps(told))
    assert [run.state for run in folder_standing(str(lab)).runs] == ["silent"]


def test_without_a_project_the_folder_itself_has_the_file(tmp_path):
    """In a hidden folder, which is removed when there is nothing left to say."""
    (tmp_path / "todo").mkdir()
    (tmp_path / "todo" / "A__2.taskdesc.json").touch()
    status = StatusFile([str(tmp_path / "todo")])
    status.__enter__()
    assert [run.state for run in folder_standing(str(tmp_path)).runs] == ["running"]
    status.close(Summary())
    assert os.listdir(tmp_path / "todo") == ["A__2.taskdesc.json"]
    status = StatusFile([str(tmp_path / "todo")])
    status.__enter__()
    status.finished(failure(tmp_path, 2))
    status.close(Summary())
    assert len(folder_standing(str(tmp_path)).failed) == 1


def test_a_run_that_could_not_begin_leaves_nothing(lab):
    """As after an error of the project."""
    status = begun(lab)
    status.close(None)
    assert told_files(lab) == []


def test_where_it_cannot_be_written_the_run_goes_on(lab):
    """A file stands where the folder should be."""
    (lab / ".smt" / "runs").touch()
    begun(lab).close(Summary())
    assert folder_standing(str(lab)).runs == []


def test_other_files_are_no_runs(lab):
    """Neither damaged ones nor those of a newer version."""
    (lab / ".smt" / "runs").mkdir()
    (lab / ".smt" / "runs" / "a.json").write_text("{")
    (lab / ".smt" / "runs" / "b.json").write_text('{"format": 99}')
    assert folder_standing(str(lab)).runs == []


def test_a_thousand_failures_do_not_fill_the_disk(lab):
    """While it runs the file has the last ones; the summary has all."""
    status = begun(lab)
    for number in range(3000):
        status.finished(failure(lab, number))
    again(status)
    [path] = told_files(lab)
    assert (len(read_status(str(path))["failures"]), read_status(str(path))["n_failures"]) == (1000, 3001)
    status.close(Summary())
    assert len(read_status(str(path))["failures"]) == 3001


def test_the_folders_of_a_run_are_those_of_its_files(lab, monkeypatch):
    """Links and repetitions aside."""
    monkeypatch.chdir(lab)
    os.symlink("todo", lab / "link")
    paths = [f"todo/A__{number}.taskdesc.json" for number in range(3)] + ["link", "todo/"]
    assert folders_of(paths) == [str(lab / "todo")]


def over_folders(lab, names, failed=()):
    """A finished run over folders, of which some failed."""
    folders = [str(lab / name) for name in names]
    status = StatusFile(folders_of(folders), noun="folder")
    with status:
        status.planned(len(folders), is_all=True)
        for folder in folders:
            outcome = "failed" if os.path.basename(folder) in failed else "computed"
            status.finished(Outcome(folder, outcome, error="size: OSError" if outcome == "failed" else ""))
    status.close(Summary(status.counts))


def test_a_run_over_folders_tells_of_them_in_one_place(tmp_path):
    """Around them all, however many they are; what is at work, and how many are left."""
    folders = [tmp_path / f"run{number}" for number in range(5)]
    for folder in folders:
        folder.mkdir()
    status = StatusFile(folders_of(map(str, folders)), noun="folder")
    status.__enter__()
    status.planned(5, is_all=True)
    status.started(1, Work(str(folders[0]), call="lab:act"))
    again(status)
    assert [path.parent for path in tmp_path.rglob("*.json")] == [tmp_path / ".smttask" / "runs"]
    standing = folder_standing(str(tmp_path))
    assert (standing.running, standing.n_waiting, standing.failed) == ({str(folders[0])}, 4, [])
    assert folder_standing(str(folders[0])).running == {str(folders[0])}
    status.close(None)
    assert not (tmp_path / ".smttask").exists()


def test_a_folder_that_failed_is_told_until_it_went_well(tmp_path):
    """Also if that is in a run over some of the folders."""
    names = ["a", "b", "c"]
    for name in names:
        (tmp_path / name).mkdir()
    over_folders(tmp_path, names, failed=["a", "b"])
    failed = [os.path.basename(each["path"]) for each in folder_standing(str(tmp_path)).failed]
    assert failed == ["a", "b"]
    assert [each["error"] for each in folder_standing(str(tmp_path / "b")).failed] == ["size: OSError"]
    over_folders(tmp_path, ["a"])
    assert [os.path.basename(each["path"]) for each in folder_standing(str(tmp_path)).failed] == ["b"]
    over_folders(tmp_path, names)
    assert folder_standing(str(tmp_path)).failed == []
    assert not (tmp_path / ".smttask").exists()
