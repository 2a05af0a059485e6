"""Resizing pictures, as it is defined: two passes of triangle weights, exact in float32.

Libraries differ in how they resize, so beak has its own definition, the same wherever a network
runs. Every output position is a weighted mean of the input pixels around it; the weights are a
triangle whose half width is one input pixel when enlarging and ``size / new size`` input pixels
when shrinking (so that no pixel is skipped). Weights are whole 4096ths that add up to 1 and the
value between the passes is kept in 16ths: every product and sum then fits the 24 bits of a
float32, so that any order of summation, fused or not, integer or float, gives the same byte.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

UNIT = 4096
"""One, as the sum of a position's weights."""
BETWEEN = 16
"""Steps of one grey level in which the value between the two passes is rounded."""


def triangle_weights(size: int, new_size: int) -> tuple[Array, Array]:
    """First input pixel (new_size,) and weights in 4096ths (new_size, taps), both int32.

    Rounding is done on the running sum, so the weights of a position always add up to 4096.
    Positions that read fewer pixels than the others have zero weights at the end.

    >>> triangle_weights(4, 2)[0].tolist(), triangle_weights(4, 2)[1].tolist()
    ([0, 1], [[1755, 1756, 585], [585, 1756, 1755]])
    """
    scale = size / new_size
    spread = max(scale, 1.0)
    centres = (np.arange(new_size) + 0.5) * scale
    first = np.maximum(np.floor(centres - spread + 0.5), 0).astype(np.int64)
    last = np.minimum(np.floor(centres + spread + 0.5), size).astype(np.int64)
    taps = int((last - first).max())
    places = first[:, None] + np.arange(taps)
    exact = np.maximum(1.0 - np.abs((places + 0.5 - centres[:, None]) / spread), 0.0)
    exact[places >= last[:, None]] = 0.0
    running = np.cumsum(exact, axis=1)
    steps = np.floor(running / running[:, -1:] * UNIT + 0.5)
    whole = np.diff(steps, axis=1, prepend=0.0)
    return first.astype(np.int32), whole.astype(np.int32)


def resize(pixels: Array, size: tuple[int, int]) -> Array:
    """Pixels uint8 (H, W, C) resized to (H', W', C), float64 inside: down the columns, then along
    the rows, each time rounded half up (in 16ths between the passes, to whole levels at the end).
    """
    between = _along_first(pixels.astype(np.float64), size[0])
    between = np.floor(between * BETWEEN + 0.5) / BETWEEN
    final = _along_first(between.transpose(1, 0, 2), size[1]).transpose(1, 0, 2)
    return np.floor(final + 0.5).astype(np.uint8)


def _along_first(values: Array, new_size: int) -> Array:
    first, weights = triangle_weights(values.shape[0], new_size)
    out = np.zeros((new_size, *values.shape[1:]))
    for position in range(new_size):
        for tap, weight in enumerate(weights[position]):
            if weight:
                out[position] += values[first[position] + tap] * (weight / UNIT)
    return out
