"""Annotations with matplotlib's own class: figures that are returned become pictures.

Imported when an annotation or a value of matplotlib is first met.
"""

from __future__ import annotations

from matplotlib.figure import Figure

from smttask.typing.figures import accept_figure
from smttask.typing.registry import register_acceptor

__all__: list[str] = []

register_acceptor(Figure, accept_figure)
