"""What a network for texts starts with: others' word vectors, and log-count ratios for its votes.

Everything here is made from the training part alone, again for each fold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from beak.data.dataset import Dataset, Part
from beak.data.text_spec import FIRST_WORD, UNKNOWN_WORD, TextSpec
from beak.data.vectors import Vectors, read_vectors
from beak.errors import UsageError
from beak.network.initial import initial_parameters
from beak.network.network import Network
from beak.train.begin import first_stage
from beak.train.recipe import Recipe

Array = np.ndarray[Any, Any]

SPREAD = 0.1
"""Vectors that nobody gave start uniform within +- this; Kim's 0.25 is 2 points worse on MR."""
RATIO_SCALE = 0.015
"""Votes start as log-count ratios times this, so that a step of Adam moves them as far as needed;
the last layer undoes it."""
TRUST = 0.05
"""How much of the ratios' sum an answer of two classes has at first: naive Bayes is far too sure
of itself. Of more classes, whose ratios lie nearer to each other, up to twice as much."""
PIECE = 8192


@dataclass(frozen=True)
class Start:
    """Parameters that a network starts with, and what is worth saying about them."""

    parameters: Mapping[str, Array] | None = None
    """None: the network's own."""
    notes: list[str] = field(default_factory=list)


def start_of(network: Network, dataset: Dataset, recipe: Recipe) -> Start:
    """How to start this network on this data."""
    spec = dataset.spec
    if recipe.start:
        return Start(*first_stage(network, dataset, recipe))
    if not isinstance(spec, TextSpec) or not _tables(network):
        return _refused(recipe)
    made, notes = initial_parameters(network, recipe.seed), []
    for name in ("words", "words_static", "bytes"):
        if f"{name}.weight" in made:
            made[f"{name}.weight"] = _spread(made[f"{name}.weight"])
    if recipe.data.vectors and "words.weight" in made:
        vectors = read_vectors(Path(recipe.data.vectors), _rows_of(spec))
        notes = _use_vectors(made, vectors, spec, dataset.parts["train"], recipe)
    elif any(name in network.parameters for name in ("words_static.weight",)) or (
        "words.weight" in made and not network.parameters["words.weight"].trainable
    ):
        notes.append("the static vectors are random: give trained ones with --vectors FILE")
    if "grams.weight" in made:
        _use_ratios(made, network, spec, dataset.parts["train"], len(dataset.labels))
    return Start(made, notes)


def _refused(recipe: Recipe) -> Start:
    if recipe.data.vectors:
        raise UsageError("--vectors is for the networks whose first table is called 'words'")
    return Start()


def _tables(network: Network) -> list[str]:
    names = ("words.weight", "bytes.weight", "grams.weight")
    return [name for name in names if name in network.parameters]


def _rows_of(spec: TextSpec) -> dict[str, int]:
    return {word: i for i, word in enumerate(spec.words)}


def _spread(weight: Array) -> Array:
    """Uniform numbers brought to +-SPREAD; padding and the unknown word say nothing."""
    most = np.abs(weight).max()
    made = np.asarray(weight * np.float32(SPREAD / most) if most else weight)
    made[: UNKNOWN_WORD + 1] = 0
    return made


def _use_vectors(
    made: dict[str, Array], vectors: Vectors, spec: TextSpec, train: Part, recipe: Recipe
) -> list[str]:
    """Put vectors in their rows; words without one keep random ones of the same spread."""
    weight = made["words.weight"]
    if vectors.dimensions != weight.shape[1]:
        raise UsageError(
            f"--vectors {recipe.data.vectors}: vectors of {vectors.dimensions} numbers, the "
            f"network's have {weight.shape[1]}; --set network.dimensions={vectors.dimensions}"
        )
    rows = weight[FIRST_WORD:]
    if vectors.found.any():
        alike = np.sqrt(3 * vectors.values[vectors.found].var())
        rows *= np.float32(alike / SPREAD)
        rows[vectors.found] = vectors.values[vectors.found]
    if "words_static.weight" in made:
        made["words_static.weight"] = weight.copy()
    heard = np.zeros(spec.numbers, np.int64)
    for first in range(0, len(train), PIECE):
        piece = np.asarray(train.inputs[first : first + PIECE])
        heard += np.bincount(piece.ravel(), minlength=len(heard))
    known = int(vectors.found.sum())
    share = heard[FIRST_WORD:][vectors.found].sum() / max(1, heard[UNKNOWN_WORD:].sum())
    notes = [
        f"vectors: {known:,} of {len(spec.words):,} words ({known / max(1, len(spec.words)):.1%}) "
        f"are in {Path(recipe.data.vectors).name}, {share:.1%} of the training text"
    ]
    if vectors.skipped:
        notes.append(f"vectors: {vectors.skipped:,} broken lines were skipped")
    return notes


def _use_ratios(
    made: dict[str, Array], network: Network, spec: TextSpec, train: Part, classes: int
) -> None:
    """Start the votes as log-count ratios, and the last layer so that it adds them up."""
    weight = made["grams.weight"]
    made["grams.weight"] = RATIO_SCALE * log_count_ratios(spec, train, len(weight), classes)
    last = network.nodes[-1]
    places = network.node("grams").output[1]
    trust = TRUST * 2 * (classes - 1) / classes
    votes = np.eye(classes, dtype=np.float32) * (places * trust / RATIO_SCALE)
    made[f"{last.name}.weight"][:] = 0  # at first the windows, which know nothing, say nothing
    made[f"{last.name}.weight"][:, -classes:] = votes


def log_count_ratios(spec: TextSpec, train: Part, table: int, classes: int) -> Array:
    """How much more often each word and pair stands in a class than in the others, float32.

    (table, classes): log of the smoothed share of a class's grams over that of all the others'
    (Wang and Manning 2012, with 1 added to each count); 0 for what the training part has not.
    """
    counts = np.zeros((classes, table), np.float64)
    for first in range(0, len(train), PIECE):
        rows = np.asarray(train.inputs[first : first + PIECE])
        labels = np.asarray(train.labels[first : first + PIECE])
        grams = spec.grams(rows)
        for c in np.unique(labels).tolist():
            counts[c] += np.bincount(grams[labels == c].ravel(), minlength=table)
    counts[:, 0] = 0
    whole = counts.sum(axis=0)
    there = whole > 0
    ratios = np.zeros((table, classes), np.float32)
    for c in range(classes):
        mine, others = 1 + counts[c][there], 1 + (whole - counts[c])[there]
        ratios[there, c] = np.log(mine / mine.sum()) - np.log(others / others.sum())
    return ratios
