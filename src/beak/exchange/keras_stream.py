"""What flows between Keras's layers, and how its arrays lie in beak's: channels last and first.

A Keras layer is translated on its own, from its config and the streams that it reads, into beak's
layers and a list of ``Weight``: where each of its arrays lies in the network, and how it is turned.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from beak.errors import NetworkError, ShapeError
from beak.network.layer import Layer, Shape

Array = np.ndarray[Any, Any]
Config = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Stream:
    """What one Keras layer hands to the next."""

    shape: Shape
    """As Keras has it, without the batch: (H, W, C), (L, C), (n,)."""
    node: str = "input"
    """The node of beak's network whose output it is."""
    first: bool | None = None
    """Whether channels come first in ``shape``; None: not said yet (an input), or a row."""
    order: Array | None = None
    """Of a row of features: place i is beak's place order[i]; None: the same."""
    flat: bool = False
    """Whether beak's node gives a row although Keras has a map of one place: (1, 1, C)."""
    prepared: tuple[tuple[str, Config], ...] = ()
    """Of the network's input: the preparing layers that it went through, by class and config."""

    @property
    def is_input(self) -> bool:
        """Whether it is the network's input, prepared or not."""
        return self.node == "input"

    @property
    def is_row(self) -> bool:
        """Whether beak's node gives a row of features."""
        return self.flat or len(self.shape) == 1

    def channels(self, first: bool | None = None) -> int:
        """How many channels it has."""
        first = self.first if first is None else first
        return self.shape[0] if first and not self.is_row else self.shape[-1]

    def beak_shape(self) -> Shape:
        """The shape of beak's node."""
        if self.is_row:
            return (math.prod(self.shape),)
        return self.shape if self.first else (self.shape[-1], *self.shape[:-1])

    def keras_shape(self, shape: Shape) -> Shape:
        """A shape of beak's, written as this stream's layout has it."""
        return shape if self.first or len(shape) == 1 else (*shape[1:], shape[0])


@dataclass(frozen=True, eq=False)
class Weight:
    """One of a Keras layer's arrays: its place in the network, both ways."""

    name: str
    """As Keras calls it: kernel, bias, gamma, moving_mean, …"""
    shape: Shape
    parameter: str
    """Of beak's network."""
    to_beak: Callable[[Array], Array]
    to_keras: Callable[[Array], Array]
    trainable: bool = True


@dataclass
class Fragment:
    """What one Keras layer becomes: nodes, weights, and where the network's channels are."""

    layers: list[Layer] = field(default_factory=list)
    weights: list[Weight] = field(default_factory=list)
    fixed: list[str] = field(default_factory=list)
    """Parameters that beak's layers have and Keras's does not: they stay as they start."""
    input_first: bool | None = None
    """Whether the network's input has its channels first, where this layer reads it and says so."""
    reads: Stream | None = None
    """The network's input, where this layer reads it."""
    notes: list[str] = field(default_factory=list)
    """What is done otherwise than Keras does, a line each."""

    def read(self, stream: Stream, first: bool | None = None) -> Stream:
        """A stream as a layer with this layout reads it; ShapeError where it lies otherwise."""
        if stream.is_input:
            self.reads = stream
        if len(stream.shape) == 1 or stream.flat:
            return stream
        if stream.first is None and first is None:
            first = False
        if stream.first is not None and first is not None and stream.first != first:
            raise ShapeError(
                f"its data_format is {_format(first)}, but what it reads is "
                f"{_format(stream.first)}; one data_format in the whole model was wanted"
            )
        first = stream.first if first is None else first
        if stream.is_input:
            self.input_first = first
        return replace(stream, first=first)

    def add(self, layer: Layer, name: str, *streams: Stream) -> str:
        """Write a node that reads these streams; its name."""
        self.layers.append(replace(layer, name=name, inputs=tuple(s.node for s in streams)))
        return name

    def node(self, layer: Layer, name: str, *streams: Stream) -> Stream:
        """Write a node and its output, laid out as the first stream."""
        output = layer.output(*(s.beak_shape() for s in streams))
        first = streams[0].first
        made = Stream(output, self.add(layer, name, *streams), first)
        return replace(made, shape=made.keras_shape(output))

    def weight(
        self,
        name: str,
        shape: Sequence[int],
        parameter: str,
        to_beak: Callable[[Array], Array] = lambda array: array,
        to_keras: Callable[[Array], Array] = lambda array: array,
        trainable: bool = True,
    ) -> None:
        """Say where one of the layer's arrays lies."""
        self.weights.append(Weight(name, tuple(shape), parameter, to_beak, to_keras, trainable))


def turned(*axes: int) -> tuple[Callable[[Array], Array], Callable[[Array], Array]]:
    """A transposition and the way back.

    >>> there, back = turned(3, 2, 0, 1)
    >>> there(np.zeros((5, 4, 3, 2))).shape, back(there(np.zeros((5, 4, 3, 2)))).shape
    ((2, 3, 5, 4), (5, 4, 3, 2))
    """
    inverse = tuple(int(i) for i in np.argsort(axes))
    return lambda array: array.transpose(axes), lambda array: array.transpose(inverse)


def ordered(order: Array | None) -> tuple[Callable[[Array], Array], Callable[[Array], Array]]:
    """From Keras's order of features along the first axis to beak's, and the way back."""
    if order is None:
        return lambda array: array, lambda array: array
    back = np.argsort(order)
    return lambda array: array[back], lambda array: array[order]


def is_first(config: Config) -> bool:
    """Whether a layer's ``data_format`` says that channels come first."""
    said = config.get("data_format") or "channels_last"
    if said not in ("channels_last", "channels_first"):
        raise NetworkError(f"data_format={said!r}; 'channels_last' or 'channels_first' was wanted")
    return bool(said == "channels_first")


def _format(first: bool) -> str:
    return "channels_first" if first else "channels_last"


def refuse_unless(config: Config, key: str, *allowed: Any, hint: str = "") -> None:
    """NetworkError unless a field has one of these values (or is not there)."""
    value = config.get(key, allowed[0])
    if value not in allowed:
        raise NetworkError(f"{key}={value!r} is not in beak" + (f"; {hint}" if hint else ""))
