"""`exact`: every number of an answer and of a gradient is the plain sum of its terms."""

from __future__ import annotations

import numpy as np
import pytest

from beak.engine.interface import Loss, Randomness
from beak.engine.make import make_engine
from beak.engine.rows import plan_rows
from beak.network.catalogue import make_network
from beak.network.layers import (
    Activation,
    BatchNorm,
    Conv1D,
    Conv2D,
    Dense,
    Embedding,
    Flatten,
    GlobalMaxPool,
    MaxPool2D,
)
from beak.network.network import Network

SAVING = ("winograd", "fold")


def end(classes=3):
    return Dense(classes, activation="softmax")


NETWORKS = {
    "pictures": Network(
        (16, 12, 12),
        [
            *(Conv2D(16, 3, padding=1, bias=False), BatchNorm(), Activation("relu")),
            *(Conv2D(32, 3, activation="relu"), MaxPool2D(2)),
            *(Conv2D(32, 3, padding=1, activation="relu"), Flatten(), end()),
        ],
    ),
    "words": Network((40,), [Embedding(30, 32), Conv1D(32, 3), GlobalMaxPool(), end()]),
    "sounds": Network((1, 32, 40), [Conv2D(32, (20, 8), activation="relu"), Flatten(), end()]),
}


def saves(network, purpose, exact):
    rows = plan_rows(network, 4, purpose, exact=exact)
    return {word for word in SAVING for row in rows if word in row.kernel}


def inputs_of(network, batch=6):
    rng = np.random.default_rng(2)
    if len(network.input) == 1:
        return rng.integers(0, 30, (batch, *network.input)).astype(np.int32)
    return rng.standard_normal((batch, *network.input), np.float32)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_exact_plan_calls_no_kernel_that_saves_terms(name):
    network = NETWORKS[name]
    assert saves(network, "train", exact=False) == {"winograd"}
    assert "winograd" in saves(network, "forward", exact=False)
    for purpose in ("train", "forward"):
        assert saves(network, purpose, exact=True) == set()
    lecture = make_network("lecture", (1, 28, 28), 10)
    assert not saves(lecture, "forward", exact=True)


def test_the_exact_answer_is_the_last_of_the_values_that_can_be_opened():
    network = NETWORKS["pictures"]
    engine = make_engine(network, seed=1, threads=1, kind="native", exact=True)
    rng = np.random.default_rng(0)
    parameters = engine.parameters()
    parameters["norm1.running_mean"] = rng.standard_normal(16, np.float32)
    parameters["norm1.running_var"] = rng.random(16, np.float32) + 0.5
    engine.set_parameters(parameters)
    x = inputs_of(network)
    opened = engine.activations(x)[network.nodes[-1].name]
    np.testing.assert_allclose(engine.forward(x), opened, rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize("name", NETWORKS)
def test_exact_gradients_are_the_reference(name):
    network = NETWORKS[name]
    engine = make_engine(network, seed=1, threads=2, kind="native", exact=True)
    truth = make_engine(network, engine.parameters(), kind="reference")
    labels = np.arange(6, dtype=np.int32) % 3
    given = inputs_of(network), labels, Loss(), Randomness(0, 0, np.arange(6))
    result, found = engine.loss_gradients(*given)
    expected, gradients = truth.loss_gradients(*given)
    assert result.loss == pytest.approx(expected.loss, rel=1e-5)
    for key, value in gradients.parameters.items():
        size = np.abs(value).max()
        np.testing.assert_allclose(found.parameters[key], value, rtol=1e-4, atol=2e-5 * size)
