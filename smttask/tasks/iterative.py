"""Iterative tasks: the result after many iterations continues from one after fewer."""

from __future__ import annotations

import typing
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from smttask.errors import (
    CodeChangedWarning,
    DamagedResultError,
    InputError,
    OutputError,
    PackageChangedError,
    ResultNotFoundError,
    SignatureError,
    StorageError,
    short_repr,
    warn,
)
from smttask.project import Project
from smttask.protocols import Runnable
from smttask.runner import UnitFacts, find_stored, load_stored
from smttask.storage.datastore import DataStore
from smttask.storage.iterations import Iterations
from smttask.storage.layout import Key, iteration_suffix
from smttask.storage.manifest import Head
from smttask.tasks.evaluation import RunOptions, Session
from smttask.tasks.explanation import Explanation
from smttask.tasks.inputs import upstream_tasks
from smttask.tasks.kinds import can_fit
from smttask.tasks.memory import memory
from smttask.tasks.outputs import TaskOutput
from smttask.tasks.recorded import Recorded
from smttask.tasks.signature import Signature
from smttask.tasks.stored import StoredUnit, manifest_keys
from smttask.tasks.task import Task
from smttask.tasks.watching import combined_code
from smttask.typing.ownership import fresh
from smttask.typing.validation import annotation_name

__all__ = ["Iterative"]

R = TypeVar("R", covariant=True)

MOST_ITERATIONS = 2**63 - 1

# Full digest without suffix, code -> the iterations whose results were kept in memory.
_in_memory: dict[Hashable, set[int]] = {}


@dataclass(frozen=True, slots=True)
class _Earlier:
    """A result after fewer iterations: the inputs that continue it, and what made it."""

    n: int
    inputs: Mapping[str, Any]
    code: str
    head: Head | None = None


@dataclass(frozen=True, slots=True)
class _Search:
    """What was found to continue from, and `Iterations.stamp` as it was before."""

    earlier: _Earlier | None = None
    stamp: int = -1


_NO_SEARCH = _Search()


