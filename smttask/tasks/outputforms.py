"""How one output is kept: whole or one file per element, as a value, a pickle or a file of its own."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Any

from smttask.errors import OutputError, SignatureError, short_repr
from smttask.typing.outputs import OutputFileMark, PickledMark, SeparateOutputs

__all__ = ["OutputForm", "is_pickled", "output_form"]


@dataclass(frozen=True, slots=True)
class OutputForm:
    """How one output is kept.

    Parameters
    ----------
    name
        Of the output; empty for the only one of a task that does not name it.
    is_file
        Whether its value, or each element, is the path of a file that the task wrote.
    separate
        The mark of an output whose elements are stored one by one.
    is_pickled
        Whether its value, or each element, is stored as a pickle.
    """

    name: str
    is_file: bool = False
    separate: SeparateOutputs | None = None
    is_pickled: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether it is one value, stored as values are."""
        return not self.is_file and self.separate is None

    @property
    def prefix(self) -> str:
        """What the names of its elements begin with in the store."""
        return f"{self.name}." if self.name else ""

    def element_names(self, inputs: Mapping[str, Any], task_name: str) -> list[str]:
        """Names of the elements, asked of `get_names` with the inputs that it takes.

        Raises
        ------
        OutputError
            If they are no texts, or not all different.
        """
        if self.separate is None:
            return []
        wanted = inspect.signature(self.separate.get_names).parameters
        given = {name: inputs[name] for name in wanted if name in inputs}
        names: list[Any] = list(self.separate.get_names(**given))
        if not all(isinstance(name, str) and name for name in names) or len({*names}) < len(names):
            raise OutputError(
                f"Task {task_name!r}: the names for {self.label} cannot be used.",
                f"found: {short_repr(names)}\nexpected: a text for each element, all different",
                "correct the function that was given to separate_outputs",
            )
        return names

    def taken_apart(self, value: Any, names: Collection[str], task_name: str) -> dict[str, Any]:
        """What is stored for `value`, by name: one entry for each element, or the value itself.

        Raises
        ------
        OutputError
            If there are other elements than names.
        """
        if self.separate is None:
            return {self.name: value}
        if len(value) != len(names):
            raise OutputError(
                f"Task {task_name!r}: {self.label} has other elements than names.",
                f"found: {len(value)} elements\nexpected: {', '.join(names)}",
                "return one element for each name",
            )
        return {self.prefix + name: item for name, item in zip(names, value, strict=True)}

    def put_together(self, stored: dict[str, Any]) -> Any:
        """The value of which parts are in `stored`, and are taken out of it; KeyError if it is not there."""
        if self.separate is None:
            return stored.pop(self.name)
        return tuple([stored.pop(name) for name in [*stored] if name.startswith(self.prefix)])

    def parts(self, stored: Iterable[str]) -> list[str]:
        """Those of the names in `stored` that belong to this output."""
        return [name for name in stored if name == self.name or self.owns(name)]

    def owns(self, stored: str) -> bool:
        """Whether `stored` is the name of one of its elements."""
        return self.separate is not None and stored.startswith(self.prefix)

    @property
    def label(self) -> str:
        """What messages call it."""
        return f"output {self.name!r}" if self.name else "the returned value"


def is_pickled(forms: Iterable[OutputForm], stored: str) -> bool:
    """Whether one of `forms` says that the output stored under this name is a pickle.

    Examples
    --------
    >>> is_pickled([OutputForm("fit"), OutputForm("model", is_pickled=True)], "model")
    True
    """
    return any(form.is_pickled and (form.name == stored or form.owns(stored)) for form in forms)


def output_form(name: str, annotation: Any, arguments: Collection[str], task_name: str) -> OutputForm:
    """How the output `name` is kept, by its annotation.

    Parameters
    ----------
    arguments
        Names of the inputs of the task.

    Raises
    ------
    SignatureError
        If a mark stands where it cannot be followed, or names are asked of inputs that there are not.
    """
    separate = _mark(annotation, SeparateOutputs)
    if separate is not None:
        item = typing.get_args(typing.get_args(annotation)[0])[0]
        unknown = set(inspect.signature(separate.get_names).parameters) - set(arguments)
        if unknown:
            raise SignatureError(
                f"Task {task_name!r}: the names of separate outputs depend on {sorted(unknown)[0]!r}.",
                f"expected: arguments among the inputs {', '.join(arguments)}",
                "let the function given to separate_outputs take inputs of the task",
            )
    else:
        item = annotation
    is_file, is_pickled = _is_file(item), _mark(item, PickledMark) is not None
    for mark, known_as, is_own in (
        (OutputFileMark, "an OutputFile", is_file and not is_pickled),
        (PickledMark, "what is Pickled", is_pickled),
    ):
        if not is_own and _holds(item, mark):
            raise SignatureError(
                f"Task {task_name!r}: {known_as} must be an output of its own.",
                f"found: {annotation}",
                "make it a field of a TaskOutput, or the item type of separate_outputs; "
                "Pickled stands outside: Pickled[X | None]",
            )
    return OutputForm(name, is_file, separate, is_pickled)


def _mark(annotation: Any, kind: type) -> Any:
    """The mark of this kind in ``Annotated[…, mark]``, or None."""
    marks = getattr(annotation, "__metadata__", ()) if _origin(annotation) is typing.Annotated else ()
    return next((mark for mark in marks if isinstance(mark, kind)), None)


def _origin(annotation: Any) -> Any:
    return typing.get_origin(annotation)


def _is_file(annotation: Any) -> bool:
    """Whether it is `OutputFile`, or that or None."""
    if _mark(annotation, OutputFileMark):
        return True
    if _origin(annotation) not in (typing.Union, UnionType):
        return False
    options = [option for option in typing.get_args(annotation) if option is not type(None)]
    return len(options) == 1 and _is_file(options[0])


def _holds(annotation: Any, mark: type) -> bool:
    parts = typing.get_args(annotation)
    return bool(_mark(annotation, mark)) or any(_holds(part, mark) for part in parts)
