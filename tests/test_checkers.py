"""What type checkers say of code that uses smttask."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"

GOOD = """
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, assert_type
from smttask import Create, Join, NonMemoizedTask, RecordedIterativeTask, RecordedTask
from smttask import Task, TaskOutput, UnpureMemoizedTask, output_dir
from smttask.typing import OutputFile, Pickled, SeparateOutputs

class Model:
    def __init__(self, rate: float, n: int = 1) -> None:
        self.rate = rate

@NonMemoizedTask
def Numbers(n: int) -> Iterator[int]:
    yield from range(n)

@RecordedTask
def Train(n: int) -> Pickled[Model]:
    return Model(1.0, n)

assert_type(Train(n=3).run(), Model)

@RecordedTask
def Write(n: int) -> OutputFile:
    return output_dir() / "out.txt"

@RecordedTask
def Split(n: int) -> Annotated[tuple[float, ...], SeparateOutputs(lambda n: ["a"] * n)]:
    return (1.0,) * n

@RecordedTask
def Analyze(x: float, dt: float = 1.0) -> list[float]:
    return [x * dt]

@RecordedTask(name="lab.total")
def Total(values: list[float]) -> float:
    return sum(values)

class Grown(TaskOutput):
    n: int
    size: float

@RecordedIterativeTask("n", map={"n": "start", "size": "size"})
def Grow(n: int, size: float = 1.0, start: int = 0) -> Grown:
    return Grown(n, size * 2 ** (n - start))

@UnpureMemoizedTask
def Read(channel: int) -> float:
    return 20.5

assert_type(Grow(n=3).run(), Grown)
assert_type(Grow(n=3).run().size, float)
assert_type(Analyze(Read(1).as_input).run(), list[float])

task = Analyze(2.0, dt=0.5)
assert_type(task.run(reason="first look"), list[float])
assert_type(Total(task.as_input).run(), float)
assert_type(Analyze.bind(dt=0.5)(x=2.0).run(), list[float])
assert_type(Create(Model)(rate=1.0).run(), Model)
assert_type(Task.from_desc("task.json").run(), Any)
assert_type(Analyze.from_desc("task.json").run(), list[float])
assert_type(Join(task, task).run(), list[list[float]])
assert_type(Numbers(3).run(), Iterator[int])
assert_type(Write(3).run(), Path)
assert_type(Split(3).run(), tuple[float, ...])
assert_type(Analyze.map(x=[1.0, 2.0], dt=0.5)[0].run(), list[float])
"""
BAD = 'Analyze(2.0, dt="x")\n'


def checker(name, *files):
    """Run a type checker on `files`; its exit status and what it printed."""
    arguments = {
        "mypy": ["mypy", "--strict", "--config-file", "", "--python-executable", sys.executable],
        "pyright": ["pyright", "--pythonpath", sys.executable],
    }[name]
    done = subprocess.run(
        [sys.executable, "-m", *arguments, *map(str, files)],
        cwd=files[0].parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mypy", "pyright"])
def test_a_checker_sees_arguments_and_result_of_a_task(name, tmp_path):
    """Calls are checked against the function's signature, and `run()` has its return type."""
    (tmp_path / "good.py").write_text(GOOD)
    status, said = checker(name, tmp_path / "good.py")
    assert status == 0, said
    (tmp_path / "bad.py").write_text(GOOD + BAD)
    status, said = checker(name, tmp_path / "bad.py")
    assert status == 1, said
    assert "dt" in said
    assert said.count("error:") == 1, said


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mypy", "pyright"])
@pytest.mark.parametrize("example", ["sunspots", "tasker_many"])
def test_a_checker_accepts_the_examples(name, example):
    """An example project is clean under strict checking."""
    status, said = checker(name, *sorted((EXAMPLES / example).glob("*.py")))
    assert status == 0, said
