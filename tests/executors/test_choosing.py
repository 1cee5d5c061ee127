"""Executors by name, and what each of them takes."""

import pytest

from smttask.errors import SettingError
from smttask.executors.choosing import make_executor


def test_an_executor_that_does_not_exist_is_told_with_the_nearest():
    """And all that do."""
    with pytest.raises(
        SettingError, match=r"There is no executor 'proces'\.\n  executors: process, thread, dask, slurm"
    ):
        make_executor("proces")
    with pytest.raises(SettingError, match="did you mean 'thread'"):
        make_executor("threads")
    with pytest.raises(SettingError, match="choose one of these"):
        make_executor("celery")


def test_an_option_that_an_executor_lacks_is_told_with_those_that_have_it():
    """A limit that nobody watches would be no limit."""
    with pytest.raises(SettingError, match=r"The executor 'thread' has no timeout, memory\.\n  .*: retries"):
        make_executor("thread", timeout_s=1.0, memory_bytes=10)
    with pytest.raises(SettingError, match="use the executor 'process' or 'slurm'"):
        make_executor("thread", timeout_s=1.0)


@pytest.mark.parametrize("option", ["timeout_s", "memory_bytes"])
def test_no_task_can_run_in_no_time_or_memory(option):
    """Zero is no limit that can be meant."""
    with pytest.raises(SettingError, match=f"No task can run with {option}=0"):
        make_executor("process", **{option: 0})


def test_workers_start_by_spawn_or_fork():
    """Other words are refused."""
    with pytest.raises(SettingError, match="cannot be started by 'forkserver'"):
        make_executor("process", start_method="forkserver")
