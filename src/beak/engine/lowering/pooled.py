"""Convolution, ReLU and max pooling as one kernel, and the way back through winners only."""

from __future__ import annotations

from collections.abc import Sequence

from beak.engine.fusion import Fused, pooled_shape
from beak.engine.lowering.context import Context, Lowered, dimensions, split
from beak.engine.lowering.weights import (
    GRADIENT_PARTS,
    Weights,
    partial_sizes,
    sum_partials,
    weights_of,
)
from beak.engine.tape import Tensor
from beak.network.layers import Conv2D
from beak.network.network import Node
from beak.ops.convolution import kernels as convolution
from beak.ops.convolution.kernels import PackedKernel, PooledShape
from beak.ops.kernel import Kernel, choose
from beak.ops.panels import padded

PARTS = 32
"""Into so many parts a batch is cut: tiles of several images share a group."""


def lower_pooled(c: Context, node: Node, x: Tensor, fused: Fused, bands: int) -> Lowered:
    """The pooled output; backward visits the cell of each window that won.

    ``bands``: into how many bands of rows a picture is cut.
    """
    layer, pool = node.layer, fused.pool
    assert isinstance(layer, Conv2D)
    assert pool is not None
    kind = pooled_shape(node)
    pooled_h, pooled_w, filters = dimensions(pool.output)
    (pad_top, _), (pad_left, _) = layer.geometry(node.input_shapes[0]).padding
    shape = {
        "images": x.images,
        "in_h": x.height,
        "in_w": x.width,
        "channels": x.channels,
        "pooled_h": pooled_h,
        "pooled_w": pooled_w,
        "filters": filters,
        "window_h": kind.window[0],
        "window_w": kind.window[1],
        "pad_top": pad_top,
        "pad_left": pad_left,
    }
    y = c.tape.tensor(x.images, pooled_h, pooled_w, filters)
    winners = None
    if c.goes_back:
        winners = c.tape.tensor(x.images, pooled_h, pooled_w, padded(filters), itemsize=1)
    weight, bias = weights_of(c, node, fused)
    rows = convolution.POOLED_FORWARD
    forward = choose([row for row in rows if row.direct or not c.direct], kind)
    c.tape.emit(
        forward,
        min(PARTS, x.images * bands),
        x=x,
        weight=_packed(c, forward, kind, weight),
        bias=bias,
        y=y,
        winners=winners,
        **shape,
        bands=bands,
    )

    def backward(dy: Tensor, wanted: Sequence[bool]) -> list[Tensor | None]:
        size, stride = partial_sizes(c, node)
        parts = min(GRADIENT_PARTS, x.images)
        partials = c.tape.floats(parts * stride)
        c.tape.emit(
            choose(convolution.POOLED_WEIGHT_GRADIENT, kind),
            parts,
            x=c.again(x),
            dy=dy,
            winners=winners,
            partials=partials,
            **shape,
            stride=stride,
            bias_at=size if layer.bias else -1,
        )
        sum_partials(c, node, partials, parts)
        if not wanted[0]:
            return [None]
        dx = c.tape.like(x)
        back = choose(convolution.POOLED_INPUT_GRADIENT, kind)
        c.tape.emit(
            back,
            x.images,
            dy=dy,
            winners=winners,
            weight=_packed(c, back, kind, weight),
            dx=dx,
            **shape,
        )
        return [dx]

    return Lowered(y, backward)


def _packed(c: Context, row: Kernel, kind: PooledShape, weight: Weights) -> Weights:
    """Weights in the form that a row reads."""
    if not isinstance(row, PackedKernel) or row.prepare is None:
        return weight
    floats = row.packed(kind)
    packed = c.prepared(floats)
    c.prepare(
        row.prepare,
        split(4 * floats),
        weight=weight,
        packed=packed,
        channels=kind.channels,
        filters=kind.filters,
        window_h=kind.window[0],
        window_w=kind.window[1],
    )
    return packed
