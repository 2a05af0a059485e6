"""The recipe that follows from the data: what is used where the user says nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from beak.data.dataset import Dataset
from beak.network.network import Network
from beak.train.recipe import Recipe, with_values

EPOCHS_FOR_1400 = 50
"""Epochs of 1,400 small grey pictures; see `epochs_for`."""
SMALL_SEEN = 2_500_000
"""Small photographs that a training sees, repeated ones counted: under an hour of two cores."""
SMALL_SIDE = 32

GO_SAMPLE = 100_000
"""Positions of Go in an epoch, where there are more."""
GO_EPOCHS = 12
EPOCHS_FOR_2400 = 21
"""Epochs of 2,400 recordings of words; see `sound_epochs`."""
FEWEST_OF_SOUNDS = 16
"""Recordings in a step at least, where there are 64: batches of 8 leave the norms too little."""


def epochs_for(examples: int, photographs: bool, small: bool = False) -> int:
    """Fewer epochs for more examples, so that a laptop's work grows slower than the data.

    50 x (1400 / examples)^0.31 between 4 and 100: about 50 for the 1,400 digits, 16 for the
    54,000 of MNIST. Colour pictures, which vary more, get 1.6 times as many, and ``small`` ones,
    whose epochs are short, up to `SMALL_SEEN` examples in all: 54 for the 45,000 of CIFAR-10.

    >>> epochs_for(1400, False), epochs_for(54_000, False), epochs_for(1100, True)
    (50, 16, 86)
    >>> epochs_for(45_000, True), epochs_for(45_000, True, small=True)
    (27, 54)
    """
    share = 1400 / max(examples, 1)
    epochs = EPOCHS_FOR_1400 * math.pow(share, 0.31) * (1.6 if photographs else 1)
    if photographs and small and share < 1:
        longer = 1.6 * EPOCHS_FOR_1400 * math.pow(share, 0.115)
        epochs = max(epochs, min(longer, SMALL_SEEN / examples))
    return min(max(round(epochs), 4), 100)


def sound_epochs(examples: int) -> int:
    """Half as many as for drawings, but for few recordings nearly as many steps as for many.

    21 x (2400 / examples)^0.8, at most 200: words that were recorded eight times each are learnt
    in 150 epochs, and not in 50.

    >>> sound_epochs(205), sound_epochs(2_417), sound_epochs(85_000)
    (150, 21, 7)
    """
    few = EPOCHS_FOR_2400 * math.pow(2400 / max(examples, 1), 0.8)
    return min(max(round(few), round(epochs_for(examples, False) / 2), 4), 200)


def batch_for(examples: int) -> int:
    """A power of two from 4 to 128 that leaves some 40 steps an epoch where it can.

    >>> batch_for(1400), batch_for(5000), batch_for(54_000), batch_for(20)
    (32, 128, 128, 4)
    """
    power = round(math.log2(max(examples, 1) / 40)) if examples >= 320 else 2
    small: int = 1 << min(max(power, 2), 7)
    return max(small, 8) if examples >= 64 else small


def average_for(steps: int) -> float:
    """Decay of the weight average: a memory of 2 % of all steps, at least 10, at most 1,000.

    Short, because the schedule ends near zero anyway, and because the average starts from the
    first weights, whose trace has to be gone before the first validation says much.

    >>> average_for(6750), average_for(200)
    (0.993, 0.9)
    """
    return round(1 - 1 / min(max(0.02 * steps, 10), 1000), 3)


@dataclass(frozen=True)
class Usual:
    """What is usual for one kind of input; the rest of its recipe follows from it."""

    epochs: int
    sample: int = 0
    """How many examples an epoch draws; 0: all."""
    least_batch: int = 1
    rate_batch: int = 1
    """The rate is at least that of such a batch."""
    smoothing: float = 0.1


def recipe_for(
    dataset: Dataset, network: Network, overrides: Mapping[str, Any] | None = None
) -> Recipe:
    """The recipe for this data and network, then the user's dotted keys.

    What depends on another key follows it: with ``epochs`` given, the average's decay follows
    the number of steps; with ``optimiser.kind`` given, rate and decay fit that rule.
    """
    given = dict(overrides or {})
    values = RECIPES.get(dataset.spec.kind, _pictures)(dataset, network, given)
    return with_values(Recipe(augmentation=dataset.augmentation), {**values, **given})


def _pictures(dataset: Dataset, network: Network, given: Mapping[str, Any]) -> dict[str, Any]:
    """Pictures and plain numbers."""
    examples = len(dataset.parts["train"].labels)
    photographs = dataset.spec.shape[0] >= 3
    small = max(dataset.spec.shape[1:]) <= SMALL_SIDE
    usual = Usual(epochs_for(examples, photographs, small), smoothing=0.1 if photographs else 0.05)
    return _values(usual, examples, network, given)


def _sounds(dataset: Dataset, network: Network, given: Mapping[str, Any]) -> dict[str, Any]:
    examples = len(dataset.parts["train"].labels)
    least = FEWEST_OF_SOUNDS if examples >= 64 else 1
    usual = Usual(sound_epochs(examples), least_batch=least, rate_batch=64)
    return _values(usual, examples, network, given)


def _go(dataset: Dataset, network: Network, given: Mapping[str, Any]) -> dict[str, Any]:
    """Positions of Go come by the million, and neighbours hardly differ: an epoch draws some."""
    examples = len(dataset.parts["train"].labels)
    few = max(2, min(epochs_for(examples, photographs=True), GO_EPOCHS))
    many = examples > GO_SAMPLE
    usual = Usual(GO_EPOCHS if many else few, GO_SAMPLE if many else 0, smoothing=0.0)
    return _values(usual, examples, network, given)


def _values(
    usual: Usual, examples: int, network: Network, given: Mapping[str, Any]
) -> dict[str, Any]:
    batch = int(given.get("batch", max(batch_for(examples), usual.least_batch)))
    epochs = int(given.get("epochs", usual.epochs))
    sample = int(given.get("sample", usual.sample))
    steps = epochs * max(1, math.ceil(min(sample or examples, examples) / batch))
    kind = str(given.get("optimiser.kind", "adamw"))
    return {
        "epochs": epochs,
        "batch": batch,
        "sample": sample,
        "average": average_for(steps),
        "loss.label_smoothing": usual.smoothing,
        **_optimiser_for(kind, max(batch, usual.rate_batch), network),
    }


def _optimiser_for(kind: str, batch: int, network: Network) -> dict[str, Any]:
    """Rates scale with the batch's root for Adam, with the batch for SGD, from 64 examples."""
    normalised = any("running_mean" in name for name in network.parameters)
    if kind == "sgd":
        rate, decay = (0.1 if normalised else 0.02) * batch / 64, 5e-4
    else:
        rate, decay = (0.004 if normalised else 0.002) * math.sqrt(batch / 64), 0.02
        decay = decay if kind == "adamw" else 1e-4
    return {
        "optimiser.kind": kind,
        "optimiser.learning_rate": float(f"{rate:.2g}"),
        "optimiser.weight_decay": decay,
        "optimiser.clip_norm": 0.0 if normalised else 5.0,
    }


