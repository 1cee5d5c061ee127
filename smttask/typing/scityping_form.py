"""Values in the JSON form of scityping, which SumatraTask 0.2 wrote: ``[type, data]``.

The form is that of scityping 0.6: the type is named by module and class, the data are the
fields of its ``Data`` class. Functions stand there as source text, which is not executed: the
function is looked for in the modules that are loaded. Arrays of objects, which are pickles
there, are refused.
"""

from __future__ import annotations

import ast
import io
import sys
import textwrap
import zlib
from base64 import b85decode
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from smttask.errors import DescriptionError, short_repr
from smttask.extras import require
from smttask.parsing import undisturbed
from smttask.typing.definitions import definition_in, is_library, loaded_definition, source_of
from smttask.typing.functions import Composite, PureFunction
from smttask.typing.jsonform import from_json, to_json
from smttask.typing.places import BAD_DATA

__all__ = ["from_scityping", "is_scityping"]

JSON = Any
_MAX_BYTES = 1 << 33  # of a decompressed array; a short text could ask for all memory


def is_scityping(tree: JSON) -> bool:
    """Whether `tree` itself is a value in scityping's form.

    Examples
    --------
    >>> is_scityping(["scityping.numpy.DType", {"desc": "float32"}])
    True
    """
    return (
        isinstance(tree, list | tuple)
        and len(tree) == 2
        and isinstance(tree[0], str)
        and tree[0].startswith("scityping.")
        and isinstance(tree[1], list | tuple | dict)
    )


def from_scityping(
    tree: JSON,
    *,
    get_class: Callable[[str, str], type] | None = None,
    get_definition: Callable[[str, str], Any] | None = None,
) -> Any:
    """The value of JSON in which scityping's form may stand at any depth of lists and dicts.

    Parameters
    ----------
    get_class, get_definition
        Decide which classes and functions a text may name; see `smttask.typing.jsonform.from_json`.

    Raises
    ------
    DescriptionError
        If a type is not known, the data are damaged, or a function is not found.

    Examples
    --------
    >>> from_scityping({"z": ["scityping.base_types.Complex", {"real": 1.0, "imag": 2.0}]})
    {'z': (1+2j)}
    """
    return _Reader(get_class, get_definition)(tree)


