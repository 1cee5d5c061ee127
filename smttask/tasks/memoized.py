"""Tasks whose results stay in memory, and the bounded memory they stay in."""

from __future__ import annotations

import os
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, ClassVar, TypeVar, cast

import numpy as np

from smttask.settings import config
from smttask.tasks.evaluation import ReadOnce, RunOptions, Session
from smttask.tasks.explanation import Explanation
from smttask.tasks.task import Task
from smttask.typing.schema import is_stream

__all__ = ["Memoized", "Memory", "NonMemoized", "memory"]

R = TypeVar("R", covariant=True)


class _Turn:
    """The threads that want one result."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.n_threads = 0


class Memory:
    """Results by name, at most ``config.memo_max_bytes`` together; the least recently used go first.

    Each is kept with the name of the code that made it and found by the same code only.
    """

    def __init__(self) -> None:
        self._entries: OrderedDict[Hashable, tuple[Any, str, int]] = OrderedDict()
        self._n_bytes = 0
        self._lock = threading.RLock()
        self._turns: dict[Hashable, _Turn] = {}

    def find(self, key: Hashable, code: str) -> tuple[bool, Any]:
        """Whether a result that `code` made is kept under `key`, and the result."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None or entry[1] != code:
                return False, None
            self._entries.move_to_end(key)
            return True, entry[0]

    def keep(self, key: Hashable, value: Any, code: str) -> None:
        """Keep `value`, made by `code`, in place of what was kept; one larger than the memory is not kept."""
        n_bytes = size_of(value)
        limit = config.memo_max_bytes
        with self._lock:
            self.forget(key)
            if n_bytes > limit:
                return
            self._entries[key] = value, code, n_bytes
            self._n_bytes += n_bytes
            while self._n_bytes > limit:
                _, (*_, freed) = self._entries.popitem(last=False)
                self._n_bytes -= freed

    def forget(self, key: Hashable) -> None:
        """Drop the result under `key`, if there is one."""
        with self._lock:
            if entry := self._entries.pop(key, None):
                self._n_bytes -= entry[2]

    def clear(self, is_meant: Callable[[Any], bool] | None = None) -> None:
        """Drop all results, or those of tasks whose identity, which begins their keys, `is_meant`."""
        with self._lock:
            for key in list(self._entries):
                if is_meant is None or is_meant(cast("tuple[Any, ...]", key)[0]):
                    self.forget(key)

    @contextmanager
    def computing(self, key: Hashable) -> Iterator[None]:
        """Let one thread at a time compute the result of `key`."""
        with self._lock:
            turn = self._turns.setdefault(key, _Turn())
            turn.n_threads += 1
        try:
            with turn.lock:
                yield
        finally:
            with self._lock:
                turn.n_threads -= 1
                if not turn.n_threads:
                    self._turns.pop(key, None)


def size_of(value: Any) -> int:
    """About how many bytes `value` takes; shared parts count once, classes and modules not."""
    seen: set[int] = set()
    total = 0
    stack = [value]
    while stack:
        item = stack.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        total += item.nbytes if isinstance(item, np.ndarray) else sys.getsizeof(item, 64)
        if isinstance(item, dict):
            stack.extend(item.keys())
            stack.extend(item.values())
        elif isinstance(item, list | tuple | set | frozenset):
            stack.extend(item)
        elif hasattr(item, "__dict__") and not isinstance(item, type | ModuleType):
            stack.extend(vars(item).values())
    return total


memory = Memory()


def _forget_turns() -> None:
    """In a forked child: threads that held a lock are gone, the results are still there."""
    memory._lock = threading.RLock()
    memory._turns = {}


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_turns)


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
