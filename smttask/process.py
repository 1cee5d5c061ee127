"""What the system says of a process: when it started, which tells it from a later one of its number."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["ProcessFacts", "process_facts"]


class ProcessFacts(NamedTuple):
    """What ``/proc`` says of a process.

    Parameters
    ----------
    has_ended
        It is dead; only its parent has not asked yet.
    start_ticks
        Start, in clock ticks since the boot.
    """

    has_ended: bool
    start_ticks: int


def process_facts(pid: int) -> ProcessFacts | None:
    """What is known of the process `pid`; None if there is none, or no ``/proc`` to ask.

    Examples
    --------
    >>> import os
    >>> process_facts(os.getpid()) == process_facts(os.getpid())
    True
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name of the program, field 2, may hold anything, but ends with the last bracket.
            fields = file.read().rpartition(b")")[2].split()
        return ProcessFacts(fields[0] in (b"Z", b"X"), int(fields[19]))
    except (OSError, IndexError, ValueError):
        return None
