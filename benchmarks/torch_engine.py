"""The torch engine's training step beside a PyTorch loop written by hand, on a CPU.

    python benchmarks/torch_engine.py [--batch 128] [--threads 1] [--compiled] [NETWORK …]

The loop is that of `beak bench` (engine/torch_bench.py): the same modules, fused Adam, gradients
let go, channels first or last, with `--compiled` through torch.compile too; its best setting is
taken, found by trying each. Its batches lie ready as tensors in that layout, the engine gets the
arrays that training gives it, and also counts what was right. Steps of both are timed in turns, so
that what else the machine does meets both alike; counted is the processor's time of the whole
process: with one thread, how long it takes where nothing else runs. Printed are the medians, and
the median and the quartiles of the ratios loop / engine (over 1: the engine is faster).
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from beak.engine.interface import Loss, Optimiser, Randomness
from beak.engine.measure import example_batch
from beak.engine.torch import TorchEngine
from beak.engine.torch_bench import torch_steps
from beak.network.catalogue import make_network

SHAPES = {"lecture": (1, 28, 28), "resnet20": (3, 32, 32)}
BATCHES = 4


def timed(step) -> float:
    began = time.process_time()
    step()
    return time.process_time() - began


def engine_step(network, batches, threads):
    engine = TorchEngine(network, threads=threads)
    engine.start_training(Optimiser("adam"), Loss())
    count = 0

    def step() -> None:
        nonlocal count
        inputs, labels = batches[count % BATCHES]
        engine.train_step(inputs, labels, 1e-4, Randomness(0, count, np.arange(len(labels))))
        count += 1

    return step


def best_of(settings) -> tuple[str, object]:
    """The setting whose fastest of five steps is the fastest."""
    found = []
    for name, step in settings:
        step()
        step()
        found.append((min(timed(step) for _ in range(5)), name, step))
    _, name, step = min(found, key=lambda each: each[0])
    return name, step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", default=list(SHAPES))
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=20.0, help="for each network")
    parser.add_argument("--compiled", action="store_true")
    given = parser.parse_args()
    for name in given.networks:
        network = make_network(name, SHAPES.get(name, (3, 32, 32)), 10)
        batches = [example_batch(network, given.batch, seed) for seed in range(BATCHES)]
        setting, loop = best_of(
            torch_steps(network, batches, "train", threads=given.threads, compiled=given.compiled)
        )
        ours = engine_step(network, batches, given.threads)
        ours()
        pairs = []
        end = time.perf_counter() + given.seconds
        while len(pairs) < 9 or time.perf_counter() < end:
            if len(pairs) % 2:
                engine, hand = timed(ours), timed(loop)
            else:
                hand, engine = timed(loop), timed(ours)
            pairs.append((hand, engine))
        hand, engine = np.median(pairs, axis=0)
        low, middle, high = np.quantile([a / b for a, b in pairs], [0.25, 0.5, 0.75])
        print(
            f"{name}, batch {given.batch}, {given.threads} thread(s): by hand ({setting}) "
            f"{1000 * hand:.1f} ms a step, engine {1000 * engine:.1f} ms: {middle:.2f} times "
            f"({low:.2f} to {high:.2f}, {len(pairs)} pairs)",
            flush=True,
        )


if __name__ == "__main__":
    main()
