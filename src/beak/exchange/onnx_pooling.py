"""ONNX operators that pool: windows, whole maps, means over axes; a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from beak.exchange.onnx_building import UNMOVABLE, Building
from beak.exchange.onnx_file import Operator
from beak.exchange.onnx_given import Given, Pads, value_of, windows
from beak.exchange.onnx_moves import integers
from beak.exchange.onnx_views import Bent, LackingError, Value
from beak.exchange.onnx_windows import padding_of
from beak.network.layer import Layer, count
from beak.network.layers import (
    Activation,
    AvgPool1D,
    AvgPool2D,
    GlobalAvgPool,
    GlobalMaxPool,
    MaxPool1D,
    MaxPool2D,
)

NONNEGATIVE = ("relu", "sigmoid", "softmax")
KEEPING = (MaxPool1D, MaxPool2D, AvgPool1D, AvgPool2D, GlobalAvgPool, GlobalMaxPool)


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
        value = net.laid_out(value)
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
    value = net.without_padding(value)
    shape = net.shapes[value.node]
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


POOLING: dict[str, Callable[[Building, Operator, Sequence[Given], Sequence[str]], Value]] = {
    "MaxPool": _pool((MaxPool1D, MaxPool2D)),
    "AveragePool": _pool((AvgPool1D, AvgPool2D)),
    "GlobalMaxPool": _global(largest=True),
    "GlobalAveragePool": _global(largest=False),
    "ReduceMax": _reduce(largest=True),
    "ReduceMean": _reduce(largest=False),
    "ReduceSum": _reduce(largest=False),
}
"""Operator -> the pooling it is: of its inputs, and the names these have in the file."""
