"""A scratch project with the modules of a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from smttask.testing import ScratchProject, scratch_project

Make = Callable[..., ScratchProject]


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Make]:
    """Makes a committed project of the files given, in use until the test ends."""
    with ExitStack() as stack:

        def make(files: dict[str, str], *, folder: Path | None = None, **options: Any) -> ScratchProject:
            return stack.enter_context(scratch_project(folder or tmp_path / "project", files, **options))

        yield make
