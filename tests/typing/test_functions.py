"""Functions as values: known by name and code, looked up, never executed from text."""

import json
import math
import pickle
import sys
from collections.abc import Callable
from functools import partial
from types import ModuleType

import numpy as np
import pytest

from smttask.errors import DescriptionError, DigestError, InputError
from smttask.identity import canonical_bytes
from smttask.typing import PureFunction, Type
from smttask.typing.jsonform import from_json, to_json
from smttask.typing.ownership import owned
from smttask.typing.validation import Validator

SOURCE = """
from smttask.typing import PureFunction
SHIFT = 1
def shifted(x):
    return x + SHIFT
@PureFunction
def squared(x):
    return x * x
def adder(n):
    return lambda x: x + n
class Model:
    def __init__(self, n): self.n = n
    @staticmethod
    def twice(x): return 2 * x
"""


@pytest.fixture
def load(tmp_path):
    """Make a module of this text; what it defines is found under its name until the test ends."""
    names = []

    def make(text=SOURCE, name="lab_of_functions"):
        path = tmp_path / f"{name}{len(names)}.py"
        path.write_text(text)
        module = ModuleType(name)
        module.__file__ = str(path)
        sys.modules[name] = module
        exec(compile(text, str(path), "exec"), module.__dict__)  # noqa: S102 - what import would do
        names.append(name)
        return module

    yield make
    for name in {*names}:
        del sys.modules[name]


def again(value, **hooks):
    return from_json(json.loads(json.dumps(to_json(value))), **hooks)


def test_functions_come_back_by_name(load):
    """What is written is a name; what comes back is the function that has it."""
    lab = load()
    assert to_json(lab.shifted)["$function"] == "lab_of_functions:shifted"
    for function in (lab.shifted, lab.squared, lab.Model.twice, np.sin, np.mean, math.sin, abs):
        assert again(function) == function
        assert canonical_bytes(again(function)) == canonical_bytes(function)


def test_partial_and_composed_functions_come_back_too(load):
    """Bound arguments and arithmetic of functions are written part by part."""
    lab = load()
    combined = abs(-lab.squared + 2 * PureFunction(lab.shifted)) ** 2 / 4 - np.array([1.0, 2.0])
    assert again(combined)(3.0).tolist() == combined(3.0).tolist() == [-0.75, -1.75]
    bound = partial(np.power, 2, dtype=float)
    assert again(bound)(3) == 8.0
    assert again(PureFunction(bound)) == PureFunction(bound)
    assert sum([lab.squared, lab.squared])(3) == 18


def test_a_pure_function_is_the_function_it_holds(load):
    """Wrapped or not, given by name or decorated, a function has one digest."""
    lab = load()
    assert canonical_bytes(PureFunction(lab.shifted)) == canonical_bytes(lab.shifted)
    assert PureFunction(lab.squared) == lab.squared
    assert PureFunction(partial(lab.squared, 1)) == PureFunction(partial(lab.squared.func, 1))
    assert hash(PureFunction(partial(np.sin, 1))) == hash(PureFunction(np.sin))
    assert repr(lab.squared) == "PureFunction(squared)"
    assert lab.squared.__name__ == "squared"


def test_code_that_changes_changes_the_digest(load):
    """The digest follows a function's code and what that reaches; not its comments."""
    before = canonical_bytes(load().shifted)
    assert canonical_bytes(load(SOURCE.replace("x + SHIFT", "x + SHIFT  # moved")).shifted) == before
    assert canonical_bytes(load(SOURCE.replace("SHIFT = 1", "SHIFT = 2")).shifted) != before
    assert canonical_bytes(load(SOURCE.replace("x + SHIFT", "x - SHIFT")).shifted) != before


def test_a_function_that_changed_since_is_not_taken_for_the_old_one(load):
    """What was written by one code is refused when the function has another."""
    form = to_json(load().shifted)
    load(SOURCE.replace("SHIFT = 1", "SHIFT = 2"))
    with pytest.raises(DescriptionError, match="is not what it was"):
        from_json(form)


def test_lambdas_and_inner_functions_count_by_their_code_and_what_they_hold(load):
    """Two closures over different values differ; they can be digested and shown, not saved."""
    lab = load()
    assert canonical_bytes(lab.adder(1)) == canonical_bytes(lab.adder(1)) != canonical_bytes(lab.adder(2))
    large = np.arange(3.0)
    assert canonical_bytes(lab.adder(large)) != canonical_bytes(lab.adder(large + 1))
    with pytest.raises(DescriptionError, match="only functions at the top level of a module") as caught:
        to_json([lab.adder(1)])
    assert "define it at the top level" in str(caught.value)
    form = to_json(lab.adder(1), allow_sources=True)
    assert "lambda x: x + n" in form["$source"]
    with pytest.raises(DescriptionError, match="cannot be made again"):
        from_json(form)


