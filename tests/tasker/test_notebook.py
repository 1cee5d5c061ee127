"""The notebook that shows what a Tasker does: its cells in a real kernel, statement by statement."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import start_new_kernel

IMPORTS = """
import numpy as np
import pandas as pd
from smttask import tasker

def note(tsk):
    with open(tsk.p.parent / "ran.log", "a") as log:
        log.write(tsk.name + "\\n")
"""
RAW_RANDOM = """
@mydir.stores(tasker.Pickle("raw_random.pickle"))
def raw_random(tsk):
    \"\"\"Random numbers.\"\"\"
    note(tsk)
    return np.random.random(100)
"""
RANDOM = """
@mydir.stores(tasker.Pandas("random.h5"))
def random(tsk, raw=raw_random):
    \"\"\"The numbers as a table.\"\"\"
    note(tsk)
    return pd.DataFrame({"x": raw})
"""
SUMMARY = """
@mydir.stores(tasker.JSON("summary.json"))
def summary(tsk, table=random, anumber="anumber.txt"):
    \"\"\"Mean and spread.

    Times a number.
    \"\"\"
    note(tsk)
    factor = float(open(anumber).read())
    return {"mean": factor * table.x.mean(), "std": factor * table.x.std()}
"""
STD_ERR = """
@mydir.stores(tasker.JSON("std_err.json"))
def std_err(tsk, found=summary):
    note(tsk)
    return found["std"] / 10
"""
REPORT = """
@mydir.stores("report.txt")
def report_everything(tsk, tables=[random], numbers={"summary": summary, "error": std_err}):
    note(tsk)
    with open("report.txt", "w") as out:
        print(len(tables[0]), numbers["summary"]["mean"], numbers["error"], file=out)
"""
TOTAL = """
@mydir
def total(tsk, raw=raw_random):
    \"\"\"Sum of the numbers.\"\"\"
    note(tsk)
    return raw.sum()
"""
ALL = ["raw_random", "random", "summary", "std_err", "report_everything"]
AFTER_SUMMARY = ALL[2:]


class Notebook:
    """A folder ``mydir`` and a kernel whose cells defined the tasks."""

    def __init__(self, client: Any, folder: Path) -> None:
        self.client = client
        self.folder = folder
        folder.mkdir()
        (folder / "anumber.txt").write_text("3")
        self(f"%reset -f\n{IMPORTS}")
        self(f"mydir = tasker.Tasker({str(folder)!r})")
        for cell in (RAW_RANDOM, RANDOM, SUMMARY, STD_ERR, REPORT, TOTAL):
            self(cell)

    def __call__(self, code: str) -> dict[str, str]:
        """Run the text of a cell; what it printed and showed."""
        got = {"stdout": "", "stderr": "", "shown": "", "html": "", "error": ""}

        def take(message: dict[str, Any]) -> None:
            content = message["content"]
            if message["msg_type"] == "stream":
                got[content["name"]] += content["text"]
            elif message["msg_type"] in ("execute_result", "display_data", "update_display_data"):
                got["shown"] = content["data"]["text/plain"]
                got["html"] = content["data"].get("text/html", "")
            elif message["msg_type"] == "error":
                got["error"] = "\n".join(content["traceback"])

        self.client.execute_interactive(code, output_hook=take, timeout=60)
        assert got["error"] == ""
        assert "Warning" not in got["stderr"]
        return got

    def value(self, expression: str) -> Any:
        """What a plain expression gives."""
        return ast.literal_eval(self(expression)["shown"])

    def ran(self, code: str) -> list[str]:
        """Names of the tasks that the cell ran, in order."""
        log = self.folder.parent / "ran.log"
        log.unlink(missing_ok=True)
        self(code)
        return log.read_text().split() if log.exists() else []


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A kernel that works somewhere else than in the folder."""
    manager, client = start_new_kernel(cwd=str(tmp_path_factory.mktemp("elsewhere")))
    try:
        yield client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@pytest.fixture
def notebook(client: Any, tmp_path: Path) -> Notebook:
    return Notebook(client, tmp_path / "mydir")


def test_a_call_runs_what_it_needs_and_the_next_one_nothing(notebook: Notebook) -> None:
    """Everything that the report needs is made in order, once; then it is only read."""
    assert notebook.ran("report_everything()") == ALL
    assert notebook.ran("report_everything(); std_err(); mydir.summary(); mydir.random()") == []
    assert sorted(path.name for path in notebook.folder.iterdir() if path.name != ".tasker") == [
        "anumber.txt",
        "random.h5",
        "raw_random.pickle",
        "report.txt",
        "std_err.json",
        "summary.json",
    ]


