from __future__ import annotations

import doctest
import importlib
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beak.data.memory import load_arrays
from beak.network.layers import BatchNorm, Dense, Flatten
from beak.network.named import make_network
from beak.network.network import Network
from beak.train.baseline import Baseline, baseline_epochs, train_baseline
from beak.train.defaults import average_for, batch_for, epochs_for, recipe_for
from beak.train.prepare import Prepared
from beak.train.recipe import Recipe, with_values
from beak.train.single import Session

ROOM = Path(__file__).parents[2] / "src" / "beak" / "train"
NORMALISED = Network((1, 8, 8), [Flatten(), BatchNorm(), Dense(2, activation="softmax")])


@pytest.mark.parametrize("name", sorted(p.stem for p in ROOM.glob("*.py") if p.stem != "__init__"))
def test_examples_in_docstrings_hold(name):
    module = importlib.import_module(f"beak.train.{name}")
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    ("examples", "photographs", "small", "low", "high"),
    [
        (54_000, False, True, 15, 20),
        (1_400, False, True, 40, 60),
        (1_100, True, True, 60, 100),
        (45_000, True, False, 25, 30),
        (45_000, True, True, 50, 60),
        (600_000, True, True, 4, 13),
    ],
)
def test_epochs_follow_from_the_number_of_examples(examples, photographs, small, low, high):
    assert low <= epochs_for(examples, photographs, small) <= high


@given(st.integers(1, 10**7), st.integers(1, 10**7), st.booleans(), st.booleans())
def test_more_examples_mean_fewer_epochs_but_more_work(one, other, photographs, small):
    few, many = sorted((one, other))
    fewer, more = (epochs_for(n, photographs, small) for n in (many, few))
    assert more >= fewer
    assert batch_for(few) <= batch_for(many)
    assert (fewer + 1) * many >= (more - 1) * few  # whole epochs


@given(st.integers(2, 10**7), st.integers(1, 10**6))
def test_the_average_forgets_its_start_and_a_batch_fits_the_data(examples, steps):
    assert batch_for(examples) in (4, 8, 16, 32, 64, 128)
    assert 0.9 <= average_for(steps) <= 0.999
    if steps >= 1000:  # the trace of the first weights after a fifth of the training
        assert average_for(steps) ** (steps / 5) < 2e-3


def test_what_depends_on_another_key_follows_it(dataset):
    network = make_network("dense", (1, 8, 8), 2)
    plain = recipe_for(dataset, network)
    assert plain.optimiser.kind == "adamw"
    assert plain.schedule.kind == "one-cycle"
    assert plain.augmentation == dataset.augmentation
    long = recipe_for(dataset, network, {"epochs": 4000})
    assert long.average > plain.average
    sgd = recipe_for(dataset, network, {"optimiser.kind": "sgd"})
    assert sgd.optimiser.learning_rate > plain.optimiser.learning_rate
    assert sgd.optimiser.weight_decay < plain.optimiser.weight_decay
    own = recipe_for(dataset, network, {"optimiser.learning_rate": 0.5, "average": 0.0})
    assert (own.optimiser.learning_rate, own.average) == (0.5, 0.0)
    wide = recipe_for(dataset, network, {"batch": 32}), recipe_for(dataset, network, {"batch": 8})
    ratio = wide[0].optimiser.learning_rate / wide[1].optimiser.learning_rate
    assert ratio == pytest.approx(2, rel=0.1)
    normalised = recipe_for(dataset, NORMALISED)
    assert normalised.optimiser.learning_rate > plain.optimiser.learning_rate


class Counted:
    def __init__(self, labels):
        self.labels = labels

    def __len__(self):
        return len(self.labels)


def usual(kind, examples, network, shape=(1, 8, 8), classes=3, **given):
    """The recipe of so many examples of a kind, of which only the numbers are there."""
    data = SimpleNamespace(
        spec=SimpleNamespace(kind=kind, shape=shape),
        parts={"train": Counted(range(examples))},
        labels=range(classes),
        augmentation=Recipe().augmentation,
    )
    return recipe_for(data, network, given)


