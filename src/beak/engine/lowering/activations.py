"""Activations and dropout: calls of their own, and the way back through them."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from beak.engine.fusion import Fused
from beak.engine.lowering.context import Context, Lowered, split
from beak.engine.tape import Tensor
from beak.network import layers
from beak.network.network import Node
from beak.ops.activation import kernels as activation
from beak.ops.elementwise import kernels as elementwise
from beak.ops.random import kernels as random

Array = np.ndarray[Any, Any]


def relu_gradient(c: Context, y: Tensor, dy: Tensor) -> Tensor:
    """Dy where the unit was alive."""
    return activation_gradient(c, "relu", None, y, dy)


def activation_gradient(
    c: Context,
    function: str,
    x: Tensor | None,
    y: Tensor,
    dy: Tensor,
    slope: float = activation.LEAK,
) -> Tensor:
    """Dy times the derivative of an activation."""
    dx = c.tape.like(dy)
    c.tape.emit(
        activation.ACTIVATION_BACKWARD,
        split(y.count),
        x=None if x is None else c.again(x),
        y=y,
        dy=dy,
        dx=dx,
        count=y.count,
        function=activation.FUNCTIONS.index(function),
        slope=slope,
    )
    return dx


def activate(
    c: Context, function: str | None, x: Tensor, slope: float | None = None
) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """An activation as a call of its own, and the way back."""
    if function is None:
        return x, lambda dy: dy
    y, slope = c.tape.like(x), activation.LEAK if slope is None else slope
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
        slope=slope,
    )
    keeps_input = function in ("gelu", "silu", "hard_swish")
    return y, lambda dy: activation_gradient(c, function, x if keeps_input else None, y, dy, slope)


def lower_activation(c: Context, node: Node, inputs: list[Tensor], fused: Fused) -> Lowered:
    """An activation on its own."""
    layer = node.layer
    assert isinstance(layer, layers.Activation)
    y, through = activate(c, layer.function, inputs[0], layer.slope)
    return Lowered(y, lambda dy, wanted: [through(dy)])


def lower_dropout(c: Context, node: Node, inputs: list[Tensor], fused: Fused) -> Lowered:
    """Dropout in training; nothing otherwise."""
    layer = node.layer
    assert isinstance(layer, layers.Dropout)
    x = inputs[0]
    if not c.training or layer.rate == 0:
        return Lowered(x, lambda dy, wanted: [dy])
    if layer.maps and x.order is None and x.places > 1:
        return _drop_maps(c, node, layer, x)
    return Lowered(_dropped(c, node, layer, x), lambda dy, wanted: [_dropped(c, node, layer, dy)])


def _dropped(c: Context, node: Node, layer: layers.Dropout, source: Tensor) -> Tensor:
    channels, height, width = source.order or (source.channels, source.height, source.width)
    out = c.tape.like(source)
    _drop(c, node, layer, source, out, height * width, channels)
    return out


def _drop(
    c: Context,
    node: Node,
    layer: layers.Dropout,
    source: Tensor | Array,
    out: Tensor,
    places: int,
    channels: int,
) -> None:
    c.tape.emit(
        random.DROPOUT,
        split(out.count),
        x=source,
        y=out,
        settings=c.settings,
        examples=c.examples,
        images=out.images,
        places=places,
        channels=channels,
        node=zlib.crc32(node.name.encode()),
        rate=layer.rate,
    )


def _drop_maps(c: Context, node: Node, layer: layers.Dropout, x: Tensor) -> Lowered:
    """Whole channels fall out: a dropout of ones, one for each, multiplies them."""
    scale = c.tape.tensor(x.images, 1, 1, x.channels)
    _drop(c, node, layer, np.ones(scale.count, np.float32), scale, 1, x.channels)

    def scaled(source: Tensor) -> Tensor:
        out = c.tape.like(source)
        shape = {"images": x.images, "places": x.places, "channels": x.channels}
        c.tape.emit(elementwise.MULTIPLY_CHANNELS, x.images, x=source, scale=scale, y=out, **shape)
        return out

    return Lowered(scaled(x), lambda dy, wanted: [scaled(dy)])
