from __future__ import annotations

from types import SimpleNamespace

import pytest

from smttask.testing import ScratchProject


@pytest.fixture
def lab(laboratory: ScratchProject) -> SimpleNamespace:
    """A project with a few runs: two of Square, one of Ramp that needs one of them."""
    tasks = laboratory.load("tasks")
    four = tasks.Square(2.0, reason="first")
    ramp = tasks.Ramp(four)
    ramp.run()
    tasks.Square(3.0).run()
    return SimpleNamespace(
        scratch=laboratory,
        project=laboratory.project,
        tasks=tasks,
        root=laboratory.root,
        four=four,
        ramp=ramp,
    )
