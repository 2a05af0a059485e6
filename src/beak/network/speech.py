"""Networks for spectrograms (1, frames, bands): time down, frequency across."""

from __future__ import annotations

from collections.abc import Callable

from beak.errors import UsageError, did_you_mean
from beak.network.layer import Shape
from beak.network.layers import (
    Activation,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool,
    MaxPool2D,
)
from beak.network.network import Network
from beak.network.writers import Residual, Written

AXES = ("frequency", "time", "both")


def make_keyword(
    input: Shape, classes: int, width: int = 24, stages: int = 3, dropout: float = 0.2
) -> Network:
    """Residual, wider where maps are small: 126,000 parameters for ten words."""
    layers: list[Written] = [*_conv_norm(width, 5, 2), Activation("relu")]
    before = width
    for stage in range(stages):
        filters = width * (stage + 1) if stage < 3 else before
        stride = 2 if stage else 1
        body = [*_conv_norm(filters, 3, stride), Activation("relu"), *_conv_norm(filters, 3, 1)]
        changes = stride > 1 or filters != before
        shortcut = _conv_norm(filters, 1, stride) if changes else []
        layers.append(Residual(body, shortcut, activation="relu"))
        before = filters
    layers += [GlobalAvgPool(), Dropout(dropout), Dense(classes, activation="softmax")]
    return Network(input, layers)


def _conv_norm(filters: int, kernel: int, stride: int) -> list[Written]:
    convolution = Conv2D(filters, kernel, stride, padding=kernel // 2, bias=False)
    return [convolution, BatchNorm()]


def make_cnn_trad_fpool3(input: Shape, classes: int) -> Network:
    """Two convolutions, pooling along frequency between them; the second shrinks to fit."""
    frames, bands = input[1] - 19, (input[2] - 7) // 3
    layers = [
        Conv2D(64, (20, 8), activation="relu"),
        MaxPool2D((1, 3)),
        Conv2D(64, (min(10, frames), min(4, bands)), activation="relu"),
        Flatten(),
        Dense(32),
        Dense(128, activation="relu"),
        Dense(classes, activation="softmax"),
    ]
    return Network(input, layers)


def make_cnn_one_fpool3(input: Shape, classes: int) -> Network:
    """One convolution as long as the window in time, pooled along frequency."""
    first = [Conv2D(54, (input[1], 8), activation="relu"), MaxPool2D((1, 3))]
    return Network(input, [*first, *_one_head(classes)])


def make_cnn_one_fstride4(input: Shape, classes: int) -> Network:
    """One convolution as long as the window in time, in steps of four bands."""
    first = [Conv2D(186, (input[1], 8), stride=(1, 4), activation="relu")]
    return Network(input, [*first, *_one_head(classes)])


def _one_head(classes: int) -> list[Written]:
    hidden = [Dense(128, activation="relu"), Dense(128, activation="relu")]
    return [Flatten(), Dense(32), *hidden, Dense(classes, activation="softmax")]


def make_spectrogram_frequency(
    input: Shape,
    classes: int,
    axis: str = "frequency",
    parameters: int = 150_000,
    dropout: float = 0.3,
) -> Network:
    """Filters as long as the window in time, that move along frequency only; or as ``axis`` says.

    The number of filters follows from ``parameters``, so that the directions compare fairly.
    """
    if axis not in AXES:
        raise UsageError(f"network: axis {axis!r}{did_you_mean(str(axis), AXES)}")
    frames, bands = input[1:]
    first: tuple[tuple[int, ...], ...] = {
        "frequency": ((frames, min(8, bands)), (1, 3), (1, 4)),
        "time": ((min(8, frames), bands), (3, 1), (4, 1)),
        "both": ((min(8, frames), min(8, bands)), (3, 3), (4, 4)),
    }[axis]

    def make(filters: int) -> Network:
        kernel, pool, second = first
        left = [n - k + 1 for n, k in zip(input[1:], kernel, strict=True)]
        pool = tuple(min(p, n) for p, n in zip(pool, left, strict=True))
        left = [n // p for n, p in zip(left, pool, strict=True)]
        kernel2 = tuple(min(k, n) for k, n in zip(second, left, strict=True))
        height, width = (n - k + 1 for n, k in zip(left, kernel2, strict=True))
        # a map in both directions has many places: eight are left, as along one direction
        places = [MaxPool2D((max(1, height // 4), max(1, width // 2)))] if axis == "both" else []
        layers: list[Written] = [
            *(Conv2D(filters, kernel, bias=False), BatchNorm(), Activation("relu")),
            MaxPool2D(pool),
            *(Conv2D(filters, kernel2, bias=False), BatchNorm(), Activation("relu"), *places),
            *(Flatten(), Dropout(dropout), Dense(64, activation="relu"), Dropout(dropout)),
            Dense(classes, activation="softmax"),
        ]
        return Network(input, layers)

    return make(_filters_for(parameters, make))


def _filters_for(parameters: int, make: Callable[[int], Network]) -> int:
    """The most filters that stay within so many parameters; at least four."""
    low, high = 4, 8
    while make(high).parameter_count <= parameters and high < 4096:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if make(middle).parameter_count <= parameters:
            low = middle
        else:
            high = middle
    return low
