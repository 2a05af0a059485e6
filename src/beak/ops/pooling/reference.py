"""What pooling is: each window of a map becomes one number, its largest or its average.

    max:      y[b, c, i, j] = the largest x in window (i, j)
    average:  y[b, c, i, j] = the mean of the x in window (i, j)

Float64, channels first. Windows that would reach past the end are left out (the sizes floor).
Padding never wins a maximum and never counts in an average. On a tie the first cell, row by row,
is the winner and gets the whole gradient; a NaN wins over every number, the last NaN over all
(as in PyTorch).

Source: LeCun et al. 1998 (average), Ranzato et al. 2007 (maximum).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np

from beak.errors import ShapeError
from beak.shapes import Padding, padding_pairs, pair, windows_along

Array = np.ndarray[Any, Any]
Size = int | tuple[int, int]
Along = int | Literal["valid", "same"]
Box = tuple[tuple[slice, slice], tuple[slice, slice]]


def max_pool2d(
    images: Array, window: Size = 2, stride: Size | None = None, padding: Padding = "valid"
) -> Array:
    """The largest number of every window: (B,C,H,W) -> (B,C,H',W'); stride None: the window's.

    >>> max_pool2d(np.array([[[[3, -1, -3], [-3, 1, 0], [-3, -3, 0]]]]), window=2, stride=1)[0, 0]
    array([[3., 1.],
           [1., 1.]])
    """
    return _largest(images, window, stride, padding)[0]


def max_pool2d_backward(
    gradient: Array,
    images: Array,
    window: Size = 2,
    stride: Size | None = None,
    padding: Padding = "valid",
) -> Array:
    """The gradient by the images: each window hands its gradient to its first largest cell.

    >>> tie = np.array([[[[5, 5], [5, 1]]]])
    >>> max_pool2d_backward(np.array([[[[1.0]]]]), tie)[0, 0]
    array([[1., 0.],
           [0., 0.]])
    """
    _, winner = _largest(images, window, stride, padding)
    result = np.zeros(np.shape(images))
    for cell, (outputs, pixels) in enumerate(_cells(result.shape, window, stride, padding)):
        won = winner[:, :, *outputs] == cell
        result[:, :, *pixels] += np.where(won, gradient[:, :, *outputs], 0.0)
    return result


def avg_pool2d(
    images: Array, window: Size = 2, stride: Size | None = None, padding: Padding = "valid"
) -> Array:
    """The average of every window's real cells: (B,C,H,W) -> (B,C,H',W').

    >>> avg_pool2d(np.ones((1, 1, 2, 2)), window=3, stride=1, padding=1)[0, 0]
    array([[1., 1.],
           [1., 1.]])
    """
    images = np.asarray(images, np.float64)
    total, count = _sums_and_counts(images, window, stride, padding)
    return total / count


def avg_pool2d_backward(
    gradient: Array,
    images: Array,
    window: Size = 2,
    stride: Size | None = None,
    padding: Padding = "valid",
) -> Array:
    """The gradient by the images: a window's gradient goes in equal shares to its real cells."""
    result = np.zeros(np.shape(images))
    _, count = _sums_and_counts(result, window, stride, padding)
    share = np.asarray(gradient, np.float64) / count
    for outputs, pixels in _cells(result.shape, window, stride, padding):
        result[:, :, *pixels] += share[:, :, *outputs]
    return result


def global_max_pool(maps: Array) -> Array:
    """The largest number of each map: (B,C,H,W) or (B,C,L) -> (B,C)."""
    return max_pool2d(*_whole(maps))[:, :, 0, 0]


def global_max_pool_backward(gradient: Array, maps: Array) -> Array:
    """The gradient by the maps: each map's gradient goes to its first largest cell."""
    return max_pool2d_backward(gradient[:, :, None, None], *_whole(maps)).reshape(maps.shape)


def global_avg_pool(maps: Array) -> Array:
    """The average of each map: (B,C,H,W) or (B,C,L) -> (B,C)."""
    return avg_pool2d(*_whole(maps))[:, :, 0, 0]


def global_avg_pool_backward(gradient: Array, maps: Array) -> Array:
    """The gradient by the maps: equal shares to all cells of a map."""
    return avg_pool2d_backward(gradient[:, :, None, None], *_whole(maps)).reshape(maps.shape)


def _whole(maps: Array) -> tuple[Array, tuple[int, int]]:
    """Maps as pictures of height 1, and the one window that sees all of such a picture."""
    places = int(np.prod(maps.shape[2:]))
    return np.asarray(maps).reshape(*maps.shape[:2], 1, places), (1, places)


def max_pool1d(sequences: Array, *options: Any) -> Array:
    """`max_pool2d` on pictures of height 1: (B,C,L) -> (B,C,L'); window, stride, padding."""
    return max_pool2d(_as_picture(sequences), *_flat(*options))[:, :, 0]


