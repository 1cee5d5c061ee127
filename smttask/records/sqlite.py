"""Record stores in SQLite: in a file, or in memory."""

from __future__ import annotations

from pathlib import Path

from smttask.records.connection import MemoryDatabase, SQLiteDatabase
from smttask.records.stores import SQLRecordStore

__all__ = ["MemoryRecordStore", "SQLiteRecordStore"]


class SQLiteRecordStore(SQLRecordStore):
    """Records of one project in an SQLite file.

    Each forked process opens the file anew.

    Parameters
    ----------
    path
        The SQLite file; its folder must exist.
    project_name
        As in ``.smt/project``.
    input_root, output_root
        Folders that the paths of input and output data keys are relative to, absolute.
    timeout_s
        How long to wait for other programs that write.
    durable
        Whether records survive a power cut, which costs an fsync each; those of a
        killed process are safe in any case.

    Examples
    --------
    >>> store = SQLiteRecordStore(Path(".smt/records"), "test", input_root="/", output_root="/data")
    >>> store.path.name
    'records'
    """

    path: Path

    def __init__(
        self,
        path: Path | str,
        project_name: str,
        *,
        input_root: Path | str,
        output_root: Path | str,
        timeout_s: float = 30.0,
        durable: bool = False,
    ) -> None:
        self.path = Path(path)
        super().__init__(
            lambda on_open, functions: SQLiteDatabase(
                self.path, on_open=on_open, functions=functions, timeout_s=timeout_s, durable=durable
            ),
            project_name,
            input_root=input_root,
            output_root=output_root,
            durable=durable,
        )


class MemoryRecordStore(SQLRecordStore):
    """Records of one project that are gone when the process ends; for tests and throwaway sessions.

    Parameters
    ----------
    project_name
        Any.
    input_root, output_root
        Folders that the paths of input and output data keys are relative to, absolute.

    Examples
    --------
    >>> MemoryRecordStore("test").count()
    0
    """

    def __init__(
        self, project_name: str, *, input_root: Path | str = "/", output_root: Path | str = "/"
    ) -> None:
        super().__init__(
            lambda on_open, functions: MemoryDatabase(on_open=on_open, functions=functions),
            project_name,
            input_root=input_root,
            output_root=output_root,
        )
