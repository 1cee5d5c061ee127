"""What Dask's workers do for `smttask.executors.dask`: run one work, or say which parts come before it."""

from __future__ import annotations

import importlib
import os
import pickle
import platform
import sys
import threading
from collections.abc import Sequence
from contextvars import Context
from dataclasses import dataclass, replace
from functools import lru_cache
from time import monotonic, perf_counter

import smttask
from smttask.code.source import stale_files
from smttask.errors import SmttaskError, WorkerError
from smttask.executors.daskrunning import running_for, tell_here
from smttask.executors.division import Division, divide
from smttask.executors.messages import Instructions
from smttask.executors.outcome import Outcome
from smttask.executors.remote import run_safely
from smttask.executors.taskfile import TaskFiles
from smttask.executors.work import Work
from smttask.project import get_project, use_project

__all__ = [
    "BATCH_S",
    "Batch",
    "NotBegun",
    "Order",
    "Orders",
    "carry_out",
    "carry_out_all",
]

TASK_TAG = '"$task"'  # where a description names another task
BATCH_S = 0.1  # after which nothing more of a batch begins

_lock = threading.Lock()
_entered: dict[tuple[int, Orders], tuple[Context, TaskFiles]] = {}
_of_thread = threading.local()


@dataclass(frozen=True, slots=True)
class Orders:
    """What holds for all works of a run.

    Parameters
    ----------
    run
        Its name, different from that of all others.
    root
        Of the project; empty if there is none.
    folder
        To be importable: that of the project, else the working directory of who called.
    instructions
        Keep files: whoever gets the outcomes removes them.
    retries
        How often a task that failed is tried again.
    """

    run: str
    root: str
    folder: str
    instructions: Instructions
    retries: int = 0

    def packed(self) -> bytes:
        """For `carry_out`: every order has it, and the worker unpacks it once."""
        return pickle.dumps(self, protocol=pickle.HIGHEST_PROTOCOL)


@lru_cache(maxsize=16)
def _unpacked(orders: bytes) -> Orders:
    unpacked: Orders = pickle.loads(orders)  # noqa: S301 - from who gives Dask's workers their orders, pickled too
    return unpacked


@dataclass(frozen=True, slots=True)
class Order:
    """One work.

    Parameters
    ----------
    mark
        What it is known by in its run.
    may_divide
        Whether to ask for parts of it to be run before.
    """

    work: Work
    mark: str
    may_divide: bool = False

    def __dask_tokenize__(self) -> str:
        """What Dask takes for its content beside the orders of the run; else it takes half a millisecond."""
        return self.mark


@dataclass(frozen=True, slots=True)
class Batch:
    """Some orders, at least one, that a worker carries out one after the other.

    Its mark is that of the first of them.
    """

    orders: tuple[Order, ...]

    @property
    def mark(self) -> str:
        """See `Order`."""
        return self.orders[0].mark

    def __dask_tokenize__(self) -> str:
        """See `Order`."""
        return self.mark


@dataclass(frozen=True, slots=True)
class NotBegun:
    """Instead of an outcome: before the work began the run was stopped, or the time of its batch was over."""

    number: int


def carry_out(
    order: Order, version: str, packed: bytes, parts: Sequence[Outcome | NotBegun] = ()
) -> Outcome | Division | NotBegun:
    """What became of the work, run in this thread; or what is to be run before.

    Parameters
    ----------
    version
        Of smttask where the order comes from.
    packed
        The orders of the run, see `Orders.packed`.
    parts
        What became of those of its parts that came before; if one failed, so does the work.

    Raises
    ------
    WorkerError
        If this process has another version of smttask.
    SmttaskError
        If the project, or a module to be imported, cannot be used here.
    """
    if version != smttask.__version__:
        raise WorkerError(
            "Workers of the Dask cluster have another version of smttask.",
            f"found: {smttask.__version__} with Python {platform.python_version()} on {platform.node()}\n"
            f"expected: {version}",
            "install the same version where the workers run, and start them again",
        )
    work, orders = order.work, _unpacked(packed)
    for part in parts:
        if isinstance(part, NotBegun):
            return NotBegun(work.number)
        if part.is_failure:
            return replace(part, name=work.name, number=work.number, worker=0)
    try:
        with running_for(orders.run, order.mark) as may_begin:
            return _within(order, orders) if may_begin else NotBegun(work.number)
    except KeyboardInterrupt:
        return Outcome(work.name, "killed", error="stopped", number=work.number)


