"""A lock for where the system has none: a file that names its owner and beats.

It is dead, and may be taken over, when its owner is a process of this host that
has ended, or when an owner on another host has not touched it for a minute.
"""

from __future__ import annotations

import json
import os
import platform
import threading
import time

from smttask.process import process_facts
from smttask.storage.atomic import storage_error

__all__ = ["HOST", "OwnerFile", "owner_text", "process_start"]

BEAT_S = 10.0
DEAD_AFTER_S = 60.0

HOST = platform.node()


def process_start(pid: int) -> str | None:
    """What tells a process from a later one of the same number; None if the system does not say."""
    facts = process_facts(pid)
    return None if facts is None else str(facts.start_ticks)


def owner_text(*, start: bool = False) -> bytes:
    """JSON that names this process; with `start` what tells it from a later one of its number."""
    owner: dict[str, object] = {"pid": os.getpid(), "host": HOST, "since": time.time()}
    if start:
        owner["start"] = process_start(os.getpid())
    return json.dumps(owner).encode()


class OwnerFile:
    """One owner's claim to the file at `path`.

    Examples
    --------
    >>> import tempfile
    >>> path = tempfile.mkdtemp() + "/x.owner"
    >>> OwnerFile(path).take(), OwnerFile(path).take()
    (True, False)
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._content = b""
        self._ended = threading.Event()

    def take(self) -> bool:
        """Become the owner unless a living one is there; from then on the file beats.

        Raises
        ------
        StorageError
            If the file cannot be made.
        """
        self._content = owner_text(start=True)
        beside = f"{self.path}.{os.getpid()}-{threading.get_ident()}"
        try:
            with open(beside, "wb") as file:
                file.write(self._content)
            try:
                if not self._link(beside) and not (self._remove_dead() and self._link(beside)):
                    return False
            finally:
                os.unlink(beside)
        except OSError as error:
            raise storage_error(f"Cannot lock {os.path.basename(self.path)}.", self.path, error) from error
        threading.Thread(target=self._beat, daemon=True, name="smttask-heartbeat").start()
        return True

    def release(self) -> None:
        """Stop the beat and remove the file, if it is still ours."""
        self._ended.set()
        if self._read() == self._content:
            os.unlink(self.path)

    def holder(self) -> str:
        """Who owns the file now."""
        try:
            owner = json.loads(self._read() or b"")
            return f"process {owner['pid']} on {owner['host']}"
        except (ValueError, KeyError, TypeError):
            return "a process that has just ended"

    def _link(self, beside: str) -> bool:
        """Give our file its name, whole and only if nobody has it."""
        try:
            os.link(beside, self.path)
        except FileExistsError:
            return False
        return True

    def _read(self) -> bytes | None:
        try:
            with open(self.path, "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def _remove_dead(self) -> bool:
        """Remove the file if its owner is dead; whether the name is free now."""
        content = self._read()
        if content is None:
            return True
        if not self._is_dead(content):
            return False
        aside = f"{self.path}.dead-{os.getpid()}-{threading.get_ident()}"
        try:
            os.rename(self.path, aside)
        except FileNotFoundError:
            return True
        with open(aside, "rb") as file:
            is_the_dead_one = file.read() == content
        if not is_the_dead_one:  # another waiter took over between our two looks: give it back
            self._link(aside)
        os.unlink(aside)
        return is_the_dead_one

    def _is_dead(self, content: bytes) -> bool:
        try:
            owner = json.loads(content)
            host, pid, start = owner["host"], owner["pid"], owner["start"]
        except (ValueError, KeyError, TypeError):
            return self._is_silent()
        if host != HOST or os.name == "nt":  # where os.kill(pid, 0) would interrupt the owner
            return self._is_silent()
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        except OSError:
            return False
        return start is not None and process_start(pid) not in (None, start)

    def _is_silent(self) -> bool:
        try:
            return time.time() - os.stat(self.path).st_mtime > DEAD_AFTER_S
        except FileNotFoundError:
            return True

    def _beat(self) -> None:
        owner_pid = os.getpid()
        while not self._ended.wait(BEAT_S) and os.getpid() == owner_pid:
            try:
                os.utime(self.path)
            except OSError:
                return
