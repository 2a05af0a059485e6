"""Whether time grows with the work: an epoch with the data, a step with batch, channels, side.

    python benchmarks/growth.py [--svg FILE] [--json]

Each row is measured at growing sizes; `of linear` is the time for each unit of work over that of
the smallest size (1.00 is linear). Units are examples, and for channels and sides multiply-adds.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from beak.engine.interface import Loss, Optimiser, Randomness
from beak.engine.measure import example_batch, seconds_a_step, training_step
from beak.engine.native import NativeEngine
from beak.network.catalogue import make_network
from beak.network.layers import Conv2D, Dense, GlobalAvgPool
from beak.network.network import Network


@dataclass(frozen=True)
class Point:
    row: str
    size: int
    work: float
    """In units of the row."""
    seconds: float


def epochs(seconds: float) -> Iterator[Point]:
    """An epoch of the lecture's network at batch 128, over 1,280 to 12,800 examples."""
    network = make_network("lecture", (1, 28, 28), 10)
    engine = NativeEngine(network)
    engine.start_training(Optimiser(), Loss())
    for examples in (1280, 2560, 6400, 12800):
        inputs, labels = example_batch(network, examples)

        def epoch(inputs=inputs, labels=labels, examples=examples):
            order = np.random.default_rng(0).permutation(examples)
            for begin in range(0, examples, 128):
                chosen = order[begin : begin + 128]
                engine.train_step(inputs[chosen], labels[chosen], 1e-4, Randomness(0, 0, chosen))

        yield Point("epoch by data", examples, examples, seconds_a_step(epoch, seconds, 5))


def steps(row: str, network: Network, batch: int, size: int, seconds: float) -> Point:
    engine = NativeEngine(network)
    step = training_step(engine, [example_batch(network, batch, seed) for seed in range(2)])
    work = batch if row == "step by batch" else batch * network.multiply_adds
    return Point(row, size, work, seconds_a_step(step, seconds, 9))


def plain(channels: int, side: int) -> Network:
    body = [Conv2D(channels, 3, padding=1, activation="relu") for _ in range(3)]
    return Network(
        (channels, side, side), [*body, GlobalAvgPool(), Dense(10, activation="softmax")]
    )


def points(seconds: float) -> Iterator[Point]:
    yield from epochs(seconds)
    lecture = make_network("lecture", (1, 28, 28), 10)
    for batch in (32, 64, 128, 256, 512):
        yield steps("step by batch", lecture, batch, batch, seconds)
    for channels in (32, 64, 128, 256):
        yield steps("step by channels", plain(channels, 16), 16, channels, seconds)
    for side in (16, 32, 64, 128):
        yield steps("step by side", plain(32, side), 8, side, seconds)


def grid(found: list[Point]) -> str:
    """A small plot for each row, both axes logarithmic, the line of linear growth dashed."""
    rows = list(dict.fromkeys(point.row for point in found))
    size, lines = 190, []
    for number, row in enumerate(rows):
        own = [p for p in found if p.row == row]
        xs = np.log([p.work / own[0].work for p in own])
        ys = np.log([p.seconds / own[0].seconds for p in own])
        most = max(xs.max(), ys.max())
        left = 20 + number * (size + 20)

        def place(x, y, left=left, most=most):
            return f"{left + size * x / most:.1f},{30 + size * (1 - y / most):.1f}"

        lines.append(f'<text x="{left}" y="18">{row}, {own[0].size:,} to {own[-1].size:,}</text>')
        lines.append(
            f'<polyline points="{place(0, 0)} {place(xs[-1], xs[-1])}" stroke="#999" '
            f'stroke-dasharray="4" fill="none"/>'
        )
        line = " ".join(place(x, y) for x, y in zip(xs, ys, strict=True))
        lines.append(f'<polyline points="{line}" stroke="#3b6ea8" stroke-width="2" fill="none"/>')
    width = 20 + len(rows) * (size + 20)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {size + 50}" '
        f'font-family="sans-serif" font-size="12">\n<rect width="{width}" height="{size + 50}" '
        f'fill="#fff"/>\n' + "\n".join(lines) + "\n</svg>\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--svg", type=Path, help="also draw it here")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seconds", type=float, default=2.0, help="for each point")
    given = parser.parse_args()
    began, found = time.perf_counter(), []
    first: dict[str, float] = {}
    for point in points(given.seconds):
        found.append(point)
        each = point.seconds / point.work
        linear = each / first.setdefault(point.row, each)
        if given.json:
            print(json.dumps({**vars(point), "of_linear": linear}), flush=True)
        else:
            print(
                f"{point.row:18} {point.size:7,} {1e3 * point.seconds:10.2f} ms {linear:6.2f}",
                flush=True,
            )
    if given.svg:
        given.svg.write_text(grid(found))
    if not given.json:
        print(f"{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
