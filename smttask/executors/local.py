"""Worker processes of this machine."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from queue import SimpleQueue

from smttask.errors import SettingError
from smttask.executors.crew import Crew
from smttask.executors.forking import prepare_forks
from smttask.executors.messages import Instructions
from smttask.executors.outcome import Outcome
from smttask.executors.process import Event
from smttask.executors.progress import Display
from smttask.executors.work import Work

__all__ = ["ProcessExecutor"]


class ProcessExecutor:
    """Runs works in at most `n` processes of this machine, each used for many.

    A task that dies with its worker stops no other. The calling process imports neither numpy nor
    user modules. Recorded tasks that a task needs, not stored yet and independent of each other, are run side
    by side. A task that another process computes at the moment is come back to.

    Parameters
    ----------
    n
        At least 1; not more than the settings of the project allow are used.
    timeout_s, memory_bytes
        What one task may take; see `smttask.executors.limits.Watch`.
    retries
        How often a task is tried again that failed or died; errors of smttask stand.
    start_method
        ``"spawn"``: fresh processes. ``"fork"``: copies of this one, with all that it has loaded.
    shows_output
        Tell the display what tasks print, too.

    Raises
    ------
    ProjectError, SettingError, DescriptionError
        From `run`, if the workers cannot use the project, its settings or a module to be imported.
    WorkerError
        From `run`, if worker processes cannot start.
    """

    name = "process"

    def __init__(
        self,
        n: int,
        instructions: Instructions,
        *,
        timeout_s: float | None = None,
        memory_bytes: int | None = None,
        retries: int = 0,
        start_method: str = "spawn",
        shows_output: bool = False,
    ) -> None:
        if start_method not in ("spawn", "fork"):
            raise SettingError(
                f"Worker processes cannot be started by {start_method!r}.",
                "ways: 'spawn', a fresh Python; 'fork', a copy of the calling process",
                "give one of these",
                name="start_method",
            )
        for name, limit in (("timeout_s", timeout_s), ("memory_bytes", memory_bytes)):
            if limit is not None and limit <= 0:
                raise SettingError(
                    f"No task can run with {name}={limit!r}.",
                    "expected: more than 0",
                    "leave it out for no limit",
                    name=name,
                )
        self.n = n
        self.instructions = instructions
        self.timeout_s = timeout_s
        self.memory_bytes = memory_bytes
        self.retries = retries
        self.start_method = start_method
        self.shows_output = shows_output
        self.events: SimpleQueue[Event] = SimpleQueue()

    def run(self, works: Iterator[Work], told: Display) -> Generator[Outcome, None, None]:
        """See `smttask.protocols.Executor`."""
        if self.start_method == "fork":
            prepare_forks(self.instructions.imports, only_calls=self.instructions.only_calls)
        crew = Crew(self, works, told)
        try:
            yield from crew.outcomes()
        finally:
            crew.end()

    def stop(self) -> None:
        """See `smttask.protocols.Executor`."""
        self.events.put((None, "stop", {}, None, None))
