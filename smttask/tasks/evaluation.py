"""The order in which a task and the tasks among its inputs are run.

One outermost `run()` is one session. Upstream tasks come before those that need
them, without recursion, so that a chain of any length works; a task that several
others need is computed once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from threading import get_ident
from typing import TYPE_CHECKING, Any, TypeVar

from smttask.identity.standing import Standing, merged
from smttask.tasks.watching import combined_code
from smttask.typing.ownership import fresh

if TYPE_CHECKING:
    from smttask.storage.manifest import Head
    from smttask.tasks.task import Task

__all__ = ["ReadOnce", "RunOptions", "Session", "computing_told_to"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What `run()` was asked for; holds for that task alone, not for its upstream tasks.

    `asked` says that the caller insists on a record, `source` is the description file it came from.
    """

    cache: bool | None = None
    recompute: bool = False
    reason: str | None = None
    mmap: bool = False
    asked: bool = False
    source: str = ""


DEFAULT_OPTIONS = RunOptions()


class ReadOnce:
    """A result that can be read only once: each who asks gets one of its own.

    Parameters
    ----------
    first
        For the one who asks first.
    make
        Gives another one.
    """

    def __init__(self, first: Any, make: Callable[[], Any]) -> None:
        self._first: Any = first
        self._make = make

    def next_one(self) -> Any:
        """One that nobody else has."""
        given, self._first = self._first, None
        return self._make() if given is None else given


class Session:
    """Results at hand during one outermost `run()`, by session key."""

    def __init__(self) -> None:
        self.thread = get_ident()
        self._values: dict[str, Any] = {}
        self._consumers: dict[str, int] = {}
        self._expected: dict[str, str] = {}
        self._standing: dict[str, Standing] = {}
        #: Combined code of the results used, which under some policies is not that of today.
        self.codes: dict[str, str] = {}
        #: Manifests of the stored results used.
        self.heads: dict[str, Head] = {}
        self._behind: dict[str, Mapping[str, Head]] = {}
        #: For an iterative task that is computed: the result that it continues from.
        self.earlier: dict[str, Any] = {}

    @staticmethod
    @contextmanager
    def current() -> Iterator[Session]:
        """The session of this thread; the outermost call begins and ends it."""
        session = _session.get()
        if session is not None and session.thread == get_ident():
            yield session
            return
        token = _session.set(session := Session())
        try:
            yield session
        finally:
            _session.reset(token)

    def evaluate(self, task: Task[Any], options: RunOptions = DEFAULT_OPTIONS) -> Any:
        """The result of `task`: found, else computed after all that it depends on."""
        expanded: dict[str, tuple[Task[Any], ...]] = {}
        told = _computing_told.get()
        stack = [task]
        while stack:
            current = stack[-1]
            key = current.session_key
            mine = options if current is task else DEFAULT_OPTIONS
            if key in self._values and not mine.recompute:
                stack.pop()
                continue
            if key not in expanded:
                found, value = current.recall(self, mine)
                if found:
                    self._values[key] = value
                    stack.pop()
                    continue
                needed = expanded[key] = current.needed(self, mine)
                self._hold(needed)
                missing = [upstream for upstream in needed if upstream.session_key not in self._values]
                if missing:
                    stack.extend(reversed(missing))
                    continue
            if told is not None:
                told(current, task, self, mine)
            self._values[key] = current.compute(self, mine)
            stack.pop()
            self._release(expanded[key])
        result = self.handed_out(task)
        if not self._consumers.get(task.session_key):
            self._forget(task)
        return result

    def find(self, task: Task[Any]) -> tuple[bool, Any]:
        """Whether the result of `task` is at hand or stored, and the result; nothing is computed."""
        found, value = task.recall(self, DEFAULT_OPTIONS)
        return (True, _handed_out(value)) if found else (False, None)

    @contextmanager
    def having(self, tasks: Sequence[Task[Any]]) -> Iterator[None]:
        """Let the results of `tasks`, found or computed, be at hand for the block."""
        self._hold(tasks)
        try:
            for task in tasks:
                self.evaluate(task)
            yield
        finally:
            self._release(tasks)

    def _hold(self, tasks: Sequence[Task[Any]]) -> None:
        for task in tasks:
            self._consumers[task.session_key] = self._consumers.get(task.session_key, 0) + 1

    def _release(self, tasks: Sequence[Task[Any]]) -> None:
        """Forget results that no task begun so far waits for, so that a long chain needs little memory."""
        for task in tasks:
            self._consumers[task.session_key] -= 1
            if not self._consumers[task.session_key]:
                self._forget(task)

    def _forget(self, task: Task[Any]) -> None:
        if not task.lives_in_session:
            self._values.pop(task.session_key, None)

    def handed_out(self, task: Task[Any]) -> Any:
        """The result at hand as whoever asked gets it: a copy that can spoil nothing."""
        return _handed_out(self._values[task.session_key])

    def expected_code(self, task: Task[Any]) -> str:
        """Name of the code of `task` and of all that it depends on, as loaded now."""
        return _gathered(task, self._expected, _named_code)

    def code_with(self, task: Task[Any], codes: Mapping[str, str]) -> str:
        """The same if tasks among those it depends on, given by session key, had these codes."""
        return _gathered(task, dict(codes), _named_code)

    def used_code(self, task: Task[Any]) -> str:
        """Name of the code of `task` and of what made the upstream results at hand, which may be older."""
        return combined_code(
            task.code_fingerprint.digest, [self.code_of(upstream) for upstream in task.upstream]
        )

    def code_of(self, task: Task[Any]) -> str:
        """Name of the code that made the result at hand, or of today's if that was not needed."""
        return self.codes.get(task.session_key) or self.expected_code(task)

    def gather_heads(self, task: Task[Any]) -> Mapping[str, Head]:
        """Manifests of the stored results that the result of `task`, which is not stored, was made of."""
        found = [behind for upstream in task.upstream if (behind := self.heads_behind(upstream))]
        self._behind[task.session_key] = (
            found[0] if len(found) == 1 else {key: head for heads in found for key, head in heads.items()}
        )
        return self._behind[task.session_key]

    def restore_heads(self, task: Task[Any], heads: Mapping[str, Head]) -> None:
        """Take over what `gather_heads` gave when the result of `task` was computed."""
        self._behind[task.session_key] = heads
        self.heads.update(heads)

    def heads_behind(self, task: Task[Any]) -> Mapping[str, Head]:
        """The manifest of the result of `task`, by session key; of those behind it, if it is not stored."""
        head = self.heads.get(task.session_key)
        return self._behind.get(task.session_key, {}) if head is None else {task.session_key: head}

    def standing_defaults(self, task: Task[Any]) -> Standing:
        """What stands at which default in `task` and in all that it depends on."""
        return _gathered(
            task,
            self._standing,
            lambda current, upstream: (
                merged([current.own_standing_defaults, *upstream])
                if upstream
                else current.own_standing_defaults
            ),
        )


