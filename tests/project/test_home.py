"""Which host writes the record store, where several share the files of a project."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from smttask.errors import ProjectError, RecordStoreWarning
from smttask.process import Host, this_host
from smttask.project.home import Home

OTHER = {"name": "server", "machine": "m", "boot": "b", "addresses": []}


@pytest.fixture
def home(tmp_path):
    (tmp_path / ".smt").mkdir()
    return Home(tmp_path)


def claim_as(home, host):
    """Leave the claim of another host, as that host would."""
    home.path.write_text("")
    home.path.write_text(json.dumps({"host": host, "inode": home.path.stat().st_ino}))


def test_on_a_disk_of_its_own_every_host_is_at_home(home):
    """Nothing is written or asked."""
    assert home.is_here(is_shared=False)
    assert list(home.path.parent.iterdir()) == []


def test_the_first_host_on_a_shared_disk_claims_it(home):
    """Later processes of that host find the claim; nothing else is left."""
    assert home.is_here(is_shared=True)
    assert [path.name for path in home.path.parent.iterdir()] == ["home"]
    assert Home(home.root).host().is_same(this_host())
    assert Home(home.root).is_here(is_shared=True)


def test_another_host_is_not_at_home_and_says_so_once(home):
    """Whoever it is, by name."""
    claim_as(home, OTHER)
    with pytest.warns(RecordStoreWarning, match=r"kept in a journal: server writes"):
        assert not home.is_here(is_shared=True)
    assert not home.is_here(is_shared=True)
    assert home.claim().name == "server"
    assert home.claim(replace=True).is_same(this_host())
    assert home.is_here(is_shared=True)


def test_a_copy_of_a_project_is_at_home_where_it_is(home, tmp_path_factory):
    """The claim names the file that it stands in."""
    claim_as(home, OTHER)
    copy = tmp_path_factory.mktemp("copy") / "lab"
    shutil.copytree(home.root, copy, copy_function=shutil.copy2)
    assert Home(copy).is_here(is_shared=False)
    assert Home(copy).is_here(is_shared=True)
    assert Home(copy).host().is_same(this_host())


def test_a_moved_project_stays_at_home(home, tmp_path):
    """On the same disk nothing changes."""
    home.claim()
    moved = tmp_path.rename(tmp_path.with_name("moved"))
    assert Home(moved).host().is_same(this_host())


def test_one_of_many_that_claim_at_once_gets_it(home):
    """All of them agree on who it is."""
    code = (
        "import sys; from pathlib import Path; from smttask.project.home import Home; sys.stdin.read(1);"
        "print(Home(Path(sys.argv[1])).claim())"
    )
    command = [sys.executable, "-c", code, str(home.root)]
    crowd = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    for process in crowd:
        process.stdin.write("x")
        process.stdin.flush()
    assert {process.communicate()[0] for process in crowd} == {f"{Home(home.root).host()}\n"}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"host": 3, "inode": 1}', '{"inode": 1}'])
def test_a_damaged_claim_is_none(home, text):
    """It is made anew where it is needed."""
    home.path.write_text(text)
    assert home.host() is None
    assert home.is_here(is_shared=True)
    assert home.host().is_same(this_host())


def test_who_cannot_write_cannot_claim(tmp_path):
    """Asked for, it is an error; else the host works as if it were at home, and other errors tell."""
    home = Home(tmp_path / "nowhere")
    assert home.is_here(is_shared=True)
    with pytest.raises(ProjectError, match="cannot become the home") as caught:
        home.claim(replace=True)
    assert "No such file" in caught.value.found


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        (Host("renamed", "m", "b"), True),  # since the boot
        (Host("lab", "m", "later boot"), True),
        (Host("renamed", "m", "later boot", frozenset({"aa:bb", "cc:dd"})), True),  # the same card
        (Host("lab", "another", "later boot", frozenset({"aa:bb"})), False),
        (Host("node2", "m", "later boot", frozenset({"ee:ff"})), False),  # nodes started from one image
        (Host("lab", "", ""), False),
    ],
)
def test_hosts_are_told_apart_by_more_than_their_names(other, is_same):
    """A laptop may change its name, and nodes of a cluster may share what an installation leaves."""
    assert Host("lab", "m", "b", frozenset({"aa:bb"})).is_same(other) is is_same


def test_without_any_facts_the_name_decides():
    """On a system that says nothing else."""
    assert Host("lab").is_same(Host("lab"))
    assert not Host("lab").is_same(Host("other"))
    assert os.uname().nodename == this_host().name
