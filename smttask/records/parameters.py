"""Values in the parameters of a record: found by dotted path, compared with what is looked for.

Parameters are the description of a task (see `smttask.tasks.description`) as JSON:
the task itself under its digest, with those upstream tasks that have no record of
their own; the others stand as ``{"$task": digest, "label": label}``. A path leads
through all of them: ``"spectrum.series.degree"`` is an input of an input of an input.
"""

from __future__ import annotations

import functools
import json
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from smttask.errors import InputError, SmttaskError, short_repr

__all__ = [
    "MADE_BY_TASKER",
    "Step",
    "find_parameter",
    "find_parts",
    "form_text",
    "has_parameter",
    "is_equal",
    "is_ordered",
    "path_steps",
    "read_json",
    "task_reference",
]

JSON = Any
Step = str | int
#: What the description in the record of a Tasker's run says that the task was made by.
MADE_BY_TASKER = "Tasker"
#: Gives the parameters of the record with this label, parsed, and its digest; None if there is none.
GetUpstream = Callable[[str], "tuple[JSON, str] | None"]

MISSING = object()
PLAIN = (int, float, str)
N_ITEMS = 3  # of a list of tasks or models, as people read it
COMPARE: Mapping[str, Callable[[Any, Any], Any]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


def path_steps(path: str) -> list[Step]:
    """Names and positions in a path such as ``a.b[2]``.

    Raises
    ------
    InputError
        If a name is empty or a bracket holds no position.

    Examples
    --------
    >>> path_steps("model.sigma[0]")
    ['model', 'sigma', 0]
    """
    steps: list[Step] = []
    for part in path.split("."):
        match = re.fullmatch(r"([^\[\]]*)((?:\[\d+\])*)", part)
        if not match or not part:
            raise InputError(
                f"{short_repr(path)} names no place in the parameters.",
                "expected: names between dots, positions in brackets, such as 'model.sigma' or 'x[0]'",
                "correct the name",
                place=path,
            )
        steps += [match[1]] if match[1] else []
        steps += [int(position) for position in re.findall(r"\d+", match[2])]
    return steps


def read_json(content: str) -> JSON:
    """The parsed JSON text, or None if it is none: other programs keep parameters in other forms."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def find_parameter(
    tree: JSON, digest: str, steps: Sequence[Step], get_upstream: GetUpstream
) -> tuple[bool, JSON]:
    """Whether there is a value at `steps`, and its JSON form.

    Parameters
    ----------
    tree
        Parameters of a record, parsed; of any form.
    digest
        Of the record's task.

    Examples
    --------
    >>> tree = {"tasks": {"3f": {"inputs": {"x": {"$tuple": [1, 2]}}}}}
    >>> find_parameter(tree, "3f", ["x", 1], lambda label: None)
    (True, 2)
    """
    node = _inputs(tree, digest)
    for step in steps:
        tree, node = _entered(tree, node, get_upstream)
        node = _child(node, step)
    return node is not MISSING, node


def find_parts(
    tree: JSON, digest: str, steps: Sequence[Step], get_upstream: GetUpstream
) -> dict[Step, JSON] | None:
    """The JSON forms one step below `steps`; None if nothing stands there or it has no parts.

    Examples
    --------
    >>> tree = {"tasks": {"3f": {"inputs": {"x": {"$tuple": [1, 2]}}}}}
    >>> find_parts(tree, "3f", ["x"], lambda label: None)
    {0: 1, 1: 2}
    """
    node = _inputs(tree, digest)
    for step in steps:
        tree, node = _entered(tree, node, get_upstream)
        node = _child(node, step)
    _, node = _entered(tree, node, get_upstream)
    if isinstance(node, dict) and (tag := _tag(node)) is not None:
        if tag == "$dict":
            return {key: value for key, value in node[tag] if isinstance(key, str)}
        node = node.get("fields", node.get("items", node[tag]))
    if isinstance(node, dict):
        return dict(node)
    return dict(enumerate(node)) if isinstance(node, list) else None


def _entered(tree: JSON, node: JSON, get_upstream: GetUpstream) -> tuple[JSON, JSON]:
    """The inputs of the task that `node` refers to and the description they stand in; else both unchanged."""
    if (reference := task_reference(node)) is None:
        return tree, node
    if _inputs(tree, reference) is MISSING:
        found = get_upstream(str(node.get("label", "")))
        tree, reference = found if found is not None else (None, "")
    return tree, _inputs(tree, reference)


def has_parameter(content: str, digest: str, question: str, get_upstream: GetUpstream) -> bool:
    """Whether the parameters `content` of a task hold what `question` asks for.

    Parameters
    ----------
    content
        As stored; of any form.
    question
        JSON text of steps, the JSON form looked for, and how to compare: ``==``, ``>=``, ….

    Examples
    --------
    >>> content = '{"tasks": {"3f": {"inputs": {"x": 2}}}}'
    >>> has_parameter(content, "3f", '[["x"], 2.0, "=="]', lambda label: None)
    True
    """
    try:
        steps, wanted, how = _parsed_question(question)
        found, form = find_parameter(_parsed(content), digest, steps, get_upstream)
        return found and (is_equal(form, wanted) if how == "==" else is_ordered(form, how, wanted))
    except (ValueError, LookupError, TypeError, RecursionError):
        return False


@functools.lru_cache(maxsize=1)  # several questions are asked of one record after the other
def _parsed(content: str) -> JSON:
    return json.loads(content)


@functools.lru_cache(maxsize=8)  # SQL asks the same of each of many records
def _parsed_question(question: str) -> Any:
    return json.loads(question)


def task_reference(node: JSON) -> str | None:
    """The digest of the task that `node` stands for; None if it stands for none."""
    digest = node.get("$task") if isinstance(node, dict) else None
    return digest if isinstance(digest, str) else None


def _inputs(tree: JSON, digest: str) -> JSON:
    try:
        return tree["tasks"][digest]["inputs"]
    except (LookupError, TypeError):
        return MISSING


def _child(node: JSON, step: Step) -> JSON:
    """What stands at `step` of a JSON form; tags of containers, dataclasses and models are passed through."""
    if isinstance(node, dict) and (tag := _tag(node)) is not None:
        if tag == "$dict":
            return next((value for key, value in node[tag] if key == step), MISSING)
        node = node.get("fields", node.get("items", node[tag]))
    if isinstance(step, str):
        return node.get(step, MISSING) if isinstance(node, dict) else MISSING
    return node[step] if isinstance(node, list) and step < len(node) else MISSING


def _tag(node: Mapping[str, JSON]) -> str | None:
    return next((key for key in node if key.startswith("$")), None)


def is_equal(found: JSON, wanted: JSON) -> bool:
    """Whether the JSON form `found` is what the JSON form `wanted` looks for.

    Numbers are equal by value, and a bool is no number. What is looked for may leave
    out what it cannot know: a list finds arrays and tuples, a text an enum's name, a
    task the runs of equal tasks.

    Examples
    --------
    >>> is_equal({"$tuple": [1, 2]}, [1.0, 2]), is_equal(1, True)
    (True, False)
    """
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    if isinstance(found, dict):
        if isinstance(wanted, dict):
            if (task := task_reference(wanted)) is not None:
                return task_reference(found) == task
            return found.keys() == wanted.keys() and all(is_equal(found[key], wanted[key]) for key in found)
        tag = _tag(found)
        if tag == "$enum":
            return wanted in (found.get("name"), found.get("value"))
        return tag is not None and is_equal(found[tag], wanted)
    if isinstance(found, list) and isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(is_equal, found, wanted))
    return bool(found == wanted)


def is_ordered(found: JSON, how: str, wanted: JSON) -> bool:
    """Whether the JSON form `found` is ``>=``, ``<=``, ``>`` or ``<`` the JSON form `wanted`.

    What has no order, such as a number and a text, or NaN, is neither. A bool is no number.

    Examples
    --------
    >>> is_ordered({"$float": "inf"}, ">", 3), is_ordered("3", ">", 2)
    (True, False)
    """
    if isinstance(found, bool) or isinstance(wanted, bool):
        return False
    if isinstance(found, PLAIN) and isinstance(wanted, PLAIN):  # which stand for themselves
        return isinstance(found, str) is isinstance(wanted, str) and bool(COMPARE[how](found, wanted))
    from smttask.typing.jsonform import from_json  # brings numpy and pydantic: labels are listed without them

    try:
        return bool(COMPARE[how](from_json(found), from_json(wanted)))
    except (TypeError, ValueError, LookupError, SmttaskError):
        return False


def form_text(form: JSON) -> str:
    """A JSON form as people read it; needs none of the classes in it.

    Examples
    --------
    >>> form_text({"$task": "3f9c1b", "label": "20261122-101500-123456_3f9c1b"})
    'task 3f9c1b, run 20261122-101500-123456_3f9c1b'
    >>> form_text({"$path": {"project": "data/a.csv"}})
    "'data/a.csv'"
    >>> form_text([{"$task": "3f9c1b"}, {"$task": "a2b7f0"}])
    '[task 3f9c1b, task a2b7f0]'
    """
    if isinstance(form, dict):
        if (digest := task_reference(form)) is not None:
            return f"task {digest}" + (f", run {form['label']}" if "label" in form else "")
        if isinstance(form.get("summary"), str):
            return str(form["summary"])
        for tag in ("$dataclass", "$model"):
            if tag in form:
                shown = ", ".join(f"{name}={form_text(part)}" for name, part in form["fields"].items())
                return f"{str(form[tag]).rpartition(':')[2]}({shown})"
        if "$enum" in form:
            return f"{str(form['$enum']).rpartition(':')[2]}.{form.get('name', form.get('value'))}"
        if len(form) == 1 and (name := next(iter(form))).startswith("$"):
            inside = form[name].get("project") if name == "$path" and isinstance(form[name], dict) else None
            return form_text(form[name] if inside is None else inside)
        if "$array" in form:
            return short_repr(form["$array"])
    if isinstance(form, list) and any(isinstance(item, dict) for item in form):
        items = [form_text(item) for item in form[:N_ITEMS]]
        return f"[{', '.join(items)}{f', … {len(form)} in all' if len(form) > N_ITEMS else ''}]"
    return short_repr(form)
