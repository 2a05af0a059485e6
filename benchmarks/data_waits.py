"""What reading, augmentation and preparing the next batch add to a step of training.

    python benchmarks/data_waits.py FOLDER [--network lecture] [--batch 32] [--steps 100] [--json]

A training as `beak train FOLDER` makes it (network, recipe, augmentation, two steps warm), and the
same steps on batches that lie ready, in turns; the median over pairs of the time that the first
takes over that of the second. 1.00: nothing waits for the data.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterable
from contextlib import closing
from itertools import islice
from pathlib import Path

from beak.data.batches import Batch, batches
from beak.data.load import load_dataset
from beak.engine.interface import Randomness
from beak.engine.native import NativeEngine
from beak.network.auto import choose_network
from beak.network.catalogue import make_network
from beak.train.defaults import recipe_for


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", metavar="FOLDER")
    parser.add_argument("--network")
    parser.add_argument("--batch", type=int)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    told = parser.parse_args()
    dataset = load_dataset(told.source)
    part = dataset.parts["train"]
    shape, classes = dataset.spec.shape, len(dataset.labels)
    if told.network:
        network = make_network(told.network, shape, classes)
    else:
        network = choose_network(shape, classes, len(part.labels), dataset.spec.kind).network
    recipe = recipe_for(dataset, network, {"batch": told.batch} if told.batch else None)
    engine = NativeEngine(network, threads=told.threads)
    engine.start_training(recipe.engine_optimiser(), recipe.engine_loss(None))

    def coming(epoch: int) -> Iterable[Batch]:
        return batches(
            part, dataset.spec, recipe.augmentation, seed=0, epoch=epoch,
            batch_size=recipe.batch, threads=told.threads,
        )  # fmt: skip

    def seconds(source: Iterable[Batch]) -> float:
        begun = time.perf_counter()
        for batch in source:
            random = Randomness(0, 1, batch.examples)
            engine.train_step(batch.inputs, batch.labels, 1e-6, random)
        return time.perf_counter() - begun

    def read(epoch: int, steps: int) -> float:
        """Steps in the middle of an epoch; the batches that wait at its start are not counted."""
        with closing(coming(epoch)) as prepared:
            seconds(islice(prepared, 10))
            return seconds(islice(prepared, steps))

    with closing(coming(0)) as prepared:
        ready = list(islice(prepared, told.steps))
    seconds(ready[:10])
    pairs = [(read(number + 1, len(ready)), seconds(ready)) for number in range(told.pairs)]
    result = {
        "source": Path(told.source).name,
        "parameters": network.parameter_count,
        "batch": recipe.batch,
        "step_ms": round(1e3 * statistics.median(b for _, b in pairs) / len(ready), 3),
        "ratio": round(statistics.median(a / b for a, b in pairs), 3),
    }
    if told.json:
        print(json.dumps(result))
    else:
        print(*(f"{key} {value}" for key, value in result.items()), sep="   ")


if __name__ == "__main__":
    main()
