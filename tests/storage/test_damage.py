"""A result that is not as it was written is noticed, told once, kept aside, and never returned."""

from __future__ import annotations

import os
import threading

import numpy as np
import pytest

from smttask.errors import DamagedResultError
from smttask.storage.manifest import compose

KINDS = {
    "npy": np.arange(5000.0),
    "npy, large": np.arange(400_000.0),
    "npz": {"x": np.arange(20_000.0)},
    "text": "x" * 20_000,
    "bytes": b"x" * 20_000,
    "json": [1.5] * 10_000,
}


def flip(path, position):
    with open(path, "r+b") as file:
        file.seek(position, os.SEEK_END if position < 0 else os.SEEK_SET)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 16]))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("position", [0, 3, 100, 3000, -1000, -1])
def test_a_flipped_byte_in_an_output_is_never_returned(kind, position, scratch):
    """Wherever a bit of an output's file flips, loading raises, and the result can be set aside whole."""
    head = scratch.put(KINDS[kind])
    path = head.output_path("")
    flip(path, position)
    with pytest.raises(DamagedResultError, match=r"(?s)checksum does not fit.*computed anew"):
        scratch.store.load_output(scratch.find())
    kept = scratch.store.set_aside(head)
    assert kept == head.path.parent / ".damaged" / head.path.name
    assert (kept.parent / path.name).exists()
    assert scratch.find() is None
    scratch.put(KINDS[kind])
    np.testing.assert_equal(scratch.value(), KINDS[kind])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cut", [0, 1, 1000, -1])
def test_a_cut_output_is_set_aside_when_it_is_looked_for(kind, cut, scratch):
    """A file of another size is noticed before it is loaded; the report names file, place and sizes."""
    head = scratch.put(KINDS[kind])
    path = head.output_path("")
    size = path.stat().st_size
    os.truncate(path, cut if cut >= 0 else size + 5)
    assert scratch.find() is None
    ((place, reason),) = scratch.told
    assert place == path.parent / ".damaged" / head.path.name
    assert str(size) in reason
    assert path.name in reason
    assert scratch.find() is None
    assert len(scratch.told) == 1


def test_a_file_cut_between_look_up_and_load_is_damaged(scratch):
    """The size is looked at again when a file is loaded, also when it is only mapped."""
    head = scratch.put(KINDS["npy"])
    os.truncate(head.output_path(""), 1000)
    for options in ({}, {"mmap": True}, {"verify": "size"}):
        with pytest.raises(DamagedResultError, match="1000 bytes instead of"):
            scratch.store.load_output(head, **options)


def test_damage_that_size_does_not_show_is_found_when_loading_fails(scratch):
    """With `verify="size"` a file that cannot be loaded is checked after all."""
    head = scratch.put(KINDS["npy"])
    flip(head.output_path(""), 3)
    with pytest.raises(DamagedResultError, match="checksum"):
        scratch.store.load_output(head, verify="size")


def test_a_header_that_asks_for_all_memory_is_damage(scratch):
    """A shape of far too many elements is noticed as damage, not raised as lack of memory."""
    path = scratch.put(np.zeros((1000, 400))).output_path("")
    path.write_bytes(path.read_bytes().replace(b"400), }" + 9 * b" ", b"400" + 9 * b"0" + b"), }"))
    with pytest.raises(DamagedResultError, match="checksum does not fit"):
        scratch.store.load_output(scratch.find())


@pytest.mark.parametrize("position", [0, 5, 15, 40, 200, -2])
def test_a_flipped_byte_in_a_manifest_is_set_aside(position, scratch):
    """Whatever part of a manifest changes, the result is computed anew."""
    head = scratch.put(1.5, text="x" * 300)
    flip(head.path, position)
    assert scratch.find() is None
    ((place, _),) = scratch.told
    assert place.exists()
    assert place.parent.name == ".damaged"


def test_other_results_are_found_when_one_is_damaged(scratch):
    """A damaged result hides no older one by other code, and takes no other file with it."""
    scratch.put("old", code="a" * 40)
    head = scratch.put("new", code="b" * 40)
    os.truncate(head.path, 100)
    assert scratch.value(code="b" * 40) == "old"
    assert len(scratch.told) == 1


def test_a_damaged_rest_is_passed_over(scratch, a_key):
    """Where the rest of a long manifest decides and is damaged, the result is set aside."""
    head = scratch.put(1, a_key(full="1" * 40), text="x" * 100_000)
    flip(head.path, -100)
    assert scratch.find(is_same=lambda rest: True) is None
    assert "checksum of its rest" in scratch.told[0][1]


