"""State files: what a task knew when it last ran."""

import json
import os

import pytest

from smttask.errors import StorageError
from smttask.tasker.state import (
    ConfRead,
    FileState,
    State,
    file_key,
    file_path,
    lock_path,
    read_state,
    state_path,
    stored_by,
    unfinished,
    write_state,
)

STATE = State(
    outputs={"a.json": FileState(11, 1_795_372_322_211_295_757, 4294054, "ab" * 32)},
    inputs={"/data/x.txt": FileState(1, -1, 7, "cd" * 32), "raw": FileState(9, 5, 8, "ef" * 32, "01" * 32)}
    | {"later.txt": None},
    upstream={"random": {"r.npy": "12" * 32}, "../b:fit": {"fit.json": "34" * 32}},
    conf={"fps": ConfRead("56" * 10, "50"), "gain": ConfRead("", "absent")},
    code={"summary": {"taskfile:summary": "0123456789ab"}},
    places="78" * 10,
    formats={"a.json": "JSON"},
)

GOLDEN = """{
 "format": 1,
 "task": "summary",
 "is_finished": true,
 "outputs": {
  "a.json": {
   "size": 11,
   "mtime_ns": 1795372322211295757,
   "inode": 4294054,
   "blake3": "A"
  }
 },
 "inputs": {},
 "upstream": {
  "random": {
   "r.npy": "R"
  }
 },
 "conf": {
  "fps": {
   "digest": "C",
   "text": "50"
  }
 },
 "code": {
  "summary": {
   "taskfile:summary": "0123456789ab"
  }
 },
 "places": "P",
 "formats": {
  "a.json": "JSON"
 }
}
"""
for name, digest in {"A": "ab" * 32, "R": "12" * 32, "C": "56" * 10, "P": "78" * 10}.items():
    GOLDEN = GOLDEN.replace(f'"{name}"', f'"{digest}"')


def test_a_state_comes_back_as_it_was_written(tmp_path):
    """All that a task knew is there again, for the task of that name alone."""
    assert read_state(tmp_path, "summary") is None
    write_state(tmp_path, "summary", STATE)
    assert read_state(tmp_path, "summary") == STATE
    assert read_state(tmp_path, "other") is None
    assert os.listdir(tmp_path / ".tasker") == ["summary.json"]


def test_the_state_file_is_a_promise(tmp_path):
    """A state file of the first release is read by all later ones, and people can read it too."""
    state = State(
        STATE.outputs,
        {},
        {"random": STATE.upstream["random"]},
        {"fps": STATE.conf["fps"]},
        STATE.code,
        STATE.places,
        STATE.formats,
    )
    write_state(tmp_path, "summary", state)
    assert (tmp_path / ".tasker/summary.json").read_text() == GOLDEN
    assert read_state(tmp_path, "summary") == state


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "JSONDecodeError"),
        ("[1]", "TypeError"),
        ("{}", "KeyError: 'format'"),
        (GOLDEN[:200], "JSONDecodeError"),
        (GOLDEN.replace('"format": 1', '"format": 2'), "format 2, and this smttask reads 1"),
        (GOLDEN.replace('"summary",', '"other",', 1), "it belongs to the task 'other'"),
        (GOLDEN.replace('"inode"', '"node"'), "unexpected keyword"),
        (GOLDEN.replace('"random": {\n   "r.npy": "' + "12" * 32 + '"\n  }', '"random": 5'), "TypeError"),
    ],
)
def test_a_damaged_state_says_what_is_wrong(tmp_path, text, why):
    """A state file that was cut, edited or written by a newer version never counts as known."""
    (tmp_path / ".tasker").mkdir()
    (tmp_path / ".tasker/summary.json").write_text(text)
    state = read_state(tmp_path, "summary")
    assert why in state.damaged
    assert str(tmp_path) in state.damaged
    assert state.outputs == {}


def test_names_of_files_in_any_encoding_are_kept(tmp_path):
    """A file whose name is no UTF-8 stands in a state file, which is ASCII."""
    name = os.fsdecode(b"\xe9t\xe9.txt")
    write_state(tmp_path, "f", State(outputs={name: FileState(1, 2, 3, "")}))
    assert (tmp_path / ".tasker/f.json").read_bytes().isascii()
    assert os.fsencode(next(iter(read_state(tmp_path, "f").outputs))) == b"\xe9t\xe9.txt"


def test_files_inside_are_known_by_relative_names():
    """A folder can be moved with all its states: only files elsewhere have absolute names."""
    assert file_key("/lab/a", "/lab/a/raw/x.txt") == "raw/x.txt"
    assert file_key("/lab/a", "/lab/ab/x.txt") == "/lab/ab/x.txt"
    for path in ("/lab/a/raw/x.txt", "/data/z.txt"):
        assert file_path("/lab/a", file_key("/lab/a", path)) == path


def test_any_name_of_a_task_is_a_file_name(tmp_path):
    """Lambdas, dots, slashes and long names get files of their own in the folder of states."""
    names = ["fit", "<lambda>", "a.b", "a/b", "a%2Fb", "..", "é", "x" * 300, "x" * 299 + "y", "\udc80"]
    for name in names:
        write_state(tmp_path, name, State(conf={"name": ConfRead(name, "")}))
    assert [read_state(tmp_path, name).conf["name"].digest for name in names] == names
    assert len(os.listdir(tmp_path / ".tasker")) == len(names)
    assert {os.path.dirname(lock_path(tmp_path, name)) for name in names} == {str(tmp_path / ".tasker")}
    assert os.path.basename(state_path(tmp_path, "fit")) == "fit.json"


def test_a_state_that_cannot_be_read_or_written_is_an_error(tmp_path):
    """What the system refuses is said with the file and what to do, not taken for no state."""
    (tmp_path / ".tasker/f.json").mkdir(parents=True)
    with pytest.raises(StorageError, match="(?s)The state of task 'f' cannot be read.*name a file"):
        read_state(tmp_path, "f")
    (tmp_path / "b").mkdir()
    (tmp_path / "b/.tasker").write_text("")
    assert read_state(tmp_path / "b", "f") is None
    with pytest.raises(StorageError, match="The state of task 'f' cannot be written"):
        write_state(tmp_path / "b", "f", STATE)


def test_what_is_stored_is_known_also_of_tasks_that_are_no_more(tmp_path):
    """And of runs that did not finish; not of files that are damaged, or no states."""
    assert stored_by(tmp_path) == {}
    write_state(tmp_path, "summary", STATE)
    write_state(tmp_path, "größe 2", unfinished(["b.txt", "c"]))
    write_state(tmp_path, "cut", STATE)
    (tmp_path / ".tasker/cut.json").write_text('{"format": 1')
    (tmp_path / ".tasker/plain.status.json").write_text('{"format": 1, "task": "plain"}')
    (tmp_path / ".tasker/dir.json").mkdir()
    owners = dict.fromkeys(STATE.outputs, "summary")
    assert stored_by(tmp_path) == {**owners, "b.txt": "größe 2", "c": "größe 2"}


def test_a_state_is_replaced_at_once(tmp_path):
    """Whoever reads while a state is written sees the old or the new one, and nothing else is left."""
    write_state(tmp_path, "f", State(is_finished=False))
    with open(state_path(tmp_path, "f")) as reader:
        write_state(tmp_path, "f", STATE)
        assert json.load(reader)["is_finished"] is False
    assert read_state(tmp_path, "f").is_finished
    assert os.listdir(tmp_path / ".tasker") == ["f.json"]
