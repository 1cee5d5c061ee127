"""The inputs of one task: converted, owned, frozen, and named by their bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from smttask.errors import DigestError, InputError, short_repr
from smttask.identity.canonical import LateDigestError, canonical_forms
from smttask.protocols import Runnable
from smttask.tasks.composition import find_tasks, with_values
from smttask.tasks.fitting import check_fit
from smttask.tasks.signature import Signature
from smttask.typing.ownership import fresh, owned

__all__ = ["InputAttribute", "NamedTask", "TaskInputs", "bind_inputs", "upstream_tasks"]


_WITHOUT_PATHS = frozenset({int, float, bool, str, bytes, complex, type(None)})


class InputAttribute:
    """An input as an attribute of its task: it is read as from `taskinputs`, and cannot be set."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.__doc__ = f"Input {name!r}."

    def __get__(self, task: Any, owner: type) -> Any:
        return self if task is None else fresh(task.raw_inputs[self.name])

    def __set__(self, task: Any, value: object) -> None:
        raise AttributeError(
            f"the inputs of a task are fixed: {self.name!r} cannot be set; construct another task"
        )


class TaskInputs(Mapping[str, Any]):
    """The inputs of a task by name, as attributes or items; they cannot be changed.

    A mutable value is handed out as a fresh copy, an array read-only.

    Examples
    --------
    >>> inputs = TaskInputs({"dt": 0.5, "bins": [1, 2]})
    >>> inputs.dt, inputs["bins"]
    (0.5, [1, 2])
    """

    __slots__ = ("_values",)
    _values: Mapping[str, Any]

    def __init__(self, values: Mapping[str, Any]) -> None:
        object.__setattr__(self, "_values", values)

    def __getattr__(self, name: str) -> Any:
        try:
            return fresh(self._values[name])
        except KeyError:
            raise AttributeError(f"no input {name!r}; the inputs are {', '.join(self._values)}") from None

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(
            f"the inputs of a task are fixed: {name!r} cannot be set; construct another task"
        )

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"the inputs of a task are fixed: {name!r} cannot be deleted")

    def __getitem__(self, name: str) -> Any:
        return fresh(self._values[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._values]

    def __repr__(self) -> str:
        return (
            f"TaskInputs({', '.join(f'{name}={short_repr(value)}' for name, value in self._values.items())})"
        )


def bind_inputs(
    signature: Signature, args: tuple[Any, ...], kwargs: dict[str, Any], get_root: Callable[[], Path | None]
) -> tuple[dict[str, Any], dict[str, bytes], dict[str, bytes], list[str]]:
    """Values of all inputs; canonical bytes of those not at their default; full canonical bytes of all.

    Last come the names of those that hold tasks whose digest is late; in their bytes
    these tasks stand by their keys.

    Parameters
    ----------
    get_root
        Gives the folder that paths count relative to; called only for values that may hold one.

    Raises
    ------
    ArgumentError
        If an argument is missing, unknown or given twice.
    InputError, DigestError
        If a value is not what its argument takes, or has no canonical bytes.
    """
    given = signature.bind(args, kwargs)
    values: dict[str, Any] = {}
    short: dict[str, bytes] = {}
    full: dict[str, bytes] = {}
    late: list[str] = []
    try:
        for name, parameter in signature.parameters.items():
            usual = parameter.forms
            if name in given or usual is None:
                one = given[name] if name in given else parameter.made()
                value = values[name] = owned(parameter.validate(one))
                root = None
                if type(value) not in _WITHOUT_PATHS:
                    check_fit(parameter.validate.annotation, value, name)
                    root = None if isinstance(value, Runnable) else get_root()
                try:
                    forms = canonical_forms(value, root=root, place=name)
                except LateDigestError:
                    late.append(name)
                    value = values[name] = with_values(value, lambda task: task.stand_in(), checked=False)
                    named = with_values(value, NamedTask.by_key, checked=False)
                    forms = canonical_forms(named, root=root, place=name)
                full[name] = forms.full
                if forms.short != (parameter.left_out(root) if usual is None else usual.short):
                    short[name] = forms.short
            else:
                values[name] = parameter.default
                full[name] = usual.full
    except (InputError, DigestError) as error:
        raise type(error)(
            f"Task {signature.name!r}: {error.what}",
            error.found,
            error.remedy,
            place=error.place or name,
            task=signature.name,
            argument=name,
        ) from error
    return values, short, full, late


class NamedTask(Runnable):
    """Stands for a task in canonical bytes, under names that are not its digests of now."""

    __slots__ = ("_digest", "_full_digest")

    def __init__(self, digest: str, full_digest: str = "") -> None:
        self._digest = digest
        self._full_digest = full_digest

    @classmethod
    def by_key(cls, task: Any) -> NamedTask:
        """Stand for `task` under its keys, which are known without a run."""
        return cls(task.description_key, task.full_key)

    @property
    def digest(self) -> str:
        """What stands in short bytes."""
        return self._digest

    @property
    def full_digest(self) -> str:
        """What stands in full bytes."""
        return self._full_digest


def upstream_tasks(values: Mapping[str, Any]) -> tuple[Runnable, ...]:
    """The tasks that stand in the inputs, each once."""
    found: dict[str, Runnable] = {}
    for value in values.values():
        for task in find_tasks(value):
            found.setdefault(task.session_key, task)
    return tuple(found.values())
