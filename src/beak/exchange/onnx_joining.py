"""Two values of an ONNX graph added or multiplied."""

from __future__ import annotations

import numpy as np

from beak.exchange.onnx_building import Building
from beak.exchange.onnx_views import LackingError, Value
from beak.network.layer import Layer, count
from beak.network.layers import Multiply
from beak.shapes import shape_text


def joined(net: Building, a: Value, b: Value, layer: Layer) -> Value:
    """Two values added or multiplied; one that is smaller is spread over the other."""
    try:
        shape = np.broadcast_shapes(a.shape, b.shape)
    except ValueError:
        raise LackingError(f"{shape_text(a.shape)} and {shape_text(b.shape)} do not fit") from None
    if isinstance(layer, Multiply):
        for whole, small in ((a, b), (b, a)):
            made = _each_channel(net, whole, small, shape)
            if made is not None:
                return made
    a, b = (Value(v.node, np.broadcast_to(v.places, shape)) for v in (a, b))
    if np.array_equal(a.places, b.places) and not a.padded:
        nodes = [a.node, b.node]
        sizes = [net.shapes[node] for node in nodes]
        if sizes[0] != sizes[1] and 1 in map(len, sizes):
            nodes = [net.flat(node) for node in nodes]
        if net.shapes[nodes[0]] == net.shapes[nodes[1]]:
            return Value(net.add(layer, nodes), a.places)
    a, b = net.alike([a, b])
    return Value(net.add(layer, [a.node, b.node]), a.places)


def _each_channel(
    net: Building, whole: Value, small: Value, shape: tuple[int, ...]
) -> Value | None:
    """A number for each channel times its map; None where it is something else."""
    sizes = net.shapes[whole.node]
    if whole.shape != shape or len(sizes) < 2 or whole.padded or small.padded:
        return None
    if count(net.shapes[small.node]) != sizes[0]:
        return None
    if np.ptp(np.sort(whole.places, axis=None) - np.arange(count(sizes))) or (
        whole.places.size != count(sizes)
    ):
        return None
    spread = np.empty(count(sizes), np.int64)
    spread[whole.places.ravel()] = np.broadcast_to(small.places, shape).ravel()
    channels = spread.reshape(sizes[0], -1)
    if (channels != np.arange(sizes[0])[:, None]).any():
        return None
    row = net.flat(small.node)
    if net.shapes[row] != sizes[:1]:
        return None
    return Value(net.add(Multiply(), [whole.node, row]), whole.places)
