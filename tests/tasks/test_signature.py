"""A function becomes a task only if all of it is annotated."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from contextlib import ContextDecorator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from smttask import MemoizedTask, NonMemoizedTask, TaskOutput
from smttask.errors import ArgumentError, SignatureError
from smttask.testing import scratch_project

FIND = """
from pathlib import Path
from smttask import RecordedTask

@RecordedTask
def Find(where: Path = Path("data")) -> str:
    return where.name
"""


@NonMemoizedTask
def Line(x: float, slope: float = 2.0, *, offset: float = 0.0) -> float:
    """A straight line."""
    return slope * x + offset


def test_arguments_by_position_and_by_name_are_the_same_task() -> None:
    """A task is called like its function."""
    assert Line(1, 3) == Line(1.0, slope=3) == Line(slope=3, x=1)
    assert Line(1, 3).run() == 3.0


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((), {}, "argument 'x' is missing"),
        ((1, 2, 3), {}, "takes 2 arguments by position"),
        ((1,), {"x": 2}, "argument 'x' is given twice"),
        ((1,), {"slop": 2}, "has no argument 'slop'(.|\n)*did you mean 'slope'"),
        ((1,), {"zzz": 2}, "has no argument 'zzz'(.|\n)*check the spelling"),
    ],
)
def test_wrong_arguments_are_named_with_the_signature(args: Any, kwargs: Any, message: str) -> None:
    """Missing, surplus, doubled and unknown arguments raise ArgumentError, a TypeError."""
    with pytest.raises(ArgumentError, match=message) as caught:
        Line(*args, **kwargs)
    assert isinstance(caught.value, TypeError)


def test_missing_annotations_name_function_and_argument() -> None:
    """An argument or a return value without annotation is refused at decoration."""
    with pytest.raises(
        TypeError, match="Task 'bad': argument 'y' has no annotation(.|\n)*without annotation: y, return"
    ):

        @MemoizedTask
        def bad(x: int, y):  # type: ignore[no-untyped-def]
            return x


def test_reserved_argument_names_are_refused() -> None:
    """`reason` belongs to the task."""
    with pytest.raises(SignatureError, match="the argument name 'reason' is reserved"):

        @MemoizedTask
        def bad(reason: str) -> str:
            return reason


def test_variable_arguments_are_refused() -> None:
    """Each argument must have a name of its own."""
    with pytest.raises(SignatureError, match=r"found: the argument \*values"):

        @MemoizedTask
        def bad(*values: int) -> int:
            return 0


def test_generators_and_coroutines_are_refused() -> None:
    """A result that can be read only once cannot be kept."""
    with pytest.raises(SignatureError, match="a generator or coroutine"):

        @MemoizedTask
        def bad(n: int) -> Iterator[int]:
            yield n

    @MemoizedTask
    def worse(n: int) -> Iterator[int]:
        return iter([n])

    with pytest.raises(SignatureError, match="cannot return an iterator"):
        worse(1).run()


@pytest.mark.parametrize("thing", [3, print, "text"])
def test_only_functions_and_classes_become_tasks(thing: Any) -> None:
    """Anything else is named in the error."""
    with pytest.raises(SignatureError, match="cannot become a task"):
        MemoizedTask(thing)


def test_a_class_with_init_or_without_call_is_refused() -> None:
    """The inputs of a class are the arguments of its __call__."""
    with pytest.raises(SignatureError, match="an __init__ method"):

        @MemoizedTask
        class Bad:
            def __init__(self, x: int) -> None: ...

            def __call__(self, x: int) -> int:
                return x

    with pytest.raises(SignatureError, match="no __call__ method"):

        @MemoizedTask  # type: ignore[arg-type]
        class Worse:
            pass


def test_a_default_that_does_not_fit_is_named_at_first_use() -> None:
    """A sloppy default such as text for a number is an error of the task, not of its caller."""

    @MemoizedTask
    def bad(x: float = "none") -> float:  # type: ignore[assignment]
        return x

    with pytest.raises(SignatureError, match="the default of argument 'x' does not fit"):
        bad()


def test_an_annotation_that_cannot_be_resolved_says_so() -> None:
    """A name imported only for type checkers is not there at run time."""

    @MemoizedTask
    def bad(x: Missing) -> int:  # type: ignore[name-defined] # noqa: F821
        return 0

    with pytest.raises(SignatureError, match="an annotation cannot be resolved"):
        bad(1)


def test_positional_only_arguments_are_called_as_such() -> None:
    """The function gets them by position."""

    @NonMemoizedTask
    def Sub(a: int, b: int, /, c: int = 1) -> int:
        return a - b - c

    assert Sub(5, 2).run() == 2


@dataclass(frozen=True)
class Setup:
    sigma: float = 1.0


class Model(BaseModel):
    rate: float


def test_annotations_of_many_kinds_work() -> None:
    """String annotations, unions, Annotated, Literal, dataclasses and models of a function's own scope."""

    @dataclass
    class Local:
        n: int

    @NonMemoizedTask
    def Mixed(
        a: int | None,
        b: Annotated[float, Field(gt=0)],
        c: Literal["x", "y"],
        d: Setup,
        e: Model,
        f: Local,
    ) -> str:
        return f"{a}{b}{c}{d.sigma}{e.rate}{f.n}"

    task = Mixed(a=None, b=2, c="y", d=Setup(3.0), e={"rate": 4}, f=Local(5))  # type: ignore[arg-type]
    assert task.run() == "None2.0y3.04.05"


