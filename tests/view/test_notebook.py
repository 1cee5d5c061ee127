"""Views in a real notebook kernel: what Tab offers, and what shows that a loop goes on."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from jupyter_client.manager import start_new_kernel

SETUP = """
from smttask import RSView
from smttask.view import record_filter

@record_filter
def my_own(record):
    return True

view = RSView()
square = view.filter.task("Square")
record = view.filter.task("Analyze").latest
"""


@pytest.fixture(scope="module")
def notebook(lab: SimpleNamespace) -> Iterator[Any]:
    """The client of a kernel that runs in the laboratory."""
    manager, client = start_new_kernel(cwd=str(lab.scratch.root))
    try:
        assert client.execute_interactive(SETUP, timeout=60)["content"]["status"] == "ok"
        yield client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def offered(notebook: Any, text: str) -> set[str]:
    """What Tab offers behind `text`, the last name alone."""
    matches = notebook.complete(text, reply=True, timeout=60)["content"]["matches"]
    return {match.rpartition(".")[2] for match in matches}


def test_tab_offers_filters_and_those_of_the_user(notebook: Any) -> None:
    """After `filter.` come the filters, the user's own among them, and nothing else."""
    assert {"task", "params", "tags_or", "my_own"} <= offered(notebook, "view.filter.")
    assert offered(notebook, "view.filter.tag") == {"tags", "tags_not", "tags_or"}
    assert "my_own" in offered(notebook, "square.filter.my")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("square.params.", {"tags", "x"}),
        ("view.params.mo", {"mode", "model"}),
        ("view.params.model.", {"n", "sigma"}),
        ("view.filter.params(eq={view.params.model.si", {"sigma"}),
        ("record.params.", {"größe", "mode", "model", "series"}),
        ("record.params.model.", {"n", "sigma"}),
    ],
)
def test_tab_offers_inputs_and_their_parts(notebook: Any, text: str, expected: set[str]) -> None:
    """After `params.` come the inputs of the records of a view, or of the record."""
    assert offered(notebook, text) == expected


def test_tab_offers_labels_and_paths_in_brackets(lab: SimpleNamespace, notebook: Any) -> None:
    """In brackets the labels of a view and the paths of its inputs are offered."""
    labels = lab.view.filter.task("Square").labels()
    matches = notebook.complete('square["20', reply=True, timeout=60)["content"]["matches"]
    assert sorted(match.strip('"') for match in matches) == sorted(labels)
    matches = notebook.complete("view.params['series.d", reply=True, timeout=60)["content"]["matches"]
    assert any("series.degree" in match for match in matches)


def test_a_long_loop_shows_in_a_notebook_how_far_it_is(notebook: Any) -> None:
    """A line below the cell is replaced while a slow loop goes on, and is gone at its end."""
    messages: list[tuple[str, str]] = []

    def take(message: dict[str, Any]) -> None:
        if message["msg_type"] in ("display_data", "update_display_data"):
            messages.append((message["msg_type"], message["content"]["data"]["text/plain"]))

    code = "import time\nfor record in view:\n    time.sleep(0.3)"
    notebook.execute_interactive(code, output_hook=take, timeout=60)
    assert messages[0][0] == "display_data"
    assert "of 7 records" in messages[0][1]
    assert {kind for kind, _ in messages[1:]} == {"update_display_data"}
    assert messages[-1][1] == ""


def test_a_warning_of_a_display_names_the_cell(notebook: Any) -> None:
    """Of a view that is shown at the end of a cell, the line in the cell is told and none of IPython's."""
    told: list[str] = []

    def note(message: dict[str, Any]) -> None:
        told.append(message["content"].get("text", ""))

    code = 'view.filter.params(eq={"sigmma": 1})'
    notebook.execute_interactive(code, timeout=60, output_hook=note)
    text = "".join(told)
    assert "UnknownParameterWarning" in text
    assert text.rstrip().endswith(code)
    assert "IPython" not in text
