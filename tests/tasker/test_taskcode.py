"""The code of tasks: what counts, and what becomes of results of other code."""

from __future__ import annotations

import importlib.util
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from smttask.errors import CodeChangedError, CodeChangedWarning
from smttask.project import config
from smttask.tasker import Tasker
from smttask.tasker.menu import menu_text

LAB = """
import os
from smttask.tasker import JSON, Tasker

FACTOR = 2
calls = []

def helper(x):
    return x * FACTOR

class Lab(Tasker):
    def offset(self):
        return 10

def use(folder, n=1, **conf):
    t = Lab(folder)
    t.conf = {"place": str(folder), **conf}
    inside = os.path.join(t.p, "in")
    there = t.p / "in"

    @t.stores(JSON("one.json"))
    def one(tsk, source=str(t.p / "in.txt")):
        assert inside and folder and t.p and there
        calls.append("one")
        return helper(1) + t.offset()

    @t
    def between(tsk, one=one):
        return one + 1

    @t.stores(JSON("two.json"))
    def two(tsk, between=between, n=n):
        calls.append("two")
        return between * n

    return t
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "in.txt").touch()
    return tmp_path / "a"


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """The module of a test is not that of the next one."""
    yield
    sys.modules.pop("lab_of_tasks", None)


def lab(folder: Path, *changes: tuple[str, str]) -> ModuleType:
    """The module with `changes` made in its text, loaded anew."""
    text = LAB
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder.parent / "lab_of_tasks.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location("lab_of_tasks", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["lab_of_tasks"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def whys(task: Any) -> list[str]:
    return [stale.why for stale in task.report()]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("x * FACTOR", "x * FACTOR + 0"), "lab_of_tasks:helper changed"),
        (("FACTOR = 2", "FACTOR = 3"), "lab_of_tasks:FACTOR changed"),
        (("return 10", "return 11"), "lab_of_tasks:Lab.offset changed"),
    ],
)
def test_what_a_task_reaches_is_its_code(folder: Path, change: tuple[str, str], told: str) -> None:
    """Helpers beside the taskfile, constants, and methods of the user's own Tasker."""
    lab(folder).use(folder).two()
    t = lab(folder, change).use(folder)
    with config.use(on_code_change="recompute"):
        assert whys(t.one) == [f"code: {told}"]
        assert whys(t.two) == [f"code: {told}", "depends on 'one', which is stale"]


def test_methods_that_a_task_finds_at_its_tasker_are_its_code(folder: Path) -> None:
    """As ``tsk.tasker.offset()``; where nothing is asked of the Tasker its class does not count."""
    holds_none = ("inside and folder and t.p and there", "True")
    asked = ("helper(1) + t.offset()", "helper(1) + [tsk.tasker.offset() for _ in '1'][0]")
    lab(folder, holds_none, asked).use(folder).two()
    with config.use(on_code_change="recompute"):
        t = lab(folder, holds_none, asked, ("return 10", "return 11")).use(folder)
        assert whys(t.one) == ["code: lab_of_tasks:Lab.offset changed"]
        unasked = lab(folder, holds_none, ("helper(1) + t.offset()", "1")).use(folder)
        assert "lab_of_tasks:Lab.offset" not in unasked.one.code.parts()


def test_layout_and_comments_are_no_code(folder: Path) -> None:
    """Nor is a docstring."""
    lab(folder).use(folder).two()
    t = lab(folder, ("calls.append", "# what it does\n        'Say so.'\n\n        calls.append")).use(folder)
    with config.use(on_code_change="recompute"):
        assert t.two.is_current()


def test_the_code_is_the_same_in_every_folder_and_for_every_tasker(folder: Path) -> None:
    """What is wired to a folder is no code: neither the Tasker that a function holds, nor what goes in."""
    module = lab(folder)
    (folder.parent / "b").mkdir()
    first, second = module.use(str(folder)), module.use(os.path.relpath(folder.parent / "b"), extra=1)
    for name in ("one", "between", "two"):
        assert first.tasks[name].code.parts() == second.tasks[name].code.parts()
    assert "lab_of_tasks:Lab.offset" in first.one.code.parts()


def test_a_moved_folder_is_current(folder: Path) -> None:
    """Also where a function or its inputs name it."""
    module = lab(folder)
    module.use(str(folder)).two()
    moved = folder.rename(folder.parent / "moved")
    with config.use(on_code_change="recompute"):
        assert module.use(str(moved)).two.is_current()


def test_a_number_that_goes_in_is_code(folder: Path) -> None:
    """Though the text of the function is the same."""
    module = lab(folder)
    module.use(folder, n=1).two()
    with config.use(on_code_change="recompute"):
        for n in (3, np.float64(4), np.float64(5)):
            t = module.use(folder, n=n)
            assert whys(t.two) == ["code: lab_of_tasks:use.<locals>.two(n) changed"]
            assert t.two() == 13 * n


