from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace

from smttask.records.process import Process, is_dead, this_process

TELL = (
    "import sys; from smttask.records.process import this_process; p = this_process();"
    "print(p.host, p.pid, p.start, sep='|', flush=True); sys.stdin.read()"
)


def start() -> tuple[subprocess.Popen[str], Process]:
    child = subprocess.Popen(
        [sys.executable, "-c", TELL], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    host, pid, begin = child.stdout.readline().strip().split("|")
    return child, Process(host, int(pid), begin)


def test_a_running_process_is_alive_and_a_killed_one_dead_even_before_its_parent_asks() -> None:
    child, process = start()
    assert not is_dead(process)
    os.kill(child.pid, signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert is_dead(process)
    child.communicate()
    assert is_dead(process)


def test_a_later_process_with_the_same_number_is_another_one() -> None:
    here = this_process()
    assert not is_dead(here)
    assert is_dead(replace(here, start=here.start + "0"))


def test_a_process_before_the_last_boot_is_dead() -> None:
    here = this_process()
    assert is_dead(replace(here, start="other-boot/" + here.start.partition("/")[2]))


def test_a_laptop_that_was_renamed_since_is_the_same_host() -> None:
    child, process = start()
    renamed = replace(process, host="renamed.lan")
    assert not is_dead(renamed)
    child.kill()
    child.communicate()
    boot = process.start.partition("/")[0]
    assert is_dead(renamed) is bool(boot)  # where the system tells no boot, the name decides


def test_what_cannot_be_seen_is_not_taken_for_dead() -> None:
    here = this_process()
    boot, _, rest = here.start.partition("/")
    other_container = f"{boot}/pid:[1]/{rest.partition('/')[2]}"
    assert not is_dead(replace(here, host="elsewhere", pid=2**22, start=f"other-boot/{rest}"))
    assert not is_dead(replace(here, start=other_container, pid=2**22))
    assert not is_dead(replace(here, start="", pid=2**22))


def test_a_forked_child_is_a_process_of_its_own() -> None:
    parent = this_process()
    source, sink = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(sink, b"same" if this_process() == parent else b"other")
        os._exit(0)
    os.waitpid(pid, 0)
    assert os.read(source, 10) == b"other"
