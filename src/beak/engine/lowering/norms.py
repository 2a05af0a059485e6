"""Batch norm, alone or with the sum behind it, and layer norm as calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
NONE, RELU = -1, 0
"""What a kernel does behind the norm."""


def lower_batch_norm(c: Context, node: Node, inputs: list[Tensor], fused: Fused) -> Lowered:
    """Batch statistics in training, running ones otherwise; a ReLU behind it is done here."""
    x, back = straight(c, inputs[0])
    norm = _Norm.begin(c, node, x)
    function = RELU if fused.relu else NONE

    def normalised() -> Tensor:
        y = c.tape.like(x)
        c.tape.emit(
            normalisation.BATCH_NORM_APPLY,
            split(x.count),
            y=y,
            **norm.values(),
            function=function,
        )
        return y

    y = normalised()
    c.cheap(y, normalised)  # backward needs x anyway: y need not be kept beside it

    def backward(dy: Tensor, wanted: Sequence[bool]) -> list[Tensor | None]:
        sums = norm.sums(c)
        c.tape.emit(
            normalisation.BATCH_NORM_BACKWARD_SUMS,
            norm.parts,
            dy=dy,
            partials=sums,
            **norm.values(),
            function=function,
        )
        norm.finish(c, sums)
        return [back(norm.gradient(c, dy, function)) if wanted[0] else None]

    return Lowered(y, backward)


def lower_norm_and_sum(c: Context, node: Node, inputs: list[Tensor], fused: Fused) -> Lowered:
    """The sum of a batch norm (fused.summand; its input comes in its place) and another."""
    assert fused.summand is not None
    place = node.inputs.index(fused.summand.name)
    (x, x_back), (other, other_back) = (straight(c, inputs[i]) for i in (place, 1 - place))
    norm = _Norm.begin(c, fused.summand, x)

    def whole(other: Tensor) -> Tensor:
        y = c.tape.like(x)
        c.tape.emit(
            normalisation.BATCH_NORM_ADD,
            split(x.count),
            other=other,
            y=y,
            **norm.values(),
            function=RELU if fused.relu else NONE,
        )
        return y

    y = whole(other)
    c.cheap(y, lambda: whole(c.again(other)), other)

    def backward(dy: Tensor, wanted: Sequence[bool]) -> list[Tensor | None]:
        sums, g = norm.sums(c), dy
        if fused.relu:
            g = c.tape.like(dy)
            values = {"y": c.again(y), "dy": dy, "g": g, "partials": sums}
            for name in ("x", "mean", "inverse", "rows", "channels"):
                values[name] = norm.values()[name]
            c.tape.emit(normalisation.BATCH_NORM_ADD_BACKWARD_SUMS, norm.parts, **values)
        else:
            c.tape.emit(
                normalisation.BATCH_NORM_BACKWARD_SUMS,
                norm.parts,
                dy=dy,
                partials=sums,
                **norm.values(),
                function=NONE,
            )
        norm.finish(c, sums)
        dx = x_back(norm.gradient(c, g, NONE)) if wanted[place] else None
        gradients = [dx, other_back(g)]
        return gradients if place == 0 else gradients[::-1]

    return Lowered(y, backward)


@dataclass(frozen=True)
class _Norm:
    """A batch norm whose statistics are known: what its kernels read."""

    node: Node
    x: Tensor
    mean: Tensor | Array
    inverse: Tensor
    weight: Array
    bias: Array
    parts: int
    """Into how many sums its statistics and gradients are split."""
    training: bool

    @classmethod
    def begin(cls, c: Context, node: Node, x: Tensor) -> _Norm:
        """Emit the calls for mean and inverse deviation: the batch's in training."""
        layer = node.layer
        assert isinstance(layer, layers.BatchNorm)
        running_mean, running_var = (c.parameter(name) for name in running_statistics(node))
        weight, bias = (c.parameter(f"{node.name}.{field}") for field in ("weight", "bias"))
        parts = max(1, min(STATISTICS_PARTS, x.rows // 16))
        inverse = c.tape.floats(x.channels)
        if not c.training or running_statistics(node)[0] in c.frozen:
            c.tape.emit(
                normalisation.BATCH_NORM_INVERSE,
                1,
                variance=running_var,
                inverse=inverse,
                channels=x.channels,
                epsilon=layer.epsilon,
            )
            return cls(node, x, running_mean, inverse, weight, bias, parts, False)
        norm = cls(node, x, c.tape.floats(x.channels), inverse, weight, bias, parts, True)
        sizes = {"rows": x.rows, "channels": x.channels}
        partials = norm.sums(c)
        c.tape.emit(normalisation.BATCH_NORM_STATISTICS, parts, x=x, partials=partials, **sizes)
        c.tape.emit(
            normalisation.BATCH_NORM_FINISH,
            1,
            partials=partials,
            mean=norm.mean,
            inverse=inverse,
            running_mean=running_mean,
            running_var=running_var,
            partial_parts=parts,
            **sizes,
            epsilon=layer.epsilon,
            momentum=layer.momentum,
        )
        return norm

    def values(self) -> dict[str, Any]:
        """The arguments that most of the kernels share."""
        return {
            "x": self.x,
            "mean": self.mean,
            "inverse": self.inverse,
            "weight": self.weight,
            "bias": self.bias,
            "rows": self.x.rows,
            "channels": self.x.channels,
        }

    def sums(self, c: Context) -> Tensor:
        """Memory for the parts' sums: two doubles a channel."""
        return c.tape.floats(self.parts * 2 * self.x.channels, itemsize=8)

    def finish(self, c: Context, sums: Tensor) -> None:
        """Emit the call that adds the parts' sums up to the gradients of weight and bias."""
        _finish(c, self.node, sums, self.parts, self.x.channels)

    def gradient(self, c: Context, dy: Tensor, function: int) -> Tensor:
        """Emit the call that makes dx, once weight and bias have their gradients."""
        dx = c.tape.like(self.x)
        c.tape.emit(
            normalisation.BATCH_NORM_BACKWARD_APPLY,
            split(self.x.count),
            dy=dy,
            dx=dx,
            dweight=c.gradient_of(f"{self.node.name}.weight"),
            dbias=c.gradient_of(f"{self.node.name}.bias"),
            **self.values(),
            function=function,
            training=int(self.training),
        )
        return dx


def _finish(c: Context, node: Node, sums: Tensor, parts: int, channels: int) -> None:
    c.tape.emit(
        normalisation.BATCH_NORM_BACKWARD_FINISH,
        1,
        partials=sums,
        dweight=c.gradient_of(f"{node.name}.weight"),
        dbias=c.gradient_of(f"{node.name}.bias"),
        partial_parts=parts,
        channels=channels,
    )


def lower_layer_norm(c: Context, node: Node, inputs: list[Tensor], fused: Fused) -> Lowered:
    """Normalise over channels at each place."""
    layer = node.layer
    assert isinstance(layer, layers.LayerNorm)
    x, back = straight(c, inputs[0])
    y, weight = c.tape.like(x), c.parameter(f"{node.name}.weight")
    known: dict[str, Any] = {
        "mean": c.tape.floats(x.rows),
        "inverse": c.tape.floats(x.rows),
        "weight": weight,
        "rows": x.rows,
        "channels": x.channels,
    }
    c.tape.emit(
        normalisation.LAYER_NORM_FORWARD,
        split(x.count),
        x=x,
        y=y,
        **known,
        bias=c.parameter(f"{node.name}.bias"),
        epsilon=layer.epsilon,
    )

    def backward(dy: Tensor, wanted: Sequence[bool]) -> list[Tensor | None]:
        parts = max(1, min(STATISTICS_PARTS, x.rows // 16))
        sums = c.tape.floats(parts * 2 * x.channels, itemsize=8)
        dx = c.tape.like(x)
        c.tape.emit(
            normalisation.LAYER_NORM_BACKWARD,
            parts,
            x=c.again(x),
            dy=dy,
            dx=dx,
            **known,
            partials=sums,
        )
        _finish(c, node, sums, parts, x.channels)
        return [back(dx)]

    return Lowered(y, backward)
