"""What annotations take: how values are converted to a class, and how pydantic's own models write them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic_core import core_schema

from smttask.typing.functions import PureFunction, to_function
from smttask.typing.jsonform import from_json, to_json
from smttask.typing.registry import register_acceptor
from smttask.typing.scityping_form import from_scityping, is_scityping

__all__ = ["Accept", "accept_instances"]


class Accept:
    """Annotation metadata: values are converted by `convert`, which raises ValueError.

    ``Annotated[np.dtype, Accept(convert, "a dtype")]`` is a type for pydantic and
    for `smttask.typing.validation.Validator` alike. A pydantic model with such a field
    writes it in the JSON form of `smttask.typing.jsonform` and reads that form.
    """

    __slots__ = ("convert", "expected")

    def __init__(self, convert: Callable[[Any], Any], expected: str) -> None:
        self.convert = convert
        self.expected = expected

    def __call__(self, value: Any) -> Any:
        """The converted value; what stands under a ``$`` tag, or in scityping's form, is read first."""
        if type(value) is dict and len(value) < 8 and any(type(k) is str and k[:1] == "$" for k in value):
            value = from_json(value)
        elif is_scityping(value):
            value = from_scityping(value)
        return self.convert(value)

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self,
            serialization=core_schema.plain_serializer_function_ser_schema(to_json, when_used="json"),
        )

    def __repr__(self) -> str:
        return f"<{self.expected}>"


def accept_instances(cls: type, convert: Callable[[Any], Any] | None, expected: str) -> Accept:
    """What takes instances of `cls` as they are, and what `convert` makes one of.

    Examples
    --------
    >>> accept_instances(int, None, "an integer")
    <an integer>
    """

    def take(value: Any) -> Any:
        if isinstance(value, cls):
            return value
        if convert is None:
            raise ValueError(f"expected {expected}, not a {type(value).__name__}")
        return convert(value)

    return Accept(take, expected)


# Here and not beside its class, which the JSON form needs.
register_acceptor(PureFunction, accept_instances(PureFunction, to_function, "a function"))
