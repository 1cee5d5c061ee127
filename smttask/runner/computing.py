"""The way of a miss: lock, look again, open the record, call, store, close the record, unlock."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from functools import lru_cache
from time import perf_counter
from typing import Any

from smttask.errors import OutputError, RecordStoreError
from smttask.formats.registry import longest_suffix
from smttask.project import Project
from smttask.records import provenance
from smttask.records.capture import CapturedOutput, captured_output
from smttask.records.record import Record
from smttask.records.repository import RepositoryState
from smttask.runner.lookup import find_stored, load_stored
from smttask.runner.recording import RunRecord, surroundings, usable_code
from smttask.runner.recovery import output_keys, settle_open_runs
from smttask.runner.unit import Stored, Unit, UnitFacts
from smttask.runner.workplace import working_in
from smttask.storage.layout import Key, output_file_name
from smttask.storage.locks import computing, find_holder
from smttask.storage.manifest import Head, JSONText
from smttask.storage.newrun import NewRun

__all__ = ["compute_stored", "find_computing"]

logger = logging.getLogger("smttask")


def compute_stored(
    unit: Unit,
    project: Project,
    code: str,
    *,
    recompute: bool = False,
    mmap: bool = False,
) -> Stored:
    """Compute and store the result of `unit`, once for all processes; wait if another computes it.

    Raises
    ------
    UncommittedChangesError, StaleModuleError, RepositoryError
        If the code that would run is not what git has or its file says.
    OutputError
        If the returned value does not fit; it is kept in a file that the error names.
    StorageError
        If the result cannot be written.
    """
    lock = _lock_path(project, unit.key)
    with computing(lock, on_wait=lambda text: logger.warning("%s: %s", unit.name, text)) as is_left:
        if is_left:  # else nobody died who computed it: the lock file would still be there
            with suppress(RecordStoreError):  # told when the record is opened
                settle_open_runs(project, digest=unit.key.name)
        if not recompute and (head := find_stored(unit, project, code)) is not None:
            stored = load_stored(head, project, mmap=mmap, may_unpickle=unit.may_unpickle)
            if stored is not None:
                return stored
        what = f"Task {unit.name!r} ({unit.key.name})"
        state = usable_code(what, unit.fingerprint, project, apart_from=unit.sourced_files)
        facts = unit.facts(project)
        started = datetime.now(UTC)
        with project.data.start(unit.key, started) as new_run:
            return _Run(unit, project, facts, state, started, new_run).finish()


def find_computing(project: Project, key: Key) -> str:
    """Who computes the result of `key` at the moment, in words; empty if nobody does."""
    return find_holder(_lock_path(project, key))


def _lock_path(project: Project, key: Key) -> str:
    return f"{project.root}/.smt/locks/{key.folder}-{key.name}.lock"


_texts: dict[str, tuple[object, JSONText]] = {}
"""By name of a line of a manifest: what it was made of last, and the line's value."""


def _text_of(name: str, origin: object, make: Callable[[], Any]) -> JSONText:
    """JSON of what `make` makes of `origin`, which run after run has the same: one object, never changed."""
    known = _texts.get(name)
    if known is None or known[0] is not origin:
        known = _texts[name] = origin, JSONText(json.dumps(make(), allow_nan=False))
    return known[1]


@lru_cache
def _longest_ending(names: tuple[str, ...], suffix: str) -> str:
    """What the longest name that a file of a run may have adds to its label."""
    return max(".json", *(output_file_name("", name, suffix) for name in names), key=len)


