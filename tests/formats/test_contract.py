"""What every format must do, one class for all of them."""

from __future__ import annotations

import io

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from smttask.errors import DescriptionError
from smttask.formats.figures import FigureFormat
from smttask.formats.json import JsonFormat
from smttask.formats.npz import NpzFormat
from smttask.formats.numpy import NpyFormat
from smttask.formats.pickle import PickleFormat
from smttask.formats.tables import HDF5Format, ParquetFormat
from smttask.formats.text import BytesFormat, TextFormat
from smttask.formats.xarray import NetCDFFormat
from smttask.identity import canonical_bytes
from smttask.protocols import Format
from smttask.typing import Figure

big = np.arange(20_000.0)


def is_same(left, right):
    """Equal in value and type, at any depth; NaN equals NaN, -0.0 is not 0.0."""
    if type(left) is not type(right):
        return False
    if isinstance(left, int):
        return left == right
    if isinstance(left, np.ma.MaskedArray):
        masks = is_same(np.ma.getmaskarray(left), np.ma.getmaskarray(right))
        return masks and is_same(left.filled(), right.filled())
    if isinstance(left, np.ndarray):
        return (left.dtype, left.shape, left.tobytes()) == (right.dtype, right.shape, right.tobytes())
    if isinstance(left, (pd.DataFrame, pd.Series, xr.DataArray, xr.Dataset)):
        return canonical_bytes(left) == canonical_bytes(right)
    if isinstance(left, dict):
        return list(left) == list(right) and all(is_same(left[key], right[key]) for key in left)
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(map(is_same, left, right))
    return repr(left) == repr(right)


class FormatContract:
    """A subclass names a format, values that it takes and values that it does not."""

    format: Format
    values: list
    refused: list = []

    def test_values_come_back_the_same(self, tmp_path):
        """A value that is saved and loaded has the same type and content."""
        for n, value in enumerate(self.values):
            assert self.format.accepts(value)
            path = tmp_path / f"{n}{self.format.suffix}"
            with open(path, "wb") as file:
                self.format.save(value, file)
            for suffix in getattr(self.format, "companions", ()):
                with open(path.with_suffix(suffix), "wb") as file:
                    self.format.save_companion(suffix, value, file)
            assert is_same(self.format.load(path), value)
            assert is_same(self.format.load(path, mmap=True), value)

    def test_bytes_are_the_same_each_time(self):
        """The same value makes the same file, so that its checksum can be its name."""
        for value in self.values:
            files = io.BytesIO(), io.BytesIO()
            for file in files:
                self.format.save(value, file)
            assert files[0].getvalue() == files[1].getvalue()

    def test_other_values_are_refused(self):
        """What would not come back the same is not accepted."""
        for value in self.refused:
            assert not self.format.accepts(value)

    def test_it_follows_the_protocol(self):
        """A format has a name, a suffix and the three methods."""
        assert isinstance(self.format, Format)
        assert self.format.suffix.startswith(".")


class TestJson(FormatContract):
    format = JsonFormat()
    values = [
        None, True, 3, 2**70, 10**5000, -0.0, float("nan"), float("inf"), "\u00e9\r\n\ud800", b"\x00\xff",
        [1, [2.5, "x"]], (1, (2,)), {"a": {"$b": (1,)}}, {1: "x"}, {3, 4}, np.float32(0.1),
        np.arange(6.0).reshape(2, 3),
    ]  # fmt: skip
    refused = [object(), (x for x in ()), np.array([object()])]


class TestNpy(FormatContract):
    format = NpyFormat()
    values = [
        np.arange(12.0).reshape(3, 4),
        np.asfortranarray(np.arange(12).reshape(3, 4)),
        np.arange(24).reshape(2, 3, 4)[:, ::2, 1:],
        np.array(3 + 4j),
        np.empty((0, 3), "f4"),
        np.array(["a", "\u00e9"]),
        np.array([b"a", b"bc"]),
        np.array(["", ""], dtype="U0"),
        np.arange(5, dtype=">i2"),
        np.array(["2026-11-22", "NaT"], dtype="M8[us]"),
        np.array([(1, 2.5, [1, 2])], dtype=[("a", "i4"), ("b", "f8"), ("c", "i2", (2,))]),
        np.zeros(3, np.dtype([("x", "i1"), ("y", "f8")], align=True)),
        np.array([(1,)], dtype=[("\u03b1", "i4")]),
        np.zeros(2, dtype=[(f"a_long_name_of_field_{n}", "f8") for n in range(3000)]),
        np.array([1.5], dtype=np.longdouble),
        np.array([True, False]),
    ]
    refused = [
        np.array([None]),
        np.ma.array([1, 2]),
        np.rec.array([(1,)], dtype=[("a", "i4")]),
        [1.0],
        np.zeros(2, "T"),
    ]


