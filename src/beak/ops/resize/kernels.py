"""The kernel table of resizing, and resizing as the other rooms call it."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from beak.errors import ShapeError
from beak.ops.kernel import Kernel, call_kernel, choose, structure
from beak.ops.resize.reference import triangle_weights

Array = np.ndarray[Any, Any]

ROWS = (
    Kernel(
        "resize_bytes",
        structure(
            "ResizeArgs",
            "ptr:pixels ptr:out ptr:first_row ptr:row_weights ptr:first_column ptr:column_weights "
            "int:height int:width int:channels int:new_height int:new_width "
            "int:row_taps int:column_taps int:row_stride int:plane_stride",
        ),
        scratch="resize_scratch",
    ),
)


@functools.lru_cache(maxsize=256)
def _weights(size: int, new_size: int) -> tuple[Array, Array]:
    first, weights = triangle_weights(size, new_size)
    return np.ascontiguousarray(first), np.ascontiguousarray(weights)


def resize(pixels: Array, size: tuple[int, int], out: Array | None = None) -> Array:
    """Resize one picture of bytes as ``reference.resize`` defines it.

    ``pixels`` uint8 (H, W, C), ``size`` (H', W'); the answer is channels first, uint8 (C, H', W').
    ``out`` takes the answer, and may be a window of a larger picture (rows without gaps between
    neighbours). Raises ShapeError for pictures without pixels.
    """
    height, width, channels = pixels.shape
    if min(*pixels.shape, *size) < 1:
        raise ShapeError(f"resize: cannot make {size} of a picture of {pixels.shape}")
    if out is None:
        out = np.empty((channels, *size), np.uint8)
    if out.shape != (channels, *size) or out.dtype != np.uint8 or out.strides[2] != 1:
        raise ShapeError(f"resize: out is {out.dtype} {out.shape}, not uint8 {(channels, *size)}")
    pixels = np.ascontiguousarray(pixels, np.uint8)
    first_row, row_weights = _weights(height, size[0])
    first_column, column_weights = _weights(width, size[1])
    call_kernel(
        choose(ROWS),
        pixels=pixels,
        out=out.ctypes.data,
        first_row=first_row,
        row_weights=row_weights,
        first_column=first_column,
        column_weights=column_weights,
        height=height,
        width=width,
        channels=channels,
        new_height=size[0],
        new_width=size[1],
        row_taps=row_weights.shape[1],
        column_taps=column_weights.shape[1],
        row_stride=out.strides[1],
        plane_stride=out.strides[0],
    )
    return out
