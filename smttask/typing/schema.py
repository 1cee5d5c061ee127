"""pydantic's schemas with the rules of inputs: a bool is no number, nothing is cut, tasks may stand anywhere.

The strict schema runs inside pydantic and takes what fits as it is. What it refuses
goes to the lenient schema, which converts, lets tasks pass, and is slower.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
from pydantic.dataclasses import is_pydantic_dataclass
from pydantic_core import PydanticCustomError, core_schema

from smttask.protocols import Runnable
from smttask.typing.annotations import INNER
from smttask.typing.registry import acceptor_of

__all__ = ["holds_task", "inner_validators", "is_stream", "lenient_schema", "python_kin", "strict_schema"]

Schema = dict[str, Any]
_CHILD = (
    "schema",
    "keys_schema",
    "values_schema",
    "python_schema",
    "lax_schema",
    "strict_schema",
    "extras_schema",
)
_CHILDREN = ("steps", "items_schema", "choices", "fields", "definitions", "arguments_schema")
_CONTAINERS = frozenset({"list", "tuple", "set", "frozenset", "dict"})
_NUMBERS = frozenset({"int", "float", "complex", "decimal"})
_KIN = frozenset({"bool", "str", "bytes", "literal", "enum", "date", "time", "datetime", "timedelta"})
_TRANSPARENT = frozenset(
    {
        "union",
        "nullable",
        "default",
        "definitions",
        "definition-ref",
        "model-fields",
        "dataclass-args",
        "arguments",
    }
)
# How `smttask.typing.validation` validates a dataclass: by variant, (class, value) -> value.
inner_validators: dict[str, Callable[[type, Any], Any]] = {}
_FLOATS = (float, int, np.floating)
_STREAMS = (Iterator, io.IOBase)
_NO_STREAMS = frozenset(
    {int, float, complex, bool, str, bytes, type(None), list, tuple, dict, set, frozenset, np.ndarray}
)


def strict_schema(schema: Any) -> Any:
    """The schema that takes what fits as it is, with nothing of Python run for plain data."""
    return _rewritten(schema, _strict_node, "strict")


def lenient_schema(schema: Any) -> Any:
    """The schema that converts as pydantic does, numpy's numbers too, and lets tasks pass."""
    return _rewritten(schema, _lenient_node, "lenient")


def is_stream(value: object) -> bool:
    """Whether `value` can be read only once: an iterator, a generator, an open file."""
    return type(value) not in _NO_STREAMS and isinstance(value, _STREAMS)


def holds_task(value: Any) -> bool:
    """Whether a task stands in `value`, at any depth of containers and dataclasses."""
    if isinstance(value, Runnable):
        return True
    if isinstance(value, Mapping):
        return any(map(holds_task, value.values()))
    if isinstance(value, (list, tuple, set, frozenset)):
        return any(map(holds_task, value))
    if is_dataclass(value) and not isinstance(value, type):
        return any(holds_task(getattr(value, field.name, None)) for field in fields(value))
    return False


def python_kin(value: Any) -> Any:
    """The Python value of a numpy scalar or 0-d array, where there is one that loses nothing."""
    if isinstance(value, np.ndarray):
        return value if value.ndim or value.dtype.kind in "OV" else python_kin(value[()])
    if isinstance(value, np.longdouble):
        return float(value)
    if isinstance(value, np.clongdouble):
        return complex(value)
    if isinstance(value, (np.datetime64, np.timedelta64)):
        moment = value.astype(f"{value.dtype.kind}8[us]")
        return moment.item() if moment == value else value
    return value.item() if isinstance(value, np.generic) else value


def _rewritten(schema: Any, node: Callable[[Schema, str], Any], variant: str) -> Any:
    """`schema` with every node but user's models passed through `node`, leaves first."""
    kind = schema.get("type", "-field")
    if kind == "definition-ref":
        return {**schema, "schema_ref": f"{schema['schema_ref']}|{variant}"}
    if kind == "model" or (kind == "dataclass" and is_pydantic_dataclass(schema["cls"])):
        return node(schema, variant)
    new = dict(schema)
    if kind == "definitions":
        ours = []
        for definition in schema["definitions"]:
            for one in (
                ("strict", "lenient", "model") if variant == "strict" else ("lenient", "model", "strict")
            ):
                ours.append({**_rewritten(definition, _NODES[one], one), "ref": f"{definition['ref']}|{one}"})
        return {**new, "definitions": [*schema["definitions"], *ours],
                "schema": _rewritten(schema["schema"], node, variant)}  # fmt: skip
    new.pop("ref", None)
    for key in _CHILD:
        if isinstance(schema.get(key), dict):
            new[key] = _rewritten(schema[key], node, variant)
    for key in _CHILDREN:
        children = schema.get(key)
        if isinstance(children, dict):
            if "type" in children and isinstance(children["type"], str):
                new[key] = _rewritten(children, node, variant)
            else:
                new[key] = {name: _rewritten(child, node, variant) for name, child in children.items()}
        elif isinstance(children, (list, tuple)):
            new[key] = [_rewritten_item(child, node, variant) for child in children]
    return new if kind.endswith("-field") else node(new, variant)


