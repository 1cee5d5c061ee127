"""The stored iterations of one iterative task: which there are, and whether others came."""

from __future__ import annotations

import os
from collections.abc import Iterator

from smttask.errors import StorageError
from smttask.storage.atomic import storage_error
from smttask.storage.layout import iterations_below

__all__ = ["Iterations"]


class Iterations:
    """What is stored of one task after whatever number of iterations; what links lead to is not looked at.

    Parameters
    ----------
    folder
        Absolute path of the folder of its links, which need not exist.
    parameter
        Name of the iteration parameter.
    task
        What messages call the task.
    """

    def __init__(self, folder: str, parameter: str, task: str) -> None:
        self._folder = folder
        self._parameter = parameter
        self._task = task

    def below(self, n: int) -> Iterator[int]:
        """The numbers fewer than `n`, most first.

        One listing of a folder: 3 ms for 10 000 iterations, all but 0.4 ms the system's.

        Raises
        ------
        StorageError
            If the input store cannot be read.
        """
        try:
            names = os.listdir(self._folder)
        except FileNotFoundError:
            names = []
        except OSError as error:
            raise self._unreadable(error) from error
        return iterations_below(names, self._parameter, n)

    def stamp(self) -> int:
        """A number that is another once results were stored or unlinked since; 0 if none ever was.

        What came within the same tick of the system, some milliseconds, may not be seen.

        Raises
        ------
        StorageError
            If the input store cannot be read.
        """
        try:
            return os.stat(self._folder).st_mtime_ns
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: OSError) -> StorageError:
        return storage_error(f"Cannot look for iterations of {self._task}.", self._folder, error)
