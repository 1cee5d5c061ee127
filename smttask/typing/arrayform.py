"""Arrays, numpy scalars and dtypes in JSON: lists where one would read them, else .npy bytes."""

from __future__ import annotations

import io
from base64 import b64decode, b64encode
from collections.abc import Callable
from functools import partial
from tokenize import TokenError
from typing import Any

import numpy as np

from smttask.parsing import undisturbed

__all__ = [
    "LARGE_BYTES",
    "LIST_SIZE",
    "array_from_json",
    "array_to_json",
    "masked_from_json",
    "zeroed_below",
    "dtype_from_json",
    "dtype_to_json",
    "scalar_from_json",
    "scalar_to_json",
]

LIST_SIZE = 100  # arrays of up to so many elements are lists
LARGE_BYTES = 64 * 1024  # arrays of more bytes may be stored elsewhere
_WORDS = {"nan": np.nan, "inf": np.inf, "-inf": -np.inf}
_MAX_HEADER = 100_000

Convert = Callable[[Any], Any]


def dtype_to_json(dtype: np.dtype[Any]) -> Any:
    """A text like ``"<f8"``, or the parts of a structured dtype, with offsets.

    Examples
    --------
    >>> dtype_to_json(np.dtype("f4"))
    '<f4'
    """
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return {"base": dtype_to_json(base), "shape": list(shape)}
    if dtype.names is None:
        return "T" if dtype.kind == "T" else dtype.str
    fields: list[Any] = [dtype.fields[name] for name in dtype.names]  # type: ignore[index]
    form = {
        "names": list(dtype.names),
        "formats": [dtype_to_json(field[0]) for field in fields],
        "offsets": [field[1] for field in fields],
        "itemsize": dtype.itemsize,
    }
    titles = [field[2] if len(field) > 2 else None for field in fields]
    return form if titles == [None] * len(titles) else {**form, "titles": titles}


def dtype_from_json(form: Any) -> np.dtype[Any]:
    """The dtype that `dtype_to_json` took apart; ValueError, TypeError or KeyError for anything else."""
    if isinstance(form, str):
        return np.dtype(form)
    if "base" in form:
        return np.dtype((dtype_from_json(form["base"]), tuple(form["shape"])))
    formats = [dtype_from_json(item) for item in form["formats"]]
    parts = {key: form[key] for key in ("names", "offsets", "itemsize", "titles") if key in form}
    return np.dtype({**parts, "formats": formats})  # type: ignore[call-overload, no-any-return]


def array_to_json(
    array: Any,
    item_to_json: Convert,
    on_large: Callable[[Any], str | None] | None = None,
    large_bytes: int = LARGE_BYTES,
) -> Any:
    """``{"$array": …, "dtype": …}`` with a list, .npy bytes, or the name of what is stored elsewhere."""
    if isinstance(array, np.ma.MaskedArray):
        return _masked_to_json(array, item_to_json, on_large, large_bytes)
    form: dict[str, Any] = {"$array": None, "dtype": dtype_to_json(array.dtype)}
    if array.dtype.kind in "OT":
        items = [item_to_json(item) for item in array.reshape(-1).tolist()]
        return {**form, "$array": items, "shape": list(array.shape)}
    if array.dtype.hasobject:
        fields = {
            name: array_to_json(array[name], item_to_json, on_large, large_bytes)
            for name in array.dtype.names or ()
        }
        return {**form, "$array": {"fields": fields}, "shape": list(array.shape)}
    if array.nbytes > large_bytes and on_large is not None:
        name = on_large(array)
        if name is not None:
            return {
                **form,
                "$array": {"stored": name},
                "shape": list(array.shape),
                "summary": _summary(array),
            }
    if array.size <= LIST_SIZE:
        if array.dtype.names or array.size == 0:
            form["shape"] = list(array.shape)
        lists = _to_lists(array)
        if lists is not None and _is_same(_from_lists(lists, array.dtype, form.get("shape")), array):
            return {**form, "$array": lists}
        form.pop("shape", None)
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.asarray(array), allow_pickle=False)
    text = b64encode(buffer.getvalue()).decode("ascii")
    return {**form, "$array": {"npy": text}, "shape": list(array.shape), "summary": _summary(array)}


