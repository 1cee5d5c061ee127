"""Where tasks are run: notebooks, threads, forked and spawned workers, odd folders, other people's Django."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from smttask.project import get_project, use_project
from smttask.testing import git

TASKS = """
import numpy as np
from smttask import MemoizedTask, RecordedTask
from smttask.testing import count_call
from smttask.typing import Array, InputFile

@RecordedTask
def Square(x: int) -> int:
    count_call()
    print("squaring", x)
    return x * x

@MemoizedTask
def Offset(x: int) -> int:
    return x + 1

@RecordedTask
def Mean(x: Array, label: str = "") -> float:
    count_call()
    return float(x.mean())

@RecordedTask
def Read(file: InputFile) -> str:
    count_call()
    return open(file).read()
"""


@pytest.fixture
def lab(scratch: Any) -> Any:
    return scratch({"tasks.py": TASKS})


def statuses(lab: Any) -> Counter[str]:
    return Counter(record.status for record in lab.project.records.records())


def test_threads_compute_each_task_once(lab: Any) -> None:
    """Eight threads ask for the same and for different tasks; each gets the right result, each runs once."""
    tasks = lab.load("tasks")
    results: dict[tuple[int, int], int] = {}
    errors: list[BaseException] = []
    barrier = threading.Barrier(8)

    def work(thread: int) -> None:
        try:
            with use_project(lab.project):
                barrier.wait()
                for n in range(12):
                    x = (n + thread // 2) % 12
                    results[thread, x] = tasks.Square(tasks.Offset(x)).run()
        except BaseException as error:  # noqa: BLE001 - shown by the test
            errors.append(error)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert results == {(k, x): (x + 1) ** 2 for k in range(8) for x in range(12)}
    assert lab.calls("Square") == 12
    assert statuses(lab) == {"finished": 12}
    assert {record.stdout_stderr for record in lab.project.records.records()} == {
        f"squaring {x + 1}\n" for x in range(12)
    }


WORKERS = """
import multiprocessing, sys
import numpy as np
import tasks

def work(x):
    task = tasks.Square(x % 10)
    big = tasks.Mean(np.full(1_000_000, float(x % 3)))
    return task.run(), big.run()

if __name__ == "__main__":
    print(tasks.Mean(np.ones(12_500_000)).run())    # 100 MB hashed, the record store used
    context = multiprocessing.get_context(sys.argv[1])
    with context.Pool(3) as pool:
        results = pool.map(work, range(30))
    assert results == [((x % 10) ** 2, float(x % 3)) for x in range(30)]
    print(tasks.Square(100).run())
