"""Networks for Go: a position's planes in, a number for each move out. None of them pools, for a
move one point further is another move.
"""

from __future__ import annotations

from beak.errors import ShapeError
from beak.network.layer import Shape, count
from beak.network.layers import (
    Activation,
    BatchNorm,
    Conv2D,
    Dense,
    Flatten,
    GlobalAvgPool,
    PositionBias,
)
from beak.network.network import Network
from beak.network.writers import Parallel, Residual, Written

SMALL = 1_000_000
"""Parameters that go-small stays below."""


def alphago_policy(input: Shape, classes: int, filters: int = 192) -> Network:
    """The policy network of Silver et al., Nature 529 (2016), Methods: 12 hidden layers.

    5x5 filters on the board padded to 23x23, then eleven layers of 3x3; at last one 1x1 filter and
    a bias for each point.
    """
    points = count(input[1:])
    if classes != points:
        raise ShapeError(
            f"network 'alphago-policy' answers the {points} points of its input, not {classes} "
            "classes; it knows no pass (data.passes=false)"
        )
    layers: list[Written] = [Conv2D(filters, 5, padding=2, activation="relu")]
    layers += [Conv2D(filters, 3, padding=1, activation="relu") for _ in range(11)]
    return Network(input, [*layers, *_points(), Activation("softmax")])


def go_small(input: Shape, classes: int, width: int = 48, blocks: int = 4) -> Network:
    """A 5x5 layer, residual blocks of two 3x3 layers, and AlphaGo's last layer.

    With one class more than there are points, the last answer is the pass, from the means of all
    maps.
    """
    points = count(input[1:])
    if classes not in (points, points + 1):
        raise ShapeError(
            f"network 'go-small' answers {points} points, or {points + 1} with the pass, not "
            f"{classes} classes"
        )
    layers: list[Written] = [*_conv_norm(width, 5), Activation("relu")]
    for _ in range(blocks):
        body = [*_conv_norm(width, 3), Activation("relu"), *_conv_norm(width, 3)]
        layers.append(Residual(body, activation="relu"))
    last: list[Written] = _points()
    if classes > points:
        last = [Parallel(_points(), [GlobalAvgPool(), Dense(1)])]
    network = Network(input, [*layers, *last, Activation("softmax")])
    if network.parameter_count > SMALL:
        raise ShapeError(
            f"network 'go-small' would have {network.parameter_count:,} parameters, more than "
            f"{SMALL:,}; make width or blocks smaller"
        )
    return network


def go_dense(
    input: Shape, classes: int, like: Network | None = None, hidden: int | None = None
) -> Network:
    """The lecture's comparison: fully connected, one hidden layer, as many parameters as ``like``
    (a go-small of this input where none is given), or ``hidden`` units.
    """
    if hidden is None:
        wanted = (like or go_small(input, count(input[1:]))).parameter_count
        # inputs*h + h of the first layer and h*classes + classes of the second
        hidden = max(1, round((wanted - classes) / (count(input) + 1 + classes)))
    layers = [Flatten(), Dense(hidden, activation="relu"), Dense(classes, activation="softmax")]
    return Network(input, layers)


def _points() -> list[Written]:
    """One number for each point: a 1x1 filter, and a bias of its own for each."""
    return [Conv2D(1, 1, bias=False), PositionBias(), Flatten()]


def _conv_norm(filters: int, kernel: int) -> list[Written]:
    return [Conv2D(filters, kernel, padding=kernel // 2, bias=False), BatchNorm()]
