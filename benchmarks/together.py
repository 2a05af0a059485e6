"""How much faster several processes of one thread train than one: steps on random examples.

    python benchmarks/together.py [--processes 2] [--engine native] [--batch 128] [NETWORK …]

The batch is shared by all, as in training; printed are examples a second of one process, of all
together, and the median ratio of pairs that ran in turns. Without networks: lecture and resnet20.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import socket
import time

import numpy as np

from beak.engine.group import own_share
from beak.engine.interface import Loss, Optimiser, Randomness
from beak.engine.make import make_engine
from beak.engine.measure import example_batch
from beak.network.catalogue import make_network

SHAPES = {"lecture": (1, 28, 28), "resnet20": (3, 32, 32)}
ROUNDS, SECONDS = 5, 1.5


def steps_of(name: str, batch: int, kind: str, group):
    """A function that does a training step on this process's share of a batch."""
    network = make_network(name, SHAPES.get(name, (3, 32, 32)), 10)
    engine = make_engine(network, seed=1, threads=1, kind=kind, group=group)
    engine.start_training(Optimiser("adam"), Loss())
    x, y = example_batch(network, batch)
    own = own_share(np.arange(batch), group)
    x, y, random = x[own], y[own], Randomness(0, 0, own)
    return lambda: engine.train_step(x, y, 1e-4, random)


def seconds_a_step(step, times: int) -> float:
    began = time.perf_counter()
    for _ in range(times):
        step()
    return (time.perf_counter() - began) / times


def process(rank: int, given: argparse.Namespace, port: int, told) -> None:
    os.environ.update(RANK=str(rank), WORLD_SIZE=str(given.processes), MASTER_ADDR="127.0.0.1",
                      MASTER_PORT=str(port))  # fmt: skip
    from beak.engine.torch_group import TorchGroup

    group = TorchGroup()
    for name in given.networks:
        together = steps_of(name, given.batch, given.engine, group)
        alone = steps_of(name, given.batch, given.engine, None) if rank == 0 else None
        for _ in range(3):
            together()
            if alone:
                alone()
        once = group.told(seconds_a_step(alone, 2) if alone else 0.0)
        times = max(3, round(SECONDS / once / 2))
        pairs = []
        for _ in range(ROUNDS):
            single = seconds_a_step(alone, times) if alone else 0.0
            group.told(None)
            pairs.append((single, seconds_a_step(together, times)))
        if rank == 0:
            told.put((name, pairs))
    group.leave()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="*", default=["lecture", "resnet20"])
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--engine", default="native")
    parser.add_argument("--batch", type=int, default=128)
    given = parser.parse_args()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    spawn = multiprocessing.get_context("spawn")
    told = spawn.Queue()
    workers = [
        spawn.Process(target=process, args=(rank, given, port, told))
        for rank in range(given.processes)
    ]
    for worker in workers:
        worker.start()
    for _ in given.networks:
        name, pairs = told.get(timeout=600)
        one, all_of = (given.batch / np.median(side) for side in zip(*pairs, strict=True))
        ratio = np.median([single / shared for single, shared in pairs])
        print(
            f"{name} {given.engine}, batch {given.batch}: one process {one:,.0f} examples a "
            f"second, {given.processes} together {all_of:,.0f}: {ratio:.2f} times",
            flush=True,
        )
    for worker in workers:
        worker.join()


if __name__ == "__main__":
    main()
