"""Arrays of every kind, through digest, JSON and file, bit by bit."""

import json

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from smttask.formats.registry import choose, load_inline
from smttask.identity import canonical_bytes
from smttask.typing.jsonform import from_json, to_json

LONG = [np.dtype(np.longdouble), np.dtype(np.clongdouble), np.dtype(">f8"), np.dtype("f2"), np.dtype(">c8")]
NESTED = np.dtype({"names": ["a", "b"], "formats": ["u1", (">f4", (2,))], "offsets": [0, 4], "itemsize": 16})
DTYPES = (
    hnp.scalar_dtypes()
    | hnp.unicode_string_dtypes()
    | hnp.byte_string_dtypes()
    | hnp.array_dtypes()
    | st.sampled_from([*LONG, NESTED])
)


@st.composite
def arrays(draw):
    """An array of any dtype, shape (0-d and empty too), memory order and stride, masked or not."""
    dtype = draw(DTYPES)
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
    if dtype in (*LONG, NESTED):
        values = draw(hnp.arrays(np.float32, shape, elements=st.floats(width=32)))
        array = np.zeros(shape, dtype)
        array[...] = values if dtype.names is None else np.zeros((), dtype)
        if dtype.names:
            array["b"][..., 0] = values
    else:
        array = draw(hnp.arrays(dtype, shape))
    array = array.transpose(draw(st.permutations(range(array.ndim))))
    if array.ndim and draw(st.booleans()):
        array = array[:: draw(st.sampled_from([-1, 2]))]
    if draw(st.booleans()):
        array = np.asfortranarray(array) if array.ndim else array
    if dtype.names is None and dtype.subdtype is None and draw(st.booleans()):
        return np.ma.array(array, mask=draw(hnp.arrays(bool, array.shape)))
    return array


@settings(max_examples=150, deadline=None)
@given(arrays())
def test_every_array_comes_back_and_keeps_its_digest(array):
    """Whatever its dtype, shape, order and mask, JSON and file give the same array with the same digest."""
    digest = canonical_bytes(array)
    assert canonical_bytes(array.copy(order="C")) == canonical_bytes(array.copy(order="F")) == digest
    if not isinstance(array, np.ma.MaskedArray):  # whose fill value numpy changes here
        assert canonical_bytes(array.astype(array.dtype.newbyteorder(">"))) == digest
    choice = choose([array])
    stored = load_inline(choice.format.name, json.loads(json.dumps(choice.tree)))[0]
    for again in (from_json(json.loads(json.dumps(to_json(array), allow_nan=False))), stored):
        assert type(again) is type(array)
        assert (again.dtype, again.shape) == (array.dtype, array.shape)
        assert canonical_bytes(again) == digest


def test_arrays_of_records_with_objects_come_back():
    """Fields that hold Python objects are written one by one, beside those that do not."""
    dtype = np.dtype([("name", object), ("values", "f8", (2,)), ("inner", [("x", object), ("n", ">i2")])])
    array = np.array([("a", [1, np.nan], ([1, (2,)], 3)), (None, [0, 1], ({"k": 1}, 4))], dtype=dtype)
    again = from_json(json.loads(json.dumps(to_json(array), allow_nan=False)))
    assert again.dtype == dtype
    assert again["inner"]["x"].tolist() == [[1, (2,)], {"k": 1}]
    assert canonical_bytes(again) == canonical_bytes(array)
    assert choose(array).format.name == "json"
