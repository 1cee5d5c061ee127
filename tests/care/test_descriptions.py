"""Description files as people read them."""

import json

import numpy as np
import pytest

from smttask.care.descriptions import find_paths, humanize, read_json_file, readable_tasks
from smttask.errors import DescriptionError
from smttask.typing.jsonform import to_json


def test_each_task_of_a_description_stands_once(lab):
    """The task itself first, then those it depends on."""
    text = humanize(json.loads(json.dumps(dict(lab.ramp.desc))))
    assert text == (
        f"Ramp (tasks) {lab.ramp.digest}\n"
        f"  x: task Square {lab.four.digest}\n"
        "  n: 20000  (default)\n"
        f"Square (tasks) {lab.four.digest}\n"
        "  reason: first\n"
        "  x: 2.0"
    )


def test_an_array_is_one_line(lab):
    """Dtype, shape, and its ends, however it stands in the file."""
    short, long = to_json(np.arange(6.0).reshape(2, 3)), to_json(np.arange(1000))
    masked = to_json(np.ma.masked_array([1, 2], [True, False]))
    inputs = {"short": short, "long": long, "masked": masked, "empty": to_json(np.zeros(0))}
    tree = {"task": "3f", "tasks": {"3f": {"name": "T", "module": "m", "inputs": inputs}}}
    assert humanize(tree).splitlines()[1:] == [
        "  short: array <f8 (2, 3): 0.0 1.0 2.0 … 5.0",
        "  long: array int64 (1000,): 0 1 2 … 999",
        "  masked: masked array <i8 (2,): 0 2",
        "  empty: array <f8 (0,): ",
    ]
    assert readable_tasks(tree)[0]["inputs"]["long"] == "array int64 (1000,): 0 1 2 … 999"


def test_a_long_chain_of_tasks_is_no_trouble():
    """Nothing depends on how deep tasks stand in each other."""
    tasks = {
        str(n): {"name": "T", "module": "m", "inputs": {"x": {"$task": str(n - 1)} if n else 0}}
        for n in range(5000)
    }
    assert len(humanize({"task": "4999", "tasks": tasks}).splitlines()) == 10_000


@pytest.mark.parametrize(
    "tree", [None, 1, [], {}, {"tasks": 1}, {"tasks": {"a": {"inputs": []}}}, [{"a": [1]}]]
)
def test_any_json_becomes_text(tree):
    """Foreign files are shown as far as they can be."""
    assert isinstance(humanize(tree), str)


def test_paths_lead_through_lists_and_dicts():
    """Keys and plain values count, in whatever case."""
    tree = {"a": [{"Sigma": {"x": 1}}], "b": "has sigma in it", "c": 5}
    assert [path for path, _ in find_paths(tree, "SIGMA")] == ["a[0].Sigma", "b"]
    assert find_paths(tree, "5") == [("c", "5")]


def test_manifests_are_read_line_by_line(lab):
    """They are JSON lines."""
    tree = read_json_file(lab.ramp.resultpaths[0])
    assert ("[0].task", "'Ramp'") in find_paths(tree, "Ramp")


@pytest.mark.parametrize(
    ("data", "what"), [(b"{", "is no JSON"), (b"\xff", "cannot be read"), (b"[" * 200_000, "nested too deep")]
)
def test_what_is_no_json_is_told(tmp_path, data, what):
    """With the name of the file."""
    path = tmp_path / "x.json"
    path.write_bytes(data)
    with pytest.raises(DescriptionError, match=f"x.json {what}|x.json is {what}"):
        read_json_file(path)
