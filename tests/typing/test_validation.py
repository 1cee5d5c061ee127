"""What arguments take, and how they refuse."""

import pickle
import sys
import typing
from collections.abc import Iterator
from dataclasses import InitVar, dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, TypeVar

import numpy as np
import pytest
from annotated_types import Ge, MinLen
from pydantic import BaseModel
from typing_extensions import TypeAliasType

from smttask.errors import InputError, SignatureError
from smttask.protocols import Runnable
from smttask.typing import Array
from smttask.typing.validation import Validator, annotation_name


class Upstream(Runnable):
    """A task, as far as values are concerned."""

    digest = "d" * 20
    full_digest = "f" * 20


TASK = Upstream()
T = TypeVar("T")


class Color(IntEnum):
    RED = 1


@dataclass
class Grid:
    n: int
    steps: list[float] = field(default_factory=list)
    weights: np.ndarray[tuple[int, int], np.dtype[np.float64]] | None = None
    finer: "Grid | None" = None


@dataclass(frozen=True)
class Box(Generic[T]):
    content: T


@dataclass
class Scaled:
    x: float
    factor: InitVar[float] = 2.0

    def __post_init__(self, factor):
        self.x = self.x * factor


class Model(BaseModel):
    x: float
    y: list[int] = [1]


@dataclass
class Step:
    n: int


class Loose(BaseModel):
    step: Step
    x: float = 1.0


class Pair(NamedTuple):
    a: int
    b: np.ndarray


Tree = TypeAliasType("Tree", "list[Tree] | int")
Named = TypeAliasType("Named", dict[str, T], type_params=(T,))


def same(left, right):
    return type(left) is type(right) and left == right


@pytest.mark.parametrize(
    ("annotation", "given", "expected"),
    [
        (float, 3, 3.0),
        (float, "1.5", 1.5),
        (float, np.float32(2.5), 2.5),
        (float, np.float64(2.5), 2.5),
        (float, np.longdouble(2), 2.0),
        (float, np.array(2.0), 2.0),
        (int, 2.0, 2),
        (int, np.int64(3), 3),
        (int, np.float32(2), 2),
        (complex, np.complex64(1j), 1j),
        (complex, 2, 2 + 0j),
        (bool, np.True_, True),
        (str, np.str_("a"), "a"),
        (bytes, np.bytes_(b"a"), b"a"),
        (float | int, 3, 3),
        (float | int, 3.0, 3.0),
        (float | int, np.int64(3), 3),
        (list[float], (1, np.float32(2)), [1.0, 2.0]),
        (tuple[int, ...], [1, 2], (1, 2)),
        (set[int], [1, 2], {1, 2}),
        (dict[str, list[int] | None], {"a": [np.int8(1)]}, {"a": [1]}),
        (Literal["a", 1], np.int64(1), 1),
        (Annotated[int, Ge(2)], np.int64(5), 5),
        (Annotated[list[float], MinLen(1)], [1], [1.0]),
        (NewType("Metres", float), 3, 3.0),
        (Path, "a/b", Path("a/b")),
        (Color, 1, Color.RED),
        (Tree, [1, [np.int64(2)]], [1, [2]]),
        (Named[float], {"a": 1}, {"a": 1.0}),
        (slice, [1, 2, None], slice(1, 2, None)),
        (range, [0, 3, 1], range(3)),
    ],
)
def test_values_are_converted_as_one_would_expect(annotation, given, expected):
    """Pydantic's conversions apply and numpy scalars count as their Python kin."""
    assert same(Validator(annotation)(given), expected)


