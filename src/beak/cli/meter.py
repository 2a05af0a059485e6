"""The moving line of a training: where it is, how fast, how long still."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from beak.cli.console import count, duration, percent

if TYPE_CHECKING:
    from rich.text import Text

SETTLING = 2.0
"""Seconds after which a new rate has pushed out the old one."""


class Meter:
    """Takes step events, gives the line; ``clock`` is seconds, for tests."""

    def __init__(
        self,
        epochs: int,
        examples: int,
        clock: Callable[[], float] = time.monotonic,
        things: str = "pictures",
    ) -> None:
        self.epochs = epochs
        self.examples = examples
        self.clock = clock
        self.things = things
        self.rate = 0.0
        """Pictures in a second, of late."""
        self.share = 0.0
        """How much of all epochs is done, 0 to 1."""
        self.now: dict[str, Any] = {}
        self._last: tuple[float, float] | None = None
        self._first: tuple[float, float] | None = None

    def step(self, event: dict[str, Any]) -> None:
        """Take one step event: epoch, step, steps, loss and accuracy so far in the epoch."""
        self.now, clock = event, self.clock()
        epochs_done = event["epoch"] - 1 + event["step"] / event["steps"]
        self.share = min(1.0, epochs_done / self.epochs) if self.epochs else 0.0
        pictures = epochs_done * self.examples
        if self._last is None or self._first is None:
            self._first = (clock, self.share)
        elif clock > self._last[0]:
            passed = clock - self._last[0]
            rate = max(0.0, pictures - self._last[1]) / passed
            self.rate += min(1.0, passed / SETTLING) * (rate - self.rate) if self.rate else rate
        self._last = (clock, pictures)

    def seconds_left(self) -> float | None:
        """From the mean speed since the first step (validation counts); None before it is known."""
        if self._first is None or self._last is None or self.share <= self._first[1]:
            return None
        passed = self._last[0] - self._first[0]
        return (1.0 - self.share) * passed / (self.share - self._first[1])

    def line(self, width: int) -> Text:
        """'epoch 3/20 ━━━━╸─── loss 0.051  98.4 %  12,345 pictures/s  0:12 left'."""
        from rich.text import Text

        start = Text(f" epoch {self.now['epoch']}/{self.epochs} ")
        said = [f"loss {self.now['loss']:.3f}"]
        if self.now.get("accuracy") is not None:
            said.append(percent(self.now["accuracy"]))
        if self.rate:
            said.append(f"{count(self.rate)} {self.things}/s")
        left = self.seconds_left()
        if left is not None:
            said.append(f"{duration(left)} left")
        end = Text("  " + "  ".join(said))
        room = max(6, min(40, width - start.cell_len - end.cell_len - 1))
        return Text.assemble(start, bar(self.share, room), end, no_wrap=True)


def bar(share: float, width: int) -> Text:
    """A bar of ``width`` columns, filled to the half column."""
    from rich.text import Text

    halves = round(2 * width * share)
    full = "━" * (halves // 2) + ("╸" if halves % 2 else "")
    return Text.assemble((full, "label"), ("─" * (width - len(full)), "dim"))


def waiting(what: str, share: float) -> Text:
    """'getting the data ready ━━━━╸─── 43 %'."""
    from rich.text import Text

    share = min(1.0, share)
    return Text.assemble(f" {what} ", bar(share, 30), f" {100 * share:.0f} %", no_wrap=True)
