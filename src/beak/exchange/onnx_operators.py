"""ONNX operators that are layers: convolutions, pooling, dense layers, norms; a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from beak.exchange.onnx_building import (
    UNMOVABLE,
    Building,
    clean,
    padding_of,
    spread_channels,
)
from beak.exchange.onnx_file import Operator
from beak.exchange.onnx_moves import integers
from beak.exchange.onnx_views import Array, Bent, LackingError, Value, channels_along
from beak.network.layer import Layer, count
from beak.network.layers import (
    Activation,
    AvgPool1D,
    AvgPool2D,
    BatchNorm,
    GlobalAvgPool,
    GlobalMaxPool,
    LayerNorm,
    MaxPool1D,
    MaxPool2D,
)
from beak.shapes import same_padding, shape_text, windows_along

Given = Value | Bent | np.ndarray[Any, Any] | None
Pads = list[tuple[int, int]]
NONNEGATIVE = ("relu", "sigmoid", "softmax")
KEEPING = (MaxPool1D, MaxPool2D, AvgPool1D, AvgPool2D, GlobalAvgPool, GlobalMaxPool)


def value_of(given: Given) -> Value:
    """An input that must be computed, not constant."""
    if isinstance(given, Value):
        return given
    if isinstance(given, Bent):
        raise LackingError(f"it reads {given.how} of a value, which is no layer of beak's alone")
    raise LackingError("its input is a constant")


def array_of(given: Given, what: str) -> Array:
    """An input that must be constant, as floats."""
    if given is None or isinstance(given, Value | Bent):
        raise LackingError(f"its {what} is computed from the input; only constants are read there")
    return np.asarray(given, np.float32)


def _optional(args: Sequence[Given], place: int, what: str) -> Array | None:
    return array_of(args[place], what) if len(args) > place and args[place] is not None else None


def windows(
    op: Operator, sizes: Sequence[int], kernel: Sequence[int]
) -> tuple[tuple[int, ...], tuple[int, ...], Pads]:
    """Stride, dilation and padding (before, after) of an operator with windows."""
    axes = len(kernel)
    stride = tuple(op.fields.get("strides", (1,) * axes))
    dilation = tuple(op.fields.get("dilations", (1,) * axes))
    pads = tuple(op.fields.get("pads", (0,) * 2 * axes))
    if not len(sizes) == axes == len(stride) == len(dilation) == len(pads) // 2:
        raise LackingError(f"windows along {axes} axes meet a value along {len(sizes)}")
    if (
        min((*stride, *dilation, *kernel)) < 1
        or max((*kernel, *dilation, *map(abs, pads))) > 1 << 20
    ):
        raise LackingError("its kernel, strides, dilations or pads are not possible")
    both = list(zip(pads[:axes], pads[axes:], strict=True))
    how = op.fields.get("auto_pad", "NOTSET")
    if how in ("SAME_UPPER", "SAME_LOWER"):
        both = [
            pair if how == "SAME_UPPER" else (pair[1], pair[0])
            for pair in map(same_padding, sizes, kernel, stride, dilation)
        ]
    return stride, dilation, [(0, 0)] * axes if how == "VALID" else both


def _conv(net: Building, op: Operator, args: Sequence[Given], names: Sequence[str]) -> Value:
    value, weight = value_of(args[0]), array_of(args[1], "weight")
    bias, groups = _optional(args, 2, "bias"), int(op.fields.get("group", 1))
    if weight.ndim not in (3, 4):
        raise LackingError(f"filters along {weight.ndim - 2} axes; along 1 or 2 are there")
    if value.places.ndim != weight.ndim or value.shape[1] != weight.shape[1] * groups:
        raise LackingError(
            f"filters {shape_text(weight.shape)} in {groups} groups meet {shape_text(value.shape)}"
        )
    stride, dilation, pads = windows(op, value.shape[2:], weight.shape[2:])
    name = clean(names[1])
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


def _never_negative(net: Building, node: str) -> bool:
    """Whether a node's numbers are surely 0 or more."""
    layer = net.layers.get(node)
    if layer is None:
        return False
    if isinstance(layer, Activation):
        return layer.function in NONNEGATIVE
    if isinstance(layer, KEEPING) or layer.kind in ("Concat", "Add", "Multiply", "Dropout"):
        return all(_never_negative(net, one) for one in net.inputs[node])
    return False


