"""Canonical bytes: the same everywhere, different for different values."""

import os
import subprocess
import sys
from collections import namedtuple
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from threading import Lock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from smttask.errors import DigestError
from smttask.identity import canonical_bytes, canonical_forms, digest, named_bytes
from smttask.protocols import Runnable


class Upstream(Runnable):
    digest = "d" * 20
    full_digest = "f" * 20


@dataclass
class Grid:
    n: int
    step: float = 3
    names: list = field(default_factory=list)


class Model(BaseModel):
    x: float = 3
    y: dict = {}


class Color(Enum):
    RED = 1
    BLUE = 2


Pair = namedtuple("Pair", "a b")

GOLDEN = {
    "none": (None, "a695ae693c394883aaac"),
    "bool": (True, "99a343b3557cfcf59a20"),
    "int": (3, "81e0c24fba327c8032b4"),
    "big int": (-(10**30), "5ae3a61de892d089ba30"),
    "float": (1.5, "72f2a2c01f8146006193"),
    "nan": (float("nan"), "42ce373dc66c6bf183f5"),
    "minus zero": (-0.0, "a920b190f65fafb6c7a0"),
    "complex": (1 + 2j, "f1cf9d647af46344c98b"),
    "str": ("Zürich", "0e5466eabf003f7f5759"),
    "bytes": (b"x\0", "1a1c241e68907095b2c1"),
    "long str": ("x" * 70_000, "993af2ff951922d9f3a4"),
    "list": ([1, [2.5, "a"]], "63a138f0eca4c8995951"),
    "many floats": ([float(i) for i in range(100)], "31cb56b2d2148a96c966"),
    "tuple": ((1, 2), "90636973456d54e682d6"),
    "set": ({1, "a"}, "b8ac16db5cab984e7ad3"),
    "frozenset": (frozenset({1}), "0bfc82f4137025873e90"),
    "dict": ({"b": 1, "a": None}, "47dce5bf8671aa7f83cb"),
    "datetime": (datetime(2020, 1, 1, tzinfo=UTC), "7b3cca26c8a6c95e2e57"),
    "decimal": (Decimal("1.00"), "ab05b2851d48c9d464c1"),
    "path": (Path("/a/b"), "0165cecd10701970cb6a"),
    "slice": (slice(1, None), "36a55a63553fceae4334"),
    "array": (np.arange(6.0).reshape(2, 3), "d6e2e9f780774bf55715"),
    "large array": (np.arange(10_000), "5ecc2e88201f113146f9"),
    "structured": (np.zeros(2, [("a", "i4"), ("b", "f8", (2,))]), "ee2bdc6ed22523df9a31"),
    "masked": (np.ma.array([1, 2], mask=[0, 1]), "45448747f2a45451aca4"),
    "objects": (np.array([1, "a"], dtype=object), "afe1bc9a5ff6dddce03a"),
    "dates": (np.array(["2020"], "M8[ns]"), "ae533e9e89c5d19d02d4"),
    "texts": (np.array(["a", "bc"]), "99a89438e7b805dbdaee"),
    "numpy scalar": (np.float32(1.5), "a877ea8a77a565a3c57c"),
    "dtype": (np.dtype("f4"), "9f1c46705be25352761c"),
    "generator": (np.random.default_rng(5), "2cb5180262c224dd2e0e"),
    "task": (Upstream(), "e69e23098da059912da4"),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_digests_never_change(name):
    """A stored result is found by this digest on every interpreter and machine, for ever."""
    value, expected = GOLDEN[name]
    assert digest(canonical_bytes(value)) == expected


def test_digests_of_classes_never_change(monkeypatch):
    """Dataclasses, models, enums and named tuples count by module, qualified name and fields."""
    for cls in (Grid, Model, Color, Pair):
        monkeypatch.setattr(cls, "__module__", "lab")
    found = [digest(canonical_bytes(value)) for value in (Grid(1), Model(x=2), Color.RED, Pair(1, 2))]
    assert found == [
        "40fed1c08a9a450f1cba",
        "b5b81cb03c48c30b6e62",
        "92137d9a314859f1903a",
        "fcc13fd0ca3f58cb790d",
    ]


DISTINCT = [
    *(None, False, 0, 0.0, -0.0, 0j, "", b"", [], (), set(), frozenset(), {}, [[]], [()], "0", b"0"),
    *([1, 2], [[1], 2], [[1, 2]], ["12"], ["1", "2"], {1: 2}, {2: 1}, {"a": {}}, {"a": []}, True, 1, 1.0),
    *(np.array(0.0), np.zeros(1), np.zeros((1, 1)), np.zeros(1, "f4"), np.zeros(0), np.zeros((0, 3))),
    *(np.float64(0), np.float32(0), np.array([0], object), np.array(["0"]), np.array([b"0"])),
    *(np.zeros((3, 0)), np.array([0], "M8[s]"), np.ma.array([0.0], mask=True), Upstream()),
    *(np.array([0], "M8[ns]"), np.array([False]), np.dtype("f4"), np.dtype(">f4"), Color.RED, Color.BLUE),
    *(np.zeros(1, [("a", "f8")]), np.zeros(1, [("b", "f8")]), np.ma.array([0.0])),
    *(Path("/a"), "/a", Pair(1, 2), (1, 2), Grid(1), Grid(2), Grid(1, 2.0), Model(x=1), datetime(2020, 1, 1)),
    *(datetime(2020, 1, 1, fold=1), datetime(2020, 1, 1, tzinfo=UTC), Decimal("1.0"), Decimal("1.00")),
]  # fmt: skip


def test_different_values_have_different_bytes():
    """No two of these are one value, near as they are."""
    found = [canonical_bytes(value) for value in DISTINCT]
    assert len(set(found)) == len(found)


def test_order_in_dicts_and_sets_does_not_matter():
    """Dicts and sets count by what they hold."""
    assert canonical_bytes({"b": 1, "a": 2}) == canonical_bytes({"a": 2, "b": 1})
    assert canonical_bytes({8, 0, "x"}) == canonical_bytes({"x", 0, 8})


def test_layout_in_memory_does_not_matter():
    """Memory order, byte order, gaps and padding of an array never change its bytes."""
    array = np.arange(12.0).reshape(3, 4)
    wide = np.zeros((3, 8))
    wide[:, ::2] = array
    padded = np.dtype([("a", "u1"), ("b", "f8")], align=True)
    garbage = np.frombuffer(b"\xff" * 32, padded).copy()
    garbage["a"], garbage["b"] = 1, 2
    expected = canonical_bytes(array)
    assert {canonical_bytes(a) for a in (np.asfortranarray(array), array.astype(">f8"), wide[:, ::2])} == {
        expected
    }
    assert canonical_bytes(garbage) == canonical_bytes(np.array([(1, 2)] * 2, [("a", "u1"), ("b", "f8")]))


def test_what_a_mask_hides_does_not_matter():
    """Data below the mask is no part of a masked array, and its fill value is."""
    left, right = (np.ma.array([1, hidden], mask=[0, 1]) for hidden in (5, 6))
    assert canonical_bytes(left) == canonical_bytes(right)
    right.fill_value = 7
    assert canonical_bytes(left) != canonical_bytes(right)


def test_long_doubles_count_by_their_significant_bytes():
    """The undefined bytes that pad long doubles never enter."""
    left = np.full(4, 0.1, np.longdouble)
    raw = np.frombuffer(left.tobytes(), np.uint8).copy().reshape(4, -1)
    if np.finfo(np.longdouble).nmant == 63:
        raw[:, 10:] = 0xAB
    right = raw.reshape(-1).view(np.longdouble)
    assert canonical_bytes(left) == canonical_bytes(right)
    assert canonical_bytes(left.astype(np.clongdouble)) == canonical_bytes(right.astype(np.clongdouble))
    assert canonical_bytes(left) != canonical_bytes(left * 2)


def test_every_nan_is_one_value():
    """A scalar NaN is one value whatever its bits; those in long lists too."""
    odd = -np.array([np.nan])[0].item()
    assert canonical_bytes(odd) == canonical_bytes(float("nan"))
    assert canonical_bytes([odd] * 100) == canonical_bytes([float("nan")] * 100)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(), min_size=64, max_size=80))
