"""Writers that are killed at any instant leave the old result or the new one."""

from __future__ import annotations

import random
import subprocess
import sys
import time

import pytest

WRITER = """
import sys
from datetime import UTC, datetime
import numpy as np
from smttask.storage.datastore import DataStore
from smttask.storage.layout import Key

store = DataStore(sys.argv[1], sys.argv[1] + "/run_dump")
print("ready", flush=True)
n = 0
while True:
    n += 1
    key = Key("Analyze", f"{n % 5:020x}", "", "f" * 40)
    with store.start(key, datetime.now(UTC)) as run:
        run.save_output("n", n)
        run.save_output("field", np.full(50_000, n))
        run.save_output("both", {"n": n, "field": np.full(20_000, n)})
        run.commit(task="t", code=f"{n % 3:040x}", rest={"n": n})
        store.put_value(np.full(10_000, n))
"""


def check_all(scratch, a_key):
    """Every result that a manifest names loads and is right; every link leads to its task."""
    n_found = 0
    for digest in range(5):
        key = a_key(f"{digest:020x}")
        for code in range(3):
            head = scratch.find(key, code=f"{code:040x}")
            if head is None:
                continue
            n = scratch.store.load_output(head, "n")
            assert n % 5 == digest
            assert (scratch.store.load_output(head, "field") == n).all()
            assert (scratch.store.load_output(head, "both")["field"] == n).all()
            assert scratch.store.read_rest(head) == {"n": n}
            assert int(head.code, 16) == n % 3
            n_found += head.code == f"{code:040x}"
    assert scratch.told == []
    return n_found


@pytest.mark.parametrize("n_kills", [3, pytest.param(100, marks=pytest.mark.slow)])
def test_a_writer_killed_at_random_leaves_only_whole_results(n_kills, scratch, a_key):
    """After kill -9 at random instants all that is found is right, and nothing found before is lost."""
    seconds = random.Random(n_kills)
    n_before = 0
    for _ in range(n_kills):
        command = [sys.executable, "-c", WRITER, str(scratch.store.input_dir)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout.readline() == "ready\n"
            time.sleep(seconds.uniform(0.0, 0.05))
            writer.kill()
        n_found = check_all(scratch, a_key)
        assert n_found >= n_before
        n_before = n_found
    assert n_before > 0
    for path in (scratch.store.output_dir / ".values").glob("*.npy"):
        if not path.name.startswith("."):
            scratch.store.get_value(path.stem)


def test_processes_that_store_the_same_thing_at_once_lose_nothing(scratch, a_key):
    """Four writers of the same keys under different code leave every version to be found."""
    command = [
        sys.executable,
        "-c",
        WRITER.replace("while True", "while n < 60"),
        str(scratch.store.input_dir),
    ]
    writers = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(4)]
    for writer in writers:
        writer.communicate()
    assert [writer.returncode for writer in writers] == [0] * 4
    assert check_all(scratch, a_key) == 15
    labels = list((scratch.store.output_dir / "Analyze").glob("*.json"))
    assert len(labels) == 240
