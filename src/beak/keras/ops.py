"""``keras.ops`` on arrays: what scripts do to answers. Tensors to come are for layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from beak.keras.activations import leaky_relu, relu, sigmoid, silu, softmax, tanh
from beak.keras.config import missing, refuse
from beak.keras.tensors import KerasTensor

OF_NUMPY = (
    "abs", "argmax", "argmin", "argsort", "clip", "concatenate", "cos", "exp", "expand_dims",
    "log", "max", "maximum", "mean", "min", "minimum", "ones", "prod", "reshape", "round", "sin",
    "sort", "sqrt", "square", "squeeze", "stack", "std", "sum", "transpose", "var", "where",
    "zeros",
)  # fmt: skip


def _of_numpy(name: str) -> Callable[..., Any]:
    function = getattr(np, name)

    def run(*values: Any, **options: Any) -> Any:
        flat = [v for value in values for v in (value if isinstance(value, list) else [value])]
        if any(isinstance(value, KerasTensor) for value in flat):
            raise refuse(f"ops.{name} of a KerasTensor", "a layer")
        return function(*values, **options)

    run.__name__, run.__doc__ = name, f"As numpy.{name}."
    return run


def convert_to_numpy(x: Any) -> Any:
    """An array."""
    return np.asarray(x)


def cast(x: Any, dtype: Any) -> Any:
    """An array of another number type."""
    return np.asarray(x).astype(dtype)


def one_hot(x: Any, num_classes: int, **options: Any) -> Any:
    """Class numbers as one-hot rows."""
    return np.eye(num_classes, dtype=np.float32)[np.asarray(x, np.int64)]


convert_to_tensor = convert_to_numpy
globals().update({name: _of_numpy(name) for name in OF_NUMPY})
__all__ = [
    "cast",
    "convert_to_numpy",
    "convert_to_tensor",
    "leaky_relu",
    "one_hot",
    "relu",
    "sigmoid",
    "silu",
    "softmax",
    "tanh",
]
__getattr__ = missing("ops", [*__all__, *OF_NUMPY], {})
