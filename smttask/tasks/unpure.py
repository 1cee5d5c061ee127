"""Tasks whose result is not determined by their inputs: known to others by that result."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from smttask.errors import ArgumentError, DigestError
from smttask.identity.canonical import canonical_bytes
from smttask.identity.digest import digest
from smttask.tasks.digests import Digested
from smttask.tasks.evaluation import RunOptions, Session
from smttask.tasks.memoized import Memoized
from smttask.tasks.memory import memory
from smttask.tasks.remembered import Remembered

if TYPE_CHECKING:
    from smttask.storage.manifest import Head

__all__ = ["Unpure"]

R = TypeVar("R", covariant=True)

_serial = itertools.count()


class _Kept:
    """A result and, once it was asked for, its digest."""

    def __init__(self, value: Any, code: str, heads: Mapping[str, Head]) -> None:
        self.value = value
        self.code = code
        self.heads = heads
        self.digest = ""


class Unpure(Memoized[R]):
    """A memoized task whose digest is that of its result, fixed for this object once it has run."""

    has_late_digest = True
    is_found_by_digest: ClassVar[bool] = False
    _kept: _Kept | None = None

    def __init__(self, *args: Any, reason: str | None = None, **kwargs: Any) -> None:
        if reason is not None:
            raise ArgumentError(
                f"Task {self._signature.name!r} takes no reason.",
                "found: an unpure task, which leaves no record",
                "give the reason to the recorded task that uses it",
            )
        super().__init__(*args, **kwargs)

    @Remembered
    def session_key(self) -> str:
        """A name of this object alone: equal ones may have run at other times, with other results."""
        return f"{self.full_key}.{next(_serial)}"

    @property
    def record_key(self) -> str:
        """Its key: tasks that are not the same may have the same result, and then the same digest."""
        return self.description_key

    @property
    def _memory_key(self) -> Hashable:
        return (self._identity, self.full_key)

    def recall(self, session: Session, options: RunOptions) -> tuple[bool, Any]:
        """Whether the result is at hand, and the result."""
        if options.recompute:
            if self._kept is None:
                return False, None
            raise ArgumentError(
                f"Task {self.name!r} ({self.description_key}) has run, and its digest is that of the result.",
                "found: recompute=True, which would give this object another result",
                f"construct it again: {self.name}(…).run(recompute=True)",
            )
        return self._find(session, session.expected_code(self))

    def _find(self, session: Session, code: str) -> tuple[bool, Any]:
        if self._kept is None:
            self._kept = memory.find(self._memory_key, code)[1]
        if self._kept is None:
            return False, None
        self.last_hit = "memory"
        session.codes[self.session_key] = self._kept.code
        session.restore_heads(self, self._kept.heads)
        return True, self._kept.value

    def compute(self, session: Session, options: RunOptions) -> Any:
        """The result, computed; those of the upstream tasks are in the session."""
        code = session.used_code(self)
        with memory.computing(self._memory_key):
            found, value = (False, None) if options.recompute else self._find(session, code)
            if not found:
                value = self._call(session)
                self._kept = _Kept(value, code, session.gather_heads(self))
                self.last_hit = "computed"
                memory.keep(self._memory_key, self._kept, code)
        session.codes[self.session_key] = code
        return value

    @property
    def has_run(self) -> bool:
        """Whether the result is in memory."""
        return self._kept is not None or super().has_run

    def clear(self) -> None:
        """Let equal tasks run anew; this object keeps the result that its digest names."""
        super().clear()

    def _unknown_digests(self, session: Session) -> list[Digested]:
        """Late digests that are needed to find or store results on the way to this one.

        It would do without, one run inside the other; this way a long chain needs no recursion.
        """
        if self._kept is not None:
            return []
        unknown: dict[str, Digested] = {}
        seen: set[str] = set()
        stack = list(self.upstream)
        while stack:
            current = stack.pop()
            if not current.has_late_digest or current.session_key in seen:
                continue
            seen.add(current.session_key)
            if current.is_found_by_digest:
                if current._found_digests is None:
                    unknown[current.session_key] = current
            elif getattr(current, "_kept", None) is None:
                stack.extend(current.upstream)
        return list(unknown.values())

    def _late_digests_from(self, session: Session) -> tuple[str, str]:
        """Digest of the result, twice; the task is run if it has not."""
        if self._kept is None:
            session.evaluate(self)
        assert self._kept is not None
        if not self._kept.digest:
            try:
                data = canonical_bytes(self._kept.value, full=True, root=self.path_root(), place="result")
            except DigestError as error:
                raise DigestError(
                    f"Task {self.name!r} ({self.description_key}) has a result that cannot be digested.",
                    "\n".join(part for part in (error.what, error.found) if part),
                    "return plain values, arrays, dataclasses or models; or use MemoizedTask, "
                    "if equal inputs give equal results",
                    place=error.place,
                    task=self.name,
                ) from error
            self._kept.digest = digest(data)
        return self._kept.digest, self._kept.digest