class Iterative(Recorded[R]):
    """A recorded task one of whose inputs counts iterations and is not hashed."""

    _n: int

    @classmethod
    def check_definition(cls, signature: Signature, options: Mapping[str, Any]) -> None:
        """Refuse an iteration parameter or a map that the function does not have."""
        _check_iteration(signature, options["iteration_parameter"], options["map"])

    def _bound(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, bytes], dict[str, bytes], list[str]]:
        values, short, full, late = super()._bound(args, kwargs)
        parameter = self._parameter
        n = values[parameter]
        if isinstance(n, Runnable) or not 0 <= n <= MOST_ITERATIONS:
            raise InputError(
                f"Task {self.name!r}: the iteration parameter {parameter!r} is no number of iterations.",
                f"found: {short_repr(n)}\nexpected: an integer from 0 to {MOST_ITERATIONS}, not a task",
                "give the number of iterations after which the result is wanted",
                place=parameter,
                task=self.name,
                argument=parameter,
            )
        self._n = n
        self._suffix = iteration_suffix(parameter, n)
        short.pop(parameter, None)
        full.pop(parameter)
        return values, short, full, late

    @property
    def _parameter(self) -> str:
        name: str = self._options["iteration_parameter"]
        return name

    @property
    def _inputs_by_output(self) -> Mapping[str, str]:
        by_output: Mapping[str, str] = self._options["map"]
        return by_output

    def stored_key(self) -> Key:
        """What the result is found by in the data store."""
        return self._key_at(self._n)

    def _key_at(self, n: int) -> Key:
        """What the result of the same inputs after `n` iterations is found by."""
        own = self._suffix
        return Key(
            self.folder,
            self.digest.removesuffix(own),
            iteration_suffix(self._parameter, n),
            self.full_digest.removesuffix(own),
        )

    # -- for evaluation

    def needed(self, session: Session, options: RunOptions) -> tuple[Task[Any], ...]:
        """The upstream tasks whose results are needed; those that an earlier result replaces are not."""
        session.earlier.pop(self.session_key, None)
        earlier = None if options.recompute else self._searched_earlier(session, options)
        if earlier is None:
            return self.upstream
        others = {name: value for name, value in self._values.items() if name not in earlier.inputs}
        return typing.cast("tuple[Task[Any], ...]", upstream_tasks(others))

    def compute(self, session: Session, options: RunOptions) -> Any:
        """The result, computed from the best earlier one; what that needs is in the session."""
        try:
            return super().compute(session, options)
        finally:
            session.earlier.pop(self.session_key, None)

    def _arrived(self, name: str, value: Any, session: Session) -> Any:
        search = self._last_search(session)
        if search.earlier is not None and name in search.earlier.inputs:
            return fresh(search.earlier.inputs[name])
        return super()._arrived(name, value, session)

    def _unit(self, session: Session, options: RunOptions) -> StoredUnit:
        return _IterativeUnit(self, session, options)

    def _explained(self, session: Session, options: RunOptions, name: str) -> Explanation:
        explanation = super()._explained(session, options, name)
        project = self._project(options)
        if explanation.hit or project is None:
            return explanation
        code = session.expected_code(self)
        store = project.data.only_looking()
        for n in store.iterations(self.stored_key(), self._parameter).below(self._n):
            unit = _EarlierUnit(self, session, options, project, n)
            head = store.find(unit.key, code, unit.is_same)
            policy = unit.code_policy or project.setting("on_code_change")
            if (
                head is not None
                and (head.code == code or policy != "recompute")
                and self._is_whole(head, store, unit, project)
            ):
                return replace(
                    explanation, reason=f"{explanation.reason}; continues from {self._parameter} = {n}"
                )
        return explanation

    def _is_whole(self, head: Head, store: DataStore, unit: StoredUnit, project: Project) -> bool:
        """Whether what continues the result can be loaded; nothing is moved if not."""
        verify = project.setting("verify")
        try:
            for name in self._inputs_by_output:
                for part in self.output_spec.parts(name, head.outputs):
                    pickled = unit.may_unpickle(part)
                    store.load_output(head, part, verify=verify, allow_pickle=pickled)
        except (DamagedResultError, ResultNotFoundError, StorageError, OutputError):
            return False
        return True

    # -- earlier results

    def _last_search(self, session: Session) -> _Search:
        search: _Search = session.earlier.get(self.session_key, _NO_SEARCH)
        return search

    def _searched_earlier(self, session: Session, options: RunOptions) -> _Earlier | None:
        """The result to continue from; looked for again if others were stored since the last look."""
        last = self._last_search(session)
        project = self._project(options)
        stamp = 0 if project is None else self._stored_in(project).stamp()
        if last.stamp != stamp:
            above = -1 if last.earlier is None else last.earlier.n
            found = self._find_earlier(session, options, above=above) or last.earlier
            session.earlier[self.session_key] = last = _Search(found, stamp)
        return last.earlier

    def _stored_in(self, project: Project) -> Iterations:
        return project.data.iterations(self.stored_key(), self._parameter)

    def _find_earlier(self, session: Session, options: RunOptions, *, above: int) -> _Earlier | None:
        """The result to continue from, after as many iterations as possible; damaged ones are passed over."""
        project = self._project(options)
        code = session.expected_code(self)
        if project is None:
            return self._earlier_in_memory(code)
        for n in self._stored_in(project).below(self._n):
            if n <= above:
                break
            unit = _EarlierUnit(self, session, options, project, n)
            try:
                head = find_stored(unit, project, code)
            except PackageChangedError:
                continue
            if head is not None and (outputs := self._load_outputs(unit, head, project)) is not None:
                return _Earlier(n, self._inputs_from(outputs, n), head.code, head)
        return None

    def _load_outputs(self, unit: StoredUnit, head: Head, project: Project) -> dict[str, Any] | None:
        """Those of the mapped outputs; None if they are damaged or do not fit the annotations of today."""
        spec = self.output_spec
        parts = {name: spec.parts(name, head.outputs) for name in self._inputs_by_output}
        names = [part for parts_of_one in parts.values() for part in parts_of_one]
        stored = load_stored(head, project, may_unpickle=unit.may_unpickle, names=names)
        if stored is None:
            return None
        try:
            return {name: spec.one(name, stored.outputs) for name in parts}
        except (OutputError, KeyError) as error:
            what = error if isinstance(error, OutputError) else f"{head.label} has no output {error}"
            warn(f"A stored result is not used: {what}", CodeChangedWarning)
            return None

    def _inputs_from(self, outputs: Mapping[str, Any], n: int) -> dict[str, Any]:
        """The inputs that continue a result."""
        inputs = {}
        for output, name in self._inputs_by_output.items():
            try:
                inputs[name] = self._signature.parameters[name].validate(outputs[output])
            except InputError as error:
                raise InputError(
                    f"Task {self.name!r} ({self.description_key}) cannot continue after "
                    f"{self._parameter} = {n}: input {name!r} does not take output {output!r}.",
                    "\n".join(part for part in (error.what, error.found) if part),
                    "correct the annotations or the map",
                    place=error.place,
                    task=self.name,
                    argument=name,
                ) from error
        return inputs

    # -- without a project

    def _compute_in_memory(self, session: Session, options: RunOptions, code: str) -> Any:
        value = super()._compute_in_memory(session, options, code)
        _in_memory.setdefault(self._memory_key_at(None), set()).add(self._n)
        return value

    def _memory_key_at(self, n: int | None) -> Hashable:
        """The key in memory of the result after `n` iterations; of all of them, if `n` is None."""
        base = self.full_digest.removesuffix(self._suffix)
        return self._identity, base if n is None else base + iteration_suffix(self._parameter, n), None

    def _earlier_in_memory(self, code: str) -> _Earlier | None:
        known = _in_memory.get(self._memory_key_at(None), set())
        for n in sorted((n for n in known if n < self._n), reverse=True):
            found, kept = memory.find(self._memory_key_at(n), code)
            if not found:  # by other code, or it had to make room
                continue
            outputs = {name: getattr(kept[0], name) for name in self._inputs_by_output}
            return _Earlier(n, self._inputs_from(outputs, n), code)
        return None


