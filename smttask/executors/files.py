"""Which description files are meant by the paths that a user gives."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from smttask.errors import DescriptionError

__all__ = ["SUFFIX", "check_paths", "iter_files"]

SUFFIX = ".taskdesc.json"


def check_paths(paths: Sequence[str]) -> None:
    """Raise `DescriptionError` if a path leads nowhere.

    A missing description file beside others that are there is let pass: a shell listed
    it, and another process finished it since.
    """
    missing = [path for path in paths if not os.path.exists(path)]
    finished = [
        path for path in missing if path.endswith(SUFFIX) and os.path.isdir(os.path.dirname(path) or ".")
    ]
    if missing and (len(missing) == len(paths) or len(missing) > len(finished)):
        first = next((path for path in missing if path not in finished), missing[0])
        others = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise DescriptionError(
            f"There is no file or folder {first}{others}.",
            f"searched from: {os.getcwd()}",
            "task.save(folder) writes description files",
            source=first,
        )


def iter_files(paths: Sequence[str], *, reverse: bool = False) -> Iterator[str]:
    """Each description file once: the files given, and those found in folders, sorted by name.

    Parameters
    ----------
    paths
        Files, taken whatever their names, and folders, searched recursively for
        ``*.taskdesc.json``; hidden folders are left out.
    reverse
        Begin at the end of what would come otherwise.
    """
    seen: set[str] = set()
    for path in reversed(paths) if reverse else paths:
        real = os.path.realpath(path)
        for below in _walk(path, reverse) if os.path.isdir(path) else [""]:
            if (key := real + below) not in seen:
                seen.add(key)
                yield path.rstrip(os.sep) + below


def _walk(folder: str, reverse: bool) -> Iterator[str]:
    """What to add to `folder` for each description file below it, in the order of their paths."""
    stack = [("", True)]
    while stack:
        below, is_dir = stack.pop()
        if not is_dir:
            yield below
            continue
        try:
            with os.scandir(folder + below) as entries:
                found = [
                    (f"{below}{os.sep}{entry.name}", is_dir)
                    for entry in entries
                    if ((is_dir := entry.is_dir(follow_symlinks=False)) and not entry.name.startswith("."))
                    or (entry.name.endswith(SUFFIX) and entry.is_file())
                ]
        except FileNotFoundError:
            continue
        except OSError as error:
            raise DescriptionError(
                f"The folder {folder}{below} cannot be searched for description files.",
                f"found: {error.strerror}",
                "give yourself the right to read it, or name the files",
                source=folder + below,
            ) from error
        stack.extend(sorted(found, reverse=not reverse))
