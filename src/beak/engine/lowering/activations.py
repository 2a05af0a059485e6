"""Activations and dropout: calls of their own, and the way back through them."""

from __future__ import annotations

import zlib
from collections.abc import Callable

from beak.engine.fusion import Fused
from beak.engine.lowering.context import Context, Lowered, split
from beak.engine.tape import Tensor
from beak.network import layers
from beak.network.network import Node
from beak.ops.activation import kernels as activation
from beak.ops.random import kernels as random


def relu_gradient(c: Context, y: Tensor, dy: Tensor) -> Tensor:
    """Dy where the unit was alive."""
    return activation_gradient(c, "relu", None, y, dy)


def activation_gradient(
    c: Context, function: str, x: Tensor | None, y: Tensor, dy: Tensor
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


def lower_activation(c: Context, node: Node, inputs: list[Tensor], fused: Fused) -> Lowered:
    """An activation on its own."""
    layer = node.layer
    assert isinstance(layer, layers.Activation)
    y, through = activate(c, layer.function, inputs[0])
    return Lowered(y, lambda dy, wanted: [through(dy)])


def lower_dropout(c: Context, node: Node, inputs: list[Tensor], fused: Fused) -> Lowered:
    """Dropout in training; nothing otherwise."""
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
