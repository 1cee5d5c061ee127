"""One project: its stores, repository and settings, each made when it is first asked for."""

from __future__ import annotations

import os
import shlex
import threading
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from smttask.code.scope import CodeScope
from smttask.errors import ProjectError, RecordStoreWarning, warn
from smttask.project.home import Home
from smttask.project.sumatra import (
    DEFAULT_RECORD_STORE,
    MARK,
    is_project,
    name_record_store,
    read_sumatra_project,
)
from smttask.records.repository import Repository
from smttask.settings import JOURNAL, check_environment, config, read_project_file
from smttask.settings.address import StoreURL, is_url, parse_url
from smttask.settings.conversion import PLACES_OF_PASSWORDS

if TYPE_CHECKING:
    from smttask.records.journal import JournalRecordStore
    from smttask.records.stores import SQLRecordStore
    from smttask.storage.datastore import DataStore

__all__ = ["JOURNAL_DIR", "Project", "get_project", "open_records"]

JOURNAL_DIR = os.path.join(".smt", "journal")
FALL_BACK_S = 60.0  # after which a record store that failed is tried again

_projects: dict[str, Project] = {}  # by real root
_lock = threading.Lock()


class Project:
    """The stores, the repository and the settings of one project folder.

    Use `get_project`, `find_project` or `current_project` to have one; each part is
    made when it is first asked for, and follows later changes of the settings.

    Attributes
    ----------
    root
        Real path of the folder.
    may_fall_back
        Whether this process keeps a journal while the record store fails: another one will take it in.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.may_fall_back = False
        self._fallen_back_at = -FALL_BACK_S
        self._data: tuple[tuple[Path, Path], DataStore] | None = None
        self._repository: tuple[tuple[str, ...], Repository] | None = None
        self._scope: tuple[tuple[str, ...], CodeScope] | None = None
        self._records: dict[tuple[Path | StoreURL | None, Path, Path, str], SQLRecordStore] = {}
        self._named: set[StoreURL] = set()
        self._journals: dict[bool, JournalRecordStore] = {}
        #: By record store: whether many hosts write there, and whether another host's writing concerns us.
        self._is_shared: dict[Path, tuple[bool, bool]] = {}

    @cached_property
    def _sumatra(self) -> Mapping[str, Any]:
        return read_sumatra_project(self.root)

    @property
    def name(self) -> str:
        """Name in the record store."""
        return str(self._sumatra["name"])

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        """What the project's file says, read once; see `smttask.settings.read_project_file`."""
        check_environment()
        return read_project_file(self.root)

    def setting(self, name: str) -> Any:
        """Value of a setting: from code, the environment, the project's file or its default."""
        return config.get(name, self.settings)

    @property
    def data(self) -> DataStore:
        """The results on disk."""
        dirs = self.setting("input_store"), self.setting("output_store")
        if self._data is None or self._data[0] != dirs:
            from smttask.storage.datastore import DataStore  # brings numpy, which completion does not need

            self._data = dirs, DataStore(self.root / dirs[0], self.root / dirs[1], root=self.root)
        return self._data[1]

    @property
    def records(self) -> SQLRecordStore:
        """The record store that the settings name, to be looked at and cared for.

        Where runs of this process are kept in a journal, it is the one they will be brought to.
        """
        chosen = self.setting("record_store")
        if chosen == JOURNAL:
            chosen = self.settings.get("record_store")
        if isinstance(chosen, StoreURL) and chosen not in self._named:
            if chosen == self.settings.get("record_store"):
                name_record_store(self.root, chosen.text)
            self._named.add(chosen)
        return self.records_at(None if chosen == JOURNAL else chosen)

    @property
    def run_records(self) -> SQLRecordStore | JournalRecordStore:
        """What takes the records of runs: the record store, or a journal where another host writes it."""
        if self.setting("record_store") == JOURNAL:
            return self.journal
        if self.may_fall_back and monotonic() - self._fallen_back_at < FALL_BACK_S:
            return self.journal
        store = self.records
        if store.path is None:  # a server, which serves all hosts
            return store
        known = self._is_shared.get(store.path)
        if known is None:
            from smttask.records.schema import journal_mode_for

            is_shared = journal_mode_for(store.path) != "wal"
            # a store on a disk of this host, outside the project, is no other host's business
            known = is_shared, is_shared or store.path.is_relative_to(self.root)
            self._is_shared[store.path] = known
        is_shared, concerns_all = known
        return store if not concerns_all or self.home.is_here(is_shared=is_shared) else self.journal

    @property
    def journal(self) -> JournalRecordStore:
        """What keeps records for the record store; see `smttask.records.journal`."""
        durable = self.setting("durability") == "power"
        if durable not in self._journals:
            from smttask.records.journal import JournalRecordStore

            made = JournalRecordStore(self.root / JOURNAL_DIR, durable=durable)
            self._journals.setdefault(durable, made)
        return self._journals[durable]

    def fall_back(self) -> JournalRecordStore | None:
        """The journal, in place of a record store that failed just now; None if it may not be."""
        if not self.may_fall_back:
            return None
        self._fallen_back_at = monotonic()
        return self.journal

    @cached_property
    def home(self) -> Home:
        """The host that writes the record store."""
        return Home(self.root)

    def records_at(self, path: Path | StoreURL | str | None) -> SQLRecordStore:
        """Return the record store in the file `path`, absolute or relative to the root, or at a URL.

        With None it is the one that Sumatra's project file names.
        """
        if isinstance(path, str):
            path = self._parsed(path, "given") if is_url(path) else Path(path)
        settings = self.setting("input_store"), self.setting("output_store"), self.setting("durability")
        key = path, *settings
        store = self._records.get(key)
        if store is None:
            input_store, output_store, durability = settings
            store = open_records(
                path or self._own_record_store(),
                self.root,
                self.name,
                input_root=self.root / input_store,
                output_root=self.root / output_store,
                durable=durability == "power",
            )
            store = self._records.setdefault(key, store)
        return store

    def _parsed(self, url: str, origin: str) -> StoreURL:
        try:
            return parse_url(url)
        except ValueError as error:
            raise ProjectError(
                f"Project {self.name!r} cannot use that record store.",
                f"found: {error}\nstands in: {origin}",
                "correct it there: postgresql://user@host:port/database",
            ) from None

    def _own_record_store(self) -> StoreURL | str:
        told = self._sumatra.get("record_store", {}).get("db_file")
        if not is_url(told):
            return told if isinstance(told, str) and "://" not in told else DEFAULT_RECORD_STORE
        url = self._parsed(told, f"`db_file` in {self.root / MARK}")
        if url.password is not None:
            warn(
                f"{self.root / MARK} holds a password, for all who may read it; {PLACES_OF_PASSWORDS}.",
                RecordStoreWarning,
            )
        return url

    @property
    def repository(self) -> Repository:
        """The git working copy that the project stands in."""
        dirty = self.setting("dirty_directories")
        if self._repository is None or self._repository[0] != dirty:
            self._repository = dirty, Repository(self.root, dirty_directories=dirty)
        return self._repository[1]

    @property
    def scope(self) -> CodeScope:
        """Which modules are the project's own code."""
        trusted = self.setting("trusted_packages")
        if self._scope is None or self._scope[0] != trusted:
            self._scope = trusted, CodeScope(self.root, trusted)
        return self._scope[1]

    def __repr__(self) -> str:
        return f"Project({str(self.root)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return get_project, (str(self.root),)


def open_records(at: Path | StoreURL | str, root: Path, name: str, **options: Any) -> SQLRecordStore:
    """The records of the project `name` in the file `at`, absolute or relative to `root`, or at a URL."""
    if isinstance(at, StoreURL):
        from smttask.records.shared import PostgresRecordStore  # brings psycopg

        return PostgresRecordStore(at, name, **options)
    from smttask.records.sqlite import SQLiteRecordStore  # projects are found without it

    return SQLiteRecordStore(root / at, name, **options)


def get_project(root: str | os.PathLike[str]) -> Project:
    """Return the project whose folder is `root`.

    Raises
    ------
    ProjectError
        If `root` is no project.
    """
    real = os.path.realpath(root)
    project = _projects.get(real)
    if project is None:
        if not is_project(real):
            raise ProjectError(
                f"{real} is no project.",
                f"looked for: {os.path.join(real, MARK)}",
                f"to make it one: smttask project init {shlex.quote(real)}",
            )
        with _lock:
            project = _projects.setdefault(real, Project(Path(real)))
    return project
