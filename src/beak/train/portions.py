"""What the numbers of examples ask of a training: weights for classes, batches that work."""

from __future__ import annotations

import numpy as np

from beak.data.dataset import Dataset
from beak.errors import RecipeError
from beak.network.layers import BatchNorm
from beak.network.network import Network
from beak.train.recipe import Recipe


def leftover(examples: int, batch: int, network: Network) -> int:
    """How many examples each epoch leaves out: 1 where a batch of one would meet a BatchNorm.

    The statistics of a batch of one are no statistics. Which example it is changes every epoch.
    """
    alone = examples % batch == 1 and examples > 1 and batch > 1
    return int(alone and any(isinstance(node.layer, BatchNorm) for node in network.nodes))


def class_weights(dataset: Dataset, recipe: Recipe) -> tuple[float, ...] | None:
    """A weight for each class by ``loss.class_weights`` or ``loss.balance``; None: all the same.

    Balanced is examples / (classes x the class's own), so that each class counts the same.
    Raises RecipeError where there are not as many weights as classes.
    """
    given = recipe.loss.class_weights
    classes = len(dataset.labels)
    if given and len(given) != classes:
        raise RecipeError(f"loss.class_weights has {len(given)} weights for {classes} classes")
    if not recipe.loss.balance:
        return given or None
    labels = np.asarray(dataset.parts["train"].labels)
    counts = np.maximum(np.bincount(labels, minlength=classes), 1)
    return tuple(float(weight) for weight in len(labels) / (classes * counts))
