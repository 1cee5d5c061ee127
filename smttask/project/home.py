"""Which host writes the record store of a project, where several hosts share its files.

The file ``.smt/home`` names it. SQLite on a network file system is for the processes of one host;
those of others keep a journal (see `smttask.records.journal`).
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from smttask.errors import ProjectError, RecordStoreWarning, warn
from smttask.process import Host, this_host

__all__ = ["Home"]


class Home:
    """The host at which a project is at home.

    The claim is void in a copy of the project, known by the number of the file: a project that was
    copied to another computer is at home there.

    Parameters
    ----------
    root
        Of the project.

    Examples
    --------
    >>> Home(Path("/nowhere")).is_here(is_shared=False)
    True
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.path = root / ".smt" / "home"
        self._seen: tuple[tuple[int, int] | None, Host | None] = (None, None)
        self._told: Host | None = None

    def is_here(self, *, is_shared: bool) -> bool:
        """Whether this host writes the record store; says so once if another does.

        Parameters
        ----------
        is_shared
            Whether other hosts may write there too. Then, if nobody did, this host claims it.
        """
        host = self.host()
        if host is None and is_shared:
            host = self.claim()
        if host is None or host.is_same(this_host()):
            return True
        if self._told != host:
            self._told = host
            warn(
                f"Records of runs on {this_host().name} are kept in a journal: {host.name} writes the record "
                f"store of {self.root}, and takes them in at its next run.\n"
                "to write it here from now on: smttask store rebuild --here",
                RecordStoreWarning,
            )
        return False

    def host(self) -> Host | None:
        """The host that the file names; None if there is none, or only that of a project copied from."""
        try:
            stat = os.stat(self.path)
        except OSError:
            return None
        key = stat.st_ino, stat.st_mtime_ns
        if self._seen[0] != key:
            self._seen = key, self._read(stat.st_ino)
        return self._seen[1]

    def claim(self, *, replace: bool = False) -> Host | None:
        """Make this host the home unless another one is, or in its place; returns the home then.

        None if nobody may write there.

        Raises
        ------
        ProjectError
            If `replace` is asked for and the file cannot be written.
        """
        is_void = self.path.exists() and self.host() is None
        beside = f"{self.path}.{os.getpid()}-{os.urandom(3).hex()}"
        try:
            with open(beside, "x", encoding="utf-8") as file:
                host = {**asdict(this_host()), "addresses": sorted(this_host().addresses)}
                inode = os.fstat(file.fileno()).st_ino
                json.dump({"host": host, "inode": inode, "since": datetime.now(UTC).isoformat()}, file)
            try:
                if replace or is_void or not _link(beside, self.path):
                    os.replace(beside, self.path)
            finally:
                Path(beside).unlink(missing_ok=True)
        except FileExistsError:
            pass  # another host was faster
        except OSError as error:
            if replace:
                raise ProjectError(
                    f"{this_host().name} cannot become the home of {self.root}.",
                    f"found: {error}",
                    f"give yourself the right to write {shlex.quote(str(self.path.parent))}",
                ) from error
        return self.host()

    def _read(self, inode: int) -> Host | None:
        try:
            told = json.loads(self.path.read_text(encoding="utf-8"))
            return _host(told["host"]) if told["inode"] == inode else None
        except (OSError, ValueError, KeyError, TypeError):
            return None


def _host(told: Mapping[str, Any]) -> Host:
    return Host(str(told["name"]), told["machine"], told["boot"], frozenset(told["addresses"]))


def _link(path: str, name: Path) -> bool:
    """Give the file `name` too, if nothing has it; False where files have one name only."""
    try:
        os.link(path, name)
    except FileExistsError:
        raise
    except OSError:
        return False
    return True