def test_each_kind_of_task_gives_its_value(notebook: Notebook) -> None:
    """Arrays, tables, JSON values, the path of a plain file; each a fresh one that may be changed."""
    assert notebook.value("raw_random().shape") == (100,)
    assert notebook.value("list(mydir.random().columns), len(mydir.random())") == (["x"], 100)
    assert notebook.value("values = summary(); values.clear(); sorted(summary())") == ["mean", "std"]
    assert notebook.value("bool(abs(summary()['mean'] - 3 * raw_random().mean()) < 1e-9)")
    assert notebook.value("report_everything() == mydir.p / 'report.txt'")
    assert notebook.value("len(report_everything().read_text().split())") == 3


def test_a_task_that_stores_nothing_is_computed_each_time(notebook: Notebook) -> None:
    """What it depends on is stored; its own value is not."""
    assert notebook.ran("total()") == ["raw_random", "total"]
    assert notebook.ran("total()") == ["total"]
    assert notebook.value("bool(abs(total() - raw_random().sum()) < 1e-9)")


def test_the_menu_shows_what_is_done(notebook: Notebook) -> None:
    """A plus where all is up to date, else nothing; the name, and the first line of the docstring."""
    lines = [
        ("raw_random", "Random numbers."),
        ("random", "The numbers as a table."),
        ("summary", "Mean and spread."),
        ("std_err", ""),
        ("report_everything", ""),
        ("total", "Sum of the numbers."),
    ]
    head = f"Tasks for {notebook.folder}:\nDone?  Name               Description\n"

    def menu(*done: str) -> str:
        rows = [f"  {'+' if name in done else ' '}    {name:<17}  {text}".rstrip() for name, text in lines]
        return head + "\n".join(rows) + "\n"

    assert notebook("mydir.menu()")["stdout"] == menu()
    assert notebook("random(); mydir.menu()")["stdout"] == menu("raw_random", "random", "total")
    assert notebook("report_everything(); mydir.menu()")["stdout"] == menu(*ALL, "total")


def test_a_notebook_shows_the_menu_with_the_reasons(notebook: Notebook) -> None:
    """The Tasker at the end of a cell is a table that says what is stale and why."""
    assert "raw_random.pickle&#x27; is missing" in notebook("mydir")["html"]
    notebook("report_everything()")
    assert "missing" not in notebook("mydir")["html"]
    assert notebook("mydir")["shown"] == f"Tasker: {notebook.folder}"


def test_a_changed_file_redoes_what_depends_on_it(notebook: Notebook) -> None:
    """With another number the summary and what follows are redone; the random numbers stay."""
    notebook("report_everything()")
    (notebook.folder / "anumber.txt").write_text("4")
    stale = "[(each.name, each.why) for each in mydir.report()]"
    assert notebook.value(stale) == [
        ("summary", "'anumber.txt' changed"),
        ("std_err", "depends on 'summary', which is stale"),
        ("report_everything", "depends on 'summary', which is stale"),
    ]
    assert notebook.ran("report_everything()") == AFTER_SUMMARY
    assert notebook.value("bool(abs(summary()['mean'] - 4 * raw_random().mean()) < 1e-9)")


def test_a_touched_file_redoes_nothing(notebook: Notebook) -> None:
    """Saved again with the same content, a file is the same input."""
    notebook("report_everything()")
    (notebook.folder / "anumber.txt").write_text("3")
    assert notebook.value("mydir.report()") == []
    assert notebook.ran("report_everything()") == []


def test_a_deleted_file_between_is_made_again_and_what_follows_only_if_it_differs(notebook: Notebook) -> None:
    """The same table comes out of the same numbers; other random numbers redo everything."""
    notebook("report_everything()")
    (notebook.folder / "random.h5").unlink()
    assert notebook.ran("report_everything()") == ["random"]
    (notebook.folder / "raw_random.pickle").unlink()
    assert notebook.ran("report_everything()") == ALL


def test_a_cell_that_is_run_again_replaces_its_task(notebook: Notebook) -> None:
    """An edited cell runs, also for tasks that were defined with the old one; the same cell does not."""
    notebook("report_everything()")
    for cell in (RAW_RANDOM, SUMMARY, STD_ERR, REPORT):
        notebook(cell)
    assert notebook.ran("report_everything()") == []
    notebook(SUMMARY.replace('"std": factor', '"std": 2 * factor'))
    assert notebook.ran("mydir.report_everything()") == AFTER_SUMMARY
    assert notebook.value("bool(abs(summary()['std'] - 6 * raw_random().std(ddof=1)) < 1e-9)")
    notebook(SUMMARY)
    assert notebook.ran("report_everything()") == AFTER_SUMMARY


