"""Taskers of folders, made by the taskfile that stands there or above."""

from __future__ import annotations

import os
from glob import glob, has_magic
from pathlib import Path
from types import ModuleType
from typing import Any

from smttask.errors import TaskfileError, short_repr
from smttask.tasker.directory import Tasker
from smttask.tasker.loading import load_taskfile
from smttask.tasker.unit import TaskUnit
from smttask.tasker.using import current_use, using

__all__ = ["TASKFILE", "TASKFILE_SUB", "current_use", "find_taskfile", "taskmod", "use", "which"]

TASKFILE = "taskfile.py"
TASKFILE_SUB = "taskfile_sub.py"

Name = str | os.PathLike[str]


def use(
    dir: Name = ".",
    taskfile: Name = TASKFILE,
    taskfile_sub: Name | None = TASKFILE_SUB,
    **kw: Any,
) -> Tasker:
    """The Tasker of the folder `dir`, as the taskfile for it makes it.

    That is what the function ``use(dir, **kw)`` of the taskfile returns. A taskfile is executed once, and
    again when it was edited; its `use` is called each time.

    Parameters
    ----------
    dir
        The taskfile gets it as an absolute path, a text.
    taskfile
        Name, or pattern such as ``"task*.py"``, of the taskfile in `dir`; or an absolute path.
    taskfile_sub
        The same, in the nearest folder above `dir` that has one, if `dir` has no `taskfile`. None: not
        looked for; nor is it if `taskfile` is an absolute path.
    **kw
        For the taskfile's `use`.

    Raises
    ------
    TaskfileError
        If there is no such folder, no taskfile or more than one, or if it makes no Tasker.
    Exception
        What the taskfile raises; notes name it and the folder.

    Examples
    --------
    With a ``taskfile_sub.py`` above folders of movies::

        from smttask import tasker

        def use(dir):
            t = tasker.Tasker(dir)

            @t.stores(tasker.JSON("size.json"))
            def size(tsk, movie=t.p / "movie.tif"):
                return movie.stat().st_size

            return t

    this makes the task of one of them up to date and returns its value::

        tasker.use("2026-03-01/movie1").size()
    """
    folder = _existing(dir)
    path = find_taskfile(folder, taskfile, taskfile_sub)
    module = _loaded(path, folder)
    function = getattr(module, "use", None)
    if not callable(function):
        found = "found: nothing of this name" if function is None else f"found: use = {short_repr(function)}"
        raise TaskfileError(
            f"Taskfile {path} has no function use(dir).",
            found,
            "define in it: def use(dir): t = tasker.Tasker(dir); …; return t",
            taskfile=path,
            folder=folder,
        )
    try:
        with using(Path(folder), Path(path), module):
            made = function(folder, **kw)
    except Exception as error:
        error.add_note(f"in use() of the taskfile {path}\nfor the folder {folder}")
        raise
    if not isinstance(made, Tasker):
        raise TaskfileError(
            f"use() of taskfile {path} returned no Tasker for {folder}.",
            f"found: {short_repr(made)}\nexpected: the Tasker of the folder",
            "end it with `return t`" if made is None else "return what tasker.Tasker(dir) made",
            taskfile=path,
            folder=folder,
        )
    return made


def taskmod(
    dir: Name = ".",
    taskfile: Name = TASKFILE,
    taskfile_sub: Name | None = TASKFILE_SUB,
) -> ModuleType:
    """The module that the taskfile for the folder `dir` is; see `use`.

    Raises
    ------
    TaskfileError
        If there is no such folder, or no taskfile or more than one.
    Exception
        What the taskfile raises; notes name it and the folder.

    Examples
    --------
    A value that stands in the taskfile::

        tasker.taskmod("2026-03-01/movie1").PIXEL_SIZE
    """
    folder = _existing(dir)
    return _loaded(find_taskfile(folder, taskfile, taskfile_sub), folder)


