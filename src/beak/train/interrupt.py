"""Ctrl-C and SIGTERM while training: a wish to stop that is heard between two steps."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType


@contextlib.contextmanager
def wish_to_stop() -> Iterator[Callable[[], bool]]:
    """A function that tells whether the user asked to stop; the second Ctrl-C stops at once.

    Outside the main thread, where no signals arrive, it always says no.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ask(number: int, frame: FrameType | None) -> None:
        asked.set()
        for name, handler in before.items():
            signal.signal(name, handler)

    for number, handler in before.items():
        # None: set by other than Python; SIG_IGN: whoever started us wants no stopping (nohup)
        if handler is not None and handler is not signal.SIG_IGN:
            signal.signal(number, ask)
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, handler)
