"""How fast a network runs here, whole and layer by layer: what `beak bench` shows."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from beak.engine.checks import reads_words
from beak.engine.interface import Loss, Optimiser, Randomness
from beak.engine.native import NativeEngine
from beak.engine.plan import Purpose
from beak.engine.rows import operations, rows_of
from beak.network.layers import Embedding
from beak.network.network import Network

Array = np.ndarray[Any, Any]
Step = Callable[[], object]


@dataclass(frozen=True)
class LayerTime:
    """What one layer takes of a pass over a batch."""

    layer: str
    forward: float
    """Seconds."""
    backward: float
    """Seconds; of "update" its own."""
    operations: int
    """As ``PlanRow.operations``, both ways together."""

    @property
    def seconds(self) -> float:
        """Both ways together."""
        return self.forward + self.backward

    def share(self, peak: float) -> float | None:
        """Of a machine's peak in operations a second; None where nothing is multiplied."""
        return self.operations / self.seconds / peak if self.operations and self.seconds else None


@dataclass(frozen=True)
class Speed:
    """How fast a network runs, for training or for answers."""

    rate: float
    """Examples a second, the median of the tries."""
    operations: int
    """For one example, counted as dense work."""
    layers: tuple[LayerTime, ...]


def example_batch(network: Network, images: int, seed: int = 0) -> tuple[Array, Array]:
    """Inputs and labels drawn at random: (B, *input) normal, or words; int32 (B,)."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, network.output[0], images).astype(np.int32)
    if reads_words(network):
        words = np.zeros((images, *network.input), np.int32)
        for node in network.nodes:
            if isinstance(node.layer, Embedding):
                own = slice(node.layer.begin, node.layer.begin + node.output[1])
                words[:, own] = rng.integers(0, node.layer.words, words[:, own].shape)
        return words, labels
    return rng.standard_normal((images, *network.input), np.float32), labels


def training_step(engine: NativeEngine, batches: list[tuple[Array, Array]]) -> Step:
    """A function that does one training step with Adam, each time on the next batch."""
    engine.start_training(Optimiser("adam"), Loss())
    count = 0

    def step() -> None:
        nonlocal count
        inputs, labels = batches[count % len(batches)]
        engine.train_step(inputs, labels, 1e-4, Randomness(0, count, np.arange(len(labels))))
        count += 1

    return step


def answering(engine: NativeEngine, batches: list[tuple[Array, Array]]) -> Step:
    """A function that computes the answers for the next batch."""
    count = 0

    def step() -> None:
        nonlocal count
        engine.forward(batches[count % len(batches)][0])
        count += 1

    return step


def measure(
    network: Network,
    images: int,
    purpose: Purpose,
    *,
    threads: int | None = None,
    seconds: float = 2.0,
    exact: bool = False,
) -> Speed:
    """Run a network on random examples for about so many seconds.

    ``purpose``: "train" or "forward". Large batches are answered in pieces, and the layers' times
    are those of one piece. ``exact``: as for ``make_engine``.
    """
    engine = NativeEngine(network, threads=threads, exact=exact)
    batches = [example_batch(network, images, seed) for seed in range(4)]
    step = (training_step if purpose == "train" else answering)(engine, batches)
    took = seconds_a_step(step, seconds / 2)
    piece = images if purpose == "train" else min(images, engine.at_once)
    layers = layer_times(engine, piece, purpose, seconds / 2)
    return Speed(images / took, operations(network, purpose), tuple(layers))


def seconds_a_step(step: Step, seconds: float, tries: int = 9) -> float:
    """The median over tries that together take about so many seconds, after two to warm up."""
    step()
    began = time.perf_counter()
    step()
    once = max(time.perf_counter() - began, 1e-7)
    times = max(1, round(seconds / tries / once))
    taken = []
    for _ in range(tries):
        began = time.perf_counter()
        for _ in range(times):
            step()
        taken.append((time.perf_counter() - began) / times)
        if sum(taken) * times > 3 * seconds and len(taken) > 2:
            break  # far slower than the first step promised
    return float(np.median(taken))


def layer_times(
    engine: NativeEngine, images: int, purpose: Purpose, seconds: float = 1.0
) -> list[LayerTime]:
    """How long each layer takes in a pass over a batch, in the table's order: medians.

    For "train", after ``engine.start_training``.
    """
    plan = engine.plan(purpose, images)
    inputs, labels = example_batch(engine.network, images)
    if purpose == "train":
        engine.train_step(inputs, labels, 1e-4, Randomness(0, 0, np.arange(images)))
    else:
        engine.forward(inputs)
    passes: list[Array] = []
    end = time.perf_counter() + seconds
    while len(passes) < 3 or time.perf_counter() < end:
        passes.append(engine.timed(plan, inputs))
    taken = np.median(passes, axis=0)
    rows = [row for row in rows_of(plan) if row.way != "prepare"]
    layers: dict[str, LayerTime] = {}
    for row, spent in zip(rows, taken, strict=True):
        before = layers.get(row.layer, LayerTime(row.layer, 0.0, 0.0, 0))
        forward = row.way == "forward"
        layers[row.layer] = LayerTime(
            row.layer,
            before.forward + float(spent) * forward,
            before.backward + float(spent) * (not forward),
            before.operations + row.operations,
        )
    return list(layers.values())