@pytest.mark.parametrize(
    ("annotation", "given", "place"),
    [
        (int, 2.7, "x"),
        (int, np.float32(2.5), "x"),
        (int, True, "x"),
        (float, True, "x"),
        (float, np.True_, "x"),
        (complex, True, "x"),
        (float | int, False, "x"),
        (Literal[1, 2], True, "x"),
        (Color, True, "x"),
        (list[float], [1.0, True], "x[1]"),
        (list[list[int]], [[1], [2.5]], "x[1][0]"),
        (dict[str, float], {"a": True}, "x['a']"),
        (dict[int, str], {2.5: "a"}, "x[2.5] (key)"),
        (Grid, Grid(True), "x.n"),
        (Grid, Grid(1, finer=Grid(2.5)), "x.finer.n"),
        (Grid, {"n": 1, "finer": {"n": 2.5}}, "x['finer']['n']"),
        (Pair, (True, [1]), "x[0]"),
        (Box[int], Box(True), "x.content"),
    ],
)
def test_nothing_is_cut_and_a_bool_is_no_number(annotation, given, place):
    """A float is never cut to an integer and a bool is never a number, at any depth."""
    with pytest.raises(InputError) as caught:
        Validator(annotation, place="x")(given)
    assert caught.value.place == place


def test_errors_name_place_expected_and_given():
    """The message tells the place in the data, what was expected and what was given."""
    with pytest.raises(InputError) as caught:
        Validator(list[float], place="x")([1.0, "a", "b", "c", "d"])
    assert str(caught.value).splitlines() == [
        "x[1] does not take 'a' (str).",
        "  x[1]: expected a valid number, unable to parse string as a number; given 'a' (str)",
        "  x[2]: expected a valid number, unable to parse string as a number; given 'b' (str)",
        "  x[3]: expected a valid number, unable to parse string as a number; given 'c' (str)",
        "  and 1 more",
        "  give x as list[float]",
    ]


def test_errors_survive_the_way_to_another_process():
    """An input error pickles with its place and message."""
    with pytest.raises(InputError) as caught:
        Validator(Grid, place="x")(Grid(1, finer=Grid(2.5)))
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.place, str(again)) == ("x.finer.n", str(caught.value))


def test_the_caller_may_name_the_place():
    """The place given at the call stands in the message."""
    with pytest.raises(InputError, match=r"^Analyze\.x does not take 'a'"):
        Validator(int)("a", place="Analyze.x")


@pytest.mark.parametrize(
    ("annotation", "given"),
    [
        (float, TASK),
        (Grid, TASK),
        (Array[float, 2], TASK),
        (Literal["a"], TASK),
        (list[float], [TASK, 1.0]),
        (tuple[int, str], (TASK, "a")),
        (dict[str, list[int]], {"a": [TASK, 2]}),
        (set[int], {TASK, 1}),
        (Grid, Grid(TASK, [TASK, 1.0])),
        (Array, [TASK, 1]),
    ],
)
def test_a_task_stands_wherever_its_value_may(annotation, given):
    """Tasks pass unchanged in place of the value and at any depth of it."""
    assert Validator(annotation)(given) == given


def test_values_beside_a_task_are_still_converted():
    """A task in a list does not keep its neighbours from being converted or refused."""
    assert same(Validator(list[float])([TASK, 1])[1], 1.0)
    with pytest.raises(InputError):
        Validator(list[float])([TASK, True])


def test_a_model_given_as_a_dict_may_hold_tasks():
    """A pydantic model with a task inside is built from a dict, its other fields converted."""
    model = Validator(Model)({"x": TASK, "y": ["2"]})
    assert (type(model), model.x, model.y) == (Model, TASK, [2])
    with pytest.raises(InputError, match="a value for 'x', which is missing"):
        Validator(Model)({"y": [TASK]})


def test_models_keep_their_own_rules():
    """Inside the user's own pydantic models pydantic's rules hold, outside ours."""
    assert Validator(Model)({"x": True}).x == 1.0
    assert Validator(tuple[Loose, Step])(({"step": {"n": True}}, {"n": 1}))[0].step.n == 1
    with pytest.raises(InputError):
        Validator(tuple[Loose, Step])(({"step": {"n": 1}}, {"n": True}))


