"""What one number of a layer is made of, before the layer's activation: a table by kind of layer.

Each function takes the layer at work and a place in its output, and names every number one layer
down that goes into it, with what that number is multiplied by. Nothing is fused or folded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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


def convolution(at: At, index: Index) -> Terms:
    """Each input under the window times its weight of the filter, plus the filter's bias."""
    weight, number = at.parameters["weight"], index[0]
    depth = weight.shape[1]
    first = number // (at.layer.filters // at.layer.groups) * depth
    places = window_places(at, index, range(first, first + depth))
    facts = {"filter": number, "window": weight.shape[1:], "channels": [first, first + depth]}
    return read(at, places, weight[number].ravel(), constants=at.bias((number,)), facts=facts)


def dense(at: At, index: Index) -> Terms:
    """Every input times its weight, plus the unit's bias."""
    weight = at.parameters["weight"][index[0]]
    places = np.arange(len(weight))[:, None]
    return read(at, places, weight, constants=at.bias(index), facts={"unit": index[0]})


def max_pool(at: At, index: Index) -> Terms:
    """The largest input under the window."""
    return largest(at, window_places(at, index, range(index[0], index[0] + 1)))


def global_max(at: At, index: Index) -> Terms:
    """The largest number of the channel's map."""
    return largest(at, all_places(at, index[0]))


def largest(at: At, places: Array) -> Terms:
    """Only the winner counts: the first of the largest; a NaN, the last one, wins over all."""
    terms = read(at, places, 0.0)
    values = np.where(terms.inside, terms.input, -np.inf)
    if np.isnan(values).any():
        winner = int(np.flatnonzero(np.isnan(values))[-1])
        ties = [winner]
    else:
        best = np.flatnonzero((values == values.max()) & terms.inside)
        winner, ties = int(best[0]), best.tolist()
    terms.weight[winner] = 1.0
    facts = {"winner": winner, "ties": ties, "window": _window_of(at)}
    return Terms(terms.index, terms.input, terms.weight, terms.source, terms.inside, facts=facts)


def avg_pool(at: At, index: Index) -> Terms:
    """The mean of the inputs under the window, padding not counted."""
    return mean(at, window_places(at, index, range(index[0], index[0] + 1)))


def global_avg(at: At, index: Index) -> Terms:
    """The mean of the channel's map."""
    return mean(at, all_places(at, index[0]))


def mean(at: At, places: Array) -> Terms:
    """Each real cell times one over how many they are."""
    inside = read(at, places, 0.0).inside
    weight = inside / inside.sum()
    return read(at, places, weight, facts={"counted": int(inside.sum()), "window": _window_of(at)})


def all_places(at: At, channel: int) -> Array:
    """Every place of one channel's map."""
    sizes = at.inputs[0].shape[1:]
    grid = np.indices(sizes).reshape(len(sizes), -1).T
    return np.concatenate([np.full((len(grid), 1), channel), grid], axis=1)


def _window_of(at: At) -> list[int]:
    shape = at.node.input_shapes[0]
    kernel = at.layer.geometry(shape).kernel if hasattr(at.layer, "geometry") else shape[1:]
    return [1, *kernel]


def same(at: At, index: Index) -> Terms:
    """The number goes through as it is."""
    return one(at, index)


def flatten(at: At, index: Index) -> Terms:
    """The number goes through; only its place is told otherwise."""
    place = np.unravel_index(index[0], at.inputs[0].shape)
    return one(at, tuple(int(i) for i in place))


def batch_norm(at: At, index: Index) -> Terms:
    """(x - mean) x scale + bias, with scale = weight / sqrt(variance + epsilon)."""
    p, channel = at.parameters, index[0]
    average, variance = (float(p[name][channel]) for name in ("running_mean", "running_var"))
    deviation = float(np.sqrt(variance + at.layer.epsilon))
    scale = float(p["weight"][channel]) / deviation
    bias = at.bias((channel,))
    shift = Constant("- mean x scale", -average * scale)
    facts = {
        "mean": average,
        "variance": variance,
        "epsilon": at.layer.epsilon,
        "deviation": deviation,
        "weight": p["weight"][channel],
        "folded": {"scale": scale, "shift": bias[0].value - average * scale},
    }
    return one(at, index, scale, constants=(shift, *bias), facts=facts)


