"""Many folders of one experiment, by groups and short names."""

from __future__ import annotations

import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from smttask.errors import InputError, short_repr
from smttask.tasker.directory import Tasker
from smttask.tasker.discovery import TASKFILE, TASKFILE_SUB, Name, use
from smttask.tasker.files import JSON

__all__ = ["SetTasker"]

GROUPS = "groups.json"
ALIASES = "aliases.json"
MOST_NAMED = 20


class SetTasker(Tasker):
    """The Tasker of a folder above others, which gives theirs by path, by group and by alias.

    ``groups.json`` in the folder names groups: ``{"slow": ["0301/movie1", "0301/movie2"]}``,
    ``aliases.json`` folders: ``{"best": "0301/movie2"}``; both with paths relative to the folder. They are
    read when asked for, so an edit counts at once.

    Parameters
    ----------
    dir, record
        As of `Tasker`.
    taskfile, taskfile_sub
        As in `smttask.tasker.use`, for the folders of the set.

    Examples
    --------
    With a ``taskfile_sub.py`` that defines a task ``size``::

        s = tasker.SetTasker("experiment")
        s.use("0301/movie1").size()
        [t.size() for t in s.grp("slow")]
        s.al("best").menu()
    """

    def __init__(
        self,
        dir: Name = ".",
        *,
        taskfile: Name = TASKFILE,
        taskfile_sub: Name | None = TASKFILE_SUB,
        record: bool = False,
    ) -> None:
        super().__init__(dir, record=record)
        self._taskfile = taskfile
        self._taskfile_sub = taskfile_sub

    def use(self, subdir: Name, **kw: Any) -> Tasker:
        """The Tasker of the folder `subdir`, as its taskfile makes it; see `smttask.tasker.use`.

        Parameters
        ----------
        subdir
            Relative to the folder of the set.

        Raises
        ------
        TaskfileError
            As in `smttask.tasker.use`.
        """
        return use(self.p / subdir, self._taskfile, self._taskfile_sub, **kw)

    @property
    def groups(self) -> dict[str, list[str]]:
        """Paths of folders, relative to this one, by the name of their group.

        Raises
        ------
        InputError
            If ``groups.json`` is missing, or is not made so.
        """
        groups = self._read(GROUPS, '{"slow": ["0301/movie1", "0301/movie2"]}')
        for name, paths in groups.items():
            if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
                raise self._malformed(GROUPS, name, paths, "a list of folders")
        return groups

    def group_paths(self, name: str) -> list[Path]:
        """The folders of the group `name`, absolute, in its order.

        Raises
        ------
        InputError
            If there is no such group, or one of its folders is not there.
        """
        return [
            self._folder(path, f"group {name!r}", GROUPS)
            for path in _named(self.groups, name, "group", self.p / GROUPS)
        ]

    def grp(self, name: str, **kw: Any) -> list[Tasker]:
        """The Taskers of the group `name`, in its order.

        Raises
        ------
        InputError
            If there is no such group, or one of its folders is not there.
        TaskfileError
            As in `smttask.tasker.use`.
        """
        return [self.use(path, **kw) for path in self.group_paths(name)]

    @property
    def aliases(self) -> dict[str, str]:
        """Paths of folders, relative to this one, by their short names.

        Raises
        ------
        InputError
            If ``aliases.json`` is missing, or is not made so.
        """
        aliases = self._read(ALIASES, '{"best": "0301/movie2"}')
        for name, path in aliases.items():
            if not isinstance(path, str):
                raise self._malformed(ALIASES, name, path, "a folder")
        return aliases

    def alias_path(self, name: str) -> Path:
        """The folder with the short name `name`, absolute.

        Raises
        ------
        InputError
            If there is no such alias, or no such folder.
        """
        return self._folder(_named(self.aliases, name, "alias", self.p / ALIASES), f"alias {name!r}", ALIASES)

    def al(self, name: str, **kw: Any) -> Tasker:
        """The Tasker of the folder with the short name `name`.

        Raises
        ------
        InputError
            If there is no such alias, or no such folder.
        TaskfileError
            As in `smttask.tasker.use`.
        """
        return self.use(self.alias_path(name), **kw)

    def _read(self, filename: str, example: str) -> dict[str, Any]:
        path = self.p / filename
        if not path.is_file():
            raise InputError(
                f"There is no {filename} in {self.p}.",
                "found: nothing of this name",
                f"write one, such as {example}",
                path=path,
            )
        found = JSON(path).read()
        if not isinstance(found, dict):
            raise InputError(
                f"{path} is not made as it should be.",
                f"found: {short_repr(found)}",
                f"expected: such as {example}",
                path=path,
            )
        return found

    def _malformed(self, filename: str, name: str, found: object, expected: str) -> InputError:
        path = self.p / filename
        return InputError(
            f"{path} is not made as it should be.",
            f"found: {short_repr(found)} for {name!r}\nexpected: {expected}, as text",
            f"edit {filename}",
            path=path,
        )

    def _folder(self, subdir: str, whose: str, filename: str) -> Path:
        path = Path(os.path.abspath(self.p / subdir))
        if not path.is_dir():
            raise InputError(
                f"There is no folder {path}, of {whose}.",
                f"found: {'a file' if path.exists() else 'nothing'} there",
                f"make it, or edit {self.p / filename}",
                path=path,
            )
        return path


def _named(known: Mapping[str, Any], name: str, kind: str, path: Path) -> Any:
    if name in known:
        return known[name]
    near = get_close_matches(str(name), known, n=1)
    listed = ", ".join(list(known)[:MOST_NAMED]) + (", …" if len(known) > MOST_NAMED else "")
    raise InputError(
        f"There is no {kind} {name!r}.",
        f"known: {listed or 'none'}",
        f"did you mean {near[0]!r}?" if near else f"add it to {path}",
        path=path,
    )