class _IterativeUnit(StoredUnit):
    """A task of so many iterations as the runner sees it."""

    task: Iterative[Any]

    def facts(self, project: Project) -> UnitFacts:
        task, session = self.task, self.session
        # A longer one may have come while we waited.
        earlier = None if self.options.recompute else task._searched_earlier(session, self.options)
        facts = super().facts(project)
        if earlier is None or earlier.head is None:
            return facts
        # Of two codes, the result counts for neither.
        code = facts.code if earlier.code == facts.code else combined_code(facts.code, [earlier.code])
        head = earlier.head
        return replace(
            facts,
            code=code,
            input_data=(*facts.input_data, *manifest_keys(head, project)),
            continued_from={"label": head.label, "digest": head.digest, "code": head.code},
        )


class _EarlierUnit(StoredUnit):
    """The same task after fewer iterations, looked for and never computed."""

    task: Iterative[Any]

    def __init__(
        self, task: Iterative[Any], session: Session, options: RunOptions, project: Project, n: int
    ) -> None:
        super().__init__(task, session, options)
        self.n = n
        self.key = task._key_at(n)
        self._project = project

    @property
    def code_policy(self) -> str | None:
        """That of the task; where other code is an error, a result by other code is passed over."""
        policy = super().code_policy or self._project.setting("on_code_change")
        return "recompute" if policy == "error" else policy


def _check_iteration(signature: Signature, parameter: Any, by_output: Any) -> None:
    hints = signature.hints
    inputs = [name for name in hints if name != "return"]
    returned = hints["return"]
    if not (isinstance(returned, type) and issubclass(returned, TaskOutput)):
        raise SignatureError(
            f"Iterative task {signature.name!r} has no named outputs.",
            f"found: -> {short_repr(returned)}\nexpected: a subclass of TaskOutput",
            f"define one with a field {parameter!r}, and return it",
        )
    outputs = signature.outputs.annotations
    if not isinstance(parameter, str) or parameter not in inputs or parameter not in outputs:
        raise SignatureError(
            f"Iterative task {signature.name!r}: {parameter!r} is not both an argument and an output.",
            f"arguments: {', '.join(inputs)}\noutputs: {', '.join(outputs)}",
            'name the argument that counts iterations: @RecordedIterativeTask("n", map={…})',
            argument=parameter,
        )
    if (kind := _plain_type(hints[parameter])) is not int:
        raise SignatureError(
            f"Iterative task {signature.name!r}: the iteration parameter {parameter!r} is no integer.",
            f"found: {short_repr(kind)}\nexpected: int",
            f"annotate it: {parameter}: int",
            argument=parameter,
        )
    _check_map(signature, parameter, by_output, inputs, tuple(outputs))
    for output, name in by_output.items():
        if not can_fit(outputs[output], hints[name]):
            raise SignatureError(
                f"Iterative task {signature.name!r}: output {output!r} never fits input {name!r}.",
                f"found: {output}: {annotation_name(outputs[output])}\n"
                f"expected: {name}: {annotation_name(hints[name])}",
                "correct one of the annotations, or the map",
                argument=name,
            )


def _check_map(
    signature: Signature, parameter: str, by_output: Any, inputs: list[str], outputs: tuple[str, ...]
) -> None:
    if not isinstance(by_output, Mapping) or not by_output:
        problem = f"found: {short_repr(by_output)}"
    elif unknown := [name for name in by_output if name not in outputs]:
        problem = f"found: output {unknown[0]!r}"
    elif unknown := [name for name in by_output.values() if name not in inputs]:
        problem = f"found: input {unknown[0]!r}"
    elif parameter in by_output.values():
        problem = f"found: input {parameter!r}, which says where to end"
    elif len(set(by_output.values())) < len(by_output):
        problem = f"found: one input for two outputs, {dict(by_output)!r}"
    else:
        return
    others = ", ".join(name for name in inputs if name != parameter)
    raise SignatureError(
        f"Iterative task {signature.name!r}: its map does not lead from outputs to inputs.",
        f"{problem}\noutputs: {', '.join(outputs)}\ninputs: {others}",
        "name for each output needed to continue the input it takes the place of: map={output: input}",
    )


def _plain_type(annotation: Any) -> Any:
    """The annotation without what `Annotated` says of it."""
    return annotation.__origin__ if typing.get_origin(annotation) is typing.Annotated else annotation
