"""Residual networks in the form that He et al. 2016 give for small pictures (CVPR, section 4.2)."""

from __future__ import annotations

from collections.abc import Sequence

from beak.network.layers import (
    Activation,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    GlobalAvgPool,
    MaxPool2D,
    Shape,
)
from beak.network.network import Network
from beak.network.writers import Residual, Written


def resnet(
    input: Shape,
    classes: int,
    blocks: Sequence[int],
    width: int = 16,
    stem_stride: int = 1,
    stem_pool: bool = False,
    dropout: float = 0.0,
) -> Network:
    """A stem, then a stage for each number of blocks, twice as wide and half as large each time.

    ``stem_stride`` and ``stem_pool`` make large pictures small before the first stage.
    """
    layers: list[Written] = [*_conv_norm(width, 3, stem_stride), Activation("relu")]
    if stem_pool:
        layers.append(MaxPool2D(3, 2, padding=1))
    before = width
    for stage, count in enumerate(blocks):
        filters = width * 2**stage
        for number in range(count):
            stride = 2 if stage and not number else 1
            layers.append(_block(filters, stride, filters != before))
            before = filters
    layers.append(GlobalAvgPool())
    if dropout:
        layers.append(Dropout(dropout))
    layers.append(Dense(classes, activation="softmax"))
    return Network(input, layers)


def _block(filters: int, stride: int, projects: bool) -> Residual:
    """Two convolutions and a shortcut; where the width changes, a 1x1 convolution on it."""
    body = [
        *_conv_norm(filters, 3, stride),
        Activation("relu"),
        *_conv_norm(filters, 3, 1),
    ]
    shortcut = _conv_norm(filters, 1, stride) if projects else []
    return Residual(body, shortcut, activation="relu")


def _conv_norm(filters: int, kernel: int, stride: int) -> list[Written]:
    """A convolution, centred on its output, without the bias that BatchNorm would take away."""
    convolution = Conv2D(filters, kernel, stride, padding=kernel // 2, bias=False)
    return [convolution, BatchNorm()]
