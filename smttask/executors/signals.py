"""The signals that ask a process to stop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

__all__ = ["STOP_SIGNALS", "stop_signals_to"]

#: Ctrl-C, a polite kill (batch systems send it before the time is over), a closed terminal.
STOP_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


@contextmanager
def stop_signals_to(tell: Callable[[int], None], *, also: Sequence[int] = ()) -> Iterator[None]:
    """Call `tell` with the number of each such signal that comes during the block.

    Only the main thread can; in another one nothing is changed. A signal that
    the process ignores, as ``nohup`` has it, stays ignored.

    Parameters
    ----------
    also
        Numbers of other signals that ask it to stop.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: object) -> None:
        tell(number)

    before: dict[int, Any] = {}
    try:
        for number in (*STOP_SIGNALS, *also):
            if signal.getsignal(number) != signal.SIG_IGN:
                before[number] = signal.signal(number, handle)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