def test_long_lists_of_floats_are_no_exception(values):
    """A list of floats has the bytes of its elements, one after the other, however long it is."""
    parts = b"".join(map(canonical_bytes, values))
    assert canonical_bytes(values) == b"l" + len(values).to_bytes(8, "little") + parts


def test_fields_at_their_default_are_left_out():
    """Defaults do not enter the short form, as declared or as converted, and do enter the full one."""
    same = [Grid(1), Grid(1, 3), Grid(1, 3.0), Grid(1, 3.0, [])]
    assert len({canonical_bytes(grid) for grid in same}) == 1
    assert canonical_bytes(Grid(1)) == named_bytes(f"{Grid.__module__}:Grid", {"n": canonical_bytes(1)})
    assert canonical_bytes(Model()) == canonical_bytes(Model(x=3.0, y={}))
    assert canonical_bytes(Grid(1), full=True) != canonical_bytes(Grid(1))


def test_a_task_enters_by_its_digest():
    """A task counts by digest, in the full form by full digest, at any depth."""
    task = Upstream()
    forms = canonical_forms({"x": [task]})
    assert task.digest.encode() in forms.short
    assert task.full_digest.encode() in forms.full
    assert forms.full == canonical_bytes({"x": [task]}, full=True)


def test_both_forms_are_one_where_nothing_tells_them_apart():
    """Plain data has one form, computed once."""
    forms = canonical_forms([1, {"a": np.zeros(3)}])
    assert forms.short is forms.full


