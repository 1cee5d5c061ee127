# ruff: noqa: T201 - printing is what these tests are about
from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from smttask.records.capture import KEPT_CHARACTERS, captured_output


def test_what_is_printed_is_kept_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with captured_output() as output:
        print("to out")
        print("to err", file=sys.stderr)
        sys.stdout.writelines(["a", "b\n"])
        sys.stdout.flush()
    assert output.text == str(output) == "to out\nto err\nab\n"
    assert capsys.readouterr() == ("to out\nab\n", "to err\n")


def test_the_streams_are_given_back_even_after_an_error() -> None:
    before = sys.stdout, sys.stderr
    with pytest.raises(ValueError), captured_output() as output:
        print("so far")
        raise ValueError
    assert (sys.stdout, sys.stderr) == before
    assert output.text == "so far\n"


def test_output_of_an_inner_run_belongs_to_it_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with captured_output() as outer:
        print("1")
        with captured_output() as inner:
            print("2")
        print("3")
    assert (outer.text, inner.text) == ("1\n3\n", "2\n")
    assert capsys.readouterr().out == "1\n2\n3\n"


def test_runs_in_threads_keep_their_own_output(capsys: pytest.CaptureFixture[str]) -> None:
    barrier = threading.Barrier(4)
    texts = {}

    def run(number: int) -> None:
        with captured_output() as output:
            barrier.wait()
            for _ in range(50):
                print(number)
            barrier.wait()
        texts[number] = output.text

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert texts == {number: f"{number}\n" * 50 for number in range(4)}
    assert len(capsys.readouterr().out.splitlines()) == 200


def test_threads_that_a_run_starts_write_into_it() -> None:
    with captured_output(), captured_output() as output:
        thread = threading.Thread(target=print, args=("from a thread",))
        thread.start()
        thread.join()
    assert output.text == "from a thread\n"


def test_logging_handlers_made_before_take_part_and_are_given_back() -> None:
    logger = logging.getLogger("test of captured output")
    handler = logging.StreamHandler(sys.stderr)
    logger.addHandler(handler)
    try:
        with captured_output() as output:
            logger.warning("careful")
        assert output.text == "careful\n"
        assert handler.stream is sys.stderr
    finally:
        logger.removeHandler(handler)


def test_a_stream_kept_from_a_run_still_shows(capsys: pytest.CaptureFixture[str]) -> None:
    with captured_output() as output:
        kept = sys.stdout
    print("later", file=kept)
    assert output.text == ""
    assert capsys.readouterr().out == "later\n"


def test_a_stream_that_the_user_puts_in_place_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    own = io.StringIO()
    with captured_output() as output:
        sys.stdout = own
        print("mine")
    assert sys.stdout is own
    assert (own.getvalue(), output.text) == ("mine\n", "")


def test_the_last_megabyte_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    with captured_output() as output:
        for number in range(40):
            print(f"{number:02}", "x" * 50_000)
    lines = output.text.splitlines()
    assert lines[0] == "[earlier output is not kept]"
    assert lines[-1].startswith("39 ")
    assert len(output.text) - len(lines[0]) - 1 == KEPT_CHARACTERS


def test_one_huge_text_is_cut_too(capsys: pytest.CaptureFixture[str]) -> None:
    with captured_output() as output:
        print("x" * (2 * KEPT_CHARACTERS))
    assert output.text.startswith("[earlier output is not kept]\n")


def test_the_proxy_looks_like_the_stream_it_stands_for(capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout
    with captured_output() as output:
        assert sys.stdout.encoding == before.encoding
        assert sys.stdout.isatty() == before.isatty()
        with sys.stdout as stream:
            stream.write("text\n")
        sys.stdout.buffer.write("bytes ü\n".encode())
        sys.stdout.flush()
        assert "captured" in repr(sys.stdout)
    assert output.text == "text\nbytes ü\n"


def test_programs_without_stdout_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    with captured_output() as output:
        print("nowhere")
    assert output.text == ""
    assert sys.stdout is None


WITH_DESCRIPTORS = """
import os, subprocess, sys, threading
from smttask.records.capture import captured_output
with captured_output(descriptors=True) as outer:
    print("python")
    os.system("echo program; echo error >&2")
    with captured_output() as inner:
        os.system("echo inner program")
        print("inner python")
    os.write(1, "ü".encode()[:1]); os.write(1, "ü".encode()[1:] + b"\\n")
    left = subprocess.Popen(["sh", "-c", "read go; echo late"], stdin=subprocess.PIPE)
print("after", flush=True)
left.communicate(b"go\\n")
for thread in threading.enumerate():
    if thread.name.startswith("smttask output"):
        thread.join()
os.write(2, repr((outer.text, inner.text)).encode())
"""


def test_file_descriptors_are_kept_and_shown_where_asked() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITH_DESCRIPTORS], capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n") == [
        "python", "program", "inner program", "inner python", "ü", "after", "late", "",
    ]  # fmt: skip
    shown, _, kept = done.stderr.partition("\n")
    assert shown == "error"
    outer, inner = eval(kept)  # noqa: S307 - repr of two strings, written above
    assert sorted(outer.split("\n")) == ["", "error", "program", "python", "ü"]
    assert inner == "inner program\ninner python\n"


CLOSING = """
import os, sys
from smttask.records.capture import captured_output
with captured_output(descriptors=True) as outer:
    with captured_output() as closing:
        print("before")
        os.close(1)
        os.close(2)
        taken = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
        closing.settle()
        print("settled")
    with captured_output() as leading:
        os.dup2(os.open(sys.argv[1], os.O_WRONLY), 1)
        with captured_output() as inner:
            os.write(1, b"to the file")
    with captured_output() as later:
        os.write(1, b"later\\n")
os.write(2, repr((closing.text, leading.text, later.text)).encode())
"""


def test_a_run_may_close_the_descriptors(tmp_path: Path) -> None:
    """They are given back, so that no file gets what later runs print; runs inside may be led elsewhere."""
    file = tmp_path / "file"
    done = subprocess.run(
        [sys.executable, "-c", CLOSING, file], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "before\nsettled\nlater\n"
    assert eval(done.stderr) == ("before\nsettled\n", "", "later\n")  # noqa: S307 - repr of strings
    assert file.read_text() == "to the file"


CLOSING_ALL = """
import os
from smttask.records.capture import captured_output
with captured_output(descriptors=True) as outer, captured_output() as inner:
    os.closerange(1, 100)
    inner.settle()
"""


def test_a_run_that_closes_all_descriptors_does_not_hang() -> None:
    """Nothing can be kept or shown any more, and nothing waits for it."""
    done = subprocess.run([sys.executable, "-c", CLOSING_ALL], capture_output=True, timeout=60)
    assert done.stdout == b""


def test_a_forked_child_can_capture_while_a_thread_of_its_parent_does() -> None:
    stop, started = threading.Event(), threading.Event()

    def busy() -> None:
        while not stop.is_set():
            with captured_output():
                started.set()

    thread = threading.Thread(target=busy)
    thread.start()
    started.wait()
    statuses = []
    for _ in range(20):
        pid = os.fork()
        if pid == 0:
            with captured_output() as output:
                sys.stdout.write("child")
            os._exit(0 if output.text == "child" else 1)
        statuses.append(os.waitpid(pid, 0)[1])
    stop.set()
    thread.join()
    assert statuses == [0] * 20
