"""`merge` of stores with thousands of records: right, in time, and after kill -9 too."""

import random
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest

from smttask.care.merge import merge
from smttask.records.record import DataKey, Dependency
from smttask.records.sqlite import SQLiteRecordStore

pytestmark = pytest.mark.slow

N, N_COMMON = 10_000, 5_000
LINKS = ("record_dependencies", "record_input_data", "record_platforms", "taggeditem")
MERGE = "import sys; from smttask.care.merge import merge; from smttask.project import get_project\n"


@pytest.fixture
def stores(lab, tmp_path):
    """The lab's store with N records, and another with N, of which N_COMMON are the same."""
    like = lab.project.records.get(lab.ramp.record.label)
    packages = tuple(Dependency(f"package{n}", f"/site/package{n}", "1.0") for n in range(60))
    path = tmp_path / "other"
    common = SQLiteRecordStore(path, lab.project.name, input_root="/", output_root="/")

    def fill(store, numbers):
        for n in numbers:
            text = like.parameters.replace('"inputs"', f'"number":{n},"inputs"')
            store.open_record(
                replace(
                    like,
                    label=f"run-{n:06}",
                    timestamp=like.timestamp + timedelta(seconds=n),
                    parameters=text,
                    dependencies=packages,
                    output_data=(DataKey(f"Ramp/run-{n:06}.json", metadata={"size": n}),),
                    tags=frozenset({"even"} if n % 2 == 0 else ()),
                )
            )

    fill(common, range(N_COMMON))
    common.close()
    lab.project.records.close()
    for extra in (lab.root / ".smt").glob("records*"):
        extra.unlink()
    shutil.copyfile(path, lab.root / ".smt" / "records")
    fill(lab.project.records, range(N_COMMON, N))
    fill(common, range(N, 2 * N - N_COMMON))
    common.close()
    return path


def rows(path):
    """How many rows each table has, and the labels."""
    with closing(sqlite3.connect(path)) as connection:
        names = ("record", "dependency", "platforminformation", "datakey", "parameterset", *LINKS)
        counts = {
            name: connection.execute(f"SELECT count(*) FROM django_store_{name}").fetchone()[0]
            for name in names
        }
        counts["smttask_run"] = connection.execute("SELECT count(*) FROM smttask_run").fetchone()[0]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        return counts


def test_two_stores_of_thousands_become_one(lab, stores):
    """In a minute at most; all that was in either is there once."""
    before = rows(stores)
    begun = time.monotonic()
    done = merge(lab.project, stores)
    assert time.monotonic() - begun < 60
    assert (len(done.added), done.n_equal, done.updated) == (N - N_COMMON, N_COMMON, [])
    after = rows(lab.project.records.path)
    assert after["record"] == after["smttask_run"] == after["parameterset"] == 2 * N - N_COMMON
    assert (after["dependency"], after["platforminformation"]) == (
        before["dependency"],
        before["platforminformation"],
    )
    assert after["record_dependencies"] == 60 * (2 * N - N_COMMON)
    assert_is_whole(lab, stores)


def test_a_merge_that_is_killed_is_completed_by_the_next(lab, stores):
    """At any instant: the records that are there are whole, and the rest comes."""
    code = f"{MERGE}merge(get_project(sys.argv[1]), sys.argv[2])"
    wait = random.Random(5)
    for _ in range(4):
        with subprocess.Popen([sys.executable, "-c", code, str(lab.root), str(stores)]) as child:
            time.sleep(wait.uniform(1.0, 4.0))
            child.kill()
    done = merge(lab.project, stores)
    assert done.n_equal == N - len(done.added)
    assert rows(lab.project.records.path)["record"] == 2 * N - N_COMMON
    assert_is_whole(lab, stores)
    again = merge(lab.project, stores)
    assert (again.added, again.updated, again.n_equal) == ([], [], N)


def assert_is_whole(lab, stores):
    """Every record of the other store is here as it is there."""
    source = SQLiteRecordStore(stores, lab.project.name, input_root="/", output_root="/")
    theirs = {record.label: record for record in source.records()}
    source.close()
    ours = {record.label: record for record in lab.project.records.records()}
    assert len(ours) == 2 * N - N_COMMON
    assert all(ours[label] == record for label, record in theirs.items())
