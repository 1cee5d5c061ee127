"""What a task is called: its digests, and the keys it has before any digest is known.

The digest of an unpure task is that of its result, and is late: known once the task has run.
What depends on one has a late digest too. Until then, and in descriptions always, such a
task goes by a key: the digest of its name and inputs, late tasks among them by their keys,
with the prefix ``u-``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from smttask.identity.canonical import canonical_bytes, canonical_forms, named_bytes
from smttask.identity.digest import digest
from smttask.identity.standing import Standing, merged, standing_defaults
from smttask.project import project_root
from smttask.protocols import Runnable
from smttask.tasks.composition import with_values
from smttask.tasks.evaluation import Session
from smttask.tasks.inputs import NamedTask, bind_inputs, upstream_tasks
from smttask.tasks.remembered import Remembered
from smttask.typing.files import InputDir, InputFile

if TYPE_CHECKING:
    from smttask.tasks.signature import Signature
    from smttask.tasks.task import Task

__all__ = ["LATE", "Digested"]

LATE = "u-"


class Digested(Runnable):
    """The inputs of a task and the names that follow from them.

    Attributes
    ----------
    full_name
        Module and qualified name, or the fixed name, under which results are found.
    description_key
        What the task is called in descriptions: its digest, unless that is late.
    """

    _signature: ClassVar[Signature]
    _identity: ClassVar[tuple[str, str]]
    full_name: ClassVar[str]
    __wrapped__: ClassVar[Callable[..., Any]]

    #: Whether a result is looked for by the digest, so that it must be known for every run.
    is_found_by_digest: ClassVar[bool] = True

    #: How often another function of the same name was made a task before, in this process.
    definition_number: ClassVar[int] = 0

    #: Files that are no inputs, but whose content the digest names, so that it must still be the same
    #: when the result is used; known once the digest is.
    named_files: tuple[InputFile | InputDir, ...] = ()

    description_key: str
    _values: dict[str, Any]
    _suffix: str = ""  # the part of digest and key that is not hashed
    # Where the digest is late: the inputs that make it so, and the short bytes of all, keys for digests.
    _late_inputs: tuple[str, ...] = ()
    _short_bytes: Mapping[str, bytes] = {}
    _found_digests: tuple[str, str] | None = None

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._values, short, self._full_bytes, late = self._bound(args, kwargs)
        self._defaulted = tuple(name for name in self._full_bytes if name not in short)
        self._with_fields = tuple(name for name, data in short.items() if data is not self._full_bytes[name])
        if late:
            self.has_late_digest = True
            self._late_inputs, self._short_bytes = tuple(late), short
        self.description_key = self._named(short)
        if self.has_late_digest or self._with_fields:  # only then it may hold tasks
            _ = self.session_key  # now, when those of the inputs are known: later a long chain would recurse

    def _bound(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, bytes], dict[str, bytes], list[str]]:
        return bind_inputs(self._signature, args, kwargs, self.path_root)

    def _named(self, parts: Mapping[str, bytes]) -> str:
        """Digest, or key, of the task with these canonical bytes of inputs."""
        name = digest(named_bytes(self.full_name, parts)) + self._suffix
        return LATE + name if self.has_late_digest else name

    def key_with(self, inputs: Mapping[str, Any], **options: Any) -> str:
        """The description key the task would have if exactly these inputs were not at their default.

        Parameters
        ----------
        inputs
            Values by name; those that do not enter the digest may be among them.
        **options
            For `canonical_bytes`.
        """
        root = self.path_root()
        hashed = {name: value for name, value in inputs.items() if name in self._full_bytes}
        return self._named(
            {name: canonical_bytes(value, root=root, **options) for name, value in hashed.items()}
        )

    @property
    def digest(self) -> str:
        """20 hex digits that name this computation; inputs at their default left out.

        The one of an unpure task is that of its result: the task is run when it is first asked for.
        """
        return self._late_digests[0] if self.has_late_digest else self.description_key

    @Remembered
    def full_digest(self) -> str:
        """20 hex digits that name this computation with every input, defaults included."""
        if self.has_late_digest:
            return self._late_digests[1]
        nothing_left_out = not self._defaulted and not self._with_fields
        return self.description_key if nothing_left_out else self._named(self._full_bytes)

    @Remembered
    def full_key(self) -> str:
        """What the full digest is, with keys for late digests."""
        return self._named(self._full_bytes) if self.has_late_digest else self.full_digest

    @Remembered
    def session_key(self) -> str:
        """What the result is found by during one outermost `run()`; known without any run.

        Equal tasks that are not the same object share it, unless they depend on different
        objects of an unpure task, which may hold different results, or on tasks that were
        defined anew in between, as in a notebook.
        """
        upstream = self.upstream if self._with_fields else ()
        parts = [task.session_key for task in upstream if task.session_key != task.full_key]
        if self.definition_number:
            parts.append(str(self.definition_number))
        if not parts:
            return self.full_key
        return f"{self.full_key}.{digest(' '.join(parts).encode())}"

    @property
    def record_key(self) -> str:
        """What records and manifests call the task as an input of another: its digest, if it has its own."""
        return self.digest

    def unpure_to_run(self) -> Task[Any] | None:
        """An unpure task that must be run before the digest is known; None if no run is needed."""
        stack = [cast("Task[Any]", self)]
        seen: set[str] = set()
        while stack:
            current = stack.pop()
            if not current.has_late_digest or current._found_digests or current.session_key in seen:
                continue
            seen.add(current.session_key)
            if not type(current).has_late_digest:
                stack.extend(current.upstream)
            elif not current.has_run:
                return current
        return None

    @property
    def _late_digests(self) -> tuple[str, str]:
        """Digest and full digest, found by running the unpure tasks that they depend on."""
        if self._found_digests is None:
            _find_digests(self)
        return cast("tuple[str, str]", self._found_digests)

    def _unknown_digests(self, session: Session) -> list[Digested]:
        """The tasks among the inputs whose digests must be found before that of this one."""
        return [task for task in self.upstream if task.has_late_digest and task._found_digests is None]

    def _late_digests_from(self, session: Session) -> tuple[str, str]:
        """Digest and full digest; those of the tasks among the inputs are known."""
        short, full = dict(self._short_bytes), dict(self._full_bytes)
        root = self.path_root()
        for name in self._late_inputs:
            named = with_values(
                self._values[name], lambda task: NamedTask(task.digest, task.full_digest), checked=False
            )
            short[name], full[name] = canonical_forms(named, root=root, place=name)
        short_digest, full_digest = (
            digest(named_bytes(self.full_name, parts)) + self._suffix for parts in (short, full)
        )
        return short_digest, full_digest

    @property
    def defaulted(self) -> tuple[str, ...]:
        """Names of the inputs that stand at their default; those that do not enter the digest left out."""
        return self._defaulted

    @Remembered
    def own_standing_defaults(self) -> Standing:
        """What among the inputs stands at which default; upstream tasks have tables of their own."""
        root = self.path_root()
        own = {name: digest(self._full_bytes[name]) for name in self._defaulted}
        if not self._with_fields:
            return {self.full_name: own} if own else {}
        tables = [
            standing_defaults(with_values(self._values[name], NamedTask.by_key, checked=False), root=root)
            for name in self._with_fields
        ]
        return merged([{self.full_name: own} if own else {}, *tables])

    @Remembered
    def upstream(self) -> tuple[Task[Any], ...]:
        """The tasks among the inputs, each once."""
        return cast("tuple[Task[Any], ...]", upstream_tasks(self._values))

    @property
    def raw_inputs(self) -> Mapping[str, Any]:
        """The inputs themselves, not copies; they must not be changed."""
        return self._values

    @classmethod
    def path_root(cls) -> Path | None:
        """The project's root, which paths among the inputs are named relative to; None without a project."""
        return project_root(cls.__wrapped__.__module__)

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, Digested)
            and self._identity == other._identity
            and self.description_key == other.description_key
        )

    def __hash__(self) -> int:
        return hash(self.description_key)


def _find_digests(task: Digested) -> None:
    """Find the late digests of `task` and of what they depend on, lowest first; no recursion."""
    with Session.current() as session:
        stack = [task]
        while stack:
            current = stack[-1]
            if current._found_digests is None:
                if unknown := current._unknown_digests(session):
                    stack.extend(unknown)
                    continue
                current._found_digests = current._late_digests_from(session)
            stack.pop()
