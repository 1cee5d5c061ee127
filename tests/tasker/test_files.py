"""Files with formats, as tasks read and write them."""

import os
import pickle
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from smttask.errors import InputError, MissingExtraError, OutputError, StorageError
from smttask.hashing import hash_file
from smttask.tasker.files import JSON, NetCDF, Npy, Npz, Pandas, Pickle, Text, Zarr
from smttask.typing import InputDir, InputFile

TABLE = pd.DataFrame({"x": [1.0, 2.0], "name": ["a", "µ"]}, index=pd.Index([3, 4], name="i"))
ARRAY = xr.DataArray([1.0, 2.0], dims="t", coords={"t": [1, 2]}, attrs={"unit": "mV"}, name="v")
OBJECTS = xr.Dataset({"s": ("t", np.array(["a", "b"], dtype=object))})


def same(left, right):
    if isinstance(left, pd.DataFrame | pd.Series):
        return left.equals(right)
    if isinstance(left, xr.DataArray | xr.Dataset):
        return type(left) is type(right) and left.identical(right)
    if isinstance(left, np.ndarray):
        return left.dtype == right.dtype and np.array_equal(left, right)
    if isinstance(left, dict):
        return sorted(left) == sorted(right) and all(same(left[key], right[key]) for key in left)
    return type(left) is type(right) and left == right


@pytest.mark.parametrize(
    ("file", "value"),
    [
        (JSON("a.json"), {"mean": 1.5, "n": [1, 2, [3, {"deep": []}]], "µ": "é", "none": None, "yes": True}),
        (JSON("deep/er/a.json"), []),
        (Pickle("b.pickle"), {"t": (1, {3}), "c": 1j}),
        (Text("a.txt"), "é\r\nend"),
        (Npy("a.npy"), np.arange(6.0).reshape(2, 3)),
        (Npy("t.npy"), np.array(["2026-11-22"], dtype="M8[D]")),
        (Npz("a.npz"), {"x": np.arange(3), "y": np.eye(2)}),
        (Pandas("c.h5"), TABLE),
        (Pandas("d.h5", key="deep/x"), TABLE.x),
        (Pandas("e.h5"), pd.DataFrame({"kind": pd.Categorical(["a", "b", "a"])})),
        (Pandas("c.parquet"), TABLE),
        (NetCDF("a.nc"), ARRAY),
        (NetCDF("b.nc"), xr.Dataset({"v": ARRAY, "w": 3})),
        (NetCDF("c.nc"), OBJECTS),
        (NetCDF("d.nc"), xr.DataArray(np.array(["a"], dtype=object), name="s")),
        (Zarr("a.zarr"), np.arange(6).reshape(2, 3)),
        (Zarr("b.zarr"), {"x": np.arange(3.0), "y": np.eye(2)}),
        (Zarr("c.zarr"), ARRAY),
        (Zarr("d.zarr"), ARRAY.rename(None)),
        (Zarr("e.zarr"), xr.Dataset({"v": ARRAY, "w": 3})),
    ],
    ids=lambda part: repr(part) if isinstance(part, os.PathLike) else "",
)
def test_values_come_back(tmp_path, file, value):
    """What is saved is read back, each time anew; the folder is made, nothing else is left there."""
    file = file.at(tmp_path)
    digest = file.save(value)
    first, second = file(), file.read()
    assert same(value, first)
    assert same(value, second)
    assert first is not second or isinstance(value, str)
    assert os.listdir(file.path.parent) == [file.path.name]
    if isinstance(file, Zarr):
        assert digest == ""
    else:
        assert digest == hash_file(str(file.path))


def test_equal_values_make_equal_files(tmp_path):
    """What comes out identical is identical on disk, at any time, so that nothing after it is redone."""
    kinds = pd.DataFrame({"kind": pd.Categorical(["a", "b", "a"])})
    values = [
        (Pickle("b.pickle"), {"a": 1}),
        (Npz("a.npz"), {"x": np.arange(3)}),
        (Pandas("c.h5"), TABLE),
        (Pandas("c.h5", key="side/by/side"), kinds),
        (Pandas("c.parquet"), TABLE),
        (NetCDF("a.nc"), ARRAY),
        (NetCDF("c.nc"), OBJECTS),
        *[(Zarr(f"{n}.zarr"), value) for n, value in enumerate([ARRAY, OBJECTS, np.arange(3), {"x": [1]}])],
    ]
    made = []
    for _ in range(2):
        for file, value in values:
            file.at(tmp_path).save(value)
        made.append({name: digest_at(tmp_path / name) for name in os.listdir(tmp_path)})
        time.sleep(1.1)  # HDF5 has times in seconds
    assert made[0] == made[1]


def digest_at(path):
    return (InputDir if path.is_dir() else InputFile)(path).digest