def test_a_result_of_another_task_is_not_returned(scratch, a_key):
    """A link that leads to a foreign result is set aside; the foreign result stays."""
    other = scratch.put("other", a_key("77" * 10))
    link = scratch.store.input_dir / "Analyze" / "3f9c1b00112233445566.json"
    link.symlink_to(f"../run_dump/Analyze/{other.path.name}")
    assert scratch.find() is None
    assert "leads to a result of lab.Analyze 7777" in scratch.told[0][1]
    assert scratch.value(a_key("77" * 10)) == "other"
    assert not link.is_symlink()


@pytest.mark.parametrize("target", ["3f9c1b00112233445566.json", "../file/x.json", "x" * 300])
def test_a_link_that_leads_nowhere_at_all_is_set_aside(target, scratch):
    """To itself, through a file, to a name that is too long: the next run replaces it."""
    link = scratch.store.input_dir / "Analyze" / "3f9c1b00112233445566.json"
    link.parent.mkdir(parents=True)
    (scratch.store.input_dir / "file").write_text("")
    link.symlink_to(target)
    assert scratch.find() is None
    assert "it leads nowhere" in scratch.told[0][1]
    scratch.put(2)
    assert scratch.value() == 2


@pytest.mark.parametrize("content", ["no link at all", '{"manifest": 5}'])
def test_a_foreign_file_in_the_place_of_a_link_is_set_aside(content, scratch):
    """A file that somebody put there is kept, told, and out of the way."""
    link = scratch.store.input_dir / "Analyze" / "3f9c1b00112233445566.json"
    link.parent.mkdir(parents=True)
    link.write_text(content)
    assert scratch.find() is None
    ((place, reason),) = scratch.told
    assert place.read_text() == content
    assert str(link) in reason
    scratch.put(2)
    assert scratch.value() == 2


def test_setting_aside_twice_keeps_both(scratch):
    """Nothing in `.damaged` is overwritten, and who comes second is no error."""
    head = scratch.put(KINDS["npy"])
    text = head.path.read_bytes()
    first = scratch.store.set_aside(head)
    head.path.write_bytes(text)
    second = scratch.store.set_aside(head.path)
    assert first != second
    assert first.read_bytes() == second.read_bytes() == text
    scratch.store.set_aside(head)


def test_damage_on_a_read_only_disk_is_told_once(scratch, read_only):
    """What cannot be moved away is told with its reason, and passed over from then on."""
    head = scratch.put(1)
    other = scratch.store.input_dir / "Analyze" / ".older"
    other.mkdir()
    (other / "3f9c1b00112233445566.abc.json").write_text("strange")
    os.truncate(head.path, 100)
    read_only(scratch.store.input_dir)
    assert scratch.find() is None
    assert scratch.find() is None
    assert len(scratch.told) == 2
    assert all("it stays where it is" in reason for _, reason in scratch.told)


def test_damage_found_by_loading_on_a_read_only_disk_is_passed_over(scratch, read_only):
    """A result that loading showed to be damaged and that cannot be moved is not found again."""
    head = scratch.put(KINDS["npy"])
    flip(head.output_path(""), 3000)
    read_only(scratch.store.input_dir)
    assert scratch.store.set_aside(scratch.find()) == head.path
    assert scratch.find() is None


def test_a_result_of_a_newer_smttask_is_told_and_left(scratch, monkeypatch):
    """A manifest of a newer format is not used and not moved, and stays found for the newer smttask."""
    monkeypatch.setattr("smttask.storage.manifest.FORMAT", 2)
    head = scratch.put("from the future")
    monkeypatch.undo()
    assert scratch.find() is None
    assert scratch.find() is None
    ((place, reason),) = scratch.told
    assert place == head.path
    assert "has format 2, this smttask reads format 1" in reason
    scratch.put("now", code="d" * 40)
    assert scratch.value(code="d" * 40) == "now"
    assert head.path.exists()
    assert len(list((scratch.store.input_dir / "Analyze" / ".older").iterdir())) == 1


def test_a_manifest_cannot_name_files_elsewhere(scratch, tmp_path):
    """A hostile manifest makes no file outside its folder be read."""
    head = scratch.put(1)
    _, text = compose(
        label=head.label, task="t", digest=head.digest, full_digest=head.full_digest, code=head.code,
        outputs={"": type(head.outputs[""])("text", None, "../../../secret", 1, "")}, rest={}, file="",
    )  # fmt: skip
    head.path.write_bytes(text)
    assert scratch.find() is None
    assert "outside its folder" in scratch.told[0][1]


def test_threads_that_meet_damage_together_tell_it_without_error(scratch):
    """Several threads find the same damaged result; each goes on as after a miss, and one tells it."""
    head = scratch.put(KINDS["npy"])
    os.truncate(head.path, 100)
    found = []
    threads = [threading.Thread(target=lambda: found.append(scratch.find())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [None] * 8
    assert len(scratch.told) == 1
