"""``keras.activations``: functions of arrays, and what layers take for ``activation``."""

from __future__ import annotations

from typing import Any

import numpy as np

from beak.exchange.keras_functions import FUNCTIONS, NEAREST
from beak.keras.config import missing
from beak.keras.losses import softmax_of
from beak.ops.activation.reference import activation

Array = np.ndarray[Any, Any]


def relu(x: Any) -> Array:
    """max(x, 0)."""
    return np.asarray(activation("relu", np.asarray(x)), np.float32)


def leaky_relu(x: Any, negative_slope: float = 0.2) -> Array:
    """X, or negative_slope x below 0."""
    return np.asarray(activation("leaky_relu", np.asarray(x), negative_slope), np.float32)


def gelu(x: Any) -> Array:
    """X times the chance that a normal number is below it."""
    return np.asarray(activation("gelu", np.asarray(x)), np.float32)


def silu(x: Any) -> Array:
    """X sigmoid(x)."""
    return np.asarray(activation("silu", np.asarray(x)), np.float32)


def hard_silu(x: Any) -> Array:
    """X relu6(x + 3) / 6."""
    return np.asarray(activation("hard_swish", np.asarray(x)), np.float32)


def tanh(x: Any) -> Array:
    """The hyperbolic tangent."""
    return np.asarray(np.tanh(x), np.float32)


def sigmoid(x: Any) -> Array:
    """1 / (1 + e^-x)."""
    return np.asarray(activation("sigmoid", np.asarray(x)), np.float32)


def softmax(x: Any) -> Array:
    """Shares of 1 along the last axis."""
    return np.asarray(softmax_of(np.asarray(x)), np.float32)


def linear(x: Any) -> Any:
    """X itself."""
    return x


swish, hard_swish = silu, hard_silu
TABLE = {name: globals()[name] for name in (*FUNCTIONS, "leaky_relu", "linear")}


def get(identifier: Any) -> Any:
    """A function from its name."""
    from beak.keras.layer import activation_name

    name = activation_name(identifier)
    return TABLE.get(name or "linear") or __getattr__(str(name))


__getattr__ = missing("activations", list(TABLE), NEAREST)
