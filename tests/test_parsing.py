"""Parsing in several threads."""

from __future__ import annotations

import ast
import gc
import inspect
import json
import threading

import pytest

from smttask.parsing import N_TRIES, undisturbed

DISTURBED = "AST constructor recursion depth mismatch (before=78, after=74)"


def failing(errors):
    """A function that raises `errors` from the last to the first, then returns."""

    def parse():
        if errors:
            raise errors.pop()
        return "parsed"

    return parse


def test_threads_that_parse_at_the_same_time_all_get_their_trees():
    """Also where the garbage collector runs Python code in the middle, which lets another thread parse."""
    text = "\n".join(inspect.getsource(function) for function in (json.dumps, inspect.signature, ast.walk))
    wanted = ast.dump(ast.parse(text))
    found = []

    def parse():
        found.extend(undisturbed(lambda: ast.parse(text)) for _ in range(40))

    def run_python(phase, info):
        sum(range(10))

    old = gc.get_threshold()
    threads = [threading.Thread(target=parse) for _ in range(4)]
    gc.callbacks.append(run_python)
    gc.set_threshold(50)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        gc.set_threshold(*old)
        gc.callbacks.remove(run_python)
    assert [ast.dump(tree) for tree in found] == [wanted] * 160


def test_what_was_disturbed_is_parsed_again():
    """A few times; then the error is that of Python."""
    assert undisturbed(failing([SystemError(DISTURBED)] * 2)) == "parsed"
    with pytest.raises(SystemError, match="mismatch"):
        undisturbed(failing([SystemError(DISTURBED)] * N_TRIES))


@pytest.mark.parametrize("error", [SystemError("a null pointer"), SyntaxError(DISTURBED)])
def test_other_errors_come_at_once(error):
    """They would come again."""
    errors = [error] * 2
    with pytest.raises(type(error)):
        undisturbed(failing(errors))
    assert errors == [error]
