"""Results in memory: shared, bounded, and never spoilt."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import pytest

from smttask import MemoizedTask, NonMemoizedTask
from smttask.errors import OutputError, ResultNotFoundError
from smttask.typing import Array

calls: list[str] = []


@pytest.fixture(autouse=True)
def _no_calls() -> None:
    calls.clear()


@MemoizedTask
def Slow(name: str) -> object:
    calls.append(name)
    time.sleep(0.05)
    return {"name": name, "items": [1]}


@MemoizedTask
def Zeros(n: int) -> Array:
    calls.append("zeros")
    return np.zeros(n)


@MemoizedTask
def Lazily(n: int) -> Any:
    return (i for i in range(n))


@NonMemoizedTask
def Count(x: float) -> float:
    calls.append("count")
    return x


@NonMemoizedTask
def Add(a: float, b: float) -> float:
    return a + b


def test_equal_tasks_share_one_result() -> None:
    """The function is called once; whoever asks later finds the result in memory."""
    first, second = Slow("shared"), Slow("shared")
    assert first.run() == second.run()
    assert calls == ["shared"]
    assert (first.last_hit, second.last_hit) == ("computed", "memory")


def test_what_can_be_read_only_once_is_refused() -> None:
    """The second to ask for a generator would find it empty."""
    with pytest.raises(OutputError, match=r"can be read only once(.|\n)*list"):
        Lazily(3).run()


def test_no_caller_can_spoil_the_result_of_another() -> None:
    """Containers are handed out as copies, arrays read-only."""
    result: Any = Slow("spoilt").run()
    result["items"].append(2)
    assert Slow("spoilt").run() == {"name": "spoilt", "items": [1]}
    with pytest.raises(ValueError, match="read-only"):
        Zeros(3).run()[0] = 1


def test_any_object_may_be_a_result_and_is_shared_as_it_is() -> None:
    """Results that cannot be stored are what this kind of task is for."""

    @MemoizedTask
    def Lock(x: int) -> object:
        return threading.Lock()

    assert Lock(1).run() is Lock(1).run()


def test_a_result_of_another_type_is_refused() -> None:
    """The annotation is checked by isinstance."""

    @MemoizedTask
    def Wrong(x: int) -> int:
        return "a"  # type: ignore[return-value]

    with pytest.raises(OutputError, match="Task 'Wrong': the returned value does not fit"):
        Wrong(1).run()


def test_load_clear_and_has_run_speak_of_memory() -> None:
    """clear() forgets, load() never computes, recompute computes."""
    task = Zeros(4)
    task.clear()
    assert not task.has_run
    with pytest.raises(ResultNotFoundError, match="searched: memory"):
        task.load()
    task.run()
    assert task.has_run
    assert list(task.load()) == [0, 0, 0, 0]
    task.run(recompute=True)
    assert calls == ["zeros", "zeros"]


def test_threads_that_ask_together_compute_once() -> None:
    """One thread computes, the others wait."""
    threads = [threading.Thread(target=Slow("threads").run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert calls == ["threads"]


def test_a_task_that_is_not_kept_runs_once_per_outermost_run() -> None:
    """Within one run() its result is shared, afterwards it is gone."""
    total = Add(Count(1).as_input, Count(1).as_input)
    assert total.run() == 2
    assert calls == ["count"]
    total.run()
    assert calls == ["count", "count"]


def test_redefined_and_patched_functions_are_computed_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """The code is part of what a result in memory is found by."""
    module = __import__("sys").modules[__name__]

    @MemoizedTask
    def Use(x: int) -> int:
        return offset() + x

    assert Use(1).run() == 11
    monkeypatch.setattr(module, "offset", lambda: 20)
    assert Use(1).run() == 21


def offset() -> int:
    return 10