def test_the_explicit_form_has_nested_inputs_and_outputs() -> None:
    """A class with Inputs and Outputs is a task of these inputs, with defaults."""

    @NonMemoizedTask
    class Split:
        class Inputs:
            x: int
            n: int = 2

        class Outputs(TaskOutput):
            quotient: int
            rest: int

        @staticmethod
        def _run(x: int, n: int) -> Any:
            return divmod(x, n)

    result = Split(x=7).run()  # type: ignore[call-arg]
    assert (result.quotient, result.rest) == (3, 1)


def test_explicit_inputs_may_be_a_dataclass_or_a_model() -> None:
    """Defaults and default factories of both count."""

    class Base:
        def __call__(self, x: int, n: Any) -> int:
            return x + len(n)

    class InputsModel(BaseModel):
        x: int
        n: list[int] = Field(default_factory=list)

    task_type = NonMemoizedTask(
        type("Count", (Base,), {"Inputs": InputsModel, "Outputs": int, "__module__": __name__})
    )
    assert task_type(x=1).run() == 1  # type: ignore[call-arg]
    assert task_type(x=1, n=[5]).run() == 2  # type: ignore[call-arg]


def test_a_callable_class_keeps_its_methods_and_sees_its_inputs() -> None:
    """`self` is no input; self.taskinputs holds the inputs."""

    @NonMemoizedTask
    class Scale:
        factor = 3

        def helper(self) -> int:
            return self.factor * self.taskinputs.x  # type: ignore[attr-defined,no-any-return]

        def __call__(self, x: int) -> int:
            return self.helper()

    assert Scale(x=2).run() == 6
    assert list(Scale(x=2).taskinputs) == ["x"]


def test_a_method_that_every_task_has_is_refused() -> None:
    """A class whose own `compute` would never be called is not silently made a task."""
    with pytest.raises(SignatureError, match=r"found: compute, which every task has(.|\n)*other names"):

        @MemoizedTask
        class Model:
            def __call__(self, x: float) -> float:
                return self.compute(x)

            def compute(self, x: float) -> float:
                return x


def test_annotations_of_a_decorated_function_are_found_in_its_own_module() -> None:
    """A decorator from another module that uses functools.wraps changes nothing."""

    class Loud(ContextDecorator):
        def __enter__(self) -> None: ...

        def __exit__(self, *error: object) -> None: ...

    @MemoizedTask
    @Loud()
    def Count(word: Literal["a"]) -> Mapping[str, int]:
        return {word: 1}

    assert Count("a").run() == {"a": 1}


def test_a_factory_makes_the_default_of_each_task() -> None:
    """What a factory gives is an input like one that was given; only empty containers count as defaults."""
    numbers = itertools.count()

    class InputsModel(BaseModel):
        n: int = Field(default_factory=lambda: next(numbers))
        items: list[int] = Field(default_factory=list)

    @dataclass
    class Data:
        n: int = field(default_factory=lambda: next(numbers))
        items: list[int] = field(default_factory=list)

    for inputs in (InputsModel, Data):
        body = {
            "Inputs": inputs,
            "Outputs": int,
            "__call__": lambda self, n, items: n,
            "__module__": __name__,
        }
        task_type = MemoizedTask(type("Numbered", (), body))
        first, second = task_type(), task_type()
        assert second.n == first.n + 1
        assert first.digest != second.digest == task_type(n=second.n, items=[]).digest


def test_a_default_path_is_taken_from_where_the_task_is_made(tmp_path: Any, monkeypatch: Any) -> None:
    """It is the same input as that path given, and in a project it stays so when the project moves."""
    tasks = []
    for name in ("one", "two"):
        with scratch_project(tmp_path / name, {"tasks.py": FIND}) as project:
            monkeypatch.chdir(project.root)
            module = project.load("tasks")
            given, default = module.Find(Path("data")), module.Find()
            assert (given.digest, given.full_digest) == (default.digest, default.full_digest)
            assert default.where == project.root / "data"
            tasks.append(default)
            monkeypatch.chdir(tmp_path)
            assert module.Find().where == tmp_path / "data"
    assert tasks[0].full_digest == tasks[1].full_digest


def test_name_module_docstring_and_signature_are_kept() -> None:
    """help() and an editor show the function's own words, after a line with its signature."""
    assert Line.__name__ == "Line"
    assert Line.__module__ == __name__
    assert str(Line.__doc__).splitlines()[0].startswith("Line(x: ")
    assert str(Line.__doc__).endswith("A straight line.")


def test_arrays_in_the_signature_are_readable(tmp_path: Any) -> None:
    """In help() and in messages an array stands in words, whether or not annotations are text."""
    source = "from smttask import *\nfrom smttask.typing import Array\n"
    source += "@MemoizedTask\ndef Mean(x: Array[float, 1], n: int = 2) -> Array[float]: return x\n"
    with scratch_project(tmp_path / "lab", {"tasks.py": source}) as project:
        line = project.load("tasks").Mean.__doc__.splitlines()[0]
    assert "typing." not in line
    assert line.startswith("Mean(x: <an array of float64")
    assert ", n: int = 2) -> <an array" in line
