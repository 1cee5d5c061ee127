"""Values as JSON: exact both ways, and never code."""

import json
from collections import Counter, OrderedDict, deque, namedtuple
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, Flag, IntEnum
from fractions import Fraction
from pathlib import Path, PurePosixPath
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pydantic import BaseModel

from smttask.errors import DescriptionError
from smttask.identity import canonical_bytes
from smttask.protocols import Runnable
from smttask.typing.files import InputFile
from smttask.typing.jsonform import from_json, to_json


class Color(Enum):
    RED = 1
    GREEN = 2


class Access(Flag):
    READ = 1
    WRITE = 2


class Level(IntEnum):
    LOW = 1


@dataclass(frozen=True)
class Grid:
    n: int
    steps: list = field(default_factory=list)


class Model(BaseModel, extra="allow"):
    x: float = 3
    y: dict = {}


Pair = namedtuple("Pair", "a b")


class Upstream(Runnable):
    digest = "d" * 20
    full_digest = "f" * 20


def round_trip(value, **hooks):
    text = json.dumps(to_json(value), allow_nan=False)
    return from_json(json.loads(text), **hooks)


def assert_same(left, right):
    assert type(left) is type(right)
    assert canonical_bytes(left) == canonical_bytes(right)


NEW_YEAR = datetime(2020, 1, 1)
PADDED = np.dtype([("a", "u1"), ("b", ">f8", (2,)), ("c", [("d", "U2")])], align=True)
VALUES = [
    *(0, -5, 10**30, 1 << 5000, 1.5, float("nan"), float("-inf"), -0.0, True, None, "ä\ud800", b"x\0"),
    *(1 + 2j, complex(float("nan"), -0.0), [1.0, 2], (1, (2,)), {1, 2}, {"b", "a"}, frozenset({1})),
    *({"a": 1}, {1: 2, (1, 2): 3}, {"$a": 1}, {"$array": [1]}, {"ä\ud800": 1}, {}, [], ()),
    *(
        Color.GREEN,
        Access.READ | Access.WRITE,
        Level.LOW,
        Grid(1, [2]),
        Model(y={"a": (1,)}, z=5),
        Pair(1, [2]),
    ),
    *(Path("/a/b"), Path("a"), PurePosixPath("a"), NEW_YEAR, NEW_YEAR.replace(tzinfo=UTC)),
    datetime(2020, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Zurich"), fold=1),
    NEW_YEAR.replace(tzinfo=timezone(timedelta(hours=1), "X")),
    *(date(2020, 1, 1), time(1, 2, 3, 4), time(1, tzinfo=UTC, fold=1), timedelta(-1, 5)),
    *(UTC, ZoneInfo("UTC"), Decimal("1.00"), Decimal("NaN"), Fraction(1, 3), UUID(int=5)),
    *(slice(1, None, np.int64(2)), range(3), ..., bytearray(b"a"), OrderedDict(b=1, a=2), Counter("aab")),
    *(
        deque([1], maxlen=3),
        np.dtype("f4"),
        PADDED,
        np.dtype("M8[ns]"),
        np.float32(1.1),
        np.longdouble("0.1"),
    ),
    *(
        np.datetime64("2020"),
        np.timedelta64("NaT"),
        np.bool_(True),
        np.str_("a"),
        np.complex64(1j),
        np.void(b"a"),
    ),
    *(np.zeros((), PADDED)[()], np.float64("nan"), np.bytes_(b"a")),
]
ARRAYS = [
    *(np.array([1, 2]), np.array(3.5), np.array([]), np.zeros((0, 3)), np.zeros((3, 0), "i2")),
    *(np.array([1.0, np.nan, -np.inf, -0.0]), np.array([-np.nan]), np.array([1, 2], ">i4"), np.array([True])),
    *(np.asfortranarray(np.arange(6).reshape(2, 3)), np.arange(10)[::-2], np.array([1.5], "f2")),
    *(np.array([1 + 2j, complex(np.nan, -0.0)]), np.array([1j], "c8"), np.array(["0.1"], np.longdouble)),
    *(np.array([1j], np.clongdouble), np.array(["a", "bcd"]), np.array([b"a", b"\xff"])),
    *(np.array(["2020", "NaT"], "M8[ms]"), np.array([1, 2], "m8[ns]"), np.array([1], ">m8[s]")),
    *(np.array([1, "a", None, [1, (2,)]], object), np.empty((0, 2), object), np.array([b"abc"], "V3")),
    *(np.arange(200), np.arange(20000.0), np.zeros(3, PADDED), np.zeros(300, PADDED), np.array(["x"], "T")),
    *(
        np.ma.array([1.0, 2], mask=[0, 1]),
        np.ma.array([1, 2]),
        np.ma.array([1, 2], mask=[1, 0], fill_value=7),
    ),
    np.ma.array(np.zeros(2, [("a", "i4"), ("b", "f4")]), mask=[(0, 1), (1, 0)]),
]


@pytest.mark.parametrize("value", VALUES + ARRAYS, ids=lambda value: type(value).__name__)
def test_every_value_comes_back_exactly(value):
    """Every kind of value survives strict JSON, with its type, bits and shape."""
    again = round_trip(value)
    assert_same(again, value)
    if isinstance(value, np.ndarray):
        assert (again.dtype, again.shape) == (value.dtype, value.shape)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.complex_numbers(),
    lambda inner: (
        st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text() | st.integers(), inner)
    ),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(PLAIN)
