"""What becomes of files that are not as they were written: kept aside, told once, never found again."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from smttask.errors import DamagedResultError
from smttask.storage.layout import DAMAGED_DIR

__all__ = ["DamageKeeper", "DamageWitness", "OnDamaged", "find_aside", "move_aside"]

# Called with the place where a damaged file is kept and with what was found.
OnDamaged: TypeAlias = Callable[[Path, str], None]


class DamageKeeper:
    """Sets damaged files aside and tells each once; what cannot be moved is remembered and passed over."""

    def __init__(self) -> None:
        self._stuck: set[str] = set()

    def is_stuck(self, path: str) -> bool:
        """Whether the file at `path` is damaged and could not be moved away."""
        return bool(self._stuck) and os.path.realpath(path) in self._stuck

    def set_aside(self, manifest: str) -> tuple[Path, bool, str]:
        """Move a result with all its files to ``.damaged`` beside it.

        Returns where the manifest is now, whether it was us who moved it, and why it stays if it does.
        """
        path = os.path.realpath(manifest)
        folder, name = os.path.split(path)
        label = name.removesuffix(".json")
        try:
            others = [n for n in os.listdir(folder) if n.startswith((f"{label}_", f"{label}.")) and n != name]
            return *move_aside(folder, [name, *others]), ""
        except OSError as error:
            self._stuck.add(path)
            return Path(path), True, f"\nit stays where it is: {error.strerror}"

    def keep_result(self, manifest: str, error: DamagedResultError, on_damaged: OnDamaged | None) -> None:
        """Set aside the result of `manifest`; one that a newer smttask wrote stays where it is."""
        if getattr(error, "is_newer", False):
            place, is_ours, why = Path(os.path.realpath(manifest)), True, ""
            self._stuck.add(str(place))
        else:
            place, is_ours, why = self.set_aside(manifest)
        if on_damaged is not None and is_ours:
            on_damaged(place, error.found + why)

    def keep_link(self, link: str, reason: str, on_damaged: OnDamaged | None) -> None:
        """Set aside a link that leads to the wrong place; what it leads to stays."""
        if link in self._stuck:
            return
        place, is_ours, reason = Path(link), True, f"{link}\n{reason}"
        try:
            place, is_ours = move_aside(os.path.dirname(link), [os.path.basename(link)])
        except OSError as error:
            self._stuck.add(link)
            reason = f"{reason}\nit stays where it is: {error.strerror}"
        if on_damaged is not None and is_ours:
            on_damaged(place, reason)


class DamageWitness(DamageKeeper):
    """Tells of damaged files and leaves all where it is, for those who only look."""

    def is_stuck(self, path: str) -> bool:
        """False: what is damaged is told each time."""
        return False

    def keep_result(self, manifest: str, error: DamagedResultError, on_damaged: OnDamaged | None) -> None:
        """Tell of the result of `manifest`."""
        if on_damaged is not None:
            on_damaged(Path(os.path.realpath(manifest)), error.found)

    def keep_link(self, link: str, reason: str, on_damaged: OnDamaged | None) -> None:
        """Tell of the link."""
        if on_damaged is not None:
            on_damaged(Path(link), f"{link}\n{reason}")


def find_aside(path: str | os.PathLike[str]) -> Path | None:
    """Where the file that stood at `path` is kept since it was set aside; None if it was not."""
    folder, name = os.path.split(path)
    aside = f"{folder}/{DAMAGED_DIR}"
    try:
        kept = [found for found in os.listdir(aside) if found == name or found.startswith(f"{name}.")]
    except OSError:
        return None
    return Path(aside, max(kept, key=len)) if kept else None


def move_aside(folder: str, names: list[str]) -> tuple[Path, bool]:
    """Move files of `folder` to its ``.damaged``; returns where the first now is, and whether we moved it."""
    aside = f"{folder}/{DAMAGED_DIR}"
    os.makedirs(aside, exist_ok=True)
    ending, n = "", 0
    while any(os.path.lexists(f"{aside}/{name}{ending}") for name in names):
        n += 1
        ending = f".{n}"
    moved = []
    for name in names:
        try:
            os.rename(f"{folder}/{name}", f"{aside}/{name}{ending}")
            moved.append(name)
        except FileNotFoundError:  # another process was faster
            continue
    return Path(f"{aside}/{names[0]}{ending}"), names[0] in moved
