"""The script or notebook that is run: where it is, and the source of what it defines."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FunctionType
from typing import Any

from smttask.code.source import MAIN_NAMES, source_of, text_source

__all__ = ["main_path", "main_source", "reached_source"]


def main_path(module: str = "__main__") -> Path | None:
    """The script or notebook, absolute; None in a plain interpreter.

    Parameters
    ----------
    module
        ``__mp_main__`` in a process that multiprocessing spawned: there it is the script.
    """
    main = sys.modules[module]
    # scripts that a notebook starts inherit its variable
    notebook = getattr(main, "__vsc_ipynb_file__", None)
    file = notebook or getattr(main, "__file__", None) or os.environ.get("JPY_SESSION_NAME")
    return Path(file).absolute() if file else None


def main_source(definition: Callable[..., Any]) -> str:
    """The text of the cell, or of the whole script, that defines a function or class; empty if it is lost."""
    module = sys.modules.get(definition.__module__)
    if module is None or module.__name__ not in MAIN_NAMES:
        return ""
    function = _function_of(definition)
    is_script = function is None or function.__code__.co_filename == getattr(module, "__file__", None)
    source = source_of(module.__name__, vars(module)) if is_script else None
    if source is None and function is not None:
        source = text_source(function.__code__)
    text = "" if source is None else source.text
    return text.decode("utf-8", "surrogateescape") if isinstance(text, bytes) else text


def reached_source(definition: Callable[..., Any], parts: Iterable[str]) -> str:
    """The cells of a function or class and of what it reaches, its own first; the whole script, if it is one.

    Parameters
    ----------
    parts
        What it reaches, as `CodeFingerprint.parts` names it.
    """
    texts = {main_source(definition): None}
    main = vars(sys.modules[definition.__module__])
    for part in parts:
        module, _, qualname = part.partition(":")
        found = main.get(qualname.partition(".")[0]) if module == "__main__" else None
        if isinstance(found, FunctionType | type):
            texts[main_source(getattr(found, "__wrapped__", found))] = None
    return "\n\n".join(text.rstrip("\n") for text in texts if text) + "\n"


def _function_of(definition: Callable[..., Any]) -> FunctionType | None:
    """The function itself, or a method of a class."""
    if not isinstance(definition, type):
        return inspect.unwrap(definition) if isinstance(definition, FunctionType) else None
    members = (getattr(value, "__func__", value) for value in vars(definition).values())
    own = f"{definition.__qualname__}."
    return next(
        (m for m in members if isinstance(m, FunctionType) and m.__code__.co_qualname.startswith(own)), None
    )
