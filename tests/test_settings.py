"""The settings: where they come from, and what a wrong one says."""

import asyncio
import pickle
import threading
from pathlib import Path

import pytest

from smttask.errors import SettingError
from smttask.project import Project
from smttask.settings import SETTINGS, Config, read_project_file
from smttask.testing import scratch_project


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    for setting in SETTINGS.values():
        monkeypatch.delenv(setting.variable, raising=False)


@pytest.fixture
def config():
    return Config()


def test_code_beats_environment_beats_project_file_beats_default(config, monkeypatch):
    """The nearest of the four places that name a setting decides."""
    from_file = {"verify": "full", "max_processes": 3}
    assert config.get("max_processes") is None
    assert config.get("max_processes", from_file) == 3
    monkeypatch.setenv("SMTTASK_MAX_PROCESSES", "5")
    assert config.get("max_processes", from_file) == 5
    config.max_processes = 7
    assert config.get("max_processes", from_file) == 7
    del config.max_processes
    assert config.get("max_processes", from_file) == 5


def test_use_restores_what_was_set_before(config):
    """Leaving a `use` block, also by an error, brings back the earlier values."""
    config.verify = "size"
    with pytest.raises(ZeroDivisionError), config.use(record=False, verify="full"):
        assert (config.record, config.verify) == (False, "full")
        config.verify = "size"
        config.on_error = "return"
        raise ZeroDivisionError
    assert (config.record, config.verify, config.on_error) == (True, "size", "raise")


def test_deleting_inside_use_uncovers_the_value_outside(config):
    """`del` undoes the innermost choice only."""
    config.on_error = "return"
    with config.use(on_error="raise"):
        del config.on_error
        assert config.on_error == "return"


def test_an_assignment_holds_in_every_thread_and_use_only_in_its_own(config):
    """A choice for the process reaches all threads; a `use` block does not leak into others."""
    seen = {}
    config.verify = "size"
    with config.use(record=False):
        thread = threading.Thread(target=lambda: seen.update(record=config.record, verify=config.verify))
        thread.start()
        thread.join()
    assert seen == {"record": True, "verify": "size"}


def test_asyncio_tasks_do_not_see_each_others_use(config):
    """Two coroutines that alternate keep their own values."""

    async def read(value):
        with config.use(record=value):
            await asyncio.sleep(0)
            return config.record

    async def both():
        return await asyncio.gather(read(True), read(False))

    assert asyncio.run(both()) == [True, False]


def test_a_misspelt_setting_names_the_near_one(config):
    """Reading, assigning and `use` all refuse an unknown name and suggest one."""
    with pytest.raises(SettingError, match="did you mean 'on_code_change'"):
        config.on_code_chnage = "warn"
    with pytest.raises(SettingError, match="did you mean 'verify'"):
        _ = config.verfy
    with pytest.raises(SettingError, match="There is no setting 'zzz'"), config.use(zzz=1):
        pass
    assert not hasattr(config, "zzz")


@pytest.mark.parametrize(
    ("name", "wrong", "allowed"),
    [
        ("record", "maybe", "true or false"),
        ("record", 1, "true or false"),
        ("verify", "ful", "'full', 'size'"),
        ("max_processes", 0, "a whole number of processes, at least 1"),
        ("max_processes", True, "a whole number of processes"),
        ("memo_max_bytes", "2.5", "a whole number of bytes, at least 0"),
        ("trusted_packages", [1], "a list of names"),
        ("project", 3, "the path of a folder"),
        ("record_store", "mysql://host/db", "the path of an SQLite file"),
        ("record_store", "postgresql://host", "postgresql://user@host:port/database"),
        ("record_store", "postgresql://host:port/db", "postgresql://user@host:port/database"),
    ],
)
def test_a_wrong_value_names_its_place_and_what_is_allowed(config, name, wrong, allowed):
    """The message says which setting, given where, and what it takes; nothing is changed."""
    before = config.get(name)
    with pytest.raises(SettingError) as caught:
        setattr(config, name, wrong)
    assert f"Setting '{name}' does not take {wrong!r}." in str(caught.value)
    assert "given by: code" in str(caught.value)
    assert f"allowed: {allowed}" in str(caught.value)
    assert config.get(name) == before


def test_the_environment_is_read_as_text_and_looked_at_anew(config, monkeypatch, tmp_path):
    """Variables set after import count, and a wrong one is named."""
    monkeypatch.setenv("SMTTASK_RECORD", "no")
    monkeypatch.setenv("SMTTASK_TRUSTED_PACKAGES", "lab, shared")
    monkeypatch.setenv("SMTTASK_PROJECT", str(tmp_path))
    monkeypatch.setenv("SMTTASK_VERIFY", "")
    assert config.record is False
    assert config.trusted_packages == ("lab", "shared")
    assert config.project == tmp_path
    assert config.verify == "full"
    monkeypatch.setenv("SMTTASK_RECORD", "on")
    assert config.record is True
    monkeypatch.setenv("SMTTASK_VERIFY", "some")
    with pytest.raises(SettingError, match="environment variable SMTTASK_VERIFY"):
        _ = config.verify


