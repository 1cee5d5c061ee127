"""Memory and kin of processes, as the system tells them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress

__all__ = [
    "bytes_text",
    "children_by_parent",
    "family",
    "kill_family",
    "memory_of",
    "peak_bytes",
    "reset_peak",
]

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
STATUS_BYTES = 16_384
HAS_PROC = os.path.exists("/proc/self/statm")


def bytes_text(n_bytes: int) -> str:
    """A size for people.

    Examples
    --------
    >>> bytes_text(1_500_000), bytes_text(2_000_000_000)
    ('1.5 MB', '2.0 GB')
    """
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.1f} MB"


def memory_of(pid: int) -> int:
    """Resident bytes of the process `pid`; 0 if there is none."""
    if HAS_PROC:
        try:
            with open(f"/proc/{pid}/statm", "rb") as file:
                return int(file.read().split()[1]) * PAGE_BYTES
        except (OSError, IndexError, ValueError):
            return 0
    done = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, check=False)
    return int(done.stdout or b"0") * 1024


def reset_peak() -> None:
    """Begin anew to look for the most memory of this process, where the system can (Linux)."""
    with suppress(OSError):
        fd = os.open("/proc/self/clear_refs", os.O_WRONLY)
        try:
            os.write(fd, b"5")
        finally:
            os.close(fd)


def peak_bytes() -> int:
    """Most resident bytes of this process since `reset_peak`; 0 where the system does not say."""
    try:
        fd = os.open("/proc/self/status", os.O_RDONLY)  # after every task: half of what `open` takes
    except OSError:
        return 0
    try:
        text = os.read(fd, STATUS_BYTES)
    finally:
        os.close(fd)
    _, found, rest = text.partition(b"VmHWM:")
    return int(rest.split(maxsplit=1)[0]) * 1024 if found else 0


def kill_family(pid: int, children: dict[int, list[int]] | None = None) -> None:
    """End the process `pid` and those that it started, and those that they started."""
    for member in reversed(family(pid, children_by_parent() if children is None else children)):
        with suppress(OSError):
            os.kill(member, getattr(signal, "SIGKILL", signal.SIGTERM))


def family(pid: int, children: dict[int, list[int]]) -> list[int]:
    """The process `pid`, those that it started, and those that they started."""
    family = [pid]
    for member in family:
        family.extend(children.get(member, []))
    return family


def children_by_parent() -> dict[int, list[int]]:
    """The processes of this host by their parent."""
    children: dict[int, list[int]] = {}
    for pid, parent in _pids_and_parents():
        children.setdefault(parent, []).append(pid)
    return children


def _pids_and_parents() -> list[tuple[int, int]]:
    found = []
    if HAS_PROC:
        for name in os.listdir("/proc"):
            if name.isdigit():
                with suppress(OSError, IndexError, ValueError), open(f"/proc/{name}/stat", "rb") as file:
                    found.append((int(name), int(file.read().rpartition(b")")[2].split()[1])))
    elif sys.platform != "win32":
        done = subprocess.run(["ps", "-axo", "pid=,ppid="], capture_output=True, check=False)
        for line in done.stdout.splitlines():
            pid, parent = line.split()
            found.append((int(pid), int(parent)))
    return found
