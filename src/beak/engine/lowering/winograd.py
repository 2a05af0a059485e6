"""3x3 and 5x5 convolutions by Winograd's kernels: forward, input gradient, weight gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from beak.engine.lowering.context import Context
from beak.engine.lowering.weights import Weights, partial_sizes, sum_partials
from beak.engine.tape import Tensor
from beak.network.network import Node
from beak.ops.convolution import kernels as convolution
from beak.ops.convolution import winograd
from beak.ops.convolution.winograd import Layer
from beak.ops.kernel import instruction_set

Array = np.ndarray[Any, Any]
Shape = dict[str, int]


def layer_of(shape: Shape) -> Layer:
    """A convolution call's fields as the choice sees them."""
    return Layer(
        in_channels=shape["in_channels"],
        out_channels=shape["out_channels"],
        out_h=shape["out_h"],
        out_w=shape["out_w"],
        window=(shape["window_h"], shape["window_w"]),
        stride=(shape["stride_h"], shape["stride_w"]),
        dilation=(shape["dilation_h"], shape["dilation_w"]),
        groups=shape["groups"],
        padding=(shape["pad_top"], shape["pad_left"]),
    )


def side_for(c: Context, shape: Shape, purpose: str = "forward") -> int:
    """The tile's side for this call; 0 is the direct kernel."""
    if c.direct or shape["spread_h"] != 1 or shape["spread_w"] != 1 or shape.get("y_step", 1) != 1:
        return 0
    return winograd.choose_side(layer_of(shape), instruction_set(), purpose)


def winograd_forward(
    c: Context,
    side: int,
    shape: Shape,
    x: Tensor,
    weight: Weights,
    bias: Weights | None,
    y: Tensor,
    turned: bool = False,
) -> None:
    """Emit the call; ``turned``: ``shape`` is the input gradient's, the weights are forward's."""
    terms, outputs, window = shape["in_channels"], shape["out_channels"], shape["window_h"]
    floats = winograd.prepared_floats(side, terms, outputs, window)
    prepared = c.prepared(floats)
    c.prepare(
        convolution.WINOGRAD_PREPARE[window][side],
        winograd.prepare_parts(terms, outputs),
        weight=weight,
        prepared=prepared,
        channels=outputs if turned else terms,
        filters=terms if turned else outputs,
        turned=int(turned),
    )
    cut = winograd.forward_cut(side, x.images, layer_of(shape), c.threads)
    c.tape.emit(
        convolution.WINOGRAD_FORWARD[window][side],
        cut.parts,
        x=x,
        prepared=prepared,
        bias=bias,
        onto=None,
        y=y,
        **_fields(shape),
        relu=shape["relu"],
        blocks=cut.blocks,
        groups=cut.groups,
    )


def winograd_weight_gradient(
    c: Context, node: Node, side: int, shape: Shape, x: Tensor, dy: Tensor
) -> None:
    """Emit the call and the sum of its parts."""
    size, stride = partial_sizes(c, node)
    cut = winograd.gradient_cut(side, x.images, layer_of(shape))
    partials = c.tape.floats(cut.splits * stride)
    c.tape.emit(
        convolution.WINOGRAD_WEIGHT_GRADIENT[shape["window_h"]][side],
        cut.parts,
        x=x,
        dy=dy,
        partials=partials,
        **_fields(shape),
        splits=cut.splits,
        channel_blocks=cut.channel_blocks,
        filter_blocks=cut.filter_blocks,
        stride=stride,
        bias_at=size if stride > size else -1,
    )
    sum_partials(c, node, partials, cut.splits)


def _fields(shape: Shape) -> Shape:
    names = "images in_h in_w in_channels out_h out_w out_channels pad_top pad_left"
    return {name: shape[name] for name in names.split()}