def test_classes_are_values(load):
    """A class is known by its name and its code, as a function is."""
    lab = load()
    for cls in (int, np.float32, dict, lab.Model):
        assert Validator(Type)(cls) is again(cls) is cls
    assert canonical_bytes(lab.Model) != canonical_bytes(
        load(SOURCE.replace("self.n = n", "self.n = -n")).Model
    )
    local = type("Local", (), {})
    with pytest.raises(DescriptionError, match="only classes at the top level"):
        to_json(local)
    assert "code" in to_json(local, allow_sources=True)


@pytest.mark.parametrize(
    "name",
    ["os:system", "subprocess:Popen", "builtins:eval", "builtins:type", "numpy:load", "numpy:save",
     "lab_of_functions:system", "lab_of_functions:SHIFT", "lab_of_functions:gone", "nowhere:f",
     "shutil:rmtree"],
)  # fmt: skip
@pytest.mark.parametrize("tag", ["$function", "$type"])
def test_a_text_cannot_name_what_is_dangerous(name, tag, load):
    """Functions of libraries that do more than compute, and imported names, are refused."""
    load(SOURCE + "from os import system\n")
    with pytest.raises(DescriptionError, match="cannot be used"):
        from_json({tag: name})


@pytest.mark.parametrize(
    "tree",
    [
        {"$composite": "call", "terms": []},
        {"$purefunction": 3},
        {"$partial": {"$type": "builtins:int"}, "args": [], "keywords": {}},
        {"$function": "builtins:int"},
        {"$type": "math:sin"},
    ],
)
def test_damaged_functions_get_an_error(tree):
    """What is no function where one stood is refused."""
    with pytest.raises(DescriptionError, match="cannot be read"):
        from_json(tree)


@pytest.mark.parametrize("wrong", ["x -> x + 1", 3, [].append, None])
def test_other_values_are_no_functions(wrong):
    """Text is never executed, and a method would bring its object along."""
    with pytest.raises(InputError, match="expected a function"):
        Validator(PureFunction)(wrong)
    with pytest.raises(InputError):
        Validator(Callable[[float], float])(3)


def test_what_has_no_name_and_no_code_is_refused():
    """A method of an object cannot be digested."""
    with pytest.raises(DigestError, match="cannot be digested"):
        canonical_bytes([].append)
    with pytest.raises(DigestError, match="cannot be digested"):
        canonical_bytes(np.frompyfunc(len, 1, 1))


def test_annotations_take_functions_as_they_are(load):
    """With or without a signature in brackets, functions are wrapped and keep working."""
    lab = load()
    for annotation in (PureFunction, PureFunction[[float], float]):
        assert Validator(annotation)(lab.shifted)(2.0) == 3.0
    assert Validator(Callable[[float], float])(lab.shifted) is lab.shifted


def test_functions_are_pickled_by_name(load):
    """Decorated, bound and composed functions reach other processes."""
    lab = load()
    for function in (lab.squared, PureFunction(partial(lab.squared, 3)), lab.squared + 1):
        assert pickle.loads(pickle.dumps(function)) == function


def test_what_a_function_is_bound_to_is_copied():
    """A list that was bound to a function cannot change under the task that holds the function."""
    values = [1.0, 2.0]
    kept = owned(PureFunction(partial(np.add, values)) + 1)
    values.append(3.0)
    assert kept(np.zeros(2)).tolist() == [2.0, 3.0]
    function = PureFunction(partial(np.add, 1))
    assert owned(function) is function


def test_functions_with_arrays_compare():
    """Equality and hashes hold for what functions are bound to or combined with, arrays and NaN too."""
    weights = np.array([1.0, np.nan])
    for make in (
        lambda w: PureFunction(partial(np.power, w)),
        lambda w: PureFunction(np.sin) * w,
        lambda w: PureFunction(partial(np.power, [w], x={"w": w})),
    ):
        one, twin, other = make(weights), make(weights.copy()), make(weights.astype("f4"))
        assert one == twin != other
        assert len({one, twin}) == 1


def test_an_array_on_the_left_gives_a_function():
    """``array * f`` is the function that multiplies, like ``f * array``; no array of functions."""
    combined = np.arange(3.0) * PureFunction(np.sin) + np.float64(1)
    assert isinstance(combined, PureFunction)
    assert combined(0.5).tolist() == (np.arange(3.0) * np.sin(0.5) + 1).tolist()