def text_epochs(examples: int) -> int:
    """Few, as word vectors soon know their training texts by heart: 10 for 9,000 texts.

    >>> text_epochs(500), text_epochs(9_000), text_epochs(1_000_000)
    (20, 10, 2)
    """
    return min(max(round(10 * math.pow(9000 / max(examples, 1), 0.3)), 2), 20)


def _texts(dataset: Dataset, network: Network, given: Mapping[str, Any]) -> dict[str, Any]:
    """Kim 2014's batch; Adam, whose rate only falls.

    Of two classes, votes that start as log-count ratios are good at once and soon know their texts
    by heart: half the epochs (MR, three folds: 79.8 % of the validation texts right, 78.8 % with
    all of them; of TREC's six classes 87.6 % with all, 86.6 % with half).
    """
    epochs = text_epochs(len(dataset.parts["train"]))
    if len(dataset.labels) == 2 and "grams.weight" in network.parameters:
        epochs = max(2, epochs // 2)
    sgd = given.get("optimiser.kind") == "sgd"
    return {
        "epochs": epochs,
        "batch": 50,
        "optimiser.kind": "adamw",
        "optimiser.learning_rate": 0.01 if sgd else 0.001,
        "optimiser.weight_decay": 0.0,
        "schedule.kind": "cosine",
        "schedule.warmup": 0.0,
    }


RECIPES: Mapping[str, Callable[[Dataset, Network, Mapping[str, Any]], dict[str, Any]]] = {
    "sounds": _sounds,
    "texts": _texts,
    "go": _go,
}
"""Kind of input -> the values of its recipe; other kinds are trained as pictures are."""
