from __future__ import annotations

import subprocess
import sys
from xml.etree import ElementTree

import pytest

from smttask import NonMemoizedTask, RecordedTask
from smttask.errors import StorageError

SVG = "{http://www.w3.org/2000/svg}"


@NonMemoizedTask
def Load(name: str = "<a> & b", n: int = 0) -> float:
    return 0.0


@RecordedTask(name="picture.Join")
def Join(parts: list[float], weight: float = 1.0) -> float:
    return 0.0


TASK = Join([Load(), Load(n=1), Load(n=2)])


def texts(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_a_picture_shows_each_task_with_its_arguments():
    """A box has the task's name, its plain inputs with values, and where results enter, all escaped."""
    svg = TASK.graph.to_svg()
    assert sorted(texts(svg)).count("Load") == 3
    assert texts(svg).count("name = '<a> & b'") == 3
    assert {"Join", "parts", "weight = 1.0", "n = 2"} <= set(texts(svg))
    assert len(list(ElementTree.fromstring(svg).iter(f"{SVG}path"))) == 3


def test_plain_inputs_may_be_left_out():
    """With ``inputs=False`` only results are shown, which large graphs need."""
    assert sorted(texts(TASK.graph.to_svg(inputs=False))) == ["Join", "Load", "Load", "Load", "parts"]


def test_a_notebook_shows_the_picture_while_it_can():
    """A graph displays as SVG; one of hundreds of tasks displays as a line of text."""
    assert TASK.graph._repr_svg_() == TASK.graph.to_svg()
    many = Join([Load(n=n) for n in range(300)]).graph
    assert many._repr_svg_() is None
    assert repr(many) == "<TaskGraph of 301 tasks and 601 plain inputs>"


@pytest.mark.parametrize(
    ("suffix", "start"),
    [(".svg", b"<svg"), (".dot", b"digraph {"), (".gv", b"digraph"), (".PNG", b"\x89PNG"), (".pdf", b"%PDF")],
)
def test_the_suffix_says_what_is_drawn(tmp_path, suffix, start):
    """`draw` makes the folder, writes by suffix and returns the file."""
    path = TASK.graph.draw(tmp_path / "new" / f"graph{suffix}")
    assert path.read_bytes().startswith(start)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_an_unknown_suffix_is_refused(tmp_path):
    """The error lists the suffixes, and no file is left."""
    with pytest.raises(StorageError, match=r"cannot be drawn.*\n.*'.txt'\n.*\.svg"):
        TASK.graph.draw(tmp_path / "graph.txt")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    """A file where the folder should be gives a clear error."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"The picture 'graph.svg' cannot be drawn"):
        TASK.graph.draw(tmp_path / "file" / "graph.svg")


def test_without_matplotlib_there_is_still_svg(tmp_path):
    """Only the kinds that need matplotlib ask for it, by the name of the extra."""
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from smttask import NonMemoizedTask\n"
        "@NonMemoizedTask\ndef F(x: float) -> float: return x\n"
        "F(1.0).graph.draw('f.svg')\nF(1.0).graph.draw('f.png')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "MissingExtraError" in done.stderr
    assert "smttask[viz]" in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["f.svg"]


def test_graphviz_gets_one_node_for_each_task():
    """The DOT text names every task by its digest and joins heads to rows."""
    dot = TASK.graph.to_dot()
    assert dot.count("[label=<") == 4
    assert f'"{Load().digest}":head:e -> "{TASK.digest}":row0:w;' in dot
    assert "&lt;a&gt; &amp; b" in dot
