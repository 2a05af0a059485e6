"""Nodes of a network become calls of native kernels: one function per kind of layer.

Each takes its inputs' tensors, emits the forward calls and returns the output with a function
that, when backward comes by, emits the calls for the gradients. Gradient tensors are never
written twice: one may be shared by several branches.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from beak.engine.slots import Slots, running_statistics
from beak.engine.tape import Tape, Tensor
from beak.network import layers
from beak.network.network import Network, Node
from beak.ops.activation import kernels as activation
from beak.ops.convolution import kernels as convolution
from beak.ops.dense import kernels as dense
from beak.ops.elementwise import kernels as elementwise
from beak.ops.embedding import kernels as embedding
from beak.ops.normalisation import kernels as normalisation
from beak.ops.panels import padded
from beak.ops.pooling import kernels as pooling
from beak.ops.random import kernels as random

Array = np.ndarray[Any, Any]
Order = tuple[int, int, int] | None
Backward = Callable[[Tensor, Sequence[bool]], list[Tensor | None]]

GRADIENT_PARTS = 8
"""Into how many sums a weight gradient is split over the images of a batch."""
STATISTICS_PARTS = 16


@dataclass
class Context:
    """What lowering needs to know besides the node itself."""

    tape: Tape
    slots: Slots
    parameters: Array
    fixed: Array
    gradient: Array
    settings: Array
    """int64 (2,): seed and epoch of the step that runs."""
    examples: Array
    """int64 (images,): the examples' numbers."""
    training: bool
    """Batch statistics and dropout, as in a training step."""

    def parameter(self, name: str) -> Array:
        """A parameter's floats in the native layout."""
        slot = self.slots[name]
        return (self.parameters if name in self.slots.trainable else self.fixed)[slot.range]

    def gradient_of(self, name: str) -> Array:
        """Where a parameter's gradient goes."""
        return self.gradient[self.slots[name].range]


@dataclass
class Lowered:
    """A node's output and how to go back through it."""

    output: Tensor
    backward: Backward
    from_logits: Backward | None = None
    """Of a layer with an activation: back from before that activation."""
    touched: Array | None = None
    """Of an embedding: which rows the batch touched (uint8)."""


def dimensions(shape: Sequence[int]) -> tuple[int, int, int]:
    """Height, width, channels of a network's shape: (C, H, W), (C, L) or (n,)."""
    if len(shape) == 3:
        return shape[1], shape[2], shape[0]
    if len(shape) == 2:
        return 1, shape[1], shape[0]
    return 1, 1, shape[0]


