"""Convolutions by Winograd's algorithm along rows: forward, input gradient, weight gradient."""

from __future__ import annotations

from beak.engine.lowering.context import Context, split
from beak.engine.lowering.weights import GRADIENT_PARTS, Weights, partial_sizes, sum_partials
from beak.engine.lowering.winograd import Shape, layer_of
from beak.engine.tape import Tensor
from beak.network.network import Node
from beak.ops.convolution import kernels as convolution
from beak.ops.convolution import winograd
from beak.ops.kernel import instruction_set
from beak.ops.panels import PANEL, padded


def slides_for(c: Context, shape: Shape) -> bool:
    """Whether rows by Winograd take a layer, given its forward call; ``side_for`` comes first."""
    plain = shape["spread_h"] == shape["spread_w"] == shape.get("y_step", 1) == 1
    return (
        plain
        and not c.direct
        and winograd.slides(layer_of(shape), shape["in_h"], instruction_set())
    )


def slide_forward(
    c: Context, shape: Shape, x: Tensor, weight: Weights, bias: Weights | None, y: Tensor
) -> None:
    """Emit the call."""
    prepared = _prepare(c, shape, weight, turned=False)
    images, groups, units = _cut(c, shape, shape["out_channels"])
    c.tape.emit(
        convolution.SLIDE_FORWARD,
        units,
        x=x,
        prepared=prepared,
        bias=bias,
        y=y,
        **_fields(shape),
        relu=shape["relu"],
        together=images,
        groups=groups,
    )


def slide_input_gradient(c: Context, node: Node, shape: Shape, dy: Tensor, dx: Tensor) -> None:
    """Emit the call; ``shape`` is forward's."""
    prepared = _prepare(c, shape, c.parameter(f"{node.name}.weight"), turned=True)
    back = _fields(shape) | {"pad_top": shape["window_h"] - 1 - shape["pad_top"]}
    for one, other in (("in_h", "out_h"), ("in_w", "out_w"), ("in_channels", "out_channels")):
        back |= {one: shape[other], other: shape[one]}
    images, groups, units = _cut(c, shape, shape["in_channels"])
    c.tape.emit(
        convolution.SLIDE_INPUT_GRADIENT,
        units,
        x=dy,
        prepared=prepared,
        bias=None,
        y=dx,
        **back,
        relu=0,
        together=images,
        groups=groups,
    )


def slide_weight_gradient(c: Context, node: Node, shape: Shape, x: Tensor, dy: Tensor) -> None:
    """Emit the call and the sum of its parts."""
    size, stride = partial_sizes(c, node)
    parts = min(GRADIENT_PARTS, x.images)
    partials = c.tape.floats(parts * stride)
    c.tape.emit(
        convolution.SLIDE_WEIGHT_GRADIENT,
        parts,
        x=x,
        dy=dy,
        partials=partials,
        **_fields(shape),
        together=winograd.slide_together(layer_of(shape), shape["in_h"]),
        stride=stride,
        bias_at=size if stride > size else -1,
    )
    sum_partials(c, node, partials, parts)


def _prepare(c: Context, shape: Shape, weight: Weights, turned: bool) -> Weights:
    """The filters at the points of their rows, made once a step."""
    channels, filters = shape["in_channels"], shape["out_channels"]
    terms, outputs = (filters, channels) if turned else (channels, filters)
    cut = winograd.slide_cut(shape["window_w"], shape["out_w"])
    floats = 6 * cut.pieces * shape["window_h"] * terms * padded(outputs)
    prepared = c.prepared(floats)
    c.prepare(
        convolution.SLIDE_PREPARE,
        split(2 * floats),
        weight=weight,
        prepared=prepared,
        channels=channels,
        filters=filters,
        window_h=shape["window_h"],
        window_w=shape["window_w"],
        piece=cut.piece,
        turned=int(turned),
    )
    return prepared


def _cut(c: Context, shape: Shape, outputs: int) -> tuple[int, int, int]:
    """Images that go together, groups of panels, units of work; none of it changes a bit.

    A small batch is cut for all threads, or for four: into images, then over the panels as well.
    """
    threads = min(4, c.threads)
    most = winograd.slide_together(layer_of(shape), shape["in_h"])
    together = min(most, -(-shape["images"] // threads))
    blocks = -(-shape["images"] // together)
    groups = min(padded(outputs) // PANEL, -(-threads // blocks))
    return together, groups, min(64, blocks * groups)


def _fields(shape: Shape) -> Shape:
    names = (
        "images in_h in_w in_channels out_h out_w out_channels window_h window_w pad_top pad_left"
    )
    piece = winograd.slide_cut(shape["window_w"], shape["out_w"]).piece
    return {**{name: shape[name] for name in names.split()}, "piece": piece}
