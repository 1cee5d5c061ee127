from __future__ import annotations

import copy
import pickle
from dataclasses import asdict, dataclass, replace
from math import inf
from typing import Any

import numpy as np
import pytest
from scipy import stats

from smttask import MemoizedTask, NonMemoizedTask, ParamColl, expand
from smttask.errors import ArgumentError, InputError, SignatureError


@dataclass(frozen=True)
class Data(ParamColl):
    n: int = 100
    rate: float = 1
    noise: float = 0.5


@dataclass
class Model:
    a: float = 1.0
    b: float = 2.0


@dataclass(frozen=True)
class Study(ParamColl):
    data: Data
    model: Model
    seed: int = 0


# The draws of rate ~ norm() and noise ~ uniform(0, 2) under the seed 314.
GOLDEN = [(-0.18381829906006555, 0.8011274743472339), (0.23611495291735152, 1.561425219076072)]


@MemoizedTask
def Load(n: int) -> float:
    return n + 0.5


@MemoizedTask
def Word(n: int) -> str:
    return "many"


@NonMemoizedTask
def Measure(data: Data, scale: float = 1.0) -> float:
    return data.rate * scale


@NonMemoizedTask
def Plain(n: int, rate: float, noise: float) -> float:
    return n * rate


@NonMemoizedTask
def Analyze(study: Study) -> float:
    return study.data.rate


def test_a_collection_is_a_mapping_of_its_parameters():
    """Its items are the arguments of a task; the seed is none of them."""
    data = Data(n=3, rate=2, paramseed=7)
    assert dict(data) == {"n": 3, "rate": 2.0, "noise": 0.5}
    assert (list(data), len(data), data["n"]) == (["n", "rate", "noise"], 3, 3)
    assert Plain(**data).run() == 6.0
    with pytest.raises(KeyError):
        data["paramseed"]


def test_outer_gives_every_combination():
    """The last parameter changes fastest, as in nested loops."""
    data = Data(n=expand([1, 2]), noise=expand([0.1, 0.2, 0.3]))
    assert data.outer_len == 6
    assert [(item.n, item.noise) for item in data.outer()] == [
        (n, noise) for n in (1, 2) for noise in (0.1, 0.2, 0.3)
    ]
    assert list(Data().outer()) == list(Data().inner()) == [Data()]


def test_inner_goes_through_all_values_in_step():
    """Sequences and arrays of one length are paired; a single value goes with all."""
    data = Data(n=expand(range(3)), rate=expand(np.linspace(0, 1, 3)), noise=expand([9]))
    assert data.inner_len == 3
    assert [tuple(item.values()) for item in data.inner()] == [(0, 0.0, 9.0), (1, 0.5, 9.0), (2, 1.0, 9.0)]
    assert Data().inner_len == Data().outer_len == 1
    assert Data(n=expand([])).inner_len == Data(n=expand([])).outer_len == 0


def test_inner_needs_one_length():
    """Values of different lengths have no inner product, and the error tells the lengths."""
    data = Data(n=expand([1, 2, 3]), rate=expand([1, 2]))
    assert data.inner_len is None
    with pytest.raises(InputError, match=r"'Data' has no inner product.\n.*n: 3, rate: 2.*\n.*outer\(\)"):
        data.inner()


@pytest.mark.parametrize(
    "given", [(4,), (2, 8), (2, 8, 3), (3, None, 2), (None, None, 5), (18, 40), (20,), (0,)], ids=str
)
def test_a_slice_is_a_part_of_the_whole(given):
    """`inner` and `outer` take what `range` takes, also with distributions among the values."""
    data = Data(n=expand(range(20)), rate=expand(stats.norm()), paramseed=1)
    part = slice(*given) if len(given) > 1 else slice(given[0])
    assert list(data.outer(*given)) == list(data.outer())[part]
    assert list(data.inner(*given)) == list(data.inner())[part]


@pytest.mark.parametrize("part", [[expand([1, 2]), 3], {"a": expand([1, 2])}, (expand([1]),)], ids=str)
def test_a_part_of_a_value_is_not_expanded(part):
    """What stands for many values inside a list or dict would silently stay; it is refused."""

    @dataclass(frozen=True)
    class Free(ParamColl):
        anything: Any = None

    with pytest.raises(InputError, match="a part of anything cannot be expanded"):
        Free(part)


def test_bounds_have_names():
    """A start without a stop goes to the end, by name and by place; one number given twice is refused."""
    data = Data(n=expand(range(10)))
    whole = list(data.outer())
    assert list(data.outer(start=7)) == list(data.outer(7, None)) == list(data.inner(start=7)) == whole[7:]
    assert list(data.outer(2, stop=8, step=3)) == list(data.inner(stop=8, start=2, step=3)) == whole[2:8:3]
    with pytest.raises(InputError, match="one start, one stop and one step"):
        data.outer(1, 2, start=3)


