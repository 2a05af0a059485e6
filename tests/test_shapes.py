"""Sums about windows, against counting the windows one by one."""

from __future__ import annotations

import doctest

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import beak.shapes as shapes
from beak.errors import ShapeError
from beak.shapes import padding_pairs, pair, same_padding, shape_text, windows_along

small = st.integers(1, 12)


@settings(deadline=None)
@given(
    size=st.integers(1, 40),
    window=small,
    stride=small,
    before=st.integers(0, 5),
    after=st.integers(0, 5),
    dilation=st.integers(1, 4),
)
def test_windows_are_as_many_as_can_be_laid_down(size, window, stride, before, after, dilation):
    padded = before + size + after
    starts = [s for s in range(0, padded, stride) if s + dilation * (window - 1) < padded]
    assert windows_along(size, window, stride, (before, after), dilation) == len(starts)


@settings(deadline=None)
@given(size=st.integers(1, 60), window=small, stride=small, dilation=st.integers(1, 4))
def test_same_padding_gives_the_size_over_the_stride_rounded_up(size, window, stride, dilation):
    before, after = same_padding(size, window, stride, dilation)
    assert windows_along(size, window, stride, (before, after), dilation) == -(-size // stride)
    assert after - before in (0, 1)


def test_the_lectures_maps_have_26_13_11_and_5_places():
    sizes = [28]
    for window, stride in ((3, 1), (2, 2), (3, 1), (2, 2)):
        sizes.append(windows_along(sizes[-1], window, stride))
    assert sizes == [28, 26, 13, 11, 5]


def test_a_pair_is_one_number_or_two():
    assert pair(3) == (3, 3)
    assert pair([1, 2]) == (1, 2)
    for wrong in ((1, 2, 3), "ab", (1,)):
        with pytest.raises(ShapeError, match="a pair"):
            pair(wrong)


def test_padding_in_words_numbers_and_pairs():
    two = ((28, 11), (3, 2), (1, 2), (1, 1))
    assert padding_pairs("valid", *two) == ((0, 0), (0, 0))
    assert padding_pairs("same", *two) == ((1, 1), (0, 1))
    assert padding_pairs(2, *two) == ((2, 2), (2, 2))
    assert padding_pairs((2, 1), *two) == ((2, 2), (1, 1))
    assert padding_pairs(1, (28,), (3,), (1,), (1,)) == ((1, 1),)
    for wrong in ("full", (1, 2, 3)):
        with pytest.raises(ShapeError, match="'valid' or 'same'"):
            padding_pairs(wrong, *two)


def test_a_shape_reads_channels_x_height_x_width():
    assert shape_text((25, 26, 26)) == "25x26x26"


def test_the_examples_in_the_docstrings_are_true():
    assert doctest.testmod(shapes).failed == 0
