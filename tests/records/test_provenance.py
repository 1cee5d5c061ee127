from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from smttask.records import provenance

TELL = """
import sys
sys.path[:0] = sys.argv[1:]
from smttask.records.provenance import distributions
{}
print(*(f"{{one.name}}={{one.version}}" for one in distributions()), sep="\\n")
"""


def told(*folders: Path, imports: str = "") -> dict[str, str]:
    code = TELL.format(imports)
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, folders)], capture_output=True, text=True, check=True
    )
    return dict(line.split("=") for line in done.stdout.split())


def install(folder: Path, entry: str, files: dict[str, str], **description: str) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    about = folder / entry
    about.mkdir(parents=True)
    if entry.endswith("dist-info"):
        (about / "RECORD").write_text("".join(f"{name},,\n" for name in files))
    for name, text in description.items():
        (about / name.replace("_txt", ".txt")).write_text(text)


def test_imported_distributions_are_named_with_their_versions() -> None:
    found = {one.name: one.version for one in provenance.distributions()}
    assert found["pytest"] == version("pytest")
    assert found["blake3"] == version("blake3")


def test_the_same_tuple_comes_back_until_something_is_imported() -> None:
    assert provenance.distributions() is provenance.distributions()


def test_only_what_is_imported_counts() -> None:
    assert "PyYAML" not in told()
    assert told(imports="import yaml")["PyYAML"] == version("PyYAML")
    late = told(imports="distributions(); import yaml")
    assert late["PyYAML"] == version("PyYAML")


def test_a_module_called_otherwise_than_its_distribution_is_found_by_its_files(tmp_path: Path) -> None:
    install(tmp_path, "Big_Fish-1.2.dist-info", {"tiny.py": "", "whale/__init__.py": ""})
    install(tmp_path, "old_style-3.0-py3.11.egg-info", {"elder.py": ""}, top_level_txt="elder\n")
    found = told(tmp_path, imports="import whale, elder")
    assert (found["Big_Fish"], found["old_style"]) == ("1.2", "3.0")


def test_the_name_and_version_are_those_of_the_description(tmp_path: Path) -> None:
    about = "Metadata-Version: 2.1\nName: Big.Fish\nVersion: 1.2+local\n\nVersion: 9\n"
    install(tmp_path, "big_fish-1.2.dist-info", {"big_fish.py": ""}, METADATA=about)
    assert told(tmp_path, imports="import big_fish")["Big.Fish"] == "1.2+local"


def test_parts_of_a_namespace_package_are_told_apart(tmp_path: Path) -> None:
    install(tmp_path / "a", "space_one-1.0.dist-info", {"space/one/__init__.py": "", "space/one/x.py": ""})
    install(tmp_path / "b", "space_two-2.0.dist-info", {"space/two.py": ""})
    install(tmp_path / "b", "space_three-3.0.dist-info", {"space/three.py": ""})
    found = told(tmp_path / "a", tmp_path / "b", imports="import space.one.x, space.two")
    assert {name: one for name, one in found.items() if name.startswith("space")} == {
        "space_one": "1.0",
        "space_two": "2.0",
    }


def test_where_a_distribution_was_installed_from_is_told(tmp_path: Path) -> None:
    url = '{"url": "file:///home/me/fish", "dir_info": {"editable": true}}'
    install(tmp_path, "fish-1.0.dist-info", {"fish.py": ""}, **{"direct_url.json": url})
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import fish\n"
        "from smttask.records.provenance import distributions\n"
        "print([one.source for one in distributions() if one.name == 'fish'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "['file:///home/me/fish']\n"


def test_the_users_own_modules_are_no_distribution(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("")
    before, after = told(tmp_path), told(tmp_path, imports="import mine")
    assert before == after


def test_the_machine_is_told_without_network_or_other_programs() -> None:
    machine = provenance.platform()
    assert machine.ip_addr == "127.0.0.1"
    assert machine.system_name == os.uname().sysname
    assert machine.architecture_bits == "64bit"


def test_the_interpreter_and_the_user_are_told() -> None:
    assert provenance.executable().path == sys.executable
    assert provenance.executable().version == sys.version.split()[0]
    assert provenance.user()
