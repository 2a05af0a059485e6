"""Convolution, ReLU and global max pooling as one kernel, and back through winners only."""

from __future__ import annotations

from collections.abc import Sequence

from beak.engine.fusion import Fused
from beak.engine.lowering.activations import relu_gradient
from beak.engine.lowering.context import Context, Lowered, dimensions, split
from beak.engine.lowering.weights import Weights, weights_of
from beak.engine.lowering.winograd import Shape, side_for, winograd_forward
from beak.engine.tape import Tensor
from beak.network.layers import Conv1D, Conv2D
from beak.network.network import Node
from beak.ops.convolution import kernels as convolution
from beak.ops.convolution.choices import choices
from beak.ops.convolution.winograd import slide_work
from beak.ops.kernel import instruction_set
from beak.ops.panels import padded
from beak.ops.pooling import kernels as pooling

GRADIENT_BLOCK = 64
"""So many channels, and 16 filters, of one tap make a unit of work of the weight gradient."""


def lower_global_max(
    c: Context, node: Node, x: Tensor, fused: Fused, windows: dict[str, int]
) -> Lowered:
    """The largest output of each filter; backward visits the one place where it stood."""
    layer = node.layer
    assert isinstance(layer, Conv1D | Conv2D)
    out_h, out_w, filters = dimensions(node.output)
    shape = {
        "images": x.images,
        "in_h": x.height,
        "in_w": x.width,
        "channels": x.channels,
        "out_h": out_h,
        "out_w": out_w,
        "filters": filters,
        **windows,
    }
    weight, bias = weights_of(c, node, fused)
    y = c.tape.tensor(x.images, 1, 1, filters)
    winners = c.tape.like(y) if c.goes_back else None
    whole = False
    if _slides_by_winograd(c, shape):
        _slide(c, shape, fused.relu, x, weight, bias, y, winners)
    elif _by_winograd(c, shape, fused.relu, x, weight, bias, y, winners):
        whole = True
    else:
        c.tape.emit(
            convolution.GLOBAL_MAX_FORWARD,
            min(64, x.images * padded(filters) // 16),
            x=x,
            weight=weight,
            bias=bias,
            y=y,
            winners=winners,
            **shape,
            relu=int(fused.relu),
        )

    def backward(dy: Tensor, wanted: Sequence[bool]) -> list[Tensor | None]:
        if whole and fused.relu:  # these winners do not say which the ReLU cut off
            dy = relu_gradient(c, y, dy)
        taps = windows["window_h"] * windows["window_w"]
        blocks = -(-x.channels // GRADIENT_BLOCK)
        c.tape.emit(
            convolution.GLOBAL_MAX_WEIGHT_GRADIENT,
            min(32, padded(filters) // 16 * taps * blocks),
            x=c.again(x),
            dy=dy,
            winners=winners,
            dweight=c.gradient_of(f"{node.name}.weight"),
            dbias=c.gradient_of(f"{node.name}.bias") if layer.bias else None,
            **shape,
        )
        if not wanted[0]:
            return [None]
        terms = taps * x.channels
        rows = c.prepared(filters * terms)
        c.prepare(
            convolution.GLOBAL_MAX_ROWS,
            split(4 * filters * terms),
            weight=weight,
            rows=rows,
            terms=terms,
            filters=filters,
        )
        dx = c.tape.like(x)
        c.tape.emit(
            convolution.GLOBAL_MAX_INPUT_GRADIENT,
            min(64, x.images * blocks),
            dy=dy,
            winners=winners,
            rows=rows,
            onto=None,
            dx=dx,
            **shape,
        )
        return [dx]

    return Lowered(y, backward)


def _slides_by_winograd(c: Context, shape: Shape) -> bool:
    """Whether a window slides along a sequence so that F(7 - r, r) saves enough of the work."""
    plain = all(
        shape[f"{name}_{axis}"] == 1 for name in ("stride", "dilation") for axis in ("h", "w")
    )
    window, out = shape["window_w"], shape["out_w"]
    return (
        not c.direct
        and plain
        and shape["in_h"] == shape["window_h"] == shape["out_h"] == 1
        and 2 <= window <= 5
        and min(shape["channels"], shape["filters"]) >= 16
        and slide_work(window, out) <= choices(instruction_set()).slide_work
    )


def _slide(
    c: Context,
    shape: Shape,
    relu: bool,
    x: Tensor,
    weight: Weights,
    bias: Weights | None,
    y: Tensor,
    winners: Tensor | None,
) -> None:
    channels, filters = shape["channels"], shape["filters"]
    floats = 6 * channels * padded(filters)
    prepared = c.prepared(floats)
    c.prepare(
        convolution.GLOBAL_MAX_WINOGRAD_PREPARE,
        split(floats * 2),
        weight=weight,
        prepared=prepared,
        window=shape["window_w"],
        channels=channels,
        filters=filters,
    )
    groups = -(-x.images // 4)
    c.tape.emit(
        convolution.GLOBAL_MAX_WINOGRAD,
        min(64, 2 * groups) if groups >= 8 else groups * padded(filters) // 16,
        x=x,
        prepared=prepared,
        bias=bias,
        y=y,
        winners=winners,
        **shape,
        relu=int(relu),
    )


def _by_winograd(
    c: Context,
    shape: Shape,
    relu: bool,
    x: Tensor,
    weight: Weights,
    bias: Weights | None,
    y: Tensor,
    winners: Tensor | None,
) -> bool:
    """Where Winograd's kernel is so fast that writing all outputs pays: it, then the maximum."""
    whole = {
        **{name: value for name, value in shape.items() if name not in ("channels", "filters")},
        "in_channels": shape["channels"],
        "out_channels": shape["filters"],
        "groups": 1,
        "spread_h": 1,
        "spread_w": 1,
        "relu": int(relu),
    }
    side = side_for(c, whole)
    if not side:
        return False
    images, height, width, filters = (shape[n] for n in ("images", "out_h", "out_w", "filters"))
    maps = c.tape.tensor(images, height, width, filters)
    winograd_forward(c, side, whole, x, weight, bias, maps)
    c.tape.emit(
        pooling.GLOBAL_MAX_FORWARD,
        images,
        x=maps,
        y=y,
        winner=winners,
        images=images,
        places=height * width,
        channels=filters,
    )
    return True
