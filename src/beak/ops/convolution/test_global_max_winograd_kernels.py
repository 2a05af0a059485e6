"""Sequences' convolution + ReLU + global max pooling by Winograd's kernel against float64."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beak.ops.convolution.kernels import GLOBAL_MAX_WINOGRAD, GLOBAL_MAX_WINOGRAD_PREPARE
from beak.ops.convolution.test_global_max_kernels import fields, last, maps_of
from beak.ops.panels import pad_groups, padded, to_panels
from beak.ops.test_support import run

pytestmark = pytest.mark.usefixtures("every_instruction_set")


@st.composite
def cases(draw):
    window, padding = draw(st.integers(2, 5)), draw(st.integers(0, 3))
    length = max(1, window - 2 * padding) + draw(st.integers(0, 14))
    channels = draw(st.sampled_from([1, 3, 8, 16, 17, 40]))
    filters, images = draw(st.sampled_from([1, 5, 9, 16, 20, 33])), draw(st.integers(1, 5))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    x = generator.normal(size=(images, channels, 1, length)).astype(np.float32)
    w = generator.normal(size=(filters, channels, 1, window)).astype(np.float32)
    b = generator.normal(size=filters).astype(np.float32) - draw(st.sampled_from([0, 0, 30]))
    return x, w, b, ((1, 1), (0, padding), (1, 1))


def forward(x, w, b, walk, relu=1, parts=1, threads=1):
    shape, channels = (len(x), len(w)), x.shape[1]
    prepared = run(
        GLOBAL_MAX_WINOGRAD_PREPARE[0], {"prepared": (6 * channels * padded(len(w)),)}, parts=parts,
        weight=to_panels(w), window=w.shape[3], channels=channels, filters=len(w),
    )["prepared"]  # fmt: skip
    out = run(
        GLOBAL_MAX_WINOGRAD[0], {"y": shape, "winners": (shape, np.int32)}, parts=parts,
        threads=threads, x=last(x), prepared=prepared,
        bias=None if b is None else pad_groups(b).reshape(-1), **fields(x, w, walk), relu=relu,
    )  # fmt: skip
    return out["y"], out["winners"]


@given(cases(), st.booleans())
@settings(max_examples=150)
def test_forward_is_convolution_then_relu_then_the_maximum(case, relu):
    x, w, b, walk = case
    y, winners = forward(x, w, b, walk, int(relu))
    maps = maps_of(x, w, b, walk)
    best, near = maps.max(-1), 1e-5 * np.sqrt(w[0].size) * max(1, abs(b).max())
    np.testing.assert_allclose(y, np.maximum(best, 0) if relu else best, rtol=1e-5, atol=near)
    dead = winners < 0
    np.testing.assert_array_equal(dead, (y <= 0) & relu)
    assert winners.max() < maps.shape[-1]
    won = np.take_along_axis(maps, np.where(dead, 0, winners)[..., None].astype(int), -1)[..., 0]
    assert (won[~dead] >= best[~dead] - near).all()


@pytest.mark.parametrize("window", [2, 3, 4, 5])
@pytest.mark.parametrize("channels", [16, 64, 300])
def test_the_error_is_some_millionths_of_the_largest_output(channels, window):
    generator = np.random.default_rng(channels)
    x = generator.normal(size=(4, channels, 1, 56)).astype(np.float32)
    w = generator.normal(size=(100, channels, 1, window)).astype(np.float32)
    walk = ((1, 1), (0, 0), (1, 1))
    y, _ = forward(x, w, np.zeros(100, np.float32), walk)
    truth = np.maximum(maps_of(x, w, None, walk).max(-1), 0)
    assert abs(y - truth).max() < 6e-6 * truth.max()


@pytest.mark.parametrize("window", [2, 3, 4, 5])
def test_whole_numbers_are_exact_and_of_equals_the_first_wins(window):
    generator = np.random.default_rng(window)
    x = generator.integers(-1, 2, (3, 2, 1, 17)).astype(np.float32)
    w = 24 * generator.integers(-1, 2, (20, 2, 1, window)).astype(
        np.float32
    )  # whole when transformed
    b = generator.integers(-50, 50, 20).astype(np.float32)
    walk = ((1, 1), (0, 1), (1, 1))
    maps = maps_of(x, w, b, walk)
    assert ((maps == maps.max(-1, keepdims=True)).sum(-1) > 1).any()
    y, winners = forward(x, w, b, walk)
    np.testing.assert_array_equal(y, np.maximum(maps.max(-1), 0))
    truth = np.where(maps.max(-1) <= 0, -1, maps.argmax(-1))
    np.testing.assert_array_equal(winners, truth)


@given(cases(), st.integers(2, 9))
@settings(max_examples=60)
def test_neither_parts_nor_the_rest_of_the_batch_change_a_bit(case, parts):
    x, w, b, walk = case
    y, winners = forward(x, w, b, walk)
    cut = forward(x, w, b, walk, parts=parts, threads=3)
    np.testing.assert_array_equal(cut[0], y)
    np.testing.assert_array_equal(cut[1], winners)
    alone = forward(x[-1:], w, b, walk)
    np.testing.assert_array_equal(alone[0][0], y[-1])
    np.testing.assert_array_equal(alone[1][0], winners[-1])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("window", [2, 3, 4, 5])
def test_what_is_not_finite_is_never_lost_and_stays_in_its_image(value, window):
    generator = np.random.default_rng(window)
    x = generator.normal(size=(3, 4, 1, 12)).astype(np.float32)
    w = generator.normal(size=(18, 4, 1, window)).astype(np.float32)
    walk, b = ((1, 1), (0, 1), (1, 1)), np.zeros(18, np.float32)
    whole, _ = forward(x, w, b, walk)
    for place in range(12):
        hit = x.copy()
        hit[1, 2, 0, place] = value
        y, winners = forward(hit, w, b, walk)
        lost = ~np.isfinite(maps_of(hit, w, b, walk).max(-1)) & np.isfinite(y)
        assert not lost.any()
        np.testing.assert_array_equal(y[[0, 2]], whole[[0, 2]])
        assert (winners[np.isnan(y)] >= 0).all(), "a NaN's gradient must go on"
