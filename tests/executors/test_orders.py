"""What a worker is told to do, of which one order may be there before its turn."""

import os

import pytest

from smttask.executors import orders as orders_module
from smttask.executors.orders import Orders


@pytest.fixture
def pipe():
    """A pipe, as orders and a function that writes into it."""
    source, sink = os.pipe()
    yield Orders(source), lambda data: os.write(sink, data)
    os.close(sink)
    os.close(source)


def given_back(orders):
    with orders.held_up() as lines:
        return list(lines)


def test_lines_come_whole_however_they_are_cut(pipe):
    """Several in one piece, and one in many, longer than what is read at once."""
    orders, write = pipe
    write(b"one\ntwo\nth")
    assert [orders.next(), orders.next()] == [b"one", b"two"]
    write(b"ree\n")
    assert orders.next() == b"three"


def test_the_end_is_an_empty_line():
    """What was cut by it is no order."""
    source, sink = os.pipe()
    os.write(sink, b"one\nhal")
    os.close(sink)
    orders = Orders(source)
    assert [orders.next(), orders.next()] == [b"one", b""]
    os.close(source)


def test_what_waits_behind_a_long_work_goes_back(pipe, monkeypatch):
    """It is not given here any more; what comes later is."""
    monkeypatch.setattr(orders_module, "LONG_S", 0.0)
    orders, write = pipe
    write(b"long\nnext\n")
    assert orders.next() == b"long"
    assert given_back(orders) == [b"next"]
    write(b"last\n")
    orders.done()
    assert orders.next() == b"last"


def test_nothing_goes_back_when_the_work_was_short_or_has_ended(pipe, monkeypatch):
    """Then it is begun here, at once."""
    orders, write = pipe
    write(b"short\nnext\n")
    assert orders.next() == b"short"
    monkeypatch.setattr(orders_module, "LONG_S", 1e9)
    assert given_back(orders) == []
    monkeypatch.setattr(orders_module, "LONG_S", 0.0)
    orders.done()
    assert given_back(orders) == []
    assert orders.next() == b"next"


def test_a_file_of_the_task_under_the_number_of_the_pipe_is_not_read(pipe, monkeypatch, tmp_path):
    """A task may close all descriptors and open files of its own."""
    monkeypatch.setattr(orders_module, "LONG_S", 0.0)
    orders, write = pipe
    write(b"long\n")
    assert orders.next() == b"long"
    kept = os.dup(orders._descriptor)
    file = os.open(tmp_path / "data", os.O_CREAT | os.O_RDWR)
    os.write(file, b"of the task\n")
    os.lseek(file, 0, os.SEEK_SET)
    os.dup2(file, orders._descriptor)
    assert given_back(orders) == []
    assert os.read(file, 100) == b"of the task\n"
    os.dup2(kept, orders._descriptor)
    os.close(kept)
    os.close(file)