class _Reader:
    """One pass over JSON."""

    def __init__(self, get_class: Any, get_definition: Any) -> None:
        self.get_class = get_class
        self.get_definition = get_definition

    def __call__(self, tree: JSON) -> Any:
        if is_scityping(tree):
            return self._value(tree)
        if isinstance(tree, list | tuple):
            return [self(item) for item in tree]
        if isinstance(tree, dict):
            return {key: self(item) for key, item in tree.items()}
        return tree

    def _value(self, tree: JSON) -> Any:
        name = tree[0].rpartition(".")[2].partition("[")[0]
        known = _READERS.get(name)
        if known is None:
            raise DescriptionError(
                f"The scityping type {short_repr(tree[0])} is not read.",
                f"found: {short_repr(tree)}",
                "construct the value anew with the types of smttask.typing",
            )
        fields, read = known
        try:
            data = tree[1] if isinstance(tree[1], dict) else dict(zip(fields, tree[1], strict=False))
            return read(self, *[data.get(field) for field in fields])
        except DescriptionError:
            raise
        except (*BAD_DATA, zlib.error) as error:
            raise DescriptionError(
                f"A value of the scityping type {short_repr(tree[0])} cannot be read.",
                f"found: {short_repr(tree[1])} ({type(error).__name__}: {short_repr(str(error))})",
                "restore the file, or construct the value anew",
            ) from error

    def content(self, part: JSON) -> Any:
        """What stands in the nested ``[type, [class, fields]]`` of an array's data."""
        kind = part[0].rpartition(".")[2]
        fields = part[1][1] if isinstance(part[1], list) else part[1]
        if kind == "ListArrayData":
            return _listed(self(fields["data"]), self(fields["dtype"]))
        if kind == "CompressedArrayData":
            data = _decompressed(fields)
            return undisturbed(lambda: np.lib.format.read_array(io.BytesIO(data), allow_pickle=False))
        if kind in ("InlineDataArrayData", "InlineDatasetData"):
            load = "load_dataarray" if "Array" in kind[:15] else "load_dataset"
            return getattr(require("xarray"), load)(io.BytesIO(_decompressed(fields)))
        raise ValueError(f"data of kind {kind!r}, which are in another file")

    def definition(self, module: str, name: str) -> Any:
        found = (self.get_definition or loaded_definition)(module, name)
        if not isinstance(found, type):
            raise TypeError(f"a {type(found).__name__} where a class stood")
        return found

    def dataclass(self, kind: JSON, fields: Any) -> Any:
        name = f"{kind[1]['module']}:{kind[1]['name']}"
        return from_json({"$dataclass": name, "fields": to_json(self(fields))}, get_class=self.get_class)

    def function(self, text: Any) -> Any:
        if is_scityping(text):
            return self(text)
        if not isinstance(text, str):
            raise TypeError("expected the text of a function")
        if text.replace(".", "").isidentifier():
            module, _, name = text.rpartition(".")
            module = "_operator" if module == "operator" else module  # the home of what is in C
            return PureFunction(definition_in(sys.modules.get(module), module, name))
        return PureFunction(_defined_like(text))

    def generator(self, *parts: Any) -> Any:
        names = ("bit_generator", "state", "has_uint32", "uinteger", "buffer", "buffer_pos")
        state = {name: self(part) for name, part in zip(names, parts, strict=True) if part is not None}
        return from_json({"$generator": to_json({"state": state, "seed": None})})

    def random_state(self, state: Any) -> Any:
        name, key, pos, has_gauss, gauss = self(state)
        parts = {"bit_generator": name, "state": {"key": np.asarray(key, np.uint32), "pos": pos}}
        return from_json({"$randomstate": to_json({**parts, "has_gauss": has_gauss, "gauss": gauss})})

    def distribution(self, name: str, args: Any, kwds: Any, state: Any) -> Any:
        stats = require("scipy.stats")
        dist = getattr(stats, name)
        if not isinstance(dist, stats.rv_continuous | stats.rv_discrete):
            raise ValueError(f"scipy.stats has no distribution {name!r}")
        frozen = dist(*self(args or []), **self(kwds or {}))
        if state is not None:
            frozen.random_state = self(state)
        return frozen

    def normal(self, mean: Any, cov: Any, state: Any) -> Any:
        return require("scipy.stats").multivariate_normal(self(mean), self(cov), seed=self(state))


def _decompressed(fields: Any) -> bytes:
    if fields["encoding"] != "b85":
        raise ValueError(f"the encoding {fields['encoding']!r}")
    data = b85decode(fields["data"])
    if fields["compression"] == "zlib":
        return zlib.decompressobj().decompress(data, _MAX_BYTES)
    if fields["compression"] == "blosc":
        result: bytes = require("blosc").decompress(data)
        return result
    if fields["compression"] == "none":
        return data
    raise ValueError(f"the compression {fields['compression']!r}")


def _defined_like(text: str) -> Any:
    """The function of a loaded project module whose text is `text`, comments and decorators aside."""
    wanted, name = _bare(text)
    found = []
    for module_name, module in [*sys.modules.items()]:
        here = None if is_library(module_name) else getattr(module, "__dict__", {}).get(name)
        function = getattr(here, "func", here) if isinstance(here, PureFunction) else here
        if callable(function) and getattr(function, "__module__", None) == module_name:
            source = source_of(function)
            if source and _bare(source)[0] == wanted:
                found.append(function)
    if len(found) != 1:
        where = ", ".join(sorted(function.__module__ for function in found)) or "none"
        raise DescriptionError(
            f"The function {name!r} of a scityping text is not found.",
            f"modules with the same function: {where}\ntext: {short_repr(text)}",
            "define it in one module of the project and import that first; text is never executed",
        )
    return found[0]


def _bare(text: str) -> tuple[str, str]:
    """The function in `text` as its syntax alone, and its name."""
    node = undisturbed(lambda: ast.parse(textwrap.dedent(text))).body[0]
    if not isinstance(node, ast.FunctionDef):
        raise ValueError("expected the definition of a function")
    node.decorator_list = []
    if ast.get_docstring(node) is not None:
        node.body = node.body[1:]
    return ast.dump(node), node.name


