"""Upstream tasks run before those that need them, at any depth, each once."""

from __future__ import annotations

import pickle
from typing import Any

from smttask import MemoizedTask, NonMemoizedTask, Task
from smttask.tasks.evaluation import Session

calls: list[float] = []


@MemoizedTask
def Next(x: float) -> float:
    calls.append(x)
    return x + 1


@NonMemoizedTask
def Pair(a: float, b: float) -> float:
    return a + b


@NonMemoizedTask
def Outer(x: float) -> float:
    return float(Pair(Next(x).as_input, Next(x).as_input).run())


def chain(length: int) -> Task[float]:
    task = Next(0)
    for _ in range(length - 1):
        task = Next(task.as_input)
    return task


def test_a_chain_of_ten_thousand_tasks_builds_hashes_pickles_saves_and_runs(tmp_path: Any) -> None:
    """Nothing about depth is recursive."""
    task = chain(10_000)
    assert pickle.loads(pickle.dumps(task)).digest == task.digest
    assert Task.from_desc(task.save(tmp_path / "chain.json")).full_digest == task.full_digest
    assert task.run() == 10_000


def test_a_diamond_of_forty_levels_is_forty_tasks() -> None:
    """A task that several others need is described once and computed once."""
    task: Task[float] = Next(0.5)
    calls.clear()
    for _ in range(40):
        task = Pair(task.as_input, task.as_input)
    assert len(task.desc["tasks"]) == 41
    assert pickle.loads(pickle.dumps(task)) == task
    assert task.run() == 2.0**40 * 1.5
    assert len(calls) <= 1


def test_a_run_inside_a_function_belongs_to_the_outermost_run() -> None:
    """Nested runs share the session, which ends with the outermost."""
    assert Outer(7).run() == 16.0
    with Session.current() as session:
        assert Session.current().__enter__() is session


def test_another_thread_has_a_session_of_its_own() -> None:
    """Also one that was started with this thread's context, as asyncio.to_thread does."""
    import contextvars
    import threading

    found: list[Session] = []

    def look() -> None:
        with Session.current() as other:
            found.append(other)

    with Session.current() as session:
        thread = threading.Thread(target=contextvars.copy_context().run, args=(look,))
        thread.start()
        thread.join()
    assert found[0] is not session


def test_results_no_longer_needed_are_released() -> None:
    """A long chain does not keep all its values."""
    with Session.current() as session:
        assert session.evaluate(chain(50)) == 50  # type: ignore[arg-type]
        assert not session._values


def test_a_task_of_an_older_definition_keeps_its_result_beside_one_of_the_newer() -> None:
    """A cell is run again with other code: tasks made before and after stay two, at any depth."""

    def define(factor: float) -> Any:
        @NonMemoizedTask
        def Redefined(x: float) -> float:
            return factor * x

        return Redefined

    @NonMemoizedTask
    def Listed(x: list[float]) -> list[float]:
        return x

    old, new = define(1)(1), define(50)(1)
    assert old.full_digest == new.full_digest
    assert Listed([old, new]).run() == [1.0, 50.0]

    @NonMemoizedTask
    def Same(x: float) -> float:
        return x

    assert Listed([Same(old), Same(new), Same(old)]).run() == [1.0, 50.0, 1.0]
