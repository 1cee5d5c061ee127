"""Runs as a record store tells of them, without the rest of their records."""

from __future__ import annotations

from dataclasses import dataclass

from smttask.records.process import Process, is_dead

__all__ = ["OpenRun", "PastRun"]


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A run whose record was opened and not closed yet; `manifest` is relative to the output root."""

    label: str
    task: str
    digest: str
    manifest: str
    process: Process

    @property
    def is_abandoned(self) -> bool:
        """Whether the process that opened the record has surely ended."""
        return is_dead(self.process)


@dataclass(frozen=True, slots=True)
class PastRun:
    """A run of a task, as a new one is compared with it.

    `status` has no underscores, `manifest` is relative to the output root, `parameters` is JSON text.
    """

    label: str
    digest: str
    manifest: str
    status: str
    outcome: str
    parameters: str
