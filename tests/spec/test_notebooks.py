"""A real notebook kernel, its event loop running, in a project."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from jupyter_client.manager import start_new_kernel

TASKS = """
from smttask import RecordedTask
from smttask.testing import count_call

@RecordedTask
def Square(x: int) -> int:
    count_call()
    print("squaring", x)
    return x * x
"""
Cell = Callable[[str], dict[str, str]]


@pytest.fixture
def lab(scratch: Any) -> Any:
    return scratch({"tasks.py": TASKS})


@pytest.fixture
def cell(lab: Any) -> Iterator[Cell]:
    """Runs the text of a cell; what it printed, warned, showed and raised."""
    manager, client = start_new_kernel(cwd=str(lab.root))

    def run(code: str) -> dict[str, str]:
        got = {"stdout": "", "stderr": "", "shown": "", "html": "", "error": ""}

        def take(message: dict[str, Any]) -> None:
            content = message["content"]
            if message["msg_type"] == "stream":
                got[content["name"]] += content["text"]
            elif message["msg_type"] == "execute_result":
                got["shown"] = content["data"]["text/plain"]
                got["html"] = content["data"].get("text/html", "")
            elif message["msg_type"] == "error":
                got["error"] = f"{content['ename']}: {content['evalue']}"

        client.execute_interactive(code, output_hook=take, timeout=60)
        return got

    try:
        yield run
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_a_cell_runs_and_records_tasks_of_the_project(lab: Any, cell: Cell) -> None:
    """With the kernel's event loop running; also where the cell awaits; records and tables show."""
    assert cell("import asyncio\nasyncio.get_running_loop().is_running()")["shown"] == "True"
    got = cell("from tasks import Square\ntask = Square(3, reason='look')\nresult = task.run()\nresult")
    assert (got["shown"], got["stdout"], got["stderr"], got["error"]) == ("9", "squaring 3\n", "", "")
    got = cell(
        "async def work(x):\n    await asyncio.sleep(0)\n    return Square(x).run()\n"
        "await asyncio.gather(*map(work, [3, 4, 5]))"
    )
    assert (got["shown"], got["error"]) == ("[9, 16, 25]", "")
    assert task_rows(cell) == ["3 look"]
    (first, *_) = sorted(lab.project.records.records(), key=lambda record: record.label)
    assert (first.status, first.reason, first.stdout_stderr) == ("finished", "look", "squaring 3\n")
    assert "<table" in cell("task")["html"]
    assert "Square" in cell("from smttask import RSView\nRSView()")["html"]


def task_rows(cell: Cell) -> list[str]:
    code = (
        "from smttask import RSView\nview = RSView()\n"
        "print(len(view), view.filter.params(eq={'x': 3}).latest.reason)"
    )
    return cell(code)["stdout"].splitlines()


def test_a_task_of_a_cell_runs_in_memory_and_a_new_cell_never_serves_the_old_ones_result(
    lab: Any, cell: Cell
) -> None:
    """It warns once that nothing is recorded; redefined, it computes anew; record=True and save refuse."""
    define = (
        "from smttask import RecordedTask\n@RecordedTask\ndef Twice(x: int) -> int:\n    return {} * x\n"
        "task = Twice(4)\n[task.run(), task.run(), task.last_hit]"
    )
    got = cell(define.format(2))
    assert got["shown"] == "[8, 8, 'memory']"
    assert got["stderr"].count("NotRecordedWarning") == 1
    assert cell(define.format(3))["shown"] == "[12, 12, 'memory']"
    assert cell(define.format(2))["shown"].startswith("[8, 8")
    assert cell("task.run(record=True)")["error"].startswith("NotRecordableError: Task 'Twice'")
    assert cell("task.save('todo')")["error"].startswith("NotRecordableError: Task 'Twice'")
    assert not (lab.root / "data").exists()
    assert cell("from tasks import Square\nSquare(task).run()")["shown"] == "64"
    assert lab.project.records.count() == 1


def test_an_interrupted_cell_leaves_a_killed_record_and_no_result(lab: Any, cell: Cell) -> None:
    """The stop button ends the run, and the next one computes."""
    lab.write(
        {
            "waiting.py": "import os, signal\nfrom smttask import RecordedTask\n\n@RecordedTask\n"
            "def Wait(x: int) -> int:\n    os.kill(os.getpid(), signal.SIGINT)\n"
            "    while True:\n        pass\n"
        }
    )
    got = cell("import waiting\nwaiting.Wait(1).run()")
    assert got["error"].startswith("KeyboardInterrupt")
    (record,) = lab.project.records.records()
    assert record.status == "killed"
    assert cell("from tasks import Square\nSquare(2).run()")["shown"] == "4"


def test_a_module_reloaded_by_autoreload_is_the_new_code(lab: Any, cell: Cell) -> None:
    """With %autoreload the edited task is computed anew, or its old result loaded with a word."""
    cell("%load_ext autoreload\n%autoreload 2\nimport tasks\nprint(tasks.Square(3).run())")
    lab.write({"tasks.py": TASKS.replace("x * x", "x * x * x")})
    got = cell("tasks.Square(3).run()")
    assert got["shown"] == "9"
    assert "tasks:Square changed" in got["stderr"]
    got = cell("tasks.Square(4).run()")
    assert (got["shown"], got["error"]) == ("64", "")
