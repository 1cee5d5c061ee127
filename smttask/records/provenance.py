"""What a run ran on: imported distributions, machine, interpreter, user."""

from __future__ import annotations

import functools
import getpass
import json
import os
import platform as platform_module
import re
import struct
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from smttask.records.record import Dependency, Executable, Platform

__all__ = ["distributions", "executable", "installed_versions", "platform", "user"]

# Name and version of a distribution in the name of the folder or file that describes it
DESCRIPTION = re.compile(r"(?P<name>.+?)(?:-(?P<version>[^-]+))?(?:-py[\d.]+.*)?\.(?:dist|egg)-info")


class _Distribution:
    """An installed distribution, known by its description; its files are looked at when needed."""

    def __init__(self, folder: str, entry: str, match: re.Match[str]) -> None:
        self.folder = folder
        self.path = os.path.join(folder, entry)
        self.name = match["name"]
        self.version = match["version"] or ""

    @functools.cached_property
    def top_level(self) -> frozenset[str]:
        """Names that the distribution says can be imported; empty if it does not say."""
        return frozenset(self._text("top_level.txt").split())

    def held(self, places: Iterable[str]) -> set[str]:
        """Those of `places`, such as ``yaml/`` or ``six.``, where this installed a file."""
        files = "\n" + (self._text("RECORD") or self._text("installed-files.txt"))
        return {place for place in places if f"\n{place}" in files}

    def described(self, module_path: str) -> Dependency:
        """Return what a record says of this distribution."""
        name, version = self.name, self.version
        header = self._text("METADATA") or self._text("PKG-INFO")
        for line in header.partition("\n\n")[0].splitlines():
            if line.startswith("Name:"):
                name = line[5:].strip()
            elif line.startswith("Version:"):
                version = line[8:].strip()
        return Dependency(name, module_path, version or "unknown", source=self._source())

    def _source(self) -> str | None:
        """Return where it was installed from, when that was no package index (PEP 610)."""
        try:
            url = json.loads(self._text("direct_url.json") or "{}").get("url")
        except (ValueError, AttributeError):
            return None
        return url if isinstance(url, str) else None

    def _text(self, name: str) -> str:
        path = os.path.join(self.path, name)
        try:
            return Path(path).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""


class _Imported:
    """The distributions imported so far; asked again, only new modules are looked at."""

    def __init__(self) -> None:
        self.state: tuple[int, str] = (0, "")
        self.seen: set[str] = set()
        self.found: dict[str, Dependency] = {}
        self.answer: tuple[Dependency, ...] = ()
        self.folders: dict[str, tuple[int, list[_Distribution]]] = {}

    def update(self) -> tuple[Dependency, ...]:
        state = (len(sys.modules), next(reversed(sys.modules), ""))
        if state == self.state:
            return self.answer
        self.state = state
        new = [name for name in list(sys.modules) if name not in self.seen]
        self.seen.update(new)
        before = len(self.found)
        self._add({name: place for name in new if (place := _place_of(name))})
        if len(self.found) != before:
            self.answer = tuple(sorted(self.found.copy().values(), key=lambda found: found.name.lower()))
        return self.answer

    def versions(self, names: Iterable[str]) -> dict[str, str | None]:
        """Return the version of each distribution as it is imported, else as it is installed, else None."""
        loaded = {_normalized(one.name): one.version for one in self.update()}
        versions: dict[str, str | None] = {}
        installed: dict[str, _Distribution] | None = None
        for name in names:
            key = _normalized(name)
            if key not in loaded:
                if installed is None:
                    installed = {_normalized(one.name): one for one in reversed(self._installed())}
                found = installed.get(key)
                versions[name] = None if found is None else found.described("").version
            else:
                versions[name] = loaded[key]
        return versions

    def _add(self, places: Mapping[str, tuple[str, str]]) -> None:
        """Find the distributions of modules, given by name the place in a folder and the path."""
        if not places:
            return
        installed = self._installed()
        # Most are called as what they bring; some say what they bring; of the others the files are looked at
        by_name = {_normalized(one.name): one for one in reversed(installed)}
        unknown = {}
        for name, (place, path) in places.items():
            owner = by_name.get(_normalized(name))
            if owner is None and "." not in name:
                owner = next((one for one in installed if name in one.top_level), None)
            if owner is not None:
                self._keep(owner, path)
            else:
                unknown[place] = path
        for one in installed:
            inside = {place for place, path in unknown.items() if _is_at(path, one.folder, place)}
            for place in one.held(inside) if inside else ():
                self._keep(one, unknown.pop(place))

    def _keep(self, owner: _Distribution, path: str) -> None:
        if owner.path not in self.found:
            self.found[owner.path] = owner.described(path)

    def _installed(self) -> list[_Distribution]:
        """Return what is installed in the folders of ``sys.path``, earlier folders first."""
        found = []
        for folder in dict.fromkeys(sys.path):
            try:
                moved = os.stat(folder or ".").st_mtime_ns
            except OSError:
                continue
            known = self.folders.get(folder)
            if known is None or known[0] != moved:
                known = self.folders[folder] = (moved, _described_in(folder or "."))
            found += known[1]
        return found