def layer_norm(at: At, index: Index) -> Terms:
    """(x - mean of the place's channels) x scale + bias: each channel has a share in the mean."""
    p, channel = at.parameters, index[0]
    column = np.moveaxis(at.inputs[0], 0, -1)[index[1:]].astype(np.float64)
    deviation = float(np.sqrt(column.var() + at.layer.epsilon))
    scale = float(p["weight"][channel]) / deviation
    own = np.arange(len(column)) == channel
    places = np.array([(c, *index[1:]) for c in range(len(column))], np.int64)
    facts = {
        "mean": column.mean(),
        "variance": column.var(),
        "epsilon": at.layer.epsilon,
        "deviation": deviation,
        "weight": p["weight"][channel],
        "scale": scale,
    }
    weight = (own - 1 / len(column)) * scale
    return read(at, places, weight, constants=at.bias((channel,)), facts=facts)


def embedding(at: At, index: Index) -> Terms:
    """The word's row of the table: 1 for that word, 0 for all others, times the table's column."""
    place = index[1] + getattr(at.layer, "begin", 0)
    word = int(at.inputs[0][place])
    terms = one(at, (place,), float(at.parameters["weight"][word, index[0]]))
    facts = {"word": word, "dimension": index[0]}
    hot = np.ones(1)
    return Terms(terms.index, hot, terms.weight, terms.source, terms.inside, facts=facts)


def position_bias(at: At, index: Index) -> Terms:
    """The number plus its place's bias."""
    place = index[1:] or index
    return one(at, index, constants=at.bias(place))


def add(at: At, index: Index) -> Terms:
    """The same cell of every input, added up."""
    return together([one(at, index, source=k) for k in range(len(at.inputs))])


def multiply(at: At, index: Index) -> Terms:
    """The same cell of every input, multiplied; (C,) counts for all places of its channel."""
    parts = [one(at, index[: at.inputs[k].ndim], source=k) for k in range(len(at.inputs))]
    return together(parts, "product")


def concat(at: At, index: Index) -> Terms:
    """The number goes through from the input whose channels stand here."""
    channel = index[0]
    for source, values in enumerate(at.inputs):
        if channel < len(values):
            return one(at, (channel, *index[1:]), source=source)
        channel -= len(values)
    raise IndexError(index)


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


TERMS: dict[str, Callable[[At, Index], Terms]] = {
    "Conv1D": convolution,
    "Conv2D": convolution,
    "MaxPool1D": max_pool,
    "MaxPool2D": max_pool,
    "AvgPool1D": avg_pool,
    "AvgPool2D": avg_pool,
    "GlobalMaxPool": global_max,
    "GlobalAvgPool": global_avg,
    "Flatten": flatten,
    "Dense": dense,
    "BatchNorm": batch_norm,
    "LayerNorm": layer_norm,
    "Dropout": same,
    "Activation": same,
    "Embedding": embedding,
    "PositionBias": position_bias,
    "Add": add,
    "Concat": concat,
    "Multiply": multiply,
}
"""How a number comes about, by kind of layer: each layer of the catalogue has a row."""

FORMULAS = {
    "Conv1D": "sum of inputs x weights + bias",
    "Conv2D": "sum of inputs x weights + bias",
    "MaxPool1D": "the largest input of the window",
    "MaxPool2D": "the largest input of the window",
    "AvgPool1D": "mean of the window's inputs",
    "AvgPool2D": "mean of the window's inputs",
    "GlobalMaxPool": "the largest input of the map",
    "GlobalAvgPool": "mean of the map's inputs",
    "Flatten": "the input, at another place",
    "Dense": "sum of inputs x weights + bias",
    "BatchNorm": "(input - mean) x weight / sqrt(variance + epsilon) + bias",
    "LayerNorm": "(input - mean of channels) x weight / sqrt(variance + epsilon) + bias",
    "Dropout": "the input (dropout does nothing in prediction)",
    "Activation": "a function of the input",
    "Embedding": "the word's number in the table",
    "PositionBias": "input + this place's bias",
    "Add": "sum of the inputs",
    "Concat": "the input, behind the channels of others",
    "Multiply": "product of the inputs",
}
"""In words, for captions and pages."""
