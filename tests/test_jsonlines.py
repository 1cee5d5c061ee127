"""Notes of one JSON object a line."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from smttask.jsonlines import append_line, json_object, read_lines


def test_what_is_noted_comes_back_in_its_order_with_the_time(tmp_path: Path) -> None:
    """Text of any kind, on one line each; a file that is not there has no lines."""
    path = tmp_path / "notes.jsonl"
    assert read_lines(path) == []
    before = datetime.now(UTC)
    for number, text in enumerate(["ü\n", "\u2028\r\x00"]):
        append_line(path, {"number": number, "text": text}, durable=bool(number))
    found = read_lines(path)
    assert [(line["number"], line["text"]) for line in found] == [(0, "ü\n"), (1, "\u2028\r\x00")]
    assert before <= datetime.fromisoformat(found[0]["time"]) <= datetime.now(UTC)
    assert path.read_bytes().count(b"\n") == 2


def test_half_a_line_spoils_only_itself(tmp_path: Path) -> None:
    """A writer whose file may not grow leaves it; what is no object is passed over."""
    path = tmp_path / "notes.jsonl"
    append_line(path, {"n": 1})
    program = (
        "import sys; from pathlib import Path; from smttask.jsonlines import append_line; "
        "append_line(Path(sys.argv[1]), {'n': 'x' * 5000})"
    )

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    done = subprocess.run(
        [sys.executable, "-c", program, path], preexec_fn=limit, capture_output=True, check=False
    )
    assert b"File too large" in done.stderr
    assert path.stat().st_size == 1000
    append_line(path, {"n": 2})
    path.write_bytes(path.read_bytes() + b"[3]\n\xff\n\n")
    append_line(path, {"n": 4})
    assert [line["n"] for line in read_lines(path)] == [1, 2, 4]


def test_a_file_that_cannot_be_used_is_an_error(tmp_path: Path) -> None:
    """Whoever notes something says what becomes of it then."""
    with pytest.raises(IsADirectoryError):
        append_line(tmp_path, {})
    with pytest.raises(IsADirectoryError):
        read_lines(tmp_path)


def test_a_line_nested_beyond_all_measure_is_no_object() -> None:
    """It does no harm to the others."""
    assert json_object(b'{"a":' * 10**6) is None
