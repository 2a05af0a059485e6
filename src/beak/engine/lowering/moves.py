"""Layers that move numbers as calls: one kernel with a table, there and back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from beak.engine.fusion import Fused
from beak.engine.lowering.context import Context, Lowered, dimensions, split, straight
from beak.engine.moves import native_taps
from beak.engine.tape import Tensor
from beak.network.network import Node
from beak.ops.moving.kernels import MIX_ROWS, Taps


def lower_move(c: Context, node: Node, inputs: list[Tensor], fused: Fused) -> Lowered:
    """Pad, Upsample, Reshape; where nothing moves, the same memory under another shape."""
    x, back = straight(c, inputs[0])
    taps, width = native_taps(node.layer, node.input_shapes[0])
    height, wide, channels = dimensions(node.output)
    if np.array_equal(taps.sources, np.arange(taps.inputs)) and taps.inputs == taps.outputs:
        y = x.view(height, wide, channels)
        return Lowered(
            y, lambda dy, wanted: [back(dy.view(x.height, x.width, x.channels, x.order))]
        )
    y = c.tape.tensor(x.images, height, wide, channels)

    def mix(source: Tensor, to: Tensor, table: Taps) -> None:
        c.tape.emit(
            MIX_ROWS,
            split(max(source.count, to.count)),
            x=source,
            y=to,
            starts=table.starts,
            sources=table.sources,
            weights=table.weights,
            images=source.images,
            in_rows=table.inputs,
            out_rows=table.outputs,
            width=width,
        )

    mix(x, y, taps)

    def backward(dy: Tensor, wanted: Sequence[bool]) -> list[Tensor | None]:
        if not wanted[0]:
            return [None]
        dx = c.tape.like(x)
        mix(dy, dx, taps.turned())
        return [back(dx)]

    return Lowered(y, backward)
