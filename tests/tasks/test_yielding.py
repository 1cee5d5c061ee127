"""Tasks that yield: what can be read only once, one for each who asks."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from typing import Any

import pytest

from smttask import MemoizedTask, NonMemoizedTask, RecordedTask, config
from smttask.errors import InputError, OutputError, SignatureError

calls: list[str] = []


@pytest.fixture(autouse=True)
def _no_calls() -> None:
    calls.clear()


@MemoizedTask
def Limit(n: int) -> int:
    calls.append("limit")
    return n


@NonMemoizedTask
def Numbers(n: int) -> Iterator[int]:
    calls.append("numbers")
    yield from range(n)


@NonMemoizedTask
def Lines(text: str) -> Iterable[str]:
    calls.append("lines")
    return iter(text.split())


@MemoizedTask
def Total(values: Iterable[float], more: Iterable[float] = ()) -> float:
    return sum(values) + sum(more)


@RecordedTask(name="yielding.first")
def First(values: Iterator[int]) -> int:
    return next(values)


@MemoizedTask
def Longest(groups: list[Iterable[Any]]) -> int:
    return max(len(list(group)) for group in groups)


@NonMemoizedTask
def Pair(a: float, b: float) -> float:
    return a + b


@MemoizedTask
def Sum(values: list[float]) -> float:
    return sum(values)


def test_run_gives_an_iterator_of_ones_own() -> None:
    """Each run() begins from the start; nothing is computed before it is read."""
    task = Numbers(3)
    first = task.run()
    assert next(first) == 0
    assert list(task.run()) == [0, 1, 2]
    assert list(first) == [1, 2]


def test_each_parent_gets_an_iterator_of_its_own() -> None:
    """Two tasks that read the same numbers in one run both get all of them."""
    numbers = Numbers(Limit(4))
    total = Pair(Total(numbers).as_input, First(numbers).as_input)
    with config.use(record=False):
        assert total.run() == 6 + 0
    assert calls == ["limit", "numbers", "numbers"]


def test_each_place_gets_an_iterator_of_its_own() -> None:
    """Also where one parent has the task twice, or inside a list."""
    assert Total(Numbers(4), Numbers(4)).run() == 12
    assert Longest([Numbers(2), Lines("a b c"), [1]]).run() == 3


def test_a_function_may_return_an_iterator_that_it_made() -> None:
    """It is called again for the next who asks."""
    task = Lines("a b")
    assert list(task.run()) == list(task.run()) == ["a", "b"]
    assert calls == ["lines", "lines"]


def test_an_argument_for_anything_iterable_takes_lists_too() -> None:
    """They stay what they are; what is not iterable is refused."""
    assert Total([1, 2], (3.5,)).run() == 6.5
    assert Total([1, 2]).taskinputs["values"] == [1.0, 2.0]
    with pytest.raises(InputError, match="values does not take 3"):
        Total(3)  # type: ignore[arg-type]


def test_an_iterator_is_no_input_of_a_task() -> None:
    """It could be read once only, and has no digest; the task that makes it is an input."""
    with pytest.raises(InputError, match="can be read only once"):
        Total(iter([1, 2]))


def test_an_iterator_where_a_list_is_expected_is_refused() -> None:
    """The error names the argument and what it takes."""
    with pytest.raises(InputError, match="values"):
        Sum(Numbers(3)).run()  # type: ignore[arg-type]


@pytest.mark.parametrize("annotation", [Iterator[int], Generator[int, None, None]])
@pytest.mark.parametrize("decorate", [MemoizedTask, RecordedTask(name="yielding.kept")])
def test_a_result_that_is_kept_is_no_iterator(decorate: Any, annotation: Any) -> None:
    """Neither by annotation nor in fact; what to use instead is said."""

    def Kept(x: int) -> annotation:
        return iter([x])

    with pytest.raises(SignatureError, match="a NonMemoizedTask may yield"):
        decorate(Kept)(1)

    def Yielding(x: int) -> object:
        yield x

    with pytest.raises(SignatureError, match="a NonMemoizedTask may yield"):
        decorate(Yielding)

    @MemoizedTask
    def Any_(x: int) -> object:
        return iter([x])

    with pytest.raises(OutputError, match="the returned value can be read only once"):
        Any_(1).run()


def test_the_methods_of_a_class_may_yield() -> None:
    """A class with ``__call__`` that yields is a task like a function."""

    @NonMemoizedTask
    class Count:
        def __call__(self, n: int) -> Iterator[int]:
            yield from range(n)

    assert list(Count(2).run()) == [0, 1]
