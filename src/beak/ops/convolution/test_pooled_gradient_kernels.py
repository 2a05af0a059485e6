"""The winners-only gradients of pooled convolutions against their parts in float64."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beak.ops.convolution.kernels import POOLED_INPUT_GRADIENT, POOLED_WEIGHT_GRADIENT
from beak.ops.convolution.reference import conv2d_backward
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
from beak.ops.kernel import choose
from beak.ops.panels import from_panels, padded, to_panels, unpad_groups
from beak.ops.pooling.reference import max_pool2d, max_pool2d_backward
from beak.ops.test_support import run

pytestmark = pytest.mark.usefixtures("every_instruction_set")

FEW, MANY = POOLED_WEIGHT_GRADIENT


def gradients(x, w, winners, dy, padding):
    """In float64 the gradients of pooled outputs by images, filters and bias, given the winners."""
    maps = np.zeros((*dy.shape[:2], *(2 * n for n in dy.shape[2:])))
    for cell in range(4):
        maps[:, :, cell // 2 :: 2, cell % 2 :: 2] = np.where(winners == cell, dy, 0)
    rest = [
        n + 2 * p - k + 1 - m
        for n, p, k, m in zip(x.shape[2:], padding, w.shape[2:], maps.shape[2:], strict=True)
    ]
    maps = np.pad(maps, ((0, 0), (0, 0), *((0, r) for r in rest)))
    return conv2d_backward(maps, x, w, 1, padding)


@st.composite
def backward_cases(draw):
    x, w, b, padding = draw(cases())
    maps = before_pooling(x, w, b, padding)
    if draw(st.booleans()):
        b[...] -= 100 * draw(st.integers(0, 1))  # nearly all dead, or all
        maps = before_pooling(x, w, b, padding)
    dy = np.random.default_rng(draw(st.integers(0, 99))).normal(size=max_pool2d(maps).shape)
    return x, w, padding, winners_of(maps), dy.astype(np.float32)


def lanes_of(winners):
    """As the kernels want them: channels last, rubbish behind the last filter."""
    images, filters, height, width = winners.shape
    out = np.random.default_rng(0).integers(0, 5, (images, height, width, padded(filters)))
    out[..., :filters] = winners.transpose(0, 2, 3, 1)
    return out.astype(np.uint8)


def weight_gradient(row, x, w, padding, winners, dy, parts=1, threads=1):
    size, lanes = to_panels(w).size, padded(w.shape[0])
    return run(
        row, {"partials": (parts, size + lanes)}, parts=parts, threads=threads, x=last(x),
        dy=last(dy), winners=lanes_of(winners), **fields(x, w, padding), stride=size + lanes,
        bias_at=size,
    )["partials"]  # fmt: skip


@given(backward_cases(), st.integers(1, 4))
@settings(max_examples=150)
def test_weight_and_bias_gradients_are_the_parts_own(case, parts):
    x, w, padding, winners, dy = case
    truth = gradients(x, w, winners, dy, padding)
    size = to_panels(w).size
    close = {"rtol": 1e-5, "atol": 1e-5 * max(1, winners[:, 0].size) ** 0.5}
    unused = to_panels(np.ones_like(w)).reshape(-1) == 0
    for row in (FEW, MANY):
        partials = weight_gradient(row, x, w, padding, winners, dy, parts)
        sums = partials.sum(0)
        np.testing.assert_allclose(from_panels(sums[:size], w.shape), truth.filters, **close)
        np.testing.assert_allclose(unpad_groups(sums[size:], w.shape[0]), truth.bias, **close)
        assert (partials[:, :size][:, unused] == 0).all(), "lanes without a filter must stay zero"
        assert (partials[:, size + w.shape[0] :] == 0).all()
        again = weight_gradient(row, x, w, padding, winners, dy, parts, threads=3)
        np.testing.assert_array_equal(again, partials)


def input_gradient(x, w, padding, winners, dy, parts=1, threads=1):
    row = choose(POOLED_INPUT_GRADIENT, shape_of(w))
    return first(
        run(
            row, {"dx": last(x).shape}, parts=parts, threads=threads, dy=last(dy),
            winners=lanes_of(winners), weight=packed(row, w), **fields(x, w, padding),
        )["dx"]
    )  # fmt: skip


@given(backward_cases(), st.integers(1, 4))
@settings(max_examples=150)
def test_input_gradient_is_the_parts_own(case, parts):
    x, w, padding, winners, dy = case
    dx = input_gradient(x, w, padding, winners, dy)
    truth = gradients(x, w, winners, dy, padding).images
    np.testing.assert_allclose(dx, truth, rtol=1e-5, atol=1e-5 * np.sqrt(w[:, 0].size))
    again = input_gradient(x, w, padding, winners, dy, parts, 3)
    np.testing.assert_array_equal(again, dx)


@pytest.mark.parametrize(("channels", "window"), [(1, 3), (3, 3), (16, 3), (50, 3), (2, 5)])
def test_whole_numbers_have_exact_gradients_through_all_the_parts(channels, window):
    x, w, b = whole_numbers(3, channels, 35, 11, window)
    padding = (1, 0)
    maps = before_pooling(x, w, b, padding)
    dy = np.random.default_rng(0).integers(-4, 5, max_pool2d(maps).shape).astype(np.float32)
    through_pool = max_pool2d_backward(dy, np.maximum(maps, 0)) * (maps > 0)
    truth = conv2d_backward(through_pool, x, w, 1, padding)
    winners = forward(rows(shape_of(w))[0], x, w, b, padding)[1]
    size = to_panels(w).size
    for row in (FEW, MANY):
        sums = weight_gradient(row, x, w, padding, winners, dy, 2).sum(0)
        np.testing.assert_array_equal(from_panels(sums[:size], w.shape), truth.filters)
        np.testing.assert_array_equal(unpad_groups(sums[size:], w.shape[0]), truth.bias)
    np.testing.assert_array_equal(input_gradient(x, w, padding, winners, dy), truth.images)


def test_gradients_that_are_not_finite_reach_the_winner_s_window_alone():
    x, w, b = whole_numbers(5, 5, 3, 10)
    maps = before_pooling(x, w, b, (0, 0))
    winners = winners_of(maps)
    dy = np.ones(winners.shape, np.float32)
    image, f, row, column = np.argwhere(winners < 4)[5]
    dy[image, f, row, column] = np.nan
    y, x0 = (
        2 * row + winners[image, f, row, column] // 2,
        2 * column + winners[image, f, row, column] % 2,
    )
    touched = np.zeros(x.shape, bool)
    touched[image, :, y : y + 3, x0 : x0 + 3] = True
    dx = input_gradient(x, w, (0, 0), winners, dy)
    np.testing.assert_array_equal(np.isnan(dx), touched)
    size = to_panels(w).size
    for kernel in (FEW, MANY):
        sums = weight_gradient(kernel, x, w, (0, 0), winners, dy)[0]
        of_filter = np.zeros(w.shape, bool)
        of_filter[f] = True
        np.testing.assert_array_equal(np.isnan(from_panels(sums[:size], w.shape)), of_filter)
        np.testing.assert_array_equal(
            np.isnan(unpad_groups(sums[size:], 3)), [i == f for i in range(3)]
        )


@given(cases(), st.integers(1, 7))
@settings(max_examples=30)
def test_packing_in_parts_does_not_change_a_bit(case, parts):
    _, w, _, _ = case
    for row in (*rows(shape_of(w)), choose(POOLED_INPUT_GRADIENT, shape_of(w))):
        np.testing.assert_array_equal(packed(row, w, parts), packed(row, w, 1))