def _rewritten_item(child: Any, node: Callable[[Schema, str], Any], variant: str) -> Any:
    """One of a list of schemas, of (schema, label) pairs, or of the names that some schemas list."""
    if isinstance(child, tuple):
        return (_rewritten(child[0], node, variant), *child[1:])
    return _rewritten(child, node, variant) if isinstance(child, dict) else child


def _inner_node(schema: Schema, variant: str) -> Any:
    """A dataclass inside itself: its own validator of the same kind, found when it is needed.

    Were it free to try both kinds, each level would double the work for what fits neither.
    """
    cls = schema["metadata"][INNER]
    return core_schema.no_info_plain_validator_function(lambda value: inner_validators[variant](cls, value))


def _strict_node(schema: Schema, variant: str) -> Any:
    kind = schema["type"]
    if INNER in schema.get("metadata", ()):
        return _inner_node(schema, "strict")
    if kind == "float":
        # numpy's bool and integers have __float__ too, which the float schema alone would use.
        return core_schema.chain_schema([core_schema.is_instance_schema(_FLOATS), {**schema, "strict": True}])
    if kind == "int" or kind in _CONTAINERS:
        return {**schema, "strict": True}
    if kind in ("complex", "decimal") or _means_numbers(schema):
        return core_schema.no_info_before_validator_function(_number, schema)
    if kind == "bytes":
        return core_schema.no_info_after_validator_function(bytes, schema)
    return _known_class(schema)


def _means_numbers(schema: Schema) -> bool:
    """Whether the choices of a Literal or the values of an Enum are numbers, none of them a bool."""
    if schema["type"] == "literal":
        values = schema["expected"]
    elif schema["type"] == "enum":
        values = [member.value for member in schema["members"]]
    else:
        return False
    kinds = {type(value) for value in values}
    return bool not in kinds and not kinds.isdisjoint((int, float))


def _known_class(schema: Schema) -> Any:
    if schema["type"] == "is-instance" and isinstance(schema["cls"], type):
        accept = acceptor_of(schema["cls"])
        if accept is not None:
            return accept.__get_pydantic_core_schema__(None, None)
    return schema


def _lenient_node(schema: Schema, variant: str) -> Any:
    kind = schema["type"]
    if INNER in schema.get("metadata", ()):
        return _inner_node(schema, "lenient")
    if kind in _TRANSPARENT:
        return schema
    if (kind in _NUMBERS or _means_numbers(schema)) and variant == "lenient":
        schema = core_schema.no_info_before_validator_function(_number, schema)  # type: ignore[assignment]
    elif kind in _KIN or kind in _NUMBERS:
        schema = core_schema.no_info_before_validator_function(python_kin, schema)  # type: ignore[assignment]
    elif kind == "model":
        schema = _model_with_tasks(schema)
    return core_schema.no_info_wrap_validator_function(_pass_task, _known_class(schema))


def _model_with_tasks(schema: Schema) -> Schema:
    """The schema that builds a model from a dict with tasks; it is validated when their values arrive."""
    inner = schema["schema"]
    while inner["type"] != "model-fields":
        if "schema" not in inner or schema.get("root_model"):
            return schema
        inner = inner["schema"]
    model_fields = {}
    for name, field in inner["fields"].items():
        entry = core_schema.typed_dict_field(
            _rewritten(field["schema"], _lenient_node, "model"), required=field["schema"]["type"] != "default"
        )
        if "validation_alias" in field:
            entry["validation_alias"] = field["validation_alias"]
        model_fields[name] = entry
    cls = schema["cls"]
    extra = inner.get("extra_behavior") or schema.get("config", {}).get("extra_fields_behavior", "ignore")
    construct = core_schema.no_info_after_validator_function(
        lambda values: cls.model_construct(**values),
        core_schema.typed_dict_schema(model_fields, extra_behavior=extra),
    )
    return core_schema.tagged_union_schema(  # type: ignore[return-value]
        {"tasks": construct, "model": schema},
        lambda value: "tasks" if isinstance(value, Mapping) and holds_task(value) else "model",
    )


_NODES: dict[str, Callable[[Schema, str], Any]] = {
    "strict": _strict_node,
    "lenient": _lenient_node,
    "model": _lenient_node,
}


def _pass_task(value: Any, handler: Callable[[Any], Any]) -> Any:
    if isinstance(value, Runnable):
        return value
    if is_stream(value):
        raise PydanticCustomError("stream", "expected values; an iterator or open file can be read only once")
    return handler(value)


def _number(value: Any) -> Any:
    if isinstance(value, Runnable):
        return value
    value = python_kin(value)
    if isinstance(value, bool):
        raise PydanticCustomError("bool", "expected a number; a bool is not a number")
    return value