def array_from_json(form: Any, item_from_json: Convert, get_large: Callable[[str], Any] | None) -> Any:
    """The array that `array_to_json` wrote, read-only; nothing is unpickled."""
    data = form["$array"]
    dtype = dtype_from_json(form["dtype"])
    if dtype.kind in "OT":
        array = np.empty(len(data), dtype=dtype)
        for index, item in enumerate(data):
            array[index] = item_from_json(item)
        array = array.reshape(form["shape"])
    elif dtype.hasobject:
        array = np.empty(form["shape"], dtype=dtype)
        for name in dtype.names or ():
            array[name] = array_from_json(data["fields"][name], item_from_json, get_large)
    elif not isinstance(data, dict) or (dtype.names and "npy" not in data and "stored" not in data):
        array = _from_lists(data, dtype, form.get("shape"))
    elif "npy" in data:
        read = partial(np.lib.format.read_array, allow_pickle=False, max_header_size=_MAX_HEADER)
        npy = b64decode(data["npy"], validate=True)
        try:
            array = undisturbed(lambda: read(io.BytesIO(npy)))
        except TokenError as error:  # from the second try of numpy at a header that is no literal
            raise ValueError(f"a damaged header: {error}") from error
    else:
        if get_large is None:
            raise ValueError("an array that is stored elsewhere")
        array = np.asarray(get_large(data["stored"]))
    if array.dtype != dtype:
        raise ValueError(f"an array of {array.dtype} where {dtype} is named")
    array.flags.writeable = False
    return array


def scalar_to_json(scalar: np.generic, item_to_json: Convert) -> Any:
    """``{"$scalar": …, "dtype": …}``."""
    form = array_to_json(np.asarray(scalar), item_to_json)
    return {"$scalar": form.pop("$array"), **form}


def scalar_from_json(form: Any, item_from_json: Convert) -> np.generic:
    """The numpy scalar that `scalar_to_json` wrote."""
    array = array_from_json({**form, "$array": form["$scalar"]}, item_from_json, None)
    if array.ndim:
        raise ValueError("an array where a numpy scalar is named")
    return array[()]  # type: ignore[no-any-return]


def _masked_to_json(array: Any, item_to_json: Convert, on_large: Any, large_bytes: int) -> Any:
    """Data below the mask is no part of the value: it is written as zeros."""
    mask = np.ma.getmaskarray(array)
    data = zeroed_below(np.array(array.data), mask)
    fill = array.fill_value
    is_default = np.asarray(fill).tobytes() == np.asarray(np.ma.array(data).fill_value).tobytes()
    return {
        **({"hard": True} if array.hardmask else {}),
        "$masked": array_to_json(data, item_to_json, on_large, large_bytes),
        "mask": array_to_json(mask, item_to_json, on_large, large_bytes),
        "fill": None if is_default else array_to_json(np.asarray(fill, dtype=array.dtype), item_to_json),
    }


def zeroed_below(data: Any, mask: Any) -> Any:
    """`data` with zeros where `mask` is set, field by field; `data` itself is changed."""
    if data.dtype.names:
        for name in data.dtype.names:
            data[name] = zeroed_below(data[name], mask[name])
        return data
    data[mask] = np.zeros((), dtype=data.dtype)
    return data


def masked_from_json(form: Any, item_from_json: Convert, get_large: Any) -> Any:
    """The masked array that `array_to_json` wrote."""
    data, mask = (array_from_json(form[key], item_from_json, get_large) for key in ("$masked", "mask"))
    fill = form["fill"] and array_from_json(form["fill"], item_from_json, None)[()]
    is_hard = form.get("hard", False)
    return np.ma.MaskedArray(data, mask=mask, fill_value=fill, hard_mask=is_hard, copy=True)