@pytest.mark.parametrize("given", [(-1,), (0, -2), (0, 5, 0), (0, 5, -1)], ids=str)
def test_a_slice_from_the_end_is_refused(given):
    """There may be no end."""
    with pytest.raises(InputError, match="slice of a collection counts from its beginning"):
        Data(n=expand([1, 2])).outer(*given)


def test_the_seed_decides_the_draws():
    """The same seed gives the same draws on every machine; another one, others."""
    data = Data(rate=expand(stats.norm()), noise=expand(stats.uniform(0, 2)), paramseed=314)
    drawn = [(item.rate, item.noise) for item in data.inner(2)]
    assert drawn == [(item.rate, item.noise) for item in data.inner(2)]
    assert np.allclose(drawn, GOLDEN, rtol=1e-12)
    assert all(type(number) is float for number in drawn[0])
    others = [(item.rate, item.noise) for item in replace(data, paramseed=628).inner(2)]
    assert not set(np.ravel(drawn)) & set(np.ravel(others))


def test_draws_have_no_end_and_combinations_draw_anew():
    """Distributions alone make an endless inner product; beside sequences each combination has its draw."""
    data = Data(rate=expand(stats.norm()), paramseed="seed")
    assert data.inner_len == inf
    assert data.outer_len is None
    endless = data.inner()
    assert len({next(endless).rate for _ in range(300)}) == 300
    assert next(data.inner(10**6, None, 1)).rate != next(data.inner(10**6 + 1, None, 1)).rate
    with pytest.raises(InputError, match=r"no outer product.\n.*only distributions.*rate\n.*inner\(n\)"):
        data.outer()
    mixed = replace(data, n=expand([1, 2]), noise=expand([1, 2, 3]))
    assert len({item.rate for item in mixed.outer()}) == mixed.outer_len == 6


def test_draws_need_a_seed():
    """A collection that draws without a seed is refused at once."""
    with pytest.raises(
        ArgumentError, match=r"draws 'rate' from a distribution and has no seed.\n.*norm"
    ) as info:
        Data(rate=expand(stats.norm()))
    assert isinstance(info.value, TypeError)
    with pytest.raises(ArgumentError, match=r"draws 'model.a'"):
        Study(Data(), Model(a=expand(stats.norm())))


def test_draws_of_several_variables_are_arrays():
    """A multivariate distribution gives one array for each draw."""

    @dataclass(frozen=True)
    class Place(ParamColl):
        at: Any

    place = Place(at=expand(stats.multivariate_normal([0, 1, 2])), paramseed=2)
    assert [item.at.shape for item in place.inner(3)] == [(3,)] * 3


def test_nested_collections_and_dataclasses_expand_with_the_outer_one():
    """What is expandable at any depth counts, and the nested kinds are kept."""
    study = Study(Data(n=expand([1, 2, 3])), Model(a=expand([5, 6, 7])), seed=4)
    assert (study.outer_len, study.inner_len) == (9, 3)
    assert [(item.data.n, item.model.a) for item in study.inner()] == [(1, 5.0), (2, 6.0), (3, 7.0)]
    assert next(study.outer()) == Study(Data(n=1), Model(a=5.0), seed=4)
    assert asdict(next(study.outer()))["model"] == {"a": 5.0, "b": 2.0}


def test_nested_draws_are_independent():
    """Two nested collections with one seed draw different values."""

    @dataclass(frozen=True)
    class Pair(ParamColl):
        left: Data
        right: Data

    one = Data(rate=expand(stats.norm()), paramseed=5)
    assert all(pair.left.rate != pair.right.rate for pair in Pair(one, one).inner(50))
    assert next(Pair(one, one).inner()).left.paramseed is None


def test_plain_values_are_checked_and_converted():
    """A parameter has the type of its annotation; so has each value of an expanded one."""
    assert type(Data(rate=np.float32(2)).rate) is float
    assert Data(rate=expand([1, 2])).rate[0].__class__ is float
    with pytest.raises(InputError, match=r"Collection 'Data': n does not take 2.5 \(float\)"):
        Data(n=2.5)
    with pytest.raises(InputError, match=r"n\[1\] does not take 'two'"):
        Data(n=expand([1, "two"]))
    with pytest.raises(InputError, match=r"n does not take"):
        next(Data(n=expand(stats.norm()), paramseed=1).inner())


