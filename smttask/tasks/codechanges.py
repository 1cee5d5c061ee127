"""Which code of a task, or of what it depends on, is another than that of an earlier run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from smttask.code.fingerprint import changed_parts
from smttask.errors import DamagedResultError
from smttask.storage.manifest import Head, read_head, read_rest
from smttask.tasks.explanation import Difference

if TYPE_CHECKING:
    from smttask.tasks.evaluation import Session
    from smttask.tasks.task import Task

__all__ = ["code_differences"]

MAX_UPSTREAM = 100  # tasks whose code is compared one by one

Rest = Mapping[str, Any]


def code_differences(
    task: Task[Any], parts: Mapping[str, str], rest: Rest, session: Session, results: Path
) -> list[Difference]:
    """The functions of `task` and of what it depends on that are others than in a run; each is told once.

    Parameters
    ----------
    parts
        The functions of `task` as loaded.
    rest
        Of the manifest of the run.
    results
        The output store.
    """
    found: list[Difference] = []
    named: set[tuple[str, str, str]] = set()

    def tell(differences: list[Difference]) -> None:
        found.extend(each for each in differences if (each.name, each.old, each.new) not in named)
        named.update((each.name, each.old, each.new) for each in differences)

    tell(_changed(rest, parts))
    waiting: list[tuple[Task[Any], Rest]] = [(task, rest)]
    seen: set[str] = set()
    while waiting and len(seen) < MAX_UPSTREAM:
        current, then = waiting.pop()
        for upstream, used, label in _changed_upstream(current, then, session, results):
            if upstream.record_key in seen:
                continue
            seen.add(upstream.record_key)
            name = f"{upstream.name} {upstream.record_key}"
            head = _past_head(upstream, label, results)
            past = None if head is None else _past_rest(head)
            own = [] if past is None else _changed(past, upstream.code_fingerprint.parts, within=name)
            if past is not None and upstream.upstream:
                waiting.append((upstream, past))
            elif not own:
                behind = "" if label or all(u.is_recorded for u in upstream.upstream) else " or one behind it"
                today = session.expected_code(upstream)
                own = [Difference("upstream", f"upstream task {name}{behind}", used[:12], today[:12])]
            tell(own)
    return found


def _changed_upstream(
    task: Task[Any], rest: Rest, session: Session, results: Path
) -> Iterator[tuple[Task[Any], str, str]]:
    """Upstream tasks whose code is another than in a run of `task`: with the code and the label of then.

    What stands between `task` and stored results leaves no manifest: it is told only if the codes
    of these results do not explain that its code changed.
    """
    labels = dict(_labels_in(rest["parameters"]))
    for upstream in task.upstream:
        used = rest["upstream"].get(upstream.record_key)
        if used is None or used["code"] == session.expected_code(upstream):
            continue
        if used["label"]:
            yield upstream, used["code"], used["label"]
            continue
        stored = list(_stored_behind(upstream, labels, results))
        then = {one.session_key: head.code for one, head in stored}
        if session.code_with(upstream, then) != used["code"]:
            yield upstream, used["code"], ""
        for one, head in stored:
            if head.code != session.expected_code(one):
                yield one, head.code, head.label


def _stored_behind(
    task: Task[Any], labels: Mapping[str, str], results: Path
) -> Iterator[tuple[Task[Any], Head]]:
    """The stored results that the result of `task`, which was not stored, was made of."""
    stack, seen = list(task.upstream), set[str]()
    while stack:
        current = stack.pop()
        if current.session_key in seen:
            continue
        seen.add(current.session_key)
        head = _past_head(current, labels.get(current.record_key, ""), results)
        if head is not None:
            yield current, head
        else:
            stack.extend(current.upstream)


def _labels_in(parameters: Any) -> Iterator[tuple[str, str]]:
    """Key and label of each stored task that the parameters of a run name."""
    stack = [parameters]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            if isinstance(item.get("$task"), str) and isinstance(item.get("label"), str):
                yield item["$task"], item["label"]
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)


def _past_head(task: Task[Any], label: str, results: Path) -> Head | None:
    """The head of an upstream run; None if it has none or is gone."""
    if not label:
        return None
    try:
        return read_head(results / (task.fixed_name or task.name) / f"{label}.json")
    except (DamagedResultError, OSError):
        return None


def _past_rest(head: Head) -> Rest | None:
    try:
        return read_rest(head)
    except (DamagedResultError, OSError):
        return None


def _changed(rest: Rest, parts: Mapping[str, str], within: str = "") -> list[Difference]:
    old = rest["functions"]
    names = [words.rpartition(" ")[0] for words in changed_parts(old, parts)]
    kind: Literal["code", "upstream"] = "upstream" if within else "code"
    return [Difference(kind, name, old.get(name, ""), parts.get(name, ""), within) for name in names]
