"""The numbers that a network starts with: He or Glorot, each array from a stream of its own."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import numpy as np

from beak.network.layer import Shape, count
from beak.network.layers import Embedding
from beak.network.network import Network, Parameter

Array = np.ndarray[Any, Any]


def initial_parameters(network: Network, seed: int) -> dict[str, Array]:
    """float32 arrays by name. A name, a shape and a seed always give the same numbers.

    Weights that meet a ReLU kind: normal with variance 2 / fan_in (He et al. 2015, ICCV); other
    weights: uniform within +-sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010, AISTATS).
    """
    arrays = {name: _initial(name, p, seed) for name, p in network.parameters.items()}
    for node in network.nodes:
        if isinstance(node.layer, Embedding) and node.layer.padding_index is not None:
            arrays[f"{node.name}.weight"][node.layer.padding_index] = 0
    return arrays


def _initial(name: str, parameter: Parameter, seed: int) -> Array:
    if parameter.initial in ("zeros", "ones"):
        return np.full(parameter.shape, parameter.initial == "ones", dtype=np.float32)
    stream = _stream(name, seed)
    if parameter.initial == "he":
        spread = math.sqrt(2 / parameter.fan_in)
        values = spread * _normal(stream, parameter.shape)
    else:
        limit = math.sqrt(6 / (parameter.fan_in + parameter.fan_out))
        values = limit * (2 * _uniform(stream, parameter.shape) - 1)
    return np.asarray(values, dtype=np.float32)


def _uniform(stream: np.random.Philox, shape: Shape) -> Array:
    """float64 in [0, 1), from the stream's own words: NumPy may change its distributions."""
    words = stream.random_raw(count(shape)) >> np.uint64(11)
    return (words * 2.0**-53).reshape(shape)


def _normal(stream: np.random.Philox, shape: Shape) -> Array:
    """Standard normal numbers, by Box and Muller 1958."""
    radius = np.sqrt(-2 * np.log(1 - _uniform(stream, shape)))
    return np.asarray(radius * np.cos(2 * np.pi * _uniform(stream, shape)))


def _stream(name: str, seed: int) -> np.random.Philox:
    """A Philox stream whose key is the seed and the name's hash, the same on every machine."""
    digest = hashlib.sha256(f"initial\0{name}".encode()).digest()[:8]
    key = np.array([seed % 2**64, int.from_bytes(digest, "little")], dtype=np.uint64)
    return np.random.Philox(key=key)
