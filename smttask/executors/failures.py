"""What is told of a work that failed."""

from __future__ import annotations

import os
import pickle
import traceback
from types import TracebackType

from smttask import errors
from smttask.errors import SmttaskError, error_text
from smttask.executors.outcome import Here, Outcome
from smttask.executors.work import Work

__all__ = ["describe_failure"]

MOST_LINE = 1000
MOST_DETAILS = 50_000
PACKAGE_DIR = os.path.dirname(os.path.abspath(errors.__file__)) + os.sep


def describe_failure(work: Work, error: BaseException, duration_s: float) -> Outcome:
    """The outcome of `work` whose task raised `error`; of long texts the ends."""
    is_ours = isinstance(error, SmttaskError)
    if isinstance(error, SmttaskError):
        line, details = error.what, "\n".join(part for part in (error.found, error.remedy) if part)
    else:
        first = error_text(error).strip().partition("\n")[0]
        line = f"{type(error).__name__}: {first}" if first else type(error).__name__
        trace = _of_user(error.__traceback__)
        details = "".join(traceback.format_exception(type(error), error, trace)).rstrip()
    return Outcome(
        work.name,
        "failed",
        duration_s,
        line[:MOST_LINE],
        _cut(details),
        is_ours,
        number=work.number,
        raised=_raised(error, work) if work.wants_value else None,
    )


def _raised(error: BaseException, work: Work) -> bytes | Here | None:
    """The error as who asked for the result gets it; None if it cannot be sent."""
    if work.task is not None:
        return Here(error)
    try:
        pickled = pickle.dumps(error, protocol=pickle.HIGHEST_PROTOCOL)
        pickle.loads(pickled)  # noqa: S301 - what was just made; many errors cannot be made again
    except Exception:  # noqa: BLE001 - any code of the error's class may run
        return None
    return pickled


def _cut(text: str) -> str:
    if len(text) <= MOST_DETAILS:
        return text
    half = MOST_DETAILS // 2
    return f"{text[:half]}\n… {len(text) - 2 * half} characters …\n{text[-half:]}"


def _of_user(trace: TracebackType | None) -> TracebackType | None:
    """The traceback from the first line outside of smttask; all of it if there is none."""
    inner = trace
    while inner is not None and inner.tb_frame.f_code.co_filename.startswith(PACKAGE_DIR):
        inner = inner.tb_next
    return inner or trace