def max_pool1d_backward(gradient: Array, sequences: Array, *options: Any) -> Array:
    """The gradient of `max_pool1d` by the sequences."""
    gradient, pictures = _as_picture(gradient), _as_picture(sequences)
    return max_pool2d_backward(gradient, pictures, *_flat(*options))[:, :, 0]


def avg_pool1d(sequences: Array, *options: Any) -> Array:
    """`avg_pool2d` on pictures of height 1: (B,C,L) -> (B,C,L'); window, stride, padding."""
    return avg_pool2d(_as_picture(sequences), *_flat(*options))[:, :, 0]


def avg_pool1d_backward(gradient: Array, sequences: Array, *options: Any) -> Array:
    """The gradient of `avg_pool1d` by the sequences."""
    gradient, pictures = _as_picture(gradient), _as_picture(sequences)
    return avg_pool2d_backward(gradient, pictures, *_flat(*options))[:, :, 0]


def _as_picture(sequences: Array) -> Array:
    return np.asarray(sequences)[:, :, None, :]


def _flat(
    window: int = 2, stride: int | None = None, padding: Along = "valid"
) -> tuple[tuple[int, int], tuple[int, int], Padding]:
    step = window if stride is None else stride
    return (1, window), (1, step), padding if isinstance(padding, str) else (0, padding)


def _largest(
    images: Array, window: Size, stride: Size | None, padding: Padding
) -> tuple[Array, Array]:
    """The largest number of every window and which cell of the window it stood in."""
    images = np.asarray(images, np.float64)
    shape = (*images.shape[:2], *_output_sizes(images.shape, window, stride, padding))
    largest, winner = np.full(shape, -np.inf), np.full(shape, -1)
    for cell, (outputs, pixels) in enumerate(_cells(images.shape, window, stride, padding)):
        value, best = images[:, :, *pixels], largest[:, :, *outputs]  # best: a view, written to
        first = winner[:, :, *outputs] < 0  # a window of -inf alone still has a winner
        # only if strictly greater: on a tie the first cell keeps the whole gradient
        wins = first | (value > best) | np.isnan(value)
        best[wins], winner[:, :, *outputs][wins] = value[wins], cell
    _refuse_empty(winner < 0, window)
    return largest, winner


def _sums_and_counts(
    images: Array, window: Size, stride: Size | None, padding: Padding
) -> tuple[Array, Array]:
    """Every window's sum over its real cells, and how many those are (H', W')."""
    sizes = _output_sizes(images.shape, window, stride, padding)
    total, count = np.zeros((*images.shape[:2], *sizes)), np.zeros(sizes)
    with np.errstate(invalid="ignore", over="ignore"):
        for outputs, pixels in _cells(images.shape, window, stride, padding):
            total[:, :, *outputs] += images[:, :, *pixels]
            count[outputs] += 1
    _refuse_empty(count == 0, window)
    return total, count


def _refuse_empty(empty: Array, window: Size) -> None:
    if empty.any():
        raise ShapeError(
            f"pooling: a window of {window} lies in the padding alone; "
            "take less padding than the window is wide"
        )


def _output_sizes(
    shape: tuple[int, ...], window: Size, stride: Size | None, padding: Padding
) -> tuple[int, int]:
    sizes, steps = pair(window), pair(window if stride is None else stride)
    pads = padding_pairs(padding, shape[2:], sizes, steps, (1, 1))
    rows, columns = map(windows_along, shape[2:], sizes, steps, pads)
    if rows < 1 or columns < 1:
        raise ShapeError(
            f"pooling: a window of {sizes[0]}x{sizes[1]} does not fit in {shape[2]}x{shape[3]}; "
            "take a smaller window or padding='same'"
        )
    return rows, columns


def _cells(
    shape: tuple[int, ...], window: Size, stride: Size | None, padding: Padding
) -> Iterator[Box]:
    """For each cell of the window, row by row: which outputs see a real pixel there, and which."""
    sizes, steps = pair(window), pair(window if stride is None else stride)
    pads = padding_pairs(padding, shape[2:], sizes, steps, (1, 1))
    outputs = _output_sizes(shape, window, stride, padding)

    def along(axis: int, cell: int) -> tuple[slice, slice]:
        step, offset = steps[axis], cell - pads[axis][0]  # output i looks at pixel i*step+offset
        seen = [i for i in range(outputs[axis]) if 0 <= i * step + offset < shape[2 + axis]]
        if not seen:
            return slice(0, 0), slice(0, 0)
        start, end = seen[0], seen[-1]
        return slice(start, end + 1), slice(start * step + offset, end * step + offset + 1, step)

    for m in range(sizes[0]):
        for n in range(sizes[1]):
            (top, rows), (left, columns) = along(0, m), along(1, n)
            yield (top, left), (rows, columns)
