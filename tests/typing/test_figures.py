"""Figures as values."""

import json
import pickle

import pytest
from matplotlib.figure import Figure as LiveFigure

from smttask.errors import DescriptionError, InputError
from smttask.identity import canonical_bytes
from smttask.typing import Figure
from smttask.typing.jsonform import from_json, to_json
from smttask.typing.validation import Validator


def live_figure(height=1.0):
    figure = LiveFigure(figsize=(2, 1))
    figure.subplots().plot([0, height])
    return figure


@pytest.mark.parametrize("annotation", [Figure, LiveFigure])
def test_a_matplotlib_figure_becomes_a_picture(annotation):
    """Figures and axes that a task returns are drawn as PNG and SVG, the same bytes each time."""
    figure = live_figure()
    drawn = Validator(annotation)(figure)
    assert type(drawn) is Figure
    assert drawn.png.startswith(b"\x89PNG")
    assert "<svg" in drawn.svg
    assert Validator(annotation)(figure.axes[0]) == Validator(annotation)(live_figure()) == drawn
    assert Validator(annotation)(drawn) is drawn
    assert canonical_bytes(drawn) != canonical_bytes(Validator(Figure)(live_figure(2.0)))


def test_a_picture_is_a_fixed_value(tmp_path):
    """It comes back from JSON and pickles, is saved in both forms, shows itself, and cannot be changed."""
    drawn = Validator(Figure)(live_figure())
    assert from_json(json.loads(json.dumps(to_json(drawn)))) == drawn
    assert pickle.loads(pickle.dumps(drawn)) == drawn
    assert drawn.save(tmp_path / "x.svg").read_text() == drawn.svg
    assert drawn.save(tmp_path / "x.PNG").read_bytes() == drawn.png == drawn._repr_png_()
    assert len({drawn, Figure(drawn.png, drawn.svg)}) == 1
    assert "bytes as PNG" in repr(drawn)
    with pytest.raises(ValueError, match=r"kept as \.png and \.svg, not as \.pdf"):
        drawn.save(tmp_path / "x.pdf")
    with pytest.raises(AttributeError, match="fixed"):
        drawn.svg = ""


def test_other_values_are_no_figures():
    """What is no figure is named; damaged pictures are refused."""
    with pytest.raises(InputError, match="expected a matplotlib figure"):
        Validator(Figure)(3)
    with pytest.raises(DescriptionError, match="cannot be read"):
        from_json({"$figure": {"png": "x", "svg": "<svg/>"}})
