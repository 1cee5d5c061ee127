from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from smttask.errors import RepositoryError, UncommittedChangesError
from smttask.records.repository import Repository

IDENTITY = ("-c", "user.name=A Tester", "-c", "user.email=tester@localhost", "-c", "commit.gpgsign=false")
Git = Callable[..., str]


def run_git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *IDENTITY, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with one commit, in a path with a space and letters that are not ASCII."""
    root = tmp_path / "mein Projekt ü"
    root.mkdir()
    run_git(root, "init", "-q", "-b", "main")
    (root / "tasks.py").write_text("x = 1\n")
    (root / "größe 1.py").write_text("y = 1\n")
    (root / "scratch").mkdir()
    (root / "scratch" / "notes.py").write_text("z = 1\n")
    run_git(root, "add", "-A")
    run_git(root, "commit", "-qm", "Begin")
    return root


def test_a_clean_working_copy_is_its_commit(root: Path) -> None:
    state = Repository(root).state([root / "tasks.py"])
    assert state.commit == run_git(root, "rev-parse", "HEAD")
    assert (state.branch, state.changed, state.untracked, state.is_clean) == ("main", (), (), True)


def test_changed_staged_removed_and_untracked_files_are_told_at_once(root: Path) -> None:
    repository = Repository(root)
    files = [root / "tasks.py", root / "größe 1.py", root / "new.py"]
    assert repository.state(files).untracked == ("new.py",) or not files[2].exists()
    (root / "größe 1.py").write_text("y = 2\n")
    assert repository.state(files).changed == ("größe 1.py",)
    (root / "new.py").write_text("")
    assert repository.state(files).untracked == ("new.py",)
    run_git(root, "add", "new.py")
    assert repository.state(files).changed == ("größe 1.py", "new.py")
    run_git(root, "rm", "-q", "scratch/notes.py")
    assert "scratch/notes.py" in repository.state(files).changed


def test_a_commit_is_noticed_at_once(root: Path) -> None:
    repository = Repository(root)
    before = repository.state().commit
    run_git(root, "commit", "-q", "--allow-empty", "-m", "More")
    assert repository.state().commit != before


def test_a_change_outside_the_files_asked_about_is_noticed_within_two_seconds(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = Repository(root)
    repository.state()
    (root / "tasks.py").write_text("x = 2\n")
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 2.1)
    assert repository.state().changed == ("tasks.py",)


def test_git_is_not_asked_again_while_nothing_moves(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = Repository(root)
    state = repository.state([root / "tasks.py"], with_diff=True)
    monkeypatch.setenv("PATH", "/nowhere")
    assert repository.state([root / "tasks.py"]) is state


def test_looking_changes_nothing_in_the_repository(root: Path) -> None:
    os.utime(root / "tasks.py", (1, 1))
    index = (root / ".git" / "index").read_bytes()
    assert Repository(root).state().is_clean
    assert (root / ".git" / "index").read_bytes() == index


def test_the_diff_makes_the_working_copy_out_of_the_commit(root: Path, tmp_path: Path) -> None:
    (root / "tasks.py").write_text("x = 'ü'\n")
    (root / "größe 1.py").write_bytes(b"y = '\xfc'\n")
    (root / "scratch" / "notes.py").write_bytes(b"\0\1\2")
    state = Repository(root).state(with_diff=True)
    copy = tmp_path / "copy"
    run_git(tmp_path, "clone", "-q", str(root), str(copy))
    patch = tmp_path / "patch"
    patch.write_bytes(state.diff.encode("utf-8", "surrogateescape"))
    run_git(copy, "apply", str(patch))
    for name in ("tasks.py", "größe 1.py", "scratch/notes.py"):
        assert (copy / name).read_bytes() == (root / name).read_bytes()


def test_uncommitted_changes_are_refused_with_the_files_and_both_ways_out(root: Path) -> None:
    (root / "größe 1.py").write_text("y = 2\n")
    repository = Repository(root)
    with pytest.raises(UncommittedChangesError, match=r"Task 'A' \(3f\) cannot be recorded") as caught:
        repository.require_committed([root / "tasks.py"], what="Task 'A' (3f)")
    assert caught.value.files == ("größe 1.py",)
    for part in (
        "changed: größe 1.py",
        "git commit -a",
        "allow_uncommitted_changes = true` under [tool.smttask]",
    ):
        assert part in str(caught.value)
    assert "+y = 2" in repository.require_committed(allow_changes=True).diff


def test_a_long_list_of_changed_files_is_cut(root: Path) -> None:
    for number in range(25):
        (root / f"f{number:02}.py").write_text("")
    run_git(root, "add", "-A")
    with pytest.raises(UncommittedChangesError, match="and 5 more"):
        Repository(root).require_committed()


def test_code_that_git_does_not_track_is_refused_even_if_diffs_are_stored(root: Path) -> None:
    (root / "helper.py").write_text("")
    with pytest.raises(UncommittedChangesError, match="git does not track") as caught:
        Repository(root).require_committed([root / "helper.py"], allow_changes=True)
    assert caught.value.files == ("helper.py",)
    assert "git add helper.py" in str(caught.value)


def test_code_that_git_ignores_is_told_with_what_adds_it_nevertheless(root: Path) -> None:
    """``git add`` alone would refuse it; names with blanks are quoted for the shell."""
    (root / "data").mkdir()
    (root / ".gitignore").write_text("/data/\n")
    (root / "data" / "task file.py").write_text("")
    with pytest.raises(UncommittedChangesError) as caught:
        Repository(root).require_committed([root / "data" / "task file.py"])
    assert "ignored by .gitignore: data/task file.py" in str(caught.value)
    command = str(caught.value).splitlines()[-1].partition(": ")[2]
    assert command == "git add --force 'data/task file.py'"
    subprocess.run(command, shell=True, cwd=root, check=True)
    assert not Repository(root).state([root / "data" / "task file.py"]).untracked


def test_dirty_directories_are_not_asked_about(root: Path) -> None:
    (root / "scratch" / "notes.py").write_text("z = 2\n")
    (root / "scratch" / "new.py").write_text("")
    repository = Repository(root, dirty_directories=["scratch"])
    assert repository.state([root / "scratch" / "new.py"]).is_clean


def test_a_project_in_a_folder_of_the_working_copy_counts_from_its_own_root(root: Path) -> None:
    sub = root / "sub"
    (sub / "out").mkdir(parents=True)
    (sub / "out" / "a.py").write_text("")
    run_git(root, "add", "-A")
    run_git(root, "commit", "-qm", "More")
    (sub / "out" / "a.py").write_text("1")
    (root / "tasks.py").write_text("x = 3")
    assert Repository(sub, dirty_directories=["out"]).state().changed == ("tasks.py",)
    assert Repository(sub).working_copy == root


def test_files_outside_the_working_copy_do_not_count(root: Path, tmp_path: Path) -> None:
    (tmp_path / "other.py").write_text("")
    assert Repository(root).state([tmp_path / "other.py"]).is_clean


def test_a_detached_head_has_no_branch(root: Path) -> None:
    run_git(root, "checkout", "-q", "--detach")
    assert Repository(root).state().branch is None


def test_a_worktree_is_a_working_copy_of_its_own(root: Path, tmp_path: Path) -> None:
    run_git(root, "worktree", "add", "-q", str(tmp_path / "tree"), "-b", "side")
    (root / "tasks.py").write_text("x = 2\n")
    repository = Repository(tmp_path / "tree")
    state = repository.state([tmp_path / "tree" / "tasks.py"])
    assert (state.branch, state.is_clean) == ("side", True)
    assert repository.keep(state.commit)
    assert run_git(root, "rev-parse", f"refs/smttask/{state.commit}") == state.commit
    run_git(tmp_path / "tree", "commit", "-q", "--allow-empty", "-m", "More")
    assert repository.state().commit != state.commit


def test_code_in_a_submodule_is_tracked_and_its_changes_are_told(root: Path, tmp_path: Path) -> None:
    run_git(tmp_path, "init", "-q", "library")
    (tmp_path / "library" / "lib.py").write_text("a = 1\n")
    run_git(tmp_path / "library", "add", "-A")
    run_git(tmp_path / "library", "commit", "-qm", "Begin")
    run_git(
        root,
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "--quiet",
        "add",
        str(tmp_path / "library"),
        "lib",
    )
    run_git(root, "commit", "-qm", "Add library")
    repository = Repository(root)
    assert repository.state([root / "lib" / "lib.py"]).is_clean
    (root / "lib" / "lib.py").write_text("a = 2\n")
    assert repository.state([root / "lib" / "lib.py"]).changed == ("lib",)


def test_a_kept_commit_outlives_its_branch(root: Path) -> None:
    run_git(root, "commit", "-q", "--allow-empty", "-m", "To be dropped")
    repository = Repository(root)
    commit = repository.state().commit
    assert repository.keep(commit)
    assert repository.keep(commit)
    run_git(root, "reset", "-q", "--hard", "HEAD~")
    run_git(root, "reflog", "expire", "--expire=now", "--all")
    run_git(root, "gc", "-q", "--prune=now")
    assert run_git(root, "cat-file", "-t", commit) == "commit"
    assert Repository(root).keep(commit)


def test_a_commit_that_does_not_exist_cannot_be_kept(root: Path) -> None:
    assert not Repository(root).keep("1" * 40)


def test_the_address_shows_the_remote_without_its_password(root: Path) -> None:
    assert Repository(root).address.upstream is None
    run_git(root, "remote", "add", "origin", "https://me:secret@example.org/p.git")
    address = Repository(root).address
    assert (address.url, address.upstream) == (str(root), "https://me@example.org/p.git")


def test_the_user_is_whom_git_knows(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    assert Repository(root).user() == ""
    run_git(root, "config", "user.name", "Ö. Tester")
    run_git(root, "config", "user.email", "o@localhost")
    assert Repository(root).user() == "Ö. Tester <o@localhost>"


def test_variables_of_a_git_hook_do_not_lead_to_another_repository(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_git(tmp_path, "init", "-q", "other")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "other" / ".git" / "index"))
    assert Repository(root).state().is_clean


def test_a_folder_in_no_working_copy_is_an_error_that_says_how_to_go_on(tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match="in no git working copy") as caught:
        Repository(tmp_path).state()
    assert "git init" in str(caught.value)
    assert "record = false" in str(caught.value)


def test_a_repository_without_a_commit_is_an_error(tmp_path: Path) -> None:
    run_git(tmp_path, "init", "-q")
    with pytest.raises(RepositoryError, match="no commit yet") as caught:
        Repository(tmp_path).state()
    assert "git commit" in str(caught.value)


def test_no_git_command_is_an_error(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(RepositoryError, match="git is not there") as caught:
        Repository(root).state()
    assert "install git" in str(caught.value)


def test_a_missing_root_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match="There is no folder"):
        Repository(tmp_path / "gone").state()


def test_a_broken_repository_is_an_error_with_what_git_says(root: Path) -> None:
    (root / ".git" / "index").write_bytes(b"broken")
    with pytest.raises(RepositoryError, match="cannot tell the state") as caught:
        Repository(root).state()
    assert "git says: " in str(caught.value)
