"""What moving and recolouring a picture means: one affine map of places, one of colours.

An output pixel asks where it comes from: (x, y) = matrix (2x3) x (column, row, 1), in pixels, the
first pixel's centre at 0. The value there is bilinear between its four neighbours. Neighbours
outside the picture have the background's value, or that of the nearest edge pixel. The colours at
that place go through a colour matrix (channels x (channels + 1), last column added) and are cut
to 0..255. Then the network's input scale: value x gain + offset. An erased rectangle becomes 0
there, which is the mean of the training pictures.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def warp(
    pictures: Array,
    places: Array,
    colours: Array,
    erased: Array,
    gain: Array,
    offset: Array,
    background: float | None,
) -> Array:
    """Pictures uint8 (B, C, H, W) to float64 (B, C, H, W), one at a time.

    ``places`` (B, 2, 3), ``colours`` (B, C, C + 1), ``erased`` (B, 4) whole numbers: first row,
    first column, row and column behind the last; ``gain`` and ``offset`` (C,); ``background`` None
    continues the edge.
    """
    out = np.empty(pictures.shape)
    for b, picture in enumerate(pictures):
        channels, height, width = picture.shape
        rows, columns = np.mgrid[0:height, 0:width].astype(np.float64)
        (a, s, t), (u, v, w) = places[b]
        values = _bilinear(
            picture, u * columns + v * rows + w, a * columns + s * rows + t, background
        )
        mixed = np.einsum("dc,chw->dhw", colours[b, :, :channels], values)
        mixed = np.clip(mixed + colours[b, :, channels, None, None], 0.0, 255.0)
        out[b] = mixed * gain[:, None, None] + offset[:, None, None]
        top, left, bottom, right = erased[b]
        out[b, :, top:bottom, left:right] = 0.0
    return out


def _bilinear(picture: Array, y: Array, x: Array, background: float | None) -> Array:
    _, height, width = picture.shape
    top, left = np.floor(y), np.floor(x)
    total = np.zeros((picture.shape[0], *y.shape))
    for down in (0, 1):
        for right in (0, 1):
            row, column = top + down, left + right
            weight = np.abs(1 - down - (y - top)) * np.abs(1 - right - (x - left))
            value = picture[
                :,
                np.clip(row, 0, height - 1).astype(np.int64),
                np.clip(column, 0, width - 1).astype(np.int64),
            ].astype(np.float64)
            if background is not None:
                outside = (row < 0) | (row >= height) | (column < 0) | (column >= width)
                value[:, outside] = background
            total += weight * value
    return total
