"""The code of tasks: what a task reaches is read once, then only looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.measure import OURS, Round, Samples, alternate, repeated
from benchmarks.workbench import Workbench

__all__ = ["fingerprint_again", "first_fingerprint"]

N_MODULES = 10
N_FUNCTIONS = 5  # in each module

FUNCTION = '''
def step_{module}_{number}(x: float) -> float:
    """One step of many."""
    total = SCALE
    for power in range(3):
        total += x**power if x > power else -x
    return total{call}

'''


def first_fingerprint(bench: Workbench) -> Samples:
    """The first fingerprint in a process of a task that reaches many functions in many modules."""
    with bench.project(_modules()) as scratch:
        found: list[dict[str, float]] = []

        def ours() -> float:
            found.append(bench.child(scratch, "code", "reaching", "Reaching"))
            return found[-1][OURS]

        return alternate(bench.scale.slow_rounds, {OURS: ours, "ast.parse": lambda: found[-1]["ast.parse"]})


def fingerprint_again(bench: Workbench) -> Samples:
    """The same asked again, with nothing changed."""
    with bench.project(_modules()) as scratch:
        task: Any = scratch.load("reaching").Reaching
        fingerprint = task.own_fingerprint()
        if len(fingerprint.parts) <= N_MODULES * N_FUNCTIONS:
            raise RuntimeError(f"only {len(fingerprint.parts)} parts are reached")
        places = _places(scratch, fingerprint.parts)

        def look(_: int) -> bool:
            for namespace, name, value in places:  # noqa: SIM110 - as fast as Python can compare
                if namespace[name] is not value:
                    return False
            return True

        contenders: dict[str, Round] = {
            OURS: repeated(bench.scale, lambda _: task.own_fingerprint()),
            "look at each name": repeated(bench.scale, look),
        }
        return alternate(bench.scale.rounds, contenders)


def _places(scratch: Any, parts: Any) -> list[tuple[dict[str, Any], str, Callable[..., Any]]]:
    """Every function reached, with the namespace that it stands in."""
    places = []
    for part in parts:
        module, _, name = part.partition(":")
        namespace = vars(scratch.load(module))
        if name in namespace:
            places.append((namespace, name, namespace[name]))
    return places


def _modules() -> dict[str, str]:
    """A task and the modules that it reaches, each function calling the next."""
    files = {}
    for module in range(N_MODULES):
        text = f"from reached import module_{module + 1}\n\n" if module < N_MODULES - 1 else ""
        text += f"SCALE = {module}.5\n\n"
        for number in range(N_FUNCTIONS):
            call = f" + step_{module}_{number + 1}(x)"
            if number == N_FUNCTIONS - 1:
                following = f" + module_{module + 1}.step_{module + 1}_0(x)"
                call = following if module < N_MODULES - 1 else ""
            text += FUNCTION.format(module=module, number=number, call=call)
        files[f"reached/module_{module}.py"] = text
    files["reached/__init__.py"] = ""
    files["reaching.py"] = (
        "from smttask import RecordedTask\n\nfrom reached.module_0 import step_0_0\n\n\n"
        "@RecordedTask\ndef Reaching(x: float) -> float:\n    return step_0_0(x)\n"
    )
    return files
