"""Batch norm and layer norm as calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from beak.engine.fusion import Fused
from beak.engine.lowering.context import STATISTICS_PARTS, Context, Lowered, split, straight
from beak.engine.slots import running_statistics
from beak.engine.tape import Tensor
from beak.network import layers
from beak.network.network import Node
from beak.ops.normalisation import kernels as normalisation

Array = np.ndarray[Any, Any]


def lower_batch_norm(c: Context, node: Node, inputs: list[Tensor], fused: Fused) -> Lowered:
    """Batch statistics in training, running ones otherwise; a ReLU behind it is done here."""
    layer = node.layer
    assert isinstance(layer, layers.BatchNorm)
    x, back = straight(c, inputs[0])
    rows, channels = x.rows, x.channels
    running_mean, running_var = (c.parameter(name) for name in running_statistics(node))
    mean: Tensor | Array = running_mean
    inverse = c.tape.floats(channels)
    parts = max(1, min(STATISTICS_PARTS, rows // 16))
    if c.training:
        partials = c.tape.floats(parts * 2 * channels, itemsize=8)
        c.tape.emit(
            normalisation.BATCH_NORM_STATISTICS,
            parts,
            x=x,
            partials=partials,
            rows=rows,
            channels=channels,
        )
        mean = c.tape.floats(channels)
        c.tape.emit(
            normalisation.BATCH_NORM_FINISH,
            1,
            partials=partials,
            mean=mean,
            inverse=inverse,
            running_mean=running_mean,
            running_var=running_var,
            partial_parts=parts,
            rows=rows,
            channels=channels,
            epsilon=layer.epsilon,
            momentum=layer.momentum,
        )
    else:
        c.tape.emit(
            normalisation.BATCH_NORM_INVERSE,
            1,
            variance=running_var,
            inverse=inverse,
            channels=channels,
            epsilon=layer.epsilon,
        )
    y = c.tape.like(x)
    function = 0 if fused.relu else -1
    weight, bias = c.parameter(f"{node.name}.weight"), c.parameter(f"{node.name}.bias")
    c.tape.emit(
        normalisation.BATCH_NORM_APPLY,
        split(x.count),
        x=x,
        y=y,
        mean=mean,
        inverse=inverse,
        weight=weight,
        bias=bias,
        rows=rows,
        channels=channels,
        function=function,
    )

    def backward(dy: Tensor, wanted: Sequence[bool]) -> list[Tensor | None]:
        sums = c.tape.floats(parts * 2 * channels, itemsize=8)
        c.tape.emit(
            normalisation.BATCH_NORM_BACKWARD_SUMS,
            parts,
            x=x,
            dy=dy,
            mean=mean,
            inverse=inverse,
            weight=weight,
            bias=bias,
            partials=sums,
            rows=rows,
            channels=channels,
            function=function,
        )
        dweight, dbias = (c.gradient_of(f"{node.name}.{field}") for field in ("weight", "bias"))
        c.tape.emit(
            normalisation.BATCH_NORM_BACKWARD_FINISH,
            1,
            partials=sums,
            dweight=dweight,
            dbias=dbias,
            partial_parts=parts,
            channels=channels,
        )
        if not wanted[0]:
            return [None]
        dx = c.tape.like(x)
        c.tape.emit(
            normalisation.BATCH_NORM_BACKWARD_APPLY,
            split(x.count),
            x=x,
            dy=dy,
            dx=dx,
            mean=mean,
            inverse=inverse,
            weight=weight,
            bias=bias,
            dweight=dweight,
            dbias=dbias,
            rows=rows,
            channels=channels,
            function=function,
            training=int(c.training),
        )
        return [back(dx)]

    return Lowered(y, backward)


def lower_layer_norm(c: Context, node: Node, inputs: list[Tensor], fused: Fused) -> Lowered:
    """Normalise over channels at each place."""
    layer = node.layer
    assert isinstance(layer, layers.LayerNorm)
    x, back = straight(c, inputs[0])
    y, mean, inverse = c.tape.like(x), c.tape.floats(x.rows), c.tape.floats(x.rows)
    weight, bias = c.parameter(f"{node.name}.weight"), c.parameter(f"{node.name}.bias")
    c.tape.emit(
        normalisation.LAYER_NORM_FORWARD,
        split(x.count),
        x=x,
        y=y,
        mean=mean,
        inverse=inverse,
        weight=weight,
        bias=bias,
        rows=x.rows,
        channels=x.channels,
        epsilon=layer.epsilon,
    )

    def backward(dy: Tensor, wanted: Sequence[bool]) -> list[Tensor | None]:
        parts = max(1, min(STATISTICS_PARTS, x.rows // 16))
        sums = c.tape.floats(parts * 2 * x.channels, itemsize=8)
        dx = c.tape.like(x)
        c.tape.emit(
            normalisation.LAYER_NORM_BACKWARD,
            parts,
            x=x,
            dy=dy,
            dx=dx,
            mean=mean,
            inverse=inverse,
            weight=weight,
            partials=sums,
            rows=x.rows,
            channels=x.channels,
        )
        c.tape.emit(
            normalisation.BATCH_NORM_BACKWARD_FINISH,
            1,
            partials=sums,
            dweight=c.gradient_of(f"{node.name}.weight"),
            dbias=c.gradient_of(f"{node.name}.bias"),
            partial_parts=parts,
            channels=x.channels,
        )
        return [back(dx)]

    return Lowered(y, backward)
