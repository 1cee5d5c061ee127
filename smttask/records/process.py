"""Which process a record belongs to, and whether that process is still alive."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from smttask.process import process_facts

__all__ = ["Process", "is_dead", "this_process"]


@dataclass(frozen=True, slots=True)
class Process:
    """A process, told apart from a later one with the same number by its start.

    `start` is text to be compared for equality; on Linux it holds the boot, the
    namespace of process numbers and the start in clock ticks since the boot.
    """

    host: str
    pid: int
    start: str


def this_process() -> Process:
    """Return the calling process; looked up once, and anew after a fork.

    Examples
    --------
    >>> is_dead(this_process())
    False
    """
    return _process(os.getpid())


@lru_cache(maxsize=1)
def _process(pid: int) -> Process:
    return Process(platform.node(), pid, _start(pid) or "")


def is_dead(process: Process) -> bool:
    """Whether `process` has surely ended; False for a process of another host or container.

    A host is known by its boot, whatever it is called by now, and after another boot by its name.
    """
    here = this_process()
    if process == here or not (process.start and here.start):
        return False
    boot, _, rest = process.start.partition("/")
    own_boot, _, own_rest = here.start.partition("/")
    if process.host != here.host and not (boot and boot == own_boot):
        return False
    if boot != own_boot:
        return True
    if rest.partition("/")[0] != own_rest.partition("/")[0]:
        return False
    start = _start(process.pid)
    return start != process.start if start else not _has_number(process.pid)


def _has_number(pid: int) -> bool:
    """Whether some process has this number, hidden from us or not (mount option hidepid)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return False  # ours, and it has no start any more: it has ended


def _start(pid: int) -> str | None:
    """Return ``boot/namespace/ticks`` of a running process; None when there is none."""
    if os.path.isdir("/proc/self"):
        facts = process_facts(pid)
        if facts is None or facts.has_ended:
            return None
        try:
            return f"{_boot()}/{os.readlink('/proc/self/ns/pid')}/{facts.start_ticks}"
        except OSError:
            return None
    return _start_by_ps(pid)


@lru_cache(maxsize=1)
def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _start_by_ps(pid: int) -> str | None:
    """Return the start that ``ps`` tells, where there is no ``/proc``; the boot is then left open."""
    try:
        answer = subprocess.run(
            ["ps", "-o", "lstart=", "-p", str(pid)],
            capture_output=True,
            text=True,
            env={**os.environ, "LC_ALL": "C", "TZ": "UTC"},
            check=False,
        )
    except OSError:
        return None
    return f"//{answer.stdout.strip()}" if answer.stdout.strip() else None
