"""Python literals and source parsed by several threads at once."""

from __future__ import annotations

from collections.abc import Callable
from time import sleep
from typing import TypeVar

__all__ = ["undisturbed"]

T = TypeVar("T")
N_TRIES = 20
PAUSE_S = 0.001  # each one longer than the one before: threads that disturb each other drift apart


def undisturbed(parse: Callable[[], T]) -> T:
    """What `parse` returns, which calls `ast.parse` or something that does, as `ast.literal_eval`.

    Python 3.11 counts for all threads together how deep the tree is that it builds. When the garbage
    collector lets another thread parse meanwhile, it ends with a `SystemError` (CPython issue 106905):
    `parse` is then called again.

    Examples
    --------
    >>> import ast
    >>> undisturbed(lambda: ast.literal_eval("{'shape': (3,)}"))
    {'shape': (3,)}
    """
    for n_tries in range(1, N_TRIES):
        try:
            return parse()
        except SystemError as error:
            if "recursion depth mismatch" not in str(error):
                raise
            sleep(n_tries * PAUSE_S)
    return parse()