def _dtype(reader: _Reader, text: str) -> Any:
    is_literal = text.startswith(("[", "{", "("))
    return np.dtype(undisturbed(lambda: ast.literal_eval(text)) if is_literal else text)


def _listed(data: Any, dtype: np.dtype[Any]) -> Any:
    """The array of a list; durations that pydantic wrote stand in it as seconds, with a fraction."""
    is_seconds = dtype.kind == "m" and any(type(item) is float for item in np.array(data, object).flat)
    if not is_seconds:
        return np.array(data, dtype=dtype)
    seconds = np.array(data, dtype=np.float64)  # None, which is NaT, becomes NaN
    microseconds = np.where(np.isnan(seconds), 0, np.rint(seconds * 1e6)).astype("m8[us]")
    microseconds[np.isnan(seconds)] = np.timedelta64("NaT")
    return microseconds.astype(dtype)


def _scalar(reader: _Reader, value: Any) -> Any:
    """What numpy scalars were written as: their dtype is that of the annotation."""
    try:
        return complex(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _bound(reader: _Reader, function: Any, args: Any, kwargs: Any) -> Any:
    return PureFunction(partial(reader.function(function).func, *reader(args or []), **reader(kwargs or {})))


def _combined(reader: _Reader, operation: str, terms: Any) -> Any:
    # An array among the terms was written as its printed text, which has lost digits and dtype.
    if any(isinstance(term, str) for term in terms):
        raise ValueError("a term that was written as text only")
    return PureFunction(Composite(operation, tuple(reader(terms))))


def _covariance(make: str) -> Callable[..., Any]:
    def read(reader: _Reader, *parts: Any) -> Any:
        values = [reader(part) for part in parts]
        return getattr(require("scipy.stats").Covariance, make)(values[0] if len(values) == 1 else values)

    return read


_Read = tuple[tuple[str, ...], Callable[..., Any]]
_array: _Read = ("data",), _Reader.content
_univariate: _Read = ("dist", "args", "kwds", "rng_state"), _Reader.distribution
_generator: _Read = (
    ("bit_generator", "state", "has_uint32", "uinteger", "buffer", "buffer_pos"),
    _Reader.generator,
)
_READERS: dict[str, _Read] = {
    "Array": _array,
    "_ArrayType": _array,
    "DataArray": _array,
    "Dataset": _array,
    "Complex": (("real", "imag"), lambda reader, real, imag: complex(real, imag)),
    "Range": (("start", "stop", "step"), lambda reader, *parts: range(parts[0], parts[1], parts[2] or 1)),
    "Slice": (("start", "stop", "step"), lambda reader, *parts: slice(*parts)),
    "DType": (("desc",), _dtype),
    "NPValue": (("data",), _scalar),
    "_NPValueType": (("data",), _scalar),
    "Type": (("module", "name"), _Reader.definition),
    "Dataclass": (("type", "data"), _Reader.dataclass),
    "RNGenerator": _generator,
    "NPGenerator": _generator,
    "RandomState": (("state",), _Reader.random_state),
    "SeedSequence": (
        ("entropy", "spawn_key", "pool_size", "n_children_spawned"),
        lambda reader, entropy, key, size, n: from_json(
            {"$seedsequence": {"entropy": entropy, "spawn_key": {"$tuple": key}, "pool_size": size,
                               "n_children_spawned": n}}),
    ),
    "PureFunction": (("func",), _Reader.function),
    "PartialPureFunction": (("func", "args", "kwargs"), _bound),
    "CompositePureFunction": (("opname", "terms"), _combined),
    "UniDistribution": _univariate,
    "Distribution": _univariate,
    "MvNormalDistribution": (("mean", "cov", "rng_state"), _Reader.normal),
    "CovViaPSD": (("psd",), lambda reader, psd: reader(psd)),
    "_PSD": (("M",), lambda reader, matrix: reader(matrix)),
    "CovViaDiagonal": (("diagonal",), _covariance("from_diagonal")),
    "CovViaCholesky": (("L",), _covariance("from_cholesky")),
    "CovViaPrecision": (("precision",), _covariance("from_precision")),
    "CovViaEigendecomposition": (("eigenvalues", "eigenvectors"), _covariance("from_eigendecomposition")),
}  # fmt: skip