def _pool(kinds: tuple[type[Layer], type[Layer]]) -> Any:
    largest = kinds[0] is MaxPool1D

    def read(net: Building, op: Operator, args: Sequence[Given], names: Sequence[str]) -> Value:
        value, kernel = value_of(args[0]), tuple(op.fields["kernel_shape"])
        if len(kernel) not in (1, 2):
            raise LackingError(f"windows along {len(kernel)} axes; pooling along 1 or 2 is there")
        shape = net.shapes[value.node]
        thin = _thin(value, shape, kernel)
        if thin is not None:
            row = Value(value.node, value.places.squeeze(2 + thin))
            less = {k: _without(op.fields[k], thin, len(kernel)) for k in op.fields
                    if k in ("kernel_shape", "strides", "dilations", "pads")}  # fmt: skip
            inner = Operator(op.kind, op.name, op.inputs, op.outputs, {**op.fields, **less})
            made = read(net, inner, [row], names)
            return Value(made.node, np.expand_dims(made.places, 2 + thin))
        stride, dilation, pads = windows(op, value.shape[2:], kernel)
        if max(dilation) > 1:
            raise LackingError("pooling with gaps (dilations) is not there")
        if len(shape) == 1 and count(value.shape[2:]) == 1 and set(kernel) == {1}:
            return value
        pads = _ends(op, value.shape[2:], kernel, stride, pads)
        if not largest and any(map(any, pads)) and op.fields.get("count_include_pad"):
            return _mean_with_padding(net, op, value, kernel, stride, pads)
        block = net.block(value)
        fits = block.takes_all(shape) and (largest and _never_negative(net, value.node))
        if not block.is_whole(shape) and (not fits or min(map(min, block.margins)) < 0):
            value = net.settled(value)
        else:
            pads = [(b + x, e + y) for (b, e), (x, y) in zip(pads, block.margins, strict=True)]
        return _windowed(net, value.node, kinds[len(kernel) - 1], kernel, stride, pads)

    return read


def _windowed(
    net: Building,
    node: str,
    kind: Any,
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    pads: Pads,
) -> Value:
    """A pooling layer; where its padding is none of a layer's, zeros are added before it."""
    sizes = net.shapes[node][1:]
    padding = padding_of(sizes, kernel, stride, (1,) * len(kernel), pads)
    if isinstance(padding, tuple) and any(p >= k for p, k in zip(padding, kernel, strict=True)):
        raise LackingError("its padding is as wide as its window")
    if padding is None:
        if not issubclass(kind, MaxPool1D | MaxPool2D) or not _never_negative(net, node):
            raise LackingError(f"pooling with padding {pads} is not there, but equal or 'same'")
        shape = net.shapes[node]
        weight = np.ones((shape[0], 1, *(1,) * len(sizes)), np.float32)
        node = net.convolution(node, weight, None, pads, groups=shape[0], name="pad")
        padding = (0,) * len(kernel)
    fields: list[Any] = [kernel, stride, padding]
    if len(kernel) == 1:
        fields = [one[0] if isinstance(one, tuple) else one for one in fields]
    return net.value(net.add(kind(*fields), [node]))


def _thin(value: Value, shape: tuple[int, ...], kernel: tuple[int, ...]) -> int | None:
    """The axis of size 1 that a sequence was given to be pooled as a map."""
    if len(shape) != 2 or len(kernel) != 2 or value.places.ndim != 4:
        return None
    return next((a for a in (0, 1) if value.shape[2 + a] == kernel[a] == 1), None)


def _without(values: tuple[int, ...], axis: int, axes: int) -> tuple[int, ...]:
    return tuple(v for i, v in enumerate(values) if i % axes != axis)


