"""Pictures at another size, and pictures whose pixels come from elsewhere: float32 (B, H, W, C)."""

from __future__ import annotations

from typing import Any

import numpy as np

from beak.errors import UsageError

Array = np.ndarray[Any, Any]


def resized(pictures: Array, height: int, width: int, interpolation: str = "bilinear") -> Array:
    """Brought to a size between pixel middles, without smoothing what gets smaller.

    >>> resized(np.array([0.0, 10.0]).reshape(1, 1, 2, 1), 1, 4).reshape(-1).tolist()
    [0.0, 2.5, 7.5, 10.0]
    """
    pictures = np.asarray(pictures, np.float32)
    for axis, size in ((1, height), (2, width)):
        old = pictures.shape[axis]
        if old == size:
            continue
        middle = (np.arange(size) + 0.5) * old / size
        if interpolation == "nearest":
            pictures = pictures.take(np.minimum(middle.astype(int), old - 1), axis)
            continue
        at = np.clip(middle - 0.5, 0, old - 1)
        low = np.floor(at).astype(int)
        share = (at - low).astype(np.float32).reshape(-1, *(1,) * (pictures.ndim - 1 - axis))
        high = np.minimum(low + 1, old - 1)
        pictures = pictures.take(low, axis) * (1 - share) + pictures.take(high, axis) * share
    return pictures


def affine(
    pictures: Array, matrices: Array, fill: str, value: float, interpolation: str = "bilinear"
) -> Array:
    """Each pixel from the place that its picture's matrix gives: (B, 2, 3) on (x, y, 1).

    ``fill``: what lies outside: "reflect", "nearest", "wrap" or "constant" (``value``).
    """
    count, height, width, channels = pictures.shape
    y, x = np.mgrid[0:height, 0:width]
    places = np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
    out = np.empty(pictures.shape, np.float32)
    for n in range(count):
        across, down = matrices[n] @ places
        out[n] = _sampled(pictures[n], down, across, fill, value, interpolation).reshape(
            height, width, channels
        )
    return out


def _sampled(
    picture: Array, down: Array, across: Array, fill: str, value: float, interpolation: str
) -> Array:
    if interpolation == "nearest":
        return _pixels(picture, np.rint(down), np.rint(across), fill, value)
    top, left = np.floor(down), np.floor(across)
    y, x = (down - top)[:, None], (across - left)[:, None]
    upper = _pixels(picture, top, left, fill, value) * (1 - x)
    upper += _pixels(picture, top, left + 1, fill, value) * x
    lower = _pixels(picture, top + 1, left, fill, value) * (1 - x)
    lower += _pixels(picture, top + 1, left + 1, fill, value) * x
    return np.asarray(upper * (1 - y) + lower * y)


def _pixels(picture: Array, rows: Array, columns: Array, fill: str, value: float) -> Array:
    height, width = picture.shape[:2]
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    found = picture[_folded(rows, height, fill), _folded(columns, width, fill)]
    return np.where(inside[:, None], found, value) if fill == "constant" else found


def _folded(places: Array, size: int, fill: str) -> Array:
    """Places brought inside, as ``fill`` says."""
    at = places.astype(np.int64)
    if fill == "reflect":  # d c b a | a b c d | d c b a
        at = at % (2 * size)
        return np.where(at < size, at, 2 * size - 1 - at)
    if fill == "wrap":
        return at % size
    if fill in ("nearest", "constant"):
        return np.clip(at, 0, size - 1)
    raise UsageError(f"fill_mode={fill!r}; reflect, nearest, wrap or constant was wanted")
