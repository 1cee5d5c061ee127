"""What stands in a manifest, and what happens when it is not as it was written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from blake3 import blake3

from smttask.errors import DamagedResultError
from smttask.storage.manifest import JSONText, OutputEntry, compose, read_head, read_rest

GOLDEN = Path(__file__).parent / "golden" / "20261122-101500-123456_3f9c1b.json"


def golden_bytes(path):
    head, text = compose(
        label="20261122-101500-123456_3f9c1b",
        task="lab.tasks.Analyze",
        digest="3f9c1b00112233445566",
        full_digest="f" * 40,
        code="c" * 40,
        outputs={
            "mean": OutputEntry("json", 1.5),
            "field": OutputEntry("npy", None, "20261122-101500-123456_3f9c1b_field.npy", 144, "ab" * 32),
        },
        rest={"inputs": {"x": {"$tuple": [1, "\u00e9"]}}, "stdout_stderr": ""},
        file=str(path),
    )
    return head, text


def test_the_golden_manifest_is_read_and_written_the_same():
    """A manifest written by the first release is read for ever, and written the same today."""
    head, text = golden_bytes(GOLDEN)
    assert text == GOLDEN.read_bytes()
    assert read_head(GOLDEN) == head
    assert read_rest(head) == {"inputs": {"x": {"$tuple": [1, "\u00e9"]}}, "stdout_stderr": ""}
    assert head.path == GOLDEN.resolve()
    assert head.output_path("mean") is None
    assert head.output_path("field").name == "20261122-101500-123456_3f9c1b_field.npy"


def test_every_line_is_json_by_itself():
    """Any program can read a manifest line by line."""
    lines = [json.loads(line) for line in GOLDEN.read_text().splitlines()]
    assert lines[0]["outputs"]["mean"] == {"format": "json", "json": 1.5}
    assert list(lines[1]) == ["inputs"]


def test_every_single_flipped_byte_is_noticed(tmp_path):
    """Whichever byte of a manifest changes, it is not taken for whole."""
    path = tmp_path / "m.json"
    _, text = golden_bytes(path)
    for position in range(len(text)):
        path.write_bytes(text[:position] + bytes([text[position] ^ 1]) + text[position + 1 :])
        with pytest.raises(DamagedResultError):
            read_head(path)


def test_every_cut_is_noticed(tmp_path):
    """However much of a manifest is missing or too much, it is not taken for whole."""
    path = tmp_path / "m.json"
    _, text = golden_bytes(path)
    for size in range(len(text)):
        path.write_bytes(text[:size])
        with pytest.raises(DamagedResultError):
            read_head(path)
    path.write_bytes(text + b"{}\n")
    with pytest.raises(DamagedResultError, match="bytes instead of"):
        read_head(path)


def test_a_long_rest_is_checked_when_it_is_read(tmp_path):
    """Of a long manifest a hit reads the beginning; a flipped byte behind is noticed by who reads it."""
    path = tmp_path / "m.json"
    head, text = compose(
        label="L", task="t", digest="d", full_digest="f", code="c", outputs={"": OutputEntry("json", "x")},
        rest={"text": "y" * 100_000}, file=str(path),
    )  # fmt: skip
    path.write_bytes(text)
    assert read_head(str(path)) == head
    assert read_rest(head) == {"text": "y" * 100_000}
    path.write_bytes(text[:-100] + b"z" + text[-99:])
    assert read_head(path) == head
    with pytest.raises(DamagedResultError, match="checksum of its rest"):
        read_rest(head)
    path.write_bytes(text[:-100])
    with pytest.raises(DamagedResultError, match="bytes instead of"):
        read_head(path)


def test_a_long_head_is_read_whole(tmp_path):
    """Several outputs inside a manifest can make its first line longer than one read."""
    path = tmp_path / "m.json"
    head, text = compose(
        label="L", task="t", digest="d", full_digest="f", code="c", rest={"a": 1}, file=str(path),
        outputs={name: OutputEntry("json", "x" * 15_000) for name in "abcd"},
    )  # fmt: skip
    path.write_bytes(text)
    assert read_head(path) == head


def forged(fields):
    """A manifest with a right checksum whose fields are wrong."""
    from blake3 import blake3

    body = json.dumps(fields)[1:].encode()
    return b'{"check": "' + blake3(body).hexdigest(length=8).encode() + b'", ' + body + b"\n"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "cut within its first line"),
        (b"hello\n", "does not begin like a manifest"),
        (b'{"check": "0000000000000000", "format": 1}\n', "checksum of its first line"),
        (forged({"format": 2}), "format 2, this smttask reads format 1"),
        (forged({"format": 1}), "no head of a manifest"),
        (forged({"format": 1, "outputs": {"": {"format": "npy", "file": "../x.npy"}}}), "outside its folder"),
        (forged({"format": 1, "outputs": {"": {"format": "npy", "strange": 1}}}), "no head of a manifest"),
    ],
)
def test_a_foreign_file_is_no_manifest(content, reason, tmp_path):
    """The error names the file, says what was found, and what to do."""
    path = tmp_path / "m.json"
    path.write_bytes(content)
    with pytest.raises(DamagedResultError, match=reason) as caught:
        read_head(path)
    assert str(caught.value).startswith("Damaged result: m.json.")
    assert "run the task again" in str(caught.value)
    assert caught.value.path == str(path)


def test_a_folder_is_no_manifest(tmp_path):
    """A folder in the place of a manifest is damage, not a crash."""
    with pytest.raises(DamagedResultError, match="a folder where a manifest should be"):
        read_head(tmp_path)


def test_a_manifest_holds_strict_json_only():
    """NaN, which other programs cannot read, is refused before anything is written."""
    with pytest.raises(ValueError, match="JSON"):
        compose(
            label="L", task="t", digest="d", full_digest="f", code="c", outputs={}, file="m",
            rest={"x": float("nan")},
        )  # fmt: skip


def test_values_that_are_json_already_are_read_as_any_other(tmp_path):
    """Texts made once for many runs stand in each manifest as their values do, and empty values come back."""
    rest = {
        "told": {"a": [1, "\u00e9"]},
        "none": None,
        "no": False,
        "zero": 0,
        "text": "",
        "list": [],
        "dict": {},
    }
    made = {**rest, "told": JSONText(json.dumps(rest["told"]))}
    common = {"label": "L", "task": "t", "digest": "d", "full_digest": "f", "code": "c", "outputs": {}}
    path = tmp_path / "m.json"
    head, text = compose(**common, rest=made, file=str(path))
    assert text == compose(**common, rest=rest, file=str(path))[1]
    path.write_bytes(text)
    assert read_rest(read_head(path)) == rest
    assert head.whole_blake3 == blake3(text).hexdigest()
