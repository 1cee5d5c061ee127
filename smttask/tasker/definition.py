"""What makes a function the task of a folder: its name, what goes in and what it stores."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from smttask.errors import SignatureError, short_repr
from smttask.protocols import Runnable, Wiring
from smttask.tasker.files import FormatFile
from smttask.tasker.nesting import leaves

__all__ = ["CONSTANTS", "Definition", "define", "define_with_ins", "is_directory_task"]

CONSTANTS = (bool, int, float, complex, bytes, type(None))
WHAT_GOES_IN = "tasks, file names, files of a format, numbers, and lists, tuples and dicts of these"


@dataclass(frozen=True, slots=True)
class Definition:
    """A function as the task of a folder, before anything is known of the folder.

    Parameters
    ----------
    name
        An identifier: the name of the function.
    inputs
        For each argument but the first what stands for its value, nested as it was given.
    by_name
        Arguments of `inputs` that can only be given by name.
    takes_ins
        The function takes all inputs as one second argument; then `inputs` has one entry, ``"ins"``.
    outputs
        Files of a format, or names of plain files.
    """

    function: Callable[..., Any]
    name: str
    doc: str
    inputs: Mapping[str, Any]
    outputs: tuple[FormatFile | str, ...]
    by_name: frozenset[str] = frozenset()
    takes_ins: bool = False

    def call(self, task: Any, values: Mapping[str, Any]) -> Any:
        """What the function returns for `values`, by argument."""
        by_position = [value for name, value in values.items() if name not in self.by_name]
        return self.function(task, *by_position, **{name: values[name] for name in self.by_name})


def define(function: Any, outputs: Iterable[Any] = ()) -> Definition:
    """The task that `function` is: its inputs are the defaults of all arguments but the first.

    Raises
    ------
    SignatureError
        If it has no first argument, others without default or with one that cannot go in, or an
        output is no file.
    """
    name = _name_of(function)
    arguments = _arguments(function, name)
    if not arguments or arguments[0].kind is inspect.Parameter.KEYWORD_ONLY:
        raise SignatureError(
            f"Task {name!r} takes no argument for the task itself.",
            f"found: def {name}({'*, …' if arguments else ''})",
            f"its first argument is the task itself: def {name}(tsk)",
        )
    inputs = {}
    for argument in arguments[1:]:
        if argument.default is argument.empty:
            raise SignatureError(
                f"Argument {argument.name!r} of task {name!r} has no default.",
                "the default of an argument says what goes in there",
                f"write {argument.name}=…: one of {WHAT_GOES_IN}",
            )
        inputs[argument.name] = argument.default
    _check_inputs(inputs, name)
    by_name = frozenset(a.name for a in arguments[1:] if a.kind is a.KEYWORD_ONLY)
    return Definition(function, name, _doc_of(function), inputs, _outputs(outputs, name), by_name)


def define_with_ins(function: Any, ins: Any, outputs: Iterable[Any]) -> Definition:
    """The task that `function` is, which takes the task and, as one second argument, all of `ins`.

    Raises
    ------
    SignatureError
        If it does not take two arguments, or something cannot go in or is no file to store.
    """
    name = _name_of(function)
    arguments = _arguments(function, name)
    by_position = [a for a in arguments if a.kind is not a.KEYWORD_ONLY]
    if len(by_position) != 2 or any(a.default is a.empty for a in arguments[2:]):
        raise SignatureError(
            f"Task {name!r} does not take two arguments.",
            f"found: {', '.join(a.name for a in arguments) or 'none'}; made by create_task(ins, outs)",
            f"write def {name}(tsk, ins)",
        )
    inputs = {"ins": ins}
    _check_inputs(inputs, name)
    return Definition(function, name, _doc_of(function), inputs, _outputs(outputs, name), takes_ins=True)


def is_directory_task(leaf: Any) -> bool:
    """Whether an input is a task of a Tasker."""
    return isinstance(leaf, Wiring) and hasattr(leaf, "definition")


def _name_of(function: Any) -> str:
    name = getattr(function, "__name__", None)
    if is_directory_task(function):
        raise SignatureError(
            f"{name!r} is a task already.",
            f"found: {short_repr(function)}",
            "put one decorator above a function; a task of other name and outputs takes it as an input",
        )
    if not callable(function) or isinstance(function, type):
        raise SignatureError(
            f"{short_repr(function)} is no function, so it cannot become a task.",
            f"found: {type(function).__name__}",
            "put @t, @t.computes or @t.stores(…) above a function; "
            "outputs are named in parentheses: @t.stores(JSON('a.json'))",
        )
    if not isinstance(name, str) or not name.isidentifier() or name.startswith("__"):
        raise SignatureError(
            f"{short_repr(function)} has no name that a task could have.",
            f"found: __name__ = {name!r}",
            "use a function made by def, or give it a __name__",
        )
    return name


def _arguments(function: Any, name: str) -> list[inspect.Parameter]:
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise SignatureError(
            f"Task {name!r} is an async function.",
            "tasks run one after the other, in their folder",
            "make it a plain function; asyncio.run inside it works",
        )
    try:
        arguments = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError) as error:
        raise SignatureError(
            f"The arguments of task {name!r} are not known.", str(error), "wrap it in a function of your own"
        ) from error
    for argument in arguments:
        if argument.kind in (argument.VAR_POSITIONAL, argument.VAR_KEYWORD):
            raise SignatureError(
                f"Task {name!r} takes any number of arguments.",
                f"found: {argument}",
                "name each argument; a list or dict as its default holds any number of inputs",
            )
    return arguments


def _doc_of(function: Any) -> str:
    return inspect.getdoc(function) or ""


def _check_inputs(inputs: Mapping[str, Any], name: str) -> None:
    for argument, tree in inputs.items():
        try:
            for place, leaf in leaves(tree, argument):
                if isinstance(leaf, (str, os.PathLike, Wiring, Runnable, *CONSTANTS)) and not _is_odd(leaf):
                    continue
                raise SignatureError(
                    f"Input {place} of task {name!r} cannot go in.",
                    f"found: {short_repr(leaf)} ({type(leaf).__name__})",
                    f"an input is one of {WHAT_GOES_IN}; other values come from conf or from the code",
                )
        except RecursionError:
            raise SignatureError(
                f"Input {argument!r} of task {name!r} holds itself.",
                f"found: {short_repr(tree)}",
                "name tasks and files in lists and dicts that end somewhere",
            ) from None


def _is_odd(leaf: Any) -> bool:
    """Whether it is a name of no file, or wiring that has no value, such as a Tasker."""
    if isinstance(leaf, Wiring):
        return not is_directory_task(leaf)
    return isinstance(leaf, str | os.PathLike) and not os.fspath(leaf)


def _outputs(outputs: Iterable[Any], name: str) -> tuple[FormatFile | str, ...]:
    found: list[FormatFile | str] = []
    for output in outputs:
        if isinstance(output, FormatFile):
            found.append(output)
        elif isinstance(output, str | os.PathLike) and os.path.normpath(text := os.fsdecode(output)) != ".":
            found.append(text)
        else:
            raise SignatureError(
                f"Task {name!r} cannot store {short_repr(output)}.",
                f"found: {type(output).__name__}",
                "an output is a file name, or a file of a format such as JSON('a.json')",
            )
    return tuple(found)