VOTES = SimpleNamespace(parameters={"grams.weight": 0})
LINEAR = SimpleNamespace(parameters={})


@pytest.mark.parametrize(
    ("recipe", "epochs", "batch", "sample", "smoothing", "rate"),
    [
        (usual("pictures", 1400, LINEAR), 50, 32, 0, 0.05, 0.0014),
        (usual("pictures", 1400, NORMALISED), 50, 32, 0, 0.05, 0.0028),
        (usual("pictures", 1100, LINEAR, (3, 32, 32)), 86, 32, 0, 0.1, 0.0014),
        (usual("numbers", 54_000, LINEAR), 16, 128, 0, 0.05, 0.0028),
        (usual("sounds", 205, LINEAR), 150, 16, 0, 0.1, 0.002),  # as for a batch of 64
        (usual("sounds", 63, LINEAR), 200, 4, 0, 0.1, 0.002),
        (usual("sounds", 2417, LINEAR, batch=256), 21, 256, 0, 0.1, 0.004),
        (usual("go", 100_000, LINEAR), 12, 128, 0, 0.0, 0.0028),
        (usual("go", 100_001, LINEAR), 12, 128, 100_000, 0.0, 0.0028),
        (usual("go", 10_000_000, LINEAR), 12, 128, 100_000, 0.0, 0.0028),
        (usual("texts", 9000, LINEAR), 10, 50, 0, 0.0, 0.001),
        (usual("texts", 9000, VOTES), 10, 50, 0, 0.0, 0.001),
        (usual("texts", 9000, VOTES, classes=2), 5, 50, 0, 0.0, 0.001),
        (usual("texts", 9000, LINEAR, **{"optimiser.kind": "sgd"}), 10, 50, 0, 0.0, 0.01),
    ],
)
def test_each_kind_of_input_has_its_usual_recipe(recipe, epochs, batch, sample, smoothing, rate):
    assert (recipe.epochs, recipe.batch, recipe.sample) == (epochs, batch, sample)
    assert recipe.loss.label_smoothing == smoothing
    assert recipe.optimiser.learning_rate == rate


def test_the_average_follows_the_steps_that_are_taken():
    few, many = (usual("go", n, LINEAR, epochs=40) for n in (1000, 10_000_000))
    assert few.average == average_for(40 * 32)  # batches of 32
    assert many.average == average_for(40 * 782)  # 100,000 positions, 128 at a time


def test_the_baselines_epochs_fit_in_a_tenth_of_the_time(make_strokes):
    data = load_arrays(*make_strokes(60), kind="pictures")
    many = data.parts["train"].take(np.zeros(2_000_000, int))
    data.parts["train"] = many
    linear = make_network("linear", (1, 8, 8), 2)
    big = make_network("resnet20", (1, 8, 8), 2)
    small = Network((1, 8, 8), [Flatten(), Dense(2), Dense(2, activation="softmax")])
    recipe = with_values(Recipe(), {"epochs": 20})
    assert baseline_epochs(data, small, linear, recipe) == 2
    assert baseline_epochs(data, big, linear, recipe) == 30
    assert baseline_epochs(data, small, linear, with_values(recipe, {"epochs": 5})) == 0
    said = train_baseline(
        Prepared(data, small, "own", "", with_values(recipe, {"epochs": 5})), Session()
    )
    assert isinstance(said, str)
    assert "more than a tenth" in said


def test_the_baseline_is_a_linear_classifier_on_plain_pictures(make_strokes, kind):
    parts = np.repeat([0, 1, 2], [200, 20, 80])
    data = load_arrays(*make_strokes(300, classes=3), kind="pictures", given=parts)
    network = make_network("dense", (1, 8, 8), 3)
    ready = Prepared(data, network, "dense", "", Recipe(epochs=20))
    found = train_baseline(ready, Session(threads=1, engine=kind))
    assert isinstance(found, Baseline)
    assert found.examples == 80
    assert found == train_baseline(ready, Session(threads=2, engine=kind))
    # upright, lying and slanted strokes anywhere: a line can separate only the slanted ones
    assert 0.34 < found.accuracy < 1.0
    assert math.isclose(found.accuracy * 80, round(found.accuracy * 80))
