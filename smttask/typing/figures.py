"""Figures as values: the pictures that matplotlib draws, not its live objects."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Any

from smttask.typing.accept import accept_instances
from smttask.typing.registry import TypeEntry, register_acceptor, register_entry

__all__ = ["Figure", "accept_figure"]


class Figure:
    """A drawn figure, as PNG and as SVG; a matplotlib figure becomes one where it is returned.

    As the annotation of a task's output it takes matplotlib figures and axes. What `run()`
    gives is always this object, computed or loaded: it shows itself in a notebook.

    Parameters
    ----------
    png
        The picture as a PNG file.
    svg
        The same as the text of an SVG file.

    Examples
    --------
    >>> Figure(b"", "<svg/>").svg
    '<svg/>'
    """

    __slots__ = ("png", "svg")
    png: bytes
    svg: str

    def __init__(self, png: bytes, svg: str) -> None:
        object.__setattr__(self, "png", png)
        object.__setattr__(self, "svg", svg)

    @classmethod
    def drawn(cls, figure: Any) -> Figure:
        """The picture of a matplotlib figure or of the figure that axes are in, the same bytes each time.

        Raises
        ------
        ValueError
            If it is no figure of matplotlib.
        """
        live: Any = getattr(figure, "figure", None)
        if live is None or not hasattr(live, "savefig"):
            raise ValueError(f"expected a matplotlib figure, not a {type(figure).__name__}")
        png, svg = io.BytesIO(), io.BytesIO()
        # By default an SVG holds random names, and both hold date or version.
        with sys.modules["matplotlib"].rc_context({"svg.hashsalt": "smttask"}):
            live.savefig(png, format="png", metadata={"Software": None})
            live.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
        return Figure(png.getvalue(), svg.getvalue().decode())

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the picture to `path`, whose suffix, ``.png`` or ``.svg``, decides its form.

        Raises
        ------
        ValueError
            If the suffix is another.
        """
        file = Path(path)
        if file.suffix.lower() not in (".png", ".svg"):
            raise ValueError(
                f"A figure is kept as .png and .svg, not as {file.suffix or 'a file without suffix'}."
            )
        file.write_bytes(self.png if file.suffix.lower() == ".png" else self.svg.encode())
        return file

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"Figure is fixed: {name!r} cannot be set")

    def __reduce__(self) -> tuple[Any, ...]:
        return Figure, (self.png, self.svg)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Figure):
            return NotImplemented
        return (self.png, self.svg) == (other.png, other.svg)

    def __hash__(self) -> int:
        return hash(self.svg)

    def __repr__(self) -> str:
        return f"<Figure: {len(self.png)} bytes as PNG, {len(self.svg)} characters as SVG>"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        return accept_figure.__get_pydantic_core_schema__(source, handler)

    def _repr_png_(self) -> bytes:
        return self.png


def _from_plain(plain: Any) -> Figure:
    png, svg = plain["png"], plain["svg"]
    if type(png) is not bytes or type(svg) is not str:
        raise ValueError("expected a PNG as bytes and an SVG as text")
    return Figure(png, svg)


accept_figure = accept_instances(Figure, Figure.drawn, "a matplotlib figure")
register_entry(TypeEntry("figure", Figure, lambda value: {"png": value.png, "svg": value.svg}, _from_plain))
register_acceptor(Figure, accept_figure)
