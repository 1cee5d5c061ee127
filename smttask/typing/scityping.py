"""Lets code written for scityping run: ``from scityping.numpy import Array`` finds the types of smttask.

A finder at the end of ``sys.meta_path`` answers only where scityping is not installed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

__all__ = ["install_scityping_finder"]

_NAMES = {  # module -> name there -> name in smttask.typing
    "scityping": {name: name for name in ("Complex", "Range", "Slice", "Type")},
    "scityping.numpy": {
        **{
            name: name for name in ("Array", "DType", "NPValue", "RNGenerator", "RandomState", "SeedSequence")
        },
        **dict.fromkeys(("Generator", "NPGenerator"), "RNGenerator"),
    },
    "scityping.functions": dict.fromkeys(
        ("PureFunction", "PartialPureFunction", "CompositePureFunction"), "PureFunction"
    ),
    "scityping.scipy": dict.fromkeys(
        ("Distribution", "UniDistribution", "MvDistribution", "MvNormalDistribution"), "Distribution"
    ),
}


class _ScitypingFinder(MetaPathFinder, Loader):
    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in _NAMES:
            return None
        return ModuleSpec(name, self, origin="smttask.typing", is_package=name == "scityping")

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        import smttask.typing

        for name, ours in _NAMES[module.__name__].items():
            setattr(module, name, getattr(smttask.typing, ours))
        module.__doc__ = "Types of smttask.typing under the names that scityping has for them."


def install_scityping_finder() -> None:
    """Answer imports of scityping from now on, where nothing else does; once however often it is called.

    Examples
    --------
    >>> install_scityping_finder()
    """
    # By name, so that a reloaded smttask does not add a second one.
    if not any(type(finder).__name__ == _ScitypingFinder.__name__ for finder in sys.meta_path):
        sys.meta_path.append(_ScitypingFinder())