def split(count: int) -> int:
    """Into how many parts elementwise work on so many floats is split."""
    return max(1, min(64, count // 8192))


def orders(network: Network) -> dict[str, Order]:
    """By node, the order that its (first) input's flat features lie in (see Tensor.order)."""
    out: dict[str, Order] = {"input": None}
    into: dict[str, Order] = {}
    for node in network.nodes:
        before = [out[name] for name in node.inputs]
        into[node.name] = before[0]
        out[node.name] = _order_behind(node, before)
    return into


def _order_behind(node: Node, before: list[Order]) -> Order:
    if isinstance(node.layer, layers.Flatten):
        height, width, channels = dimensions(node.input_shapes[0])
        if channels > 1 and height * width > 1:
            return channels, height, width
        return before[0]
    if isinstance(node.layer, layers.Dropout | layers.Activation):
        return before[0]
    return None


def straight(c: Context, tensor: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """Features in the network's own order, and the way back for their gradient."""
    if tensor.order is None:
        return tensor, lambda gradient: gradient
    order = tensor.order
    channels, places = order[0], order[1] * order[2]

    def turn(source: Tensor, rows: int, columns: int, to: Order) -> Tensor:
        out = c.tape.tensor(source.images, 1, 1, source.channels, order=to)
        c.tape.emit(
            elementwise.TRANSPOSE_IMAGES,
            source.images,
            x=source,
            y=out,
            images=source.images,
            rows=rows,
            columns=columns,
        )
        return out

    back = lambda gradient: turn(gradient, channels, places, order)  # noqa: E731
    return turn(tensor, places, channels, None), back


def relu_gradient(c: Context, y: Tensor, dy: Tensor) -> Tensor:
    """dy where the unit was alive."""
    return activation_gradient(c, "relu", None, y, dy)


def activation_gradient(
    c: Context, function: str, x: Tensor | None, y: Tensor, dy: Tensor
) -> Tensor:
    """dy times the derivative of an activation."""
    dx = c.tape.like(dy)
    c.tape.emit(
        activation.ACTIVATION_BACKWARD,
        split(y.count),
        x=x,
        y=y,
        dy=dy,
        dx=dx,
        count=y.count,
        function=activation.FUNCTIONS.index(function),
    )
    return dx


def activate(
    c: Context, function: str | None, x: Tensor
) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """An activation as a call of its own, and the way back."""
    if function is None:
        return x, lambda dy: dy
    y = c.tape.like(x)
    if function == "softmax":
        rows, channels = (x.rows, x.channels)
        c.tape.emit(
            activation.SOFTMAX_FORWARD, split(x.count), x=x, y=y, rows=rows, channels=channels
        )

        def softmax_back(dy: Tensor) -> Tensor:
            dx = c.tape.like(dy)
            c.tape.emit(
                activation.SOFTMAX_BACKWARD,
                split(y.count),
                y=y,
                dy=dy,
                dx=dx,
                rows=rows,
                channels=channels,
            )
            return dx

        return y, softmax_back
    c.tape.emit(
        activation.ACTIVATION_FORWARD,
        split(x.count),
        x=x,
        y=y,
        count=x.count,
        function=activation.FUNCTIONS.index(function),
    )
    keeps_input = function in ("gelu", "silu", "hard_swish")
    return y, lambda dy: activation_gradient(c, function, x if keeps_input else None, y, dy)


def _convolution(c: Context, node: Node, inputs: list[Tensor], relu: bool) -> Lowered:
    layer = node.layer
    assert isinstance(layer, layers.Conv1D | layers.Conv2D)
    x = inputs[0]
    out_h, out_w, filters = dimensions(node.output)
    windows = _windows(layer.geometry(node.input_shapes[0]))
    weight = c.parameter(f"{node.name}.weight")
    bias = c.parameter(f"{node.name}.bias") if layer.bias else None
    y = c.tape.tensor(x.images, out_h, out_w, filters)
    shape = {
        "images": x.images,
        "in_h": x.height,
        "in_w": x.width,
        "in_channels": x.channels,
        "out_h": out_h,
        "out_w": out_w,
        "out_channels": filters,
        "groups": layer.groups,
        **windows,
        "spread_h": 1,
        "spread_w": 1,
        "relu": int(relu or layer.activation == "relu"),
        "bands": _bands(x.images, out_h),
    }
    c.tape.emit(
        convolution.FORWARD,
        x.images * shape["bands"],
        x=x,
        weight=weight,
        bias=bias,
        y=y,
        **shape,
    )
    fused = bool(shape["relu"])
    if fused:
        output, through = y, lambda dy: relu_gradient(c, y, dy)
    else:
        output, through = activate(c, layer.activation, y)

    def linear(dy: Tensor, wanted: Sequence[bool]) -> list[Tensor | None]:
        _weight_gradient(c, node, shape, x, dy, layer.bias)
        return [_input_gradient(c, node, shape, x, dy) if wanted[0] else None]

    return Lowered(output, lambda dy, wanted: linear(through(dy), wanted), linear)


def _windows(geometry: layers.Geometry) -> dict[str, int]:
    """A kernel's window fields; a sequence is a picture of height 1."""
    (pad_top, _), (pad_left, _) = ((0, 0), *geometry.padding)[-2:]
    fields = {"pad_top": pad_top, "pad_left": pad_left}
    for name, values in (
        ("window", geometry.kernel),
        ("stride", geometry.stride),
        ("dilation", geometry.dilation),
    ):
        fields[f"{name}_h"], fields[f"{name}_w"] = (1, *values)[-2:]
    return fields


def _bands(images: int, rows: int) -> int:
    return 1 if images >= 8 else max(1, min(rows, -(-8 // images)))


def _weight_gradient(
    c: Context, node: Node, shape: dict[str, int], x: Tensor, dy: Tensor, bias: bool
) -> None:
    size = c.slots[f"{node.name}.weight"].size
    bias_size = c.slots[f"{node.name}.bias"].size if bias else 0
    parts = min(GRADIENT_PARTS, x.images)
    stride = size + bias_size
    partials = c.tape.floats(parts * stride)
    c.tape.emit(
        convolution.WEIGHT_GRADIENT,
        parts,
        x=x,
        weight=None,
        bias=None,
        y=None,
        **{**shape, "relu": 0, "bands": 1},
        dy=dy,
        partials=partials,
        stride=stride,
        bias_at=size if bias else -1,
    )
    for field, begin, count in (("weight", 0, size), ("bias", size, bias_size)):
        if count:
            c.tape.emit(
                elementwise.SUM_PARTS,
                split(count * parts),
                partials=partials.behind(begin),
                y=c.gradient_of(f"{node.name}.{field}"),
                partial_parts=parts,
                count=count,
                stride=stride,
            )


def _turn_filters(
    c: Context, weight: Array, groups: int, window: int, channels: int, filters: int
) -> Tensor:
    """Weights with inputs and outputs exchanged, as the input gradient wants them."""
    turned = c.tape.floats(groups * padded(channels) * window * filters)
    c.tape.emit(
        convolution.TURN_FILTERS,
        split(turned.count * 4),
        weight=weight,
        turned=turned,
        groups=groups,
        window=window,
        channels=channels,
        filters=filters,
    )
    return turned


def _input_gradient(c: Context, node: Node, shape: dict[str, int], x: Tensor, dy: Tensor) -> Tensor:
    groups, window_h, window_w = shape["groups"], shape["window_h"], shape["window_w"]
    channels, filters = shape["in_channels"], shape["out_channels"]
    turned = _turn_filters(
        c,
        c.parameter(f"{node.name}.weight"),
        groups,
        window_h * window_w,
        channels // groups,
        filters // groups,
    )
    dx = c.tape.like(x)
    bands = _bands(x.images, x.height)
    c.tape.emit(
        convolution.FORWARD,
        x.images * bands,
        x=dy,
        weight=turned,
        bias=None,
        y=dx,
        images=x.images,
        in_h=shape["out_h"],
        in_w=shape["out_w"],
        in_channels=filters,
        out_h=x.height,
        out_w=x.width,
        out_channels=channels,
        groups=groups,
        window_h=window_h,
        window_w=window_w,
        stride_h=1,
        stride_w=1,
        dilation_h=shape["dilation_h"],
        dilation_w=shape["dilation_w"],
        pad_top=shape["dilation_h"] * (window_h - 1) - shape["pad_top"],
        pad_left=shape["dilation_w"] * (window_w - 1) - shape["pad_left"],
        spread_h=shape["stride_h"],
        spread_w=shape["stride_w"],
        relu=0,
        bands=bands,
    )
    return dx


def _dense(c: Context, node: Node, inputs: list[Tensor], relu: bool) -> Lowered:
    layer = node.layer
    assert isinstance(layer, layers.Dense)
    x, images = inputs[0], inputs[0].images
    weight = c.parameter(f"{node.name}.weight")
    bias = f"{node.name}.bias" if layer.bias else None
    y = c.tape.tensor(images, 1, 1, layer.units)
    fused = relu or layer.activation == "relu"
    c.tape.emit(
        dense.FORWARD,
        _dense_parts(images, layer.units),
        x=x,
        weight=weight,
        bias=None if bias is None else c.parameter(bias),
        y=y,
        rows=images,
        inputs=x.channels,
        outputs=layer.units,
        relu=int(fused),
    )
    if fused:
        output, through = y, lambda dy: relu_gradient(c, y, dy)
    else:
        output, through = activate(c, layer.activation, y)

    def linear(dy: Tensor, wanted: Sequence[bool]) -> list[Tensor | None]:
        c.tape.emit(
            dense.WEIGHT_GRADIENT,
            min(64, padded(layer.units) // 16 * -(-x.channels // 96)),
            x=x,
            dy=dy,
            dweight=c.gradient_of(f"{node.name}.weight"),
            dbias=None if bias is None else c.gradient_of(bias),
            rows=images,
            inputs=x.channels,
            outputs=layer.units,
        )
        if not wanted[0]:
            return [None]
        turned = _turn_filters(c, weight, 1, 1, x.channels, layer.units)
        dx = c.tape.like(x)
        c.tape.emit(
            dense.FORWARD,
            _dense_parts(images, x.channels),
            x=dy,
            weight=turned,
            bias=None,
            y=dx,
            rows=images,
            inputs=layer.units,
            outputs=x.channels,
            relu=0,
        )
        return [dx]

    return Lowered(output, lambda dy, wanted: linear(through(dy), wanted), linear)


def _dense_parts(rows: int, outputs: int) -> int:
    return min(64, -(-rows // 48) * (padded(outputs) // 16))


def _pool(c: Context, node: Node, inputs: list[Tensor], relu: bool) -> Lowered:
    layer = node.layer
    assert isinstance(
        layer, layers.MaxPool1D | layers.MaxPool2D | layers.AvgPool1D | layers.AvgPool2D
    )
    x = inputs[0]
    out_h, out_w, channels = dimensions(node.output)
    windows = _windows(layer.geometry(node.input_shapes[0]))
    del windows["dilation_h"], windows["dilation_w"]
    y = c.tape.tensor(x.images, out_h, out_w, channels)
    largest = isinstance(layer, layers.MaxPool1D | layers.MaxPool2D)
    winner = c.tape.like(y, itemsize=2) if largest else None
    shape = {
        "images": x.images,
        "channels": channels,
        "in_h": x.height,
        "in_w": x.width,
        "out_h": out_h,
        "out_w": out_w,
        **windows,
    }
    forward, back = (
        (pooling.MAX_POOL_FORWARD, pooling.MAX_POOL_BACKWARD)
        if largest
        else (pooling.AVG_POOL_FORWARD, pooling.AVG_POOL_BACKWARD)
    )
    c.tape.emit(forward, x.images, x=x, y=y, winner=winner, **shape)

    def backward(dy: Tensor, wanted: Sequence[bool]) -> list[Tensor | None]:
        dx = c.tape.like(x)
        c.tape.emit(back, x.images, x=dx, y=dy, winner=winner, **shape)
        return [dx]

    return Lowered(y, backward)


def _global_pool(c: Context, node: Node, inputs: list[Tensor], relu: bool) -> Lowered:
    x = inputs[0]
    y = c.tape.tensor(x.images, 1, 1, x.channels)
    shape = {"images": x.images, "places": x.places, "channels": x.channels}
    largest = isinstance(node.layer, layers.GlobalMaxPool)
    winner = c.tape.like(y) if largest else None
    keep = {"winner": winner} if largest else {}
    forward = pooling.GLOBAL_MAX_FORWARD if largest else pooling.GLOBAL_AVG_FORWARD
    back = pooling.GLOBAL_MAX_BACKWARD if largest else pooling.GLOBAL_AVG_BACKWARD
    c.tape.emit(forward, x.images, x=x, y=y, **keep, **shape)

    def backward(dy: Tensor, wanted: Sequence[bool]) -> list[Tensor | None]:
        dx = c.tape.like(x)
        c.tape.emit(back, x.images, dx=dx, dy=dy, **keep, **shape)
        return [dx]

    return Lowered(y, backward)


def _flatten(c: Context, node: Node, inputs: list[Tensor], relu: bool) -> Lowered:
    x = inputs[0]
    order = (x.channels, x.height, x.width) if x.channels > 1 and x.places > 1 else x.order
    y = x.view(1, 1, x.places * x.channels, order)
    return Lowered(y, lambda dy, wanted: [dy.view(x.height, x.width, x.channels, x.order)])


def _batch_norm(c: Context, node: Node, inputs: list[Tensor], relu: bool) -> Lowered:
    layer = node.layer
    assert isinstance(layer, layers.BatchNorm)
    x, back = straight(c, inputs[0])
    rows, channels = x.rows, x.channels
    running_mean, running_var = (c.parameter(name) for name in running_statistics(node))
    mean: Tensor | Array = running_mean
    inverse = c.tape.floats(channels)
    parts = max(1, min(STATISTICS_PARTS, rows // 16))
    if c.training:
        partials = c.tape.floats(parts * 2 * channels, itemsize=8)
        c.tape.emit(
            normalisation.BATCH_NORM_STATISTICS,
            parts,
            x=x,
            partials=partials,
            rows=rows,
            channels=channels,
        )
        mean = c.tape.floats(channels)
        c.tape.emit(
            normalisation.BATCH_NORM_FINISH,
            1,
            partials=partials,
            mean=mean,
            inverse=inverse,
            running_mean=running_mean,
            running_var=running_var,
            partial_parts=parts,
            rows=rows,
            channels=channels,
            epsilon=layer.epsilon,
            momentum=layer.momentum,
        )
    else:
        c.tape.emit(
            normalisation.BATCH_NORM_INVERSE,
            1,
            variance=running_var,
            inverse=inverse,
            channels=channels,
            epsilon=layer.epsilon,
        )
    y = c.tape.like(x)
    function = 0 if relu else -1
    weight, bias = c.parameter(f"{node.name}.weight"), c.parameter(f"{node.name}.bias")
    c.tape.emit(
        normalisation.BATCH_NORM_APPLY,
        split(x.count),
        x=x,
        y=y,
        mean=mean,
        inverse=inverse,
        weight=weight,
        bias=bias,
        rows=rows,
        channels=channels,
        function=function,
    )

    def backward(dy: Tensor, wanted: Sequence[bool]) -> list[Tensor | None]:
        sums = c.tape.floats(parts * 2 * channels, itemsize=8)
        c.tape.emit(
            normalisation.BATCH_NORM_BACKWARD_SUMS,
            parts,
            x=x,
            y=y,
            dy=dy,
            mean=mean,
            inverse=inverse,
            partials=sums,
            rows=rows,
            channels=channels,
            function=function,
        )
        dweight, dbias = (c.gradient_of(f"{node.name}.{field}") for field in ("weight", "bias"))
        c.tape.emit(
            normalisation.BATCH_NORM_BACKWARD_FINISH,
            1,
            partials=sums,
            dweight=dweight,
            dbias=dbias,
            partial_parts=parts,
            channels=channels,
        )
        if not wanted[0]:
            return [None]
        dx = c.tape.like(x)
        c.tape.emit(
            normalisation.BATCH_NORM_BACKWARD_APPLY,
            split(x.count),
            x=x,
            y=y,
            dy=dy,
            dx=dx,
            mean=mean,
            inverse=inverse,
            weight=weight,
            dweight=dweight,
            dbias=dbias,
            rows=rows,
            channels=channels,
            function=function,
            training=int(c.training),
        )
        return [back(dx)]

    return Lowered(y, backward)


def _layer_norm(c: Context, node: Node, inputs: list[Tensor], relu: bool) -> Lowered:
    layer = node.layer
    assert isinstance(layer, layers.LayerNorm)
    x, back = straight(c, inputs[0])
    y, mean, inverse = c.tape.like(x), c.tape.floats(x.rows), c.tape.floats(x.rows)
    weight, bias = c.parameter(f"{node.name}.weight"), c.parameter(f"{node.name}.bias")
    c.tape.emit(
        normalisation.LAYER_NORM_FORWARD,
        split(x.count),
        x=x,
        y=y,
        mean=mean,
        inverse=inverse,
        weight=weight,
        bias=bias,
        rows=x.rows,
        channels=x.channels,
        epsilon=layer.epsilon,
    )

    def backward(dy: Tensor, wanted: Sequence[bool]) -> list[Tensor | None]:
        parts = max(1, min(STATISTICS_PARTS, x.rows // 16))
        sums = c.tape.floats(parts * 2 * x.channels, itemsize=8)
        dx = c.tape.like(x)
        c.tape.emit(
            normalisation.LAYER_NORM_BACKWARD,
            parts,
            x=x,
            dy=dy,
            dx=dx,
            mean=mean,
            inverse=inverse,
            weight=weight,
            partials=sums,
            rows=x.rows,
            channels=x.channels,
        )
        c.tape.emit(
            normalisation.BATCH_NORM_BACKWARD_FINISH,
            1,
            partials=sums,
            dweight=c.gradient_of(f"{node.name}.weight"),
            dbias=c.gradient_of(f"{node.name}.bias"),
            partial_parts=parts,
            channels=x.channels,
        )
        return [back(dx)]

    return Lowered(y, backward)


def _dropout(c: Context, node: Node, inputs: list[Tensor], relu: bool) -> Lowered:
    layer = node.layer
    assert isinstance(layer, layers.Dropout)
    x = inputs[0]
    if not c.training or layer.rate == 0:
        return Lowered(x, lambda dy, wanted: [dy])
    channels, height, width = x.order or (x.channels, x.height, x.width)

    def drop(source: Tensor) -> Tensor:
        out = c.tape.like(source)
        c.tape.emit(
            random.DROPOUT,
            split(source.count),
            x=source,
            y=out,
            settings=c.settings,
            examples=c.examples,
            images=source.images,
            places=height * width,
            channels=channels,
            node=zlib.crc32(node.name.encode()),
            rate=layer.rate,
        )
        return out

    return Lowered(drop(x), lambda dy, wanted: [drop(dy)])


def _activation(c: Context, node: Node, inputs: list[Tensor], relu: bool) -> Lowered:
    layer = node.layer
    assert isinstance(layer, layers.Activation)
    y, through = activate(c, layer.function, inputs[0])
    return Lowered(y, lambda dy, wanted: [through(dy)])


def _embedding(c: Context, node: Node, inputs: list[Tensor], relu: bool) -> Lowered:
    layer = node.layer
    assert isinstance(layer, layers.Embedding)
    words = inputs[0]
    y = c.tape.tensor(words.images, 1, words.channels, layer.dimensions)
    name = f"{node.name}.weight"
    shape = {
        "images": words.images,
        "length": words.channels,
        "vocabulary": layer.words,
        "dimensions": layer.dimensions,
        "padding": -1 if layer.padding_index is None else layer.padding_index,
    }
    c.tape.emit(
        embedding.EMBEDDING_FORWARD,
        words.images,
        words=words,
        weight=c.parameter(name),
        y=y,
        **shape,
    )
    touched = np.zeros(layer.words, np.uint8)

    def backward(dy: Tensor, wanted: Sequence[bool]) -> list[Tensor | None]:
        c.tape.emit(
            embedding.EMBEDDING_BACKWARD,
            1,
            words=words,
            dy=dy,
            dweight=c.gradient_of(name),
            touched=touched,
            **shape,
        )
        return [None]

    return Lowered(y, backward, touched=touched)


def _position_bias(c: Context, node: Node, inputs: list[Tensor], relu: bool) -> Lowered:
    x, back = straight(c, inputs[0])
    flat = x.places == 1
    shape = {
        "images": x.images,
        "places": x.channels if flat else x.places,
        "channels": 1 if flat else x.channels,
    }
    y = c.tape.like(x)
    name = f"{node.name}.bias"
    c.tape.emit(elementwise.POSITION_BIAS, x.images, x=x, bias=c.parameter(name), y=y, **shape)

    def backward(dy: Tensor, wanted: Sequence[bool]) -> list[Tensor | None]:
        c.tape.emit(
            elementwise.POSITION_BIAS_BACKWARD, 8, dy=dy, dbias=c.gradient_of(name), **shape
        )
        return [back(dy)]

    return Lowered(y, backward)


def _add(c: Context, node: Node, inputs: list[Tensor], relu: bool) -> Lowered:
    inward = [straight(c, tensor) for tensor in inputs]
    total = inward[0][0]
    for other, _ in inward[1:]:
        total = add(c.tape, total, other)
    return Lowered(total, lambda dy, wanted: [back(dy) for _, back in inward])


def add(tape: Tape, a: Tensor, b: Tensor) -> Tensor:
    """The sum of two tensors of one shape."""
    y = tape.like(a)
    tape.emit(elementwise.ADD, split(a.count), a=a, b=b, y=y, count=a.count)
    return y


def _concat(c: Context, node: Node, inputs: list[Tensor], relu: bool) -> Lowered:
    inward = [straight(c, tensor) for tensor in inputs]
    height, width, channels = dimensions(node.output)
    y = c.tape.tensor(inputs[0].images, height, width, channels)
    begins = np.cumsum([0, *(tensor.channels for tensor, _ in inward)]).tolist()

    def copy(x: Tensor, to: Tensor, x_offset: int, y_offset: int, count: int) -> None:
        c.tape.emit(
            elementwise.COPY_CHANNELS,
            split(x.rows * count),
            x=x,
            y=to,
            rows=x.rows,
            x_channels=x.channels,
            y_channels=to.channels,
            x_offset=x_offset,
            y_offset=y_offset,
            count=count,
        )

    for (tensor, _), begin in zip(inward, begins, strict=False):
        copy(tensor, y, 0, begin, tensor.channels)

    def backward(dy: Tensor, wanted: Sequence[bool]) -> list[Tensor | None]:
        gradients: list[Tensor | None] = []
        for (tensor, back), begin in zip(inward, begins, strict=False):
            dx = c.tape.like(tensor)
            copy(dy, dx, begin, 0, tensor.channels)
            gradients.append(back(dx))
        return gradients

    return Lowered(y, backward)


def _multiply(c: Context, node: Node, inputs: list[Tensor], relu: bool) -> Lowered:
    """Products from left to right; the way back goes from right to left."""
    inward = [straight(c, tensor) for tensor in inputs]
    steps: list[tuple[Tensor, Tensor]] = []
    product = inward[0][0]
    for other, _ in inward[1:]:
        steps.append((product, other))
        product = _product(c, product, other)

    def backward(dy: Tensor, wanted: Sequence[bool]) -> list[Tensor | None]:
        gradients: list[Tensor | None] = []
        for (left, right), (_, back) in zip(reversed(steps), reversed(inward[1:]), strict=True):
            dleft, dright = _product_gradients(c, left, right, dy)
            gradients.insert(0, back(dright))
            dy = dleft
        return [inward[0][1](dy), *gradients]

    return Lowered(product, backward)


def _product(c: Context, a: Tensor, b: Tensor) -> Tensor:
    if a.places < b.places:
        a, b = b, a
    y = c.tape.like(a)
    if a.places == b.places:
        c.tape.emit(elementwise.MULTIPLY, split(a.count), a=a, b=b, y=y, count=a.count)
    else:
        shape = {"images": a.images, "places": a.places, "channels": a.channels}
        c.tape.emit(elementwise.MULTIPLY_CHANNELS, a.images, x=a, scale=b, y=y, **shape)
    return y


def _product_gradients(c: Context, a: Tensor, b: Tensor, dy: Tensor) -> tuple[Tensor, Tensor]:
    if a.places == b.places:
        return _product(c, dy, b), _product(c, dy, a)
    wide, scale = (a, b) if a.places > b.places else (b, a)
    dx, dscale = c.tape.like(wide), c.tape.like(scale)
    c.tape.emit(
        elementwise.MULTIPLY_CHANNELS_BACKWARD,
        wide.images,
        x=wide,
        scale=scale,
        dy=dy,
        dx=dx,
        dscale=dscale,
        images=wide.images,
        places=wide.places,
        channels=wide.channels,
    )
    return (dx, dscale) if wide is a else (dscale, dx)


LOWER: dict[type[layers.Layer], Callable[[Context, Node, list[Tensor], bool], Lowered]] = {
    layers.Conv1D: _convolution,
    layers.Conv2D: _convolution,
    layers.Dense: _dense,
    layers.MaxPool1D: _pool,
    layers.MaxPool2D: _pool,
    layers.AvgPool1D: _pool,
    layers.AvgPool2D: _pool,
    layers.GlobalMaxPool: _global_pool,
    layers.GlobalAvgPool: _global_pool,
    layers.Flatten: _flatten,
    layers.BatchNorm: _batch_norm,
    layers.LayerNorm: _layer_norm,
    layers.Dropout: _dropout,
    layers.Activation: _activation,
    layers.Embedding: _embedding,
    layers.PositionBias: _position_bias,
    layers.Add: _add,
    layers.Concat: _concat,
    layers.Multiply: _multiply,
}
