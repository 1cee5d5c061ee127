"""Any Python object as a pickle; only where the code of a task asks for it by name.

Loading a pickle runs what it says, so `format_for` never chooses this format,
and the data store loads such a file only for a task that declared it.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, BinaryIO

__all__ = ["PickleFormat"]

# The highest protocol of Python 3.11, written out so that a later default does not change files.
PROTOCOL = 5


class PickleFormat:
    """A value as `pickle` makes it; whoever loads it trusts who wrote it.

    Examples
    --------
    >>> PickleFormat().accepts({1, 2})
    True
    """

    name = "pickle"
    suffix = ".pickle"

    def accepts(self, value: object) -> bool:
        """True for all; `save` may still raise."""
        return True

    def save(self, value: Any, file: BinaryIO) -> None:
        """Write `value`; raises what `pickle.dump` raises for values that it refuses."""
        pickle.dump(value, file, protocol=PROTOCOL)

    def load(self, path: Path, *, mmap: bool = False) -> Any:
        """Unpickle the file, which can run any code; `mmap` makes no difference."""
        with open(path, "rb") as file:
            return pickle.load(file)  # noqa: S301 - asked for by the task's own code
