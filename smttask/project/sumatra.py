"""``.smt/project``: Sumatra's file, by which a folder is a project.

Sumatra reads it with `sumatra.projects.load_project`; it holds absolute paths.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smttask.errors import ProjectError, short_repr
from smttask.settings.address import is_url
from smttask.storage.atomic import write_whole

__all__ = [
    "DEFAULT_RECORD_STORE",
    "MARK",
    "is_project",
    "name_record_store",
    "read_sumatra_project",
    "write_json",
    "write_sumatra_project",
]

MARK = os.path.join(".smt", "project")
DEFAULT_RECORD_STORE = os.path.join(".smt", "records")


def is_project(root: str | os.PathLike[str]) -> bool:
    """Whether the folder `root` is a project."""
    return os.path.isfile(os.path.join(root, MARK))


def write_sumatra_project(
    root: Path,
    name: str,
    *,
    working_copy: Path,
    input_dir: Path,
    output_dir: Path,
    record_store: str = DEFAULT_RECORD_STORE,
) -> None:
    """Make `root` a project for Sumatra, as ``smt init`` of version 0.8 does; all paths are absolute.

    The record store is a path, perhaps relative to `root`, or a URL without a password.
    """
    files = "sumatra.datastore.filesystem.FileSystemDataStore"
    tree: dict[str, Any] = {
        "name": name,
        "default_executable": None,
        "default_repository": {
            "type": "sumatra.versioncontrol._git.GitRepository",
            "url": str(working_copy),
            "upstream": None,
        },
        "default_launch_mode": {
            "type": "sumatra.launch.SerialLaunchMode",
            "working_directory": str(root),
            "options": None,
        },
        "data_store": {"type": files, "root": str(output_dir)},
        "record_store": {
            "type": "sumatra.recordstore.django_store.DjangoRecordStore",
            "db_file": record_store if is_url(record_store) else str(root / record_store),
        },
        "default_main_file": None,
        "on_changed": "error",
        "description": "",
        "data_label": None,
        "_most_recent": None,
        "input_datastore": {"type": files, "root": str(input_dir)},
        "label_generator": "timestamp",
        "timestamp_format": "%Y%m%d-%H%M%S",
        "sumatra_version": "0.8.1",
        "allow_command_line_parameters": True,
        "ignore_parameters": False,
        "plugins": [],
    }
    write_json(root / MARK, tree)


def read_sumatra_project(root: Path) -> Mapping[str, Any]:
    """Sumatra's project file, made anew if its folder was moved to `root`.

    Raises
    ------
    ProjectError
        If it is damaged or has no name.
    """
    tree = _read(root)
    mode = tree.get("default_launch_mode")
    written_in = mode.get("working_directory") if isinstance(mode, dict) else None
    if isinstance(written_in, str) and os.path.realpath(written_in) != str(root):
        tree = _moved(tree, written_in, str(root))
        try:
            write_json(root / MARK, tree)
        except OSError:
            pass  # a project that may only be read is used as it is; only `smt` misses the new paths
    return tree


def name_record_store(root: Path, url: str) -> None:
    """Let Sumatra's own commands use the database at `url`, which has no password.

    Sumatra reads user, host, port and database from it, and no options; libpq finds the
    password where it finds it for smttask.
    """
    tree = _read(root)
    named = {"type": "sumatra.recordstore.django_store.DjangoRecordStore", "db_file": url}
    if tree.get("record_store") != named:
        try:
            write_json(root / MARK, {**tree, "record_store": named})
        except OSError:
            pass  # a project that may only be read is used as it is; only `smt` looks elsewhere


def write_json(path: Path, tree: Mapping[str, Any]) -> None:
    """Write `tree` as the file at `path`, whole or not at all."""
    text = json.dumps(tree, indent=2)
    write_whole(str(path), lambda file: file.write(text.encode()))


def _read(root: Path) -> dict[str, Any]:
    path = root / MARK
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _unusable(path, str(error)) from error
    if not isinstance(tree, dict) or not isinstance(tree.get("name"), str):
        raise _unusable(path, f"{short_repr(tree)}, expected an object with a name")
    return tree


def _moved(tree: Any, old: str, new: str) -> Any:
    """Return `tree` with every path in or under the folder `old` put under `new`."""
    if isinstance(tree, dict):
        return {key: _moved(value, old, new) for key, value in tree.items()}
    if isinstance(tree, str) and (tree == old or tree.startswith(old.rstrip(os.sep) + os.sep)):
        return new + tree[len(old.rstrip(os.sep)) :]
    return tree


def _unusable(path: Path, found: str) -> ProjectError:
    return ProjectError(
        f"The project in {path.parent.parent} cannot be used.",
        f"file: {path}\nfound: {found}",
        "remove that file and call: smttask project init",
    )