def _handed_out(value: Any) -> Any:
    return value.next_one() if isinstance(value, ReadOnce) else fresh(value)


def _gathered(task: Task[Any], known: dict[str, T], make: Callable[[Task[Any], list[T]], T]) -> T:
    """What `make` gives for `task` and what it gave for its upstream tasks; no recursion."""
    if not task.upstream:
        key = task.session_key
        if key not in known:
            known[key] = make(task, [])
        return known[key]
    stack = [task]
    while stack:
        current = stack[-1]
        missing = [upstream for upstream in current.upstream if upstream.session_key not in known]
        if missing and current.session_key not in known:
            stack.extend(missing)
            continue
        stack.pop()
        if current.session_key not in known:
            known[current.session_key] = make(current, [known[u.session_key] for u in current.upstream])
    return known[task.session_key]


def _named_code(task: Task[Any], upstream: list[str]) -> str:
    return combined_code(task.code_fingerprint.digest, upstream)


#: Called with the task that is computed next, the one asked for, the session and the options.
Told = Callable[["Task[Any]", "Task[Any]", Session, RunOptions], object]

_session: ContextVar[Session | None] = ContextVar("smttask_session", default=None)
_computing_told: ContextVar[Told | None] = ContextVar("smttask_computing_told", default=None)


@contextmanager
def computing_told_to(tell: Told) -> Iterator[None]:
    """Call `tell` before each task that is computed in this thread during the block."""
    token = _computing_told.set(tell)
    try:
        yield
    finally:
        _computing_told.reset(token)
