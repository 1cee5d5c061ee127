"""Code written for scityping."""

import subprocess
import sys

SCRIPT = """
import sys
from smttask.typing.scityping import install_scityping_finder
before = len(sys.meta_path)
install_scityping_finder()
install_scityping_finder()
assert len(sys.meta_path) == before + 1
import scityping
from scityping.numpy import Array, NPGenerator, RNGenerator
import smttask.typing
assert NPGenerator is RNGenerator
assert Array is smttask.typing.Array and scityping.Slice is smttask.typing.Slice
try:
    import scityping.nothing
except ModuleNotFoundError:
    print("fine")
"""


def test_imports_of_scityping_find_our_types():
    """``from scityping.numpy import Array`` works without scityping; unknown modules stay unknown."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert done.stdout == "fine\n", done.stderr


def test_an_installed_scityping_is_left_alone(tmp_path):
    """The finder stands last, so an installed scityping is the one that is imported."""
    (tmp_path / "scityping.py").write_text("mine = 1")
    script = "from smttask.typing.scityping import install_scityping_finder as f; f(); import scityping as s"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {script}; print(s.mine)"],
        capture_output=True,
        text=True,
    )
    assert done.stdout == "1\n", done.stderr
