"""Keras's activations by their names here."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from beak.errors import NetworkError, did_you_mean
from beak.exchange.keras_stream import Config, Fragment, Stream
from beak.network.layers import Activation

FUNCTIONS = {
    "relu": "relu",
    "gelu": "gelu",
    "silu": "silu",
    "swish": "silu",
    "hard_silu": "hard_swish",
    "hard_swish": "hard_swish",
    "tanh": "tanh",
    "sigmoid": "sigmoid",
    "softmax": "softmax",
}
"""Keras's name: beak's."""
NEAREST = {
    "elu": "gelu or leaky_relu",
    "selu": "gelu with BatchNormalization",
    "relu6": "relu",
    "softplus": "relu or silu",
    "softsign": "tanh",
    "mish": "silu",
    "hard_sigmoid": "sigmoid",
    "hard_tanh": "tanh",
    "exponential": "softmax, or none and a loss from_logits",
    "log_softmax": "softmax",
    "crelu": "relu",
    "celu": "gelu",
    "glu": "silu",
}


def function_named(value: Any) -> str | None:
    """Beak's name of a Keras activation (a name, or a config of one); None for linear.

    None too for leaky_relu, whose slope wants a node of its own: see ``leaked``.
    """
    value = plain_name(value)
    if value in (None, "linear", "leaky_relu"):
        return None
    if value in FUNCTIONS:
        return FUNCTIONS[str(value)]
    if value in NEAREST:
        raise NetworkError(f"the activation {value!r} is not in beak; nearest: {NEAREST[value]}")
    raise NetworkError(
        f"the activation {value!r} is not in beak" + did_you_mean(str(value), FUNCTIONS)
    )


def plain_name(value: Any) -> Any:
    """The name that a config of a function holds; what is none stays."""
    if isinstance(value, dict):
        config = value.get("config")
        return config if isinstance(config, str) else value.get("class_name")
    return value


def leaky(slope: float) -> Activation:
    """A leaky ReLU of this slope."""
    return Activation("leaky_relu", slope=slope)


def leaked(config: Config, name: str, stream: Stream, out: Fragment) -> Stream:
    """A stream through ``activation="leaky_relu"``, whose slope is Keras's 0.2; others stay."""
    if plain_name(config.get("activation")) != "leaky_relu":
        return stream
    return replace(stream, node=out.add(leaky(0.2), f"{name}.leaky_relu", stream))
