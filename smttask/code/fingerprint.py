"""The name of the code that makes a result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

from blake3 import blake3

from smttask.code.reach import Reach
from smttask.code.scope import CodeScope
from smttask.code.source import Source
from smttask.code.watch import Watch

__all__ = ["CodeFingerprint", "changed_parts", "fingerprint"]

DIGEST_LENGTH = 40
MAX_REMEMBERED = 4096  # functions; re-run notebook cells leave old ones behind


@dataclass(frozen=True)
class CodeFingerprint:
    """What code a function is and reaches, part by part.

    Comments, docstrings, layout and the order of definitions leave it as it is.
    """

    digest: str
    """40 hex digits of blake3 over all of `parts`."""
    parts: Mapping[str, str]
    """12 hex digits for each ``"module:qualname"``, the function's own first."""
    unresolved: tuple[str, ...]
    """What could not be followed: ``"module:qualname: getattr(…)"``."""
    files: tuple[str, ...]
    """Source files of all modules concerned, as absolute paths."""
    held: tuple[tuple[str, CodeType, Source], ...] = field(default=(), compare=False, repr=False)
    """Each function with its code and the text it was found in."""

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "held": ()}  # code and texts mean something in this process only

    @property
    def outdated(self) -> dict[str, str]:
        """Functions held from before their module was reloaded -> the file that says otherwise now."""
        return {part: source.file for part, code, source in self.held if not source.still_holds(code)}


@dataclass(frozen=True, slots=True)
class _Known:
    function: object  # held, so that its id is not given to another
    scope: CodeScope
    watch: Watch
    fingerprint: CodeFingerprint


_known: dict[int, _Known] = {}


def fingerprint(function: Callable[..., Any] | type, scope: CodeScope) -> CodeFingerprint:
    """Name the code that runs when `function` is called, with all it reaches in the project.

    It describes what is loaded, not what stands in the files by now. Asked again, it
    only looks whether the live objects are still the same, so a function replaced or a
    module reloaded in the session is noticed, and changes inside a list or dict are not.
    Runs and imports nothing.

    Parameters
    ----------
    function
        A function or class; a task class stands for what it wraps (``__wrapped__``).
        Counts whether or not it lies in `scope`.
    scope
        Which modules are project code.

    Examples
    --------
    >>> from pathlib import Path
    >>> import textwrap
    >>> list(fingerprint(textwrap.dedent, CodeScope(Path("/my/project"))).parts)[0]
    'textwrap:dedent'
    """
    known = _known.get(id(function))
    if known is not None and known.watch.holds() and (known.scope is scope or known.scope == scope):
        return known.fingerprint
    reach = Reach(function, scope)
    parts = reach.parts
    text = "".join(f"{name}\0{part}\n" for name, part in sorted(parts.items()))
    made = CodeFingerprint(
        digest=str(blake3(text.encode("utf-8", "surrogatepass")).hexdigest())[:DIGEST_LENGTH],
        parts=parts,
        unresolved=tuple(sorted(reach.unresolved)),
        files=tuple(reach.files),
        held=tuple(reach.held),
    )
    if len(_known) >= MAX_REMEMBERED:
        _known.clear()  # at once: other threads may be here too
    _known[id(function)] = _Known(function, scope, reach.watch, made)
    return made


def changed_parts(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Tell in words how two sets of parts differ, the function's own part first.

    Parameters
    ----------
    old, new
        `CodeFingerprint.parts`, also when read back from a manifest.

    Examples
    --------
    >>> changed_parts({"a:f": "0", "a:g": "1"}, {"a:f": "2", "a:h": "3"})
    ['a:f changed', 'a:h added', 'a:g removed']
    """
    own = next(iter(new), None)
    changed = [f"{name} changed" for name in sorted(old.keys() & new.keys()) if old[name] != new[name]]
    changed.sort(key=lambda words: words != f"{own} changed")
    added = [f"{name} added" for name in sorted(new.keys() - old.keys())]
    return changed + added + [f"{name} removed" for name in sorted(old.keys() - new.keys())]
