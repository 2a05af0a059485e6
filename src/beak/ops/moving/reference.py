"""What it means to pad, cut, upsample and reshape; float64, channels first.

Along each axis padding, cutting and upsampling are a matrix (outputs, inputs); the way back is its
transpose. Bilinear upsampling is between the middles of pixels, as Keras's and PyTorch's with
``align_corners=False``; beyond the outermost middles it is the outermost number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def pad_matrix(size: int, before: int, after: int) -> Array:
    """Zeros before and after; below 0 so many are cut off.

    >>> pad_matrix(3, 1, -1).tolist()
    [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    """
    return np.eye(size + before + after, size, -before)


def upsample_matrix(size: int, factor: int, how: str) -> Array:
    """Each number ``factor`` times ("nearest"), or what lies between neighbours ("bilinear").

    >>> upsample_matrix(2, 2, "bilinear").tolist()
    [[1.0, 0.0], [0.75, 0.25], [0.25, 0.75], [0.0, 1.0]]
    """
    if how == "nearest":
        return np.repeat(np.eye(size), factor, axis=0)
    middle = np.clip((np.arange(size * factor) + 0.5) / factor - 0.5, 0, size - 1)
    return np.asarray(np.maximum(0, 1 - np.abs(middle[:, None] - np.arange(size))))


def moved(x: Array, matrices: Sequence[Array]) -> Array:
    """(B, C, sizes) -> (B, C, new sizes): each axis behind the channels through its matrix."""
    y = np.asarray(x, np.float64)
    for axis, matrix in enumerate(matrices, start=2):
        y = np.moveaxis(np.moveaxis(y, axis, -1) @ matrix.T, -1, axis)
    return y


def moved_backward(gradient: Array, matrices: Sequence[Array]) -> Array:
    """The gradient by what was moved."""
    return moved(gradient, [matrix.T for matrix in matrices])


def reshape(x: Array, shape: Sequence[int], last: bool) -> Array:
    """The same numbers in another shape; ``last``: counted with the channels last on both sides.

    >>> reshape(np.arange(4.0).reshape(1, 2, 2), (4,), last=True).tolist()
    [[0.0, 2.0, 1.0, 3.0]]
    """
    x = np.asarray(x, np.float64)
    if not last:
        return x.reshape(len(x), *shape)
    flat = np.moveaxis(x, 1, -1).reshape(len(x), *shape[1:], shape[0])
    return np.moveaxis(flat, -1, 1)
