"""Tasks whose results stay in memory, or are not kept at all."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, ClassVar, TypeVar

from smttask.tasks.evaluation import ReadOnce, RunOptions, Session
from smttask.tasks.explanation import Explanation
from smttask.tasks.memory import memory
from smttask.tasks.task import Task
from smttask.typing.schema import is_stream

__all__ = ["Memoized", "NonMemoized"]

R = TypeVar("R", covariant=True)


class Memoized(Task[R]):
    """A task whose result is kept in memory and shared by equal tasks of this process."""

    lives_in_session: ClassVar[bool] = False

    def recall(self, session: Session, options: RunOptions) -> tuple[bool, Any]:
        """Whether the result is at hand, and the result."""
        if options.recompute:
            return False, None
        return self._find(session, session.expected_code(self))

    def _find(self, session: Session, code: str) -> tuple[bool, Any]:
        found, kept = memory.find(self._memory_key, code)
        if not found:
            return False, None
        value, heads = kept
        self.last_hit = "memory"
        session.codes[self.session_key] = code
        session.restore_heads(self, heads)
        return True, value

    @property
    def _memory_key(self) -> Hashable:
        return (self._identity, self.full_digest)

    def compute(self, session: Session, options: RunOptions) -> Any:
        """The result, computed; those of the upstream tasks are in the session."""
        code = session.used_code(self)
        with memory.computing(self._memory_key):
            found, value = (False, None) if options.recompute else self._find(session, code)
            if not found:
                value = self._call(session)
                self.last_hit = "computed"
                memory.keep(self._memory_key, (value, session.gather_heads(self)), code)
        session.codes[self.session_key] = code
        return value

    @property
    def has_run(self) -> bool:
        """Whether the result is in memory."""
        with Session.current() as session:
            return memory.find(self._memory_key, session.expected_code(self))[0]

    def _explained(self, session: Session, options: RunOptions, name: str) -> Explanation:
        hit = self.has_run
        reason = "in memory" if hit else "not in the memory of this process"
        return Explanation(self.name, name, hit, reason, where="memory" if hit else "")

    def clear(self) -> None:
        """Drop the result from memory."""
        memory.forget(self._memory_key)


class NonMemoized(Task[R]):
    """A task whose result is not kept: computed once for each outermost `run()`."""

    lives_in_session: ClassVar[bool] = True
    may_yield: ClassVar[bool] = True
    is_found_by_digest: ClassVar[bool] = False

    def recall(self, session: Session, options: RunOptions) -> tuple[bool, Any]:
        """Whether the result is at hand, and the result."""
        return False, None

    def compute(self, session: Session, options: RunOptions) -> Any:
        """The result, computed; those of the upstream tasks are in the session."""
        value = self._call(session)
        self.last_hit = "computed"
        session.codes[self.session_key] = session.used_code(self)
        session.gather_heads(self)
        return ReadOnce(value, lambda: self._call_again(session)) if is_stream(value) else value

    def _call_again(self, session: Session) -> Any:
        with session.having(self.upstream):
            return self._call(session)

    def _searched(self) -> str:
        return "nothing; results of this kind of task are not kept"

    @property
    def has_run(self) -> bool:
        """False: nothing is kept."""
        return False

    def _explained(self, session: Session, options: RunOptions, name: str) -> Explanation:
        return Explanation(self.name, name, False, "results of this kind of task are not kept")

    def clear(self) -> None:
        """Nothing: no result is kept."""
