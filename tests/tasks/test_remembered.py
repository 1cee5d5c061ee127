"""Attributes of tasks that are computed once."""

from __future__ import annotations

import threading

from smttask import MemoizedTask, UnpureMemoizedTask


def test_a_digest_that_runs_a_task_keeps_no_other_thread_waiting() -> None:
    """An unpure task may itself wait for threads that make and name tasks."""
    found: list[str] = []
    waits: list[bool] = []

    @MemoizedTask
    def Twice(x: float) -> float:
        return 2 * x

    @UnpureMemoizedTask
    def Asked() -> float:
        other = threading.Thread(target=lambda: found.append(Twice(1.0).full_digest), daemon=True)
        other.start()
        other.join(10)
        waits.append(other.is_alive())
        return 1.0

    assert len(Twice(Asked()).full_digest) == 20
    assert waits == [False]
    assert found == [Twice(1.0).full_digest]
