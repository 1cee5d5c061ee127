"""What the system says of a process and of the host it runs on: what tells each from others."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

__all__ = ["Host", "ProcessFacts", "process_facts", "process_start", "this_host"]

MACHINE_FILES = ("/etc/machine-id", "/var/lib/dbus/machine-id")


@dataclass(frozen=True, slots=True)
class Host:
    """A computer, told apart from others even if its name changes.

    Parameters
    ----------
    name
        As the network knows it; that of a laptop may change with the network.
    machine
        Given when the system was installed; nodes that start from one image may share it.
    boot
        Of the kernel since it was started, shared by the containers on it.
    addresses
        Of the network cards, in hex with colons.

    Each may be empty where the system does not say.
    """

    name: str
    machine: str = ""
    boot: str = ""
    addresses: frozenset[str] = frozenset()

    def is_same(self, other: Host) -> bool:
        """Whether both are surely one computer, perhaps started again or renamed meanwhile.

        Examples
        --------
        >>> node = Host("node1", machine="4e1f")
        >>> node.is_same(Host("node1", machine="4e1f")), node.is_same(Host("node2", machine="4e1f"))
        (True, False)
        """
        if self.boot and self.boot == other.boot:
            return True
        if self.machine != other.machine:
            return False
        return self.name == other.name or bool(self.machine and self.addresses & other.addresses)


@lru_cache(maxsize=1)
def this_host() -> Host:
    """The computer that this process runs on.

    Examples
    --------
    >>> this_host().is_same(this_host())
    True
    """
    return Host(platform.node(), _machine(), _first_text("/proc/sys/kernel/random/boot_id"), _addresses())


def _machine() -> str:
    if platform.system() != "Darwin":
        return _first_text(*MACHINE_FILES)
    try:
        done = subprocess.run(["sysctl", "-n", "kern.uuid"], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip()


def _first_text(*paths: str) -> str:
    for path in paths:
        try:
            text = Path(path).read_text().strip()
        except (OSError, ValueError):
            continue
        if text:
            return text
    return ""


def _addresses() -> frozenset[str]:
    """Addresses of the cards that are hardware; those of containers and tunnels come and go."""
    try:
        cards = [card for card in os.scandir("/sys/class/net") if os.path.exists(f"{card.path}/device")]
    except OSError:
        return frozenset()
    return frozenset(_first_text(f"{card.path}/address") for card in cards) - {"", "00:00:00:00:00:00"}


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


_start: float | None = None


def process_start() -> float:
    """When this process started, in seconds since the epoch; the import of this module where unknown.

    Examples
    --------
    >>> process_start() <= time.time()
    True
    """
    global _start
    if _start is None:
        _start = _IMPORTED
        if (facts := process_facts(os.getpid())) is not None:
            uptime_s = time.clock_gettime(time.CLOCK_BOOTTIME)
            _start = time.time() - uptime_s + facts.start_ticks / os.sysconf("SC_CLK_TCK")
    return _start


_IMPORTED = time.time()
