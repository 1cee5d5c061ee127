"""Values that scityping wrote: ``scityping_0_6.json`` is what its release 0.6.5 made of them."""

import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from smttask.errors import DescriptionError, InputError
from smttask.identity import canonical_bytes
from smttask.typing import Array, Distribution, PureFunction, RNGenerator, Slice
from smttask.typing.scityping_form import from_scityping
from smttask.typing.validation import Validator

STORED = json.loads(Path(__file__).with_name("scityping_0_6.json").read_text())
LAB = '''
from dataclasses import dataclass
from smttask.typing import PureFunction
@PureFunction
def f(x):
    """Text and comments do not count."""
    return x+1  # one more
@dataclass
class Grid:
    n: int
    w: float = 2.0
'''


@pytest.fixture
def lab(tmp_path):
    module = ModuleType("lab")
    module.__file__ = str(tmp_path / "lab.py")
    (tmp_path / "lab.py").write_text(LAB)
    sys.modules["lab"] = module
    exec(compile(LAB, module.__file__, "exec"), module.__dict__)  # noqa: S102 - what import would do
    yield module
    del sys.modules["lab"]


def compressed(data, compression="zlib"):
    fields = {"encoding": "b85", "compression": compression, "summary": "", "data": data}
    return ["scityping.numpy._ArrayType", {"data": ["scityping.numpy.CompressedArrayData", fields]}]


def moved(rng):
    rng.random()
    return rng


EXPECTED = {
    "small": np.arange(3), "f2": np.array([[1.5, np.nan]]), "zero": np.array(3.5), "big": np.arange(200.0),
    "cplx": np.array([1 + 2j]), "strs": np.array(["a", "b"]), "dtype": np.dtype("float32"), "npv": 2.5,
    "npi": 3, "npc": 1 + 2j, "cx": 1 + 2j, "rg": range(3), "rg2": range(1, 5, 2), "sl": slice(1, 4),
    "ss": np.random.SeedSequence(3), "ss2": np.random.SeedSequence([1, 2]).spawn(1)[0], "typ": int,
    "rs": np.random.RandomState(3), "dist": stats.norm(loc=1.0, scale=2.0), "gamma": stats.gamma(2, loc=1),
    "mv": stats.multivariate_normal([0.0, 1.0], [[1.0, 0.0], [0.0, 2.0]]), "lst": [np.arange(2)],
    "xa": xr.DataArray([1.0, 2.0], dims="x"), "bool_": True, "pf": np.sin,
}  # fmt: skip


@pytest.mark.parametrize("name", EXPECTED)
def test_values_come_back_as_they_were(name):
    """Arrays plain and compressed, numbers, seeds, types and distributions are read exactly."""
    value = from_scityping({"x": [STORED[name]]})["x"][0]
    assert canonical_bytes(value) == canonical_bytes(EXPECTED[name])


@pytest.mark.parametrize(
    ("name", "rng"),
    [
        ("rng", moved(np.random.default_rng(4))),
        ("mt", np.random.Generator(np.random.MT19937(3))),
        ("ph", np.random.Generator(np.random.Philox(3))),
        ("sf", np.random.Generator(np.random.SFC64(3))),
    ],
)
def test_generators_continue_where_they_stood(name, rng):
    """A generator of each kind draws what it would have drawn."""
    assert from_scityping(STORED[name]).normal(size=3).tolist() == rng.normal(size=3).tolist()


def listed(data, dtype):
    fields = {"data": data, "dtype": ["scityping.numpy.DType", {"desc": dtype}]}
    return ["scityping.numpy._ArrayType", {"data": ["scityping.numpy.ListArrayData", fields]}]


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (listed([1.5, None, -2.0], "timedelta64[ms]"), np.array([1500, "NaT", -2000], "m8[ms]")),
        (listed([86400.0], "timedelta64[D]"), np.array([1], "m8[D]")),
        (listed([3, 4], "timedelta64[ns]"), np.array([3, 4], "m8[ns]")),
        (listed(["2026-11-22", None], "datetime64[D]"), np.array(["2026-11-22", "NaT"], "M8[D]")),
        (["scityping.numpy.DType", {"desc": "('<f8', (2,))"}], np.dtype(("<f8", (2,)))),
    ],
)
def test_what_pydantic_wrote_of_dates_and_durations_is_read(tree, expected):
    """Durations stand as seconds, dates as text, a dtype with a shape as a tuple."""
    assert canonical_bytes(from_scityping(tree)) == canonical_bytes(expected)