def _described_in(folder: str) -> list[_Distribution]:
    try:
        entries = sorted(os.listdir(folder))
    except OSError:
        return []
    matches = ((entry, DESCRIPTION.fullmatch(entry)) for entry in entries if entry.endswith("-info"))
    return [_Distribution(folder, entry, match) for entry, match in matches if match]


def _is_at(path: str, folder: str, place: str) -> bool:
    return path.startswith(os.path.join(folder, place.rstrip("/")))


def _place_of(name: str) -> tuple[str, str] | None:
    """Return where a module lies, relative to the folder it was imported from, and its path.

    None for what belongs to Python or to a package that is found by its own name:
    of dotted names only those just below a namespace package count.
    """
    top, _, rest = name.partition(".")
    if top in sys.stdlib_module_names or top == "__main__":
        return None
    module = sys.modules.get(name)
    file = getattr(module, "__file__", None)
    if not isinstance(file, str):
        return None
    if rest:
        parent = sys.modules.get(name.rpartition(".")[0])
        if parent is None or getattr(parent, "__file__", None) is not None:
            return None  # inside a package that is seen itself
    place = name.replace(".", "/")
    if getattr(module, "__path__", None) is not None:
        return f"{place}/", os.path.dirname(file)
    return f"{place}.", file


def _normalized(name: str) -> str:
    return name.replace("-", "_").replace(".", "_").lower()


_imported = _Imported()


def distributions() -> tuple[Dependency, ...]:
    """Return every distribution imported so far with its version, sorted by name.

    The same tuple comes back until something new is imported, which is noticed in
    about 0.2 us. Nothing is imported or run to find out.

    Examples
    --------
    >>> "blake3" in [dependency.name for dependency in distributions()]
    True
    """
    return _imported.update()


def installed_versions(names: Iterable[str]) -> dict[str, str | None]:
    """Return the version of each of these distributions: what is imported, else what is installed.

    None for one that is neither. Nothing is imported to find out.

    Examples
    --------
    >>> installed_versions(["no-such-distribution"])
    {'no-such-distribution': None}
    """
    return _imported.versions(names)


@functools.cache
def platform() -> Platform:
    """Return what machine this is; looked up once, without network or other programs.

    Examples
    --------
    >>> platform().ip_addr
    '127.0.0.1'
    """
    system = platform_module.uname()
    return Platform(
        architecture_bits=f"{struct.calcsize('P') * 8}bit",
        architecture_linkage=_linkage(),
        machine=system.machine,
        network_name=system.node,
        processor=_processor() or system.machine,
        release=system.release,
        system_name=system.system,
        version=system.version,
    )


def _linkage() -> str:
    try:
        with open(sys.executable, "rb") as file:
            return "ELF" if file.read(4) == b"\x7fELF" else ""
    except OSError:
        return ""


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            line = next((line for line in file if line.startswith("model name")), "")
    except OSError:
        return ""
    return line.partition(":")[2].strip()


@functools.cache
def executable() -> Executable:
    """Return the running interpreter."""
    return Executable(sys.executable or "python", platform_module.python_version())


@functools.cache
def user() -> str:
    """Return the login name; git may know a better one (`Repository.user`)."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a number without a name, as in some containers
        return str(os.getuid()) if hasattr(os, "getuid") else ""
