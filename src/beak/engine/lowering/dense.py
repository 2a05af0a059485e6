"""Dense layers, flattening and position biases as calls."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from beak.engine.fusion import Fused
from beak.engine.lowering.activations import activate, relu_gradient
from beak.engine.lowering.context import Context, Lowered, straight
from beak.engine.lowering.input_gradient import turn_weights
from beak.engine.tape import Tensor
from beak.network import layers
from beak.network.network import Node
from beak.ops.dense import kernels as dense
from beak.ops.elementwise import kernels as elementwise
from beak.ops.panels import padded


def lower_dense(c: Context, node: Node, inputs: list[Tensor], fused: Fused) -> Lowered:
    """A dense layer with bias and activation; ReLU is done by the kernel itself."""
    layer = node.layer
    assert isinstance(layer, layers.Dense)
    x, images = inputs[0], inputs[0].images
    weight = c.parameter(f"{node.name}.weight")
    bias = f"{node.name}.bias" if layer.bias else None
    y = c.tape.tensor(images, 1, 1, layer.units)
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
        relu=int(fused.relu),
    )
    output, through = activate(c, None if fused.relu else layer.activation, y)
    if fused.relu:
        through = partial(relu_gradient, c, y)

    def linear(dy: Tensor, wanted: Sequence[bool]) -> list[Tensor | None]:
        c.tape.emit(
            dense.WEIGHT_GRADIENT,
            min(64, padded(layer.units) // 16 * -(-x.channels // 96)),
            x=c.again(x),
            dy=dy,
            dweight=c.gradient_of(f"{node.name}.weight"),
            dbias=None if bias is None else c.gradient_of(bias),
            rows=images,
            inputs=x.channels,
            outputs=layer.units,
        )
        if not wanted[0]:
            return [None]
        turned = turn_weights(c, weight, x.channels, layer.units)
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

    def backward(dy: Tensor, wanted: Sequence[bool]) -> list[Tensor | None]:
        return linear(through(dy), wanted)

    return Lowered(output, backward, linear)


def _dense_parts(rows: int, outputs: int) -> int:
    return min(64, -(-rows // 24) * (padded(outputs) // 16))


def lower_flatten(c: Context, node: Node, inputs: list[Tensor], fused: Fused) -> Lowered:
    """A view: the features stay in the order they lie in (Tensor.order)."""
    x = inputs[0]
    order = (x.channels, x.height, x.width) if x.channels > 1 and x.places > 1 else x.order
    y = x.view(1, 1, x.places * x.channels, order)
    return Lowered(y, lambda dy, wanted: [dy.view(x.height, x.width, x.channels, x.order)])


def lower_position_bias(c: Context, node: Node, inputs: list[Tensor], fused: Fused) -> Lowered:
    """One bias for each place."""
    x, back = straight(c, inputs[0])
    flat = len(node.output) == 1  # maps of one place have one bias, a row one for each number
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
