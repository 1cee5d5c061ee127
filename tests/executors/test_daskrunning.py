from __future__ import annotations

import sys
import threading

import distributed  # noqa: F401 - loaded before it is profiled
import pytest

from smttask.executors.daskrunning import interrupt, running_for


def called() -> str:
    return "on"


def test_a_worker_goes_on_under_a_profiler_after_each_order():
    """A debugger, profiler or coverage in a worker does not make it hang when an order is done."""
    sys.setprofile(lambda *event: None)
    try:
        with running_for("a run", "0") as may_begin:
            assert may_begin
        assert called() == "on"
    finally:
        sys.setprofile(None)


def test_an_interrupted_order_leaves_its_thread_as_it_was():
    """The interrupt ends the order, reaches nothing after it, and nothing of that run begins any more."""
    with pytest.raises(KeyboardInterrupt), running_for("a stopped run", "0"):
        stopper = threading.Thread(target=interrupt, args=["a stopped run"])
        stopper.start()
        stopper.join()
        while True:
            called()
    assert called() == "on"
    with running_for("a stopped run", "1") as may_begin:
        assert not may_begin
