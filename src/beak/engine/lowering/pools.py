"""Pooling layers as calls."""

from __future__ import annotations

from collections.abc import Sequence

from beak.engine.fusion import Fused
from beak.engine.lowering.activations import relu_gradient
from beak.engine.lowering.context import Context, Lowered, dimensions
from beak.engine.lowering.convolutions import window_fields
from beak.engine.tape import Tensor
from beak.network import layers
from beak.network.network import Node
from beak.ops.pooling import kernels as pooling


def lower_pool(c: Context, node: Node, inputs: list[Tensor], fused: Fused) -> Lowered:
    """Largest or mean of each window."""
    layer = node.layer
    assert isinstance(
        layer, layers.MaxPool1D | layers.MaxPool2D | layers.AvgPool1D | layers.AvgPool2D
    )
    x = inputs[0]
    out_h, out_w, channels = dimensions(node.output)
    windows = window_fields(layer.geometry(node.input_shapes[0]))
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
        if fused.relu_before:
            dy = relu_gradient(c, y, dy)
        c.tape.emit(back, x.images, x=dx, y=dy, winner=winner, **shape)
        return [dx]

    return Lowered(y, backward)


def lower_global_pool(c: Context, node: Node, inputs: list[Tensor], fused: Fused) -> Lowered:
    """Largest or mean of each channel."""
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
