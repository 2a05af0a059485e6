"""Where a network's parameters lie in the native engine, and in which layout.

All trainable parameters share one flat float32 buffer (so do their gradients and moments): first
those that weight decay touches, then the others, embeddings last because their rows are updated
one by one. Running statistics have a buffer of their own. Convolution and dense weights lie in
panels of 16 outputs, [groups][outputs / 16][K][16] (ops/tile.h); everything is padded to 16 floats
with zeros, which no kernel ever changes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from beak.network.layers import BatchNorm, Conv1D, Conv2D, Dense, Embedding
from beak.network.network import Network, Node
from beak.ops.panels import from_panels, pad_groups, padded, to_panels, unpad_groups

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Slot:
    """One parameter's place in a flat buffer."""

    name: str
    shape: tuple[int, ...]
    begin: int
    size: int
    pack: Callable[[Array], Array]
    """From the public array to ``size`` floats."""
    unpack: Callable[[Array], Array]
    """From ``size`` floats to the public array."""
    max_norm: float | None = None
    """The longest that the weights of one output may be; these lie in panels."""

    @property
    def range(self) -> slice:
        """The slot's floats in its buffer."""
        return slice(self.begin, self.begin + self.size)


@dataclass(frozen=True)
class Segment:
    """Neighbouring trainable floats that one optimiser call updates."""

    begin: int
    size: int
    decay: bool
    rows: tuple[str, int, int] | None = None
    """(node name, rows, floats a row) of an embedding, which is updated row by row."""


@dataclass(frozen=True)
class Slots:
    """The places of all parameters of a network."""

    trainable: dict[str, Slot]
    fixed: dict[str, Slot]
    segments: tuple[Segment, ...]
    trainable_size: int
    fixed_size: int

    def __getitem__(self, name: str) -> Slot:
        return self.trainable.get(name) or self.fixed[name]


Layout = tuple[int, Callable[[Array], Array], Callable[[Array], Array]]


def _plain(shape: tuple[int, ...]) -> Layout:
    count = int(np.prod(shape))
    size = padded(count)

    def pack(public: Array) -> Array:
        out = np.zeros(size, np.float32)
        out[:count] = public.reshape(-1)
        return out

    return size, pack, lambda flat: flat[:count].reshape(shape).copy()


def _grouped(groups: int, each: int) -> Layout:
    """A bias: every group padded to whole panels."""
    return (
        groups * padded(each),
        lambda public: pad_groups(public, groups).reshape(-1),
        lambda flat: unpad_groups(flat, groups * each, groups),
    )


def _panels(shape: tuple[int, int, int, int], groups: int, public_shape: tuple[int, ...]) -> Layout:
    """Weights (outputs, channels, height, width), K = (height, width, channels)."""
    outputs, channels, height, width = shape
    size = groups * padded(outputs // groups) * height * width * channels
    return (
        size,
        lambda public: to_panels(public.reshape(shape), groups).reshape(-1),
        lambda flat: from_panels(flat, shape, groups).reshape(public_shape),
    )


def _layout(node: Node, name: str, order: tuple[int, int, int] | None) -> Layout:
    layer, shape = node.layer, node.parameters[name].shape
    field = name.rpartition(".")[2]
    if isinstance(layer, Conv1D | Conv2D):
        if field == "bias":
            return _grouped(layer.groups, shape[0] // layer.groups)
        outputs, channels, *window = shape
        height, width = window if len(window) == 2 else (1, window[0])
        return _panels((outputs, channels, height, width), layer.groups, shape)
    if isinstance(layer, Dense) and field == "weight":
        units, inputs = shape
        channels, height, width = order or (inputs, 1, 1)
        return _panels((units, channels, height, width), 1, shape)
    return _plain(shape)


def place_parameters(network: Network, orders: dict[str, tuple[int, int, int] | None]) -> Slots:
    """Give every parameter its place.

    ``orders``: by node name, the (C, H, W) that a node's flat input was, where the native engine
    keeps such features in (H, W, C) order; dense weights then take that order along K.
    """
    groups: dict[str, list[tuple[Node, str]]] = {"decay": [], "plain": [], "rows": [], "fixed": []}
    for node in network.nodes:
        for name, parameter in node.parameters.items():
            if not parameter.trainable:
                kind = "fixed"
            elif isinstance(node.layer, Embedding):
                kind = "rows"
            else:
                kind = "decay" if parameter.decay else "plain"
            groups[kind].append((node, name))
    segments: list[Segment] = []
    begin = 0
    placed: dict[str, dict[str, Slot]] = {"trainable": {}, "fixed": {}}
    for kind, members in groups.items():
        if kind == "fixed":
            trainable_size, begin = begin, 0
        start = begin
        for node, name in members:
            size, pack, unpack = _layout(node, name, orders.get(node.name))
            shape = node.parameters[name].shape
            limit = node.parameters[name].max_norm
            slot = Slot(name, shape, begin, size, pack, unpack, limit)
            placed["fixed" if kind == "fixed" else "trainable"][name] = slot
            if kind == "rows":
                decay = node.parameters[name].decay
                rows = (node.name, shape[0], shape[1])
                segments.append(Segment(begin, size, decay, rows))
            begin += size
        if kind in ("decay", "plain") and begin > start:
            segments.append(Segment(start, begin - start, kind == "decay"))
    return Slots(placed["trainable"], placed["fixed"], tuple(segments), trainable_size, begin)


def running_statistics(node: Node) -> tuple[str, str]:
    """The names of a batch norm's running mean and variance."""
    if not isinstance(node.layer, BatchNorm):
        raise TypeError(f"{node.name} is no BatchNorm")
    return f"{node.name}.running_mean", f"{node.name}.running_var"
