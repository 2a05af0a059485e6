"""Starts of arrays: ``keras.initializers``."""

from __future__ import annotations

from typing import Any

from beak.keras.config import missing
from beak.keras.named import (
    INITIALIZERS,
    Constant,
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    Initializer,
    LecunNormal,
    LecunUniform,
    Ones,
    RandomNormal,
    RandomUniform,
    TruncatedNormal,
    VarianceScaling,
    Zeros,
    found,
)


def get(identifier: Any) -> Initializer | None:
    """An initializer from a name, an object or a config."""
    return found(identifier, Initializer, INITIALIZERS, "initializer")


glorot_uniform, glorot_normal = GlorotUniform, GlorotNormal
he_uniform, he_normal = HeUniform, HeNormal
lecun_uniform, lecun_normal = LecunUniform, LecunNormal
zeros, ones, constant = Zeros, Ones, Constant
__all__ = [
    "Constant",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Initializer",
    "LecunNormal",
    "LecunUniform",
    "Ones",
    "RandomNormal",
    "RandomUniform",
    "TruncatedNormal",
    "VarianceScaling",
    "Zeros",
    "get",
]
__getattr__ = missing(
    "initializers", __all__, {"Orthogonal": "GlorotUniform", "Identity": "Constant(array)"}
)
