"""`conf` of a Tasker: settings by attribute or item, and which of them a task read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from smttask.errors import ArgumentError, DigestError, SmttaskWarning, short_repr, warn
from smttask.identity.digest import digest
from smttask.identity.plain import plain_bytes
from smttask.tasker.state import ConfRead

__all__ = ["Conf", "NAMES", "plain"]

#: In what is noted, all the names together: for a task that asked which there are.
NAMES = "*"
_TYPE_ONLY = "type "  # begins the digest of a value that has no canonical bytes
_ABSENT = ConfRead("", "absent")


class Conf(dict[str, Any]):
    """Settings by attribute and by item; dicts among them too.

    A dict that is set is copied. While a task runs it is noted what it reads, so that
    the task is stale when that changes: by the names at the top, so all of ``conf.camera`` where
    ``conf.camera.fps`` is read. A copy or pickle of it is a plain dict.

    Parameters
    ----------
    values
        A mapping; nested ones become `Conf` too.
    root
        Paths inside this folder count relative to it, so that the folder can be moved.

    Raises
    ------
    ArgumentError
        If a name is no text, or that of a method.

    Examples
    --------
    >>> conf = Conf({"fps": 50, "camera": {"gain": 2}})
    >>> conf.camera.gain = 3
    >>> conf["camera"]["gain"], conf.fps
    (3, 50)
    """

    __slots__ = ("_notes", "_root", "_top")
    _notes: _Notes
    _root: Path | None
    _top: str | None

    def __init__(self, values: Mapping[str, Any] | None = None, *, root: Path | None = None) -> None:
        self._become(values or {}, _Notes(self), root, None)

    def _become(self, values: Mapping[str, Any], notes: _Notes, root: Path | None, top: str | None) -> None:
        for name, value in (("_notes", notes), ("_root", root), ("_top", top)):
            object.__setattr__(self, name, value)
        for key, value in values.items():
            self._keep(key, value)

    def _keep(self, name: str, value: Any) -> None:
        if type(name) is not str and self._top is None:
            raise ArgumentError(
                f"conf has no place for the name {short_repr(name)}.",
                f"found: a name of type {type(name).__name__}",
                "names in conf are texts; put other keys into a dict of its own: conf.table = {1: 2}",
            )
        if isinstance(value, dict):
            node = Conf.__new__(Conf)
            node._become(value, self._notes, self._root, name if self._top is None else self._top)
            value = node
        dict.__setitem__(self, name, value)

    # ---- as a mapping

    def __getitem__(self, name: str) -> Any:
        self._note(name)
        return dict.__getitem__(self, name)

    def __setitem__(self, name: str, value: Any) -> None:
        self._notes.written(name if self._top is None else self._top)
        self._keep(name, value)

    def __delitem__(self, name: str) -> None:
        self._notes.written(name if self._top is None else self._top)
        dict.__delitem__(self, name)

    def __contains__(self, name: object) -> bool:
        self._note(name)
        return dict.__contains__(self, name)

    def __iter__(self) -> Iterator[str]:
        self._note(NAMES)
        return dict.__iter__(self)

    def __len__(self) -> int:
        self._note(NAMES)
        return dict.__len__(self)

    # ---- by attribute

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            return self[name]
        except KeyError:
            names = ", ".join(map(str, dict.keys(self))) or "nothing"
            raise AttributeError(f"conf has no {name!r}; it holds {names}", name=name, obj=self) from None

    def __setattr__(self, name: str, value: Any) -> None:
        if hasattr(type(self), name):
            raise ArgumentError(
                f"conf.{name} cannot be set.",
                f"found: {name!r} is a method of conf",
                f"set it as an item, conf[{name!r}] = …, or choose another name",
            )
        self[name] = value

    def __delattr__(self, name: str) -> None:
        try:
            del self[name]
        except KeyError:
            raise AttributeError(f"conf has no {name!r}", name=name, obj=self) from None

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *(str(name) for name in dict.keys(self))]

    # ---- what dict would do past the notes; more of it at the end of this file

    def copy(self) -> dict[str, Any]:
        """A plain dict; settings that are dicts themselves stay what they are."""
        return {name: self[name] for name in self}

    def __eq__(self, other: object) -> bool:
        return self.copy() == other

    __hash__ = None

    def __or__(self, other: Any) -> Any:
        return self.copy() | other

    def __ror__(self, other: Any) -> Any:
        return other | self.copy()

    def __ior__(self, other: Any) -> Any:
        self.update(other)
        return self

    def __reversed__(self) -> Iterator[str]:
        return reversed(list(self))

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return dict, (plain(self.copy()),)

    # ---- what tasks read

    @contextmanager
    def noting(self) -> Iterator[dict[str, ConfRead]]:
        """Note what is read meanwhile, in whatever thread: the dict fills, by top-level name.

        A name that was absent has an empty digest. What is set meanwhile is no longer noted.
        """
        reads = _Reads()
        self._notes.readers.append(reads)
        try:
            yield reads.found
        finally:
            self._notes.readers.remove(reads)

    def now(self, names: Iterable[str]) -> dict[str, ConfRead]:
        """What a task would read by `names` now; this notes nothing."""
        return {name: self._read(name) for name in names}

    def _note(self, name: Any) -> None:
        if self._notes.readers:
            self._notes.note(name if self._top is None else self._top)

    def _read(self, name: str) -> ConfRead:
        if name == NAMES:
            value: Any = sorted(dict.keys(self))
        elif dict.__contains__(self, name):
            value = dict.__getitem__(self, name)
        else:
            return _ABSENT
        return ConfRead(_digest(value, name, self._root), short_repr(value))


for _name in ("clear", "get", "items", "keys", "pop", "popitem", "setdefault", "update", "values"):
    setattr(Conf, _name, getattr(MutableMapping, _name))


class _Reads:
    """What one task has read so far, and what it has set itself."""

    def __init__(self) -> None:
        self.found: dict[str, ConfRead] = {}
        self.own: set[str] = set()


class _Notes:
    """Who wants to know what is read of a `conf`, or of a dict in it."""

    def __init__(self, conf: Conf) -> None:
        self._conf = conf
        self.readers: list[_Reads] = []
        self._warned: set[str] = set()

    def note(self, name: Any) -> None:
        for reads in list(self.readers):
            if type(name) is str and name not in reads.found and name not in reads.own:
                reads.found.update(self._conf.now([name]))
                self._warn(name, reads.found[name])

    def _warn(self, name: str, read: ConfRead) -> None:
        if read.digest.startswith(_TYPE_ONLY) and name not in self._warned:
            self._warned.add(name)
            warn(
                f"A task reads conf.{name}, and changes in it go unnoticed: {read.text} has no digest; "
                "put plain values, arrays or dataclasses into conf",
                SmttaskWarning,
            )

    def written(self, name: str) -> None:
        for reads in self.readers:
            if name not in reads.found:
                reads.own.add(name)


def plain(value: Any) -> Any:
    """`value` with every `Conf` in it as a plain dict; this notes nothing."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in dict.items(value)}
    if type(value) in (list, tuple):
        return type(value)(plain(item) for item in value)
    return value


def _digest(value: Any, name: str, root: Path | None) -> str:
    """What names `value`; for what has no canonical bytes, its type alone."""
    value = plain(value)
    if (content := plain_bytes(value, root=root)) is not None:
        return digest(content)
    from smttask.identity.canonical import canonical_bytes  # with numpy and pydantic

    try:
        return digest(canonical_bytes(value, full=True, root=root, place=f"conf.{name}"))
    except DigestError:
        return f"{_TYPE_ONLY}{type(value).__module__}.{type(value).__qualname__}"
