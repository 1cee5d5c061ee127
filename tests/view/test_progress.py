from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator

import pytest

from smttask.view.progress import watched

SLOW = """
import time
from smttask.view.progress import watched

def slowly(n, pause_s):
    for number in range(n):
        time.sleep(pause_s)
        yield number

assert list(watched(slowly({n}, {pause_s}), {n})) == list(range({n}))
"""


def in_terminal(code: str) -> str:
    """What a script writes on stderr, which is a terminal."""
    ours, theirs = pty.openpty()
    able = {**os.environ, "TERM": "xterm"}
    subprocess.run([sys.executable, "-c", code], stderr=theirs, check=True, timeout=60, env=able)
    os.close(theirs)
    written = b""
    try:
        while chunk := os.read(ours, 1000):
            written += chunk
    except OSError:  # Linux says so where the other side is closed
        pass
    os.close(ours)
    return written.decode()


def test_a_long_look_shows_in_a_terminal_how_far_it_is() -> None:
    """After a second a line on stderr counts the records and tells the time left; in the end it is erased."""
    shown = in_terminal(SLOW.format(n=8, pause_s=0.3))
    assert "of 8 records" in shown
    assert " left" in shown
    assert shown.endswith("\r\x1b[K")


def test_a_short_look_is_quiet() -> None:
    """What takes less than a second writes nothing, also in a terminal."""
    assert in_terminal(SLOW.format(n=3, pause_s=0.01)) == ""


def test_a_script_whose_errors_go_to_a_file_is_quiet() -> None:
    """Where stderr is no terminal no progress is written."""
    code = SLOW.format(n=4, pause_s=0.4)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60)
    assert (done.stdout, done.stderr) == (b"", b"")


def test_of_loops_in_loops_one_line_shows_progress() -> None:
    """The inner one stands beside the outermost, and in the line of no other, so that none is overwritten."""
    code = SLOW.format(n=2, pause_s=0.01) + (
        "for outer in watched(range(3), 3, 'tables'):\n    list(watched(slowly(4, 0.3), 4, 'rows'))\n"
    )
    shown = in_terminal(code)
    first = shown.index("of 3 tables")
    lines = shown[first:].split("\r\x1b[K")
    assert any("1 of 3 tables, " in line and "of 4 rows, " in line for line in lines)
    assert all("tables" in line for line in lines if line)


def test_an_error_in_a_loop_passes_through() -> None:
    """Errors of what is looked at, and of who looks, come out as they are."""

    def failing() -> Iterator[int]:
        yield 1
        raise ValueError("torn")

    with pytest.raises(ValueError, match="torn"):
        list(watched(failing(), 2))
