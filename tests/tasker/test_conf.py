"""Settings of a Tasker, and what tasks read of them."""

import copy
import json
import pickle
import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest

from smttask.errors import ArgumentError, SmttaskWarning
from smttask.tasker.conf import Conf


@pytest.fixture
def conf():
    return Conf({"fps": 50, "camera": {"gain": 2, "lens": {"f": 1.4}}, "names": ["a", "b"]})


def read(conf, look):
    """Names that `look` reads."""
    with conf.noting() as reads:
        look(conf)
    return sorted(reads)


def test_settings_are_attributes_and_items(conf):
    """What is set one way is read the other way, in dicts among them too."""
    conf.fps = 60
    conf["camera"]["gain"] = 3
    conf.camera.lens.f = 2.0
    conf.new = {"x": {"y": 1}}
    assert (conf["fps"], conf.camera.gain, conf["camera"]["lens"]["f"], conf.new.x.y) == (60, 3, 2.0, 1)
    del conf.fps
    del conf["names"]
    assert sorted(conf) == ["camera", "new"]
    assert "camera" in dir(conf)


def test_a_missing_setting_says_what_there_is(conf):
    """A misspelt name is an error that lists the names."""
    with pytest.raises(AttributeError, match="conf has no 'fsp'; it holds fps, camera, names"):
        _ = conf.fsp
    with pytest.raises(AttributeError, match="conf has no 'fsp'"):
        del conf.fsp
    with pytest.raises(KeyError):
        conf["fsp"]
    assert getattr(conf, "fsp", None) is None
    with pytest.raises(AttributeError, match="it holds nothing"):
        _ = Conf().x


def test_names_that_cannot_be_set_are_told(conf):
    """A method of conf is not overwritten by mistake; an item of that name may stand there."""
    with pytest.raises(ArgumentError, match="(?s)conf.items cannot be set.*method.*conf\\['items'\\]"):
        conf.items = [1]
    conf["items"] = [1]
    assert conf["items"] == [1]
    with pytest.raises(ArgumentError, match="(?s)no place for the name 5.*int.*conf.table"):
        conf[5] = 1
    conf.table = {5: 1}
    assert conf.table[5] == 1


def test_a_dict_is_copied(conf):
    """What is done to the dict that was given does not change conf."""
    given = {"a": {"b": 1}}
    conf.given = given
    given["a"]["b"] = 2
    assert conf.given.a.b == 1


def test_it_is_a_dict_to_all_others(conf):
    """JSON, unpacking, comparison and copies take it for a dict; a copy or pickle is a plain one."""
    expected = {"fps": 50, "camera": {"gain": 2, "lens": {"f": 1.4}}, "names": ["a", "b"]}
    assert isinstance(conf, dict)
    assert json.loads(json.dumps(conf)) == expected
    assert conf == expected == {**conf} == dict(conf)
    assert conf != {"fps": 50}
    assert conf | {"fps": 1} == {**expected, "fps": 1} == {"fps": 1} | dict(sorted(conf.items())) | {"fps": 1}
    for made in (pickle.loads(pickle.dumps(conf)), copy.deepcopy(conf)):
        assert made == expected
        assert type(made) is type(made["camera"]["lens"]) is dict
    conf |= {"fps": 1}
    assert type(conf) is Conf
    assert (conf.fps, list(reversed(conf))) == (1, ["names", "camera", "fps"])


@pytest.mark.parametrize(
    ("look", "names"),
    [
        (lambda conf: conf.fps, ["fps"]),
        (lambda conf: conf["fps"], ["fps"]),
        (lambda conf: conf.camera.lens.f, ["camera"]),
        (lambda conf: conf.get("fps", 3), ["fps"]),
        (lambda conf: conf.get("none", 3), ["none"]),
        (lambda conf: "none" in conf, ["none"]),
        (lambda conf: hasattr(conf, "none"), ["none"]),
        (lambda conf: conf.setdefault("fps", 3), ["fps"]),
        (lambda conf: list(conf), ["*"]),
        (lambda conf: len(conf), ["*"]),
        (lambda conf: list(conf.keys()), ["*"]),
        (lambda conf: dict(conf), ["*", "camera", "fps", "names"]),
        (lambda conf: {**conf}, ["*", "camera", "fps", "names"]),
        (lambda conf: conf | {}, ["*", "camera", "fps", "names"]),
        (lambda conf: {} | conf, ["*", "camera", "fps", "names"]),
        (lambda conf: conf == {}, ["*", "camera", "fps", "names"]),
        (lambda conf: conf.copy(), ["*", "camera", "fps", "names"]),
        (lambda conf: json.dumps(conf), ["*", "camera", "fps", "names"]),
        (lambda conf: pickle.dumps(conf), ["*", "camera", "fps", "names"]),
        (lambda conf: list(conf.values()), ["*", "camera", "fps", "names"]),
        (lambda conf: None, []),
    ],
)
def test_what_is_read_is_noted(conf, look, names):
    """Every way to read a setting is seen, by the name at the top; `*` stands for which names there are."""
    assert read(conf, look) == names


