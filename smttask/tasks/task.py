"""A task object: a typed pure function with its inputs, not yet run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, cast

from smttask.code.fingerprint import CodeFingerprint
from smttask.code.source import MAIN_NAMES
from smttask.errors import ArgumentError, DigestError, ResultNotFoundError, SmttaskError, short_repr
from smttask.settings import config
from smttask.tasks import display
from smttask.tasks.binding import Bindable
from smttask.tasks.composition import find_classes, find_tasks, iter_leaves, with_values
from smttask.tasks.described import Described
from smttask.tasks.digests import Digested
from smttask.tasks.evaluation import RunOptions, Session
from smttask.tasks.explanation import Explanation
from smttask.tasks.failed import Failed
from smttask.tasks.inputs import TaskInputs
from smttask.tasks.remembered import Remembered
from smttask.tasks.watching import own_fingerprint, with_classes
from smttask.typing.files import InputDir, InputFile
from smttask.typing.ownership import freeze_own, fresh, owned
from smttask.typing.schema import is_stream

if TYPE_CHECKING:
    from smttask.lineage.graph import TaskGraph
    from smttask.tasks.outputs import OutputSpec
    from smttask.tasks.signature import Signature

__all__ = ["Task"]

R = TypeVar("R", covariant=True)


class Task(Digested, Described, Bindable, Generic[R]):
    """A described computation: `run()` gives its result, computed at most once.

    Tasks are made by calling what a decorator such as `RecordedTask` returned. Inputs
    are validated and fixed at construction; nothing is computed before `run()`. Tasks
    compare, hash and pickle by their digest.

    Attributes
    ----------
    full_name
        Module and qualified name, or the fixed name, under which results are found.
    taskinputs
        The inputs, by attribute or item.
    reason
        Why the task is run, for its record; not part of the digest.
    last_hit
        Where the last `run()` of this object found its result: ``"memory"``,
        ``"disk"`` or ``"computed"``; None before.
    """

    is_recorded: ClassVar[bool] = False
    #: Whether the result stays at hand until the outermost `run()` ends.
    lives_in_session: ClassVar[bool] = False
    #: Whether the result may be an iterator, one for each parent.
    may_yield: ClassVar[bool] = False
    #: What made the type of a class, such as ``Create``; empty for a function or class of its own.
    made_by: ClassVar[str] = ""
    _options: ClassVar[Mapping[str, Any]]

    reason: str
    last_hit: str | None

    def __init__(self, *args: Any, reason: str | None = None, **kwargs: Any) -> None:
        super().__init__(args, kwargs)
        self.reason = _checked_reason(reason)
        self.last_hit = None

    @classmethod
    def check_definition(cls, signature: Signature, options: Mapping[str, Any]) -> None:
        """Refuse a function that cannot become a task of this kind; `SignatureError`."""

    # -- identity

    @property
    def name(self) -> str:
        """Name of the task: that of its function."""
        return self._signature.name

    @property
    def output_spec(self) -> OutputSpec:
        """What the task promises to return."""
        return self._signature.outputs

    @property
    def home_module(self) -> str:
        """The module whose project keeps the result."""
        return self.__wrapped__.__module__

    @property
    def fixed_name(self) -> str:
        """The name given by ``name=``; empty if module and function name the task."""
        return "" if self._identity[0] else self._identity[1]

    @property
    def unsavable(self) -> str:
        """Why the task cannot be found again from a description; empty if it can."""
        definition = self.__wrapped__
        if definition.__module__ in MAIN_NAMES:
            return "it is defined in __main__"
        return "it is defined inside a function" if "<locals>" in definition.__qualname__ else ""

    @property
    def how_to_save(self) -> str:
        """What to do if it is `unsavable`."""
        return "move it to a module of the project, at the top level"

    @classmethod
    def own_fingerprint(cls) -> CodeFingerprint:
        """The code of the task as loaded, that of its inputs and upstream tasks left out."""
        return own_fingerprint(cls.__wrapped__)

    @property
    def code_fingerprint(self) -> CodeFingerprint:
        """The code of the task and of the classes of its inputs, that of upstream tasks left out."""
        own = self.own_fingerprint()
        if not self._input_classes:
            return own
        return with_classes(own, self._input_classes, self.__wrapped__.__module__)

    @Remembered
    def _input_classes(self) -> tuple[type, ...]:
        return find_classes(self._values.values())

    # -- inputs

    @property
    def taskinputs(self) -> TaskInputs:
        """The inputs by name; tasks among them stand as tasks."""
        return TaskInputs(self._values)

    def load_inputs(self) -> TaskInputs:
        """The inputs with the results of the tasks among them, found or computed."""
        with Session.current() as session, session.having(self.upstream):
            return TaskInputs(
                {name: self._arrived(name, value, session) for name, value in self._values.items()}
            )

    def _arrived(self, name: str, value: Any, session: Session) -> Any:
        """The input as the function gets it: results in the places of tasks, a copy of its own."""
        given = fresh(value)
        try:
            replaced = with_values(given, lambda task: session.handed_out(cast("Task[Any]", task)))
            if replaced is given:
                return given
            validate = self._signature.parameters[name].validate
            return validate.stream(replaced) if is_stream(replaced) else validate(replaced)
        except SmttaskError as error:
            error.add_note(f"while the results of upstream tasks were put into {self.name}({name}=…)")
            raise

    def _call_function(
        self, session: Session, before: Callable[[Mapping[str, Any]], None] | None = None
    ) -> Any:
        """Call the function with the inputs as they arrive, after `before` was called with them."""
        signature = self._signature
        arrived = {name: self._arrived(name, value, session) for name, value in self._values.items()}
        if before is not None:
            before(arrived)
        args = [
            arrived.pop(name) for name, parameter in signature.parameters.items() if not parameter.by_name
        ]
        if signature.takes_self:
            args.insert(0, self)
        try:
            return signature.plain_function(*args, **arrived)
        except ValueError as error:
            if "read-only" in str(error):
                error.add_note(
                    "arrays are given read-only, since others use them too: change a copy, x.copy()"
                )
            raise

    def _call(self, session: Session) -> Any:
        """Call the function; its result, checked and owned, is kept in memory."""
        holder = [self._call_function(session)]
        freeze_own(holder)
        return owned(self.output_spec.checked(holder.pop()))

    @property
    def input_files(self) -> tuple[Path, ...]:
        """Paths of the data files and folders that are inputs."""
        return tuple(
            Path(leaf) for leaf in iter_leaves(self._values) if isinstance(leaf, InputFile | InputDir)
        )

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"task {type(self).__name__!r} has no attribute or input {name!r}")

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._values]

    # -- running

    def run(
        self,
        *,
        cache: bool | None = None,
        recompute: bool = False,
        record: bool | None = None,
        reason: str | None = None,
        record_store: str | Path | None = None,
        mmap: bool = False,
    ) -> R:
        """The result: found if it was computed before, else computed, stored and recorded.

        The function is called in this thread and process.

        Parameters
        ----------
        cache
            Keep the result in memory too; default as the decorator or `config` says.
        recompute
            Run although a result is stored; upstream tasks are found as usual.
        record
            Store and record; False computes in memory and touches no file.
        reason
            Replaces the reason of the task, for this record.
        record_store
            Path of another record store.
        mmap
            Leave array outputs on disk, read-only; only their size is checked.

        Raises
        ------
        UncommittedChangesError, StaleModuleError
            If the code that would run is not what git has or what its file says.
        OutputError
            If the returned value does not fit its annotation.
        """
        if reason is not None:
            reason = _checked_reason(reason)
        options = RunOptions(cache, recompute, reason, mmap, asked=record is True)
        overrides: dict[str, Any] = {}
        if record is not None:
            overrides["record"] = record
        if record_store is not None:
            overrides["record_store"] = record_store
        try:
            with config.use(**overrides) if overrides else nullcontext(), Session.current() as session:
                return cast("R", session.evaluate(self, options))
        except Exception as error:
            if config.on_error == "return":
                return cast("R", Failed(self, error))
            raise

    def needed(self, session: Session, options: RunOptions) -> tuple[Task[Any], ...]:
        """The upstream tasks whose results `compute` needs, asked after `recall` found nothing."""
        return self.upstream

    def recall(self, session: Session, options: RunOptions) -> tuple[bool, Any]:
        """Whether the result is at hand, and the result."""
        raise AttributeError("recall")

    def compute(self, session: Session, options: RunOptions) -> Any:
        """The result, computed; those of the upstream tasks are in the session."""
        raise AttributeError("compute")

    def explain(self) -> Explanation:
        """Whether `run()` would find the result or compute it, and why; print what it returns.

        A miss is told as the difference from what is stored, else from the nearest earlier run.
        Nothing is computed, written or moved to find out.
        """
        with Session.current() as session:
            return self.explained(session, RunOptions())

    def explained(self, session: Session, options: RunOptions) -> Explanation:
        """What `run()` with these options would do, and why."""
        if (unpure := self.unpure_to_run()) is not None:
            reason = "an unpure task, which has not run"
            if unpure is not self:
                name = f"{unpure.name} ({unpure.description_key})"
                reason = f"its digest depends on the result of {name}, which has not run"
            return Explanation(self.name, self.description_key, False, reason)
        try:
            name = self.digest
        except DigestError as error:
            if self.is_found_by_digest:
                reason = f"it has no digest, so that it cannot be run: {error.what}"
                return Explanation(self.name, self.description_key, False, reason)
            name = self.description_key
        if options.recompute:
            return Explanation(self.name, name, False, "asked to compute it anew")
        return self._explained(session, options, name)

    def _explained(self, session: Session, options: RunOptions, name: str) -> Explanation:
        """The same for one kind of task, which goes by `name`: its digest, or its key if it has none."""
        raise AttributeError("_explained")

    def load(self) -> R:
        """The result if it is at hand, else `ResultNotFoundError`; never computes."""
        with Session.current() as session:
            found, value = self.recall(session, RunOptions())
        if not found:
            raise self._not_found()
        return cast("R", fresh(value))

    def get_output(self, name: str = "") -> Any:
        """One output of the result if it is at hand; never computes.

        Parameters
        ----------
        name
            Name of the output; empty for the only one of a task that does not name it.

        Raises
        ------
        OutputError
            If the task has no such output.
        ResultNotFoundError
            If there is no result.
        """
        self.output_spec.parts(name, ())
        result = self.load()
        return result if self.output_spec.kind is None else getattr(result, name)

    def _not_found(self) -> ResultNotFoundError:
        searched = self._searched()
        return ResultNotFoundError(
            f"No stored result for task {self.name!r} ({self.description_key}).",
            f"searched: {searched}",
            "to compute it, call task.run()",
            task=self.name,
            digest=self.description_key,
            searched=searched,
        )

    def _searched(self) -> str:
        """Where a result would be."""
        return "memory"

    @property
    def as_input(self) -> R:
        """The task itself, typed as its result: for typed code that passes tasks as inputs."""
        return cast("R", self)

    @property
    def graph(self) -> TaskGraph:
        """The task and all that it depends on: a `networkx.DiGraph` with `draw(path)`."""
        from smttask.lineage.graph import task_graph  # imports networkx

        return task_graph(self, find_tasks)

    # -- displays

    def describe(self) -> str:
        """Name, digest, reason and inputs as readable text."""
        return display.task_text(self)

    def __repr__(self) -> str:
        return display.task_repr(self)

    def _repr_html_(self) -> str:
        return display.task_html(self)


def _checked_reason(reason: str | None) -> str:
    if reason is None:
        return ""
    if not isinstance(reason, str):
        raise ArgumentError(
            f"A reason is no {type(reason).__name__}.",
            f"found: {short_repr(reason)}\nexpected: a text",
            "say in words why the task is run",
        )
    return reason