class TestNpz(FormatContract):
    format = NpzFormat()
    values = [
        {"x": big, "y": big[::2], "unit": "mV"},
        [big, (big, np.arange(3)), {"a/b": big + 1, "array_0": big + 2}],
        np.ma.array(big, mask=big < 5),
        (),
    ]
    refused = [{"x": object()}]


class TestText(FormatContract):
    format = TextFormat()
    values = ["", "plain", "\u00e9\u6f22\r\n\n\r \x00", "\ufeffmark"]
    refused = ["\ud800", b"x", 3]


class TestBytes(FormatContract):
    format = BytesFormat()
    values = [b"", b"\x00\r\n\xff" * 1000]
    refused = ["x", bytearray(b"x")]


class TestPickle(FormatContract):
    format = PickleFormat()
    values = [None, {"x": [1, 2]}, 3 + 4j, ValueError("x")]


DAYS = pd.date_range("2026-03-28", periods=3, freq="D", name="day")
COLUMNS = {
    "i1": np.arange(3, dtype="i1"), "u8": np.arange(3, dtype="u8"), "f4": np.array([1, np.nan, 3], "f4"),
    "f8": [1.5, -0.0, np.inf], "truth": [True, False, True], "text": ["a", None, "\u00e9"], "us": DAYS,
    "ns": DAYS.as_unit("ns"), "zone": DAYS.tz_localize("Europe/Zurich"), "span": DAYS - DAYS[0],
    "Int": pd.array([1, None, 3], dtype="Int16"), "Float": pd.array([1.5, None, 2.5], dtype="Float64"),
    "boolean": pd.array([True, None, False], dtype="boolean"), "string": pd.array(["a", None, "b"], "string"),
    "kind": pd.Categorical(["x", None, "y"], categories=["z", "y", "x"], ordered=True),
}  # fmt: skip
TABLES = [
    *(pd.DataFrame({name: column}) for name, column in COLUMNS.items()),
    pd.DataFrame(COLUMNS), pd.DataFrame({"a": [1, 2, 3]}, index=DAYS),
    pd.DataFrame({"a": np.array([], "f4")}),
    pd.DataFrame({"a": [1, 2]}, index=pd.RangeIndex(5, 1, -2)), pd.DataFrame({"a": [1]}, index=["x"]),
    pd.DataFrame({"a": [1, 2]}, index=pd.Index([1.5, 2], name="t")),
]  # fmt: skip
NOTED = pd.DataFrame({"a": [1]})
NOTED.attrs = {"unit": "mV", "limits": (0, 1)}
LEVELS = pd.MultiIndex.from_product([["a", "b"], [1, 2]], names=["k", None])
STRANGE = [
    pd.DataFrame(), pd.DataFrame({1: [2]}), pd.DataFrame([[1, 2]], columns=["a", "a"]),
    pd.DataFrame({"a": [1, 2, 3, 4]}, index=LEVELS), pd.DataFrame({"a": pd.period_range("2026", periods=2)}),
    pd.DataFrame({"a": [1j]}), pd.DataFrame({"a": np.array([1], "f2")}),
    pd.DataFrame({"a": np.array([1], ">i4")}),
    pd.DataFrame({"a": pd.Series([1, "x"], dtype=object)}), pd.Series([1, 2], name="a"), pd.Series(DAYS),
    pd.DataFrame({"a": pd.Categorical([3, 1])}), pd.DataFrame({"a": [1]}, index=pd.Index([2], name="a")),
    pd.DataFrame({"a": pd.array([1.5, None, np.nan], dtype="Float64")}).rename_axis(columns="names"),
]  # fmt: skip


class TestParquet(FormatContract):
    format = ParquetFormat()
    values = [*TABLES, NOTED]
    refused = [*STRANGE, {"a": 1}]


class TestHDF5(FormatContract):
    format = HDF5Format()
    values = [*TABLES, NOTED, *STRANGE]
    refused = [{"a": 1}, pd.DataFrame({"a": pd.Series([object()], dtype=object)})]


