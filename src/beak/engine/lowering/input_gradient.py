"""The gradient of a convolution's input: the convolution of the output's with turned filters.

With a stride s the input is s x s grids of pixels, each of which met only every s-th tap of the
filters: one call for each grid with its share of the taps, and nothing is multiplied by the zeros
that a stride would put between the pixels of the gradient. (With a dilation as well, those zeros
are written: `spread`.) Where windows reach far over the border of the gradient, or with a stride
and a dilation, each output's window is added up instead (convolution_scatter).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from beak.engine.lowering.context import Context, split
from beak.engine.lowering.depthwise import is_depthwise, pack
from beak.engine.lowering.slide import slide_input_gradient, slides_for
from beak.engine.lowering.weights import Weights
from beak.engine.lowering.winograd import side_for, winograd_forward
from beak.engine.tape import Tensor
from beak.network.network import Node
from beak.ops.convolution import kernels as convolution
from beak.ops.elementwise import kernels as elementwise
from beak.ops.panels import padded

Array = np.ndarray[Any, Any]
Shape = dict[str, int]


class Axis(NamedTuple):
    """One axis of one grid of the input: which pixels, which taps, how much padding."""

    begin: int
    outputs: int
    first: int
    taps: int
    padding: int


def bands(images: int, rows: int) -> int:
    """Into how many bands of rows each picture of a small batch is cut, for threads to share."""
    return 1 if images >= 8 else max(1, min(rows, -(-8 // images)))


def filled(height: int, width: int) -> Shape:
    """The steps of an output that fills its tensor."""
    return {"y_step": 1, "y_row": width, "y_image": height * width}


def input_gradient(c: Context, node: Node, shape: Shape, x: Tensor, dy: Tensor) -> Tensor:
    """Emit the calls that make dx from dy, for the convolution that ran with ``shape``."""
    dx = c.tape.like(x)
    strides = shape["stride_h"], shape["stride_w"]
    back = _whole(shape, x)
    plain = not is_depthwise(shape) and not side_for(c, back)
    if plain and slides_for(c, shape):
        slide_input_gradient(c, node, shape, dy, dx)
        return dx
    if plain and scatters(shape):
        _scatter(c, node, shape, dy, dx)
        return dx
    if strides == (1, 1) or (shape["dilation_h"], shape["dilation_w"]) != (1, 1):
        _emit(c, node, shape, back, dy, dx, (0, 0), (1, 1))
        return dx
    axes = [
        [_axis(x_size, s, k, p, a) for a in range(min(s, x_size))]
        for x_size, s, k, p in zip(
            (x.height, x.width),
            strides,
            (shape["window_h"], shape["window_w"]),
            (shape["pad_top"], shape["pad_left"]),
            strict=True,
        )
    ]
    grids = [(rows, columns) for rows in axes[0] for columns in axes[1]]
    if any(rows.taps == 0 or columns.taps == 0 for rows, columns in grids):
        c.tape.emit(elementwise.FILL_ZERO, split(dx.count), y=dx, count=dx.count)
    for rows, columns in grids:
        if rows.taps and columns.taps:
            grid = {
                **back,
                "out_h": rows.outputs,
                "out_w": columns.outputs,
                "window_h": rows.taps,
                "window_w": columns.taps,
                "pad_top": rows.padding,
                "pad_left": columns.padding,
                "spread_h": 1,
                "spread_w": 1,
                "bands": bands(x.images, rows.outputs),
                "y_step": strides[1],
                "y_row": strides[0] * x.width,
                "y_image": x.places,
            }
            to = dx.behind((rows.begin * x.width + columns.begin) * x.channels)
            _emit(c, node, shape, grid, dy, to, (rows.first, columns.first), strides)
    return dx


def scatters(shape: Shape) -> bool:
    """Whether adding each output's window is less work than a convolution of the padded gradient.

    Counted in multiply-adds, a sum's way to memory and back as eight. With a stride alone the
    convolution's grids leave the padding between pixels out as well.
    """
    strided = (shape["stride_h"], shape["stride_w"]) != (1, 1)
    dilated = (shape["dilation_h"], shape["dilation_w"]) != (1, 1)
    if strided and not dilated:
        return False
    filters = shape["out_channels"] // shape["groups"]
    outputs, pixels = shape["out_h"] * shape["out_w"], shape["in_h"] * shape["in_w"]
    return outputs * (filters + 8) < pixels * filters


def _scatter(c: Context, node: Node, shape: Shape, dy: Tensor, dx: Tensor) -> None:
    taps = shape["window_h"] * shape["window_w"]
    weight = c.parameter(f"{node.name}.weight")
    c.tape.emit(
        convolution.SCATTER,
        dx.images,
        x=None,
        weight=_turn_filters(c, weight, shape, taps, (0, 0), (1, 1)),
        bias=None,
        y=None,
        **shape,
        dy=dy,
        dx=dx,
    )


def _axis(size: int, stride: int, window: int, padding: int, begin: int) -> Axis:
    """The pixels begin, begin + stride, … and the taps first, first + stride, … that met them."""
    first = (begin + padding) % stride
    taps = max(0, -(-(window - first) // stride))
    ahead = (begin + padding - first) // stride
    return Axis(begin, -(-(size - begin) // stride), first, taps, taps - 1 - ahead)


def _whole(shape: Shape, x: Tensor) -> Shape:
    """The call that makes the whole gradient at once, zeros between its pixels for a stride."""
    return {
        **shape,
        "in_h": shape["out_h"],
        "in_w": shape["out_w"],
        "in_channels": shape["out_channels"],
        "out_h": x.height,
        "out_w": x.width,
        "out_channels": x.channels,
        "pad_top": shape["dilation_h"] * (shape["window_h"] - 1) - shape["pad_top"],
        "pad_left": shape["dilation_w"] * (shape["window_w"] - 1) - shape["pad_left"],
        "stride_h": 1,
        "stride_w": 1,
        "spread_h": shape["stride_h"],
        "spread_w": shape["stride_w"],
        "relu": 0,
        "bands": bands(x.images, x.height),
        **filled(x.height, x.width),
    }


def _emit(
    c: Context,
    node: Node,
    shape: Shape,
    call: Shape,
    dy: Tensor,
    dx: Tensor,
    first: tuple[int, int],
    step: tuple[int, int],
) -> None:
    weight = c.parameter(f"{node.name}.weight")
    side = side_for(c, call) if step == (1, 1) else 0
    if side:
        winograd_forward(c, side, call, dy, weight, None, dx, turned=True)
        return
    taps = call["window_h"] * call["window_w"]
    turned: Weights
    if is_depthwise(shape):
        row = convolution.DEPTHWISE_FORWARD
        turned, _ = pack(c, shape, weight, turned=True, taps=taps, first=first, step=step)
    else:
        row = convolution.FORWARD
        turned = _turn_filters(c, weight, shape, taps, first, step)
    c.tape.emit(
        row,
        dx.images * call["bands"],
        x=dy,
        weight=turned,
        bias=None,
        y=dx,
        **call,
    )


def _turn_filters(
    c: Context,
    weight: Array,
    shape: Shape,
    taps: int,
    first: tuple[int, int],
    step: tuple[int, int],
) -> Weights:
    """Filters turned round with inputs and outputs exchanged; of each axis every step-th tap."""
    groups = shape["groups"]
    channels, filters = shape["in_channels"] // groups, shape["out_channels"] // groups
    size = groups * padded(channels) * taps * filters
    turned = c.prepared(size)
    c.prepare(
        convolution.TURN_FILTERS,
        split(size * 4),
        weight=weight,
        turned=turned,
        groups=groups,
        window_h=shape["window_h"],
        window_w=shape["window_w"],
        channels=channels,
        filters=filters,
        first_h=first[0],
        first_w=first[1],
        step_h=step[0],
        step_w=step[1],
    )
    return turned


def turn_weights(c: Context, weight: Array, inputs: int, outputs: int) -> Weights:
    """A dense layer's weights with inputs and outputs exchanged."""
    shape = {"window_h": 1, "window_w": 1, "groups": 1}
    shape |= {"in_channels": inputs, "out_channels": outputs}
    return _turn_filters(c, weight, shape, 1, (0, 0), (1, 1))
