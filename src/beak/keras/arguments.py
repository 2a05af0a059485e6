"""What the arguments of ``fit`` mean: checked, in old words too, split as Keras splits."""

from __future__ import annotations

from typing import Any

import numpy as np

from beak.errors import ShapeError, UsageError
from beak.keras import config
from beak.keras.callbacks import CallbackList
from beak.keras.feeds import Feed, array_of, feed, is_stream, whole
from beak.keras.tensors import Array

ClassWeights = dict[Any, float]


def epochs_of(old: dict[str, Any], epochs: Any) -> int:
    """How many epochs, in today's word or the old one; UsageError for a word that is none."""
    if "nb_epoch" in old:
        config.note("fit: nb_epoch is called epochs today")
        epochs = old.pop("nb_epoch")
    for gone in ("workers", "use_multiprocessing", "max_queue_size"):
        if gone in old:
            old.pop(gone)
            config.note(f"fit: {gone} is gone in Keras 3, and changes nothing here")
    if old:
        raise UsageError(f"fit: unknown field {next(iter(old))!r}")
    return whole(epochs, "epochs", 0)


def level_of(verbose: Any) -> int:
    """How much is printed: 0, 1 or 2; "auto" is 1."""
    return 1 if verbose == "auto" else whole(int(verbose), "verbose", 0)


def due(epoch: int, frequency: Any) -> bool:
    """Whether this epoch (from 0) ends with validation."""
    if isinstance(frequency, int):
        return (epoch + 1) % whole(frequency, "validation_freq", 1) == 0
    return epoch + 1 in frequency


def listed(callbacks: Any) -> list[Any]:
    """Callbacks as a list, however they came."""
    if callbacks is None:
        return []
    if isinstance(callbacks, CallbackList):
        return list(callbacks.callbacks)
    return list(callbacks) if isinstance(callbacks, list | tuple) else [callbacks]


def split(x: Any, y: Any, weights: Any, share: Any) -> tuple[Any, Any, Any, Any]:
    """The first part for training, the last for validation, as Keras splits."""
    if isinstance(share, str) or not 0.0 <= share < 1.0:
        raise UsageError(f"validation_split={share!r}; from 0 to below 1 was wanted")
    if is_stream(x):
        raise UsageError("validation_split wants arrays; give validation_data beside a generator")
    inputs, labels = array_of(x, "x"), None if y is None else array_of(y, "y")
    count = len(inputs)
    at = int(np.floor(count * (1.0 - share)))
    if at == 0 or at == count:
        raise UsageError(f"validation_split={share} of {count} examples leaves a part empty")
    given = None if weights is None else array_of(weights, "sample_weight")
    parts = [(a[:at], a[at:]) if a is not None else (None, None) for a in (inputs, labels, given)]
    (x1, x2), (y1, y2), (w1, w2) = parts
    return x1, y1, w1, (x2, y2) if w2 is None else (x2, y2, w2)


def validation(data: Any, batch_size: Any, steps: Any) -> Feed:
    """What ``validation_data`` gives."""
    if isinstance(data, tuple | list):
        if not 2 <= len(data) <= 3:
            raise UsageError(f"validation_data of {len(data)} parts; (x, y) was wanted")
        return feed(data[0], data[1], data[2] if len(data) > 2 else None, batch_size, steps)
    return feed(data, None, None, batch_size, steps)


def class_weights(given: Any) -> ClassWeights | None:
    """``class_weight`` checked: a number for each class number."""
    if given is None:
        return None
    if not isinstance(given, dict):
        raise UsageError(f"class_weight={given!r}; a dict was wanted, as {{0: 1.0, 1: 5.0}}")
    made: ClassWeights = {}
    for label, weight in given.items():
        if isinstance(label, str) or not hasattr(label, "__float__"):
            raise UsageError(f"class_weight: {label!r} is no class number")
        try:
            made[label] = float(weight)
        except (TypeError, ValueError):
            raise UsageError(f"class_weight: {label}: {weight!r} is no number") from None
    return made


def by_class(labels: Array, weights: ClassWeights) -> Array:
    """Each example's weight from its class's; 1 for a class that is not there.

    As Keras does: of several columns the largest is the class, other labels are rounded.
    """
    if labels.ndim > 1:
        labels = labels.argmax(axis=-1) if labels.shape[-1] > 1 else labels[..., 0]
    if labels.ndim != 1:
        raise ShapeError(f"class_weight for labels {labels.shape}; one class an example was wanted")
    classes, which = np.unique(np.round(labels).astype(np.int64), return_inverse=True)
    table = np.array([weights.get(int(label), 1.0) for label in classes], np.float32)
    return np.asarray(table[which])
