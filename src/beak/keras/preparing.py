"""Layers that prepare the input: they run on arrays, in NumPy, before beak's network."""

from __future__ import annotations

from typing import Any

import numpy as np

from beak.keras.layer import Layer
from beak.keras.tensors import Array


class Preparing(Layer):
    """Base of these layers."""

    def apply(self, inputs: Array, training: bool) -> Array:
        """Arrays as they go on."""
        raise NotImplementedError

    def on_arrays(self, inputs: Any, training: bool = False, **options: Any) -> Any:
        """The layer alone, on numbers."""
        return self.apply(np.asarray(inputs), training)


class Rescaling(Preparing):
    """X * scale + offset."""

    def __init__(self, scale: Any, offset: Any = 0.0, **common: Any) -> None:
        self._begin(locals(), common)

    def apply(self, inputs: Array, training: bool) -> Array:
        """Scaled and moved."""
        scale = np.asarray(self.scale, np.float32)
        return np.asarray(inputs, np.float32) * scale + np.asarray(self.offset, np.float32)