FIELD = xr.DataArray(
    np.arange(6.0).reshape(2, 3),
    dims=("x", "y"),
    coords={"x": [1, 2], "t": ("x", [3.0, 4.0]), "y": ["a", "b", "c"], "s": 5},
    name="field",
    attrs={"units": "mV", "n": 3, "limits": (0, [1.5]), "long": "x" * 100_000},
)
VARIABLES = {
    "truth": ("x", [True, False]), "text": ("x", ["\u00e9", "abc"]), "big": ("x", np.array([1, 2], ">i4")),
    "time": ("x", np.array(["2026", "NaT"], "M8[ns]")), "span": ("x", np.array([1, 2], "m8[s]")),
    "u8": ("x", np.array([1, 2**63], "u8")), "f4": ("x", np.array([np.nan, -0.0], "f4")), "one": ((), 3),
}  # fmt: skip


class TestNetCDF(FormatContract):
    format = NetCDFFormat()
    values = [
        FIELD, FIELD.rename(None), FIELD.rename("a/b"), FIELD.rename("x"), FIELD.isel(x=0, y=0), xr.Dataset(),
        xr.Dataset({"a": FIELD, "b": FIELD + 1}, attrs={"title": "x", "n": 3, "truth": True}),
        xr.Dataset(VARIABLES),
        xr.DataArray([1, 2], dims="x", coords=xr.Coordinates({"x": [1, 2]}, indexes={})),
        xr.DataArray([1, 2], dims="x", coords={"w": ("x", [1, 2])}).set_xindex("w"),
    ]  # fmt: skip
    refused = [
        xr.DataArray([1j]), xr.DataArray(np.array(["a", 1], object)), xr.DataArray(np.zeros((0, 3))),
        xr.Dataset({"a/b": FIELD}), xr.DataArray(["a\0b"]), xr.DataArray(np.array([1], "f2")), np.zeros(3),
        xr.DataArray(np.arange(4), coords=xr.Coordinates.from_pandas_multiindex(LEVELS, "z")),
    ]  # fmt: skip


class TestFigure(FormatContract):
    format = FigureFormat()
    values = [Figure(b"\x89PNG", "<svg>\u00e9</svg>")]
    refused = [b"\x89PNG", "<svg/>"]


def test_other_programs_read_tables_and_fields(tmp_path):
    """Pandas reads our Parquet files, h5py our columns, xarray our netCDF files with their coordinates."""
    table = pd.DataFrame(COLUMNS)
    for format in (ParquetFormat(), HDF5Format()):
        with open(tmp_path / f"table{format.suffix}", "wb") as file:
            format.save(table, file)
    with open(tmp_path / "field.nc", "wb") as file:
        NetCDFFormat().save(FIELD, file)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "table.parquet"), table)
    with h5py.File(tmp_path / "table.h5") as store:
        assert store["f8"][0] == 1.5
        assert store["us"].attrs["dtype"] == "<M8[us]"
    with xr.open_dataset(tmp_path / "field.nc", engine="h5netcdf") as shown:
        assert set(shown.coords) == {"x", "t", "y", "s"}
        assert shown["field"].attrs["units"] == "mV"
        assert shown["field"].sum() == 15


@settings(max_examples=30, deadline=None)
@given(
    names=st.lists(st.sampled_from(sorted(COLUMNS)), unique=True, min_size=1),
    step=st.sampled_from([1, 2, -1]),
    has_index=st.booleans(),
)
def test_any_choice_of_columns_comes_back_the_same(names, step, has_index, tmp_path_factory):
    """Frames of any of these columns, in any order, come back from Parquet and HDF5."""
    frame = pd.DataFrame({name: COLUMNS[name] for name in names}).iloc[::step]
    frame = frame.set_axis(DAYS[::step]) if has_index else frame
    for format in (ParquetFormat(), HDF5Format()):
        path = tmp_path_factory.mktemp("tables") / "x"
        assert format.accepts(frame)
        with open(path, "wb") as file:
            format.save(frame, file)
        assert is_same(format.load(path), frame)


@settings(max_examples=60, deadline=None)
@given(
    array=hnp.arrays(
        dtype=hnp.scalar_dtypes() | hnp.array_dtypes(),
        shape=hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
    ),
    order=st.permutations(range(4)),
    step=st.sampled_from([1, -1, 2]),
)
def test_any_array_in_any_memory_order_comes_back_the_same(array, order, step, tmp_path_factory):
    """Arrays of any dtype, shape and stride are read as they were written."""
    if array.ndim == 4:
        array = array.transpose(order)[::step]
    path = tmp_path_factory.mktemp("npy") / "x.npy"
    with open(path, "wb") as file:
        NpyFormat().save(array, file)
    loaded = NpyFormat().load(path)
    assert is_same(loaded, array)
    assert loaded.flags.owndata
    assert not loaded.flags.writeable


