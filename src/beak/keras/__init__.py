"""Keras scripts on beak's engine: change one import.

>>> from beak import keras
>>> model = keras.Sequential([
...     keras.Input((28, 28, 1)), keras.layers.Conv2D(25, 3, activation="relu"),
...     keras.layers.MaxPooling2D(), keras.layers.Flatten(),
...     keras.layers.Dense(10, activation="softmax")])
>>> model.output_shape, model.count_params()
((None, 10), 42510)
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

HOMES = {
    "beak.keras.model": ("Model", "Sequential"),
    "beak.keras.structure": ("Input", "InputLayer"),
    "beak.keras.layer": ("Layer",),
    "beak.keras.tensors": ("KerasTensor", "Variable"),
}
MODULES = (
    "activations",
    "applications",
    "backend",
    "callbacks",
    "config",
    "constraints",
    "datasets",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "models",
    "ops",
    "optimizers",
    "preprocessing",
    "random",
    "regularizers",
    "saving",
    "utils",
)
__version__ = "3.15"
"""The version of Keras whose names and defaults these are."""


def __getattr__(name: str) -> Any:
    if name in MODULES:
        return import_module(f"beak.keras.{name}")
    for home, names in HOMES.items():
        if name in names:
            return getattr(import_module(home), name)
    if name.startswith("__"):
        raise AttributeError(name)
    from beak.errors import did_you_mean

    known = [*MODULES, *(each for names in HOMES.values() for each in names)]
    raise AttributeError(f"keras.{name} is not in beak{did_you_mean(name, known)}")


def __dir__() -> list[str]:
    return sorted([*MODULES, *(each for names in HOMES.values() for each in names)])
