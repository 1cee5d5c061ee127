"""The syntax form: what a piece of source says, whatever its layout.

Stored results are compared by digests of these bytes, so they must not change
between Python versions: `ast.dump` does (fields come and go), this writer does not.
Left out are positions, comments, docstrings and other statements without effect,
type comments, and every field that is empty. What stays is in the order of the source.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from types import CodeType
from typing import Any

from blake3 import blake3

__all__ = ["code_form", "short_digest", "syntax_form", "value_form"]

SKIPPED_FIELDS = frozenset({"ctx", "kind", "type_comment", "type_ignores"})
STATEMENT_FIELDS = frozenset({"body", "orelse", "finalbody"})
PART_DIGEST_LENGTH = 12

_fields_by_class: dict[type, tuple[str, ...]] = {}


def syntax_form(*nodes: ast.AST) -> bytes:
    """Write `nodes` as bytes that are the same under every Python from 3.11 on.

    Parameters
    ----------
    nodes
        Syntax trees as `ast.parse` makes them; they are not changed. Depth is no limit.

    Examples
    --------
    >>> import ast
    >>> one, two = ast.parse("f(1_0)  # ten"), ast.parse("f( 10 )")
    >>> syntax_form(one) == syntax_form(two)
    True
    """
    out: list[str] = []
    stack: list[Any] = [_item(node) for node in reversed(nodes)]
    while stack:
        item = stack.pop()
        if type(item) is str:
            out.append(item)
            continue
        if type(item) is list:
            out.append("[")
            stack.append("]")
            stack.extend([_item(element) for element in reversed(item)])
            continue
        kind = type(item)
        out.append("(" + kind.__name__)
        stack.append(")")
        fields = _fields_by_class.get(kind)
        for name in _fields(kind) if fields is None else fields:
            value = getattr(item, name, None)
            if value is None:
                continue
            if type(value) is list:
                if name in STATEMENT_FIELDS:
                    value = [statement for statement in value if _has_effect(statement)]
                elif name == "values" and kind is ast.JoinedStr:
                    value = _joined(value)
                if not value:
                    continue
                stack += (value, f" {name}=")
                continue
            if name == "format_spec" and not _joined(value.values):
                continue
            value = _item(value)
            if type(value) is str:
                stack.append(f" {name}={value}")
            else:
                stack += (value, f" {name}=")
    return "".join(out).encode("utf-8", "surrogatepass")


def value_form(value: object) -> str | None:
    """Write a plain immutable value, or None where `value` is something else.

    Plain are numbers, text, bytes, None, ``...``, booleans, and tuples and
    frozensets of these; not their subclasses. Equal forms mean the same type and value.

    Examples
    --------
    >>> value_form(1) == value_form(True), value_form([1])
    (False, None)
    """
    kind = type(value)
    match value:
        case str() if kind is str:
            return f"<s{len(value)}:{value}>"  # not repr: it depends on the Unicode tables
        case None | True | False:
            return f"<{value}>"
        case int() if kind is int:
            return f"<i{value:x}>"  # hexadecimal: decimal text of a huge integer is refused
        case float() if kind is float:
            return f"<f{value.hex()}>"
        case complex() if kind is complex:
            return f"<c{value.real.hex()},{value.imag.hex()}>"
        case bytes() if kind is bytes:
            return f"<b{value.hex()}>"
        case tuple() | frozenset() if kind is tuple or kind is frozenset:
            forms = [value_form(element) for element in value]
            if None in forms:
                return None
            known = [form for form in forms if form is not None]
            return f"<t{''.join(known)}>" if kind is tuple else f"<z{''.join(sorted(known))}>"
    return "<...>" if value is Ellipsis else None


def code_form(code: CodeType) -> bytes:
    """Write what a code object does, for code that has no source.

    It depends on the version of Python; names of files and line numbers are left out.
    """
    consts = [
        code_form(const).hex() if isinstance(const, CodeType) else value_form(const) or type(const).__name__
        for const in code.co_consts
    ]
    return repr(
        (
            code.co_code.hex(),
            consts,
            code.co_names,
            code.co_varnames,
            code.co_freevars,
            code.co_cellvars,
            code.co_argcount,
            code.co_posonlyargcount,
            code.co_kwonlyargcount,
            code.co_flags,
        )
    ).encode("utf-8", "surrogatepass")


def short_digest(contents: Iterable[bytes]) -> str:
    """Name one or several forms by 12 hex digits of blake3; their order is kept."""
    hasher = blake3()
    for content in contents:
        hasher.update(len(content).to_bytes(8, "little") + content)
    return str(hasher.hexdigest())[:PART_DIGEST_LENGTH]


def with_fields(node: ast.AST, changes: Mapping[str, object]) -> Any:
    """Make a copy of `node` in which some fields are other ones; the rest is shared."""
    copy = type(node)(**{name: getattr(node, name) for name in node._fields if hasattr(node, name)})
    for name, value in changes.items():
        setattr(copy, name, value)
    return copy


def _fields(kind: type) -> tuple[str, ...]:
    """Fields of a node class that are written, last first: the stack turns them round."""
    names = tuple(reversed([name for name in getattr(kind, "_fields", ()) if name not in SKIPPED_FIELDS]))
    _fields_by_class[kind] = names
    return names


def _item(value: object) -> object:
    """Prepare a field for the stack, where text means text already written."""
    kind = type(value)
    if kind is ast.Name:  # the shortest way for what is half of all nodes
        return f"(Name id=<s{len(value.id)}:{value.id}>)"  # type: ignore[attr-defined]
    if kind is ast.Constant:
        return value_form(value.value) or "?"  # type: ignore[attr-defined]
    if kind is list or isinstance(value, ast.AST):
        return value
    if kind is str:
        return f"<s{len(value)}:{value}>"  # type: ignore[arg-type]
    return "()" if value is None else value_form(value) or "?"  # None in a list is no constant None


def _has_effect(statement: ast.AST) -> bool:
    kind = type(statement)
    return kind is not ast.Pass and not (kind is ast.Expr and type(statement.value) is ast.Constant)  # type: ignore[attr-defined]


def _joined(values: list[ast.expr]) -> list[ast.expr]:
    """Pieces of an f-string with neighbouring text as one piece: versions cut it differently."""
    pieces: list[ast.expr] = []
    for value in values:
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            if not value.value:
                continue
            if pieces and isinstance(pieces[-1], ast.Constant):
                pieces[-1] = ast.Constant(f"{pieces[-1].value!s}{value.value}")
                continue
        pieces.append(value)
    return pieces
