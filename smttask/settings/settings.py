"""`config` and what it may hold."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic, Literal, TypeVar, cast, overload

from smttask.errors import SettingError, short_repr
from smttask.settings.address import StoreURL, hide_passwords
from smttask.settings.conversion import (
    Unfit,
    or_none,
    to_bool,
    to_count,
    to_names,
    to_path,
    to_store,
    to_store_with_password,
    to_types,
    to_word,
)

__all__ = ["SETTINGS", "Config", "Setting", "check_environment", "config", "unknown_setting"]

CodePolicy = Literal["warn", "recompute", "ignore", "error"]
PackagePolicy = Literal["ignore", "warn", "recompute", "error"]

PREFIX = "SMTTASK_"
NOTHING: Mapping[str, Any] = MappingProxyType({})

Value = TypeVar("Value")
Given = TypeVar("Given")


# os.environ.get costs 0.7 us because it encodes the name and catches a KeyError; a hit reads several
# settings and should take 50 us. The dict below is what os.environ itself reads and writes.
_variables: Mapping[Any, Any] = getattr(os.environ, "_data", os.environ)
_encode_name: Callable[[str], Any] = os.environ.encodekey if _variables is not os.environ else str


class Setting(Generic[Value, Given]):
    """One attribute of `config`.

    `convert` makes its value of what code, the environment (text) or a project's
    file (JSON types) gives, and raises `Unfit`; `in_file` tells if a file may hold it,
    `convert_variable` takes its place for the environment.
    """

    def __init__(
        self,
        default: Value,
        convert: Callable[[Any], Value],
        *,
        in_file: bool = True,
        convert_variable: Callable[[Any], Value] | None = None,
    ) -> None:
        self.default = default
        self.convert = convert
        self.convert_variable = convert_variable or convert
        self.in_file = in_file
        self.name = ""
        self.variable = ""
        self.variable_key: Any = None
        self.seen: tuple[Any, Value | None] = (None, None)

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        self.variable = PREFIX + name.upper()
        self.variable_key = _encode_name(self.variable)

    def checked(self, given: object, origin: str, convert: Callable[[Any], Value] | None = None) -> Value:
        """Convert `given`, which stands at `origin`, to this setting's value."""
        try:
            return (convert or self.convert)(given)
        except Unfit as unfit:
            shown = hide_passwords(given) if isinstance(given, str) else given
            raise SettingError(
                f"Setting '{self.name}' does not take {short_repr(shown)}.",
                f"given by: {origin}\nallowed: {unfit}",
                "change it there",
                name=self.name,
            ) from None

    def from_environment(self, raw: Any) -> Value:
        """Convert what the environment holds, `raw`, and remember the outcome."""
        if self.seen[0] == raw:
            return cast("Value", self.seen[1])
        origin = f"environment variable {self.variable}"
        value = self.checked(os.fsdecode(raw), origin, self.convert_variable)
        self.seen = (raw, value)
        return value

    @overload
    def __get__(self, instance: None, owner: type) -> Setting[Value, Given]: ...
    @overload
    def __get__(self, instance: Config, owner: type) -> Value: ...
    def __get__(self, instance: Config | None, owner: type) -> Setting[Value, Given] | Value:
        if instance is None:
            return self
        return cast("Value", instance.get(self.name, instance.current_project_values()))

    def __set__(self, instance: Config, given: Given) -> None:
        instance.choose(self.name, self.checked(given, "code"))

    def __delete__(self, instance: Config) -> None:
        instance.forget(self.name)


