"""``keras.random``: arrays of random numbers from the session's stream."""

from __future__ import annotations

from typing import Any

import numpy as np

from beak.keras.config import missing
from beak.keras.config import random as _stream


def normal(
    shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Any = None
) -> Any:
    """Normal numbers."""
    source = _stream() if seed is None else np.random.default_rng(seed)
    return source.normal(mean, stddev, shape).astype(np.float32)


def uniform(
    shape: Any, minval: float = 0.0, maxval: float = 1.0, dtype: Any = None, seed: Any = None
) -> Any:
    """Numbers that are equally likely between two."""
    source = _stream() if seed is None else np.random.default_rng(seed)
    return source.uniform(minval, maxval, shape).astype(np.float32)


__all__ = ["normal", "uniform"]
__getattr__ = missing("random", __all__, {})
