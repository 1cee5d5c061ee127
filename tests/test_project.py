"""Which project is used, and what it is made of."""

import json
import os
import pickle
import re
import shutil
import subprocess
import sys
import threading

import pytest

from smttask.errors import ProjectError, SettingError
from smttask.project import (
    create_project,
    current_project,
    find_project,
    get_current_project,
    get_project,
    project_root,
    use_project,
)
from smttask.settings import config
from smttask.testing import git, scratch_project


@pytest.fixture(autouse=True)
def no_project_chosen(monkeypatch):
    monkeypatch.delenv("SMTTASK_PROJECT", raising=False)


@pytest.fixture
def make(tmp_path):
    """Make a project in a folder of that name, in a git repository of its own."""

    def make(folder, **options):
        root = tmp_path / folder
        root.mkdir(parents=True)
        git(root, "init", "--quiet")
        return create_project(root, **options)

    return make


@pytest.fixture
def load_module(monkeypatch):
    """Load a module from a file, as an import would."""

    def load(path, name="module_of_a_test"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x = 1\n")
        spec = __import__("importlib.util").util.spec_from_file_location(name, path)
        module = __import__("importlib.util").util.module_from_spec(spec)
        spec.loader.exec_module(module)
        monkeypatch.setitem(sys.modules, name, module)
        return name

    return load


def test_a_project_is_found_from_any_folder_inside_it(make):
    """The search goes upwards and gives one object for one root."""
    project = make("lab")
    inner = project.root / "a" / "b"
    inner.mkdir(parents=True)
    assert find_project(inner) is project
    assert find_project(project.root) is project
    assert find_project(project.root.parent) is None


def test_links_to_one_folder_are_one_project(make, tmp_path):
    """A root is its real path, whatever link leads to it."""
    project = make("lab with ünïcode")
    link = tmp_path / "link"
    link.symlink_to(project.root)
    assert get_project(link) is project


def test_the_inner_of_two_projects_is_found(make):
    """A project inside another is a project of its own."""
    make("outer")
    inner = make("outer/inner")
    assert find_project(inner.root) is inner


def test_a_project_made_inside_one_that_was_in_use_is_found(make):
    """What was found before for its folder is searched anew."""
    outer = make("outer")
    folder = outer.root / "inner"
    assert find_project(folder) is outer
    inner = make("outer/inner")
    assert find_project(folder) is inner


def test_the_project_around_the_working_directory_is_current(make, monkeypatch):
    """Without a module, the working directory decides."""
    project = make("lab")
    monkeypatch.chdir(project.root)
    assert current_project() is project
    assert project_root() == project.root


def test_a_module_of_another_project_belongs_to_that_one(make, load_module, monkeypatch):
    """Working in one project and calling a task of another records it with the other."""
    here, there = make("here"), make("there")
    name = load_module(there.root / "code.py")
    monkeypatch.chdir(here.root)
    assert current_project(name) is there


def test_a_module_of_no_project_belongs_to_the_working_directory(make, load_module, monkeypatch, tmp_path):
    """Code outside every project is used for the project one works in."""
    here = make("here")
    name = load_module(tmp_path / "loose.py")
    monkeypatch.chdir(here.root)
    assert current_project(name) is here


def test_a_module_is_enough_to_find_its_project(make, load_module, monkeypatch, tmp_path):
    """Outside every project, the module's own project is used."""
    there = make("there")
    name = load_module(there.root / "package" / "code.py")
    monkeypatch.chdir(tmp_path)
    assert current_project(name) is there


def test_a_trusted_package_of_another_project_stays_with_the_working_directory(
    make, load_module, monkeypatch
):
    """Code that the project trusts is recorded with it, wherever it lies."""
    here, there = make("here"), make("there")
    name = load_module(there.root / "labtools.py", "labtools")
    monkeypatch.chdir(here.root)
    assert current_project(name) is there
    with config.use(trusted_packages=["labtools"]):
        assert current_project(name) is here


def test_an_installed_package_in_a_project_environment_belongs_to_no_project(make, load_module, monkeypatch):
    """What lies in an environment inside a project is not the project's code."""
    here, there = make("here"), make("there")
    (there.root / ".venv").mkdir()
    (there.root / ".venv" / "pyvenv.cfg").write_text("")
    name = load_module(there.root / ".venv" / "lib" / "python3" / "site-packages" / "tool.py")
    monkeypatch.chdir(here.root)
    assert current_project(name) is here


def test_a_named_project_wins_over_the_working_directory(make, monkeypatch):
    """`SMTTASK_PROJECT`, then `config.project`, then `use_project` decide, each over the one before."""
    here, named, chosen, used = make("here"), make("named"), make("chosen"), make("used")
    monkeypatch.chdir(here.root)
    monkeypatch.setenv("SMTTASK_PROJECT", str(named.root))
    assert current_project() is named
    with config.use(project=chosen.root):
        assert current_project() is chosen
        with use_project(used.root):
            assert current_project() is used
        assert current_project() is chosen


def test_a_named_folder_that_is_no_project_is_an_error(tmp_path):
    """A wrong `config.project` is told, not passed over."""
    with config.use(project=tmp_path), pytest.raises(ProjectError) as caught:
        current_project()
    assert "is no project." in caught.value.what
    assert "smttask project init" in str(caught.value)


def test_use_project_does_not_leak_into_other_threads(make, monkeypatch, tmp_path):
    """A block in one thread leaves the others alone."""
    project, seen = make("lab"), []
    monkeypatch.chdir(tmp_path)
    with use_project(project):
        thread = threading.Thread(target=lambda: seen.append(current_project()))
        thread.start()
        thread.join()
        assert current_project() is project
    assert seen == [None]


def test_without_a_project_the_message_says_where_it_searched(load_module, monkeypatch, tmp_path):
    """Both places and both ways out are named."""
    name = load_module(tmp_path / "code" / "loose.py")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    assert project_root(name) is None
    with pytest.raises(ProjectError) as caught:
        get_current_project(name)
    text = str(caught.value)
    assert text.startswith(f"No project found for module '{name}'.")
    searched = [line for line in text.splitlines() if "searched" in line]
    assert len(searched) == len(set(searched))
    assert f"searched: {tmp_path / 'work'} and the folders above it" in text
    assert f"searched: {tmp_path / 'code'} and the folders above it" in text
    assert "smttask project init" in text
    assert "SMTTASK_PROJECT" in text


def test_a_removed_working_directory_is_no_project(monkeypatch, tmp_path):
    """Tasks that need no project work where the folder one stood in is gone."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert current_project() is None
    with pytest.raises(ProjectError, match="removed"):
        get_current_project()


def test_a_project_starts_with_stores_below_its_root(make):
    """The results stand in `data`, the records in `.smt`, and git ignores both."""
    project = make("lab", name="My lab")
    assert project.name == "My lab"
    assert (project.data.input_dir, project.data.output_dir) == (
        project.root / "data",
        project.root / "data" / "run_dump",
    )
    assert project.records.path == project.root / ".smt" / "records"
    assert (project.root / ".gitignore").read_text().splitlines() == ["/.smt/", "/data/"]


def test_stores_elsewhere_are_kept_with_the_project(make, tmp_path):
    """Other folders for the stores are remembered, and only those inside the project are ignored by git."""
    project = make("lab", input_store="links", output_store=str(tmp_path / "scratch disk"))
    assert project.data.input_dir == project.root / "links"
    assert project.data.output_dir == tmp_path / "scratch disk"
    assert (project.root / ".gitignore").read_text().splitlines() == ["/.smt/", "/links/"]
    assert json.loads((project.root / ".smt" / "smttask.json").read_text()) == {
        "input_store": "links",
        "output_store": str(tmp_path / "scratch disk"),
    }


def test_making_a_project_keeps_what_is_there(make):
    """Lines of `.gitignore`, settings and an existing project stay as they are."""
    project = make("lab", name="first")
    (project.root / ".gitignore").write_text(".smt\n*.tmp\ndata")
    mark = (project.root / ".smt" / "project").read_bytes()
    again = create_project(project.root, name="second", input_store="elsewhere")
    assert again is project
    assert again.name == "first"
    assert (project.root / ".smt" / "project").read_bytes() == mark
    assert (project.root / ".gitignore").read_text() == ".smt\n*.tmp\ndata\n/elsewhere/\n"


def test_settings_of_the_file_reach_the_project_and_config(make, monkeypatch):
    """A project's file decides for its project, seen through `config` as well."""
    project = make("lab")
    (project.root / "pyproject.toml").write_text('[tool.smttask]\nverify = "size"\n')
    assert project.setting("verify") == "size"
    monkeypatch.chdir(project.root)
    assert config.verify == "size"
    with config.use(verify="full"):
        assert project.setting("verify") == "full"


def test_settings_that_come_and_go_come_back_to_the_same_record_store(make):
    """A loop that changes a setting for each run does not open the store again and again."""
    project = make("lab")
    first = project.records
    with config.use(input_store="other"):
        assert project.records is not first
    assert project.records is first


def test_a_wrong_settings_file_is_an_error_of_the_project(make):
    """A mistake in the project's file is told when a setting is asked for."""
    project = make("lab")
    (project.root / "pyproject.toml").write_text("[tool.smttask]\nverfiy = 1\n")
    with pytest.raises(SettingError, match="did you mean 'verify'"):
        project.setting("verify")


@pytest.mark.parametrize("name", ["", " lab", "a/b", "-x", "x" * 51, "a\0b"])
def test_a_name_that_sumatra_cannot_show_is_refused(make, name):
    """Names stand in the addresses of Sumatra's web pages; the message says what fits."""
    with pytest.raises(ProjectError, match="A project cannot be called") as caught:
        make("lab", name=name)
    assert "expected: at most 50 letters, digits" in str(caught.value)


@pytest.mark.parametrize(("folder", "name"), [("my lab", "my lab"), (".l+b", "_l_b"), ("größe", "größe")])
def test_the_folder_gives_the_name(make, folder, name):
    """Without a name, the folder's serves, made such that Sumatra takes it."""
    assert make(folder).name == name


def test_sumatra_reads_the_project(make):
    """`smt info` and `smt list` work in a new project, and in one that was moved."""
    project = make("my lab", name="lab")
    smt = [sys.executable, "-c", "from sumatra.cli import smt; smt()"]
    shown = subprocess.run(
        [*smt, "info"], cwd=project.root, capture_output=True, text=True, check=True
    ).stdout
    facts = dict(re.findall(r"^(.*?) *: (.*)$", shown, re.MULTILINE))
    assert facts["Project name"] == "lab"
    assert facts["Default repository"] == f"GitRepository at {project.root}"
    assert facts["Data store (output)"] == str(project.data.output_dir)
    assert facts["Record store"] == f"Django ({project.records.path})"
    subprocess.run([*smt, "list"], cwd=project.root, capture_output=True, check=True)


def test_a_git_worktree_can_be_a_project(make, tmp_path):
    """A second working copy of a repository is a project of its own, once it is made one."""
    project = make("lab")
    git(project.root, "commit", "--allow-empty", "--message", "Begin")
    git(project.root, "worktree", "add", "--quiet", str(tmp_path / "tree"))
    assert find_project(tmp_path / "tree") is None
    tree = create_project(tmp_path / "tree")
    assert tree is not project
    assert tree.repository.state().commit == project.repository.state().commit


def test_outside_git_a_project_cannot_be_made(tmp_path):
    """The message says what is missing and how to get it."""
    with pytest.raises(ProjectError) as caught:
        create_project(tmp_path / "a b")
    assert "it is in no git repository" in caught.value.what
    assert f"git init '{tmp_path / 'a b'}'" in str(caught.value)
    assert not (tmp_path / "a b").exists()


def test_a_folder_that_cannot_be_written_cannot_become_a_project(tmp_path):
    """A file where the folder `.smt` should be is told as such."""
    git(tmp_path, "init", "--quiet")
    (tmp_path / ".smt").write_text("")
    with pytest.raises(ProjectError, match="give yourself the right to write there"):
        create_project(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"name": 3}'])
def test_a_damaged_project_file_is_named(make, text):
    """A `.smt/project` that is cut or foreign gives its path and the way out."""
    project = make("lab")
    (project.root / ".smt" / "project").write_text(text)
    with pytest.raises(ProjectError) as caught:
        _ = project.name
    assert str(project.root / ".smt" / "project") in str(caught.value)
    assert "smttask project init" in str(caught.value)


def test_a_moved_project_works_where_it_is(make, tmp_path):
    """Sumatra's file, which holds absolute paths, is made anew; name and stores move along."""
    old = make("old", name="lab", output_store=str(tmp_path / "outside"))
    shutil.move(old.root, tmp_path / "new")
    moved = get_project(tmp_path / "new")
    assert (moved.name, moved.records.path) == ("lab", moved.root / ".smt" / "records")
    text = (moved.root / ".smt" / "project").read_text()
    assert str(old.root) not in text
    assert str(moved.root) in text
    assert str(tmp_path / "outside") in text


def test_a_project_made_by_sumatra_keeps_its_record_store(make, tmp_path):
    """The records of a project that `smt init` made stay where Sumatra looks for them."""
    project = make("lab")
    path = project.root / ".smt" / "project"
    tree = json.loads(path.read_text())
    tree["record_store"]["db_file"] = str(tmp_path / "records.db")
    path.write_text(json.dumps(tree))
    assert project.records.path == tmp_path / "records.db"
    with config.use(record_store="other/records"):
        assert project.records.path == project.root / "other" / "records"


def test_a_project_travels_by_its_root(make):
    """Pickled and back, it is the same object."""
    project = make("lab")
    assert pickle.loads(pickle.dumps(project)) is project
    assert repr(project) == f"Project({str(project.root)!r})"


def test_a_scratch_project_leaves_nothing_behind(tmp_path):
    """Path, loaded modules and the project in use are as before."""
    before = list(sys.path), os.getcwd(), current_project()
    with scratch_project(tmp_path / "s", {"scratch_code.py": "x = 1\n"}) as scratch:
        assert scratch.load("scratch_code").x == 1
        assert current_project("scratch_code") is scratch.project
        assert git(scratch.root, "status", "--porcelain") == ""
        scratch.write({"scratch_code.py": "x = 2\n"}, commit=False)
        assert scratch.load("scratch_code").x == 1
        assert scratch.reload("scratch_code").x == 2
        assert git(scratch.root, "status", "--porcelain") == " M scratch_code.py"
    assert "scratch_code" not in sys.modules
    assert (sys.path, os.getcwd(), current_project()) == before


def test_with_a_journal_the_record_store_to_look_at_is_the_projects_own(make):
    """Runs of this process go to the journal; what is shown are the records that were taken in."""
    project = make("lab")
    (project.root / "pyproject.toml").write_text('[tool.smttask]\nrecord_store = "other.records"\n')
    with config.use(record_store="journal"):
        assert project.records.path == project.root / "other.records"
        assert project.run_records is project.journal
    assert project.run_records is project.records
