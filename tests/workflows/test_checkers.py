"""What type checkers say of collections, seeds and graphs."""

from __future__ import annotations

import subprocess
import sys

import pytest

GOOD = """
from dataclasses import dataclass
from typing import assert_type
from smttask import NonMemoizedTask, ParamColl, SeedGenerator, SeedStream, expand

@NonMemoizedTask
def Measure(n: int, rate: float) -> float:
    return n * rate

@dataclass(frozen=True)
class Model(ParamColl):
    n: int = 1
    rate: float = 1.0

class Seeds(SeedGenerator):
    data: SeedStream[tuple[int, int]]
    noise: SeedStream[int]

models = Model(n=expand([1, 2]), rate=expand([0.5, 1.5]), paramseed=3)
for model in models.outer():
    assert_type(model, Model)
    assert_type(model.n, int)
    assert_type(Measure(**model).run(), float)
assert_type(Seeds(1).noise("key", 2), int)
assert_type(Seeds(1).data(2), tuple[int, int])
for task in Measure(1, 2.0).graph.tasks:
    print(task.name)
"""
BAD = 'Model(n=expand(["a"]))\n'


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mypy", "pyright"])
def test_a_checker_sees_the_types_of_parameters_and_seeds(name, tmp_path):
    """An expanded parameter has the type of its values, an expanded collection its own, a seed its kind."""
    arguments = {
        "mypy": ["mypy", "--strict", "--config-file", "", "--python-executable", sys.executable],
        "pyright": ["pyright", "--pythonpath", sys.executable],
    }[name]
    for text, n_errors in ((GOOD, 0), (GOOD + BAD, 1)):
        (tmp_path / "code.py").write_text(text)
        command = [sys.executable, "-m", *arguments, "code.py"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.stdout.count("error:") == n_errors, done.stdout + done.stderr