def test_by_default_results_of_other_code_are_kept_and_it_is_said_once(folder: Path) -> None:
    """Once for a task, in however many folders; `force` runs it again."""
    lab(folder).use(folder).one()
    module = lab(folder, ("return 10", "return 20"))
    t = module.use(folder)
    assert "keeps what other code made: lab_of_tasks:Lab" in menu_text(t, why=True)
    assert "keeps what other code made: lab_of_tasks:Lab" in t._repr_html_()
    with pytest.warns(
        CodeChangedWarning, match="Task 'one' keeps what other code made: lab_of_tasks:Lab"
    ) as told:
        assert t.one() == 12
    assert "force()" in str(told[0].message)
    assert told[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert t.one() == 12
        assert t.one.is_current()
        assert t.one.force() == 22
        assert module.use(folder).one() == 22


def test_code_of_tasks_without_outputs_counts_for_what_follows(folder: Path) -> None:
    """It is named with its task."""
    lab(folder).use(folder).two()
    t = lab(folder, ("one + 1", "one + 2")).use(folder)
    with pytest.warns(CodeChangedWarning, match=r"task 'between': lab_of_tasks:use.<locals>.between changed"):
        assert t.two() == 13


def test_accepted_outputs_are_as_if_made_by_the_new_code(folder: Path) -> None:
    """Nothing is run."""
    lab(folder).use(folder).two()
    module = lab(folder, ("return 10", "return 20"))
    t = module.use(folder)
    t.one.accept()
    with config.use(on_code_change="recompute"):
        assert module.use(folder).two.is_current()
    assert module.calls == []


def test_changed_code_can_be_refused(folder: Path) -> None:
    """The error says what changed and what to do; the menu does not call it done."""
    lab(folder).use(folder).two()
    t = lab(folder, ("return 10", "return 20")).use(folder)
    with config.use(on_code_change="error"):
        with pytest.raises(
            CodeChangedError, match="Task 'one' of .*: its outputs were made by other code"
        ) as caught:
            t.two()
        assert "changed: lab_of_tasks:Lab.offset changed\n  run it again with force()" in str(caught.value)
        assert whys(t.one) == ["code: lab_of_tasks:Lab.offset changed"]


def test_changed_code_can_be_ignored_or_redone(folder: Path) -> None:
    """By the setting; what comes out the same redoes nothing."""
    lab(folder).use(folder).two()
    module = lab(folder, ("x * FACTOR", "FACTOR * x"))
    t = module.use(folder)
    with config.use(on_code_change="ignore"), warnings.catch_warnings():
        warnings.simplefilter("error")
        assert t.two() == 13
    with config.use(on_code_change="recompute"):
        assert t.two() == 13
    assert module.calls == ["one"]


def test_a_task_without_defaults_that_is_no_plain_function_has_code(tmp_path: Path) -> None:
    """Such as an object that is called; what a decorator wraps counts too."""

    class Doubles:
        __name__ = "doubles"

        def __call__(self, tsk, x=3):
            return 2 * x

    doubles = Tasker(tmp_path)(Doubles())
    assert doubles() == 6
    assert any(part.endswith("Doubles.__call__") for part in doubles.code.parts())


def test_what_functions_hold_counts_where_they_share_a_text(tmp_path: Path) -> None:
    """Tasks made in a loop are of one text, and each of its own code where they hold other values."""
    t = Tasker(tmp_path)
    made = []
    for factor, function in [(1, len), (2, len), (2, min), (2, helped)]:

        def task(tsk, x=3):
            return function, factor * x  # noqa: B023 - each is called before the next is made

        task.__name__ = f"task{len(made)}"
        made.append(dict(t(task).code.parts()))
    assert made[0] != made[1] == made[2] != made[3]
    assert any(part.endswith(":helped") for part in made[3])


def helped() -> int:
    return 1


def test_what_a_module_sets_on_its_tasker_is_no_code(folder: Path) -> None:
    """Nor how the Tasker was made: what is read of conf counts by itself."""
    text = """
from smttask.tasker import JSON, Tasker
t = Tasker(FOLDER)
t.conf.n = 1

@t.stores(JSON("a.json"))
def a(tsk):
    return t.conf.get("other")

@t.stores(JSON("b.json"))
def b(tsk, a=a):
    return t.p.name, a.tasker
"""
    parts = []
    for changes in [("FOLDER", repr(str(folder))), ("FOLDER", "r" + repr(str(folder)))]:
        module = lab(folder, (LAB, text.replace(*changes).replace("n = 1", f"n = {len(parts)}")))
        parts.append([dict(task.code.parts()) for task in module.t.tasks.values()])
    assert parts[0] == parts[1] == [{"lab_of_tasks:a": parts[0][0]["lab_of_tasks:a"]}, parts[0][1]]


def test_a_tasker_of_any_class_may_be_held(tmp_path: Path) -> None:
    """Such as one that is a dict as well."""

    class Both(Tasker, dict):  # type: ignore[misc]
        pass

    t = Both(tmp_path)

    @t
    def held(tsk):
        return t.p

    assert next(iter(held.code.parts())).endswith(".held")
    assert held() == tmp_path
