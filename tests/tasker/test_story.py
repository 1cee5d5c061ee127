"""Random stories: whatever happens to files, conf and outputs, a value is that of today's inputs."""

from __future__ import annotations

import os
import random
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from smttask.tasker import JSON, Tasker

N_FILES = 3


@dataclass
class Plan:
    """Some tasks: which take which files, settings and earlier tasks, and which store what they make."""

    stores: list[bool]
    tasks: list[list[int]]
    files: list[list[int]]
    names: list[list[str]]
    ran: list[int] = field(default_factory=list)

    def tasker(self, folder: Path, conf: dict[str, int]) -> Tasker:
        t = Tasker(folder)
        t.conf = dict(conf)
        made = []
        for number in range(len(self.stores)):

            def task(tsk, ins, number=number):
                self.ran.append(number)
                read = [tsk.conf[name] for name in self.names[number]]
                return [read, *(path.read_text() for path in ins[0]), *ins[1]]

            task.__name__ = f"task{number}"
            ins = [[f"{n}.txt" for n in self.files[number]], [made[n] for n in self.tasks[number]]]
            made.append(t.create_task(ins, JSON(f"{number}.json") if self.stores[number] else [])(_two(task)))
        return t

    def value(self, number: int, folder: Path, conf: dict[str, int]) -> list[object]:
        """What a task makes if all is computed anew."""
        texts = [(folder / f"{n}.txt").read_text() for n in self.files[number]]
        read = [conf[name] for name in self.names[number]]
        return [read, *texts, *(self.value(n, folder, conf) for n in self.tasks[number])]


def _two(task):
    def function(tsk, ins):
        return task(tsk, ins)

    function.__name__ = task.__name__
    return function


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    n = draw(st.integers(1, 6))
    return Plan(
        stores=draw(st.lists(st.booleans(), min_size=n, max_size=n)),
        tasks=[draw(st.lists(st.integers(0, i - 1), max_size=3)) if i else [] for i in range(n)],
        files=[draw(st.lists(st.integers(0, N_FILES - 1), max_size=2)) for _ in range(n)],
        names=[draw(st.lists(st.sampled_from("ab"), max_size=2)) for _ in range(n)],
    )


@settings(max_examples=60, deadline=None)
@given(plan=plans(), seed=st.integers(0, 2**32))
def test_a_value_is_always_that_of_the_inputs_as_they_are(plan: Plan, seed: int) -> None:
    """After edits, touches, other versions, spoiled outputs, other settings; then nothing runs."""
    choose = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        folder, conf = Path(name), {"a": 0, "b": 0}
        for number in range(N_FILES):
            (folder / f"{number}.txt").write_text("0")
        for _ in range(6):
            happen(folder, conf, choose)
            t = plan.tasker(folder, conf)
            number = choose.randrange(len(plan.stores))
            assert t.tasks[f"task{number}"]() == plan.value(number, folder, conf)
            plan.ran.clear()
            t = plan.tasker(folder, conf)
            t.tasks[f"task{number}"].update()
            assert plan.ran == []
            assert t.tasks[f"task{number}"].is_current()


def happen(folder: Path, conf: dict[str, int], choose: random.Random) -> None:
    """One thing that users do."""
    file = folder / f"{choose.randrange(N_FILES)}.txt"
    outputs = sorted(folder.glob("*.json"))
    match choose.randrange(7):
        case 0:
            file.write_text(str(choose.randrange(3)))
        case 1:
            other = folder / "other"
            other.write_text(str(choose.randrange(3)))
            os.utime(other, ns=(0, file.stat().st_mtime_ns))
            other.replace(file)
        case 2:
            os.utime(file, ns=(0, choose.randrange(10**18)))
        case 3 if outputs:
            choose.choice(outputs).unlink()
        case 4 if outputs:
            choose.choice(outputs).write_text("0")
        case 5:
            conf[choose.choice("ab")] = choose.randrange(3)
        case 6:
            for state in (folder / ".tasker").glob("*.json"):
                if choose.random() < 0.2:
                    state.write_text("half")
