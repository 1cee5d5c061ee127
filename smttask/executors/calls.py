"""Works that are calls of a function, run in this process."""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from time import perf_counter
from types import TracebackType
from typing import Any, Self

from smttask.errors import DescriptionError, OutputError, short_repr
from smttask.executors.messages import Instructions
from smttask.executors.outcome import Outcome
from smttask.executors.telling import Watcher
from smttask.executors.work import Work
from smttask.project import Project, current_project, find_project, use_project
from smttask.settings import config

__all__ = ["Calls", "Held"]

#: Fields of an `Outcome` that a called function may give.
FACTS = frozenset({"status", "error", "details", "is_ours", "reason"})


class Held(Exception):
    """Raised by a called function that may not wait and whose work another process is at, `holder`."""

    def __init__(self, holder: str) -> None:
        super().__init__(holder)
        self.holder = holder


class Calls:
    """Runs calls of functions in this process, one after the other; `with` it.

    Inside, the project is that of the working directory or of the settings, else the one
    around `Instructions.start`, and its folder comes first in ``sys.path``; without a
    project it is the working directory.

    Raises
    ------
    ProjectError, SettingError
        On entry, if the project or its settings cannot be used.
    DescriptionError
        On entry, if a module to be imported cannot be.
    """

    def __init__(self, instructions: Instructions) -> None:
        self.instructions = instructions
        self.project: Project | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.project = current_project() or (
                find_project(self.instructions.start) if self.instructions.start else None
            )
            if self.project is not None:
                stack.enter_context(use_project(self.project))
                self.project.may_fall_back |= self.instructions.may_fall_back
            folder = os.getcwd() if self.project is None else str(self.project.root)
            if folder not in sys.path:
                sys.path.insert(0, folder)
                stack.callback(sys.path.remove, folder)
            stack.enter_context(config.use(**self._settings()))
            for module in self.instructions.imports:
                _import(module, folder)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _settings(self) -> dict[str, Any]:
        """Settings that hold while works are run."""
        chosen: dict[str, Any] = dict(self.instructions.settings)
        if self.instructions.record is not None:
            chosen["record"] = self.instructions.record
        if self.instructions.record_store is not None:
            chosen["record_store"] = self.instructions.record_store
        if self.instructions.imports:
            packages = [module.partition(".")[0] for module in self.instructions.imports]
            trusted = chosen.get("trusted_packages", config.trusted_packages)
            chosen["trusted_packages"] = tuple(dict.fromkeys([*trusted, *packages]))
        return chosen

    @property
    def max_processes(self) -> int | None:
        """Most workers that the settings allow at once."""
        return config.max_processes

    def watcher(self, tell: Callable[[Mapping[str, Any]], object]) -> Watcher:
        """What tells of the works that run here; see `Watcher`."""
        return Watcher(tell)

    def call(self, work: Work, *, wait: bool = True) -> Outcome:
        """What became of `work`, a call; what its function raises comes through.

        Parameters
        ----------
        wait
            Given to the function: whether to wait for what another process is at.

        Raises
        ------
        Held
            If the function may not wait, and would have to.
        """
        begin = perf_counter()
        facts = _function(work.call)(**json.loads(work.arguments or "{}"), wait=wait)
        if not isinstance(facts, Mapping) or "status" not in facts or not facts.keys() <= FACTS:
            raise OutputError(
                f"The function {work.call} did not say what became of {work.name}.",
                f"found: {short_repr(facts)}\nexpected: a mapping with status, and of {sorted(FACTS)}",
                "let it return such a mapping",
            )
        return Outcome(work.name, duration_s=perf_counter() - begin, number=work.number, **facts)


def _function(name: str) -> Callable[..., Any]:
    module, _, attribute = name.partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
    return function


def _import(module: str, folder: str) -> None:
    try:
        importlib.import_module(module)
    except Exception as error:
        raise DescriptionError(
            f"Module {module!r} cannot be imported.",
            f"found: {type(error).__name__}: {error}\nsearched: {folder} and the installed packages",
            "correct the name given to --import, or the module",
        ) from error