class _Run:
    """One run: from the open record to the closed one."""

    def __init__(
        self,
        unit: Unit,
        project: Project,
        facts: UnitFacts,
        state: RepositoryState,
        started: datetime,
        new_run: NewRun,
    ) -> None:
        self.unit = unit
        self.project = project
        self.facts = facts
        self.new_run = new_run
        self.pid = os.getpid()
        self.output_text = ""
        label = new_run.label
        record = Record(
            label=label,
            timestamp=started,
            task=unit.name,
            module=facts.module,
            digest=unit.key.name,
            full_digest=unit.key.full_digest,
            manifest=f"{unit.key.folder}/{label}.json",
            parameters=facts.parameters_text,
            main_file=facts.main_file,
            reason=facts.reason,
            script_arguments=facts.script_arguments,
            working_directory=str(project.root),
            input_data=facts.input_data,
            **surroundings(project, state),
        )
        paths = [f"{unit.key.folder}/{label}{_longest_ending(facts.output_names, longest_suffix())}"]
        self.recording = RunRecord(record, project, key_paths=paths)

    def finish(self) -> Stored:
        """Call, store and record."""
        recording = self.recording
        recording.open(settles=False)  # who took the lock did
        begin = perf_counter()
        with captured_output() as captured, working_in(self.new_run.work_folder.make):
            try:
                returned = self.unit.call()
                duration_s = perf_counter() - begin
                captured.settle()  # before a file gets a number that the function closed
                outputs, outcome = self._split(returned)
                outputs = self._save(outputs, returned)
                head = self._store(outcome, duration_s, captured)
            except BaseException as error:
                if (
                    os.getpid() != self.pid
                ):  # a child that the function forked; run and record are its parent's
                    raise
                if (committed := self.new_run.committed) is not None:  # interrupted when all was done
                    self._close(committed, outcome, duration_s, captured.text)
                else:
                    recording.close_failed(error, perf_counter() - begin, text=captured.text)
                raise
        self._close(head, outcome, duration_s, self.output_text)
        return Stored(outputs, head, computed=True, record_error=recording.error)

    def _close(self, head: Head, outcome: str, duration_s: float, text: str) -> None:
        """Close the record of a run whose result is stored."""
        keys = () if self.recording.error is not None else output_keys(head, self.project)
        self.recording.close("finished", outcome, duration_s, text=text, output_data=keys)

    def _split(self, returned: Any) -> tuple[dict[str, Any], str]:
        try:
            return self.unit.split(returned)
        except OutputError as error:
            raise self._kept(returned, error) from error.__cause__

    def _save(self, outputs: dict[str, Any], returned: Any) -> dict[str, Any]:
        try:
            return {name: self.unit.save_output(self.new_run, name, value) for name, value in outputs.items()}
        except OutputError as error:
            raise self._kept(returned, error) from error.__cause__

    def _kept(self, returned: Any, error: OutputError) -> OutputError:
        """Keep what was returned, and say where."""
        saved = self.new_run.keep_unfit(returned)
        files = f"{saved}.files"
        kept = f"the returned value is kept in {saved}" + (
            f"\nthe files that were written are kept in {files}" if os.path.isdir(files) else ""
        )
        return OutputError(error.what, error.found, f"{error.remedy}\n{kept}", saved=str(saved))

    def _store(self, outcome: str, duration_s: float, captured: CapturedOutput) -> Head:
        record = self.recording.record
        diff = self.project.data.put_text(record.diff) if record.diff else ""
        source = {"source": self.project.data.put_text(self.facts.source, ".py")} if self.facts.source else {}
        earlier = self.facts.continued_from
        self.output_text = captured.text
        code = self.unit.fingerprint
        distributions = provenance.distributions()
        rest = {
            "module": record.module,
            "reason": record.reason,
            "outcome": outcome,
            "started": record.timestamp.isoformat(),
            "duration_s": duration_s,
            "parameters": JSONText(self.facts.parameters_text),
            "defaults": self.facts.defaults,
            "functions": _text_of("functions", code.parts, lambda: dict(code.parts)),
            "unresolved": list(code.unresolved),
            "upstream": self.facts.upstream,
            **({} if earlier is None else {"continued_from": earlier}),
            "input_data": [{"path": key.path, **key.metadata} for key in record.input_data],
            **source,
            "commit": record.version,
            "diff": diff,
            "repository": _text_of(
                "repository", record.repository, lambda: [record.repository.url, record.repository.upstream]
            ),
            "main_file": record.main_file,
            "script_arguments": record.script_arguments,
            "user": record.user,
            "executable": _text_of(
                "executable", record.executable, lambda: [record.executable.path, record.executable.version]
            ),
            "platform": _text_of("platform", record.platform, lambda: asdict(provenance.platform())),
            "distributions": _text_of(
                "distributions",
                distributions,
                lambda: {item.name: [item.version, item.path] for item in distributions},
            ),
            "output_text": self.output_text,
        }
        return self.new_run.commit(
            task=self.unit.name,
            code=self.facts.code,
            rest=rest,
            durability=self.project.setting("durability"),
        )
