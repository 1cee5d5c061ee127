"""Annotations with matplotlib's own class: figures that are returned become pictures.

Imported when an annotation or a value of matplotlib is first met.
"""

from __future__ import annotations

from matplotlib.figure import Figure

from smttask.typing.accept import register_acceptor
from smttask.typing.figures import accept_figure

__all__: list[str] = []

register_acceptor(Figure, accept_figure)
