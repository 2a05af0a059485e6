"""Real Keras 3 beside beak's: the same scenario run with both."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")
X = np.random.default_rng(0).random((24, 4)).astype("f")
Y = np.arange(24) % 3
ONE_HOT = np.eye(3, dtype="f")[Y]


def real() -> Any:
    """Keras itself; the test is skipped where it is not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("keras")


def agree(scenario: Callable[[Any], Any], tolerance: float = 2e-5) -> Any:
    """What the scenario gives with beak.keras, checked against what it gives with Keras."""
    from beak import keras

    judge = real()
    judge.utils.clear_session()
    keras.utils.clear_session()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = plain(scenario(judge))
    found = plain(scenario(keras))
    assert shape_of(found) == shape_of(wanted)
    for ours, theirs in zip(leaves(found), leaves(wanted), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)
    return found


def plain(value: Any) -> Any:
    """Histories as dicts, tensors as arrays."""
    if hasattr(value, "history") and not isinstance(value, dict):
        return {"epoch": list(value.epoch), **value.history}
    return value.detach().cpu().numpy() if hasattr(value, "detach") else value


def shape_of(value: Any) -> Any:
    """Names and lengths, without numbers."""
    if isinstance(value, dict):
        return {key: shape_of(one) for key, one in sorted(value.items())}
    if isinstance(value, list | tuple):
        return [shape_of(one) for one in value]
    return np.shape(value)


def leaves(value: Any) -> list[Any]:
    """The numbers."""
    if isinstance(value, dict):
        return [leaf for _, one in sorted(value.items()) for leaf in leaves(one)]
    if isinstance(value, list | tuple):
        return [leaf for one in value for leaf in leaves(one)]
    return [np.asarray(value, np.float64)]


def model(
    k: Any,
    loss: Any = "sparse_categorical_crossentropy",
    metrics: Any = ("accuracy",),
    units: int = 3,
    end: Any = "softmax",
    optimizer: Any = "sgd",
) -> Any:
    """One dense layer, compiled, its weights the same each time."""
    made = k.Sequential([k.Input((4,)), k.layers.Dense(units, activation=end)])
    kernel = np.linspace(-1, 1, 4 * units).reshape(4, units).astype("f")
    made.set_weights([kernel, np.zeros(units, "f")])
    made.compile(optimizer, loss, metrics=list(metrics))
    return made


def fit(made: Any, x: Any = X, y: Any = Y, **more: Any) -> Any:
    """Trained in order, silently."""
    return made.fit(x, y, **{"verbose": 0, "batch_size": 8, "shuffle": False, **more})


def generator(count: int) -> Any:
    """So many batches of 8."""
    for number in range(count):
        at = slice(number * 8 % 24, number * 8 % 24 + 8)
        yield X[at], Y[at]


__all__ = ["ONE_HOT", "X", "Y", "agree", "fit", "generator", "model", "real"]
