"""Convolution + ReLU + max pooling in one against its parts in float64, on every CPU level."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beak.ops.convolution.kernels import POOLED_FORWARD
from beak.ops.convolution.test_pooled_support import (
    before_pooling,
    cases,
    fields,
    first,
    forward,
    last,
    packed,
    rows,
    shape_of,
    whole_numbers,
    winners_of,
)
from beak.ops.pooling.reference import max_pool2d
from beak.ops.test_support import run

pytestmark = pytest.mark.usefixtures("every_instruction_set")

DIRECT = POOLED_FORWARD[-1]


def check_winners(maps, winners, tolerance):
    """But for rounding a winner is its window's largest, and dead where that is not positive."""
    height, width = (2 * n for n in winners.shape[2:])
    cells = np.stack(
        [maps[:, :, i:height:2, j:width:2] for i in range(2) for j in range(2)], axis=-1
    )
    best, dead = cells.max(-1), winners == 4
    assert winners.max() <= 4
    assert (best[dead] <= tolerance).all()
    assert (best[~dead] > -tolerance).all()
    won = np.take_along_axis(cells, np.where(dead, 0, winners)[..., None].astype(int), -1)[..., 0]
    assert (won[~dead] >= best[~dead] - tolerance).all()


@given(cases())
@settings(max_examples=150)
def test_forward_is_convolution_then_relu_then_pooling(case):
    x, w, b, padding = case
    maps = before_pooling(x, w, b, padding)
    size = np.sqrt(w[0].size)
    for row in rows(shape_of(w)):
        y, winners = forward(row, x, w, b, padding)
        truth = max_pool2d(np.maximum(maps, 0))
        np.testing.assert_allclose(y, truth, rtol=1e-5, atol=3e-6 * size)
        check_winners(maps, winners, 3e-6 * size)


@pytest.mark.parametrize("channels", [16, 25, 64, 192])
def test_winograd_errs_by_a_millionth_of_the_largest_output(channels):
    generator = np.random.default_rng(channels)
    x = generator.normal(size=(2, channels, 20, 20)).astype(np.float32)
    w = generator.normal(size=(32, channels, 3, 3)).astype(np.float32)
    row = rows(shape_of(w))[0]
    assert row.name == "pooled_winograd_forward"
    y, _ = forward(row, x, w, np.zeros(32, np.float32), (1, 1))
    truth = max_pool2d(np.maximum(before_pooling(x, w, None, (1, 1)), 0))
    assert abs(y - truth).max() < 1e-6 * truth.max()


@given(cases(), st.integers(1, 5), st.integers(1, 4))
@settings(max_examples=60)
def test_parts_threads_and_bands_do_not_change_a_bit(case, parts, bands):
    x, w, b, padding = case
    for row in rows(shape_of(w)):
        whole = forward(row, x, w, b, padding)
        cut = forward(row, x, w, b, padding, parts, 3, bands)
        np.testing.assert_array_equal(cut[0], whole[0])
        np.testing.assert_array_equal(cut[1], whole[1])


@given(cases())
@settings(max_examples=40)
def test_an_image_does_not_depend_on_its_batch(case):
    x, w, b, padding = case
    for row in rows(shape_of(w)):
        whole, alone = forward(row, x, w, b, padding), forward(row, x[-1:], w, b, padding)
        np.testing.assert_array_equal(alone[0][0], whole[0][-1])
        np.testing.assert_array_equal(alone[1][0], whole[1][-1])


@given(cases())
@settings(max_examples=30)
def test_winners_and_bias_may_be_left_out(case):
    x, w, _, padding = case
    f = fields(x, w, padding)
    for row in rows(shape_of(w)):
        y = run(
            row, {"y": (f["images"], f["pooled_h"], f["pooled_w"], f["filters"])}, x=last(x),
            weight=packed(row, w), bias=None, winners=None, **f, bands=1,
        )["y"]  # fmt: skip
        zero = np.zeros(f["filters"], np.float32)
        np.testing.assert_array_equal(first(y), forward(row, x, w, zero, padding)[0])


@pytest.mark.parametrize(("channels", "window"), [(1, 3), (2, 3), (3, 3), (16, 3), (1, 5), (4, 5)])
@pytest.mark.parametrize("padding", [(0, 0), (1, 2)])
def test_whole_numbers_are_exact_and_of_equals_the_first_wins(channels, window, padding):
    x, w, b = whole_numbers(channels, channels, 20, window=window)
    maps = before_pooling(x, w, b, padding)
    truth = winners_of(maps)
    assert len(np.unique(truth)) == 5
    for row in rows(shape_of(w)):
        y, winners = forward(row, x, w, b, padding)
        np.testing.assert_array_equal(y, max_pool2d(np.maximum(maps, 0)))
        np.testing.assert_array_equal(winners, truth)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
@pytest.mark.parametrize(("channels", "window"), [(1, 3), (2, 3), (16, 3), (4, 5)])
def test_direct_sums_pass_on_what_is_not_finite_as_their_parts_do(value, channels, window):
    x, w, b = whole_numbers(7, channels, 5, 12, window)
    x[0, channels - 1, 4, 6] = value
    maps = np.float32(0) + before_pooling(x, w, b, (1, 1))
    with np.errstate(over="ignore"):
        maps = maps.astype(np.float32)
    y, winners = forward(DIRECT, x, w, b, (1, 1))
    np.testing.assert_array_equal(y, max_pool2d(np.maximum(maps, 0)))
    np.testing.assert_array_equal(winners, winners_of(maps))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_winograd_never_loses_what_is_not_finite_and_keeps_it_in_its_tile(value):
    x, w, b = whole_numbers(7, 16, 21, 14)
    w[w == 0] = 4
    x[0, 5, 6, 6] = value
    maps = before_pooling(x, w, b, (0, 0))
    truth = max_pool2d(np.maximum(maps, 0))
    y, winners = forward(rows(shape_of(w))[0], x, w, b, (0, 0))
    lost = ~np.isfinite(truth) & np.isfinite(y)
    assert not lost.any()
    untouched = np.ones(y.shape, bool)
    untouched[0, :, 2:4, 2:4] = False  # the tiles that hold pixel (6, 6)
    np.testing.assert_array_equal(y[untouched], truth[untouched])
    assert (winners[np.isnan(y)] < 4).all(), "a NaN's gradient must go on"