def test_a_setting_held_from_before_is_noted(conf):
    """A dict of settings that a task got elsewhere is conf all the same."""
    camera = conf.camera
    assert read(conf, lambda conf: camera.gain) == ["camera"]
    assert read(conf, lambda conf: list(camera.lens)) == ["camera"]


def test_threads_of_a_task_are_seen(conf):
    """A task may read its settings in threads of its own."""

    def look(conf):
        thread = threading.Thread(target=lambda: conf.fps)
        thread.start()
        thread.join()

    assert read(conf, look) == ["fps"]


def test_a_changed_setting_has_another_digest(conf):
    """What was read is compared with what stands there now, in depth; what equals it is the same."""
    with conf.noting() as reads:
        _ = conf.camera, conf.get("none"), list(conf), conf.fps
    assert reads["none"].digest == ""
    assert reads["fps"].text == "50"
    assert conf.now(reads) == reads
    conf.fps = 50
    assert conf.now(reads) == reads
    conf.camera.lens.f = 2.8
    changed = {name for name, now in conf.now(reads).items() if now.digest != reads[name].digest}
    assert changed == {"camera"}
    conf.none = None
    changed = {name for name, now in conf.now(reads).items() if now.digest != reads[name].digest}
    assert changed == {"camera", "none", "*"}


def test_lists_and_arrays_are_compared_by_content():
    """A list that is changed in place, and an array, count by what they hold."""
    conf = Conf({"rois": [1, 2], "mask": np.zeros(5)})
    with conf.noting() as reads:
        _ = conf.rois, conf.mask
    conf.rois.append(3)
    conf.mask = np.zeros(5)
    now = conf.now(reads)
    assert now["rois"].digest != reads["rois"].digest
    assert now["mask"] == reads["mask"]


def test_what_a_task_sets_itself_is_not_what_it_read(conf):
    """A task that keeps a value in conf does not depend on it."""

    def look(conf):
        conf.seen = 5
        return conf.seen, conf.fps

    assert read(conf, look) == ["fps"]
    assert read(conf, lambda conf: (conf.fps, setattr(conf, "fps", 1))) == ["fps"]


def test_notes_end_with_the_run(conf):
    """What is read before, after, or by a task within a task is noted where it belongs."""
    with conf.noting() as outer:
        with conf.noting() as inner:
            _ = conf.fps
        _ = conf.names
    _ = conf.camera
    assert (sorted(inner), sorted(outer)) == (["fps"], ["fps", "names"])


def test_paths_inside_the_folder_count_relative_to_it(tmp_path):
    """A folder that was moved has the same conf."""
    reads = [
        Conf({"raw": root / "raw", "all": {"a": root / "a"}}, root=root).now(["raw", "all"])
        for root in (tmp_path / "1", tmp_path / "2")
    ]
    assert reads[0]["raw"].digest == reads[1]["raw"].digest
    assert reads[0]["all"].digest == reads[1]["all"].digest


def test_a_value_without_digest_is_told_once():
    """A setting that cannot be compared is no error, but the user is told that changes go unnoticed."""
    conf = Conf({"lock": threading.Lock()})
    with pytest.warns(SmttaskWarning, match="(?s)conf.lock.*go unnoticed.*lock.*plain values"):
        assert read(conf, lambda conf: conf.lock) == ["lock"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read(conf, lambda conf: conf.lock) == ["lock"]
    before = conf.now(["lock"])["lock"].digest
    conf.lock = threading.Lock()
    assert conf.now(["lock"])["lock"].digest == before
    conf.lock = 1
    assert conf.now(["lock"])["lock"].digest != before


def test_plain_settings_load_nothing_heavy():
    """Comparing them takes neither numpy nor pydantic, so that a menu is there at once."""
    code = (
        "import sys; from pathlib import Path; from smttask.tasker.conf import Conf\n"
        "conf = Conf({'fps': 50, 'camera': {'gains': [1.5, 2]}, 'file': Path('a')}, root=Path('/'))\n"
        "with conf.noting() as reads: dict(conf)\n"
        "print(len(reads), {'numpy', 'pydantic'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "4 set()\n"
