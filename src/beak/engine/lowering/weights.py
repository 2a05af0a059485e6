"""A convolution's weights as its kernel reads them, and the sums that make their gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from beak.engine.fusion import Fused
from beak.engine.lowering.context import Context, split
from beak.engine.slots import running_statistics
from beak.engine.tape import Tensor
from beak.network import layers
from beak.network.network import Node
from beak.ops.convolution import kernels as convolution
from beak.ops.elementwise import kernels as elementwise
from beak.ops.panels import padded

Array = np.ndarray[Any, Any]
Weights = Array | Tensor
GRADIENT_PARTS = 8
"""Into how many sums a weight gradient is split over the images of a batch."""


def weights_of(c: Context, node: Node, fused: Fused) -> tuple[Weights, Weights | None]:
    """Weights and bias as the kernel reads them, a batch norm folded in."""
    layer = node.layer
    assert isinstance(layer, layers.Conv1D | layers.Conv2D)
    weight = c.parameter(f"{node.name}.weight")
    bias = c.parameter(f"{node.name}.bias") if layer.bias else None
    if fused.norm is None:
        return weight, bias
    assert isinstance(fused.norm.layer, layers.BatchNorm)
    each, groups = layer.filters // layer.groups, layer.groups
    folded, folded_bias = c.prepared(weight.size), c.prepared(groups * padded(each))
    mean, variance = (c.parameter(name) for name in running_statistics(fused.norm))
    c.prepare(
        convolution.FOLD_NORM,
        split(weight.size),
        weight=weight,
        bias=bias,
        folded=folded,
        folded_bias=folded_bias,
        mean=mean,
        variance=variance,
        gamma=c.parameter(f"{fused.norm.name}.weight"),
        beta=c.parameter(f"{fused.norm.name}.bias"),
        groups=groups,
        terms=weight.size // (groups * padded(each)),
        filters=each,
        epsilon=fused.norm.layer.epsilon,
    )
    return folded, folded_bias


def partial_sizes(c: Context, node: Node) -> tuple[int, int]:
    """Floats of the weights, and of weights and bias together, in one part's sums."""
    size = c.slots[f"{node.name}.weight"].size
    bias = f"{node.name}.bias"
    return size, size + (c.slots[bias].size if bias in node.parameters else 0)


def sum_partials(c: Context, node: Node, partials: Tensor, parts: int) -> None:
    """Add up the parts' sums into the gradient buffer."""
    size, stride = partial_sizes(c, node)
    for field, begin, end in (("weight", 0, size), ("bias", size, stride)):
        if end > begin:
            c.tape.emit(
                elementwise.SUM_PARTS,
                split((end - begin) * parts),
                partials=partials.behind(begin),
                y=c.gradient_of(f"{node.name}.{field}"),
                partial_parts=parts,
                count=end - begin,
                stride=stride,
            )