def carry_out_all(batch: Batch, version: str, packed: bytes) -> list[Outcome | Division | NotBegun]:
    """What became of each order of `batch`, see `carry_out`; the first is begun in any case.

    Works that turn out to be long are so left to other workers.
    """
    begin = monotonic()
    results = [carry_out(batch.orders[0], version, packed)]
    for order in batch.orders[1:]:
        is_late = monotonic() - begin > BATCH_S
        results.append(NotBegun(order.work.number) if is_late else carry_out(order, version, packed))
    return results


def _within(order: Order, orders: Orders) -> Outcome | Division:
    """The same, in the project."""
    context, files = _files(orders)
    attempts = 1
    while True:
        result = context.copy().run(_run, files, order)
        if isinstance(result, Division) or not result.is_failure or attempts > orders.retries:
            break
        attempts += 1
    return result if isinstance(result, Division) else replace(result, attempts=attempts)


def _run(files: TaskFiles, order: Order) -> Outcome | Division:
    if not hasattr(_of_thread, "watcher"):
        _of_thread.watcher = files.watcher(tell_here)
    with _of_thread.watcher.watching():
        return _divide_or_run(files, order)


def _divide_or_run(files: TaskFiles, order: Order) -> Outcome | Division:
    work, begin = order.work, perf_counter()
    if work.call or not order.may_divide or (work.description and TASK_TAG not in work.description):
        return run_safely(files, work)
    try:
        task = files.load_work(work)
        division = None if task is None else divide(task, recompute=files.instructions.recompute)
    except Exception:  # noqa: BLE001 - whatever it is, the run meets it too, and tells it
        return run_safely(files, work)
    if division is not None:
        return division
    if work.wants_value or task is None:  # what is sent is made from the description
        return run_safely(files, work)
    outcome = run_safely(files, replace(work, task=task))
    return replace(outcome, duration_s=perf_counter() - begin)


# -- the project


def _files(orders: Orders) -> tuple[Context, TaskFiles]:
    """The project as entered in a context of its own, once in this process for each run."""
    key = os.getpid(), orders
    with _lock:
        if key not in _entered:
            context = Context()
            files = TaskFiles(orders.instructions)
            context.run(_enter, files, orders)
            _entered[key] = context, files
    return _entered[key]


def _enter(files: TaskFiles, orders: Orders) -> None:
    try:
        _make_importable(orders.folder)
        if orders.root:
            use_project(get_project(orders.root)).__enter__()
        files.__enter__()
    except SmttaskError as error:
        error.add_note(f"on the worker {platform.node()}")
        raise


def _make_importable(folder: str) -> None:
    """Put `folder` first in the search path; modules of other projects, and edited ones, are forgotten.

    Workers of a cluster live for weeks, see many projects, and each of them many versions of its modules.
    """
    if folder in sys.path:
        sys.path.remove(folder)
    sys.path.insert(0, folder)
    known = {orders.folder for _, orders in _entered}
    files = {
        name: os.path.realpath(file)
        for name, module in list(sys.modules.items())
        if isinstance(file := getattr(module, "__file__", None), str)
    }
    own = {name: file for name, file in files.items() if _lies_in(file, folder)}
    others = [name for name, file in files.items() if any(_lies_in(file, one) for one in known - {folder})]
    for name in [*others, *(own if stale_files(own.values()) else ())]:
        sys.modules.pop(name, None)
    importlib.invalidate_caches()


def _lies_in(file: str, folder: str) -> bool:
    return file.startswith(folder + os.sep) and "site-packages" not in file