def test_operators_are_functions_of_a_known_home():
    """``operator.add``, which scityping names by its Python module, is read."""
    assert from_scityping(["scityping.functions.PureFunction", {"func": "operator.add"}])(1, 2) == 3


def test_functions_are_found_not_executed(lab):
    """The text of a function leads to the loaded function that it is the text of."""
    assert from_scityping(STORED["fn"]) == lab.f
    assert from_scityping(STORED["part"])() == 4
    assert from_scityping(STORED["comp"])(1) == 4
    assert from_scityping(STORED["dc"]) == lab.Grid(3)
    assert from_scityping(STORED["gtyp"]) is lab.Grid


def test_annotated_inputs_take_the_form():
    """Where an annotation is of one of these types, parameters that scityping wrote are read."""
    assert Validator(Array[float])(STORED["small"]).tolist() == [0.0, 1.0, 2.0]
    assert Validator(RNGenerator)(STORED["mt"]).random() == np.random.Generator(np.random.MT19937(3)).random()
    assert Validator(Slice)(STORED["sl"]) == slice(1, 4)
    assert Validator(Distribution)(STORED["dist"]).mean() == 1.0
    with pytest.raises(InputError, match="cannot be read|is not found"):
        Validator(PureFunction)(["scityping.functions.PureFunction", {"func": "def gone(x):\n    return x"}])


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        (["scityping.pint.PintQuantity", {"data": [1, []]}], "is not read"),
        (["scityping.functions.PureFunction", {"func": "def gone(x):\n    return x"}], "is not found"),
        (["scityping.functions.PureFunction", {"func": "import os; os.system('x')"}], "cannot be read"),
        (["scityping.functions.PureFunction", {"func": "os.system"}], "cannot be read"),
        (["scityping.functions.CompositePureFunction", {"opname": "call", "terms": []}], "cannot be read"),
        (
            ["scityping.functions.CompositePureFunction", {"opname": "mul", "terms": [2, "[0. 1.]"]}],
            "written as text only",
        ),
        (["scityping.base_types.Type", {"module": "os", "name": "system"}], "cannot be read"),
        (["scityping.base_types.Type", {"module": "subprocess", "name": "Popen"}], "cannot be read"),
        (["scityping.base.Dataclass", [["x", {"module": "os", "name": "stat_result"}], {}]], "another kind"),
        (["scityping.numpy.DType", {"desc": "nonsense"}], "cannot be read"),
        (["scityping.scipy.UniDistribution", {"dist": "describe"}], "cannot be read"),
        (compressed("c$}"), "cannot be read"),
        (compressed("", "lzma"), "the compression 'lzma'"),
        (["scityping.xarray.Dataset", {"data": ["scityping.xarray.AnnexDatasetData", {}]}], "another file"),
    ],
)  # fmt: skip
def test_damaged_or_hostile_values_get_an_error(tree, message):
    """What is not known, not found or not allowed is named, and nothing runs."""
    with pytest.raises(DescriptionError, match=message):
        from_scityping([tree])


def test_pickles_in_arrays_are_not_read():
    """An array of objects, which scityping wrote as a pickle, is refused."""
    import base64
    import io
    import zlib

    file = io.BytesIO()
    np.save(file, np.array([print]), allow_pickle=True)
    data = base64.b85encode(zlib.compress(file.getvalue())).decode()
    with pytest.raises(DescriptionError, match="cannot be read"):
        from_scityping(compressed(data))
