"""Numbers that all workers keep in one shared piece of memory: sums are right whoever is asked.

Each worker writes its own row alone; a worker that takes a dead one's place goes on with its row.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

STATUSES = (200, 400, 401, 403, 404, 405, 408, 411, 413, 415, 421, 422, 500, 503)
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""The upper edges of the histogram of answers' times."""
INPUTS = (1, 2, 4, 8, 16, 32, 64, 128)
"""The upper edges of the histogram of batches."""
GAUGES = ("connections", "requests_in_progress", "resident_bytes")
RUN_GAUGES = ("queued_inputs", "broken_file")


class Counts:
    """Counters of ``workers`` processes about some runs; row 0 is the supervisor's."""

    def __init__(self, runs: Sequence[str], workers: int) -> None:
        """Made before the workers are: they inherit the memory."""
        self.runs = tuple(runs)
        per_run = [
            *(("requests", status) for status in STATUSES),
            *(("answer_seconds", edge) for edge in (*SECONDS, "+Inf", "sum")),
            *(("batch_inputs", edge) for edge in (*INPUTS, "+Inf", "sum")),
            *((name, "") for name in ("reloads", "failed_reloads", *RUN_GAUGES)),
        ]
        names = [(run, *what) for run in (*self.runs, "") for what in per_run]
        names += [("", name, "") for name in ("restarts", *GAUGES)]
        self.place = {name: i for i, name in enumerate(names)}
        self._memory = mmap.mmap(-1, 8 * len(names) * (workers + 1))
        self.table = np.frombuffer(self._memory, np.float64).reshape(workers + 1, len(names))
        self.row = self.table[0]

    def take_row(self, worker: int) -> None:
        """Count for that worker (1, 2, …) from here on; what it has now begins at none."""
        self.row = self.table[worker]
        self.clear_gauges(worker)

    def clear_gauges(self, worker: int) -> None:
        """A worker has ended: nothing is open or waiting there."""
        for (_, name, _), place in self.place.items():
            if name in (*GAUGES, *RUN_GAUGES):
                self.table[worker, place] = 0

    def add(self, run: str, name: str, label: Any = "", amount: float = 1) -> None:
        """Count something."""
        self.row[self.place[run, name, label]] += amount

    def put(self, run: str, name: str, value: float) -> None:
        """Set a gauge."""
        self.row[self.place[run, name, ""]] = value

    def answered(self, run: str, status: int, seconds: float) -> None:
        """A request has its answer; ``run``: "" for one that reached none."""
        place, row = self.place, self.row
        row[place[run, "requests", status if status in STATUSES else 500]] += 1
        edge = next((edge for edge in SECONDS if seconds <= edge), "+Inf")
        row[place[run, "answer_seconds", edge]] += 1
        row[place[run, "answer_seconds", "sum"]] += seconds

    def batch(self, run: str, inputs: int) -> None:
        """The network answered so many inputs at once."""
        edge = next((edge for edge in INPUTS if inputs <= edge), "+Inf")
        self.row[self.place[run, "batch_inputs", edge]] += 1
        self.row[self.place[run, "batch_inputs", "sum"]] += inputs

    def text(self) -> str:
        """All of it, as Prometheus reads it."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        sums = self.table.sum(axis=0)

        def value(run: str, name: str, label: Any = "") -> float:
            return float(sums[self.place[run, name, label]])

        runs = (*self.runs, "")
        yield from _head("requests_total", "counter", "Requests that were answered, by status.")
        for run in runs:
            for status in STATUSES:
                if number := value(run, "requests", status):
                    yield f'beak_requests_total{{{_run(run)},status="{status}"}} {number:.0f}'
        yield from _head("answer_seconds", "histogram", "From a request's headers to its answer.")
        for run in runs:
            yield from _histogram(run, "answer_seconds", SECONDS, value)
        yield from _head("batch_inputs", "histogram", "Inputs that the network took at once.")
        for run in self.runs:
            yield from _histogram(run, "batch_inputs", INPUTS, value)
        for name, kind, what in (
            ("reloads", "counter", "Changed runs that were taken."),
            ("failed_reloads", "counter", "Changed runs that could not be read."),
            ("queued_inputs", "gauge", "Inputs that wait for the network."),
            ("broken_file", "gauge", "Workers that answer from memory: the file cannot be read."),
        ):
            shown = f"{name}_total" if kind == "counter" else name
            yield from _head(shown, kind, what)
            for run in self.runs:
                yield f"beak_{shown}{{{_run(run)}}} {value(run, name):.0f}"
        yield from _head("worker_restarts_total", "counter", "Workers that died.")
        yield f"beak_worker_restarts_total {value('', 'restarts'):.0f}"
        for name in GAUGES:
            yield from _head(name, "gauge", f"{name.replace('_', ' ').capitalize()}, by worker.")
            for worker in range(1, len(self.table)):
                number = self.table[worker, self.place["", name, ""]]
                yield f'beak_{name}{{worker="{worker}"}} {number:.0f}'


def _run(name: str) -> str:
    safe = name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'run="{safe}"'


def _head(name: str, kind: str, what: str) -> Iterator[str]:
    yield f"# HELP beak_{name} {what}"
    yield f"# TYPE beak_{name} {kind}"


def _histogram(run: str, name: str, edges: Sequence[Any], value: Any) -> Iterator[str]:
    count = 0.0
    for edge in (*edges, "+Inf"):
        count += value(run, name, edge)
        yield f'beak_{name}_bucket{{{_run(run)},le="{edge}"}} {count:.0f}'
    yield f"beak_{name}_sum{{{_run(run)}}} {value(run, name, 'sum'):.9g}"
    yield f"beak_{name}_count{{{_run(run)}}} {count:.0f}"
