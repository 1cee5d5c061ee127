"""A set of folders by groups and aliases."""

import json
import sys

import pytest

from smttask.errors import InputError, ProjectError, TaskfileError
from smttask.tasker.sets import SetTasker
from smttask.testing import scratch_project

TASKFILE = """
from smttask import tasker

def use(dir, times=1):
    t = tasker.Tasker(dir)

    @t.stores(tasker.JSON("name.json"))
    def where(tsk):
        return t.name * times

    return t
"""


@pytest.fixture
def experiment(tmp_path):
    """Two movies, a group and an alias."""
    path = list(sys.path)
    for name in ("movie1", "movie2"):
        (tmp_path / "day" / name).mkdir(parents=True)
    (tmp_path / "taskfile_sub.py").write_text(TASKFILE)
    (tmp_path / "groups.json").write_text(json.dumps({"slow": ["day/movie2", "day/movie1"]}))
    (tmp_path / "aliases.json").write_text(json.dumps({"best": "day/movie2"}))
    yield SetTasker(tmp_path)
    sys.path[:] = path
    sys.modules.pop("taskfile_sub", None)


def error_of(call, *args):
    with pytest.raises(InputError) as caught:
        call(*args)
    return str(caught.value)


def test_folders_are_used_by_path_group_and_alias(experiment):
    """A group keeps its order; what `use` takes is passed on."""
    day = experiment.p / "day"
    assert experiment.use("day", times=2).where() == "dayday"
    assert experiment.group_paths("slow") == [day / "movie2", day / "movie1"]
    assert [t.where() for t in experiment.grp("slow")] == ["movie2", "movie1"]
    assert experiment.alias_path("best") == day / "movie2"
    assert experiment.al("best").where() == "movie2"


def test_an_edit_of_the_groups_counts_at_once(experiment):
    """They are read when they are asked for."""
    assert list(experiment.groups) == ["slow"]
    (experiment.p / "groups.json").write_text('{"fast": []}')
    assert (experiment.groups, experiment.grp("fast")) == ({"fast": []}, [])
    assert experiment.aliases == {"best": "day/movie2"}


def test_a_set_has_tasks_of_its_own_and_its_own_taskfiles(experiment):
    """It is a Tasker, and its subfolders may have taskfiles of another name."""
    (experiment.p / "day" / "movie1" / "mine.py").write_text(TASKFILE.replace("t.name", "'mine'"))
    s = SetTasker(experiment.p, taskfile="mine.py", taskfile_sub=None)

    @s
    def both(tsk):
        return s.use("day/movie1").where()

    assert both() == "mine"
    with pytest.raises(TaskfileError, match="There is no taskfile"):
        s.use("day/movie2")


def test_a_set_records_its_own_tasks_if_asked_to(tmp_path):
    """In the project around its folder, as any Tasker."""
    assert not SetTasker(tmp_path).record
    with pytest.raises(ProjectError, match="in no project"):
        SetTasker(tmp_path, record=True)
    with scratch_project(tmp_path / "lab") as scratch:
        assert SetTasker(scratch.root, record=True).record


def test_an_unknown_group_or_alias_is_an_error_with_a_suggestion(experiment):
    """What is known is listed."""
    assert error_of(experiment.grp, "slwo") == (
        "There is no group 'slwo'.\n  known: slow\n  did you mean 'slow'?"
    )
    assert error_of(experiment.al, "xyz") == (
        f"There is no alias 'xyz'.\n  known: best\n  add it to {experiment.p / 'aliases.json'}"
    )


def test_a_folder_of_a_group_that_is_not_there_is_an_error(experiment):
    """It names the group and the file to edit."""
    (experiment.p / "groups.json").write_text('{"slow": ["day/movie3"]}')
    (experiment.p / "aliases.json").write_text('{"best": "groups.json"}')
    message = error_of(experiment.grp, "slow")
    assert message.startswith(f"There is no folder {experiment.p / 'day' / 'movie3'}, of group 'slow'.")
    assert message.endswith(f"found: nothing there\n  make it, or edit {experiment.p / 'groups.json'}")
    assert "of alias 'best'.\n  found: a file there" in error_of(experiment.al, "best")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "is not made as it should be.\n  found: [1]\n  expected: such as {"),
        ('{"slow": "day"}', "found: 'day' for 'slow'\n  expected: a list of folders, as text"),
        ('{"slow": [3]}', "found: [3] for 'slow'\n  expected: a list of folders, as text"),
        ("{", "groups.json' cannot be read as JSON"),
        (None, "There is no groups.json in"),
    ],
)
def test_a_file_of_groups_that_is_not_one_is_an_error(experiment, text, message):
    """It says what was found, and what such a file looks like."""
    (experiment.p / "groups.json").unlink()
    if text is not None:
        (experiment.p / "groups.json").write_text(text)
    assert message in error_of(experiment.grp, "slow")


def test_a_file_of_aliases_that_is_not_one_is_an_error(experiment):
    """An alias is one folder."""
    (experiment.p / "aliases.json").write_text('{"best": ["day"]}')
    assert "found: ['day'] for 'best'\n  expected: a folder, as text" in error_of(experiment.al, "best")
