"""A value of an ONNX graph: numbers of a node, and which of them stands where.

What only moves numbers (Transpose, Reshape, Slice, Concat, …) changes the places and computes
nothing; layers are made when something computes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from beak.errors import RunError
from beak.network.layer import Shape, count

Array = np.ndarray[Any, Any]


class LackingError(RunError):
    """Something that an operator needs and beak has not; told with the operator's name."""


@dataclass(frozen=True, eq=False)
class Value:
    """Numbers of a node's output, for a batch of one."""

    node: str
    """"input", or a node's name."""
    places: Array
    """int64, shaped as the ONNX value: each number's place in the node's flat output; -1: a 0."""

    @property
    def shape(self) -> Shape:
        """As ONNX has it, the batch of one included."""
        return tuple(self.places.shape)

    @property
    def padded(self) -> bool:
        """Whether zeros stand in it that are no node's."""
        return bool(self.places.size and self.places.min() < 0)


@dataclass(frozen=True, eq=False)
class Bent:
    """What an operator gives that has no layer of its own but is known by what follows it."""

    how: str
    """"erf": the error function of the value; "1 + erf": one more; "log": the logarithm."""
    value: Value
    factor: float = 1.0
    """What it is multiplied with."""


def whole(shape: Shape) -> Array:
    """The places of a node's whole output: (1, *shape)."""
    return np.arange(count(shape)).reshape(1, *shape)


@dataclass(frozen=True, eq=False)
class Block:
    """A map's channels, chosen, with rows and columns added (zeros) or left out (below 0)."""

    channels: Array
    margins: tuple[tuple[int, int], ...]

    def is_whole(self, shape: Shape) -> bool:
        """Whether it is simply the map."""
        return not any(map(any, self.margins)) and self.takes_all(shape)

    def takes_all(self, shape: Shape) -> bool:
        """Whether the channels are the map's, in their order."""
        return np.array_equal(self.channels, np.arange(shape[0]))


def block_of(places: Array, shape: Shape) -> Block | None:
    """The places (1, C', …) as a block of a map of this shape; None where they are none."""
    if len(shape) < 2 or places.ndim != len(shape) + 1 or len(places) != 1:
        return None
    inside = places[0] >= 0
    window, begins = [slice(None)], []
    for axis in range(1, inside.ndim):
        others = tuple(other for other in range(inside.ndim) if other != axis)
        there = np.flatnonzero(inside.any(axis=others))
        if not there.size:
            return None
        begins.append(int(there[0]))
        window.append(slice(int(there[0]), int(there[-1]) + 1))
    seen = places[0][tuple(window)]
    if seen.min() < 0:
        return None
    area, ones = count(shape[1:]), (1,) * (len(shape) - 1)
    first = seen.reshape(len(seen), -1)[:, 0]
    at = np.unravel_index(int(first[0]) % area, shape[1:])
    if any(a + n > size for a, n, size in zip(at, seen.shape[1:], shape[1:], strict=True)):
        return None
    grid = np.arange(area).reshape(shape[1:])
    part = grid[tuple(slice(a, a + n) for a, n in zip(at, seen.shape[1:], strict=True))]
    channels = first // area
    if not np.array_equal(seen, channels.reshape(-1, *ones) * area + part):
        return None
    margins = []
    for axis, (begin, a, n, size) in enumerate(
        zip(begins, at, seen.shape[1:], shape[1:], strict=True)
    ):
        end, cut = places.shape[axis + 2] - begin - n, size - int(a) - n
        if (begin and a) or (end and cut):  # zeros where numbers of the map would stand
            return None
        margins.append((begin - int(a), end - cut))
    return Block(channels, tuple(margins))


def channels_along(places: Array, axis: int, shape: Shape) -> tuple[Array, Array] | None:
    """Where an axis runs through a node's channels: which (K,), and the places of all else in
    their map (the other axes). None where it does not.
    """
    area = count(shape[1:])
    last = np.moveaxis(places, axis, -1)
    if not last.size or last.min() < 0:
        return None
    channel, place = last // area, last % area
    first = channel.reshape(-1, last.shape[-1])[0]
    if (channel != first).any() or (place != place[..., :1]).any():
        return None
    return first, place[..., 0]