class Config:
    """The settings; `smttask.config` is the one object of this class.

    Assigning to an attribute changes the setting for the whole process, and
    ``del`` undoes that. Inside ``with config.use(...)`` an assignment holds, like
    the values given to `use`, for this thread or asyncio task until the block ends.

    Examples
    --------
    >>> with config.use(record=False):
    ...     config.record
    False
    """

    __slots__ = ("_chosen", "_overlay", "_project_source")

    #: Root of the project to use, wherever the work is done. None: it is searched for.
    project = Setting[Path | None, str | os.PathLike[str] | None](
        None, or_none(to_path("a folder", is_absolute=True)), in_file=False
    )
    #: False: nothing is stored on disk, nothing recorded, git is not looked at.
    record = Setting[bool, bool](True, to_bool)
    #: The record store: a file, absolute or relative to the project's root, or ``postgresql://host/database``,
    #: whose password stands elsewhere. None: what ``.smt/project`` names, ``.smt/records`` at first.
    #: ``"journal"``: runs are kept in ``.smt/journal``, until a process with the record store takes them in.
    record_store = Setting[Path | StoreURL | str | None, StoreURL | str | os.PathLike[str] | None](
        None, or_none(to_store), convert_variable=to_store_with_password
    )
    #: Folder of the links to the latest results, absolute or relative to the project's root.
    input_store = Setting[Path, str | os.PathLike[str]](Path("data"), to_path("a folder"))
    #: Folder of all results, absolute or relative to the project's root.
    output_store = Setting[Path, str | os.PathLike[str]](Path("data/run_dump"), to_path("a folder"))
    #: Whether results of recorded tasks are also kept in memory.
    cache_runs = Setting[bool, bool](False, to_bool)
    #: False: a run is refused while the working copy differs from its commit. True: the diff is stored.
    allow_uncommitted_changes = Setting[bool, bool](False, to_bool)
    #: Folders, relative to the project's root, whose changes git is not asked about.
    dirty_directories = Setting[tuple[str, ...], Sequence[str]]((), to_names)
    #: What becomes of a result that other code made: load it and say so, compute anew, load, refuse.
    on_code_change = Setting[CodePolicy, CodePolicy]("warn", to_word("warn", "recompute", "ignore", "error"))
    #: The same for a result made with other versions of the packages that were imported then.
    on_package_change = Setting[PackagePolicy, PackagePolicy](
        "ignore", to_word("ignore", "warn", "recompute", "error")
    )
    #: What is compared when a result is loaded: its checksum, or only its size.
    verify = Setting[Literal["full", "size"], Literal["full", "size"]]("full", to_word("full", "size"))
    #: What a stored result survives: the death of the process, or (with fsync) a power cut too.
    durability = Setting[Literal["crash", "power"], Literal["crash", "power"]](
        "crash", to_word("crash", "power")
    )
    #: Most worker processes that may be used at once. None: as many as asked for.
    max_processes = Setting[int | None, int | None](None, or_none(to_count(1, "processes")))
    #: Top-level packages outside the project whose code is watched and whose tasks may be loaded.
    trusted_packages = Setting[tuple[str, ...], Sequence[str]]((), to_names)
    #: What `run()` does when a task fails: raise its error, or return a falsy `Failed` that holds it.
    on_error = Setting[Literal["raise", "return"], Literal["raise", "return"]](
        "raise", to_word("raise", "return")
    )
    #: Folder that gets a link to every result used, absolute or relative to the project's root.
    track_folder = Setting[Path | None, str | os.PathLike[str] | None](None, or_none(to_path("a folder")))
    #: Whether recorded tasks of scripts and notebooks are recorded, with the source of the cell.
    allow_main = Setting[bool, bool](False, to_bool)
    #: Types whose values are never searched for tasks, or ``"module.Class"``; text and arrays never are.
    terminating_types = Setting[frozenset[type | str], Iterable[type | str]](
        frozenset(), to_types, in_file=False
    )
    #: Most memory that kept results may take together; the least recently used go first.
    memo_max_bytes = Setting[int, int](2**30, to_count(0, "bytes"))

    def __init__(self) -> None:
        object.__setattr__(self, "_chosen", {})
        object.__setattr__(self, "_overlay", ContextVar("smttask settings", default=None))
        object.__setattr__(self, "_project_source", None)

    _chosen: dict[str, Any]
    _overlay: ContextVar[Mapping[str, Any] | None]
    _project_source: Callable[[], Mapping[str, Any]] | None

    def get(self, name: str, project_values: Mapping[str, Any] = NOTHING) -> Any:
        """Value of the setting `name`, in about 0.3 us.

        Parameters
        ----------
        name
            As the attribute is called.
        project_values
            What `read_project_file` gave for the project in question.

        Raises
        ------
        SettingError
            If there is no such setting, or the environment holds a wrong value.
        """
        overlay = self._overlay.get()
        if overlay is not None and name in overlay:
            return overlay[name]
        if name in self._chosen:
            return self._chosen[name]
        try:
            setting = _settings[name]
        except KeyError:
            raise unknown_setting(name) from None
        if setting.variable_key in _variables and (raw := _variables.get(setting.variable_key)):
            return setting.from_environment(raw)
        return project_values.get(name, setting.default)

    def origin(self, name: str, project_values: Mapping[str, Any] = NOTHING) -> str:
        """Where the value of `name` comes from: code, environment, project or default."""
        if name not in SETTINGS:
            raise unknown_setting(name)
        if name in (self._overlay.get() or NOTHING) or name in self._chosen:
            return "code"
        if _variables.get(SETTINGS[name].variable_key):
            return "environment"
        return "project" if name in project_values else "default"

    @contextmanager
    def use(self, **values: Any) -> Iterator[Config]:
        """Set `values` for the block, in this thread or asyncio task, and restore them after it.

        Raises
        ------
        SettingError
            If there is no such setting or it does not take the value; nothing is set then.
        """
        checked = {}
        for name, given in values.items():
            if name not in SETTINGS:
                raise unknown_setting(name)
            checked[name] = SETTINGS[name].checked(given, "code")
        before = self._overlay.get()
        self._overlay.set({**(before or NOTHING), **checked})
        try:
            yield self
        finally:
            self._overlay.set(before)

    def choose(self, name: str, value: object) -> None:
        """Hold `value`, converted already, as chosen by code."""
        overlay = self._overlay.get()
        if overlay is None:
            self._chosen[name] = value
        else:
            self._overlay.set({**overlay, name: value})

    def forget(self, name: str) -> None:
        """Undo what code chose for `name`; the next place that has it holds."""
        overlay = self._overlay.get()
        if overlay is not None and name in overlay:
            self._overlay.set({key: value for key, value in overlay.items() if key != name})
        else:
            self._chosen.pop(name, None)

    def current_project_values(self) -> Mapping[str, Any]:
        """Return what the file of the project in use says; empty without a project."""
        return NOTHING if self._project_source is None else self._project_source()

    def find_project_values_with(self, source: Callable[[], Mapping[str, Any]]) -> None:
        """Ask `source`, of a floor above, for the current project's settings when an attribute is read."""
        object.__setattr__(self, "_project_source", source)

    def __getattr__(self, name: str) -> Any:
        if name in SETTINGS:  # its value is wrong: Python asks here since SettingError is an AttributeError
            return self.get(name, self.current_project_values())
        raise unknown_setting(name)

    def __setattr__(self, name: str, given: Any) -> None:
        if name not in SETTINGS:
            raise unknown_setting(name)
        object.__setattr__(self, name, given)

    def __repr__(self) -> str:
        values = self.current_project_values()
        width = max(map(len, SETTINGS))
        lines = [
            f"{name:<{width}} = {short_repr(self.get(name, values))}  ({self.origin(name, values)})"
            for name in SETTINGS
        ]
        return "\n".join(["smttask settings", *lines])


_settings = {name: value for name, value in vars(Config).items() if isinstance(value, Setting)}
SETTINGS: Mapping[str, Setting[Any, Any]] = MappingProxyType(_settings)


def unknown_setting(name: str, origin: str = "") -> SettingError:
    """Say that there is no setting `name`, which stands at `origin`, and which one is near."""
    near = difflib.get_close_matches(name, SETTINGS, n=1)
    return SettingError(
        f"There is no setting '{name}'.",
        (f"given by: {origin}\n" if origin else "") + f"settings: {', '.join(sorted(SETTINGS))}",
        f"did you mean '{near[0]}'?" if near else "",
        name=name,
    )


def check_environment() -> None:
    """Refuse a variable ``SMTTASK_…`` that is no setting; a misspelt one would be passed over without a word.

    Raises
    ------
    SettingError
        If there is one.
    """
    for variable in os.environ:
        name = variable.removeprefix(PREFIX).lower()
        if variable.startswith(PREFIX) and name not in SETTINGS:
            raise unknown_setting(name, f"environment variable {variable}")


config = Config()
