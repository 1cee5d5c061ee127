"""What the system says of a process."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from smttask.process import process_facts, process_start

pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="the system has no /proc")


def test_a_process_keeps_its_start_until_its_parent_has_asked() -> None:
    """A dead child is told from a living one, and is gone once it was waited for."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    living = process_facts(child.pid)
    assert living is not None
    assert not living.has_ended
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    dead = process_facts(child.pid)
    assert dead is not None
    assert (dead.has_ended, dead.start_ticks) == (True, living.start_ticks)
    child.communicate()
    assert process_facts(child.pid) is None


def test_the_name_of_a_program_may_hold_anything(tmp_path: Path) -> None:
    """Brackets and spaces in it do not shift what is read."""
    program = tmp_path / "a) Z 1 (b"
    program.symlink_to("/bin/sleep")
    child = subprocess.Popen([program, "60"])
    try:
        facts, own = process_facts(child.pid), process_facts(os.getpid())
        assert facts is not None
        assert own is not None
        assert facts.start_ticks >= own.start_ticks
    finally:
        child.kill()
        child.wait()


def test_a_process_knows_when_it_started() -> None:
    """What was written before a program began is older than it, what it writes itself is not."""
    before = time.time()
    program = "import time; from smttask.process import process_start; print(process_start(), time.time())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    start, later = map(float, done.stdout.split())
    assert before - 0.5 < start < later  # to a clock tick, and as the clock was set since the boot
    assert process_start() < before
