"""What one number of a layer is made of: its terms, and how they are read from one layer down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from beak.network.network import Node

Array = np.ndarray[Any, Any]
Index = tuple[int, ...]


@dataclass(frozen=True)
class Constant:
    """A number that is added whatever the input is."""

    name: str
    value: float
    parameter: str | None = None
    """The parameter that it stands in, as "conv1.bias"; None: it follows from several."""
    index: Index = ()


@dataclass(frozen=True, eq=False)
class Terms:
    """The numbers that make one: T of them, in the order in which they are told."""

    index: Array
    """int64 (T, axes): where each stands in what it is read from; rows of shorter shapes end in 0s.
    """
    input: Array
    """float64 (T,): its value; 0 where a window reaches into the padding."""
    weight: Array
    """float64 (T,): what it is multiplied with."""
    source: Array
    """int64 (T,): which of the node's inputs it is read from."""
    inside: Array
    """bool (T,): false where there is nothing but padding."""
    how: str = "sum"
    """"sum": products and constants are added; "product": the inputs are multiplied."""
    constants: tuple[Constant, ...] = ()
    function: str | None = None
    """What is done to the sum besides the layer's activation: "ln"."""
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def product(self) -> Array:
        """float64 (T,): input x weight; a weight of 0 on infinity is nothing, as in a maximum."""
        with np.errstate(invalid="ignore"):
            return np.where(self.weight == 0, 0.0, self.input * self.weight)

    @property
    def total(self) -> float:
        """What the terms make."""
        if self.how == "product":
            return float(np.prod(self.input))
        return float(self.product.sum() + sum(c.value for c in self.constants))

    @property
    def scale(self) -> float:
        """The sum of the absolute terms, constants included: what rounding is measured against."""
        if self.how == "product":
            return abs(self.total)
        return float(np.abs(self.product).sum() + sum(abs(c.value) for c in self.constants))


@dataclass(frozen=True, eq=False)
class At:
    """A layer at work on one example."""

    node: Node
    inputs: Sequence[Array]
    """What it reads, without the batch."""
    parameters: Mapping[str, Array]
    """By short name."""
    output: Array = field(default_factory=lambda: np.empty(0))
    """What the engine has as its output."""

    @property
    def layer(self) -> Any:
        """The node's layer; its kind says which fields it has."""
        return self.node.layer

    def bias(self, index: Index, name: str = "bias") -> tuple[Constant, ...]:
        """A number of a parameter as a constant; nothing where there is no such parameter."""
        if name not in self.parameters:
            return ()
        value = float(self.parameters[name][index])
        return (Constant(name, value, f"{self.node.name}.{name}", index),)


def read(at: At, index: Array, weight: Array | float, source: int = 0, **rest: Any) -> Terms:
    """Terms from places (T, axes) of one input, with weights; those outside it are padding."""
    values = at.inputs[source]
    sizes = np.array(values.shape)
    inside = np.asarray(((index >= 0) & (index < sizes)).all(1))
    found = values[tuple(np.clip(index, 0, sizes - 1).T)].astype(np.float64)
    count = len(index)
    return Terms(
        index.astype(np.int64),
        np.where(inside, found, 0.0),
        np.broadcast_to(np.asarray(weight, np.float64), (count,)).copy(),
        np.full(count, source, np.int64),
        inside,
        **rest,
    )


def window_places(at: At, index: Index, channels: range) -> Array:
    """The places (T, axes) of the window that an output at ``index`` sees, channels first."""
    g = at.layer.geometry(at.node.input_shapes[0])
    along = [
        place * stride - before + dilation * np.arange(size)
        for place, size, stride, (before, _), dilation in zip(
            index[1:], g.kernel, g.stride, g.padding, g.dilation, strict=True
        )
    ]
    grid = np.meshgrid(np.array(channels), *along, indexing="ij")
    return np.stack([axis.ravel() for axis in grid], axis=1)


def one(at: At, index: Index, weight: float = 1.0, source: int = 0, **rest: Any) -> Terms:
    """A single term."""
    return read(at, np.array([index], np.int64), weight, source, **rest)


def together(parts: Sequence[Terms], how: str = "sum") -> Terms:
    """Terms of several inputs behind each other."""
    axes = max(part.index.shape[1] for part in parts)
    index = [np.pad(part.index, ((0, 0), (0, axes - part.index.shape[1]))) for part in parts]

    def joined(name: str) -> Array:
        return np.concatenate([getattr(part, name) for part in parts])

    return Terms(
        np.concatenate(index),
        joined("input"),
        joined("weight"),
        joined("source"),
        joined("inside"),
        how,
    )