def test_json_is_for_people_and_other_programs(tmp_path):
    """Indented, in UTF-8, lists of numbers on one line; numpy's numbers and arrays are numbers and lists."""
    file = JSON(tmp_path / "a.json")
    value = {"µ": np.float64(1.5), "n": np.int64(3), "t": (1, 2), "a": np.eye(2)}
    file.save({**value, np.int8(7): {}, 1.5: float("inf")})
    assert file.path.read_text() == (
        '{\n  "µ": 1.5,\n  "n": 3,\n  "t": [1, 2],\n'
        '  "a": [\n    [1.0, 0.0],\n    [0.0, 1.0]\n  ],\n  "7": {},\n  "1.5": Infinity\n}\n'
    )
    file.save([os.fsdecode(b"\xe9")])
    assert file() == ["\udce9"]
    file.path.write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert file() == {"a": 1}


@pytest.mark.parametrize(
    ("file", "value", "said"),
    [
        (JSON("a.json"), {"x": [1, {"y": {1, 2}}]}, r"value\['x'\]\[1\]\['y'\] is of type set.*sorted"),
        (JSON("a.json"), [1j], r"value\[0\] is of type complex.*Pickle takes any object"),
        (JSON("a.json"), TABLE, "value is of type DataFrame"),
        (JSON("a.json"), {"1": 1, 1: 2}, "has the name '1' twice"),
        (JSON("a.json"), {(1, 2): 1}, "has a name of type tuple"),
        (Pickle("b.pickle"), lambda: 1, "not functions without a name"),
        (Text("a.txt"), 3, "it is no text.*str"),
        (Text("a.txt"), "\udc80", "surrogates"),
        (Npy("a.npy"), [None], "an array of object holds more.*Pickle"),
        (Npy("a.npy"), np.ma.array([1]), "lose its mask"),
        (Npz("a.npz"), [1, 2], "no mapping of names to arrays.*a dict of names"),
        (Npz("a.npz"), {"x": [None]}, "array of object"),
        (Npz("a.npz"), {3: [1]}, "3 cannot be the name of an array"),
        (Pandas("c.h5"), [1], "no table of pandas.*return a DataFrame"),
        (
            Pandas("c.h5"),
            pd.DataFrame({"n": pd.array([1, None], dtype="Int64")}),
            "Int64.*parquet takes more",
        ),
        (Pandas("c.parquet"), TABLE.x, "series.to_frame"),
        (Pandas("c.parquet"), pd.DataFrame({"x": [1j]}), "complex"),
        (NetCDF("a.nc"), np.eye(2), "a DataArray or a Dataset"),
        (Zarr("a.zarr"), {"x": {1}}, "'x' is no array"),
        (Zarr("a.zarr"), {"a/b": [1]}, "'a/b' cannot be the name"),
    ],
    ids=lambda part: "a lambda" if callable(part) and not isinstance(part, os.PathLike) else repr(part),
)
def test_a_value_that_does_not_fit_is_told(tmp_path, file, value, said):
    """The error names file, value and what to use instead; what was there before stays as it was."""
    file = file.at(tmp_path)
    file.path.write_text("old")
    with pytest.raises(OutputError, match=f"(?s)The value for '{file.filename}' does not fit.*{said}"):
        file.save(value)
    assert file.path.read_text() == "old"
    assert os.listdir(tmp_path) == [file.path.name]


@pytest.mark.parametrize(
    "file",
    [JSON("a"), Pickle("a"), Text("a"), Npy("a"), Npz("a"), Pandas("a"), Pandas("a.pq"), NetCDF("a")],
    ids=repr,
)
def test_a_file_of_another_kind_is_told(tmp_path, file):
    """The error names the file, what was expected, and what to do; in few lines."""
    file = file.at(tmp_path)
    file.path.write_bytes(b"\xff\xfe nothing")
    with pytest.raises(InputError, match=f"The file '{file.filename}' cannot be read as") as caught:
        file()
    assert "if a task did, run that task again" in str(caught.value)
    assert str(file.path) in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 7


def test_a_single_array_is_no_npz_file(tmp_path):
    """An array under the name of a dict of arrays is told as such; no other file is said to hold objects."""
    Npy(tmp_path / "a.npz").save([1])
    with pytest.raises(InputError, match="ValueError: it is a single array, no .npz file"):
        Npz(tmp_path / "a.npz")()
    (tmp_path / "a.npz").write_text("text")
    with pytest.raises(InputError, match="ValueError: it is no .npz file"):
        Npz(tmp_path / "a.npz")()