def test_a_helper_of_a_cell_counts_as_code(notebook: Notebook) -> None:
    """What a task calls is its code, too."""
    cell = "def tenth(x):\n    return x / {}\n"
    notebook(cell.format(10))
    notebook(STD_ERR.replace('found["std"] / 10', 'tenth(found["std"])'))
    notebook("report_everything()")
    notebook(cell.format(5))
    assert notebook.ran("report_everything()") == ["std_err", "report_everything"]


def test_conf_is_read_by_attribute_and_item(notebook: Notebook) -> None:
    """A task is redone when a value that it read was set anew, and for no other."""
    notebook("mydir.conf = {'x': 5, 'y': 6}\nmydir.conf.z = 7")
    assert notebook.value("mydir.conf.x, mydir.conf['x'], mydir.conf['z']") == (5, 5, 7)
    code = "@mydir.stores(tasker.JSON('x.json'))\ndef x(tsk):\n    note(tsk)\n    return tsk.conf.x"
    notebook(code)
    assert notebook.ran("x()") == ["x"]
    assert notebook.ran("mydir.conf['y'] = 8\nx()") == []
    assert notebook.ran("mydir.conf['x'] = 9\nx()") == ["x"]
    assert notebook.value("x()") == 9


def test_the_folder_is_a_path_and_can_be_worked_in(notebook: Notebook) -> None:
    """`mydir.p` finds files; `with mydir` makes the folder the working directory for a while."""
    assert notebook.value("list(mydir.p.glob('*.txt'))[0].name") == "anumber.txt"
    assert notebook.value("mydir.name, mydir.parentname") == ("mydir", notebook.folder.parent.name)
    assert notebook("with mydir:\n    print(open('anumber.txt').read())")["stdout"] == "3\n"
    assert notebook.value("import os; os.path.exists('anumber.txt')") is False


def test_what_a_task_is_can_be_asked(notebook: Notebook) -> None:
    """Its names, inputs and outputs; and which task stores a file."""
    assert notebook.value("summary.__name__, summary.__doc__.splitlines()[0]") == (
        "summary",
        "Mean and spread.",
    )
    assert notebook.value("[str(file) for file in summary.input_files]") == [
        str(notebook.folder / "anumber.txt")
    ]
    assert notebook.value("[each.name for each in report_everything.input_tasks]") == [
        "random",
        "summary",
        "std_err",
    ]
    assert notebook.value("mydir.which('summary.json').name") == "summary"
    assert notebook.value("list(mydir.tasks)") == [*ALL, "total"]
    assert notebook.value("mydir.tasks['summary'] is mydir.summary is summary")


def test_a_task_is_loaded_forced_run_and_cleared(notebook: Notebook) -> None:
    """`load` runs nothing, `force` redoes one task, `run` that one alone, `clear` deletes."""
    notebook("report_everything()")
    assert notebook.ran("std_err.load()") == []
    assert notebook.ran("std_err.force()") == ["std_err"]
    assert notebook.ran("summary.run()") == ["summary"]
    assert notebook.value("std_err.is_current()") is True
    notebook("summary.clear()")
    assert not (notebook.folder / "summary.json").exists()
    assert notebook.value("summary.is_current(), std_err.is_current()") == (False, False)
    notebook("mydir.clear()")
    assert sorted(path.name for path in notebook.folder.glob("*.*") if path.name != ".tasker") == [
        "anumber.txt"
    ]


def test_a_task_may_have_several_outputs(notebook: Notebook) -> None:
    """They come as a list; None stands for a file that the function writes itself."""
    notebook(
        "@mydir.create_task([raw_random, {'n': 'anumber.txt'}], [tasker.JSON('n.json'), 'n.txt'])\n"
        "def both(tsk, ins):\n"
        "    raw, files = ins\n"
        "    tsk.output_files[1].write_text(files['n'].read_text() * 2)\n"
        "    return len(raw), None\n"
    )
    assert notebook.value("number, path = both(); number, path.read_text()") == (100, "33")
    assert notebook.ran("both()") == []


def test_progress_and_the_monitor_show_in_the_notebook(notebook: Notebook) -> None:
    """Loops tell how far they are; the monitor says what became of them."""
    notebook(
        "@mydir\n"
        "def slow(tsk):\n"
        "    for n in range(3):\n"
        "        tsk.progress.working(n, 3, 'frames')\n"
        "    return sum(tsk.progress.tally(range(4), info='rows'))\n"
    )
    assert notebook.value("slow()") == 6
    got = notebook("tasker.Monitor([mydir]).show()")
    assert "slow" in got["shown"] + got["stdout"]
    columns = "dir task since_update status elapsed_time current total time_per time_left"
    assert set(columns.split()) <= set(notebook.value("list(tasker.Monitor(mydir).get_statuses().columns)"))
