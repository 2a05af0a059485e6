"""Two sides measured in turns: a process for each, told what to do through pipes."""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from works import Work

HERE = Path(__file__).parent
PIECE = 0.25
"""Seconds that one side works before the other has its turn (at least one step)."""
TRY = 0.3
"""Seconds for which each setting of a peer is tried."""
MALLOC = {
    "MALLOC_MMAP_THRESHOLD_": "4000000000",
    "MALLOC_TRIM_THRESHOLD_": "8000000000",
    "MALLOC_TOP_PAD_": "268435456",
}
"""glibc keeps its memory: with the defaults PyTorch spends half its time in page faults."""


@dataclass(frozen=True)
class Peer:
    name: str
    sides: tuple[tuple[str, str], ...]
    """(file in sides/, KERAS_BACKEND or ""): the fastest of them stands for the peer."""
    needs: tuple[str, ...]
    trains: bool = True


PEERS = (
    Peer("PyTorch", (("torch", ""),), ("torch",)),
    Peer("Keras", tuple(("keras", b) for b in ("tensorflow", "jax", "torch")), ("keras",)),
    Peer("JAX", (("jax", ""),), ("jax",)),
    Peer("ONNX Runtime", (("onnxruntime", ""),), ("onnxruntime", "onnx"), trains=False),
    Peer("OpenVINO", (("openvino", ""),), ("openvino", "onnx"), trains=False),
)


def missing(peer: Peer) -> list[str]:
    """What of it is not installed."""
    return [name for name in peer.needs if importlib.util.find_spec(name) is None]


class Side:
    """A worker process; started when first asked, ended with ``close``."""

    def __init__(
        self, name: str, threads: int, backend: str = "", more: dict[str, str] | None = None
    ):
        env = {**os.environ, **(more or {})}
        if backend:
            env["KERAS_BACKEND"] = backend
        command = [sys.executable, str(HERE / "worker.py"), name, str(threads)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env,
            stderr=None if os.environ.get("BEAK_BENCH_LOUD") else subprocess.DEVNULL,
        )  # fmt: skip
        self.hello = self._read()
        self.version = self.hello.get("version", name)

    def ask(self, **told: Any) -> dict[str, Any]:
        """The answer to a command; {"left_out": why} where the process has ended."""
        try:
            assert self.process.stdin is not None
            print(json.dumps(told), file=self.process.stdin, flush=True)
        except (BrokenPipeError, ValueError):
            return {"left_out": "its process has ended"}
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        return json.loads(line) if line else {"left_out": "its process has ended"}

    def rate(self, work: Work, seconds_a_step: float) -> float:
        """Examples a second over a piece of time."""
        times = max(1, round(PIECE / seconds_a_step))
        return work.batch * times / self.ask(run=times)["seconds"]

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


@dataclass(frozen=True)
class Paired:
    """What came of a work's pairs: medians."""

    beak: float
    peer: float
    ratio: float


def run_pairs(work: Work, own: tuple[Side, float], other: tuple[Side, float], pairs: int) -> Paired:
    """Both sides in turns, now one first, now the other."""
    rates: list[tuple[float, float]] = []
    for number in range(pairs):
        found = {}
        for which in (0, 1) if number % 2 else (1, 0):
            side, seconds = (own, other)[which]
            found[which] = side.rate(work, seconds)
        rates.append((found[0], found[1]))
    return median_of(rates)


def median_of(rates: list[tuple[float, float]]) -> Paired:
    """The median of each side, and of the pairs' ratios."""
    return Paired(
        statistics.median(own for own, _ in rates),
        statistics.median(other for _, other in rates),
        statistics.median(own / other for own, other in rates),
    )
