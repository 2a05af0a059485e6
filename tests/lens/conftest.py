"""Networks that together hold every kind of layer, and inputs for them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import settings

from beak.lens.subject import Look, Subject
from beak.network.layers import (
    Activation,
    Add,
    AvgPool1D,
    AvgPool2D,
    BatchNorm,
    Concat,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    LayerNorm,
    LogMel,
    MaxPool1D,
    MaxPool2D,
    Multiply,
    Pad,
    PositionBias,
    Reshape,
    Upsample,
)
from beak.network.network import Network
from beak.network.writers import Parallel, Residual
from tests.networks import drawn, squeeze, trained_like

# The machines that run the tests are shared: how long one example takes says nothing.
settings.register_profile("lens", deadline=None)
settings.load_profile("lens")

END = Dense(4, activation="softmax")
NETWORKS = {
    "moves": Network(
        (3, 6, 5),
        [
            Pad((1, -1), (0, 2)),
            Conv2D(4, 2, activation="tanh"),
            Upsample((2, 3), "bilinear"),
            Pad(-1, 1),
            Upsample(2),
            Reshape((10, 16, 18), last=True),
            MaxPool2D(2),
            Reshape((48, 15)),
            Conv1D(2, 3),
            Upsample(2, "bilinear"),
            Flatten(),
            END,
        ],
    ),
    "picture": Network(
        (3, 11, 9),
        [
            Conv2D(6, 3, padding="same", stride=2, activation="relu"),
            MaxPool2D(2, stride=1),
            Conv2D(8, (3, 2), dilation=(1, 2), groups=2, padding=1, activation="gelu"),
            AvgPool2D(3, stride=2, padding=1),
            Flatten(),
            Dropout(0.4),
            Dense(7, activation="tanh"),
            END,
        ],
    ),
    "norms": Network(
        (2, 8, 8),
        [
            Conv2D(6, 3, bias=False),
            BatchNorm(),
            Activation("relu"),
            Residual([Conv2D(6, 3, padding=1), BatchNorm()], activation="leaky_relu"),
            Conv2D(5, 1),
            LayerNorm(),
            Activation("hard_swish"),
            GlobalAvgPool(),
            END,
        ],
    ),
    "joins": Network(
        (3, 7, 7),
        [
            *squeeze(6),
            Parallel([Conv2D(3, 3, padding=1)], [Conv2D(2, 1), Activation("silu")]),
            Activation("softmax"),
            GlobalMaxPool(),
            Dense(4),
            Activation("softmax"),
        ],
    ),
    "go": Network(
        (4, 9, 9),
        [
            Conv2D(8, 5, padding=2, activation="relu"),
            Conv2D(1, 1, bias=False),
            PositionBias(),
            Flatten(),
            Activation("softmax"),
        ],
    ),
    "sequence": Network(
        (1, 31),
        [
            Conv1D(4, 5, stride=2, padding="same", activation="relu"),
            MaxPool1D(3, stride=2),
            Conv1D(4, 3, dilation=2, groups=2, padding=2),
            AvgPool1D(2),
            PositionBias(),
            GlobalMaxPool(),
            END,
        ],
    ),
    "sentence": Network(
        (9,),
        [
            Embedding(20, 6, 0),
            Parallel(
                *[[Conv1D(5, k, padding=k, activation="relu"), GlobalMaxPool()] for k in (2, 3)]
            ),
            END,
        ],
    ),
    "samples": Network(
        (600,),
        [
            LogMel(rate=2000, window=120, hop=60, bands=8, fft=128),
            Conv2D(4, 3, activation="relu"),
            MaxPool2D(2),
            Flatten(),
            END,
        ],
    ),
    "sums": Network(
        (5,),
        [
            Dense(6, name="a"),
            Dense(6, inputs=("input",), name="b"),
            Dense(6, inputs=("input",), name="c"),
            Add(inputs=("a", "b", "c"), name="sum"),
            Multiply(inputs=("a", "sum"), name="product"),
            Concat(inputs=("product", "b"), name="both"),
            LayerNorm(),
            PositionBias(),
            END,
        ],
    ),
}


parameters_of = trained_like


def input_of(network: Network, seed: int = 0) -> np.ndarray:
    """One input; a sentence ends in padding."""
    row = drawn(network, np.random.default_rng([seed, 1]), least=1)
    if row.dtype.kind == "i":
        row[-3:] = 0
    return row


def look_at(network: Network, seed: int = 0) -> Look:
    return Look.at(Subject(network, parameters_of(network, seed)), input_of(network, seed))


@pytest.fixture(params=NETWORKS)
def look(request: pytest.FixtureRequest) -> Look:
    """An input's way through each of the networks."""
    return look_at(NETWORKS[request.param])


@pytest.fixture
def make_look():
    return look_at


@pytest.fixture
def networks():
    return NETWORKS
