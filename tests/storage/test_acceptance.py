"""Accepted results serve for the code that accepted them, and for no other."""

from datetime import timedelta

import pytest

from smttask.errors import StorageError
from smttask.storage.acceptance import accept_result
from smttask.storage.datastore import DataStore

OLD, NEW, NEWER = "a" * 40, "b" * 40, "c" * 40


@pytest.fixture
def accepted(scratch, key):
    """A store with a result by old code, accepted for new code."""
    head = scratch.put(1.5, code=OLD)
    accept_result(scratch.store.input_dir, key, NEW, head)
    return scratch


def test_an_accepted_result_is_found_as_if_the_new_code_had_made_it(accepted):
    """It serves the old code as before, and is of other code to any third."""
    assert accepted.find(code=NEW).code == NEW
    assert accepted.value(code=NEW) == 1.5
    assert accepted.find(code=OLD).code == OLD
    assert accepted.find(code=NEWER).code == OLD


@pytest.mark.parametrize("suffix", ["", "__n_5"])
def test_the_link_stands_among_the_older_ones_under_the_accepting_code(scratch, a_key, suffix):
    """`.older/<digest>.<k>.json` leads to the manifest as it was."""
    key = a_key(suffix=suffix)
    head = scratch.put(1.5, key, code=OLD)
    before = head.path.read_bytes()
    accept_result(scratch.store.input_dir, key, NEW, head)
    [link] = scratch.store.input_dir.rglob(".older/*")
    assert link.resolve() == head.path
    assert not link.readlink().is_absolute()
    assert head.path.read_bytes() == before
    assert scratch.find(key, code=NEW).label == head.label


def test_a_result_computed_later_takes_the_place_of_an_accepted_one(accepted, started):
    """Computing anew is stronger than accepting."""
    accepted.put(2.5, code=NEW, started=started + timedelta(seconds=1))
    assert accepted.value(code=NEW) == 2.5
    assert accepted.value(code=OLD) == 1.5


def test_invalidating_undoes_acceptance(accepted, key):
    """Nothing is left that leads to the result."""
    accepted.store.invalidate(key)
    assert accepted.find(code=NEW) is None


def test_a_damaged_accepted_result_is_not_served(accepted):
    """It is set aside like any other."""
    path = accepted.find(code=NEW).path
    path.write_bytes(path.read_bytes()[:-3])
    assert accepted.find(code=NEW) is None
    assert len(accepted.told) == 1


def test_a_store_that_cannot_be_written_refuses_to_accept(scratch, key, read_only):
    """What was stored is found as before."""
    head = scratch.put(1.5, code=OLD)
    read_only(scratch.store.input_dir)
    with pytest.raises(StorageError, match="Cannot accept the result"):
        accept_result(scratch.store.input_dir, key, NEW, head)
    assert scratch.find(code=NEW).code == OLD


def test_who_only_looks_moves_nothing(accepted, key):
    """Damage is told each time, and all stays where it is."""
    path = accepted.find(code=NEW).path
    path.write_bytes(path.read_bytes()[:-3])
    before, told = accepted.files(), []
    store = DataStore(accepted.store.input_dir, accepted.store.output_dir, only_looks=True)
    for _ in range(2):
        assert store.find(key, OLD, lambda rest: False, lambda place, why: told.append((place, why))) is None
    assert accepted.files() == before
    assert {place for place, _ in told} == {path}