def _ends(
    op: Operator, sizes: Sequence[int], kernel: Sequence[int], stride: Sequence[int], pads: Pads
) -> Pads:
    """With ceil_mode a last window may hang over the end: padding that makes room for it."""
    if not op.fields.get("ceil_mode"):
        return pads
    out = []
    for size, k, s, (begin, end) in zip(sizes, kernel, stride, pads, strict=True):
        number = -(-(size + begin + end - k) // s) + 1
        if (number - 1) * s >= size + begin:
            number -= 1
        over = (number - 1) * s + k - size - begin
        if over > end and op.fields.get("count_include_pad"):
            raise LackingError("ceil_mode with count_include_pad is not there")
        out.append((begin, max(end, over)))
    return out


def _mean_with_padding(
    net: Building,
    op: Operator,
    value: Value,
    kernel: Sequence[int],
    stride: Sequence[int],
    pads: Pads,
) -> Value:
    """A mean that counts zeros of the padding: a convolution of each channel alone."""
    value = net.settled(value)
    channels = net.shapes[value.node][0]
    weight = np.full((channels, 1, *kernel), 1 / count(kernel), np.float32)
    return net.value(
        net.convolution(value.node, weight, None, pads, stride, groups=channels, name="pool")
    )


def pooled(net: Building, value: Value, axes: Sequence[int], keep: bool, largest: bool) -> Value:
    """The mean or the largest of each channel's whole map."""
    shape = net.shapes[value.node]
    value = net.without_padding(value)
    axes = tuple(axis % value.places.ndim for axis in axes)
    rest = [axis for axis in range(value.places.ndim) if axis not in axes]
    rows = value.places.transpose(*rest, *axes).reshape(-1, count(value.shape[a] for a in axes))
    kept = [1 if a in axes else n for a, n in enumerate(value.shape) if keep or a not in axes]
    if rows.shape[1] == 1:
        return Value(value.node, value.places.reshape(kept))
    area = count(shape[1:])
    channels = rows[:, 0] // area
    if (
        len(shape) < 2
        or rows.shape[1] != area
        or (np.sort(rows, axis=1) != channels[:, None] * area + np.arange(area)).any()
    ):
        raise LackingError("it takes the mean over other axes than a map's whole; " + UNMOVABLE)
    node = net.add(GlobalMaxPool() if largest else GlobalAvgPool(), [value.node])
    return Value(node, channels.reshape(kept))


def _global(largest: bool) -> Any:
    def read(net: Building, op: Operator, args: Sequence[Given], names: Sequence[str]) -> Value:
        value = value_of(args[0])
        return pooled(net, value, range(2, value.places.ndim), True, largest)

    return read


def _reduce(largest: bool) -> Any:
    def read(net: Building, op: Operator, args: Sequence[Given], names: Sequence[str]) -> Value:
        value = value_of(args[0])
        known = [None if isinstance(a, Value | Bent) else a for a in args]
        axes = integers(op, "axes", known, 1)
        if axes is None or 0 in [axis % value.places.ndim for axis in axes]:
            raise LackingError("it takes in the whole batch; name the axes of a map")
        keep = bool(op.fields.get("keepdims", 1))
        made = pooled(net, value, axes, keep, largest)
        if op.kind == "ReduceSum":
            made = net.affine(made, value.places.size / max(1, made.places.size), 0)
        return made

    return read


def _gemm(net: Building, op: Operator, args: Sequence[Given], names: Sequence[str]) -> Value:
    value, weight = value_of(args[0]), array_of(args[1], "second matrix")
    bias = _optional(args, 2, "bias")
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
    bias = _optional(args, 2, "bias")
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
    "MaxPool": _pool((MaxPool1D, MaxPool2D)),
    "AveragePool": _pool((AvgPool1D, AvgPool2D)),
    "GlobalMaxPool": _global(largest=True),
    "GlobalAveragePool": _global(largest=False),
    "ReduceMax": _reduce(largest=True),
    "ReduceMean": _reduce(largest=False),
    "ReduceSum": _reduce(largest=False),
    "Gemm": _gemm,
    "MatMul": _matmul,
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm,
}
"""Operator -> the layer it is: of its inputs, and the names these have in the file."""
