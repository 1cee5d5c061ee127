"""Why a recorded task would be found or computed. Nothing is computed, written or moved to find out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smttask.errors import (
    DamagedResultError,
    OutputError,
    RecordStoreError,
    ResultNotFoundError,
    StorageError,
)
from smttask.project import Project
from smttask.records.differences import Described, InputDifference, differing_inputs, find_differences
from smttask.records.parameters import read_json
from smttask.records.runs import PastRun
from smttask.runner.packages import changed_packages
from smttask.runner.unit import Unit
from smttask.storage.atomic import read_link
from smttask.storage.damage import find_aside
from smttask.storage.layout import link_name
from smttask.storage.manifest import Head, read_head, read_rest
from smttask.tasks.codechanges import code_differences
from smttask.tasks.description import describe_task
from smttask.tasks.explanation import Difference, Explanation

if TYPE_CHECKING:
    from smttask.tasks.evaluation import RunOptions, Session
    from smttask.tasks.recorded import Recorded
    from smttask.tasks.task import Task

__all__ = ["explain_stored"]

N_RUNS = 50  # how many earlier runs are compared
N_CLOSE = 10  # how many of the nearest of them are compared to the last detail
MAX_UPSTREAM = 50  # upstream tasks whose last run is looked at
FAILED = ("crashed", "killed")
MAX_PARAMETERS_CHARS = 500_000

Rest = dict[str, Any]


def explain_stored(
    task: Recorded[Any], unit: Unit, project: Project, session: Session, options: RunOptions
) -> Explanation:
    """Why the result of `task` would be loaded from disk, or computed.

    Parameters
    ----------
    options
        With ``mmap`` only the sizes of files are checked.
    """
    return _Inquiry(task, unit, project, session, options.mmap).answer()


class _Inquiry:
    """One task beside what is stored of it."""

    def __init__(
        self, task: Recorded[Any], unit: Unit, project: Project, session: Session, only_sizes: bool
    ) -> None:
        self.task = task
        self.unit = unit
        self.project = project
        self.session = session
        self.only_sizes = only_sizes
        self.code = session.expected_code(task)
        self.store = project.data.only_looking()

    def answer(self) -> Explanation:
        damages: list[tuple[Path, str]] = []
        head = self.store.find(
            self.unit.key, self.code, self.unit.is_same, lambda path, why: damages.append((path, why))
        )
        if head is not None:
            return self._of_stored(head)
        if damages:
            path, why = damages[0]
            return self._miss(f"its result is damaged: {why.rpartition(chr(10))[2]}", label=path.stem)
        return self._of_link() or self._of_records()

    def _miss(self, reason: str, differences: list[Difference] | None = None, label: str = "") -> Explanation:
        return Explanation(self.task.name, self.unit.key.name, False, reason, tuple(differences or ()), label)

    # A result of the same inputs is there

    def _of_stored(self, head: Head) -> Explanation:
        """Whether the policies let the result serve, and whether it loads."""
        try:
            rest = read_rest(head)
            code = self._code_differences(rest)
            is_accepted = head.code == self.code != read_head(head.file).code
        except (DamagedResultError, FileNotFoundError) as error:
            return self._miss(_damage(error), label=head.label)
        packages = _package_differences(rest)
        reason, serves = "stored", True
        if is_accepted:
            reason = f"stored by other code ({_names(code)}) and accepted as still valid"
        elif head.code != self.code:
            if not code:
                earlier = rest.get("continued_from")
                name = (
                    f"the code of {earlier['label']}, which it continued from,"
                    if earlier
                    else "code that cannot be followed"
                )
                code = [Difference("code", name, head.code[:12], self.code[:12])]
            policy = self.unit.code_policy or self.project.setting("on_code_change")
            serves = policy in ("warn", "ignore")
            reason = f"stored by other code ({_names(code)}); on_code_change is {policy!r}"
        policy = self.project.setting("on_package_change")
        if serves and packages and policy != "ignore":
            serves = policy == "warn"
            reason = f"stored with other packages ({_names(packages)}); on_package_change is {policy!r}"
        if serves and (problem := self._problem(head)):
            return self._miss(problem, label=head.label)
        if not serves:
            return self._miss(reason, [*code, *packages], head.label)
        name = self.unit.key.name
        return Explanation(self.task.name, name, True, reason, (*code, *packages), head.label, where="disk")

    def _problem(self, head: Head) -> str:
        """Why the outputs cannot be loaded; empty if they can."""
        verify = self.project.setting("verify")
        try:
            outputs = {
                name: self.store.load_output(
                    head,
                    name,
                    verify=verify,
                    mmap=self.only_sizes,
                    allow_pickle=self.unit.may_unpickle(name),
                )
                for name in head.outputs
            }
            self.task.output_spec.validated(outputs)
        except (DamagedResultError, ResultNotFoundError) as error:
            return _damage(error)
        except StorageError as error:
            if not getattr(error, "is_whole", False):
                raise
            return f"its result cannot be loaded any more: {error.found.rpartition(chr(10))[2]}"
        except OutputError as error:
            return f"its result does not fit what the task returns today: {error.what}"
        return ""

    # A link is there, but no result of the same inputs

    def _of_link(self) -> Explanation | None:
        """What became of the result that the link names; None if there is no link."""
        key = self.unit.key
        link = self.store.input_dir / key.link_folder / link_name(key)
        try:
            target = read_link(str(link))
        except (OSError, ValueError):
            target = None
        if target is None:
            aside = find_aside(link)
            return None if aside is None else self._miss(f"its link was damaged and is kept as {aside}")
        manifest = Path(os.path.realpath(link.parent / target))
        try:
            head = read_head(manifest)
            files = [file for entry in head.outputs.values() for file, _, _ in entry.files]
            gone = [path for file in files if not (path := head.path.parent / file).exists()]
            rest = read_rest(head)
        except FileNotFoundError:
            return self._miss(_fate(manifest), label=manifest.stem)
        except (DamagedResultError, OSError) as error:
            return self._miss(_damage(error), label=manifest.stem)
        if gone:
            return self._miss(_fate(gone[0]), label=head.label)
        defaults = self._default_differences(rest)
        names = ", ".join(dict.fromkeys(difference.name for difference in defaults))
        return self._miss(
            f"stored with other defaults: {names}", [*defaults, *self._all_differences(rest)], head.label
        )

    def _default_differences(self, rest: Rest) -> list[Difference]:
        """The inputs that stood at a default that is another now, in the task and in what it depends on."""
        parameters = rest["parameters"]
        old = Described(parameters, parameters["task"], self._find_past)
        found = find_differences(old, self._described(), through_equal=True)
        if found:
            return [Difference("default", each.place, *each.texts) for each in found]
        now = self.session.standing_defaults(self.task)
        return [
            Difference("default", f"{name.rpartition(':')[2]}({field})", default[:12], new[:12] or "none")
            for name, fields in rest["defaults"].items()
            for field, default in fields.items()
            if (new := now.get(name, {}).get(field, "")) != default
        ]

    # Nothing is there

    def _of_records(self) -> Explanation:
        """What the records tell: of this task, else of the nearest run with other inputs."""
        records = self.project.records
        try:
            if not records.is_made():
                return self._miss("never run")
            latest = records.find_latest_run(self.unit.key.name)
            if latest is not None:
                return self._miss(self._past_fate(latest), label=latest.label)
            if (failed := self._failed_upstream()) is not None:
                return failed
            module = self.task.__wrapped__.__module__
            nearest = self._nearest(records.latest_runs(module, self.task.name, N_RUNS))
        except RecordStoreError as error:
            return self._miss(f"nothing is stored, and earlier runs are not known: {error.what}")
        if nearest is None:
            return self._miss("never run")
        run, inputs = nearest
        differences = [
            Difference("default" if each.is_default else "input", each.place, *each.texts) for each in inputs
        ]
        try:
            rest = read_rest(read_head(self.store.output_dir / run.manifest))
        except (DamagedResultError, OSError):
            rest = {}
        names = ", ".join(difference.name for difference in differences[:5])
        why = "when an unpure task gave another result" if self.task.has_late_digest else "by other defaults"
        reason = (
            f"not run with these inputs; the nearest run differs in {names}"
            if names
            else f"run with the same inputs under another digest ({run.digest}), {why}"
        )
        return self._miss(reason, [*differences, *self._all_differences(rest)], run.label)

    def _failed_upstream(self) -> Explanation | None:
        """That a task which this one needs failed when it was last run; None if none did."""
        waiting, seen = [*self.task.upstream], set[str]()
        while waiting and len(seen) < MAX_UPSTREAM:
            upstream = waiting.pop()
            if upstream.session_key in seen:
                continue
            seen.add(upstream.session_key)
            waiting += upstream.upstream
            if upstream.is_recorded and not upstream.has_late_digest:
                run = self.project.records.find_latest_run(upstream.record_key)
                if run is not None and run.status in FAILED:
                    name = f"upstream task {upstream.name} ({run.digest})"
                    fate = self._past_fate(run).removeprefix("its last run ")
                    return self._miss(f"not run; the last run of {name} {fate}", label=run.label)
        return None

    def _past_fate(self, run: PastRun) -> str:
        """Why an earlier run of the very same task left no result."""
        if run.status == "finished":
            manifest = self.store.output_dir / run.manifest
            return "its result was invalidated" if manifest.exists() else _fate(manifest)
        if run.status in ("running", "initialized"):
            open_runs = self.project.records.open_runs(digest=run.digest)
            is_alive = any(
                open_run.label == run.label and not open_run.is_abandoned for open_run in open_runs
            )
            return "it is running" if is_alive else "its last run was killed"
        outcome = run.outcome.strip().rpartition("\n")[2]
        return f"its last run {'was killed' if run.status == 'killed' else 'crashed'}" + (
            f": {outcome}" if outcome else ""
        )

    def _nearest(self, runs: list[PastRun]) -> tuple[PastRun, list[InputDifference]] | None:
        """The run with the fewest differing inputs, finished ones and then later ones first."""
        new = self._described()
        n_chars = 0
        rated: list[tuple[tuple[bool, int, int], PastRun, Described]] = []
        for index, run in enumerate(runs):
            n_chars += len(run.parameters)
            if rated and n_chars > MAX_PARAMETERS_CHARS:
                break
            old = Described(read_json(run.parameters), run.digest, self._find_past)
            if old.entry is not None:
                rating = (run.status != "finished", len(differing_inputs(old, new)), index)
                rated.append((rating, run, old))
        if not rated:
            return None
        rated.sort(key=lambda item: item[0])
        best = rated[0][0][:2]
        close = [item for item in rated[:N_CLOSE] if item[0][:2] == best]
        found = [(run, find_differences(old, new)) for _, run, old in close]
        return min(found, key=lambda item: len(item[1]))

    # What is compared

    def _described(self) -> Described:
        """The task of today as its record would describe it."""
        known: dict[str, Task[Any]] = {}

        def describe(task: Task[Any]) -> dict[str, Any]:
            waiting = [task]
            while waiting:
                for upstream in waiting.pop().upstream:
                    if (
                        known.setdefault(upstream.record_key, upstream) is upstream
                        and not upstream.is_recorded
                    ):
                        waiting.append(upstream)
            return describe_task(
                task,
                on_large=self.store.values.name_of,
                leave_out=lambda other: {"$task": other.record_key} if other.is_recorded else None,
                get_key=lambda other: other.record_key,
            )

        def find(reference: Any) -> tuple[Any, str] | None:
            task = known.get(reference["$task"])
            return None if task is None else (describe(task), task.record_key)

        return Described(describe(self.task), self.task.record_key, find)

    def _find_past(self, reference: Any) -> tuple[Any, str] | None:
        """The parameters of a recorded upstream task, by its label."""
        label = reference.get("label")
        records = self.project.records
        return records.find_parameters(label) if label and records.is_made() else None

    def _all_differences(self, rest: Rest) -> list[Difference]:
        return [*self._code_differences(rest), *_package_differences(rest)] if rest else []

    def _code_differences(self, rest: Rest) -> list[Difference]:
        """Which code of the task and of what it depends on is another than that of a run."""
        parts = self.unit.fingerprint.parts
        return code_differences(self.task, parts, rest, self.session, self.store.output_dir)


def _package_differences(rest: Rest) -> list[Difference]:
    return [Difference("package", *change) for change in changed_packages(rest)]


def _names(differences: list[Difference]) -> str:
    shown = [str(difference) for difference in differences[:3]]
    return ", ".join(shown) + (f" and {n} more" if (n := len(differences) - len(shown)) > 0 else "")


def _damage(error: Exception) -> str:
    if isinstance(error, DamagedResultError):
        return f"its result is damaged: {getattr(error, 'reason', error.what)}"
    return f"its result was deleted: {getattr(error, 'found', '') or error}"


def _fate(path: Path) -> str:
    """What became of a file that is not there."""
    aside = find_aside(path)
    return (
        f"its result was deleted: {path}"
        if aside is None
        else (f"its result was damaged and is kept as {aside}")
    )