@pytest.mark.parametrize("place", ["pyproject.toml", ".smt/smttask.json"])
def test_a_project_keeps_settings_in_either_file(tmp_path, place):
    """`[tool.smttask]` and `.smt/smttask.json` say the same in their own way."""
    text = {
        "pyproject.toml": '[tool.smttask]\nverify = "size"\ndirty_directories = ["notebooks"]\n',
        ".smt/smttask.json": '{"verify": "size", "dirty_directories": ["notebooks"]}',
    }[place]
    (tmp_path / ".smt").mkdir()
    (tmp_path / place).write_text(text)
    assert dict(read_project_file(tmp_path)) == {"verify": "size", "dirty_directories": ("notebooks",)}


def test_a_project_without_settings_has_none(tmp_path):
    """Neither file, nor a pyproject without our table, is an error."""
    assert not read_project_file(tmp_path)
    (tmp_path / "pyproject.toml").write_text("[tool.other]\nx = 1\n")
    assert not read_project_file(tmp_path)


@pytest.mark.parametrize(
    ("place", "text", "message"),
    [
        ("pyproject.toml", "[tool.smttask\n", "The settings in pyproject.toml cannot be read."),
        ("pyproject.toml", "[tool]\nsmttask = 3\n", "no table of names and values"),
        (".smt/smttask.json", '{"verify": ', "The settings in smttask.json cannot be read."),
        (".smt/smttask.json", "[1]", "no table of names and values"),
        ("pyproject.toml", "[tool.smttask]\nverfiy = 'size'\n", "did you mean 'verify'"),
        ("pyproject.toml", "[tool.smttask]\nverify = 'no'\n", "allowed: 'full', 'size'"),
        (
            "pyproject.toml",
            "[tool.smttask]\nproject = '.'\n",
            "set SMTTASK_PROJECT or config.project",
        ),
    ],
)
def test_a_wrong_file_is_named(tmp_path, place, text, message):
    """Each mistake in a project's file is told with the file's path."""
    (tmp_path / ".smt").mkdir()
    (tmp_path / place).write_text(text)
    with pytest.raises(SettingError) as caught:
        read_project_file(tmp_path)
    assert message in str(caught.value)
    assert str(tmp_path / place) in str(caught.value)


def test_a_setting_in_both_files_is_refused(tmp_path):
    """Two files that name one setting leave the choice to the user."""
    (tmp_path / ".smt").mkdir()
    (tmp_path / "pyproject.toml").write_text("[tool.smttask]\nrecord = true\n")
    (tmp_path / ".smt" / "smttask.json").write_text('{"record": false}')
    with pytest.raises(SettingError, match="keep one of them"):
        read_project_file(tmp_path)


def test_the_settings_show_value_and_origin(config, monkeypatch):
    """Printing `config` answers which value holds and who chose it."""
    monkeypatch.setenv("SMTTASK_VERIFY", "size")
    config.record = False
    config.find_project_values_with(lambda: {"max_processes": 2})
    shown = {line.split("=")[0].strip(): line.split("= ")[1] for line in repr(config).splitlines()[1:]}
    assert shown["record"] == "False  (code)"
    assert shown["verify"] == "'size'  (environment)"
    assert shown["max_processes"] == "2  (project)"
    assert shown["on_error"] == "'raise'  (default)"


def test_a_misspelt_variable_is_an_error_with_a_suggestion(monkeypatch, tmp_path):
    """It is found when the settings of a project are first read."""
    with scratch_project(tmp_path / "p") as scratch:
        monkeypatch.setenv("SMTTASK_VERFIY", "size")
        fresh = Project(scratch.root)
        with pytest.raises(SettingError, match="SMTTASK_VERFIY(.|\n)*did you mean 'verify'"):
            fresh.setting("verify")


def test_a_password_in_a_url_is_refused_and_never_shown(config, tmp_path):
    """In code and in files; it has places where nobody else reads it."""
    for url in ("postgresql://me:se%2Fc%40ret@host/db", "postgresql://host/db?password=se/c@ret"):
        with pytest.raises(SettingError) as caught:
            config.record_store = url
        assert "~/.pgpass, PGPASSWORD or the URL in SMTTASK_RECORD_STORE" in str(caught.value)
        assert "ret" not in str(caught.value)
        (tmp_path / "pyproject.toml").write_text(f'[tool.smttask]\nrecord_store = "{url}"\n')
        with pytest.raises(SettingError, match="pyproject.toml") as caught:
            read_project_file(tmp_path)
        assert "ret" not in str(caught.value)
    with pytest.raises(SettingError, match="written as %XX") as caught:
        config.record_store = "postgresql://me:se/c@ret@host/db"
    assert "ret" not in str(caught.value)


def test_the_environment_may_hold_a_url_with_its_password(config, monkeypatch):
    """It goes no further than the connection: neither into text nor into other processes."""
    monkeypatch.setenv("SMTTASK_RECORD_STORE", "postgresql://me:p%40ss@host:5433/db?sslmode=require")
    url = config.record_store
    assert url.password == "p@ss"
    assert str(url) == "postgresql://me@host:5433/db?sslmode=require"
    assert "ss@" not in repr(config) + repr(url)
    assert pickle.loads(pickle.dumps(url)).password is None


def test_a_journal_is_no_file_unless_its_path_says_so(config):
    """The word chooses journals of records; a path, or `./journal`, a file."""
    config.record_store = "journal"
    assert config.record_store == "journal"
    for file in ("./journal", Path("journal")):
        config.record_store = file
        assert config.record_store == Path("journal")
