"""Executors by name."""

from __future__ import annotations

import difflib
from importlib import import_module
from typing import TYPE_CHECKING, Any

from smttask.errors import SettingError
from smttask.executors.messages import Instructions

if TYPE_CHECKING:
    from smttask.protocols import Executor

__all__ = ["EXECUTORS", "make_executor"]

#: Name -> module, class, the options that it takes.
EXECUTORS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "process": (
        "smttask.executors.local",
        "ProcessExecutor",
        ("timeout_s", "memory_bytes", "retries", "start_method", "shows_output"),
    ),
    "thread": ("smttask.executors.threads", "ThreadExecutor", ("retries",)),
    "dask": ("smttask.executors.dask", "DaskExecutor", ("retries", "scheduler", "shows_output")),
    "slurm": (
        "smttask.executors.slurm",
        "SlurmExecutor",
        ("timeout_s", "memory_bytes", "retries", "slurm", "shows_output"),
    ),
}


def make_executor(
    name: str, *, n: Any = 1, instructions: Instructions | None = None, **options: Any
) -> Executor:
    """The executor that is called `name`; nothing is started before its `run`.

    Parameters
    ----------
    n
        Most tasks at once, at least 1. None, for a Dask scheduler alone: as many as it has workers for.
    instructions
        What every worker is told.
    options
        Those of the executor, see `EXECUTORS`; None and False mean not given.

    Raises
    ------
    SettingError
        If there is no such executor, it has no such option, or `n` is below 1.
    MissingExtraError
        If a library that it needs is not installed.
    """
    if name not in EXECUTORS:
        near = difflib.get_close_matches(str(name), EXECUTORS, n=1)
        raise SettingError(
            f"There is no executor {name!r}.",
            f"executors: {', '.join(EXECUTORS)}",
            f"did you mean {near[0]!r}?" if near else "choose one of these",
            name=name,
        )
    is_open = n is None and options.get("scheduler")
    if not is_open and (isinstance(n, bool) or not isinstance(n, int) or n < 1):
        raise SettingError(
            f"The executor {name!r} cannot run {n!r} tasks at once.",
            "expected: an integer, 1 or more",
            "give n=1 for one after the other",
            name="n",
        )
    module, kind, known = EXECUTORS[name]
    given = {option: value for option, value in options.items() if value is not None and value is not False}
    if foreign := [option for option in given if option not in known]:
        able = [repr(other) for other, (*_, takes) in EXECUTORS.items() if set(given) <= set(takes)]
        raise SettingError(
            f"The executor {name!r} has no {_words(foreign)}.",
            f"options of it: {_words(known)}",
            f"leave that out, or use the executor {' or '.join(able)}" if able else "leave that out",
            name=foreign[0],
        )
    make: type[Any] = getattr(import_module(module), kind)
    executor: Executor = make(n, instructions or Instructions(), **given)
    return executor


def _words(options: Any) -> str:
    """Options as the command line has them."""
    return ", ".join(option.removesuffix("_s").removesuffix("_bytes").replace("_", "-") for option in options)
