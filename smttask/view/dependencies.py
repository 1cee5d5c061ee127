"""The distributions that a run imported, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smttask.records.record import Dependency
from smttask.view import html

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import RenderableType

__all__ = ["Dependencies"]


class Dependencies(tuple[Dependency, ...]):
    """The imported distributions of a run; a tuple that shows itself as a table.

    Examples
    --------
    >>> Dependencies([Dependency("numpy", "/env/numpy", "2.1.0")])
    numpy 2.1.0
    """

    __slots__ = ()

    def dframe(self) -> pd.DataFrame:
        """A row for each distribution: name, version, and the folder or file it was imported from."""
        import pandas

        rows = [(each.name, each.version, each.path) for each in self]
        return pandas.DataFrame(rows, columns=["name", "version", "path"], dtype="str")

    def versions(self) -> dict[str, str]:
        """The version of each distribution by its name."""
        return {each.name: each.version for each in self}

    def __repr__(self) -> str:
        return "\n".join(f"{each.name} {each.version}" for each in self) or "<no dependencies>"

    def _repr_html_(self) -> str:
        return html.dependencies_html(self)

    def __rich__(self) -> RenderableType:
        from smttask.view import terminal

        return terminal.dependencies_table(self)
