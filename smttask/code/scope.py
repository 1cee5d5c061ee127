"""Which modules are project code."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

__all__ = ["CodeScope"]

ENVIRONMENT_NAMES = frozenset({"site-packages", "dist-packages", "conda-meta"})
ENVIRONMENT_MARKS = ("pyvenv.cfg", "conda-meta")
OWN_PACKAGE = "smttask"


@dataclass(frozen=True)
class CodeScope:
    """Tells project code, which is fingerprinted, from libraries, which are not.

    Project code lies under `root`, but not in an environment below it (a folder with
    ``pyvenv.cfg`` or ``conda-meta``, or called ``site-packages``). smttask never counts.

    Parameters
    ----------
    root
        The project's folder.
    trusted
        Top-level names of packages that count wherever they lie.

    Examples
    --------
    >>> import json
    >>> CodeScope(Path("/my/project")).contains(json)
    False
    """

    root: Path
    trusted: tuple[str, ...] = ()
    _known: dict[str, bool] = field(default_factory=dict, init=False, repr=False, compare=False)

    def contains(self, module: ModuleType) -> bool:
        """Whether `module` is project code; ``__main__`` without a file, as in a notebook, is."""
        namespace = object.__getattribute__(module, "__dict__")
        return self.contains_source(str(namespace.get("__name__")), namespace.get("__file__"))

    def contains_source(self, name: str, file: str | None) -> bool:
        """Whether the module `name` with source `file` is project code, loaded or not."""
        top = name.partition(".")[0]
        if top == OWN_PACKAGE:
            return False
        if top in self.trusted:
            return True
        if not isinstance(file, str):
            return name == "__main__"
        known = self._known.get(file)
        if known is None:
            known = self._known[file] = self._is_project_file(file)
        return known

    def _is_project_file(self, file: str) -> bool:
        root = os.path.abspath(self.root)
        path = os.path.abspath(file)
        if not path.startswith(root + os.sep):
            root, path = os.path.realpath(root), os.path.realpath(path)
            if not path.startswith(root.rstrip(os.sep) + os.sep):
                return False
        folder = root
        for name in path[len(root) :].split(os.sep)[1:-1]:
            folder = os.path.join(folder, name)
            if name in ENVIRONMENT_NAMES or any(
                os.path.exists(f"{folder}{os.sep}{m}") for m in ENVIRONMENT_MARKS
            ):
                return False
        return True
