"""ONNX operators that are layers: convolutions, dense layers, norms; a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from beak.exchange.onnx_building import Building
from beak.exchange.onnx_file import Operator
from beak.exchange.onnx_given import Given, Pads, array_of, optional_array, value_of, windows
from beak.exchange.onnx_pooling import POOLING
from beak.exchange.onnx_upsampling import UPSAMPLING
from beak.exchange.onnx_views import Array, LackingError, Value, channels_along
from beak.exchange.onnx_windows import clean, spread_channels
from beak.network.layers import BatchNorm, LayerNorm
from beak.shapes import shape_text, windows_along


def _conv(net: Building, op: Operator, args: Sequence[Given], names: Sequence[str]) -> Value:
    value, weight = value_of(args[0]), array_of(args[1], "weight")
    bias, groups = optional_array(args, 2, "bias"), int(op.fields.get("group", 1))
    if weight.ndim not in (3, 4):
        raise LackingError(f"filters along {weight.ndim - 2} axes; along 1 or 2 are there")
    if value.places.ndim != weight.ndim or value.shape[1] != weight.shape[1] * groups:
        raise LackingError(
            f"filters {shape_text(weight.shape)} in {groups} groups meet {shape_text(value.shape)}"
        )
    stride, dilation, pads = windows(op, value.shape[2:], weight.shape[2:])
    name = clean(names[1])
    value = net.laid_out(value)
    shape = net.shapes[value.node]
    if len(shape) == 1:
        return _on_points(net, value, weight, bias, groups, (stride, dilation, pads), name)
    if len(shape) == 2 and weight.ndim == 4:
        return _on_rows(net, value, weight, bias, groups, (stride, dilation, pads), name)
    block = net.block(value)
    if not block.takes_all(shape):
        if groups > 1:
            value = net.settled(value)
            block = net.block(value)
        else:  # channels that are left out, or in another order: so are the weights
            weight = spread_channels(weight, block.channels, shape[0])
    pads = [(b + x, e + y) for (b, e), (x, y) in zip(pads, block.margins, strict=True)]
    node = net.convolution(value.node, weight, bias, pads, stride, dilation, groups, name)
    return net.value(node)


Steps = tuple[tuple[int, ...], tuple[int, ...], Pads]


def _on_points(
    net: Building,
    value: Value,
    weight: Array,
    bias: Array | None,
    groups: int,
    steps: Steps,
    name: str,
) -> Value:
    """A convolution on maps of 1x1, which are one number a channel: a dense layer."""
    stride, dilation, pads = steps
    axes = range(weight.ndim - 2)
    ends = [windows_along(1, weight.shape[2 + a], stride[a], pads[a], dilation[a]) for a in axes]
    taps = [pads[a][0] // dilation[a] for a in axes]
    hit = all(pads[a][0] == taps[a] * dilation[a] and taps[a] < weight.shape[2 + a] for a in axes)
    if value.shape[2:] != (1,) * len(axes) or ends != [1] * len(axes) or not hit:
        raise LackingError("numbers in a row are laid out as a map, which no layer of beak's does")
    taken = weight
    for tap in reversed(taps):
        taken = taken[..., tap]
    outs, depth = len(taken) // groups, taken.shape[1]
    full = np.zeros((len(taken), groups * depth), np.float32)
    for g in range(groups):
        rows = slice(g * outs, (g + 1) * outs)
        full[rows, g * depth : (g + 1) * depth] = taken[rows]
    row = Value(value.node, value.places.reshape(1, -1))
    made = net.dense(row, full.T, bias, name)
    return Value(made.node, made.places.reshape(1, -1, *[1] * len(axes)))


def _on_rows(
    net: Building,
    value: Value,
    weight: Array,
    bias: Array | None,
    groups: int,
    steps: Steps,
    name: str,
) -> Value:
    """A convolution in two dimensions on a sequence that was given a second axis of size 1."""
    stride, dilation, pads = steps
    thin = [
        a for a in (0, 1) if (value.shape[2 + a], weight.shape[2 + a], pads[a]) == (1, 1, (0, 0))
    ]
    if not thin:
        raise LackingError("a sequence is laid out as a map, which no layer of beak's does")
    gone, kept = thin[0], 1 - thin[0]
    row = Value(value.node, value.places.squeeze(2 + gone))
    block = net.block(net.settled(row)) if groups > 1 else net.block(row)
    if not block.takes_all(net.shapes[row.node]) and groups == 1:
        row = net.settled(row)
        block = net.block(row)
    (margin,) = block.margins
    pad = (pads[kept][0] + margin[0], pads[kept][1] + margin[1])
    node = net.convolution(
        row.node, weight.squeeze(2 + gone), bias, [pad], [stride[kept]], [dilation[kept]], groups,
        name,
    )  # fmt: skip
    made = net.value(node)
    return Value(node, np.expand_dims(made.places, 2 + gone))


def _gemm(net: Building, op: Operator, args: Sequence[Given], names: Sequence[str]) -> Value:
    value, weight = value_of(args[0]), array_of(args[1], "second matrix")
    bias = optional_array(args, 2, "bias")
    if op.fields.get("transA"):
        raise LackingError("transA is not there")
    weight = weight.T if op.fields.get("transB") else weight
    if weight.ndim != 2 or value.places.ndim != 2:
        raise LackingError("two matrices were wanted")
    if bias is not None:
        bias = np.broadcast_to(bias * op.fields.get("beta", 1.0), (1, weight.shape[1]))[0]
    return net.dense(value, weight * op.fields.get("alpha", 1.0), bias, clean(names[1]))


def _matmul(net: Building, op: Operator, args: Sequence[Given], names: Sequence[str]) -> Value:
    value, weight = value_of(args[0]), array_of(args[1], "second matrix")
    if weight.ndim != 2:
        raise LackingError(f"a matrix {shape_text(weight.shape)}; (inputs, units) was wanted")
    return net.dense(value, weight, None, clean(names[1]))


def _batch_norm(net: Building, op: Operator, args: Sequence[Given], names: Sequence[str]) -> Value:
    value = value_of(args[0])
    scale, bias, mean, variance = (array_of(a, "statistics") for a in args[1:5])
    epsilon = float(op.fields.get("epsilon", 1e-5))
    if op.fields.get("training_mode"):
        raise LackingError("it is as in training; export the network in evaluation mode")
    arrays = {"weight": scale, "bias": bias, "running_mean": mean, "running_var": variance}
    shape = net.shapes[value.node]
    found = channels_along(value.places, 1, shape)
    if found is not None and np.array_equal(found[0], np.arange(shape[0])):
        node = net.add(BatchNorm(epsilon=epsilon), [value.node], arrays, clean(names[1]))
        return Value(node, value.places)
    gain = scale / np.sqrt(variance.astype(np.float64) + epsilon)
    ones = (-1, *[1] * (value.places.ndim - 2))
    return net.affine(value, gain.reshape(ones), (bias - mean * gain).reshape(ones))


def _layer_norm(net: Building, op: Operator, args: Sequence[Given], names: Sequence[str]) -> Value:
    value, scale = net.without_padding(value_of(args[0])), array_of(args[1], "scale")
    bias = optional_array(args, 2, "bias")
    shape = net.shapes[value.node]
    found = channels_along(value.places, -1, shape)
    last = int(op.fields.get("axis", -1)) in (-1, value.places.ndim - 1)
    if found is None or not last or sorted(found[0]) != list(range(shape[0])):
        raise LackingError("a layer norm over other axes than the channels is not there")
    place = np.argsort(found[0])
    scale = np.broadcast_to(scale, len(place))[place]
    bias = np.zeros(len(place)) if bias is None else np.broadcast_to(bias, len(place))[place]
    layer = LayerNorm(epsilon=float(op.fields.get("epsilon", 1e-5)))
    node = net.add(layer, [value.node], {"weight": scale, "bias": bias}, clean(names[1]))
    return Value(node, value.places)


LAYERS: dict[str, Callable[[Building, Operator, Sequence[Given], Sequence[str]], Value]] = {
    "Conv": _conv,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm,
    **POOLING,
    **UPSAMPLING,
}
"""Operator -> the layer it is: of its inputs, and the names these have in the file."""
