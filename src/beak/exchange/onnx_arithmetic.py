"""ONNX operators number by number: sums, products, activations; a table."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from beak.exchange.onnx_building import UNMOVABLE, Building
from beak.exchange.onnx_file import Operator
from beak.exchange.onnx_moves import pad, padding
from beak.exchange.onnx_operators import Given, array_of, value_of
from beak.exchange.onnx_views import Array, Bent, LackingError, Value, channels_along
from beak.network.layer import count
from beak.network.layers import Activation, Add, Concat, Dropout, Layer, Multiply
from beak.shapes import shape_text

LEAK = 0.01
"""The slope of beak's own leaky_relu."""


def _constant(given: Given) -> bool:
    return isinstance(given, np.ndarray)


def joined(net: Building, a: Value, b: Value, layer: Layer) -> Value:
    """Two values added or multiplied; one that is smaller is spread over the other."""
    try:
        shape = np.broadcast_shapes(a.shape, b.shape)
    except ValueError:
        raise LackingError(f"{shape_text(a.shape)} and {shape_text(b.shape)} do not fit") from None
    if isinstance(layer, Multiply):
        for whole, small in ((a, b), (b, a)):
            made = _each_channel(net, whole, small, shape)
            if made is not None:
                return made
    a, b = (Value(v.node, np.broadcast_to(v.places, shape)) for v in (a, b))
    if np.array_equal(a.places, b.places) and not a.padded:
        nodes = [a.node, b.node]
        sizes = [net.shapes[node] for node in nodes]
        if sizes[0] != sizes[1] and 1 in map(len, sizes):
            nodes = [net.flat(node) for node in nodes]
        if net.shapes[nodes[0]] == net.shapes[nodes[1]]:
            return Value(net.add(layer, nodes), a.places)
    a, b = net.alike([a, b])
    return Value(net.add(layer, [a.node, b.node]), a.places)


def _each_channel(
    net: Building, whole: Value, small: Value, shape: tuple[int, ...]
) -> Value | None:
    """A number for each channel times its map; None where it is something else."""
    sizes = net.shapes[whole.node]
    if whole.shape != shape or len(sizes) < 2 or whole.padded or small.padded:
        return None
    if count(net.shapes[small.node]) != sizes[0]:
        return None
    if np.ptp(np.sort(whole.places, axis=None) - np.arange(count(sizes))) or (
        whole.places.size != count(sizes)
    ):
        return None
    spread = np.empty(count(sizes), np.int64)
    spread[whole.places.ravel()] = np.broadcast_to(small.places, shape).ravel()
    channels = spread.reshape(sizes[0], -1)
    if (channels != np.arange(sizes[0])[:, None]).any():
        return None
    row = net.flat(small.node)
    if net.shapes[row] != sizes[:1]:
        return None
    return Value(net.add(Multiply(), [whole.node, row]), whole.places)


def _add(net: Building, op: Operator, args: Sequence[Given]) -> Given:
    first, second = args[1], args[0]
    if not _constant(first):
        first, second = second, first
    if _constant(first):
        if isinstance(second, Bent) and second.how == "erf" and np.all(np.asarray(first) == 1):
            return Bent("1 + erf", second.value, second.factor)
        return net.affine(value_of(second), 1, array_of(first, "summand"))
    return joined(net, value_of(args[0]), value_of(args[1]), Add())


def _sum(net: Building, op: Operator, args: Sequence[Given]) -> Given:
    total = args[0]
    for one in args[1:]:
        total = _add(net, op, [total, one])
    return total


def _sub(net: Building, op: Operator, args: Sequence[Given]) -> Given:
    if _constant(args[1]):
        return net.affine(value_of(args[0]), 1, -array_of(args[1], "number"))
    if _constant(args[0]):
        return net.affine(value_of(args[1]), -1, array_of(args[0], "number"))
    return joined(net, value_of(args[0]), net.affine(value_of(args[1]), -1, 0), Add())


def _mul(net: Building, op: Operator, args: Sequence[Given]) -> Given:
    first, second = args[1], args[0]
    if not _constant(first):
        first, second = second, first
    if _constant(first):
        factor = array_of(first, "factor")
        if isinstance(second, Bent) and second.how == "1 + erf" and factor.size == 1:
            return Bent(second.how, second.value, second.factor * float(factor.ravel()[0]))
        return net.affine(value_of(second), factor, 0)
    for bent, other in ((args[0], args[1]), (args[1], args[0])):
        if isinstance(bent, Bent) and bent.how == "1 + erf":
            return _gelu_of(net, bent, value_of(other))
    return joined(net, value_of(args[0]), value_of(args[1]), Multiply())


def _gelu_of(net: Building, bent: Bent, other: Value) -> Value:
    """X (1 + erf(x / sqrt 2)) is twice GELU's."""
    (inner, by), (outer, times) = (_scaled(net, v) for v in (bent.value, other))
    same = inner.node == outer.node and np.array_equal(inner.places, outer.places)
    if not same or not math.isclose(by * math.sqrt(2), 1, rel_tol=1e-5):
        raise LackingError("an error function other than GELU's is not there")
    made = net.function(inner, "gelu")
    factor = 2 * times * bent.factor
    return made if math.isclose(factor, 1, rel_tol=1e-6) else net.affine(made, factor, 0)