def test_other_things_may_stand_for_a_value():
    """A task, a distribution that is not expanded, or a nested collection is kept as it is."""
    dist = stats.lognorm(1)
    assert Data(rate=dist).rate is dist
    assert Data(rate=dist).outer_len == 1
    nested = Data(rate=Data(n=expand([1, 2])))
    assert [item.rate for item in nested.outer()] == [Data(n=1), Data(n=2)]


def test_collections_pickle_and_copy():
    """A collection survives pickling, with what it expands to."""
    study = Study(Data(rate=expand(stats.norm()), paramseed=1), Model(b=expand([1, 2])), paramseed=2)
    again = pickle.loads(pickle.dumps(study))
    assert list(again.outer()) == list(copy.deepcopy(study).outer()) == list(study.outer())
    assert hash(Data(n=1)) == hash(pickle.loads(pickle.dumps(Data(n=1))))


def test_a_collection_shows_what_is_expanded():
    """The display reads as the call that makes it."""
    data = Data(n=expand([1, 2]), rate=expand(stats.norm(0, scale=2)), paramseed=1)
    assert repr(data) == "Data(n=expand([1, 2]), rate=expand(norm(0, scale=2)), noise=0.5)"


class TestTasks:
    def test_a_collection_with_tasks_is_an_input(self):
        """Tasks in a collection are run first, and their results are checked as its values."""
        task = Measure(Data(rate=Load(2)), scale=2)
        assert task.upstream == (Load(2),)
        assert task.run() == 5.0
        with pytest.raises(InputError, match=r"data.rate does not take 'many' \(str\)"):
            Measure(Data(rate=Word(2))).run()

    def test_tasks_stand_in_nested_collections(self):
        """At any depth, with errors that name the place."""
        assert Analyze(Study(Data(rate=Load(1)), Model())).run() == 1.5
        with pytest.raises(InputError, match=r"study.data.rate does not take 'many'"):
            Analyze(Study(Data(rate=Word(1)), Model())).run()

    def test_tasks_may_be_the_values_that_are_expanded(self):
        """A sweep over tasks is a sweep."""
        data = Data(rate=expand([Load(1), Load(2)]), noise=expand([0, 1]))
        assert [Measure(item).run() for item in data.inner()] == [1.5, 2.5]
        assert [Plain(**item).run() for item in data.outer()] == [150.0, 150.0, 250.0, 250.0]

    def test_a_collection_from_a_mapping(self):
        """A mapping makes the collection; what does not fit is named with its place."""
        assert Measure({"rate": 3}).run() == 3.0
        with pytest.raises(InputError, match=r"data.n does not take 'x' \(str\)"):
            Measure({"n": "x"})
        with pytest.raises(InputError, match=r"parameters of Data: .*unexpected keyword argument 'k'"):
            Measure({"k": 1})
        with pytest.raises(InputError, match="expected a Data or a mapping of its parameters; given 3"):
            Measure(3)

    def test_digests_see_values_only(self):
        """Converted values, defaults and the seed that drew a value make no other task."""
        assert Measure(Data(rate=np.float64(1), n=100)).digest == Measure(Data()).digest
        drawn = next(Data(rate=expand(stats.norm()), paramseed=1).inner())
        assert Measure(drawn).digest == Measure(Data(rate=drawn.rate)).digest
        assert Measure(Data(n=expand([1, 2]))).digest != Measure(Data(n=expand([1, 3]))).digest

    def test_a_task_with_an_unexpanded_collection_travels(self):
        """Its description and its pickle give the same task."""
        task = Measure(Data(n=expand([1, 2]), rate=Load(3), paramseed=4))
        again = pickle.loads(pickle.dumps(task))
        assert again == task
        assert again.taskinputs.data.n == expand([1, 2])


class TestBadClasses:
    def test_a_class_that_is_no_dataclass(self):
        """Forgetting the decorator gives an error that says so."""

        class Plain(ParamColl):
            n: int = 1

        with pytest.raises(
            SignatureError, match=r"'.*Plain' cannot be used.\n.*plain class\n.*\n.*@dataclass"
        ):
            Plain(n=2)

    def test_a_reserved_name(self):
        """A parameter cannot be called as a method of collections."""

        @dataclass(frozen=True)
        class Odd(ParamColl):
            items: int = 1

        with pytest.raises(SignatureError, match="a parameter named 'items'"):
            Odd()

    def test_an_unknown_annotation(self):
        """An annotation that names nothing is told at first use."""

        @dataclass(frozen=True)
        class Odd(ParamColl):
            x: Nowhere = 1  # noqa: F821 - the test is about it

        with pytest.raises(SignatureError, match="'Nowhere' is not defined"):
            Odd()
