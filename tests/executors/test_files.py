"""Which files the paths of `smttask run` mean."""

import os

import pytest

from smttask.errors import DescriptionError
from smttask.executors.files import check_paths, iter_files


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in (
        "b.taskdesc.json",
        "a/z.taskdesc.json",
        "a/notes.json",
        "c/d/y.taskdesc.json",
        ".old/x.taskdesc.json",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_folders_are_searched_recursively_in_sorted_order(folder):
    """Only description files, in the order of their paths; hidden folders are left alone."""
    found = [os.path.relpath(path) for path in iter_files(["."])]
    assert found == ["a/z.taskdesc.json", "b.taskdesc.json", "c/d/y.taskdesc.json"]


def test_reverse_takes_the_files_from_the_end(folder):
    """`-r` is the same list read backwards, so that two machines can meet in the middle."""
    paths = ["b.taskdesc.json", "c", "a"]
    assert list(iter_files(paths, reverse=True)) == list(iter_files(paths))[::-1]


def test_a_file_named_twice_is_taken_once(folder):
    """A folder, a file in it and a link to the folder name the file once."""
    (folder / "link").symlink_to(folder / "a")
    assert list(iter_files(["a/z.taskdesc.json", "a", "link/", str(folder / "a")])) == ["a/z.taskdesc.json"]


def test_a_named_file_needs_no_special_name(folder):
    """What a user names is meant."""
    assert list(iter_files(["a/notes.json"])) == ["a/notes.json"]


def test_a_path_that_leads_nowhere_is_an_error(folder):
    """The message names it and where it was looked for."""
    with pytest.raises(
        DescriptionError, match=r"There is no file or folder nowhere \(and 1 more\)\.\n  searched from: "
    ) as caught:
        check_paths(["a", "nowhere", "gone/x.taskdesc.json"])
    assert caught.value.source == "nowhere"


def test_a_description_that_another_process_finished_is_let_pass(folder):
    """A shell listed it a moment ago; alone it is more likely a slip."""
    check_paths(["a", "finished.taskdesc.json"])
    with pytest.raises(DescriptionError, match=r"There is no file or folder finished\.taskdesc\.json\."):
        check_paths(["finished.taskdesc.json"])


def test_a_folder_that_cannot_be_read_is_named(folder):
    """A file where a folder was expected stands for any folder that the system refuses."""
    with pytest.raises(
        DescriptionError, match=r"The folder a/notes\.json cannot be searched.*\n  found: Not a directory"
    ):
        from smttask.executors.files import _walk

        list(_walk("a/notes.json", False))
