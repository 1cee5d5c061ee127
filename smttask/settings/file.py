"""The settings that a project's file holds."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from smttask.errors import SettingError
from smttask.settings.settings import NOTHING, SETTINGS, unknown_setting

__all__ = ["read_project_file"]


def read_project_file(root: Path) -> Mapping[str, Any]:
    """Settings in the file of the project at `root`, converted; empty if it has none.

    They stand under ``[tool.smttask]`` in ``pyproject.toml`` or as one JSON object
    in ``.smt/smttask.json``; a setting in both is an error.

    Raises
    ------
    SettingError
        If a file cannot be parsed, or holds a setting that does not exist or fit.
    """
    pyproject, own = root / "pyproject.toml", root / ".smt" / "smttask.json"
    tables = {pyproject: _table(pyproject, tomllib.loads, "tool", "smttask"), own: _table(own, json.loads)}
    values: dict[str, Any] = {}
    for path, table in tables.items():
        for name, given in table.items():
            setting = SETTINGS.get(name)
            if setting is None:
                raise unknown_setting(name, str(path))
            if name in values or not setting.in_file:
                raise SettingError(
                    f"Setting '{name}' stands in the wrong file.",
                    f"found in: {path}" + (f"\nfound in: {pyproject}" if name in values else ""),
                    "keep one of them"
                    if name in values
                    else f"set {setting.variable} or config.{name} instead",
                    name=name,
                )
            values[name] = setting.checked(given, str(path))
    return MappingProxyType(values)


def _table(path: Path, parse: Callable[[str], Any], *keys: str) -> Mapping[str, Any]:
    try:
        tree = parse(path.read_text(encoding="utf-8"))
        for key in keys:
            tree = tree.get(key, {})
        return dict(tree.items())
    except (FileNotFoundError, NotADirectoryError):
        return NOTHING
    except (OSError, ValueError, RecursionError, AttributeError) as error:
        found = "no table of names and values" if isinstance(error, AttributeError) else error
        raise SettingError(
            f"The settings in {path.name} cannot be read.",
            f"file: {path}\nfound: {found}",
            "correct or remove the file",
        ) from error
