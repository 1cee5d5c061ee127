"""pandas' tables as values, exactly."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smttask.errors import DescriptionError, DigestError, InputError
from smttask.identity import canonical_bytes
from smttask.protocols import Runnable
from smttask.typing.jsonform import from_json, to_json
from smttask.typing.ownership import fresh, owned
from smttask.typing.validation import Validator

DAYS = pd.date_range("2026-03-28", periods=3, freq="D")
LEVELS = pd.MultiIndex.from_product([["a", "b"], [1, 2]], names=["k", None])
OBJECTS = [1, "a", [1, 2], pd.NA, pd.NaT, None, pd.Timestamp("2026", tz="UTC")]
COLUMNS = [
    [1, 2, 3], [1.5, np.nan, -0.0], ["a", None, "\u00e9"], [True, False, True], [1j, 2, 3], DAYS,
    DAYS.tz_localize("Europe/Zurich"), DAYS.as_unit("ns"), DAYS.tz_localize("UTC"), DAYS - DAYS[0],
    pd.period_range("2026", periods=3, freq="M"), pd.interval_range(0, 3, closed="left"),
    pd.Categorical(["x", None, "y"], categories=["z", "y", "x"]),
    pd.Categorical([3, 1, 3], categories=[3, 1, 2], ordered=True), pd.Categorical([None, None, None]),
    pd.array([1, None, 3], dtype="Int16"), pd.array([1, None, 3], dtype="UInt64"),
    pd.array([True, None, False], dtype="boolean"), pd.array([1.5, None, np.nan], dtype="Float32"),
    pd.array(["a", None, "b"], dtype="string"), pd.Series(["a", None, 1], dtype=object),
    np.array([1, 2, 3], "f2"), np.array([1, 2, 3], ">i4"), np.array(["2026", "NaT", "2027"], "M8[s]"),
]  # fmt: skip
INDEXES = [
    pd.Index([1, 2]), pd.Index(["a", "b"], name="x"), pd.RangeIndex(5, 1, -2, name=("a", 1)), LEVELS, DAYS,
    LEVELS[1:3], pd.CategoricalIndex(["a", "b"]), pd.Index([1.5, None]), pd.Index([(1, 2), "x"]),
    DAYS - DAYS[0],
    pd.period_range("2026", periods=2, freq="D"), pd.interval_range(0, 2), pd.Index([], dtype=object),
]  # fmt: skip
TABLES = [
    *(pd.Series(column) for column in COLUMNS),
    *(pd.Series(range(len(index)), index=index) for index in INDEXES),
    *(pd.DataFrame([[0] * len(index)], columns=index) for index in INDEXES),
    *INDEXES,
    pd.DataFrame(), pd.DataFrame(index=[1, 2]), pd.DataFrame({"a": []}), pd.Series(OBJECTS, dtype=object),
    pd.DataFrame(np.arange(8).reshape(4, 2), index=LEVELS, columns=pd.Index(["u", "u"], name="both")),
    pd.DataFrame({"a": [1, 2], 3: ["x", "y"], ("b", "c"): [1.5, None]}, index=[True, False]),
]  # fmt: skip
SCALARS = [
    pd.Timestamp("2026-10-25 05:30", tz="Europe/Zurich"), pd.Timestamp("2026-01-01 00:00:00.000000001"),
    pd.Timestamp("2026-10-25 02:30").replace(fold=1), pd.Timedelta(1, "ns"), pd.Period("2026-03", "M"),
    pd.Interval(1, 2.5, "both"), pd.NaT, pd.NA,
]  # fmt: skip


def again(value):
    return from_json(json.loads(json.dumps(to_json(value), allow_nan=False)))


def assert_same(left, right):
    assert type(left) is type(right)
    if isinstance(left, pd.DataFrame):
        pd.testing.assert_frame_equal(left, right, check_freq=True)
    elif isinstance(left, pd.Series):
        pd.testing.assert_series_equal(left, right, check_freq=True)
    else:
        pd.testing.assert_index_equal(left, right, exact=True)
    assert canonical_bytes(left) == canonical_bytes(right)


@pytest.mark.parametrize("copy", [again, owned, fresh])
@pytest.mark.parametrize("number", range(len(TABLES)))
def test_every_table_comes_back_exactly(number, copy):
    """Columns, index, names, dtypes and frequency survive JSON and copying."""
    assert_same(copy(TABLES[number]), TABLES[number])


@pytest.mark.parametrize("number", range(len(SCALARS)))
def test_scalars_of_pandas_come_back_exactly(number):
    """Timestamps to the nanosecond and with their zone, intervals, and what is missing."""
    value = SCALARS[number]
    assert repr(again(value)) == repr(value)
    assert type(again(value)) is type(value)
    assert canonical_bytes(again(value)) == canonical_bytes(value)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_any_frame_comes_back_exactly(data):
    """Frames of any of these columns, indexes and orders survive JSON."""
    numbers = data.draw(st.lists(st.integers(0, len(COLUMNS) - 1), max_size=4))
    frame = pd.DataFrame({n: pd.Series(COLUMNS[number]) for n, number in enumerate(numbers)})
    frame = frame.iloc[:: data.draw(st.sampled_from([1, 2, -1]))]
    frame.columns = data.draw(
        st.lists(st.text() | st.integers(), min_size=len(numbers), max_size=len(numbers))
    )
    frame.attrs = data.draw(st.dictionaries(st.text(), st.integers(), max_size=2))
    assert_same(again(frame), frame)
    assert again(frame).attrs == frame.attrs


def test_what_makes_tables_differ_makes_digests_differ():
    """A value, a dtype, a name, an index or an order changes the digest; blocks and layout do not."""
    frame = pd.DataFrame({"a": [1, 2], "b": [3, 4]})
    others = [
        frame.astype("int32"),
        frame[["b", "a"]],
        frame.set_index("a"),
        frame.rename(columns={"a": "c"}),
    ]
    others += [frame.iloc[::-1], frame.set_axis([1, 2]), frame["a"], frame.assign(b=[3, 5])]
    assert len({canonical_bytes(table) for table in [frame, *others]}) == 9
    pieces = frame[["a"]].copy()
    pieces["b"] = frame["b"]
    fortran = pd.DataFrame(np.asfortranarray(frame.to_numpy()), columns=["a", "b"])
    assert canonical_bytes(pieces) == canonical_bytes(fortran) == canonical_bytes(frame)


def test_text_counts_the_same_in_any_storage():
    """Whether Arrow is installed where a table was made is no part of it."""
    stores = [pd.StringDtype(storage, na_value=np.nan) for storage in ("python", "pyarrow")]
    frames = [pd.DataFrame({"a": pd.array(["x", None], dtype=store)}) for store in stores]
    assert canonical_bytes(frames[0]) == canonical_bytes(frames[1])
    assert again(frames[0])["a"].tolist()[0] == "x"


def test_a_held_table_cannot_change():
    """Neither the table handed in nor the lists in it can change what a task holds."""
    frame = pd.DataFrame({"a": [1, 2], "b": pd.Series([[1], [2]], dtype=object)})
    kept = owned(frame)
    frame.loc[0, "a"] = 5
    frame["b"][0].append(7)
    assert kept["a"].tolist() == [1, 2]
    assert kept["b"].tolist() == [[1], [2]]


def test_annotations_convert_dicts_and_lists():
    """A dict of columns stands for a frame, a list for a series; other things are named."""
    assert Validator(pd.DataFrame)({"a": [1, 2]}).equals(pd.DataFrame({"a": [1, 2]}))
    assert Validator(pd.Series)([1, 2]).tolist() == [1, 2]
    assert Validator(pd.Timestamp)("2026-01-02") == pd.Timestamp("2026-01-02")
    assert Validator(pd.DataFrame)(to_json(pd.DataFrame({"a": [1]}))).equals(pd.DataFrame({"a": [1]}))
    for annotation, wrong in ((pd.DataFrame, 3), (pd.DataFrame, {"a": Runnable()}), (pd.Series, "ab"),
                              (pd.Timestamp, 5), (pd.Timedelta, "x")):  # fmt: skip
        with pytest.raises(InputError, match="expected"):
            Validator(annotation)(wrong)


def test_columns_that_nobody_can_write_are_named():
    """A dtype of another library is an error that says what to do."""
    with pytest.raises(DigestError, match=r"dtype Sparse\[int64, 0\]; convert it"):
        canonical_bytes(pd.DataFrame({"a": pd.arrays.SparseArray([0, 1])}))


@pytest.mark.parametrize(
    "tree",
    [
        {"$pandas.DataFrame": {"columns": {"range": [0, 1, 1], "name": None}}},
        {"$pandas.Index": {"values": {"dtype": "os.system", "values": []}, "name": None}},
        {"$pandas.NaT": 1},
        {"$pandas.Series": {"name": None, "index": {"range": [0, 2, 1], "name": None}, "values": 3}},
    ],
)
def test_damaged_tables_get_an_error(tree):
    """What is no table is refused when it is read."""
    with pytest.raises(DescriptionError):
        from_json(tree)


def test_pandas_is_imported_only_when_a_table_comes():
    """Tasks without tables do not load pandas; a table in a file does."""
    script = (
        "import sys, smttask.typing\n"
        "from smttask.typing.jsonform import from_json, to_json\n"
        "to_json([1, 'a', {2.5}])\n"
        "libraries = {'pandas', 'xarray', 'scipy', 'matplotlib', 'pyarrow', 'h5py'}\n"
        "print(sorted(libraries & set(sys.modules)))\n"
        "print(from_json({'$pandas.Timedelta': {'$scalar': 1, 'dtype': '<m8[s]'}}))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout == "[]\n0 days 00:00:01\n", done.stderr