def test_large_arrays_are_hashed_once_for_both_forms():
    """The full form takes the hash of a large array from the short one."""
    grid = Grid(1, names=[np.arange(10_000)])
    assert canonical_forms(grid).full == canonical_bytes(grid, full=True)


def test_paths_in_the_project_count_relative_to_it(tmp_path, monkeypatch):
    """A path inside the project does not depend on where the project lies; links are not resolved."""
    inside = canonical_bytes(tmp_path / "one/data.csv", root=tmp_path / "one")
    assert inside == canonical_bytes(tmp_path / "two/data.csv", root=tmp_path / "two")
    assert inside != canonical_bytes(tmp_path / "one/data.csv")
    (tmp_path / "one").mkdir()
    monkeypatch.chdir(tmp_path / "one")
    assert canonical_bytes(Path("data.csv"), root=tmp_path / "one") == inside
    (tmp_path / "link").symlink_to(tmp_path / "one")
    assert canonical_bytes(tmp_path / "link") != canonical_bytes(tmp_path / "one")


def test_digests_do_not_depend_on_the_process():
    """Hash randomization, locale and time zone leave digests alone."""
    script = (
        "from smttask.identity import *; from datetime import *; "
        "print(digest(canonical_bytes([{'a','b','c'}, 'ä', 1.5, datetime(2020,1,1,tzinfo=timezone.utc)])))"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": "C"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo"))
    ]
    assert runs[0] == runs[1]


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (object(), "x"),
        ({"a": [1, object()]}, "x['a'][1]"),
        (Grid(object()), "x.n"),
        ({frozenset({object()})}, "x{…}{…}"),
        (np.array([[1, object()]], dtype=object), "x[0, 1]"),
        ([].append, "x"),
        ({"lock": Lock()}, "x['lock']"),
        (np.matrix([1]), "x"),
    ],
)
def test_what_cannot_be_digested_is_named_with_its_place(value, place):
    """The error names the place in the data, the type, and what to use instead."""
    with pytest.raises(DigestError, match="cannot be digested") as caught:
        canonical_bytes(value, place="x")
    assert caught.value.place == place
    assert "use plain values, arrays, a dataclass or a pydantic model" in str(caught.value)


def test_endless_data_is_refused():
    """A list inside itself gets a message."""
    loop: list = []
    loop.append(loop)
    with pytest.raises(DigestError, match="contains itself"):
        canonical_bytes(loop)
