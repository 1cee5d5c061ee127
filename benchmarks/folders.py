"""Tasks of folders that are all up to date: a long chain, a menu, many folders from one command."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.child import look
from benchmarks.measure import OURS, Round, Samples, alternate, once
from benchmarks.workbench import Workbench, run_process
from smttask.tasker import JSON, Tasker
from smttask.tasker.menu import menu_text

__all__ = ["chain", "menu", "run_folders"]

TASKFILE = """
from smttask import tasker


def use(dir):
    t = tasker.Tasker(dir)

    @t.stores(tasker.JSON("double.json"))
    def double(tsk, number="number.txt"):
        return 2 * int(number.read_text())

    return t
"""
PYTASK = """
from pathlib import Path

from pytask import task

for folder in sorted(Path(__file__).parent.glob("folder*")):

    @task(id=folder.name)
    def task_double(number=folder / "number.txt", produces=folder / "pytask.txt"):
        produces.write_text(str(2 * int(number.read_text())))
"""
DOIT = """
from pathlib import Path


def double(number, target):
    Path(target).write_text(str(2 * int(Path(number).read_text())))


def task_double():
    for folder in sorted(Path(__file__).parent.glob("folder*")):
        number, target = str(folder / "number.txt"), str(folder / "doit.txt")
        yield {
            "name": folder.name,
            "file_dep": [number],
            "targets": [target],
            "actions": [(double, [number, target])],
        }
"""


def chain(bench: Workbench) -> Samples:
    """Call the last task of a chain that is up to date, in a process that has run it."""
    n_tasks = 5 * bench.scale.n_tasks
    folder = bench.folder / "chain"
    t = _chain_of(folder, n_tasks)
    last = t.tasks[f"step{n_tasks - 1}"]
    if last() != n_tasks - 1 or last.report():
        raise RuntimeError("the chain is not up to date")
    return alternate(bench.scale.rounds, {OURS: once(last), "raw calls": once(lambda: look(str(folder)))})


def menu(bench: Workbench) -> Samples:
    """The menu of a folder whose tasks are all done."""
    folder = bench.folder / "menu"
    t = _chain_of(folder, bench.scale.n_tasks)
    t.tasks[f"step{bench.scale.n_tasks - 1}"]()
    if menu_text(t).count("  +  ") != bench.scale.n_tasks:
        raise RuntimeError("the menu does not show all tasks as done")
    contenders = {OURS: once(lambda: menu_text(t)), "raw calls": once(lambda: look(str(folder)))}
    return alternate(bench.scale.rounds, contenders)


def _chain_of(folder: Path, n_tasks: int) -> Tasker:
    folder.mkdir()
    t = Tasker(folder)
    before: Any = -1
    for number in range(n_tasks):

        def step(tsk: Any, before: Any = before) -> Any:
            return before + 1

        step.__name__ = f"step{number}"
        before = t.stores(JSON(f"step{number}.json"))(step)
    return t


def run_folders(bench: Workbench) -> Samples:
    """``smttask tasker run`` over folders that are up to date, each with one task; two processes."""
    root = bench.folder / "folders"
    folders = [root / f"folder{number}" for number in range(5 * bench.scale.n_tasks // 2)]
    for number, folder in enumerate(folders):
        folder.mkdir(parents=True)
        (folder / "number.txt").write_text(str(number))
    (root / "taskfile_sub.py").write_text(TASKFILE)
    (root / "task_double.py").write_text(PYTASK)
    (root / "dodo.py").write_text(DOIT)
    names = [folder.name for folder in folders]
    commands: dict[str, tuple[str, ...]] = {
        OURS: ("-m", "smttask", "tasker", "run", "-n2", *names),
        "raw calls": ("-m", "benchmarks.child", "look", *names),
        "pytask": ("-m", "pytask", "build", "-v0"),
        "doit -n2": ("-m", "doit", "-v0", "-n2"),
    }
    missing = {name for name in ("pytask", "doit") if find_spec(name) is None}
    contenders: dict[str, Round] = {
        name: once(partial(run_process, root, *command))
        for name, command in commands.items()
        if name.split()[0] not in missing
    }
    return alternate(bench.scale.few_rounds, contenders)
