"""Convolutions as calls: forward, weight gradient, input gradient."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from beak.engine.fusion import Fused
from beak.engine.lowering.activations import activate, relu_gradient
from beak.engine.lowering.context import Context, Lowered, dimensions
from beak.engine.lowering.depthwise import (
    depthwise_forward,
    depthwise_weight_gradient,
    is_depthwise,
)
from beak.engine.lowering.global_max import lower_global_max
from beak.engine.lowering.input_gradient import bands, filled, input_gradient
from beak.engine.lowering.pooled import lower_pooled
from beak.engine.lowering.slide import slide_forward, slide_weight_gradient, slides_for
from beak.engine.lowering.weights import (
    GRADIENT_PARTS,
    partial_sizes,
    sum_partials,
    weights_of,
)
from beak.engine.lowering.winograd import (
    side_for,
    winograd_forward,
    winograd_weight_gradient,
)
from beak.engine.tape import Tensor
from beak.network import layers
from beak.network.network import Node
from beak.ops.convolution import kernels as convolution

Array = np.ndarray[Any, Any]


def lower_convolution(c: Context, node: Node, inputs: list[Tensor], fused: Fused) -> Lowered:
    """A convolution with bias and activation; ReLU is done by the kernel itself."""
    layer = node.layer
    assert isinstance(layer, layers.Conv1D | layers.Conv2D)
    if fused.pool is not None:
        rows = dimensions(fused.pool.output)[0]
        return lower_pooled(c, node, inputs[0], fused, bands(inputs[0].images, rows))
    x = inputs[0]
    out_h, out_w, filters = dimensions(node.output)
    windows = window_fields(layer.geometry(node.input_shapes[0]))
    if fused.largest is not None:
        return lower_global_max(c, node, x, fused, windows)
    weight, bias = weights_of(c, node, fused)
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
        "relu": int(fused.relu),
        "bands": bands(x.images, out_h),
        **filled(out_h, out_w),
    }
    side = side_for(c, shape)
    if side:
        winograd_forward(c, side, shape, x, weight, bias, y)
    elif is_depthwise(shape):
        depthwise_forward(c, shape, x, weight, bias, y)
    elif slides_for(c, shape):
        slide_forward(c, shape, x, weight, bias, y)
    else:
        c.tape.emit(
            convolution.FORWARD,
            x.images * shape["bands"],
            x=x,
            weight=weight,
            bias=bias,
            y=y,
            **shape,
        )
    output, through = activate(c, None if fused.relu else layer.activation, y)
    if fused.relu and not fused.relu_later:
        through = partial(relu_gradient, c, y)

    def linear(dy: Tensor, wanted: Sequence[bool]) -> list[Tensor | None]:
        _weight_gradient(c, node, shape, c.again(x), dy, layer.bias)
        return [input_gradient(c, node, shape, x, dy) if wanted[0] else None]

    def backward(dy: Tensor, wanted: Sequence[bool]) -> list[Tensor | None]:
        return linear(through(dy), wanted)

    return Lowered(output, backward, linear)


def window_fields(geometry: layers.Geometry) -> dict[str, int]:
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


def _weight_gradient(
    c: Context, node: Node, shape: dict[str, int], x: Tensor, dy: Tensor, bias: bool
) -> None:
    side = side_for(c, shape, "weights")
    if side:
        winograd_weight_gradient(c, node, side, shape, x, dy)
        return
    if is_depthwise(shape):
        depthwise_weight_gradient(c, node, shape, x, dy, bias)
        return
    if slides_for(c, shape):
        slide_weight_gradient(c, node, shape, x, dy)
        return
    size, stride = partial_sizes(c, node)
    parts = min(GRADIENT_PARTS, x.images)
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
    sum_partials(c, node, partials, parts)
