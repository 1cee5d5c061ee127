"""One argument of a task, and what stands in its place when it is not given."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from smttask.identity.canonical import CanonicalForms, canonical_forms
from smttask.identity.defaults import PLAIN_FACTORIES
from smttask.tasks.composition import iter_leaves
from smttask.typing.ownership import owned
from smttask.typing.validation import Validator

__all__ = ["Default", "Parameter", "class_defaults"]


@dataclasses.dataclass(frozen=True, slots=True)
class Default:
    """What is declared for an argument that is not given.

    Parameters
    ----------
    declared
        The value; or, with `is_factory`, what makes one for each task.
    """

    declared: Any
    is_factory: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Parameter:
    """One argument of a task.

    Parameters
    ----------
    default
        The value that stands for it; None where it is `required` or made for each task.
    forms
        Canonical forms of `default`; None likewise.
    make
        Gives the default where it is made for each task: what a factory gives, or a value
        with paths, which are taken from the current directory.
    is_left_out
        Whether a value equal to the default does not enter the digest.
    """

    name: str
    validate: Validator
    positional: bool
    by_name: bool
    default: Any = None
    forms: CanonicalForms | None = None
    make: Callable[[], Any] | None = None
    is_left_out: bool = True

    @classmethod
    def of(
        cls, name: str, validate: Validator, default: Default | None, *, positional: bool, by_name: bool
    ) -> Parameter:
        """The argument `name` with this default; None if it is required.

        Raises
        ------
        InputError, DigestError
            If the argument does not take the default.
        """
        if default is None:
            return cls(name, validate, positional, by_name)
        if default.is_factory:
            return cls(name, validate, positional, by_name, make=default.declared, is_left_out=False)
        value = owned(validate(default.declared))
        forms = canonical_forms(value, place=name)
        if any(isinstance(leaf, Path) for leaf in iter_leaves(value)):
            return cls(name, validate, positional, by_name, make=lambda: default.declared)
        return cls(name, validate, positional, by_name, value, forms)

    @property
    def required(self) -> bool:
        """Whether it has no default."""
        return self.forms is None and self.make is None

    def made(self) -> Any:
        """The default of one task, where each has its own."""
        if self.make is None:
            raise LookupError(f"{self.name} has no default that is made")
        return self.make()

    def left_out(self, root: Path | None) -> bytes | None:
        """Canonical bytes with which it does not enter the digest; None if it always does.

        Parameters
        ----------
        root
            Folder of the project, for paths.
        """
        if self.forms is not None:
            return self.forms.short
        if self.make is None or not self.is_left_out:
            return None
        return canonical_forms(owned(self.validate(self.make())), root=root).short


def class_defaults(cls: Any, names: Iterable[str]) -> dict[str, Default]:
    """Defaults of `names` in an ``Inputs`` class: a plain class, a dataclass or a pydantic model."""
    if fields := getattr(cls, "model_fields", None):
        return {
            name: _of_field(field.default, field.default_factory)
            for name, field in fields.items()
            if not field.is_required()
        }
    if dataclasses.is_dataclass(cls):
        return {
            field.name: _of_field(
                field.default, None if field.default_factory is dataclasses.MISSING else field.default_factory
            )
            for field in dataclasses.fields(cls)
            if not field.default is field.default_factory is dataclasses.MISSING
        }
    return {name: Default(getattr(cls, name)) for name in names if hasattr(cls, name)}


def _of_field(default: Any, factory: Any) -> Default:
    if factory is None:
        return Default(default)
    return Default(factory()) if factory in PLAIN_FACTORIES else Default(factory, is_factory=True)
