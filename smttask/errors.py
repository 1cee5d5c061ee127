"""Every exception of smttask.

::

    SmttaskError
    ├── SignatureError (TypeError)        a function that cannot become a task
    ├── DefinitionError (ValueError)      tasks of a folder that contradict each other
    ├── ArgumentError (TypeError)         missing, unknown or reserved arguments
    ├── InputError (ValueError)           a value that an argument does not take
    ├── OutputError (ValueError)          a returned value that does not fit
    ├── DigestError (TypeError)           a value that has no canonical bytes
    ├── ResultNotFoundError (LookupError) nothing stored for this task
    ├── DamagedResultError                stored, but not as it was written
    ├── StorageError (OSError)            a result that cannot be written or read
    ├── LockError                         a lock that is held or cannot be had
    ├── CodeChangedError                  other code than the result was made by
    ├── PackageChangedError               other packages than the result was made with
    ├── UncommittedChangesError           the working copy does not match a commit
    ├── StaleModuleError                  a loaded module whose file was edited
    ├── RepositoryError                   no git, no commit, no working copy
    ├── ProjectError                      no project, or one that cannot be used
    ├── RecordStoreError                  a record store that cannot be used
    ├── RecordNotFoundError (LookupError) no such record
    ├── FilterError (AttributeError)      a filter of records that does not exist
    ├── DescriptionError (ValueError)     a description that cannot be read or saved
    ├── SettingError (AttributeError, ValueError)  a setting that does not exist or fit
    ├── NotRecordableError                a task of `__main__` asked to be recorded
    ├── RegistrationError (ValueError)    a registered type that does not come back the same
    ├── MissingExtraError (ImportError)   an optional library that is not installed
    ├── TaskfileError                     a taskfile that is missing or makes no Tasker
    └── WorkerError                       a task that failed or died in a worker

    SmttaskWarning (UserWarning)
    ├── CodeChangedWarning                a result made by other code is loaded
    ├── PackageChangedWarning             a result made with other packages is loaded
    ├── DamagedResultWarning              a damaged result was set aside
    ├── DefaultsChangedWarning            a description was made under other defaults
    ├── NotRecordedWarning                a run that leaves no record
    ├── RecordStoreWarning                a result is stored but could not be recorded
    ├── UnknownOutputWarning              an output is asked for that no result has
    ├── UnknownParameterWarning           records are looked for by an input that none has
    └── UnknownTaskWarning                records are looked for by a task that none is of

A message has three parts: what failed, by name and digest; what was found and
what was expected; what to do next. The first line alone makes sense in a log.
"""

from __future__ import annotations

import sys
import warnings
from dataclasses import fields, is_dataclass
from reprlib import Repr
from typing import Any

__all__ = [
    "ArgumentError",
    "CodeChangedError",
    "CodeChangedWarning",
    "DamagedResultError",
    "DamagedResultWarning",
    "DefaultsChangedWarning",
    "DefinitionError",
    "DescriptionError",
    "DigestError",
    "FilterError",
    "InputError",
    "LockError",
    "MissingExtraError",
    "NotRecordableError",
    "NotRecordedWarning",
    "OutputError",
    "PackageChangedError",
    "PackageChangedWarning",
    "ProjectError",
    "RecordNotFoundError",
    "RecordStoreError",
    "RecordStoreWarning",
    "RegistrationError",
    "RepositoryError",
    "ResultNotFoundError",
    "SettingError",
    "SignatureError",
    "SmttaskError",
    "SmttaskWarning",
    "StaleModuleError",
    "StorageError",
    "TaskfileError",
    "UncommittedChangesError",
    "UnknownOutputWarning",
    "UnknownParameterWarning",
    "UnknownTaskWarning",
    "WorkerError",
    "error_text",
    "short_repr",
    "warn",
]

REPR_LENGTH = 200
PACKAGE = __name__.partition(".")[0]
PASSED_ON = {PACKAGE, "IPython", "ipykernel", "decorator"}  # what stands between a display and its cell


