"""Whether what a task stored is still what it would make, and why not: pure, no files, no clock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from smttask.code.fingerprint import changed_parts
from smttask.tasker.state import ConfRead, FileState, State

__all__ = ["Seen", "Staleness", "refreshed", "staleness"]


@dataclass(frozen=True, slots=True)
class Seen:
    """What a task's state would hold if it ran now; keys and shapes as in `State`.

    Parameters
    ----------
    outputs, inputs
        None: not there.
    upstream
        An output that is not there has the digest ``""``.
    conf
        At least the names that the state holds.
    upstream_times
        mtime_ns of each upstream output, in any order of keys; wanted only where there is no state.
    stored_by
        Other tasks whose states know some of the outputs; wanted only where there is no state.
    """

    outputs: Mapping[str, FileState | None]
    inputs: Mapping[str, FileState | None] = field(default_factory=dict)
    upstream: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    conf: Mapping[str, ConfRead] = field(default_factory=dict)
    code: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    places: str = ""
    formats: Mapping[str, str] = field(default_factory=dict)
    upstream_times: Mapping[str, int] = field(default_factory=dict)
    stored_by: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Staleness:
    """Why a task has to run; false if it has not.

    Parameters
    ----------
    reasons
        In words, the most telling first.
    code_changes
        What of the code changed, in words; what the policies "warn" and "error" tell.
    """

    reasons: tuple[str, ...] = ()
    code_changes: tuple[str, ...] = ()

    @property
    def why(self) -> str:
        """The first reason; empty if fresh."""
        return self.reasons[0] if self.reasons else ""

    def __bool__(self) -> bool:
        return bool(self.reasons)


_FRESH = Staleness()


def staleness(state: State | None, seen: Seen, *, on_code_change: str = "warn") -> Staleness:
    """Compare what a task knew with what is there now.

    Without any state outputs count by modification time, as for make: they are there, no other task
    stored them, and none is older than an input. `seen` then holds what `Look.stat` tells.

    Parameters
    ----------
    on_code_change
        "recompute": changed code is a reason; "warn", "error": it is only told; "ignore": not even that.

    Examples
    --------
    >>> staleness(None, Seen(outputs={"a.json": None})).why
    "'a.json' is missing"
    """
    if state is not None and state.damaged:
        return Staleness((f"its state file is damaged: {state.damaged}",))
    if state is not None and not state.is_finished:
        return Staleness(("its last run did not finish",))
    reasons = [f"{key!r} is missing" for key, file in seen.outputs.items() if file is None]
    if state is None:
        others = [f"{key!r} was stored by task {task!r}" for key, task in seen.stored_by.items()]
        return Staleness(tuple(reasons or others or _older_outputs(seen)))
    reasons += _changed_inputs(state, seen)
    if state.upstream != seen.upstream:
        reasons += _changed_upstream(state, seen)
    if state.places != seen.places and not reasons:
        reasons.append("its inputs stand in other places")
    if state.conf != seen.conf:
        reasons += _changed_conf(state, seen)
    reasons += _changed_outputs(state, seen)
    if state.formats != seen.formats:
        reasons += _changed_formats(state, seen)
    if state.code == seen.code or on_code_change == "ignore":
        return Staleness(tuple(reasons)) if reasons else _FRESH
    changes = tuple(_changed_code(state, seen))
    if on_code_change == "recompute":
        reasons += [f"code: {change}" for change in changes]
    return Staleness(tuple(reasons), changes)


def refreshed(state: State, seen: Seen) -> State | None:
    """`state` with sizes, times and inodes as seen, where contents are the same; None if nothing moved.

    A file that was touched is so hashed once, not each time.
    """
    outputs = {**state.outputs, **dict(_moved(state.outputs, seen.outputs))}
    inputs = {**state.inputs, **dict(_moved(state.inputs, seen.inputs))}
    if outputs == state.outputs and inputs == state.inputs:
        return None
    return replace(state, outputs=outputs, inputs=inputs)


def _moved(
    old: Mapping[str, FileState | None], new: Mapping[str, FileState | None]
) -> Iterator[tuple[str, FileState]]:
    for key, file in new.items():
        known = old.get(key)
        if file is not None and known is not None and file is not known and file.blake3 == known.blake3:
            yield key, file


def _older_outputs(seen: Seen) -> Iterator[str]:
    """What is older than an input, in words."""
    times = {**{key: file.mtime_ns for key, file in seen.inputs.items() if file}, **seen.upstream_times}
    if not times:
        return
    newest = max(times, key=lambda key: times[key])
    for key, file in seen.outputs.items():
        if file is not None and file.mtime_ns < times[newest]:
            yield f"{key!r} is older than {newest!r}"


def _changed_outputs(state: State, seen: Seen) -> Iterator[str]:
    for key, file in seen.outputs.items():
        known = state.outputs.get(key)
        if file is None or file is known:
            continue
        if known is None:
            yield f"{key!r} was not among its outputs when it last ran"
        elif known.blake3 != file.blake3:
            yield f"{key!r} is not as the task stored it"


def _changed_formats(state: State, seen: Seen) -> Iterator[str]:
    for key in seen.outputs:
        old, new = state.formats.get(key, "plain file"), seen.formats.get(key, "plain file")
        if key in state.outputs and old != new:
            yield f"{key!r} was stored as {old}, and is to be {new}"


def _changed_inputs(state: State, seen: Seen) -> Iterator[str]:
    inputs = state.inputs
    for key, file in seen.inputs.items():
        known = inputs.get(key)
        if file is None or file is known:  # a missing file that no task makes is no reason
            continue
        if known is not None:
            if known.blake3 != file.blake3:
                yield f"{key!r} changed"
        elif key in inputs:
            yield f"{key!r} was not there when it last ran"
        else:
            yield f"{key!r} is a new input"
    if inputs.keys() - seen.inputs.keys():
        yield from (f"{key!r} is no input any more" for key in inputs if key not in seen.inputs)


def _changed_upstream(state: State, seen: Seen) -> Iterator[str]:
    for name, used in seen.upstream.items():
        known = state.upstream.get(name)
        if known is None:
            yield f"task {name!r} is a new input"
            continue
        for key, digest in used.items():
            if key not in known:
                yield f"{key!r} of task {name!r} is a new input"
            elif not digest and known[key]:
                yield f"{key!r} of task {name!r} is missing"
            elif digest != known[key]:
                yield f"{key!r} of task {name!r} changed"
        yield from (f"{key!r} of task {name!r} is no input any more" for key in known if key not in used)
    yield from (f"task {name!r} is no input any more" for name in state.upstream if name not in seen.upstream)


def _changed_conf(state: State, seen: Seen) -> Iterator[str]:
    for name, known in state.conf.items():
        now = seen.conf.get(name, ConfRead("", ""))
        if now.digest == known.digest:
            continue
        if not now.digest:
            yield f"conf.{name} is gone; it was {known.text}"
        elif not known.digest:
            yield f"conf.{name} is new: {now.text}"
        else:
            yield f"conf.{name} changed from {known.text} to {now.text}"


def _changed_code(state: State, seen: Seen) -> Iterator[str]:
    own = next(iter(seen.code), None)
    for name in [*seen.code, *(name for name in state.code if name not in seen.code)]:
        words = changed_parts(state.code.get(name, {}), seen.code.get(name, {}))
        yield from (word if name == own else f"task {name!r}: {word}" for word in words)
