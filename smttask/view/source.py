"""Source text that shows itself in colours in a notebook."""

from __future__ import annotations

from io import StringIO

from rich.console import Console
from rich.syntax import Syntax

__all__ = ["SourceText"]

WIDTH = 110
# The colours of the theme are for white paper; a dark page would shine through between the lines
HTML = '<pre style="line-height:normal;background:#fff;color:#000;padding:0.5em">{code}</pre>'


class SourceText(str):
    """Source text of a Python module; in a notebook it is highlighted.

    Examples
    --------
    >>> SourceText("x = 1")
    x = 1
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        width = max([WIDTH, *map(len, self.splitlines())])
        console = Console(record=True, file=StringIO(), width=width)
        console.print(Syntax(str(self), "python", theme="default", background_color="default"))
        return console.export_html(inline_styles=True, code_format=HTML)

    def __rich__(self) -> Syntax:
        return Syntax(str(self), "python", theme="ansi_dark", background_color="default")