class _Cutting(Repr):
    """Looks only at the beginning of large and deeply nested values, so that their repr costs little."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 4
        self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = self.maxdict = 20
        self.maxstring = self.maxother = self.maxlong = 10 * REPR_LENGTH

    def repr_instance(self, x: Any, level: int) -> str:
        if not is_dataclass(x) or type(x).__repr__ is object.__repr__:
            return super().repr_instance(x, level)
        if level <= 0:
            return f"{type(x).__qualname__}(...)"
        shown = (
            f"{field.name}={self.repr1(getattr(x, field.name, '<unset>'), level - 1)}"
            for field in fields(x)
            if field.repr
        )
        return f"{type(x).__qualname__}({', '.join(shown)})"


_cutting = _Cutting()


def short_repr(value: object, *, length: int = REPR_LENGTH) -> str:
    """Show `value` in an error message, cut to `length` characters; never raises.

    Examples
    --------
    >>> short_repr("x" * 300, length=10)
    "'xxxxxx..."
    """
    try:
        text = repr(value[: length + 1]) if isinstance(value, str | bytes) else _cutting.repr(value)
    except Exception as error:  # noqa: BLE001 - a broken __repr__ must not hide the message it is part of
        text = f"<{type(value).__name__} whose repr raises {type(error).__name__}>"
    return text if len(text) <= length else text[: length - 3] + "..."


def error_text(error: BaseException) -> str:
    """What `error` says, also if its own code fails to; never raises.

    Examples
    --------
    >>> error_text(KeyError("x"))
    "'x'"
    """
    try:
        return str(error)
    except Exception as failure:  # noqa: BLE001 - any code of the error's class may run
        return f"(its message cannot be made: {type(failure).__name__})"


class SmttaskError(Exception):
    """What smttask raises; catch it to catch them all.

    Parameters
    ----------
    what
        What failed, by name and digest: one line that stands alone in a log.
    found
        What was found and what was expected; may have several lines.
    remedy
        What to do next; may have several lines.
    **facts
        What a caller may want to look at; each becomes an attribute.

    Examples
    --------
    >>> print(SmttaskError("No cake.", "found: crumbs", "bake one"))
    No cake.
      found: crumbs
      bake one
    """

    def __init__(self, what: str, found: str = "", remedy: str = "", **facts: Any) -> None:
        super().__init__(what, found, remedy)
        self.what = what
        self.found = found
        self.remedy = remedy
        self.__dict__.update(facts)

    def __str__(self) -> str:
        details = [line for part in (self.found, self.remedy) for line in part.splitlines()]
        return "\n  ".join([self.what, *details])


class SignatureError(SmttaskError, TypeError):
    """A function or class cannot become a task: annotation missing, name reserved."""


class DefinitionError(SmttaskError, ValueError):
    """Tasks of a folder contradict each other: a name or an output of two, a circle."""


class ArgumentError(SmttaskError, TypeError):
    """An argument is missing, unknown, given twice or reserved."""


class InputError(SmttaskError, ValueError):
    """A value is not what the argument takes.

    `place` names where in the data it stands, such as ``"x[3].sigma"``.
    """

    place: str = ""


class OutputError(SmttaskError, ValueError):
    """A returned value does not fit; `saved` is the file that keeps it, if any."""

    saved: str | None = None


class DigestError(SmttaskError, TypeError):
    """A value has no canonical bytes, so it cannot be an input."""

    place: str = ""


class ResultNotFoundError(SmttaskError, LookupError):
    """Nothing is stored for this task; only `run()` computes."""


class DamagedResultError(SmttaskError):
    """A stored result is not as it was written; it is never returned."""


class StorageError(SmttaskError, OSError):
    """A result cannot be written or read: permission, full disk, strange format."""


class LockError(SmttaskError):
    """A lock is held by somebody else, or a task waits for itself."""


class CodeChangedError(SmttaskError):
    """The stored result was made by other code and the policy is ``"error"``."""


class PackageChangedError(SmttaskError):
    """The stored result was made with other versions of packages and the policy is ``"error"``."""


class UncommittedChangesError(SmttaskError):
    """The working copy differs from its commit; `files` lists where."""

    files: tuple[str, ...] = ()


class StaleModuleError(SmttaskError):
    """A loaded module's file was edited since; `files` lists which."""

    files: tuple[str, ...] = ()


class RepositoryError(SmttaskError):
    """There is no git, no working copy or no commit yet."""


class ProjectError(SmttaskError):
    """There is no project, or its files cannot be used."""


class RecordStoreError(SmttaskError):
    """The record store is locked, read-only, damaged or of another schema."""


class RecordNotFoundError(SmttaskError, LookupError):
    """No record has this label or position."""


class FilterError(SmttaskError, AttributeError):
    """There is no filter of records with this name."""


class DescriptionError(SmttaskError, ValueError):
    """A task description is damaged, foreign or hostile, or cannot be made."""


class SettingError(SmttaskError, AttributeError, ValueError):
    """A setting does not exist or does not take this value."""


class NotRecordableError(SmttaskError):
    """A task of `__main__` or of a function body was asked to be recorded or saved."""


class RegistrationError(SmttaskError, ValueError):
    """A type cannot be registered, or its values do not come back the same."""


class MissingExtraError(SmttaskError, ImportError):
    """An optional library is needed and not installed."""


class TaskfileError(SmttaskError):
    """There is no taskfile for a folder, or what stands there makes no Tasker."""


class WorkerError(SmttaskError):
    """A task failed or died in a worker process."""


def warn(message: str, category: type[Warning]) -> None:
    """Warn of `message` at the line of the user's code that called into smttask, or had a notebook do it."""
    frame = sys._getframe(1)
    level = 2
    while (
        frame.f_back is not None and str(frame.f_globals.get("__name__", "")).partition(".")[0] in PASSED_ON
    ):
        frame = frame.f_back
        level += 1
    warnings.warn(message, category, stacklevel=level)


class SmttaskWarning(UserWarning):
    """What smttask warns of; filter it to filter them all."""


class CodeChangedWarning(SmttaskWarning):
    """A stored result is loaded that other code made; said once per task and change."""


class PackageChangedWarning(SmttaskWarning):
    """A stored result is loaded that was made with other packages; said once per task and change."""


class DamagedResultWarning(SmttaskWarning):
    """A stored result was not as it was written; it was set aside and is computed anew."""


class DefaultsChangedWarning(SmttaskWarning):
    """A description was made under other defaults; its values hold, its digest is another."""


class NotRecordedWarning(SmttaskWarning):
    """A task of `__main__` or of a notebook runs without storing or recording anything."""


class RecordStoreWarning(SmttaskWarning):
    """A result is stored but its run could not be recorded."""


class UnknownOutputWarning(SmttaskWarning):
    """An output is asked for that no result of the view has; its name may be misspelt."""


class UnknownParameterWarning(SmttaskWarning):
    """No record is found, and none has an input of the name that was asked for; it may be misspelt."""


class UnknownTaskWarning(SmttaskWarning):
    """No record is found, and none is of a task of this name, but of one with a similar name."""
