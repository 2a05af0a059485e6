"""A network while it is made from an ONNX graph: layers, and values as layers need them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from beak.engine.moves import order_of
from beak.errors import NetworkError, ShapeError
from beak.exchange.onnx_views import (
    Array,
    Block,
    LackingError,
    Value,
    block_of,
    channels_along,
    whole,
)
from beak.exchange.onnx_windows import at_places, by_channel, padding_of, spread, spread_channels
from beak.network.layer import Layer, Shape, count
from beak.network.layers import (
    Activation,
    BatchNorm,
    Conv1D,
    Conv2D,
    Dense,
    Flatten,
    Opaque,
    Pad,
    PositionBias,
    Reshape,
)
from beak.runs.model import VALUES_LIMIT
from beak.shapes import shape_text

UNMOVABLE = "its numbers are moved about (Reshape, Transpose, …) as no layer of beak's does"
WIDEST = 1 << 26
"""Numbers of one value."""
SCOPED = ("relu", "norm", "add", "multiply", "concat", "pad", "select")
"""Made names that begin like the node they read: "layer1.0." of "layer1.0.conv1"."""


class Building:
    """Nodes in order with their arrays; what stands in ``plain`` came from bare sums."""

    def __init__(self, shape: Shape) -> None:
        self.input = shape
        self.layers: dict[str, Layer] = {}
        self.inputs: dict[str, tuple[str, ...]] = {}
        self.shapes: dict[str, Shape] = {"input": shape}
        self.arrays: dict[str, dict[str, Array]] = {}
        self.plain: set[str] = set()
        """Batch norms that are a scale and a shift of the graph's own arithmetic."""
        self.made: dict[str, str] = {}
        """Names that were made, and what they begin with."""
        self._numbers: dict[str, int] = {}
        self._values = 0

    def add(
        self,
        layer: Layer,
        inputs: Sequence[str],
        arrays: Mapping[str, Array] | None = None,
        name: str = "",
    ) -> str:
        """A new node; its name. LackingError where it does not fit."""
        try:
            shapes = [self.shapes[one] for one in inputs]
            out = layer.output(*shapes)
            wanted = layer.parameters(*shapes)
        except (ShapeError, NetworkError) as error:
            raise LackingError(str(error)) from None
        self._values += count(out)
        if count(out) > WIDEST or self._values > VALUES_LIMIT:
            raise LackingError(f"{shape_text(out)} numbers come out; that is more than beak takes")
        given = {key: np.asarray(value, np.float32) for key, value in (arrays or {}).items()}
        for key, parameter in wanted.items():
            if given[key].shape != parameter.shape:
                came, needed = shape_text(given[key].shape), shape_text(parameter.shape)
                raise LackingError(f"its {key} is {came or 'one number'}, {needed} was wanted")
        made = self._name(name, layer, inputs[0])
        self.layers[made], self.inputs[made] = layer, tuple(inputs)
        self.shapes[made], self.arrays[made] = out, given
        return made

    def value(self, node: str) -> Value:
        """All of a node's output as it is."""
        return Value(node, whole(self.shapes[node]))

    def each(self, value: Value, layer: Layer, name: str = "") -> Value:
        """A function of each number; where the numbers stand does not matter."""
        value = self.without_padding(value)
        return Value(self.add(layer, [value.node], name=name), value.places)

    def function(self, value: Value, function: str) -> Value:
        """An activation."""
        return self.each(value, Activation(function))

    def block(self, value: Value) -> Block:
        """A value as a block of its node's map; LackingError where it is none."""
        found = block_of(value.places, self.shapes[value.node])
        if found is None:
            raise LackingError(UNMOVABLE)
        return found

    def without_padding(self, value: Value) -> Value:
        """The value with no zeros but a node's own."""
        if not value.padded:
            return value
        (made,) = self.alike([value])
        return made

    def alike(self, values: Sequence[Value]) -> list[Value]:
        """Each value as a node's whole output, all in one order: channels first, or last."""
        axes = values[0].places.ndim
        last = (0, axes - 1, *range(1, axes - 1))
        first = block_of(values[0].places, self.shapes[values[0].node])
        order = tuple(range(axes)) if first is not None or axes < 3 else last
        back = tuple(int(axis) for axis in np.argsort(order))
        settled = [self.settled(Value(v.node, v.places.transpose(order))) for v in values]
        return [Value(v.node, v.places.transpose(back)) for v in settled]

    def settled(self, value: Value) -> Value:
        """The same numbers as a node's whole output, in its order."""
        shape = self.shapes[value.node]
        if np.array_equal(value.places, whole(shape)):
            return value
        if len(value.places) == 1 and count(shape) == value.places.size:
            flat = value.places.ravel()
            if value.places.ndim == 2 and np.array_equal(flat, np.arange(len(flat))):
                return self.value(self.flat(value.node))
        value = self.laid_out(value)
        if np.array_equal(value.places, whole(self.shapes[value.node])):
            return value
        shape, block = self.shapes[value.node], self.block(value)
        node = value.node
        if not block.takes_all(shape):
            node = self._chosen(node, block.channels)
        if any(map(any, block.margins)):
            node = self._margins(node, block.margins)
        return self.value(node)

    def laid_out(self, value: Value) -> Value:
        """Numbers that are only laid out otherwise, as a map of a node's own: a Reshape."""
        shape, target = self.shapes[value.node], value.shape[1:]
        fits = (
            len(value.places) == 1 and 2 <= len(target) <= 3 and value.places.size == count(shape)
        )
        if not fits or count(target[1:]) == 1 or block_of(value.places, shape) is not None:
            return value
        for last in (False, True):
            layer = Reshape(target, last)
            if np.array_equal(order_of(layer, shape), value.places.ravel()):
                return self.value(self.add(layer, [value.node]))
        return value

    def flat(self, node: str) -> str:
        """A node's numbers in one row; their places are the same."""
        return node if len(self.shapes[node]) == 1 else self.add(Flatten(), [node])

    def _chosen(self, node: str, channels: Array) -> str:
        """Channels by number: a 1x1 convolution of ones and zeros."""
        axes = len(self.shapes[node]) - 1
        weight = np.zeros((len(channels), self.shapes[node][0], *(1,) * axes), np.float32)
        weight[np.arange(len(channels)), channels] = 1
        kind = Conv2D if axes == 2 else Conv1D
        return self.add(kind(len(channels), 1, bias=False), [node], {"weight": weight}, "select")

    def _margins(self, node: str, margins: Sequence[tuple[int, int]]) -> str:
        """Rows and columns of zeros added, or some cut off."""
        before, after = (tuple(margin[end] for margin in margins) for end in (0, 1))
        if len(margins) == 1:
            return self.add(Pad(before[0], after[0]), [node], name="pad")
        return self.add(Pad(before, after), [node], name="pad")

    def convolution(
        self,
        node: str,
        weight: Array,
        bias: Array | None,
        pads: Sequence[tuple[int, int]],
        stride: Sequence[int] = (),
        dilation: Sequence[int] = (),
        groups: int = 1,
        name: str = "",
    ) -> str:
        """Filters over a node's map with any padding: below 0 it cuts off.

        Where padding differs at both ends as no layer has it, filters grow by zeros.
        """
        sizes, axes = self.shapes[node][1:], weight.ndim - 2
        stride, dilation = tuple(stride) or (1,) * axes, tuple(dilation) or (1,) * axes
        kernel = weight.shape[2:]
        padding = padding_of(sizes, kernel, stride, dilation, pads)
        if padding is None:
            weight, dilation = spread(weight, dilation), (1,) * axes
            even = tuple(max(0, *both) for both in pads)
            grown = [(p - b, p - e) for p, (b, e) in zip(even, pads, strict=True)]
            if (
                count(weight.shape[:2])
                * count(k + sum(g) for k, g in zip(weight.shape[2:], grown, strict=True))
                > WIDEST
            ):
                raise LackingError("its padding is far too large")
            weight = np.pad(weight, [(0, 0), (0, 0), *grown])
            padding, kernel = even, weight.shape[2:]
        steps: list[Any] = [kernel, stride, padding, dilation]
        if axes == 1:
            steps = [one[0] if isinstance(one, tuple) else one for one in steps]
        kind = Conv2D if axes == 2 else Conv1D
        window, stride_, pad, gap = steps
        layer = kind(len(weight), window, stride_, pad, gap, groups, bias=bias is not None)
        arrays = {"weight": weight} if bias is None else {"weight": weight, "bias": bias}
        return self.add(layer, [node], arrays, name)

    def dense(
        self, value: Value, weight: Array, bias: Array | None = None, name: str = ""
    ) -> Value:
        """The value's last axis times weight (n, units), plus bias (units,)."""
        units = weight.shape[1]
        shape, rest = self.shapes[value.node], value.shape[:-1]
        if value.shape[-1] != len(weight):
            raise LackingError(f"{value.shape[-1]} numbers meet weights for {len(weight)}")
        arrays = {} if bias is None else {"bias": bias}
        if count(rest) == 1:
            node = self.flat(value.node)
            there = value.places.ravel() >= 0
            if units * count(shape) > WIDEST * 8:
                raise LackingError("its weights are larger than beak takes")
            columns = np.zeros((count(shape), units), np.float32)
            np.add.at(columns, value.places.ravel()[there], weight[there])
            layer = Dense(units, bias=bias is not None)
            node = self.add(layer, [node], {"weight": columns.T, **arrays}, name)
            return Value(node, np.arange(units).reshape(*rest, units))
        found = channels_along(value.places, -1, shape)
        if found is None or len(shape) == 1:
            raise LackingError(UNMOVABLE)
        ones = (1,) * (len(shape) - 1)
        filters = spread_channels(weight.T.reshape(units, -1, *ones), found[0], shape[0])
        pads = [(0, 0)] * len(ones)
        node = self.convolution(value.node, filters, bias, pads, name=name)
        return Value(node, found[1][..., None] + np.arange(units) * count(shape[1:]))

    def affine(self, value: Value, scale: Array | float, shift: Array | float) -> Value:
        """Scale x value + shift, both as large as the value or spread over it."""
        value = self.without_padding(value)
        shape = self.shapes[value.node]
        try:
            spread = [
                np.broadcast_to(np.asarray(v, np.float64), value.shape) for v in (scale, shift)
            ]
        except ValueError:
            raise LackingError(
                f"{shape_text(np.shape(scale) or np.shape(shift))} meets "
                f"{shape_text(value.shape)}, which is spread no further"
            ) from None
        scales, there = at_places(value.places, spread[0], count(shape), 1.0)
        shifts, _ = at_places(value.places, spread[1], count(shape), 0.0)
        rows = (shape[0], -1)
        both = [by_channel(v.reshape(rows), there.reshape(rows)) for v in (scales, shifts)]
        if both[0] is not None and both[1] is not None:
            return Value(self._norm(value.node, both[0], both[1]), value.places)
        if (scales == 1).all() and len(shape) > 1:
            filled = shifts.reshape(shape)
            if (filled == filled[:1]).all():
                node = self.add(PositionBias(), [value.node], {"bias": filled[0]})
                return Value(node, value.places)
        node = self._norm(self.flat(value.node), scales, shifts)
        return Value(node, value.places)

    def _norm(self, node: str, scale: Array, shift: Array) -> str:
        size = self.shapes[node][0]
        arrays = {
            "weight": scale, "bias": shift,
            "running_mean": np.zeros(size), "running_var": np.ones(size),
        }  # fmt: skip
        made = self.add(BatchNorm(epsilon=0), [node], arrays)
        self.plain.add(made)
        return made

    def _name(self, given: str, layer: Layer, reads: str) -> str:
        """A name of its own: as given, or by kind and number."""
        prefix = layer.function if isinstance(layer, Activation) else layer.prefix
        if isinstance(layer, Opaque):
            prefix = layer.operator.lower().replace("normalization", "norm")
        if given in SCOPED:
            prefix, given = given, ""
        if given and given != "input" and given not in self.layers:
            return given
        scoped = isinstance(layer, Activation) or prefix in SCOPED
        scope = f"{reads.rpartition('.')[0]}." if scoped and "." in reads else ""
        while True:
            number = self._numbers[scope + prefix] = self._numbers.get(scope + prefix, 0) + 1
            name = f"{scope}{prefix}{number}"
            if name not in self.layers:
                self.made[name] = scope + prefix
                return name
