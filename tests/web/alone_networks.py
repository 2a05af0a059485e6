"""Small networks over the catalogue for the page that computes in itself: drawn from a seed."""

from __future__ import annotations

import numpy as np

from beak.errors import ShapeError
from beak.network.layers import (
    ACTIVATIONS,
    Activation,
    AvgPool1D,
    AvgPool2D,
    BatchNorm,
    Conv1D,
    Conv2D,
    Dense,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    LayerNorm,
    MaxPool1D,
    MaxPool2D,
    Pad,
    PositionBias,
    Reshape,
    Upsample,
)
from beak.network.network import Network
from beak.network.writers import Parallel, Residual


def drawn(seed: int) -> Network:
    """A network of windows, norms, joins and a head, of one axis or two."""
    random = np.random.default_rng([seed, 77])
    while True:
        axes = int(random.integers(1, 3))
        shape = (int(random.integers(1, 5)), *(int(n) for n in random.integers(4, 13, axes)))
        body = [_layer(random, axes) for _ in range(random.integers(1, 6))]
        try:
            return Network(shape, [*body, *_head(random)])
        except ShapeError:
            continue


def _pick(random, *values):
    return values[int(random.integers(len(values)))]


def _layer(random, axes):
    pick = lambda *values: _pick(random, *values)  # noqa: E731
    kind = pick("conv", "conv", "conv", "max", "avg", "keep", "residual", "parallel", "move")
    if kind == "conv":
        groups = pick(1, 1, 2, 3)
        return (Conv1D if axes == 1 else Conv2D)(
            groups * int(random.integers(1, 7)), _sizes(random, axes, 3),
            _sizes(random, axes, 2), pick("same", "valid", 1), _sizes(random, axes, 2),
            groups, pick(True, False), pick(None, *(a for a in ACTIVATIONS if a != "softmax")),
        )  # fmt: skip
    if kind in ("max", "avg"):
        makes = {"max": (MaxPool1D, MaxPool2D), "avg": (AvgPool1D, AvgPool2D)}
        window = _sizes(random, axes, 3)
        return makes[kind][axes - 1](window, _sizes(random, axes, 2), pick("same", "valid"))
    if kind == "move":
        return pick(
            Pad(_sizes(random, axes, 2), pick(-1, 0, 2)),
            Upsample(_sizes(random, axes, 2), pick("nearest", "bilinear")),
        )
    keep = pick(BatchNorm(), LayerNorm(), PositionBias(), Activation(pick(*ACTIVATIONS)))
    if kind == "residual":
        return Residual([keep])
    return Parallel([keep], [LayerNorm()]) if kind == "parallel" else keep


def _sizes(random, axes, most):
    values = tuple(int(n) for n in random.integers(1, most + 1, axes))
    return values[0] if axes == 1 else values


def _head(random):
    return _pick(
        random,
        [],
        [GlobalMaxPool(), Dense(3)],
        [GlobalAvgPool(), Dense(3, activation="sigmoid")],
        [Flatten(), Dense(4, activation="softmax")],
        [Flatten(), Dense(4), Activation("softmax")],
        [Flatten(), Dense(12), Reshape((2, 3, 2), last=True), Conv2D(3, 2)],
    )
