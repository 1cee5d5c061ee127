"""Arguments of a task from a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smttask.errors import DescriptionError, short_repr

__all__ = ["read_parameters"]


def read_parameters(source: Mapping[str, Any] | str | Path) -> Mapping[str, Any]:
    """Arguments from a mapping or from a JSON, TOML or YAML file, by its suffix."""
    if isinstance(source, Mapping):
        return source
    path = Path(source)
    try:
        text = path.read_text(encoding="utf-8")
        parameters = _parsed(text, path.suffix.lower())
    except (OSError, ValueError) as error:
        raise DescriptionError(
            f"Parameters cannot be read from {path}.",
            f"found: {error}",
            "give a JSON, TOML or YAML file that holds one object",
            source=str(path),
        ) from error
    if not isinstance(parameters, Mapping):
        raise DescriptionError(
            f"{path} holds no parameters.",
            f"found: {short_repr(parameters)}\nexpected: one object with a value for each argument",
            source=str(path),
        )
    return parameters


def _parsed(text: str, suffix: str) -> Any:
    if suffix == ".toml":
        import tomllib

        return tomllib.loads(text)
    if suffix in (".yaml", ".yml"):
        import yaml

        try:
            return yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ValueError(str(error)) from error
    return json.loads(text)