@pytest.mark.parametrize("kind", [JSON, Pickle, Npy, Pandas, NetCDF, Zarr])
def test_a_missing_file_is_told(tmp_path, kind):
    """No file, or a folder in its place: the error says so as the system does."""
    with pytest.raises(StorageError, match="(?s)The file 'nix' cannot be read.*No such file.*name is right"):
        kind("nix").at(tmp_path)()
    if kind is not Zarr:
        with pytest.raises(StorageError, match="(?s)Is a directory.*name a file"):
            kind(tmp_path)()


def test_a_file_that_cannot_be_written_is_told(tmp_path):
    """A file where a folder should be is an error that says what to do."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="(?s)The file 'file/a.json' cannot be written.*move it away"):
        JSON("file/a.json").at(tmp_path).save(1)


def test_names_are_relative_to_the_folder_of_the_tasker_or_the_current_one(tmp_path, monkeypatch):
    """`at` gives the same file in a folder; an absolute name stays what it is."""
    monkeypatch.chdir(tmp_path)
    file = JSON("a.json")
    file.save(1)
    assert (file.filename.name, file.path) == ("a.json", tmp_path / "a.json")
    (tmp_path / "sub").mkdir()
    moved = file.at("sub")
    moved.save(2)
    monkeypatch.chdir("sub")
    assert (moved(), moved.path, file()) == (2, tmp_path / "sub/a.json", 2)
    absolute = JSON(tmp_path / "a.json")
    assert absolute.at("/elsewhere").path == tmp_path / "a.json"
    with open(absolute) as text:
        assert text.read() == "1\n"


def test_files_compare_by_kind_name_and_folder(tmp_path):
    """They can be kept in sets, printed and pickled."""
    assert JSON("a") == JSON("a") != Text("a")
    assert JSON("a") != JSON("a").at(tmp_path)
    assert Pandas("a.h5", key="x") != Pandas("a.h5")
    assert len({JSON("a"), JSON("a"), Pickle("a")}) == 2
    assert repr(Pandas("a.h5")) == "Pandas('a.h5')"
    assert repr(Pandas("a.h5", key="x")) == "Pandas('a.h5', key='x')"
    assert pickle.loads(pickle.dumps(JSON("a").at(tmp_path))) == JSON("a").at(tmp_path)


def test_arrays_that_are_read_may_be_changed(tmp_path):
    """An array is the caller's own; lists and numbers become arrays."""
    for file, value in ((Npy("a.npy"), [1, 2]), (Npy("b.npy"), 3.5)):
        file = file.at(tmp_path)
        file.save(value)
        array = file()
        array += 1
        assert np.array_equal(file(), value)
    Npz("c.npz").at(tmp_path).save({"x": [1, 2]})
    Npz("c.npz").at(tmp_path)()["x"][0] = 5


def test_files_of_other_programs_are_read(tmp_path):
    """Whatever numpy, pandas and xarray write themselves is read."""
    np.savez_compressed(tmp_path / "a.npz", x=np.arange(3))
    assert same(Npz("a.npz").at(tmp_path)(), {"x": np.arange(3)})
    with pd.HDFStore(tmp_path / "a.h5") as store:
        store.put("a", TABLE, format="table", track_times=True)
    assert TABLE.equals(Pandas("a.h5").at(tmp_path)())
    TABLE.to_parquet(tmp_path / "a.pq")
    assert TABLE.equals(Pandas("a.pq").at(tmp_path)())
    dataset = xr.Dataset({"v": ARRAY})
    dataset.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    assert dataset.identical(NetCDF("a.nc").at(tmp_path)())
    dataset.to_zarr(tmp_path / "a.zarr", consolidated=False)
    assert dataset.identical(Zarr("a.zarr").at(tmp_path)())


def test_what_is_saved_is_read_by_other_programs(tmp_path):
    """numpy, pandas and xarray read what tasks store."""
    Npz("a.npz").at(tmp_path).save({"x": [1, 2]})
    assert np.load(tmp_path / "a.npz")["x"].tolist() == [1, 2]
    Pandas("a.h5").at(tmp_path).save(TABLE)
    assert TABLE.equals(pd.read_hdf(tmp_path / "a.h5", "a"))
    NetCDF("a.nc").at(tmp_path).save(ARRAY)
    assert xr.load_dataset(tmp_path / "a.nc")["v"].values.tolist() == [1.0, 2.0]


def test_several_tables_share_an_hdf5_file(tmp_path):
    """A key is replaced, the others stay; a wrong key is told with those there are."""
    one, two = Pandas("c.h5").at(tmp_path), Pandas("c.h5", key="group/two").at(tmp_path)
    kinds = pd.DataFrame({"kind": pd.Categorical(["a", "b"])})  # several nodes below its own
    one.save(kinds)
    two.save(TABLE)
    one.save(TABLE)
    one.save(kinds)
    assert kinds.equals(one())
    assert TABLE.equals(two())
    with pytest.raises(InputError, match="no key 'three'; its keys: 'c', 'group/two'"):
        Pandas("c.h5", key="three").at(tmp_path)()


