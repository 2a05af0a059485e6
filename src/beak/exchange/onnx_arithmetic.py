"""ONNX operators number by number: sums, products, what only passes; a table."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from beak.exchange.onnx_activations import ACTIVATIONS
from beak.exchange.onnx_building import Building
from beak.exchange.onnx_file import Operator
from beak.exchange.onnx_given import Given, array_of, value_of
from beak.exchange.onnx_joining import joined
from beak.exchange.onnx_moves import pad, padding
from beak.exchange.onnx_views import Bent, LackingError, Value
from beak.network.layer import count
from beak.network.layers import Add, Concat, Dropout, Multiply
from beak.shapes import shape_text


def is_constant(given: Given) -> bool:
    """Whether an input is the same for every picture."""
    return isinstance(given, np.ndarray)


def _add(net: Building, op: Operator, args: Sequence[Given]) -> Given:
    first, second = args[1], args[0]
    if not is_constant(first):
        first, second = second, first
    if is_constant(first):
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
    if is_constant(args[1]):
        return net.affine(value_of(args[0]), 1, -array_of(args[1], "number"))
    if is_constant(args[0]):
        return net.affine(value_of(args[1]), -1, array_of(args[0], "number"))
    return joined(net, value_of(args[0]), net.affine(value_of(args[1]), -1, 0), Add())


def _mul(net: Building, op: Operator, args: Sequence[Given]) -> Given:
    first, second = args[1], args[0]
    if not is_constant(first):
        first, second = second, first
    if is_constant(first):
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
    if not is_constant(args[1]):
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
    **ACTIVATIONS,
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
    "Upsample": "Resize is there: export it for opset 11 or later",
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
