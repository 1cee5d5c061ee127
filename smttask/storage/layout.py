"""Names and paths of stored results; nothing here touches a disk.

::

    <input store>/<folder>/<digest>.json                       link to the latest result
    <input store>/<folder>/.older/<digest>.<k>.json            one link per other inputs or code
    <input store>/<folder>/<digest>/n_5.json                   the same for the suffix __n_5: each task of
    <input store>/<folder>/<digest>/.older/n_5.<k>.json          iterations has a folder, listed at once
    <output store>/<folder>/<label>.json                       manifest
    <output store>/<folder>/<label>_<output>.<ending>          large outputs
    <output store>/.values/<blake3>.<ending>                   large inputs, diffs
    <folder of a file>/.damaged/<name>                         what was not as written

These names are promises: stored results are found by them.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from blake3 import blake3

__all__ = [
    "DAMAGED_DIR",
    "OLDER_DIR",
    "VALUES_DIR",
    "Key",
    "iteration_suffix",
    "iterations_below",
    "label_for",
    "link_name",
    "older_name",
    "older_prefix",
    "output_file_name",
    "temporary_name",
]

OLDER_DIR = ".older"
VALUES_DIR = ".values"
DAMAGED_DIR = ".damaged"

SUFFIX_MARK = "__"
UNNAMED_OUTPUT = "result"
# File systems take names of 255 bytes; what is left is for the label and the ending.
OUTPUT_NAME_BYTES = 120


@dataclass(frozen=True, slots=True)
class Key:
    """What a result is found by.

    Parameters
    ----------
    folder
        Name of the task's folder in both stores; one path component.
    digest
        Hex name of the inputs, suffix not included.
    suffix
        Readable part that is not hashed: ``"__n_5"``, as `iteration_suffix` makes it, or empty.
    full_digest
        Name of all the inputs, defaults included; decides whether a result
        found by `digest` is a hit.
    """

    folder: str
    digest: str
    suffix: str = ""
    full_digest: str = ""

    @property
    def name(self) -> str:
        """Digest with suffix, as it stands in manifests."""
        return self.digest + self.suffix

    @property
    def link_folder(self) -> str:
        """The folder of its links, relative to the input store."""
        return f"{self.folder}/{self.digest}" if self.suffix else self.folder


def iteration_suffix(parameter: str, n: int) -> str:
    """Suffix of the result of an iterative task after `n` iterations.

    Examples
    --------
    >>> iteration_suffix("n", 5)
    '__n_5'
    """
    return f"{SUFFIX_MARK}{parameter}_{n}"


def iterations_below(names: Collection[str], parameter: str, below: int) -> Iterator[int]:
    """The iterations fewer than `below` whose links are among the names of files `names`, most first.

    Examples
    --------
    >>> list(iterations_below(["n_5.json", "n_12.json", ".older", "n_x.json", "n_20.json"], "n", 20))
    [12, 5]
    """
    before, after = f"{parameter}_", ".json"
    bound = f"{before}{below}{after}"
    # Numbers of as many digits are in the order of their texts, so that no number is made of most names.
    for n_chars in sorted(set(map(len, names)), reverse=True):
        if n_chars > len(bound):
            continue
        alike = [name for name in names if len(name) == n_chars and (n_chars < len(bound) or name < bound)]
        for name in _largest_first(alike):
            digits = name.removeprefix(before).removesuffix(after)
            if digits.isdecimal() and name == f"{before}{int(digits)}{after}":
                yield int(digits)


def _largest_first(names: list[str]) -> Iterator[str]:
    """All of them; they are sorted only if the first does not serve."""
    if names:
        yield max(names)
        yield from sorted(names, reverse=True)[1:]


def link_name(key: Key) -> str:
    """Name of the link to the latest result, inside `Key.link_folder`.

    Examples
    --------
    >>> link_name(Key("Analyze", "3f9c1b")), link_name(Key("Grow", "88aa01", "__n_5"))
    ('3f9c1b.json', 'n_5.json')
    """
    return f"{_link_stem(key)}.json"


def older_prefix(key: Key) -> str:
    """What the names of all the older links of `key` begin with."""
    return f"{_link_stem(key)}."


def _link_stem(key: Key) -> str:
    return key.suffix.removeprefix(SUFFIX_MARK) or key.digest


def older_name(key: Key, full_digest: str, code: str) -> str:
    """Name of the link to the result by these inputs and this code, inside ``.older`` of `Key.link_folder`.

    Examples
    --------
    >>> older_name(Key("Analyze", "3f9c1b"), "ab", "cd")
    '3f9c1b.3a7960f84fa3.json'
    """
    k = blake3(f"{full_digest} {code}".encode()).hexdigest(length=6)
    return f"{older_prefix(key)}{k}.json"


def label_for(key: Key, started: datetime) -> str:
    """Label of a run: UTC start in microseconds, 6 digits of the digest, the suffix.

    Parameters
    ----------
    started
        With a time zone; it is converted to UTC.

    Examples
    --------
    >>> label_for(Key("Analyze", "3f9c1b77"), datetime(2026, 11, 22, 10, 15, tzinfo=UTC))
    '20261122-101500-000000_3f9c1b'
    """
    utc = started.astimezone(UTC)
    return f"{utc:%Y%m%d-%H%M%S-%f}_{key.digest[:6]}{key.suffix}"


def output_file_name(label: str, output: str, ending: str, taken: Container[str] = ()) -> str:
    """Name of the file of an output, unlike those in `taken` also where case does not count.

    Letters, digits and ``_.-`` are kept, all else becomes ``-``. The unnamed
    output is called ``result``; a task has it alone or not at all.

    Parameters
    ----------
    ending
        With its dot.
    taken
        Names in use, case-folded.

    Examples
    --------
    >>> output_file_name("20261122-101500-123456_3f9c1b", "field", ".npy")
    '20261122-101500-123456_3f9c1b_field.npy'
    """
    readable = "".join(c if c.isalnum() or c in "_.-" else "-" for c in output or UNNAMED_OUTPUT)
    while len(readable.encode()) > OUTPUT_NAME_BYTES:
        readable = readable[:-1]
    name, n = f"{label}_{readable}{ending}", 1
    while name.casefold() in taken:
        n += 1
        name = f"{label}_{readable}-{n}{ending}"
    return name


def temporary_name(name: str) -> str:
    """Name that a file has until it is whole; hidden, and never the name of a result."""
    return f".{name}.part"
