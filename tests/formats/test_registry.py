"""Which format a value gets."""

from __future__ import annotations

import uuid

import numpy as np
import pytest

from smttask.errors import OutputError, StorageError
from smttask.formats import registry
from smttask.formats.json import JsonFormat
from smttask.formats.registry import (
    choose,
    format_for,
    get_format,
    iter_formats,
    load_inline,
    register_format,
)


class UuidFormat:
    """A format of somebody else's, for one foreign class."""

    name = "uuid"
    suffix = ".uuid"

    def accepts(self, value):
        return isinstance(value, uuid.UUID)

    def save(self, value, file):
        file.write(value.bytes)

    def load(self, path, *, mmap=False):
        return uuid.UUID(bytes=path.read_bytes())


@pytest.fixture
def clean_registry(monkeypatch):
    monkeypatch.setattr(registry, "_by_name", dict(registry._by_name))
    monkeypatch.setattr(registry, "_registered", list(registry._registered))


@pytest.mark.parametrize(
    ("value", "name", "is_inline"),
    [
        (3, "json", True),
        (float("nan"), "json", True),
        ([1, 2], "json", True),
        ({"x": np.arange(200)}, "json", True),
        (list(range(10_000)), "json", False),
        ("x" * 20_000, "text", False),
        ("\ud800" * 20_000, "json", False),
        (b"x" * 20_000, "bytes", False),
        (b"x", "json", True),
        (np.arange(3), "npy", False),
        (np.array(["a", 1], dtype=object), "json", True),
        ({"x": np.zeros(10_000)}, "npz", False),
        (np.ma.array(np.zeros(10_000), mask=True), "npz", False),
    ],
)
def test_each_kind_of_value_has_its_format(value, name, is_inline):
    """Small plain values go into the manifest, arrays and large values into files of their kind."""
    choice = choose(value)
    assert (choice.format.name, choice.is_inline) == (name, is_inline)


def test_pickle_is_never_chosen():
    """A value that nothing but pickle could store is an error that says what to do."""
    with pytest.raises(OutputError, match=r"(?s)builtins.object cannot be stored.*register_type"):
        format_for(object())
    assert get_format("pickle").accepts(object())


def test_endless_data_are_refused():
    """A list that contains itself is an error, not a crash."""
    endless = []
    endless.append(endless)
    with pytest.raises(OutputError, match="cannot be stored"):
        format_for(endless)


@pytest.mark.usefixtures("clean_registry")
def test_a_registered_format_comes_first(tmp_path):
    """A format for a foreign class is used for it, found by name, and may be registered again."""
    register_format(UuidFormat())
    register_format(UuidFormat())
    value = uuid.uuid4()
    assert format_for(value).name == get_format("uuid").name == next(iter_formats()).name == "uuid"
    assert format_for(3).name == "json"


@pytest.mark.usefixtures("clean_registry")
def test_a_name_that_is_taken_cannot_be_registered():
    """Two kinds of files never share a name, and a format needs a suffix."""
    strange = UuidFormat()
    strange.name = "npy"
    with pytest.raises(ValueError, match="'npy' belongs to NpyFormat"):
        register_format(strange)
    strange.name, strange.suffix = "uuid", "uuid"
    with pytest.raises(ValueError, match="suffix like"):
        register_format(strange)


def test_an_unknown_format_is_an_error_that_lists_the_known_ones():
    """A manifest may name a format that nobody registered here."""
    with pytest.raises(StorageError, match=r"(?s)Unknown file format 'hdf9'.*json.*register_format"):
        get_format("hdf9")


def test_only_json_stands_in_manifests():
    """Values of other formats are not read from a manifest's line."""
    assert load_inline(JsonFormat.name, {"$tuple": [1]}) == (1,)
    with pytest.raises(ValueError, match="do not stand in manifests"):
        load_inline("npy", [1])