def find_taskfile(folder: str, taskfile: Name = TASKFILE, taskfile_sub: Name | None = TASKFILE_SUB) -> str:
    """The absolute path of the taskfile for `folder`, an absolute path; see `use`.

    Raises
    ------
    TaskfileError
        If there is none, or more than one.
    """
    wanted = os.fspath(taskfile)
    found = _only_match(folder, wanted)
    searches_above = taskfile_sub is not None and not os.path.isabs(wanted)
    if found is None and taskfile_sub is not None and searches_above:
        above, inner = os.path.dirname(folder), folder
        while found is None and above != inner:
            found = _only_match(above, os.fspath(taskfile_sub))
            above, inner = os.path.dirname(above), above
    if found is not None:
        return found
    searched = f"searched: {os.path.join(folder, wanted)}"
    remedy = "write one with a function use(dir), or name it with taskfile="
    if taskfile_sub is not None and searches_above:
        searched += f"\nsearched: {taskfile_sub} in the folders above, up to {os.path.abspath(os.sep)}"
        if _only_match(folder, os.fspath(taskfile_sub)) is not None:
            searched += f"\nfound: {taskfile_sub} in the folder itself, which is for the folders below it"
            remedy = f"give one of the folders below, or write {taskfile} for this one"
    raise TaskfileError(f"There is no taskfile for {folder}.", searched, remedy, folder=folder)


def which(
    filename: Name,
    taskfile: Name = TASKFILE,
    taskfile_sub: Name | None = TASKFILE_SUB,
    **kw: Any,
) -> TaskUnit:
    """The task that stores the file `filename`, whose Tasker is of the folder of the file or of one above.

    Parameters
    ----------
    filename
        It need not be there.
    **kw
        For the taskfile's `use`.

    Raises
    ------
    ResultNotFoundError
        If no task stores it.
    TaskfileError
        As in `use`.

    Examples
    --------
    Make a file again, whatever it is::

        tasker.which("2026-03-01/movie1/size.json").force()
    """
    path = _absolute(filename)
    folder, failure = os.path.dirname(path), None
    while folder != os.path.dirname(folder):
        if os.path.isdir(folder):
            try:
                return use(folder, taskfile, taskfile_sub, **kw).which(path)
            except Exception as error:  # noqa: BLE001 - of a folder inside one that has a Tasker; raised below
                failure = failure or error
                if isinstance(error, TaskfileError):
                    break  # nor is there a taskfile above
        folder = os.path.dirname(folder)
    raise failure or TaskfileError(
        f"There is no folder for {path}.", "searched: all folders above it", "see whether the name is right"
    )


def _loaded(path: str, folder: str) -> ModuleType:
    try:
        return load_taskfile(path)
    except Exception as error:
        error.add_note(f"for the folder {folder}")
        raise


def _absolute(name: Name) -> str:
    return os.path.abspath(os.path.expanduser(os.fspath(name)))


def _existing(name: Name) -> str:
    folder = _absolute(name)
    if not os.path.isdir(folder):
        is_file = os.path.exists(folder)
        raise TaskfileError(
            f"{'Not a folder' if is_file else 'There is no folder'}: {folder}.",
            "found: a file" if is_file else f"searched from: {os.getcwd()}",
            "give the folder it lies in" if is_file else "make it first, or see whether the name is right",
            folder=folder,
        )
    return folder


def _only_match(folder: str, pattern: str) -> str | None:
    """The file in `folder` that `pattern` names; None if there is none."""
    whole = os.path.join(folder, pattern)
    if not has_magic(pattern) or os.path.isfile(whole):
        return whole if os.path.isfile(whole) else None
    root, pattern = (None, pattern) if os.path.isabs(pattern) else (folder, pattern)
    matches = sorted(os.path.join(folder, name) for name in glob(pattern, root_dir=root))
    matches = [match for match in matches if os.path.isfile(match)]
    if len(matches) > 1:
        raise TaskfileError(
            f"More than one taskfile is in {folder}.",
            f"found: {', '.join(os.path.basename(match) for match in matches)}",
            f"remove all but one, or name one instead of {pattern!r}",
            folder=folder,
        )
    return matches[0] if matches else None
