"""A linear classifier beside the network, so that one sees what the network is worth."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from beak.data.augment import Augmentation
from beak.data.dataset import Dataset
from beak.engine.make import make_engine
from beak.network.named import make_network
from beak.network.network import Network
from beak.runs.evaluate import evaluate
from beak.train.defaults import batch_for
from beak.train.fit import Fit
from beak.train.prepare import Prepared
from beak.train.recipe import EarlyStopping, OptimiserRecipe, Recipe, ScheduleRecipe
from beak.train.single import Session

MOST_EPOCHS = 30
MOST_SAMPLED_EPOCHS = 3
"""Where an epoch draws some of many examples: a linear classifier of a board's 48 planes has six
million weights, and a step of it takes a quarter of the time of a step of go-small."""
FREE_SECONDS = 0.5
"""A baseline that takes no longer is always trained."""
SECONDS_PER_MULTIPLY_ADD = 3e-10
"""A training step's cost for each multiply-add of an example, measured within a factor of two."""
SECONDS_PER_VALUE = 4e-9
"""The same for each value of the input that is prepared and read."""


@dataclass(frozen=True)
class Baseline:
    """How well the simple classifier did."""

    name: str
    accuracy: float
    examples: int


def baseline_epochs(dataset: Dataset, network: Network, linear: Network, recipe: Recipe) -> int:
    """How many epochs fit in a tenth of the network's time; 0: none.

    From counts, not from a clock, so that two runs with one seed have the same baseline.
    """
    values = math.prod(dataset.spec.shape)
    epoch, linear_epoch = (
        recipe.drawn(len(dataset.parts["train"]))
        * (values * SECONDS_PER_VALUE + made.multiply_adds * SECONDS_PER_MULTIPLY_ADD)
        for made in (network, linear)
    )
    seconds = max(0.1 * recipe.epochs * epoch, FREE_SECONDS)
    most = MOST_SAMPLED_EPOCHS if recipe.sample else MOST_EPOCHS
    return min(int(seconds / linear_epoch), most)


def train_baseline(ready: Prepared, session: Session) -> Baseline | str:
    """Train [Flatten, Dense] on the plain inputs and test it; a text says why it was left out.

    For texts: NBSVM.
    """
    dataset, recipe = ready.dataset, ready.recipe
    if dataset.spec.kind == "texts":
        return _of_texts(dataset, recipe)
    linear = make_network("linear", dataset.spec.shape, len(dataset.labels))
    if linear == ready.network:
        return "no baseline: the network is the linear one itself"
    epochs = baseline_epochs(dataset, ready.network, linear, recipe)
    if epochs < 1:
        return "no baseline: one epoch of it would take more than a tenth of the network's time"
    test = dataset.parts.get("test")
    if test is None or len(test) == 0:
        return "no baseline: there is no test part to compare on"
    simple = replace(
        recipe, epochs=epochs, batch=batch_for(len(dataset.parts["train"])), average=0.0,
        optimiser=OptimiserRecipe(learning_rate=0.002, weight_decay=0.05),
        schedule=ScheduleRecipe("one-cycle"), augmentation=Augmentation(),
        early_stopping=EarlyStopping(),
    )  # fmt: skip
    runner = make_engine(
        linear,
        seed=recipe.seed,
        threads=session.threads,
        kind=session.engine,
        device=session.device,
    )
    for _ in Fit(runner, dataset, simple, stopping=session.stopping, run=session.run):
        pass
    found = evaluate(runner, test, dataset.spec, dataset.labels, worst=0)
    return Baseline("linear", found.accuracy, found.examples)


def _of_texts(dataset: Dataset, recipe: Recipe) -> Baseline | str:
    from beak.train.text_baseline import nbsvm

    test = dataset.parts.get("test")
    if test is None or len(test) == 0:
        return "no baseline: there is no test part to compare on"
    found = nbsvm(dataset, recipe.seed)
    return found if isinstance(found, str) else Baseline("NBSVM", found.accuracy, found.examples)


def baseline_name(ready: Prepared) -> str:
    """What the simple classifier of this kind of input is called."""
    return "NBSVM" if ready.dataset.spec.kind == "texts" else "linear"


def better_baseline(ready: Prepared, name: str, accuracy: float, baseline: float) -> str:
    """What to say where the simple classifier is better; "" where it is not."""
    if baseline <= accuracy:
        return ""
    points = 100 * (baseline - accuracy)
    return f"{name} is better than the network by {points:.1f} points: {_help(ready)}"


def _help(ready: Prepared) -> str:
    if ready.dataset.spec.kind != "texts":
        return "a longer training (--epochs) or more examples would help"
    ways = []
    if "grams.weight" not in ready.network.parameters:
        ways.append("--network sentence-pairs, which starts from the same pairs of words,")
    if not ready.recipe.data.vectors and "words.weight" in ready.network.parameters:
        ways.append("word vectors trained on more text (--vectors FILE)")
    return f"{' or '.join([*ways, 'more examples'])} would help"
