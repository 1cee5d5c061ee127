"""The bounded memory that results of tasks stay in."""

from __future__ import annotations

import os
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, cast

import numpy as np

from smttask.settings import config

__all__ = ["Memory", "memory", "size_of"]


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
