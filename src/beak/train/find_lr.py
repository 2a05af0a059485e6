"""Which learning rate? One short training in which it grows from tiny to far too high."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from beak.data.batches import Batch, batches
from beak.data.dataset import Dataset
from beak.engine.interface import Engine, Randomness
from beak.engine.make import make_engine
from beak.errors import DataError
from beak.network.network import Network
from beak.train.portions import class_weights
from beak.train.prepare import gather, prepare
from beak.train.recipe import Recipe
from beak.train.words import start_of

Array = np.ndarray[Any, Any]

STEPS = 120
LOWEST, HIGHEST = 1e-6, 10.0
SMOOTHING = 0.9
TOO_HIGH = 4.0
"""The test ends when the smoothed loss is this many times its least."""


@dataclass(frozen=True)
class LearningRates:
    """The rates that were tried, the loss at each, and which one to take."""

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    """Each batch's loss before its step."""
    smoothed: tuple[float, ...]
    """Their exponential average, corrected for its start."""
    suggestion: float
    """An order of magnitude below the rate of the least loss; see `suggest`."""
    diverged_at: float | None
    """The rate at which the loss had grown too high; None: it never did."""

    def to_json(self) -> dict[str, Any]:
        """The event of ``beak train SOURCE --find-lr --json``."""
        return {
            "event": "learning_rates",
            "rates": list(self.rates),
            "losses": list(self.losses),
            "smoothed": list(self.smoothed),
            "suggestion": self.suggestion,
            "diverged_at": self.diverged_at,
        }


def range_test(
    engine: Engine,
    dataset: Dataset,
    recipe: Recipe,
    *,
    steps: int = STEPS,
    lowest: float = LOWEST,
    highest: float = HIGHEST,
    stopping: Callable[[], bool] = lambda: False,
) -> LearningRates:
    """Train ``steps`` batches with the rate growing by the same factor each step.

    L. N. Smith, "Cyclical learning rates", WACV 2017, section 3.3. Ends early where the loss is
    no number or ``TOO_HIGH`` times its least. The engine's weights are changed: give one of its
    own. Raises DataError where even the first losses are not finite.
    """
    loss = recipe.engine_loss(class_weights(dataset, recipe))
    engine.start_training(recipe.engine_optimiser(), loss)
    rates: list[float] = []
    losses: list[float] = []
    smoothed: list[float] = []
    average, diverged = 0.0, None
    growth = (highest / lowest) ** (1 / max(steps - 1, 1))
    for (epoch, batch), step in zip(_endless(dataset, recipe), range(steps), strict=False):
        rate = lowest * growth**step
        random = Randomness(recipe.seed, epoch, batch.examples)
        seen = engine.train_step(batch.inputs, batch.labels, rate, random).loss
        average = SMOOTHING * average + (1 - SMOOTHING) * seen
        smooth = average / (1 - SMOOTHING ** (step + 1))
        if not math.isfinite(smooth) or (smoothed and smooth > TOO_HIGH * min(smoothed)):
            diverged = rate
            break
        rates.append(rate)
        losses.append(seen)
        smoothed.append(smooth)
        if stopping():
            break
    if len(rates) < 2:
        raise DataError(
            f"the loss is no number at a learning rate of {lowest:g} already; look at the examples"
        )
    return LearningRates(
        tuple(rates), tuple(losses), tuple(smoothed), suggest(rates, losses), diverged
    )


def _endless(dataset: Dataset, recipe: Recipe) -> Iterator[tuple[int, Batch]]:
    """Batches of one epoch after the other; short ones are passed over where full ones exist."""
    epoch = 0
    full = min(recipe.batch, len(dataset.parts["train"]))
    while True:
        epoch += 1
        for batch in batches(
            dataset.parts["train"], dataset.spec, recipe.augmentation, seed=recipe.seed,
            epoch=epoch, batch_size=recipe.batch,
        ):  # fmt: skip
            if len(batch.labels) == full:
                yield epoch, batch


def suggest(rates: Sequence[float], losses: Sequence[float]) -> float:
    """A tenth of the rate at which the loss is least, rounded to two digits.

    Beyond the least the steps are too long already; an order of magnitude before it is the
    highest rate that a one-cycle or cosine schedule bears well. Single losses jump from batch to
    batch, so the least is that of a Gaussian average over both sides. Where the loss never falls
    clearly below its median in the first quarter, a tenth of the last rate.

    >>> rates = [10.0 ** (k / 10 - 5) for k in range(40)]
    >>> suggest(rates, [2.3] * 15 + [2.3 - 0.1 * k for k in range(20)] + [k for k in range(5)])
    0.0025
    """
    smooth = gaussian_average(np.asarray(losses, np.float64), max(len(losses) / 40, 0.5))
    level, least = float(np.median(losses[: max(len(losses) // 4, 1)])), int(np.argmin(smooth))
    if least < len(losses) // 4 or smooth[least] >= level:
        return float(f"{rates[-1] / 10:.2g}")
    return float(f"{rates[least] / 10:.2g}")


def gaussian_average(values: Array, width: float) -> Array:
    """Each value's average with those around it, weighted by exp(-(distance / width)^2 / 2)."""
    apart = np.arange(len(values))[:, None] - np.arange(len(values))
    weights = np.exp(-((apart / width) ** 2) / 2)
    found: Array = weights @ values / weights.sum(axis=1)
    return found


def find_lr(
    source: Any,
    *,
    network: Network | str | Path | None = None,
    recipe: Recipe | str | Path | None = None,
    set: Iterable[str] | Mapping[str, Any] = (),
    kind: str | None = None,
    seed: int | None = None,
    data_dir: str | Path | None = None,
    threads: int | None = None,
    engine: str = "auto",
    device: str = "auto",
) -> LearningRates:
    """The LR range test for what ``train`` would train; nothing is written."""
    directory = None if data_dir is None else str(data_dir)
    values = gather(recipe, set, {"data.kind": kind, "seed": seed, "data.directory": directory})
    ready = prepare(source, values, network, threads=threads)
    runner = make_engine(
        ready.network,
        start_of(ready.network, ready.dataset, ready.recipe).parameters,
        seed=ready.recipe.seed,
        threads=threads,
        kind=engine,
        device=device,
        exact=ready.recipe.exact,
    )
    return range_test(runner, ready.dataset, ready.recipe)
