import sys
from importlib.metadata import version as installed_version
from pathlib import Path

project = "smttask"
author = "The smttask developers"
project_copyright = "2026, the smttask developers"
version = release = installed_version("smttask")

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build"]
nitpicky = False

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autosummary_generate = True
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False

html_theme = "alabaster"
html_theme_options = {"description": "Typed pure functions as tasks", "page_width": "1100px"}

suppress_warnings = ["misc.highlighting_failure"]  # the seams in architecture.md are not quite Python


def draw_pictures(app):
    """Draw the graph of the sunspots example, for the tutorial."""
    docs = Path(app.srcdir)
    example = docs.parent / "examples" / "sunspots"
    sys.path.insert(0, str(example))
    try:
        from tasks import Detrend, FindCycle, LoadSunspots, PowerSpectrum

        series = LoadSunspots(example / "sunspots.csv")
        find = FindCycle(PowerSpectrum(Detrend(series, 3), "hamming"))
        find.graph.draw(docs / "_build" / "pictures" / "sunspots.svg")
    finally:
        sys.path.remove(str(example))


def setup(app):
    """Sphinx calls this when the build begins."""
    app.connect("builder-inited", draw_pictures)
