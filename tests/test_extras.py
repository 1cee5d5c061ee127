"""Optional libraries."""

import sys

import pytest

from smttask.errors import MissingExtraError
from smttask.extras import is_installed, require
from smttask.typing.jsonform import from_json


@pytest.fixture
def without(monkeypatch):
    """Make libraries look as if they were not installed."""

    def hide(*names):
        for name in names:
            for module in [m for m in sys.modules if m.partition(".")[0] == name]:
                monkeypatch.delitem(sys.modules, module)
            monkeypatch.setitem(sys.modules, name, None)

    return hide


def test_a_missing_library_names_the_extra_that_brings_it(without):
    """The error says what to install."""
    without("pyarrow", "no_such_library")
    with pytest.raises(MissingExtraError, match=r'pip install "smttask\[parquet\]"') as caught:
        require("pyarrow.parquet")
    assert caught.value.library == "pyarrow"
    with pytest.raises(MissingExtraError, match="pip install no_such_library"):
        require("no_such_library")


def test_a_library_is_found_without_importing_it():
    """To ask costs no import."""
    assert is_installed("json")
    assert not is_installed("no_such_library")


def test_a_library_that_is_broken_inside_keeps_its_own_error(tmp_path, monkeypatch):
    """What fails inside a library that is there is not taken for a missing extra."""
    (tmp_path / "broken_library.py").write_text("import no_such_library")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_library") as caught:
        require("broken_library")
    assert not isinstance(caught.value, MissingExtraError)


def test_a_file_with_values_of_a_missing_library_says_so(without, monkeypatch):
    """Reading names the library, not the tag."""
    from smttask.typing import registry

    without("xarray")
    monkeypatch.setattr(registry, "_loaded", set())
    monkeypatch.setattr(registry, "_BY_NAME", {})
    with pytest.raises(MissingExtraError, match="'xarray' is not installed"):
        from_json({"$xarray.Dataset": {}})
