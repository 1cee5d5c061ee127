"""How a type becomes known."""

import pytest

from smttask.typing.registry import TypeEntry, entry_named, entry_of, register_entry


def test_one_name_belongs_to_one_type():
    """Two types cannot share the tag that stands in files."""
    entry = entry_named("uuid")
    assert entry is entry_of(entry.cls)
    with pytest.raises(ValueError, match="belongs to"):
        register_entry(TypeEntry("uuid", dict, dict, dict))