def _scaled(net: Building, value: Value) -> tuple[Value, float]:
    """What a value was before it was multiplied with one number, and that number."""
    if value.node not in net.plain:
        return value, 1.0
    arrays = net.arrays[value.node]
    scale = arrays["weight"]
    if arrays["bias"].any() or np.ptp(scale):
        return value, 1.0
    return Value(net.inputs[value.node][0], value.places), float(scale[0])


def _div(net: Building, op: Operator, args: Sequence[Given]) -> Given:
    if not _constant(args[1]):
        raise LackingError("a division by computed numbers is not there; by constants it is")
    return net.affine(value_of(args[0]), 1 / array_of(args[1], "divisor").astype(np.float64), 0)


def _pow(net: Building, op: Operator, args: Sequence[Given]) -> Given:
    value, power = value_of(args[0]), array_of(args[1], "exponent")
    if power.size != 1 or power.ravel()[0] not in (1, 2, 3):
        raise LackingError("powers of 1, 2 and 3 are there, no others")
    made = value
    for _ in range(int(power.ravel()[0]) - 1):
        made = joined(net, made, value, Multiply())
    return made


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
    first, second = (args[1], args[0]) if len(args) == 2 and _constant(args[1]) else args[:2]
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


def _concat(net: Building, op: Operator, args: Sequence[Given]) -> Given:
    values = [net.without_padding(value_of(given)) for given in args]
    if len(values) == 1:
        return values[0]
    nodes = [value.node for value in values]
    if len({net.shapes[node][1:] for node in nodes}) > 1:
        nodes = [net.flat(node) for node in nodes]
    begins = np.cumsum([0] + [count(net.shapes[node]) for node in nodes])
    places = [v.places + begin for v, begin in zip(values, begins, strict=False)]
    try:
        together = np.concatenate(places, int(op.fields["axis"]))
    except ValueError:
        shapes = " and ".join(shape_text(v.shape) for v in values)
        raise LackingError(f"{shapes} do not fit behind each other") from None
    return Value(net.add(Concat(), nodes), together)


def _pad(net: Building, op: Operator, args: Sequence[Given]) -> Given:
    value = value_of(args[0])
    known = [None if isinstance(a, Value | Bent) else a for a in args[1:]]
    return Value(value.node, pad(value.places, padding(op, known, value.places.ndim), -1))


def _cast(net: Building, op: Operator, args: Sequence[Given]) -> Given:
    if int(op.fields["to"]) not in (1, 10, 11, 16):
        raise LackingError("computed numbers are turned into whole ones or truth values")
    return args[0]


def _dropout(net: Building, op: Operator, args: Sequence[Given]) -> Given:
    if len(args) > 2 and args[2] is not None and np.any(array_of(args[2], "mode")):
        raise LackingError("it is as in training; export the network in evaluation mode")
    rate = op.fields.get("ratio", 0.5)
    if len(args) > 1 and isinstance(args[1], np.ndarray):
        rate = float(args[1].ravel()[0])
    return net.each(value_of(args[0]), Dropout(float(rate) if 0 <= rate < 1 else 0.5))


def _rounded(net: Building, op: Operator, args: Sequence[Given]) -> Given:
    """QuantizeLinear: read as the float it stands for; one that begins at 0 cuts off below."""
    zero = args[2] if len(args) > 2 else None
    if isinstance(zero, np.ndarray) and np.all(zero == np.iinfo(zero.dtype).min):
        return net.function(value_of(args[0]), "relu")
    return args[0]


ARITHMETIC: dict[str, Callable[[Building, Operator, Sequence[Given]], Given]] = {
    "Add": _add,
    "Sum": _sum,
    "Sub": _sub,
    "Mul": _mul,
    "Div": _div,
    "Pow": _pow,
    "Neg": lambda net, op, args: net.affine(value_of(args[0]), -1, 0),
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
    "Concat": _concat,
    "Pad": _pad,
    "Cast": _cast,
    "Dropout": _dropout,
    "QuantizeLinear": _rounded,
    "DequantizeLinear": lambda net, op, args: args[0],
}
"""Operator -> what comes of its inputs."""

NEAREST = {
    "Elu": "relu and gelu are there",
    "Selu": "relu and gelu are there",
    "Softplus": "relu is there",
    "Mish": "silu and gelu are there",
    "ConvTranspose": "Conv is there",
    "InstanceNormalization": "BatchNormalization and LayerNormalization are there",
    "GroupNormalization": "BatchNormalization and LayerNormalization are there",
    "LRN": "BatchNormalization is there",
    "Resize": "pictures are resized before the network: export it without this operator",
    "Upsample": "pictures are resized before the network: export it without this operator",
    "QLinearConv": "quantise as QuantizeLinear and DequantizeLinear around Conv (QDQ)",
    "QLinearMatMul": "quantise as QuantizeLinear and DequantizeLinear around MatMul (QDQ)",
    "LSTM": "beak's networks are convolutional",
    "GRU": "beak's networks are convolutional",
    "RNN": "beak's networks are convolutional",
    "If": "export it with constant conditions folded",
    "Loop": "export it without loops",
    "ArgMax": "export the answers before it",
    "TopK": "export the answers before it",
}
"""Operator that is not there -> what is, or what to do."""
