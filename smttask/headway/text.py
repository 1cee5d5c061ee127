"""Words for a display: durations, bars, and texts that a terminal may be given."""

from __future__ import annotations

__all__ = ["bar_text", "duration_text", "printable", "printable_lines"]

LONGEST = 2_000  # characters of one text; outcomes and reasons may hold anything


def bar_text(share: float, width: int = 20) -> str:
    """A bar of letters, filled up to `share`, and the percentage.

    Examples
    --------
    >>> bar_text(0.5, width=4)
    '██░░  50%'
    """
    n_filled = round(share * width)
    return f"{'█' * n_filled}{'░' * (width - n_filled)} {share:4.0%}"


def duration_text(duration_s: float) -> str:
    """Seconds for people.

    Examples
    --------
    >>> duration_text(0.0123), duration_text(75), duration_text(9000)
    ('0.01 s', '1 min 15 s', '2 h 30 min')
    """
    if duration_s < 60:
        return f"{duration_s:.2f} s" if duration_s < 10 else f"{duration_s:.0f} s"
    minutes, seconds = divmod(round(duration_s), 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def printable(text: object) -> str:
    r"""`text` on one line, without characters that a terminal would obey.

    Examples
    --------
    >>> printable("two\nlines \x1b[2J")
    'two lines �[2J'
    """
    whole = str(text)
    cut = whole if len(whole) <= LONGEST else whole[:LONGEST] + "…"
    if cut.isprintable():
        return cut.strip()
    return "".join(
        letter if letter.isprintable() else " " if letter.isspace() else "\ufffd" for letter in cut
    ).strip()


def printable_lines(text: str) -> str:
    """The lines of `text`, each `printable` but for its indentation, as of a traceback."""
    lines = text.splitlines()
    return "\n".join(" " * (len(line) - len(line.lstrip(" "))) + printable(line) for line in lines)