def test_any_plain_data_comes_back_exactly(value):
    """Nested plain data of any shape survives strict JSON."""
    assert_same(round_trip(value), value)


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(
        hnp.scalar_dtypes() | hnp.unicode_string_dtypes() | hnp.byte_string_dtypes() | hnp.array_dtypes(),
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
    )
)
def test_any_array_comes_back_exactly(array):
    """Arrays of any dtype and shape survive strict JSON bit by bit."""
    again = round_trip(array)
    assert (again.dtype, again.shape) == (array.dtype, array.shape)
    assert canonical_bytes(again) == canonical_bytes(array)


def test_plain_json_reads_as_it_stands():
    """JSON written by hand needs no tags, and small arrays are lists that one can read."""
    tree = {"x": [1, 2.5, None], "y": {"z": "a"}}
    assert from_json(tree) == to_json(tree) == tree
    assert to_json(np.array([[1.5]])) == {"$array": [[1.5]], "dtype": "<f8"}


def test_large_arrays_carry_a_summary_or_a_name():
    """Long arrays are .npy bytes with a summary line; those over 64 kB may be stored elsewhere."""
    assert to_json(np.arange(200))["summary"] == "int64 (200,): 0 1 2 … 199"
    large, stored = np.arange(10_000), {}
    form = to_json([large], on_large=lambda array: stored.setdefault("b3", array) is None or "b3")
    assert form[0]["$array"] == {"stored": "b3"}
    assert from_json(form, get_large=stored.get)[0].tolist() == large.tolist()
    assert "npy" in to_json(large, on_large=lambda array: None)["$array"]
    with pytest.raises(DescriptionError, match="stored elsewhere"):
        from_json(form)


def test_sets_are_written_in_one_order():
    """The text for a set is the same in every process."""
    assert to_json({"b", "a", "c"}) == {"$set": ["a", "b", "c"]}


def test_tasks_stand_by_what_the_caller_gives():
    """The caller decides what stands for a task and finds it again."""
    task = Upstream()
    form = to_json({"x": [task]}, on_task=lambda one: {"$task": one.digest})
    assert form == {"x": [{"$task": task.digest}]}
    assert from_json(form, get_task={task.digest: task}.get) == {"x": [task]}
    with pytest.raises(DescriptionError, match="a task cannot stand here"):
        to_json([task])
    with pytest.raises(DescriptionError, match="a task cannot stand here"):
        from_json(form)


def test_paths_in_a_project_move_with_it(tmp_path):
    """Paths and input files inside the project are written relative to it."""
    (tmp_path / "a.csv").write_text("1")
    value = [tmp_path / "a.csv", InputFile(tmp_path / "a.csv"), Path("/elsewhere")]
    form = to_json(value, root=tmp_path)
    assert form[0] == {"$path": {"project": "a.csv"}}
    assert from_json(form, root=tmp_path) == value
    assert from_json(form, root=Path("/moved"))[0] == Path("/moved/a.csv")
    with pytest.raises(DescriptionError, match="no project is known"):
        from_json(form)


