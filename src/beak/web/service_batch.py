"""Inputs of many requests, answered together by one network.

What arrives while the network computes waits and is answered at once when it is free. What arrives
while it is idle waits for as long as more keeps coming in, a few milliseconds at most: alone, an
input is answered without waiting.
"""

from __future__ import annotations

import asyncio
import math
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from beak.errors import BeakError
from beak.runs.answers import Opened, Told
from beak.runs.files import Array
from beak.runs.predictor import Prediction, Predictor
from beak.web.guard import RefusedError

SIZES = (1, 2, 4, 8, 16, 24, 32, 48, 64)
"""Batches are filled up to one of these, so that the engine keeps a plan for each."""
GATHER = 0.003
"""Seconds that an input waits at most for others while the network is idle."""
FADING = 0.2
MOST_RETRY = 30


class BusyError(RefusedError):
    """The queue is full; ``after``: seconds until it is likely not to be."""

    def __init__(self, after: int) -> None:
        super().__init__(503, f"too much waits here; try again in {after} s")
        self.after = after


@dataclass(eq=False)
class Job:
    """One input on its way."""

    name: str
    opened: Opened
    answer: asyncio.Future[Told]
    shares: list[Array] = field(default_factory=list)


class Batcher:
    """The queue before one network, and the thread that runs it."""

    def __init__(
        self,
        predictor: Predictor,
        most: int,
        counted: Callable[[int, int], None] = lambda inputs, waiting: None,
    ) -> None:
        """``most``: rows that wait; ``counted``: told of a batch's rows and of those waiting."""
        self.predictor, self.most, self.counted = predictor, most, counted
        self.largest = max(size for size in SIZES if size <= max(1, predictor.at_once))
        self.seconds_a_row = 0.0
        self._waiting: deque[Job] = deque()
        self._rows = 0
        self._running = False
        self._gathering = False
        self._loop = asyncio.get_running_loop()
        self._work: queue.SimpleQueue[list[Job] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="beak-network", daemon=True)
        self._thread.start()

    @property
    def idle(self) -> bool:
        """Nothing waits and nothing runs."""
        return not self._running and not self._waiting

    def put(self, name: str, opened: Opened) -> asyncio.Future[Told]:
        """The answer to come. Raises BusyError where too much waits already."""
        rows = len(opened.rows)
        if self._rows and self._rows + rows > self.most:
            seconds = self.seconds_a_row * self._rows
            raise BusyError(min(MOST_RETRY, max(1, math.ceil(seconds))))
        job = Job(name, opened, self._loop.create_future())
        self._waiting.append(job)
        self._rows += rows
        if not self._running and not self._gathering:
            self._gathering = True
            self._loop.call_soon(self._gather, self._rows, 0, self._loop.time() + GATHER)
        return job.answer

    def _gather(self, rows: int, still: int, until: float) -> None:
        """Begin once nothing more came for two turns of the loop, enough is there or it is late."""
        still = still + 1 if self._rows == rows else 0
        if still < 2 and self._rows < self.largest and self._loop.time() < until:
            self._loop.call_soon(self._gather, self._rows, still, until)
            return
        self._gathering = False
        self._begin()

    def _begin(self) -> None:
        """Hand the next batch to the thread; requests whose client or time is gone are left out."""
        batch: list[Job] = []
        rows = 0
        while self._waiting and (not batch or rows < self.largest):
            job = self._waiting.popleft()
            self._rows -= len(job.opened.rows)
            if not job.answer.done():
                batch.append(job)
                rows += len(job.opened.rows)
        self._running = bool(batch)
        self.counted(rows, self._rows)
        if batch:
            self._work.put(batch)

    def close(self) -> None:
        """End the thread after what it does now."""
        self._work.put(None)

    # In the thread.

    def _run(self) -> None:
        while (batch := self._work.get()) is not None:
            failure: Exception | None = None
            begun = time.perf_counter()
            try:
                self._compute(batch)
            except Exception as error:  # whatever it is, those who wait are told
                failure = error
            taken = time.perf_counter() - begun
            try:
                self._loop.call_soon_threadsafe(self._finish, batch, failure, taken)
            except RuntimeError:  # the loop is closed: nobody waits any more
                return

    def _compute(self, batch: Sequence[Job]) -> None:
        rows = [row for job in batch for row in job.opened.rows]
        shares: list[Array] = []
        for begin in range(0, len(rows), self.largest):
            part = rows[begin : begin + self.largest]
            size = next(size for size in SIZES if size >= len(part))
            stored = np.stack(part + part[-1:] * (size - len(part)))
            shares += list(self.predictor.shares(stored)[: len(part)])
        for job in batch:
            job.shares, shares = shares[: len(job.opened.rows)], shares[len(job.opened.rows) :]

    # In the loop.

    def _finish(self, batch: list[Job], failure: Exception | None, taken: float) -> None:
        rows = sum(len(job.opened.rows) for job in batch)
        self.seconds_a_row += FADING * (taken / rows - self.seconds_a_row)
        self._running = False
        if self._waiting:
            self._begin()  # first: the network goes on while the answers are told
        for job in batch:
            if job.answer.done():
                continue
            if failure is not None:
                job.answer.set_exception(failure)
                continue
            try:
                job.answer.set_result(job.opened.tell(self._answers(job)))
            except BeakError as error:
                job.answer.set_exception(error)

    def _answers(self, job: Job) -> list[Prediction]:
        found = []
        for shares in job.shares:
            answer = self.predictor.named(job.name, shares, job.opened.notes)
            if isinstance(answer, BeakError):
                raise answer
            found.append(answer)
        return found
