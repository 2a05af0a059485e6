"""A network without the batch norms that a convolution or dense layer before them can take in."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from beak.network.layers import BatchNorm, Conv1D, Conv2D, Dense
from beak.network.network import Network, Node

Array = np.ndarray[Any, Any]


def without_norms(
    network: Network, parameters: Mapping[str, Array]
) -> tuple[Network, dict[str, Array]]:
    """The same map with fewer layers: weights times the norm's gain, its offset in the bias."""
    taken = _taken(network)
    made, renamed = [], {"input": "input"}
    found = {name: value for name, value in parameters.items() if not _of(name, taken)}
    for node in network.nodes:
        renamed[node.name] = node.name
        inputs = tuple(renamed[name] for name in node.inputs)
        if node.name in taken:
            before = network.node(node.inputs[0])
            renamed[node.name] = renamed[before.name]
            found |= _folded(node, before, parameters)
            continue
        changed: dict[str, Any] = {"name": node.name, "inputs": inputs}
        if node.name in taken.values():
            changed["bias"] = True
        made.append(dataclasses.replace(node.layer, **changed))
    folded = Network(network.input, made)
    return folded, {name: found[name] for name in folded.parameters}


def _taken(network: Network) -> dict[str, str]:
    """Norms that go -> the layer that takes each in: it alone reads it, nothing between."""
    readers: dict[str, int] = {}
    for node in network.nodes:
        for name in node.inputs:
            readers[name] = readers.get(name, 0) + 1
    taken = {}
    for node in network.nodes:
        if isinstance(node.layer, BatchNorm) and node.inputs[0] != "input":
            before = network.node(node.inputs[0])
            weighted = isinstance(before.layer, Conv1D | Conv2D | Dense)
            if weighted and readers[before.name] == 1 and _plain(before):
                taken[node.name] = before.name
    return taken


def _plain(node: Node) -> bool:
    return getattr(node.layer, "activation", None) is None


def _of(name: str, taken: Mapping[str, str]) -> bool:
    return name.rsplit(".", 1)[0] in taken


def _folded(norm: Node, before: Node, parameters: Mapping[str, Array]) -> dict[str, Array]:
    layer: Any = norm.layer
    weight, bias, mean, variance = (
        np.asarray(parameters[f"{norm.name}.{name}"], np.float64)
        for name in ("weight", "bias", "running_mean", "running_var")
    )
    gain = weight / np.sqrt(variance + layer.epsilon)
    filters = np.asarray(parameters[f"{before.name}.weight"], np.float64)
    own = np.asarray(parameters.get(f"{before.name}.bias", 0.0), np.float64)
    return {
        f"{before.name}.weight": (filters.T * gain).T.astype(np.float32),
        f"{before.name}.bias": ((own - mean) * gain + bias).astype(np.float32),
    }
