"""Convolutions whose filters read one channel each, as calls (and their filters' packing)."""

from __future__ import annotations

from beak.engine.lowering.context import Context
from beak.engine.lowering.weights import GRADIENT_PARTS, Weights
from beak.engine.tape import Tensor
from beak.network.network import Node
from beak.ops.convolution import kernels as convolution

Shape = dict[str, int]


def is_depthwise(shape: Shape) -> bool:
    """Whether a forward call's filters read one channel each."""
    return shape["groups"] == shape["in_channels"] > 1


def pack(
    c: Context,
    shape: Shape,
    weight: Weights,
    bias: Weights | None = None,
    *,
    turned: bool = False,
    taps: int | None = None,
    first: tuple[int, int] = (0, 0),
    step: tuple[int, int] = (1, 1),
) -> tuple[Weights, Weights | None]:
    """Weights and bias of the forward call ``shape``, one column for each filter.

    ``taps``: so many of the window's, of each axis every step-th from first on.
    """
    filters, window = shape["out_channels"], shape["window_h"] * shape["window_w"]
    taps = window if taps is None else taps
    packed, packed_bias = c.prepared(taps * filters), None if bias is None else c.prepared(filters)
    c.prepare(
        convolution.DEPTHWISE_PACK,
        min(taps, max(1, taps * filters // 2048)),
        weight=weight,
        bias=bias,
        packed=packed,
        packed_bias=packed_bias,
        groups=shape["groups"],
        each=filters // shape["groups"],
        window_h=shape["window_h"],
        window_w=shape["window_w"],
        first_h=first[0],
        first_w=first[1],
        step_h=step[0],
        step_w=step[1],
        turned=int(turned),
    )
    return packed, packed_bias


def depthwise_forward(
    c: Context, shape: Shape, x: Tensor, weight: Weights, bias: Weights | None, y: Tensor
) -> None:
    """Emit the call."""
    weight, bias = pack(c, shape, weight, bias)
    parts = x.images * shape["bands"]
    c.tape.emit(convolution.DEPTHWISE_FORWARD, parts, x=x, weight=weight, bias=bias, y=y, **shape)


def depthwise_weight_gradient(
    c: Context, node: Node, shape: Shape, x: Tensor, dy: Tensor, bias: bool
) -> None:
    """Emit the call and the sum of its parts."""
    taps, filters = shape["window_h"] * shape["window_w"], shape["out_channels"]
    size = taps * filters
    stride = size + filters if bias else size
    parts = min(GRADIENT_PARTS, x.images)
    partials = c.tape.floats(parts * stride)
    c.tape.emit(
        convolution.DEPTHWISE_WEIGHT_GRADIENT,
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
    c.tape.emit(
        convolution.DEPTHWISE_FINISH,
        min(taps + bias, max(1, size // 2048)),
        partials=partials,
        dweight=c.gradient_of(f"{node.name}.weight"),
        dbias=c.gradient_of(f"{node.name}.bias") if bias else None,
        partial_parts=parts,
        stride=stride,
        groups=shape["groups"],
        each=filters // shape["groups"],
        taps=taps,
    )