def test_fields_that_are_new_stand_at_their_default():
    """A dataclass or model that has gained a field since reads what was written before."""
    grid = from_json({"$dataclass": f"{__name__}:Grid", "fields": {"n": 1}}, get_class=lambda *name: Grid)
    model = from_json({"$model": f"{__name__}:Model", "fields": {}, "set": []}, get_class=lambda *name: Model)
    assert (grid, model) == (Grid(1), Model())


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"$enum": "os:system", "name": "x"}, "is not there"),
        ({"$dataclass": "subprocess:Popen", "fields": {}}, "is not there|another kind"),
        ({"$enum": "fractions:Fraction", "name": "x"}, "of another kind"),
        ({"$model": "nowhere:X", "fields": {}, "set": []}, "is not there"),
        ({"$model": 5}, "cannot be read"),
        ({"$foo": 1}, "is unknown"),
        ({"$array": {"npy": "AAAA"}, "dtype": "<f8", "shape": [1]}, "cannot be read"),
        ({"$array": [1], "dtype": "|O"}, "cannot be read"),
        ({"$array": [1], "dtype": "nonsense"}, "cannot be read"),
        ({"$array": "abc", "dtype": "<f8"}, "cannot be read"),
        ({"$scalar": [1, 2], "dtype": "<i8"}, "cannot be read"),
        ({"$zone": "../../etc/passwd"}, "cannot be read"),
        ({"$decimal": "x"}, "cannot be read"),
        ({"$tuple": "abc"}, "cannot be read"),
        ({"$dict": [[[1], 2]]}, "cannot be read"),
        ({"$fraction": [1, 0]}, "cannot be read"),
        ({"$bytes": "***"}, "cannot be read"),
        ({"$ellipsis": 1}, "cannot be read"),
        ({"$inputfile": {"path": "/x", "digest": "q"}}, "64 hex digits"),
        ({"$generator": {"state": {"bit_generator": "system"}, "seed": None}}, "cannot be read"),
        ({"$seedsequence": {"entropy": 1, "spawn_key": [], "pool_size": 10**12}}, "a pool of more than"),
    ],
)
def test_damaged_or_hostile_json_gets_an_error(tree, message):
    """Text that names strange classes or holds nonsense is refused and runs nothing."""
    with pytest.raises(DescriptionError, match=message):
        from_json([tree])


def test_pickled_arrays_are_not_read():
    """Bytes that would have to be unpickled are refused."""
    import base64
    import io

    file = io.BytesIO()
    np.save(file, np.array([Grid(1)], dtype=object), allow_pickle=True)
    text = base64.b64encode(file.getvalue()).decode()
    with pytest.raises(DescriptionError, match="cannot be read"):
        from_json({"$array": {"npy": text}, "dtype": "<f8", "shape": [1]})


def test_dataclasses_with_other_fields_are_refused():
    """Fields that the class does not have are named."""
    with pytest.raises(DescriptionError, match="Grid has no field 'm'"):
        from_json({"$dataclass": "a:Grid", "fields": {"m": 1}}, get_class=lambda *name: Grid)


def test_what_has_no_json_form_is_named_with_its_place():
    """The error names the place of the value that cannot be written."""
    with pytest.raises(DescriptionError, match=r"'object' at value\['a'\]\.steps\[1\] has no JSON form"):
        to_json({"a": Grid(1, [2, object()])})


def test_endless_data_gets_a_message():
    """Nesting beyond Python's limits is an error, not a crash."""
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    for convert in (to_json, from_json):
        with pytest.raises(DescriptionError, match="nested too deeply"):
            convert(deep)


@pytest.mark.parametrize("n", [3, 300])
def test_a_hard_mask_stays_hard(n):
    """A masked array that refuses to be unmasked still does so when it comes back; others do not."""
    for is_hard in (True, False):
        array = np.ma.MaskedArray(np.arange(n), mask=np.arange(n) == 0, hard_mask=is_hard)
        twin = from_json(json.loads(json.dumps(to_json(array))))
        twin[0] = 5
        assert (twin.mask[0], twin.hardmask) == (is_hard, is_hard)