def _to_lists(array: Any) -> Any:
    """Nested lists of JSON values, or None where no reader would understand them."""
    kind = array.dtype.kind
    if array.dtype.names:
        fields = {name: _to_lists(array[name]) for name in array.dtype.names}
        return None if None in fields.values() else fields
    if kind in "biuU":
        return array.tolist()
    if kind == "f":
        return _words(array.astype(str).tolist() if array.dtype.itemsize > 8 else array.tolist())
    if kind == "c" and array.dtype.itemsize <= 16:
        return _words(np.stack([array.real, array.imag], axis=-1).tolist())
    if kind == "S":
        return np.char.decode(array, "latin-1").tolist()
    if kind == "M":
        return np.datetime_as_string(array).tolist()
    if kind == "m":
        return array.astype(array.dtype.newbyteorder("=")).view(np.int64).tolist()
    return None


def _words(data: Any) -> Any:
    """Lists of floats with words for what JSON cannot write."""
    if isinstance(data, list):
        return [_words(item) for item in data]
    if isinstance(data, str) or (data - data == 0.0):
        return data
    return "nan" if data != data else "inf" if data > 0 else "-inf"


def _from_lists(data: Any, dtype: np.dtype[Any], shape: Any) -> Any:
    if dtype.names:
        array = np.zeros(shape, dtype=dtype)
        for name in dtype.names:
            field = dtype.fields[name][0]  # type: ignore[index]
            base, inner = field.subdtype or (field, ())
            array[name] = _from_lists(data[name], base, [*shape, *inner])
        return array
    if dtype.kind == "c":
        pairs = _from_lists(data, np.dtype(f"f{dtype.itemsize // 2}"), None if shape is None else [*shape, 2])
        array = np.empty(pairs.shape[:-1], dtype=dtype)
        array.real, array.imag = pairs[..., 0], pairs[..., 1]
    elif dtype.kind == "f":
        array = np.asarray(_numbers(data, dtype), dtype=dtype)
    elif dtype.kind == "S":
        array = np.char.encode(np.asarray(data, dtype=str), "latin-1").astype(dtype)
    elif dtype.kind == "m":
        array = np.asarray(data, dtype=np.int64).view(dtype.newbyteorder("=")).astype(dtype)
    else:
        array = np.asarray(data, dtype=dtype)
    return array if shape is None else array.reshape(shape)


def _numbers(data: Any, dtype: np.dtype[Any]) -> Any:
    if isinstance(data, list):
        return [_numbers(item, dtype) for item in data]
    if isinstance(data, str):
        return _WORDS[data] if data in _WORDS else dtype.type(data)
    return data


def _is_same(left: Any, right: Any) -> bool:
    """Whether both hold the same bits, padding aside."""
    if left.dtype != right.dtype or left.shape != right.shape:
        return False
    if left.dtype.names:
        return all(_is_same(left[name], right[name]) for name in left.dtype.names)
    if (left.dtype.kind in "fc" and left.dtype.itemsize not in (2, 4, 8, 16)) or left.dtype.char in "gG":
        return bool(np.all((left == right) & (np.signbit(left.real) == np.signbit(right.real))))
    return bool(left.tobytes() == right.tobytes())


def _summary(array: Any) -> str:
    """Dtype, shape and the first and last elements."""
    flat = array.reshape(-1) if array.size <= LIST_SIZE else array.flat
    shown = [str(flat[index]) for index in range(min(3, array.size))]
    if array.size > 3:
        shown += ["…", str(flat[array.size - 1])]
    text = f"{array.dtype} {array.shape}: {' '.join(shown)}".replace("\n", " ")
    return text if len(text) <= 100 else text[:99] + "…"
