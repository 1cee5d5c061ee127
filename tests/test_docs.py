"""What the README, the pages and the docstrings show is run.

A ``python`` block whose first line is ``# name.py`` is that file of a scratch project. Files that
other blocks import are committed, then each ``run.py`` and the blocks without a name are run.
"""

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import smttask
from smttask.testing import scratch_project

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE_NAME = re.compile(r"# (\w+\.py)\n")
SEAMS = "architecture.md"  # signatures, not programs


def python_blocks(page):
    """Text of the named files, and of the script that the other blocks make."""
    files, script = {}, ""
    for block in BLOCK.findall(page.read_text(encoding="utf-8")):
        named = FILE_NAME.match(block)
        if named:
            files[named[1]] = block
        else:
            script += block
    return files, script


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page.name != SEAMS and any(python_blocks(page))],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_the_code_of_a_page_runs(page, tmp_path):
    """A reader who copies the code of a page into a project sees it work, twice."""
    files, script = python_blocks(page)
    with scratch_project(tmp_path / "project", files) as scratch:
        for _ in range(2):
            if "run.py" in files:
                scratch.run(files["run.py"])
            if script:
                scratch.run(script)


def public_modules():
    found = pkgutil.walk_packages(smttask.__path__, "smttask.")
    return [module.name for module in found if module.name != "smttask.__main__"]


@pytest.mark.parametrize("name", public_modules())
def test_the_examples_in_docstrings_hold(name):
    """Each example in a docstring gives what it shows."""
    module = importlib.import_module(name)
    result = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page):
    """No relative link in the README or the pages is broken."""
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []
