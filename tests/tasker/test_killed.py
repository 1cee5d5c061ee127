"""kill -9 at any instant: nothing to unlock, and nothing half-written is believed."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from smttask.tasker import JSON, Tasker

SCRIPT = """
import sys
from smttask.tasker import JSON, Tasker

def use(folder):
    t = Tasker(folder)

    @t.stores("plain.txt", JSON("n.json"))
    def plain(tsk, start="start.txt"):
        n = int(start.read_text())
        with open("plain.txt", "w") as file:
            for line in range(2000):
                file.write(f"{n} {line}\\n")
                file.flush()
        return None, n

    @t.stores(JSON("sum.json"))
    def total(tsk, plain=plain):
        lines = plain[0].read_text().splitlines()
        return [len(lines), sum(int(line.split()[0]) for line in lines), plain[1]]

    return t

if __name__ == "__main__":
    t = use(sys.argv[1])
    print("begun", flush=True)
    for n in range(1000):
        (t.p / "start.txt").write_text(str(n))
        t.total()
"""


@pytest.mark.slow
def test_whatever_is_left_the_next_call_gives_the_whole_value(tmp_path: Path) -> None:
    """Plain files are written line by line here, so that most kills leave half of one."""
    script = tmp_path / "lab_that_dies.py"
    script.write_text(SCRIPT)
    (tmp_path / "lab").mkdir()
    choose = random.Random(1)
    for _ in range(25):
        process = subprocess.Popen(
            [sys.executable, str(script), str(tmp_path / "lab")], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(choose.uniform(0, 0.1))
        process.kill()
        process.communicate()
        _check(tmp_path, script)


def _check(tmp_path: Path, script: Path) -> None:
    """A process that finds what was left gets the value of the input as it is, and knows it is current."""
    code = (
        "import json, lab_that_dies as lab, sys; t = lab.use(sys.argv[1]); "
        "n = int((t.p / 'start.txt').read_text() or 0); (t.p / 'start.txt').write_text(str(n)); "
        "print(json.dumps([n, t.is_working(), t.total(), t.total.is_current()]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "lab")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    n, is_working, total, is_current = json.loads(done.stdout)
    assert (is_working, total, is_current) == (False, [2000, 2000 * n, n], True)


def test_a_half_written_plain_file_of_a_first_run_is_not_believed(tmp_path: Path) -> None:
    """Without a state file it would count by its time, which is young."""
    t = Tasker(tmp_path)
    attempts = []

    @t.stores("plain.txt", JSON("a.json"))
    def plain(tsk):
        attempts.append(1)
        Path("plain.txt").write_text("half" if len(attempts) == 1 else "whole")
        if len(attempts) == 1:
            raise KeyboardInterrupt
        return None, 1

    JSON(t.p / "a.json").save(0)
    with pytest.raises(KeyboardInterrupt):
        plain()
    assert [stale.why for stale in plain.report()] == ["its last run did not finish"]
    assert plain()[0].read_text() == "whole"


TORN = """
import os, signal, sys
from smttask.tasker import Pickle, Tasker

class Torn:
    def __reduce__(self):
        if sys.argv[2] == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        return int, ()

t = Tasker(sys.argv[1])

@t.stores(Pickle("sub/big.pickle"))
def big(tsk):
    return [bytes(1_000_000), Torn()]

big()
"""


def test_what_a_killed_run_had_begun_to_write_is_removed_by_the_next(tmp_path: Path) -> None:
    """Nothing but what the task writes: files of others that look alike stay."""
    script = tmp_path / "torn.py"
    script.write_text(TORN)
    lab = tmp_path / "lab"
    (lab / "sub").mkdir(parents=True)
    other = lab / "sub" / ".big.txt.12-0-0a0b0c.part"
    other.touch()
    command = [sys.executable, str(script), str(lab)]
    assert subprocess.run([*command, "kill"], check=False).returncode == -signal.SIGKILL
    assert len(list(lab.rglob("*.part"))) == 2
    subprocess.run([*command, "go on"], check=True)
    assert list(lab.rglob("*.part")) == [other]
    assert (lab / "sub" / "big.pickle").stat().st_size > 1_000_000
