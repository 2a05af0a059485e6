"""Layers with several inputs as calls: sum, product, concatenation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from beak.engine.fusion import Fused
from beak.engine.lowering.activations import relu_gradient
from beak.engine.lowering.context import Context, Lowered, add, dimensions, split, straight
from beak.engine.lowering.norms import lower_norm_and_sum
from beak.engine.tape import Tensor
from beak.network.network import Node
from beak.ops.elementwise import kernels as elementwise


def lower_add(c: Context, node: Node, inputs: list[Tensor], fused: Fused) -> Lowered:
    """The sum of the inputs; its gradient goes to each. A ReLU behind it is done here."""
    if fused.summand is not None:
        return lower_norm_and_sum(c, node, inputs, fused)
    inward = [straight(c, tensor) for tensor in inputs]
    total = inward[0][0]
    for other, _ in inward[1:-1]:
        total = add(c.tape, total, other)
    y = add(c.tape, total, inward[-1][0], relu=fused.relu)

    def backward(dy: Tensor, wanted: Sequence[bool]) -> list[Tensor | None]:
        if fused.relu:
            dy = relu_gradient(c, y, dy)
        return [back(dy) for _, back in inward]

    return Lowered(y, backward)


def lower_concat(c: Context, node: Node, inputs: list[Tensor], fused: Fused) -> Lowered:
    """The inputs side by side along the channels."""
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


def lower_multiply(c: Context, node: Node, inputs: list[Tensor], fused: Fused) -> Lowered:
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
            dleft, dright = _product_gradients(c, c.again(left), c.again(right), dy)
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
