"""Grad-CAM's two questions: which layer, and where its map lies on the input."""

from __future__ import annotations

import numpy as np

from beak.errors import UsageError
from beak.lens.subject import Array
from beak.network.layer import count
from beak.network.network import Network, Node
from beak.network.receptive import Field, receptive_fields

CONVOLUTIONS = ("Conv1D", "Conv2D")
FOLLOWED = ("BatchNorm", "LayerNorm", "Activation", "Dropout", "PositionBias", "Add")
"""What changes a map's numbers and not its places."""


def cam_layers(network: Network) -> list[str]:
    """The nodes to look at: behind the last convolutions whose maps still have places.

    A convolution is last where no other stands behind it; its norm, activation and residual sum
    belong to it. A map of one filter says nothing that the answer does not say, and is left out.
    So is a map that no longer lies on the input's axes, behind a Reshape.
    Raises UsageError for a network without such a layer.
    """
    axes = len(receptive_fields(network)["input"])
    convolutions = [
        node
        for node in network.nodes
        if node.layer.kind in CONVOLUTIONS
        and node.output[0] > 1
        and count(node.output[1:]) > 1
        and len(node.output) == axes + 1
    ]
    behind = _behind(network)
    names = {node.name for node in convolutions}
    last = [node for node in convolutions if not behind[node.name] & names]
    if not last:
        raise UsageError(
            "Grad-CAM needs a convolution whose map has places, and the network has none; "
            "ask for another method: gradient, integrated or occlusion"
        )
    return list(dict.fromkeys(_followed(network, node).name for node in last))


def _behind(network: Network) -> dict[str, set[str]]:
    """By node, all nodes that depend on it."""
    found: dict[str, set[str]] = {node.name: set() for node in network.nodes}
    for node in reversed(network.nodes):
        for name in node.inputs:
            if name != "input":
                found[name] |= {node.name} | found[node.name]
    return found


def _followed(network: Network, node: Node) -> Node:
    """The end of what only changes this map's numbers."""
    while True:
        readers = [after for after in network.nodes if node.name in after.inputs]
        if len(readers) != 1 or readers[0].layer.kind not in FOLLOWED:
            return node
        if getattr(readers[0].layer, "function", None) == "softmax":
            return node
        node = readers[0]


def class_map(network: Network, name: str, values: Array, slopes: Array) -> tuple[Array, Array]:
    """The map of a node (places), and the same on the input's places.

    Each channel counts by its mean slope; what speaks against the answer is cut to 0.
    """
    if values.ndim < 2:
        raise UsageError(f"'{name}' has no places; Grad-CAM is for layers with maps")
    weight = slopes.reshape(len(slopes), -1).mean(1)
    small = np.maximum(np.tensordot(weight, values, axes=1), 0)
    fields = receptive_fields(network)
    sizes = [field.places for field in fields["input"]]
    return small, on_input(small, fields[name], sizes)


def on_input(small: Array, fields: tuple[Field, ...], sizes: list[int]) -> Array:
    """A map drawn on the input's places: each cell in the middle of what it sees, lines between."""
    large = small
    for axis, (field, size) in enumerate(zip(fields, sizes, strict=True)):
        middles = field.start + (field.size - 1) / 2 + field.jump * np.arange(small.shape[axis])
        places = np.arange(size)
        if len(middles) == 1 or field.jump == 0:
            large = np.repeat(large, size, axis)
            continue
        right = np.clip(np.searchsorted(middles, places), 1, len(middles) - 1)
        share = (places - middles[right - 1]) / (middles[right] - middles[right - 1])
        shape = [-1 if k == axis else 1 for k in range(large.ndim)]
        share = np.clip(share, 0, 1).reshape(shape)
        low, high = (np.take(large, at, axis) for at in (right - 1, right))
        large = low * (1 - share) + high * share
    return large.astype(np.float32)