@pytest.mark.parametrize("name", [0, 1, 2, 10, 11])
def test_numpy_itself_reads_and_writes_the_same_files(name, tmp_path):
    """Files are plain .npy: numpy reads ours, and we read numpy's."""
    value = TestNpy.values[name]
    with open(tmp_path / "ours.npy", "wb") as file:
        NpyFormat().save(value, file)
    np.save(tmp_path / "numpys.npy", value)
    assert is_same(np.load(tmp_path / "ours.npy"), value)
    assert is_same(NpyFormat().load(tmp_path / "numpys.npy"), value)


def test_numpy_shows_the_arrays_of_a_dict_by_their_keys(tmp_path):
    """`numpy.load` opens a .npz of ours and finds the arrays under their names."""
    with open(tmp_path / "x.npz", "wb") as file:
        NpzFormat().save({"signal": big, "unit": "mV"}, file)
    with np.load(tmp_path / "x.npz") as archive:
        assert archive.files == ["tree.json", "signal"]
        assert is_same(archive["signal"], big)


def test_a_mapped_array_cannot_be_written_to(tmp_path):
    """With `mmap` the data stay in the file, and nobody can change them there."""
    with open(tmp_path / "x.npy", "wb") as file:
        NpyFormat().save(big, file)
    mapped = NpyFormat().load(tmp_path / "x.npy", mmap=True)
    assert type(mapped) is np.ndarray
    with pytest.raises(ValueError, match="read-only"):
        mapped[0] = 1


@pytest.mark.parametrize("n_bytes", [0, 5, 9, 40, 130, 2000])
def test_a_cut_array_file_is_an_error_not_an_array(n_bytes, tmp_path):
    """Whatever is missing from a .npy file, loading it raises ValueError."""
    np.save(tmp_path / "x.npy", big)
    with open(tmp_path / "x.npy", "r+b") as file:
        file.truncate(n_bytes)
    with pytest.raises(ValueError, match="it"):
        NpyFormat().load(tmp_path / "x.npy")


def test_an_array_file_with_objects_is_not_unpickled(tmp_path):
    """A .npy file of Python objects, which only pickle could read, is refused."""
    np.save(tmp_path / "x.npy", np.array([print]), allow_pickle=True)
    with pytest.raises(ValueError, match="Python objects"):
        NpyFormat().load(tmp_path / "x.npy")


def test_a_zip_file_that_is_not_ours_is_an_error(tmp_path):
    """Strange or compressed .npz files raise ValueError or KeyError, nothing else."""
    (tmp_path / "x.npz").write_bytes(b"no zip file")
    with pytest.raises(ValueError, match="no whole .npz file"):
        NpzFormat().load(tmp_path / "x.npz")
    np.savez_compressed(tmp_path / "y.npz", **{"tree.json": big})
    with pytest.raises(KeyError):
        NpzFormat().load(tmp_path / "y.npz")


@pytest.mark.parametrize("format", [JsonFormat(), NpzFormat(), ParquetFormat(), HDF5Format(), NetCDFFormat()])
def test_paths_inside_a_project_are_those_of_whoever_reads(format, tmp_path):
    """Paths elsewhere stay; so do all if no project is named, and then none of a project can be read."""
    inside, outside = tmp_path / "one" / "a" / "x.txt", tmp_path / "x.txt"
    value = {"inside": inside, "outside": outside, "big": big}
    if isinstance(format, ParquetFormat | HDF5Format):
        value = pd.DataFrame({"a": [1.5]})
        value.attrs = {"inside": inside, "outside": outside}
    if isinstance(format, NetCDFFormat):
        value = FIELD.copy()
        value.attrs = {"inside": inside, "outside": outside}
    for root, expected in ((tmp_path / "one", tmp_path / "two" / "a" / "x.txt"), (None, inside)):
        with open(tmp_path / "file", "wb") as file:
            (format if root is None else format.at(root)).save(value, file)
        loaded = format.at(tmp_path / "two").load(tmp_path / "file")
        paths = getattr(loaded, "attrs", loaded)
        assert (paths["inside"], paths["outside"]) == (expected, outside)
        if root is not None:
            with pytest.raises(DescriptionError, match="no project is known"):
                format.load(tmp_path / "file")
