from __future__ import annotations

import pytest

from smttask.protocols import ViewRegistry


def test_views_of_records_are_loaded_when_they_are_first_asked_for() -> None:
    """The registry loads what registers itself once, and then answers from below."""
    registry, loads = ViewRegistry(), []

    def load() -> None:
        loads.append(1)
        registry.register_record_view(lambda project, label: (project, label))

    registry.load_with(load)
    assert loads == []
    assert registry.record_view("lab", "run 1") == registry.record_view("lab", "run 1") == ("lab", "run 1")
    assert loads == [1]


def test_without_views_the_registry_says_what_to_import() -> None:
    """A registry that nobody filled raises an error that names the module."""
    with pytest.raises(LookupError, match=r"import smttask\.view"):
        ViewRegistry().record_view("lab", "run 1")
