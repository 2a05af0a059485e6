"""ONNX operators that are functions of each number, or a softmax; a table."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from beak.exchange.onnx_building import UNMOVABLE, Building
from beak.exchange.onnx_file import Operator
from beak.exchange.onnx_given import Given, array_of, value_of
from beak.exchange.onnx_joining import joined
from beak.exchange.onnx_views import Array, Bent, LackingError, Value, channels_along
from beak.network.layer import count
from beak.network.layers import Activation, Add, Multiply

LEAK = 0.01
"""The slope of beak's own leaky_relu."""


def _function(name: str) -> Callable[[Building, Operator, Sequence[Given]], Given]:
    return lambda net, op, args: net.function(value_of(args[0]), name)


def _leaky(net: Building, value: Value, slope: Array | float) -> Value:
    """Slope x + (1 - slope) relu(x)."""
    if np.all(np.float32(slope) == np.float32(LEAK)):
        return net.function(value, "leaky_relu")
    value = net.without_padding(value)
    positive = net.affine(net.function(value, "relu"), 1 - np.asarray(slope, np.float64), 0)
    return joined(net, positive, net.affine(value, slope, 0), Add())


def _clipped(net: Building, value: Value, low: float | None, high: float | None) -> Value:
    """Between two numbers: relu(x - low) + low, then high - relu(high - x)."""
    if low is not None:
        value = value if low == 0 else net.affine(value, 1, -low)
        value = net.function(value, "relu")
        high = None if high is None else high - low
    if high is not None:
        value = net.function(net.affine(value, -1, high), "relu")
        value = net.affine(value, -1, high + (low or 0.0))
    elif low:
        value = net.affine(value, 1, low)
    return value


def _bound(op: Operator, field: str, args: Sequence[Given], place: int) -> float | None:
    found = op.fields.get(field)
    if len(args) > place and args[place] is not None:
        found = array_of(args[place], field).ravel()[0]
    return None if found is None or abs(float(found)) > 1e30 else float(found)


def _clip(net: Building, op: Operator, args: Sequence[Given]) -> Given:
    low, high = _bound(op, "min", args, 1), _bound(op, "max", args, 2)
    return _clipped(net, value_of(args[0]), low, high)


def _extreme(net: Building, op: Operator, args: Sequence[Given]) -> Given:
    if len(args) != 2:
        raise LackingError("a bound and a value were wanted, two inputs in all")
    first, second = args if isinstance(args[0], np.ndarray) else (args[1], args[0])
    bound = array_of(first, "bound")
    if bound.size != 1:
        raise LackingError("one bound for all numbers is there, not several")
    limit = float(bound.ravel()[0])
    largest = op.kind == "Max"
    return _clipped(net, value_of(second), *((limit, None) if largest else (None, limit)))


def _hard_sigmoid(net: Building, op: Operator, args: Sequence[Given]) -> Given:
    alpha, beta = op.fields.get("alpha", 0.2), op.fields.get("beta", 0.5)
    return _clipped(net, net.affine(value_of(args[0]), alpha, beta), 0.0, 1.0)


def _gelu(net: Building, op: Operator, args: Sequence[Given]) -> Given:
    value = value_of(args[0])
    if op.fields.get("approximate", "none") == "none":
        return net.function(value, "gelu")
    cube = joined(net, joined(net, value, value, Multiply()), value, Multiply())
    inner = joined(net, net.affine(cube, 0.044715, 0), value, Add())
    bent = net.function(net.affine(inner, math.sqrt(2 / math.pi), 0), "tanh")
    return joined(net, net.affine(value, 0.5, 0), net.affine(bent, 1, 1), Multiply())


def _prelu(net: Building, op: Operator, args: Sequence[Given]) -> Given:
    return _leaky(net, value_of(args[0]), array_of(args[1], "slope"))


def _softmax(net: Building, op: Operator, args: Sequence[Given]) -> Given:
    value = net.without_padding(value_of(args[0]))
    old = op.fields["opset"] < 13
    axis = int(op.fields.get("axis", 1 if old else -1)) % value.places.ndim
    if old:  # then all axes from this one on are one row
        value = Value(value.node, value.places.reshape(*value.shape[:axis], -1))
    shape = net.shapes[value.node]
    found = channels_along(value.places, axis, shape)
    if found is not None and sorted(found[0]) == list(range(shape[0])):
        made = net.each(value, Activation("softmax"))
    elif value.places.size == value.shape[axis] == count(shape):
        made = Value(net.add(Activation("softmax"), [net.flat(value.node)]), value.places)
    else:
        raise LackingError("a softmax over other axes than the channels is not there; " + UNMOVABLE)
    return Bent("log", made) if op.kind == "LogSoftmax" else made


def _log(net: Building, op: Operator, args: Sequence[Given]) -> Given:
    value = value_of(args[0])
    layer = net.layers.get(value.node)
    if not isinstance(layer, Activation) or layer.function != "softmax":
        raise LackingError("a logarithm is there only of a softmax")
    return Bent("log", value)


def _swish(net: Building, op: Operator, args: Sequence[Given]) -> Given:
    if float(op.fields.get("alpha", 1.0)) != 1:
        raise LackingError("a swish of another alpha than 1 is not there")
    return net.function(value_of(args[0]), "silu")


ACTIVATIONS: dict[str, Callable[[Building, Operator, Sequence[Given]], Given]] = {
    "Relu": _function("relu"),
    "Sigmoid": _function("sigmoid"),
    "Abs": lambda net, op, args: joined(
        net,
        net.function(value_of(args[0]), "relu"),
        net.function(net.affine(value_of(args[0]), -1, 0), "relu"),
        Add(),
    ),
    "Tanh": _function("tanh"),
    "HardSwish": _function("hard_swish"),
    "Swish": _swish,
    "LeakyRelu": lambda net, op, args: _leaky(
        net, value_of(args[0]), float(op.fields.get("alpha", LEAK))
    ),
    "PRelu": _prelu,
    "Clip": _clip,
    "Max": _extreme,
    "Min": _extreme,
    "HardSigmoid": _hard_sigmoid,
    "Gelu": _gelu,
    "Erf": lambda net, op, args: Bent("erf", value_of(args[0])),
    "Softmax": _softmax,
    "LogSoftmax": _softmax,
    "Log": _log,
}
"""Operator -> what comes of its inputs."""
