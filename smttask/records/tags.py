"""Tags of a record, its status among them, as Sumatra 0.8 reads and writes them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from smttask.errors import InputError, short_repr
from smttask.records.record import STATUSES, TAG_WIDTH, TAGS_WIDTH, fit

__all__ = ["STATUS_PATTERN", "checked_tag", "parse_tags", "status_tag", "tags_text"]

STATUS_PATTERN = re.compile(r"_[^.]*(\.\.\.)?_")  # of sumatra/core.py: tags of which a record has one


def status_tag(status: str) -> str:
    """Return the tag of a status.

    Examples
    --------
    >>> status_tag("finished")
    '_finished_'
    """
    if status not in STATUSES:
        raise InputError(
            f"There is no status {short_repr(status)}.", f"expected: {', '.join(STATUSES)}", "use one of them"
        )
    return f"_{status}_"


def checked_tag(tag: str) -> str:
    """Return `tag` if Sumatra would keep it as it is.

    Raises
    ------
    InputError
        If it is empty, longer than 50 characters, looks like a status or holds a comma, quote or NUL.
    """
    is_plain = 0 < len(tag) <= TAG_WIDTH and tag == tag.strip() == fit(tag)
    if is_plain and not STATUS_PATTERN.match(tag) and not set(tag) & {",", '"', "\n"}:
        return tag
    raise InputError(
        f"A record cannot have the tag {short_repr(tag)}.",
        f"expected: 1 to {TAG_WIDTH} characters without comma or quote, not between underscores",
        "use another tag",
    )


def tags_text(tags: Iterable[str]) -> str:
    """Write a record's column of tags.

    Raises
    ------
    InputError
        If they are more than it holds.

    Examples
    --------
    >>> tags_text({"first look", "_finished_"})
    '_finished_,first look'
    """
    text = ",".join(sorted(tags))
    if len(text) <= TAGS_WIDTH:
        return f'"{text}"' if " " in text and "," not in text else text
    raise InputError(
        "A record cannot have so many tags.",
        f"found: {len(text)} characters with the commas between them\nexpected: at most {TAGS_WIDTH}",
        "remove some, or use shorter ones; nothing was changed",
    )


def parse_tags(text: str) -> list[str]:
    """Split a record's column of tags, as Sumatra's `tagging_utils.parse_tag_input` does.

    Examples
    --------
    >>> parse_tags("_finished_,first look")
    ['_finished_', 'first look']
    """
    if '"' in text:
        quoted = re.findall(r'"([^"]*)"', text)
        rest = re.sub(r'"[^"]*"', ",", text)
        words = [*quoted, *rest.split("," if "," in rest.strip(", ") else " ")]
    else:
        words = text.split("," if "," in text else " ")
    return [stripped for word in words if (stripped := word.strip(" ,"))]
