"""What a task holds cannot change, and results do not spoil each other."""

from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from pydantic import BaseModel, PrivateAttr

from smttask.errors import InputError
from smttask.typing.ownership import freeze_own, fresh, owned


@dataclass
class Point:
    x: list = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Fixed:
    x: tuple


class Model(BaseModel):
    x: dict
    _cache: list = PrivateAttr(default_factory=list)


@pytest.mark.parametrize("copier", [owned, fresh])
def test_containers_are_copied_at_any_depth(copier):
    """Changing what was handed in changes nothing, however deep it stands."""
    inner = [1]
    value = {"a": (inner, {2}), "b": deque([inner]), "c": Point(inner), "d": Model(x={"y": inner})}
    kept = copier(value)
    inner.append(2)
    value["a"][1].add(3)
    value["d"].x["y"].append(4)
    assert kept["a"] == ([1], {2})
    assert (kept["b"], kept["c"], kept["d"].x) == (deque([[1]]), Point([1]), {"y": [1]})


def test_copies_keep_the_type():
    """A copy has the type of the original, private parts included."""
    model = Model(x={})
    model._cache.append(1)
    copy = owned(model)
    model._cache.append(2)
    assert (type(copy), copy._cache, copy.model_fields_set) == (Model, [1], {"x"})
    assert owned(Fixed(([1],))) == Fixed(([1],))
    fixed = Fixed((1, 2))
    assert owned(fixed) is fixed


def test_an_array_that_can_be_written_is_copied_and_read_only():
    """A task keeps its own read-only copy of an array, in the same memory order."""
    array = np.zeros((2, 3), order="F")
    kept = owned({"x": array})["x"]
    array[:] = 1
    assert not kept.any()
    assert kept.flags.f_contiguous
    with pytest.raises(ValueError, match="read-only"):
        kept[0] = 1


def test_a_read_only_array_that_owns_its_data_is_kept():
    """Read-only arrays travel from task to task without a copy, views of writeable ones do not."""
    array = np.arange(4)
    view = array[1:]
    view.flags.writeable = False
    assert owned(view) is not view
    array.flags.writeable = False
    assert owned(array) is array
    assert owned(view) is view
    assert owned(np.frombuffer(b"abcd", np.uint8)).base is not None


def test_masked_and_object_arrays_are_copied_whole():
    """Masks and the objects in an array belong to what is copied."""
    masked = np.ma.array([1, 2], mask=[False, True])
    objects = np.array([[1], None], dtype=object)
    kept = owned([masked, objects])
    masked[0] = 5
    masked.mask[1] = False
    objects[0].append(2)
    assert kept[0].tolist() == [1, None]
    assert kept[1][0] == [1]
    with pytest.raises(ValueError, match="read-only"):
        kept[0][0] = 7


def test_a_memory_mapped_array_becomes_an_ordinary_one(tmp_path):
    """An input read from a mapped file does not follow the file."""
    np.save(tmp_path / "x.npy", np.arange(3))
    kept = owned(np.load(tmp_path / "x.npy", mmap_mode="r"))
    assert type(kept) is np.ndarray
    assert kept.flags.owndata


def test_structured_scalars_and_generators_are_copied():
    """Structured scalars and random generators can be changed, so each holder has its own."""
    record = np.zeros((), [("a", "i4")])[()]
    rng = np.random.default_rng(1)
    kept = owned([record, rng])
    record["a"] = 5
    first = rng.normal()
    assert kept[0]["a"] == 0
    assert kept[1].normal() == first


def test_results_share_arrays_read_only():
    """A result's array is shared without a copy; one that somebody can write to is copied."""
    array = owned(np.zeros(3))
    assert np.shares_memory(fresh([array])[0], array)
    base = np.zeros(4)
    view = base[1:]
    view.flags.writeable = False
    masked = np.ma.array(base, mask=[True, False, False, False])
    handed = [*fresh([base, base[1:], view]), fresh({"x": masked})["x"].data]
    base[:] = 1
    assert not any(array.any() for array in handed)
    assert not any(array.flags.writeable for array in handed)
    assert base.flags.writeable
    again = fresh(masked)
    assert fresh(again) is again


def test_arrays_that_nobody_else_has_are_made_read_only_in_place():
    """Nothing large is copied to be kept; a buffer that is still in use elsewhere is left alone."""
    buffer = np.zeros(3)
    rows = [np.zeros(2), np.zeros(2)]
    holder = [
        [np.zeros(3), buffer, buffer[1:], "text", 1.0],
        {"x": (np.zeros(3), buffer)},
        Point([np.zeros(3), buffer]),
        Model(x={"y": np.zeros(3), "z": buffer}),
        rows,
        np.zeros(3),
    ]
    freeze_own(holder)
    found = [
        [array.flags.writeable for array in holder[0][:3]],
        [array.flags.writeable for array in holder[1]["x"]],
        [array.flags.writeable for array in holder[2].x],
        [array.flags.writeable for array in holder[3].x.values()],
        [array.flags.writeable for array in holder[4]],
        holder[5].flags.writeable,
    ]
    own_and_other = [False, True]
    assert found == [[*own_and_other, True], *[own_and_other] * 3, [True, True], False]


def test_paths_become_absolute_when_a_task_takes_them(monkeypatch, tmp_path):
    """A path counts from the directory that was current at construction; links stay, results stay."""
    monkeypatch.chdir(tmp_path)
    assert owned({Path("a"): [Path("b/../c")]}) == {tmp_path / "a": [tmp_path / "b/../c"]}
    assert fresh([Path("a")]) == [Path("a")]


def test_objects_of_unknown_types_are_handed_on():
    """What smttask does not know, it neither copies nor refuses here."""
    thing = object()
    assert fresh([thing])[0] is thing
    assert owned(thing) is thing


def test_a_list_inside_itself_is_refused():
    """Data that never ends gets a message."""
    loop: list = []
    loop.append(loop)
    with pytest.raises(InputError, match="contains itself"):
        owned(loop)
