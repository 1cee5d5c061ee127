"""What every format must do, one class for all of them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from smttask.formats.json import JsonFormat
from smttask.formats.npz import NpzFormat
from smttask.formats.numpy import NpyFormat
from smttask.formats.pickle import PickleFormat
from smttask.formats.text import BytesFormat, TextFormat
from smttask.protocols import Format

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
