"""The works that beak and its peers are measured at: a network, a batch, training or answering."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from beak.network.catalogue import make_network
from beak.network.layers import (
    Activation,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GlobalMaxPool,
    MaxPool2D,
    PositionBias,
)
from beak.network.network import Network
from beak.network.writers import Parallel

Batch = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]
BATCHES = 4
"""So many different batches take turns."""


@dataclass(frozen=True)
class Work:
    purpose: str
    """"train" or "infer"."""
    network_name: str
    batch: int
    wanted: float
    """Least ratio to the best peer."""

    @property
    def name(self) -> str:
        return f"{self.purpose} {self.network_name} {self.batch}"

    @property
    def network(self) -> Network:
        return NETWORKS[self.network_name]()


def go(filters: int) -> Network:
    """A policy for Go: 5x5, eleven 3x3, 1x1, a bias for each point, softmax over 361 points."""
    body = [Conv2D(filters, 3, padding=1, activation="relu") for _ in range(11)]
    first = Conv2D(filters, 5, padding=2, activation="relu")
    last = [Conv2D(1, 1), PositionBias(), Flatten(), Activation("softmax")]
    return Network((48, 19, 19), [first, *body, *last])


def sentence() -> Network:
    """Kim 2014: word vectors that are tuned, windows of 3, 4, 5 words, the largest of each map."""
    branches = [[Conv1D(100, width, activation="relu"), GlobalMaxPool()] for width in (3, 4, 5)]
    head = [Dropout(0.5), Dense(2, activation="softmax")]
    return Network((56,), [Embedding(18_765, 300), Parallel(*branches), *head])


def keywords() -> Network:
    """Sainath and Parada 2015, cnn-trad-fpool3: 32 frames x 40 bands, 4 classes."""
    layers = [
        Conv2D(64, (20, 8), activation="relu"),
        MaxPool2D((1, 3)),
        Conv2D(64, (10, 4), activation="relu"),
        Flatten(),
        Dense(32),
        Dense(128, activation="relu"),
        Dense(4, activation="softmax"),
    ]
    return Network((1, 32, 40), layers)


NETWORKS = {
    "lecture": lambda: make_network("lecture", (1, 28, 28), 10),
    "resnet20": lambda: make_network("resnet20", (3, 32, 32), 10),
    "go-64": lambda: go(64),
    "go-192": lambda: go(192),
    "sentence": sentence,
    "cnn-trad-fpool3": keywords,
}
WORKS = (
    Work("train", "lecture", 32, 5.0),
    Work("train", "lecture", 128, 4.5),
    Work("train", "lecture", 512, 4.5),
    Work("infer", "lecture", 1, 2.0),
    Work("infer", "lecture", 32, 2.0),
    Work("infer", "lecture", 128, 2.5),
    Work("train", "resnet20", 128, 1.5),
    Work("train", "go-64", 16, 2.0),
    Work("train", "go-64", 128, 2.0),
    Work("train", "go-192", 16, 2.0),
    Work("infer", "go-64", 1, 1.5),
    Work("infer", "go-64", 128, 2.0),
    Work("infer", "go-192", 1, 1.5),
    Work("infer", "go-192", 128, 2.0),
    Work("train", "sentence", 50, 4.0),
    Work("train", "cnn-trad-fpool3", 100, 2.0),
)


def batches_of(work: Work, count: int = BATCHES) -> list[Batch]:
    """Inputs (B, *input) and labels int32 (B,), the same for every side."""
    from beak.engine.measure import example_batch

    return [example_batch(work.network, work.batch, seed) for seed in range(count)]