def test_a_dataclass_object_that_fits_is_taken_as_it_is():
    """Validation neither copies a fitting dataclass object nor runs its __post_init__ again."""
    scaled = Scaled(1.0)
    assert Validator(Scaled)(scaled) is scaled
    assert Validator(Scaled)({"x": 1, "factor": 3}).x == 3.0
    odd = Scaled(1.0)
    odd.x = 4
    assert same(Validator(Scaled)(odd).x, 4.0)
    assert same(odd.x, 4)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"steps": []}, "missing: n"),
        ({"n": 1, "m": 2}, "no field of this name"),
        (3, "a Grid or a dict of its fields"),
    ],
)
def test_a_dict_for_a_dataclass_must_have_its_fields(given, message):
    """Missing and unknown fields of a dataclass given as a dict are named."""
    with pytest.raises(InputError, match=message):
        Validator(Grid)(given)


def test_a_dataclass_that_refuses_its_fields_says_why():
    """The error of a dataclass's own __post_init__ stands in the message."""

    @dataclass
    class Positive:
        x: float

        def __post_init__(self):
            if self.x < 0:
                raise ValueError("x is negative")

    with pytest.raises(InputError, match="x is negative"):
        Validator(Positive)({"x": -1})


def test_arrays_inside_dataclasses_are_converted():
    """NDArray annotations hold in the fields of dataclasses too."""
    grid = Validator(Grid)(Grid(1, weights=[[1, 2]]))
    assert grid.weights.dtype == np.float64
    with pytest.raises(InputError, match="with 2 axes"):
        Validator(Grid)(Grid(1, weights=[1, 2]))


def test_iterators_and_files_are_refused(tmp_path):
    """What can be read only once is no input, wherever it stands."""
    with pytest.raises(InputError, match="can be read only once"):
        Validator(Any)(iter([1]))
    with pytest.raises(InputError, match="read only once"):
        Validator(list[list[float]])([[1], iter([1])])
    with open(tmp_path / "x", "w") as file, pytest.raises(InputError, match="can be read only once"):
        Validator(Any)(file)
    assert next(Validator(Iterator[int], iterators=True)(iter([1]))) == 1


def test_plain_classes_are_checked_by_isinstance():
    """A class that pydantic does not know takes its own objects and nothing else."""

    class Plain:
        pass

    plain = Plain()
    assert Validator(Plain)(plain) is plain
    with pytest.raises(InputError, match="an instance of"):
        Validator(Plain)(3)


def test_data_that_contains_itself_is_refused():
    """A list inside itself gets a message, not a crash."""
    loop: list = []
    loop.append(loop)
    with pytest.raises(InputError):
        Validator(Tree)(loop)
    chain = Grid(1)
    for _ in range(sys.getrecursionlimit()):
        chain = Grid(1, finer=chain)
    with pytest.raises(InputError):
        Validator(Grid)(chain)


@pytest.mark.parametrize(
    ("annotation", "message"),
    [("Foo", "a str is no type"), (3, "a int is no type"), (list["Missing"], "not defined")],  # noqa: F821
)
def test_annotations_that_mean_nothing_are_refused(annotation, message):
    """An annotation that can validate nothing is an error when the function is decorated."""
    with pytest.raises(SignatureError, match=message):
        Validator(annotation, place="x")


def test_a_dataclass_with_unknown_names_is_refused():
    """A dataclass whose annotations cannot be resolved names what is not defined."""

    @dataclass
    class Torn:
        x: "Missing"  # noqa: F821

    with pytest.raises(SignatureError, match="'Missing', which is not defined"):
        Validator(Torn)


def test_annotations_are_shown_as_they_are_written():
    """Messages show an annotation without module names."""
    assert annotation_name(dict[str, float]) == "dict[str, float]"
    assert annotation_name(list[Array[float]]) == "list[an array of float64]"
    assert annotation_name(None) == "None"
    assert repr(Validator(int | None)) == "Validator(int | None)"


@pytest.mark.parametrize("annotation", [typing.Iterable, typing.Sequence, typing.Mapping])
def test_a_container_without_item_types_takes_any_items(annotation):
    """As those of typing are written without brackets."""
    value = {"a": 1} if annotation is typing.Mapping else [1, "a"]
    assert Validator(annotation)(value) == value
