"""A store in a fresh folder, and a short way to put results into it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from smttask.storage.datastore import DataStore
from smttask.storage.layout import Key

STARTED = datetime(2026, 11, 22, 10, 15, 0, 123456, tzinfo=UTC)


def a_key(digest="3f9c1b00112233445566", *, full="f" * 40, folder="Analyze", suffix=""):
    return Key(folder, digest, suffix, full)


class Scratch:
    """A store whose results hold what a test cares about."""

    def __init__(self, path):
        self.store = DataStore(path / "data", path / "data" / "run_dump")
        self.told = []

    def put(self, value=1.5, key=None, *, code="c" * 40, started=STARTED, **rest):
        with self.store.start(key or a_key(), started) as run:
            run.save_output("", value)
            return run.commit(task="lab.Analyze", code=code, rest=rest)

    def find(self, key=None, *, code="c" * 40, is_same=lambda rest: False):
        return self.store.find(
            key or a_key(), code, is_same, lambda place, reason: self.told.append((place, reason))
        )

    def value(self, key=None, **options):
        head = self.find(key, **options)
        return None if head is None else self.store.load_output(head)

    def files(self):
        """All files and links below the stores, as sorted names relative to the input store."""
        root = self.store.input_dir
        return sorted(str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir())


@pytest.fixture
def scratch(tmp_path):
    return Scratch(tmp_path)


@pytest.fixture
def key():
    return a_key()


@pytest.fixture(name="a_key")
def _a_key():
    return a_key


@pytest.fixture
def started():
    return STARTED


def _mount(*arguments):
    import subprocess

    return subprocess.run(["mount", *map(str, arguments)], capture_output=True, check=False).returncode == 0


@pytest.fixture
def read_only():
    """Makes a folder read-only for real, for root too where that is needed; undone at the end."""
    import os
    import subprocess

    undo = []

    def make(path):
        if _mount("--bind", path, path):
            undo.append(lambda: subprocess.run(["umount", path], check=True))
            assert _mount("-o", "remount,bind,ro", path)
            return
        assert os.geteuid(), "root can write everywhere unless it can mount"
        for folder, _, _ in os.walk(path):
            os.chmod(folder, 0o555)
            undo.append(lambda folder=folder: os.chmod(folder, 0o755))

    yield make
    for step in reversed(undo):
        step()
