"""Convolution + ReLU + global max pooling in one against its parts in float64."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beak.ops.convolution.kernels import (
    GLOBAL_MAX_FORWARD,
    GLOBAL_MAX_INPUT_GRADIENT,
    GLOBAL_MAX_ROWS,
    GLOBAL_MAX_WEIGHT_GRADIENT,
)
from beak.ops.convolution.reference import conv2d, conv2d_backward
from beak.ops.panels import from_panels, pad_groups, to_panels
from beak.ops.test_support import run

pytestmark = pytest.mark.usefixtures("every_instruction_set")


@st.composite
def cases(draw):
    """Pictures (half of them sentences of height 1), filters, and how the window walks."""
    sentence = draw(st.booleans())
    ahead = (lambda low, high: (low, low)) if sentence else (lambda low, high: (low, high))
    window = (draw(st.integers(*ahead(1, 3))), draw(st.integers(1, 5)))
    stride = (draw(st.integers(*ahead(1, 2))), draw(st.integers(1, 2)))
    dilation = (draw(st.integers(*ahead(1, 2))), draw(st.integers(1, 2)))
    padding = (draw(st.integers(*ahead(0, 2))), draw(st.integers(0, 3)))
    sides = [
        max(1, d * (k - 1) + 1 - 2 * p) + draw(st.integers(0, 0 if sentence and axis == 0 else 9))
        for axis, (k, d, p) in enumerate(zip(window, dilation, padding, strict=True))
    ]
    channels = draw(st.sampled_from([1, 2, 3, 7, 16, 33, 64, 70, 130]))
    filters, images = draw(st.sampled_from([1, 3, 8, 9, 15, 17, 28, 36])), draw(st.integers(1, 3))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    x = generator.normal(size=(images, channels, *sides)).astype(np.float32)
    w = generator.normal(size=(filters, channels, *window)).astype(np.float32)
    b = generator.normal(size=filters).astype(np.float32) - draw(st.sampled_from([0, 0, 30]))
    return x, w, b, (stride, padding, dilation)


def last(x):
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1))


def fields(x, w, walk):
    stride, padding, dilation = walk
    out = [
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, p, d, k, s in zip(x.shape[2:], padding, dilation, w.shape[2:], stride, strict=True)
    ]
    return {
        "images": len(x), "in_h": x.shape[2], "in_w": x.shape[3], "channels": x.shape[1],
        "out_h": out[0], "out_w": out[1], "filters": len(w),
        "window_h": w.shape[2], "window_w": w.shape[3], "stride_h": stride[0],
        "stride_w": stride[1], "dilation_h": dilation[0], "dilation_w": dilation[1],
        "pad_top": padding[0], "pad_left": padding[1],
    }  # fmt: skip


def forward(x, w, b, walk, relu=1, parts=1, threads=1):
    shape = (len(x), len(w))
    out = run(
        GLOBAL_MAX_FORWARD[0], {"y": shape, "winners": (shape, np.int32)}, parts=parts,
        threads=threads, x=last(x), weight=to_panels(w),
        bias=None if b is None else pad_groups(b).reshape(-1), **fields(x, w, walk), relu=relu,
    )  # fmt: skip
    return out["y"], out["winners"]


def maps_of(x, w, b, walk):
    """Float64 outputs before ReLU and maximum: (images, filters, places)."""
    maps = conv2d(x.astype(float), w.astype(float), b, *walk)
    return maps.reshape(*maps.shape[:2], -1)


def weight_gradient(x, w, walk, winners, dy, parts=1, threads=1, bias=True):
    panels, lanes = to_panels(w), pad_groups(np.zeros(len(w), np.float32)).size
    out = {"dweight": panels.shape} | ({"dbias": (lanes,)} if bias else {})
    return run(
        GLOBAL_MAX_WEIGHT_GRADIENT[0], out, parts=parts, threads=threads, x=last(x), dy=dy,
        winners=winners, **({} if bias else {"dbias": None}), **fields(x, w, walk),
    )  # fmt: skip


def input_gradient(x, w, walk, winners, dy, onto=None, parts=1, threads=1):
    terms = w[0].size
    rows = run(
        GLOBAL_MAX_ROWS[0], {"rows": (len(w), terms)}, parts=parts, weight=to_panels(w),
        terms=terms, filters=len(w),
    )["rows"]  # fmt: skip
    np.testing.assert_array_equal(rows, w.transpose(0, 2, 3, 1).reshape(len(w), terms))
    dx = run(
        GLOBAL_MAX_INPUT_GRADIENT[0], {"dx": last(x).shape}, parts=parts, threads=threads, dy=dy,
        winners=winners, rows=rows, onto=None if onto is None else last(onto),
        **fields(x, w, walk),
    )["dx"]  # fmt: skip
    return dx.transpose(0, 3, 1, 2)


@given(cases(), st.booleans())
@settings(max_examples=150)
def test_forward_is_convolution_then_relu_then_the_maximum(case, relu):
    x, w, b, walk = case
    y, winners = forward(x, w, b, walk, int(relu))
    maps = maps_of(x, w, b, walk)
    best, near = maps.max(-1), 3e-6 * np.sqrt(w[0].size) * max(1, abs(b).max())
    np.testing.assert_allclose(y, np.maximum(best, 0) if relu else best, rtol=1e-5, atol=near)
    dead = winners < 0
    np.testing.assert_array_equal(dead, (y <= 0) & relu)
    assert winners.max() < maps.shape[-1]
    won = np.take_along_axis(maps, np.where(dead, 0, winners)[..., None].astype(int), -1)[..., 0]
    assert (won[~dead] >= best[~dead] - near).all()


def whole_numbers(seed, filters=21, channels=5):
    generator = np.random.default_rng(seed)
    x = generator.integers(-1, 2, (3, channels, 4, 9)).astype(np.float32)
    w = generator.integers(-1, 2, (filters, channels, 2, 3)).astype(np.float32)
    return x, w, generator.integers(-8, 5, filters).astype(np.float32), ((1, 1), (0, 1), (1, 2))


@pytest.mark.parametrize("relu", [0, 1])
def test_whole_numbers_are_exact_and_of_equals_the_first_wins(relu):
    x, w, b, walk = whole_numbers(1)
    maps = maps_of(x, w, b, walk)
    best, ties = maps.max(-1), (maps == maps.max(-1, keepdims=True)).sum(-1)
    assert (ties > 1).any()
    assert (best <= 0).any()
    y, winners = forward(x, w, b, walk, relu)
    np.testing.assert_array_equal(y, np.maximum(best, 0) if relu else best)
    truth = np.where((best <= 0) & bool(relu), -1, maps.argmax(-1))
    np.testing.assert_array_equal(winners, truth)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_passes_as_through_the_parts(value):
    x, w, b, walk = whole_numbers(2)
    w[w == 0] = 1
    x[1, 2, 2, 4] = value
    maps = maps_of(x, w, b, walk)
    y, winners = forward(x, w, b, walk)
    np.testing.assert_array_equal(y, np.maximum(maps.max(-1), 0))
    nan = np.isnan(maps)
    from_end = nan.shape[-1] - 1 - nan[..., ::-1].argmax(-1)  # of several the last
    np.testing.assert_array_equal(winners[nan.any(-1)], from_end[nan.any(-1)])
    assert nan[1].any() == np.isnan(value)


@given(cases(), st.integers(2, 9))
@settings(max_examples=60)
def test_gradients_are_the_parts_own_whatever_the_parts_are(case, parts):
    x, w, b, walk = case
    _, winners = forward(x, w, b, walk)
    dy = np.random.default_rng(1).normal(size=winners.shape).astype(np.float32)
    maps = maps_of(x, w, b, walk)
    spread = np.zeros(maps.shape)
    alive = winners >= 0
    images, filters = np.nonzero(alive)
    spread[images, filters, winners[alive]] = dy[alive]
    f = fields(x, w, walk)
    spread = spread.reshape(*winners.shape, f["out_h"], f["out_w"])
    truth = conv2d_backward(spread, x, w, *walk)
    found = weight_gradient(x, w, walk, winners, dy)
    close = {"rtol": 1e-5, "atol": 1e-5}
    np.testing.assert_allclose(from_panels(found["dweight"], w.shape), truth.filters, **close)
    np.testing.assert_allclose(found["dbias"][: len(w)], truth.bias, **close)
    unused = to_panels(np.ones_like(w)) == 0
    assert (found["dweight"][unused] == 0).all(), "lanes without a filter must stay zero"
    assert (found["dbias"][len(w) :] == 0).all()
    again = weight_gradient(x, w, walk, winners, dy, parts, 3)
    for name, value in found.items():
        np.testing.assert_array_equal(again[name], value)
    alone = weight_gradient(x, w, walk, winners, dy, bias=False)["dweight"]
    np.testing.assert_array_equal(alone, found["dweight"])

    dx = input_gradient(x, w, walk, winners, dy)
    close["atol"] *= np.sqrt(len(w))
    np.testing.assert_allclose(dx, truth.images, **close)
    np.testing.assert_array_equal(input_gradient(x, w, walk, winners, dy, None, parts, 3), dx)
    np.testing.assert_allclose(
        input_gradient(x, w, walk, winners, dy, x, parts), truth.images + x, **close
    )


@given(cases(), st.integers(2, 9))
@settings(max_examples=40)
def test_neither_parts_nor_the_rest_of_the_batch_change_a_bit(case, parts):
    x, w, b, walk = case
    y, winners = forward(x, w, b, walk)
    cut = forward(x, w, b, walk, parts=parts, threads=3)
    np.testing.assert_array_equal(cut[0], y)
    np.testing.assert_array_equal(cut[1], winners)
    alone = forward(x[-1:], w, b, walk)
    np.testing.assert_array_equal(alone[0][0], y[-1])
    np.testing.assert_array_equal(alone[1][0], winners[-1])
    unasked = run(
        GLOBAL_MAX_FORWARD[0], {"y": y.shape}, x=last(x), weight=to_panels(w), bias=None,
        winners=None, **fields(x, w, walk), relu=1,
    )["y"]  # fmt: skip
    np.testing.assert_array_equal(unasked, forward(x, w, b * 0, walk)[0])


def test_a_gradient_that_is_not_finite_reaches_its_own_filter_and_window_alone():
    x, w, b, walk = whole_numbers(3)
    _, winners = forward(x, w, b, walk)
    dy = np.ones(winners.shape, np.float32)
    image, f = np.argwhere(winners >= 0)[4]
    dy[image, f] = np.nan
    found = from_panels(weight_gradient(x, w, walk, winners, dy)["dweight"], w.shape)
    assert np.isnan(found[f]).any()
    assert not np.isnan(np.delete(found, f, 0)).any()
    dx = input_gradient(x, w, walk, winners, dy)
    assert np.isnan(dx[image]).any()
    assert not np.isnan(np.delete(dx, image, 0)).any()
