"""Results made with other versions of packages: what the setting on_package_change does about them."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from smttask import config
from smttask.runner.packages import changed_packages

TASKS = """
import sys
from smttask import RecordedTask
from smttask.testing import count_call
{}

@RecordedTask
def Square(x: float) -> float:
    count_call()
    return x**2
"""


def install(folder: Path, version: str) -> None:
    """Put a package of this version into `folder`, as an installer would; another version goes."""
    for old in folder.glob("wavelab-*.dist-info"):
        (old / "METADATA").unlink()
        old.rmdir()
    (folder / "wavelab").mkdir(parents=True, exist_ok=True)
    (folder / "wavelab" / "__init__.py").write_text("")
    (folder / f"wavelab-{version}.dist-info").mkdir()
    header = f"Metadata-Version: 2.1\nName: wavelab\nVersion: {version}\n"
    (folder / f"wavelab-{version}.dist-info" / "METADATA").write_text(header)


RUN = """
import sys
sys.path.insert(0, {folder!r})
from tasks import Square
task = Square(3.0)
value = task.run()
print(Square(3.0).run(), task.last_hit)
"""


class Lab:
    """A project whose task uses the package `wavelab`."""

    def __init__(self, scratch: Any, folder: Path) -> None:
        self.scratch = scratch
        self.folder = folder
        self.calls = scratch.calls

    def run(self, **settings: str) -> Any:
        return self.scratch.run(RUN.format(folder=str(self.folder)), check=False, **settings)


@pytest.fixture
def lab(scratch: Any, tmp_path: Path) -> Lab:
    install(tmp_path / "site", "1.0")
    lab = Lab(scratch({"tasks.py": TASKS.format("import wavelab")}), tmp_path / "site")
    assert lab.run().stdout == "9.0 computed\n"
    install(lab.folder, "1.1")
    return lab


def test_other_packages_change_nothing_unless_asked(lab: Lab) -> None:
    """The default loads the result without a word."""
    done = lab.run()
    assert (done.stdout, done.stderr) == ("9.0 disk\n", "")


def test_the_policy_warn_names_the_package_and_both_versions(lab: Lab) -> None:
    """The result is loaded."""
    done = lab.run(SMTTASK_ON_PACKAGE_CHANGE="warn")
    assert done.stdout == "9.0 disk\n"
    assert (
        "PackageChangedWarning: Task 'Square' loads results made with other packages: wavelab 1.0 -> 1.1."
        in (done.stderr)
    )


def test_the_policy_recompute_computes_once_for_new_packages(lab: Lab) -> None:
    """The new result serves from then on."""
    outputs = [lab.run(SMTTASK_ON_PACKAGE_CHANGE="recompute").stdout for _ in range(2)]
    assert outputs == ["9.0 computed\n", "9.0 disk\n"]


def test_the_policy_error_refuses_and_names_both_ways_out(lab: Lab) -> None:
    """Nothing is loaded or computed."""
    done = lab.run(SMTTASK_ON_PACKAGE_CHANGE="error")
    assert done.returncode == 1
    assert "its result was made with other packages.\n  changed: wavelab 1.0 -> 1.1\n" in done.stderr
    assert "recompute it with run(recompute=True), or load it with on_package_change='ignore'" in done.stderr
    assert lab.calls("Square") == 1


def test_packages_as_they_were_are_no_matter(scratch: Any) -> None:
    """Nor are those imported since; one that is gone is named."""
    tasks = scratch({"tasks.py": TASKS.format("")}).load("tasks")
    with config.use(on_package_change="error"):
        assert [tasks.Square(3).run(), tasks.Square(3).run()] == [9.0, 9.0]
    rest = {"distributions": {"numpy": ["0.9", ""], "gone": ["1.0", ""], "blake3": [version("blake3"), ""]}}
    assert changed_packages(rest) == [("numpy", "0.9", version("numpy")), ("gone", "1.0", "not installed")]


def test_a_result_in_memory_is_looked_at_again_under_another_policy(lab: Lab) -> None:
    """Loaded while packages were ignored, it does not serve where they must be equal."""
    code = RUN + (
        "from smttask import config\n"
        "config.cache_runs = True\n"
        "print(Square(3.0).run(), Square(3.0).run(), Square(3.0).explain().where)\n"
        "config.on_package_change = {policy!r}\n"
        "print(Square(3.0).explain().hit, Square(3.0).run())\n"
    )
    runs = {
        policy: lab.scratch.run(code.format(folder=str(lab.folder), policy=policy), check=False)
        for policy in ("error", "recompute")
    }
    assert "made with other packages" in runs["error"].stderr
    assert runs["recompute"].stdout.endswith("False 9.0\n")
    assert lab.calls("Square") == 2
