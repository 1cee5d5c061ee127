"""A scratch project with the modules of a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from smttask.testing import ScratchProject, scratch_project

Make = Callable[[dict[str, str]], ScratchProject]


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Make]:
    """Makes a committed project of the files given, in use until the test ends."""
    with ExitStack() as stack:
        yield lambda files: stack.enter_context(scratch_project(tmp_path / "project", files))
