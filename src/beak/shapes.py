"""Sums about windows: how many fit, how much padding, which pair. No arrays here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from beak.errors import ShapeError

Pair = tuple[int, int]
Padding = int | tuple[int, ...] | Literal["valid", "same"]


def windows_along(
    size: int, window: int, stride: int = 1, padding: Pair = (0, 0), dilation: int = 1
) -> int:
    """How many windows fit along one axis; 0 when not even one does.

    >>> windows_along(28, 3)
    26
    >>> windows_along(11, 2, stride=2)      # 11 is odd: the last one is dropped
    5
    >>> windows_along(2, 3)
    0
    """
    free = size + sum(padding) - reach(window, dilation)
    return free // stride + 1 if free >= 0 else 0


def reach(window: int, dilation: int = 1) -> int:
    """How many neighbours a window spans, the gaps of its dilation included."""
    return dilation * (window - 1) + 1


def same_padding(size: int, window: int, stride: int = 1, dilation: int = 1) -> Pair:
    """Padding (before, after) that gives ceil(size / stride) windows, the odd one at the end.

    >>> same_padding(28, 3, 1, 1)
    (1, 1)
    >>> same_padding(28, 3, 2, 1)
    (0, 1)
    """
    outputs = -(-size // stride)
    total = max(0, (outputs - 1) * stride + reach(window, dilation) - size)
    return total // 2, total - total // 2


def pair(value: int | Sequence[int]) -> Pair:
    """(height, width) from one number or two; anything else raises ShapeError.

    >>> pair(3), pair((1, 2))
    ((3, 3), (1, 2))
    """
    if isinstance(value, int):
        return value, value
    if isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 2:
        return value[0], value[1]
    raise ShapeError(f"{value!r}: one whole number or a pair (height, width) was wanted")


def padding_pairs(
    padding: Padding,
    sizes: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
) -> tuple[Pair, ...]:
    """Padding (before, after) along each axis, from a number, one for each axis, or a word.

    >>> padding_pairs("same", (28, 11), (3, 2), (1, 2), (1, 1))
    ((1, 1), (0, 1))
    >>> padding_pairs((2, 0), (28, 28), (5, 1), (1, 1), (1, 1))
    ((2, 2), (0, 0))
    """
    if padding == "valid":
        padding = 0
    if padding == "same":
        axes = zip(sizes, kernel, stride, dilation, strict=True)
        return tuple(same_padding(*axis) for axis in axes)
    if isinstance(padding, int):
        padding = (padding,) * len(sizes)
    if isinstance(padding, str) or len(padding) != len(sizes):
        raise ShapeError(
            f"padding {padding!r}: a number, one for each of {len(sizes)} axes, "
            "'valid' or 'same' was wanted"
        )
    return tuple((amount, amount) for amount in padding)


def shape_text(shape: Sequence[int]) -> str:
    """A shape as people read it.

    >>> shape_text((25, 26, 26)), shape_text((10,))
    ('25x26x26', '10')
    """
    return "x".join(str(size) for size in shape)


def is_fourier_size(size: int) -> bool:
    """Whether a Fourier transform of so many real numbers is offered: even, factors 2, 3 and 5.

    >>> [is_fourier_size(n) for n in (512, 400, 551, 22)]
    [True, True, False, False]
    """
    if size < 2 or size % 2:
        return False
    for factor in (2, 3, 5):
        while size % factor == 0:
            size //= factor
    return size == 1


def fourier_sizes_near(size: int) -> tuple[int, int]:
    """The nearest sizes below and above that ``is_fourier_size`` takes.

    >>> fourier_sizes_near(551)
    (540, 576)
    """
    below, above = max(2, size - 1), max(2, size)
    while not is_fourier_size(below):
        below -= 1
    while not is_fourier_size(above):
        above += 1
    return below, above
