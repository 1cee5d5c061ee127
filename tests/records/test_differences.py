"""How two runs of a task differ, told by the place of each difference."""

from __future__ import annotations

from typing import Any

import pytest

from smttask.records.differences import MISSING, Described, differing_inputs, find_differences


def described(inputs: dict[str, Any], *, defaults: tuple[str, ...] = (), upstream: Any = None) -> Described:
    """The description of a task with these inputs; what `upstream` has by label stands elsewhere."""
    entry = {"name": "Analyze", "module": "lab", "inputs": inputs, "defaults": list(defaults)}
    elsewhere = upstream or {}
    return Described({"tasks": {"00": entry}}, "00", lambda ref: elsewhere.get(ref.get("label")))


def told(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    found = find_differences(described(old), described(new))
    return [f"{each.place}: {' -> '.join(each.texts)}" for each in found]


MODEL = {"$dataclass": "lab:Model", "fields": {"sigma": 1.0, "mean": {"$tuple": [0, 1]}}}
CASES: list[tuple[Any, Any, list[str]]] = [
    (3.0, 4.0, ["x: 3.0 -> 4.0"]),
    (0.0, -0.0, ["x: 0.0 -> -0.0"]),
    (1, True, ["x: 1 -> True"]),
    ("a", "b", ["x: 'a' -> 'b'"]),
    ([1, 2, 3], [1, 5, 3], ["x[1]: 2 -> 5"]),
    ([1, 2], [1, 2, 3], ["x: [1, 2] -> [1, 2, 3]"]),
    (list(range(7)), list(range(1, 8)), ["x: [0, 1, 2, 3, 4, 5, 6] -> [1, 2, 3, 4, 5, 6, 7]"]),
    ({"a": 1, "b c": 2}, {"a": 1, "b c": 3, "d": 4}, ["x['b c']: 2 -> 3", "x.d: none -> 4"]),
    (MODEL, {**MODEL, "fields": {**MODEL["fields"], "sigma": 2.0}}, ["x.sigma: 1.0 -> 2.0"]),
    ({"$enum": "lab:C", "name": "RED"}, {"$enum": "lab:C", "name": "BLUE"}, ["x: C.RED -> C.BLUE"]),
    ({"$dict": [[1, "a"]]}, {"$dict": [[1, "b"]]}, ["x[1]: 'a' -> 'b'"]),
    ({"$array": [1, 2], "dtype": "<i8"}, {"$array": [1, 3], "dtype": "<i8"}, ["x: [1, 2] -> [1, 3]"]),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "expected"), CASES)
def test_a_difference_is_named_by_its_place(old: Any, new: Any, expected: list[str]) -> None:
    """Fields and items by dotted place, short lists item by item, what is of another kind whole."""
    assert told({"x": old, "y": 1}, {"x": new, "y": 1}) == expected
    assert differing_inputs(described({"x": old, "y": 1}), described({"x": new, "y": 1})) == ["x"]


def test_a_task_that_a_value_replaces_is_told_by_its_name() -> None:
    """Or that replaces a value; one that is not known any more, by its digest."""
    elsewhere = {"run": ({"tasks": {"d157": {"name": "Base", "inputs": {}}}}, "d157")}
    for reference, name in (
        ({"$task": "d157", "label": "run"}, "Base (d157)"),
        ({"$task": "d157"}, "task d157"),
    ):
        task, value = (described({"x": x}, upstream=elsewhere) for x in (reference, 3.0))
        for old, new, texts in ((task, value, (name, "3.0")), (value, task, ("3.0", name))):
            assert [each.texts for each in find_differences(old, new)] == [texts]


def test_equal_inputs_do_not_differ() -> None:
    """Nor does the run that an upstream result came from."""
    old = {"x": [{"$task": "3f", "label": "2026_3f"}], "y": MODEL}
    new = {"x": [{"$task": "3f"}], "y": MODEL}
    assert told(old, new) == []
    assert differing_inputs(described(old), described(new)) == []


def test_arrays_that_look_the_same_are_told_apart_by_content() -> None:
    """The summary of a large array shows only its ends."""
    old, new = (
        {"$array": {"stored": name}, "summary": "float64 (9000,): 0.0 … 1.0"} for name in ("aa", "bb")
    )
    [line] = told({"x": old}, {"x": new})
    assert line.count("float64 (9000,): 0.0 … 1.0 (") == 2


def test_a_difference_is_followed_through_upstream_tasks() -> None:
    """Into their own descriptions or records; the place leads through them."""
    source = {"name": "Source", "module": "lab", "inputs": {"degree": 1}}
    before = ({"tasks": {"3f": source}}, "3f")
    old = described({"x": {"$task": "3f", "label": "a"}}, upstream={"a": before})
    new = described({"x": {"$task": "77"}})
    new.tree["tasks"]["77"] = {**source, "inputs": {"degree": 2}}
    assert [each.place for each in find_differences(old, new)] == ["x.degree"]


def test_lists_of_tasks_are_told_item_by_item() -> None:
    """However many there are, and of whatever length."""
    source = {"name": "Source", "module": "lab", "inputs": {"degree": 1}}
    old = described({"xs": [{"$task": "3f"}]})
    old.tree["tasks"]["3f"] = source
    new = described({"xs": [{"$task": "77"}, {"$task": "3f"}]})
    new.tree["tasks"] |= {"77": {**source, "inputs": {"degree": 2}}, "3f": source}
    told = [f"{each.place}: {' -> '.join(each.texts)}" for each in find_differences(old, new)]
    assert told == ["xs[0].degree: 1 -> 2", "xs[1]: none -> Source (3f)"]


def test_an_upstream_task_of_another_kind_or_without_record_is_named_whole() -> None:
    """What is not known any more is told by its digest."""
    old = described({"x": {"$task": "3f", "label": "gone"}})
    new = described({"x": {"$task": "77"}})
    new.tree["tasks"]["77"] = {"name": "Source", "module": "lab", "inputs": {}}
    [found] = find_differences(old, new)
    assert found.texts == ("task 3f, run gone", "Source (77)")


def test_defaults_are_told_apart_from_what_was_given() -> None:
    """A new argument at its default is no difference; one that is gone is."""
    old = described({"n": 1, "gone": 2}, defaults=("n",))
    new = described({"n": 5, "new": 3}, defaults=("n", "new"))
    found = find_differences(old, new)
    assert [(each.place, each.new, each.is_default) for each in found] == [
        ("n", 5, True),
        ("gone", MISSING, False),
    ]


def test_a_diamond_of_many_levels_is_compared_in_a_moment() -> None:
    """Each pair of tasks is compared once, not once for each path to it."""

    def diamond(leaf: int) -> Described:
        entries: dict[str, Any] = {"0": {"name": "F", "module": "lab", "inputs": {"x": leaf}}}
        for level in range(1, 19):
            inputs = {name: {"$task": f"{level - 1}"} for name in "ab"}
            entries[str(level)] = {"name": "F", "module": "lab", "inputs": inputs}
        renamed = {f"{leaf}-{key}": entry for key, entry in entries.items()}
        for entry in renamed.values():
            for value in entry["inputs"].values():
                if isinstance(value, dict):
                    value["$task"] = f"{leaf}-{value['$task']}"
        return Described({"tasks": renamed}, f"{leaf}-18", lambda ref: None)

    [found] = find_differences(diamond(1), diamond(2))
    assert found.place == ".".join(["a"] * 18 + ["x"])