"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_forked_and_spawned_workers_record_their_runs(lab: Any, method: str) -> None:
    """Also after the parent hashed 100 MB and wrote records; and the parent goes on afterwards."""
    lab.write({"work.py": WORKERS})
    done = subprocess.run(
        [sys.executable, "work.py", method],
        cwd=lab.root, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "1.0"
    assert done.stdout.splitlines()[-1] == "10000"
    assert (lab.calls("Square"), lab.calls("Mean")) == (11, 4)
    assert statuses(lab) == {"finished": 15}


def test_a_forked_child_of_a_run_leaves_its_parents_result_alone(lab: Any) -> None:
    """A child that a task forks and that returns through all of smttask neither commits nor unlocks."""
    lab.write(
        {
            "forking.py": "import os\nfrom smttask import RecordedTask\n\n@RecordedTask\n"
            "def Fork(x: int) -> int:\n    pid = os.fork()\n    if pid:\n        os.waitpid(pid, 0)\n"
            "    return x + (pid > 0)\n"
        }
    )
    done = lab.run(
        "import forking\ntry:\n    print(forking.Fork(3).run())\nfinally:\n    import os; os._exit(0)"
    )
    assert done.stderr == ""
    assert lab.run("import forking; print(forking.Fork(3).load())").stdout == "4\n"
    assert statuses(lab) == {"finished": 1}


def test_a_git_worktree_is_a_project_of_its_own(lab: Any, tmp_path: Path) -> None:
    """Another branch checked out beside runs, records and asks its own files."""
    git(lab.root, "worktree", "add", "-q", "-b", "side", str(tmp_path / "side tree"))
    from smttask.project import create_project

    side = create_project(tmp_path / "side tree", name="side")
    done = subprocess.run(
        [sys.executable, "-c", "import tasks; print(tasks.Square(5).run())"],
        cwd=side.root, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "25"), done.stderr
    (record,) = side.records.records()
    assert (record.status, record.version) == ("finished", git(side.root, "rev-parse", "HEAD"))
    (side.root / "tasks.py").write_text(TASKS + "x = 1\n")
    done = subprocess.run(
        [sys.executable, "-c", "import tasks; print(tasks.Square(6).run())"],
        cwd=side.root, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "UncommittedChangesError" in done.stderr
    assert lab.run("import tasks; tasks.Square(6).run()").returncode == 0


@pytest.mark.parametrize("name", ["with spaces", "Übung ß 日本 😀", 'quote\'s "and" $HOME;%41', "a" * 60])
def test_a_project_may_have_any_name(scratch: Any, tmp_path: Path, name: str) -> None:
    """Spaces, quotes and letters of any script in paths: runs, records, files and `smt list`."""
    lab = scratch({"tasks.py": TASKS}, folder=tmp_path / name / "p")
    (lab.root / "dätä file.txt").write_text("content")
    lab.run(
        "import tasks\n"
        "print(tasks.Square(5).run())\n"
        "print(tasks.Read('dätä file.txt').run())\n"
        "tasks.Square(6).save('to do')"
    )
    assert lab.smttask("run", "to do").returncode == 0
    assert statuses(lab) == {"finished": 3}
    done = subprocess.run(
        [Path(sys.executable).with_name("smt"), "list", "-l"],
        cwd=lab.root, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.count("_finished_") >= 3


def test_a_folder_reached_through_a_link_is_the_same_project(lab: Any, tmp_path: Path) -> None:
    """Results and records are the same from either path, and so are paths among the inputs."""
    (lab.root / "a.txt").write_text("content")
    code = "import tasks; print(tasks.Read('{}/a.txt').run(), tasks.Square(3).run())"
    assert lab.run(code.format(lab.root)).returncode == 0
    link = tmp_path / "link"
    link.symlink_to(lab.root)
    done = subprocess.run(
        [sys.executable, "-c", code.format(link)],
        cwd=link,
        env={**os.environ, "PWD": str(link)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "content 9\n"
    assert (lab.calls("Read"), lab.calls("Square")) == (1, 1)
    assert statuses(lab) == {"finished": 2}


DJANGO = """
import sqlite3, django
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "users.sqlite3"}},
    USE_TZ=True, DEFAULT_AUTO_FIELD="django.db.models.AutoField",
)
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from django.contrib.auth.models import User
User.objects.create(username="ann")
import tasks
print(tasks.Square(3).run())
from smttask import RSView
print(len(RSView()), User.objects.count(), settings.DATABASES["default"]["NAME"])
"""


def test_the_users_own_django_is_left_alone(scratch: Any) -> None:
    """Configured first, with its own database, it works on, while the record store is made and used."""
    lab = scratch({"tasks.py": TASKS}, record_store=False)
    assert lab.run(DJANGO).stdout.splitlines()[-2:] == ["9", "1 1 users.sqlite3"]
    assert statuses(lab) == {"finished": 1}


def test_several_projects_in_one_process_keep_apart(scratch: Any, tmp_path: Path) -> None:
    """Each task's run goes to the project in use; to that of its module where none is."""
    one = scratch({"one.py": TASKS}, folder=tmp_path / "one")
    two = scratch({"two.py": TASKS}, folder=tmp_path / "two")
    code = (
        f"import os, sys\nos.chdir({str(tmp_path)!r})\n"
        f"sys.path[:0] = [{str(one.root)!r}, {str(two.root)!r}]\n"
        "import one, two\nfrom smttask.project import get_project, use_project\n"
        "one.Square(2).run(); two.Square(2).run(); two.Square(3).run()\n"
        f"with use_project(get_project({str(one.root)!r})): one.Square(4).run()\n"
    )
    one.run(code)
    assert (one.project.records.count(), two.project.records.count()) == (2, 2)
    assert {record.main_file for record in two.project.records.records()} == {"two.py"}


def test_a_moved_project_has_its_results_and_records(scratch: Any, tmp_path: Path) -> None:
    """After mv nothing is computed again, and Sumatra's own tools work in the new place."""
    lab = scratch({"tasks.py": TASKS})
    (lab.root / "a.txt").write_text("content")
    code = "import tasks; print(tasks.Square(3).run(), tasks.Read('a.txt').run())"
    lab.run(code)
    moved = tmp_path / "other folder" / "moved"
    moved.parent.mkdir()
    lab.root.rename(moved)
    done = subprocess.run(
        [sys.executable, "-c", code + "; print(tasks.Square(3).last_hit, tasks.Square(4).run())"],
        cwd=moved, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[0] == "9 content"
    assert sorted(path.stat().st_size for path in (moved / ".smt" / "calls").iterdir()) == [1, 2]
    assert get_project(moved).records.count() == 3
    smt = Path(sys.executable).with_name("smt")
    listed = subprocess.run([smt, "list"], cwd=moved, capture_output=True, text=True, check=True)
    assert len(listed.stdout.split()) == 3
    for verb in (["comment", "moved well"], ["tag", "fine"]):
        subprocess.run([smt, *verb], cwd=moved, capture_output=True, check=True)
    with use_project(get_project(moved)):
        from smttask import RSView

        assert [record.get_output() for record in RSView().filter.task("Square")] == [16, 9]
