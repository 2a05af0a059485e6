"""What fit, evaluate and predict print: a line a batch that rewrites itself, as Keras's."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping

WIDTH = 20
INTERVAL = 0.05


def number(value: float) -> str:
    """Four digits, as Keras writes them.

    >>> number(0.91234), number(0.00012)
    ('0.9123', '1.2000e-04')
    """
    return f"{value:.4f}" if abs(value) > 1e-3 else f"{value:.4e}"


class Progress:
    """One epoch's line; ``verbose`` 0: nothing, 1: a bar, 2: a line at the end."""

    def __init__(self, verbose: int, steps: int | None) -> None:
        self.verbose, self.steps = verbose, steps
        self.began = self.last = time.perf_counter()
        self.bar = sys.stdout.isatty() or "ipykernel" in sys.modules
        self.longest = 0
        self.done = 0

    def update(self, done: int, values: Mapping[str, float]) -> None:
        """So many batches are done; on a terminal the line is written anew."""
        self.done = done
        now = time.perf_counter()
        if self.verbose != 1 or not self.bar or now - self.last < INTERVAL:
            return
        self.last = now
        self._write(self._line(values, now, last=False), "\r")

    def finish(self, values: Mapping[str, float]) -> None:
        """The epoch is done."""
        if self.verbose == 0:
            return
        now = time.perf_counter()
        if self.verbose == 1:
            self._write(self._line(values, now, last=True), "\n")
        else:
            each = self._each(now)
            told = "".join(f" - {name}: {number(value)}" for name, value in values.items())
            print(f"{self._count()} - {now - self.began:.0f}s - {each}{told}", flush=True)

    def _write(self, line: str, end: str) -> None:
        start = "\r" if self.bar else ""
        print(start + line.ljust(self.longest), end="" if end == "\r" else end, flush=True)
        self.longest = max(self.longest, len(line))

    def _count(self) -> str:
        whole = self.steps or self.done
        return f"{self.done:{len(str(whole))}d}/{whole}"

    def _each(self, now: float) -> str:
        each = (now - self.began) / max(1, self.done)
        if each >= 1:
            return f"{each:.0f}s/step"
        return f"{each * 1e3:.0f}ms/step" if each >= 1e-3 else f"{each * 1e6:.0f}us/step"

    def _line(self, values: Mapping[str, float], now: float, last: bool) -> str:
        whole = self.steps or (self.done if last else None)
        if whole:
            filled = int(WIDTH * min(1.0, self.done / whole))
            bar = "━" * filled + "─" * (WIDTH - filled)
            head = f"{self._count()} {bar}"
        else:
            head = f"{self.done:7d}/Unknown"
        passed = now - self.began
        left = passed / max(1, self.done) * ((whole or self.done) - self.done)
        spent = _clock(left) if whole and not last else f"{passed:.0f}s"
        told = "".join(f" - {name}: {number(value)}" for name, value in values.items())
        return f"{head} {spent} {self._each(now)}{told}"


def _clock(seconds: float) -> str:
    if seconds > 3600:
        return f"{seconds // 3600:.0f}:{seconds % 3600 // 60:02.0f}:{seconds % 60:02.0f}"
    if seconds > 60:
        return f"{seconds // 60:.0f}:{math.floor(seconds % 60):02d}"
    return f"{seconds:.0f}s"