def test_tables_that_cannot_be_read_are_not_lost(tmp_path):
    """What is no HDF5 file is replaced; one that was cut may hold other tables: the user decides."""
    file = Pandas("c.h5").at(tmp_path)
    file.path.write_text("of another kind")
    file.save(TABLE)
    assert TABLE.equals(file())
    os.truncate(file.path, 5_000)
    with pytest.raises(StorageError, match="(?s)other tables in 'c.h5' cannot be kept.*remove the file"):
        file.save(TABLE)
    assert file.path.stat().st_size == 5_000


def test_small_tables_of_texts_are_small_files(tmp_path):
    """A thousand small tables with names take no gigabyte."""
    Pandas("c.h5").at(tmp_path).save(TABLE)
    assert (tmp_path / "c.h5").stat().st_size < 30_000


def test_a_link_stays_a_link(tmp_path):
    """Results that were moved to another disk and linked are written there again."""
    (tmp_path / "disk").mkdir()
    os.symlink(tmp_path / "disk/a.json", tmp_path / "a.json")
    os.symlink(tmp_path / "disk/b.zarr", tmp_path / "b.zarr")
    for file in (JSON("a.json"), Zarr("b.zarr")):
        for value in ([1], [2]):
            file.at(tmp_path).save(value)
    assert os.path.islink(tmp_path / "a.json")
    assert os.path.islink(tmp_path / "b.zarr")
    assert JSON("a.json").at(tmp_path)() == [2]
    assert sorted(os.listdir(tmp_path / "disk")) == ["a.json", "b.zarr"]


def test_a_folder_is_replaced_whole(tmp_path):
    """Nothing of the value that was there is left in a Zarr folder, nor beside it."""
    file = Zarr("a.zarr").at(tmp_path)
    file.save({"x": [1], "y": [2]})
    file.save({"z": [3]})
    assert same(file(), {"z": np.array([3])})
    file.path.parent.joinpath("b.zarr").write_text("a file")
    Zarr("b.zarr").at(tmp_path).save([1])
    assert sorted(os.listdir(tmp_path)) == ["a.zarr", "b.zarr"]


@pytest.mark.parametrize(
    ("file", "library", "extra"),
    [
        (Pandas("a.h5"), "tables", "hdf5"),
        (Pandas("a.parquet"), "pyarrow", "parquet"),
        (NetCDF("a.nc"), "xarray", "xarray"),
        (Zarr("a.zarr"), "zarr", "zarr"),
    ],
    ids=repr,
)
def test_a_missing_library_is_told(tmp_path, monkeypatch, file, library, extra):
    """To save or read says what to install."""
    file = file.at(tmp_path)
    value = np.eye(2) if library == "zarr" else ARRAY if library == "xarray" else TABLE
    file.save(value)
    for module in [name for name in sys.modules if name.partition(".")[0] == library]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtraError, match=rf'pip install "smttask\[{extra}\]"'):
        file.save(value)
    with pytest.raises(MissingExtraError, match=rf'pip install "smttask\[{extra}\]"'):
        file()
    assert os.listdir(tmp_path) == [file.path.name]


@pytest.mark.parametrize("name", ["table.csv", "table.XLSX", "table.json"])
def test_tables_of_other_kinds_are_refused_by_their_names(name):
    """They would be HDF5, whatever they are called; the error says how to take such a file."""
    with pytest.raises(
        InputError, match=rf"(?s)'{name}' cannot be.*table='{name}', and use a function of pandas"
    ):
        Pandas(name)


def test_naming_files_imports_no_library():
    """A taskfile that only names its files starts at once."""
    code = (
        "import sys; from smttask.tasker.files import *; from smttask.tasker.looking import Look;"
        "files = [JSON('a'), Pandas('a.h5'), NetCDF('a.nc'), Zarr('z')]; Look().now(sys.executable, None);"
        "sys.exit(bool({'numpy', 'pandas', 'pydantic', 'xarray', 'zarr'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
def test_a_killed_writer_leaves_the_old_file_or_the_new_one(tmp_path):
    """Kill -9 at any instant: the file is whole."""
    file = JSON("a.json").at(tmp_path)
    file.save([0] * 50_000)
    code = (
        "import sys; from smttask.tasker.files import JSON; n = 0\n"
        "while True:\n    JSON(sys.argv[1]).save([n] * 50_000); n += 1; print(n, flush=True)"
    )
    for n in range(10):
        child = subprocess.Popen([sys.executable, "-c", code, str(file.path)], stdout=subprocess.PIPE)
        assert child.stdout.readline()
        time.sleep(0.003 * n)
        child.send_signal(signal.SIGKILL)
        child.communicate()
        value = file()
        assert value == [value[0]] * 50_000
