"""Processes of a training played by threads: the same sums, without starting a process."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np


class Meeting:
    """What the threads of a group share."""

    def __init__(self, size: int) -> None:
        self.barrier = threading.Barrier(size, timeout=60)
        self.given: list[Any] = [None] * size

    def exchange(self, rank: int, what: Any) -> list[Any]:
        """What everybody gives, once all have come."""
        self.given[rank] = what
        self.barrier.wait()
        found = list(self.given)
        self.barrier.wait()
        return found


class ThreadGroup:
    """See ``engine/group.py``."""

    def __init__(self, rank: int, size: int, meeting: Meeting) -> None:
        self.rank, self.size, self._meeting = rank, size, meeting
        self.asked: Callable[[], bool] = lambda: False
        self.stopped = False

    def add_up(self, values: np.ndarray) -> None:
        parts = self._meeting.exchange(self.rank, values.copy())
        values[...] = np.sum(parts, axis=0, dtype=values.dtype)

    def finish(self) -> None:
        self._meeting.exchange(self.rank, None)

    def told(self, what: Any) -> Any:
        return pickle.loads(pickle.dumps(self._meeting.exchange(self.rank, what)[0]))


def in_a_group(size: int, work: Callable[[ThreadGroup], Any]) -> list[Any]:
    """What each of so many threads gives; an error of one is raised, and ends the others."""
    meeting = Meeting(size)

    def one(rank: int) -> Any:
        try:
            return work(ThreadGroup(rank, size, meeting))
        except BaseException:
            meeting.barrier.abort()
            raise

    with ThreadPoolExecutor(size) as threads:
        waiting = [threads.submit(one, rank) for rank in range(size)]
        errors = [w.exception() for w in waiting]
    for error in sorted((e for e in errors if e), key=lambda e: "Broken" in type(e).__name__):
        raise error
    return [w.result() for w in waiting]
