"""Winograd's algorithm along rows against the float64 reference, on every instruction set."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beak.ops.convolution.kernels import (
    SLIDE_FORWARD,
    SLIDE_INPUT_GRADIENT,
    SLIDE_PREPARE,
    SLIDE_WEIGHT_GRADIENT,
)
from beak.ops.convolution.reference import conv2d, conv2d_backward
from beak.ops.convolution.winograd import SLIDE_TERMS
from beak.ops.panels import from_panels, pad_groups, padded, to_panels
from beak.ops.test_support import run

pytestmark = pytest.mark.usefixtures("every_instruction_set")
widths = pytest.mark.parametrize("width", [2, 3, 4, 5, 7, 8])


@st.composite
def cases(draw):
    """A picture, filters, bias, padding: sequences (height 1) and windows taller than wide too."""
    window = draw(st.sampled_from([1, 1, 2, 3, 7])), draw(st.integers(2, 5) | st.integers(6, 11))
    padding = tuple(draw(st.integers(0, n + 1)) for n in window)
    size = [
        max(1, n - 2 * p) + draw(st.integers(0, 9)) for n, p in zip(window, padding, strict=True)
    ]
    channels = draw(st.integers(1, 9) | st.integers(15, 18) | st.just(32))
    filters = draw(st.integers(1, 9) | st.integers(15, 18) | st.just(35) | st.just(70))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    x = generator.normal(size=(draw(st.integers(1, 5)), channels, *size)).astype(np.float32)
    w = generator.normal(size=(filters, channels, *window)) / np.sqrt(channels * np.prod(window))
    b = generator.normal(size=filters).astype(np.float32)
    return x, w.astype(np.float32), b, padding


def last(x):
    """Channels first to channels last."""
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1))


def outputs_of(x, w, padding):
    sizes = zip(x.shape[2:], w.shape[2:], padding, strict=True)
    return tuple(n + 2 * p - r + 1 for n, r, p in sizes)


def fields(images, source, channels, target, filters, window, padding):
    return {
        "images": images, "in_h": source[0], "in_w": source[1], "in_channels": channels,
        "out_h": target[0], "out_w": target[1], "out_channels": filters,
        "window_h": window[0], "window_w": window[1],
        "pad_top": padding[0], "pad_left": padding[1], "piece": piece_of(window[1]),
    }  # fmt: skip


def piece_of(width):
    """How wide the pieces are into which tests cut a window: whole ones and some with a rest."""
    return width if width <= 5 else min(5, -(-width // 2))


def prepare(w, turned=False, parts=1):
    filters, channels, height, width = w.shape
    terms, outputs = (filters, channels) if turned else (channels, filters)
    piece = piece_of(width)
    floats = 6 * -(-width // piece) * height * terms * padded(outputs)
    return run(
        SLIDE_PREPARE[0], {"prepared": (floats,)},
        parts=parts, threads=2, weight=to_panels(w), channels=channels, filters=filters,
        window_h=height, window_w=width, piece=piece, turned=int(turned),
    )["prepared"]  # fmt: skip


def forward(x, w, b, padding, *, relu=0, together=2, groups=1, parts=1, threads=1):
    target = outputs_of(x, w, padding)
    y = run(
        SLIDE_FORWARD[0], {"y": (len(x), *target, len(w))}, parts=parts, threads=threads,
        x=last(x), prepared=prepare(w), bias=None if b is None else pad_groups(b),
        **fields(len(x), x.shape[2:], x.shape[1], target, len(w), w.shape[2:], padding),
        relu=relu, together=together, groups=groups,
    )["y"]  # fmt: skip
    return y.transpose(0, 3, 1, 2)


def input_gradient(dy, x, w, padding, *, together=2, groups=1, parts=1, threads=1):
    back = w.shape[2] - 1 - padding[0], padding[1]
    dx = run(
        SLIDE_INPUT_GRADIENT[0], {"y": last(x).shape}, parts=parts, threads=threads, x=last(dy),
        prepared=prepare(w, turned=True), bias=None,
        **fields(len(x), dy.shape[2:], len(w), x.shape[2:], x.shape[1], w.shape[2:], back),
        relu=0, together=together, groups=groups,
    )["y"]  # fmt: skip
    return dx.transpose(0, 3, 1, 2)


def weight_gradient(dy, x, w, padding, *, together=2, parts=1, threads=1):
    """The filters' and the bias's gradient."""
    wide = padded(len(w))
    size = wide * w[0].size
    partials = run(
        SLIDE_WEIGHT_GRADIENT[0], {"partials": (parts, size + wide)}, parts=parts, threads=threads,
        x=last(x), dy=last(dy),
        **fields(len(x), x.shape[2:], x.shape[1], dy.shape[2:], len(w), w.shape[2:], padding),
        together=together, stride=size + wide, bias_at=size,
    )["partials"].sum(0)  # fmt: skip
    unused = to_panels(np.ones(w.shape, np.float32)).reshape(-1) == 0
    if np.isfinite(x).all() and np.isfinite(dy).all():
        assert (partials[:size][unused] == 0).all(), "lanes without a filter must stay zero"
    return from_panels(partials[:size], w.shape), partials[size : size + len(w)]


def gradient_like(x, w, padding):
    shape = (len(x), len(w), *outputs_of(x, w, padding))
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


@given(cases(), st.booleans(), st.integers(1, 4))
@settings(max_examples=100)
def test_forward_is_the_reference(case, relu, together):
    x, w, b, padding = case
    truth = conv2d(x, w, b, 1, padding)
    y = forward(x, w, b, padding, relu=int(relu), together=together)
    np.testing.assert_allclose(y, np.maximum(truth, 0) if relu else truth, rtol=1e-5, atol=1e-5)


@given(cases(), st.integers(1, 4))
@settings(max_examples=100)
def test_gradients_are_the_reference(case, together):
    x, w, _, padding = case
    dy = gradient_like(x, w, padding)
    truth = conv2d_backward(dy, x, w, 1, padding)
    dx = input_gradient(dy, x, w, padding, together=together)
    np.testing.assert_allclose(dx, truth.images, rtol=1e-5, atol=1e-5 * max(1, truth.images.std()))
    filters, bias = weight_gradient(dy, x, w, padding, together=together)
    scale = dy[:, 0].size ** 0.5
    np.testing.assert_allclose(filters, truth.filters, rtol=1e-5, atol=1e-5 * scale)
    np.testing.assert_allclose(bias, truth.bias, rtol=1e-5, atol=1e-5 * scale)


@given(cases(), st.integers(1, 7), st.integers(1, 3), st.integers(1, 5))
@settings(max_examples=60)
def test_parts_threads_and_the_rest_of_the_batch_do_not_change_a_bit(case, parts, groups, together):
    x, w, b, padding = case
    cut = {"parts": parts, "threads": 3, "together": together}
    whole = forward(x, w, b, padding)
    np.testing.assert_array_equal(forward(x, w, b, padding, groups=groups, **cut), whole)
    np.testing.assert_array_equal(forward(x[-1:], w, b, padding), whole[-1:])
    dy = gradient_like(x, w, padding)
    whole = input_gradient(dy, x, w, padding)
    np.testing.assert_array_equal(input_gradient(dy, x, w, padding, groups=groups, **cut), whole)
    np.testing.assert_array_equal(input_gradient(dy[-1:], x[-1:], w, padding), whole[-1:])
    for turned in (False, True):
        np.testing.assert_array_equal(prepare(w, turned, parts=parts), prepare(w, turned))
    one, several = (
        weight_gradient(dy, x, w, padding, parts=3, threads=threads) for threads in (1, 3)
    )
    for a, c in zip(one, several, strict=True):
        np.testing.assert_array_equal(a, c)


@widths
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_stays_in_the_tiles_that_see_it_and_is_not_lost(width, value):
    generator = np.random.default_rng(0)
    x = generator.normal(size=(2, 17, 4, 11)).astype(np.float32)
    w = generator.normal(size=(5, 17, 3, width)).astype(np.float32)
    clean, piece = forward(x, w, None, (1, 1)), piece_of(width)
    side, seen = 7 - piece, (-(-width // piece) - 1) * piece + 6
    for row, column in ((0, 0), (2, 5), (3, 10)):
        hit = x.copy()
        hit[1, 16, row, column] = value
        y = forward(hit, w, None, (1, 1))
        for i in range(4):
            for j in range(y.shape[3]):
                tile = j // side * side - 1
                rows = abs(i - row) <= 1
                if rows and 0 <= column - (j - 1) < width:
                    assert not np.isfinite(y[1, :, i, j]).any()
                elif not rows or not tile <= column < tile + seen:
                    np.testing.assert_array_equal(y[1, :, i, j], clean[1, :, i, j])
        np.testing.assert_array_equal(y[0], clean[0])
        relu = forward(hit, w, None, (1, 1), relu=1)
        if np.isnan(value):
            assert (np.isnan(relu) == np.isnan(y)).all()


@widths
def test_a_nan_is_not_lost_in_the_gradients(width):
    generator = np.random.default_rng(0)
    x = generator.normal(size=(3, 17, 8, 12)).astype(np.float32)
    w = generator.normal(size=(18, 17, 3, width)).astype(np.float32)
    dy = gradient_like(x, w, (1, 1))
    hit = dy.copy()
    hit[1, 16, 3, 3] = np.nan
    filters, bias = weight_gradient(hit, x, w, (1, 1), parts=2)
    assert np.isnan(filters[16]).all()
    assert np.isfinite(np.delete(filters, 16, axis=0)).all()
    assert np.isnan(bias).tolist() == [f == 16 for f in range(18)]
    seen = np.isnan(input_gradient(hit, x, w, (1, 1)))
    assert seen[1, :, 2:5, 2 : 2 + width].all()
    assert not seen[[0, 2]].any()
    assert not seen[1, :, [0, 1, 5, 6, 7]].any()
    x[1, 16, 3, 3] = np.nan
    filters, bias = weight_gradient(dy, x, w, (1, 1), parts=2)
    reached = np.isnan(conv2d_backward(dy, x, w, 1, (1, 1)).filters)
    assert reached[:, 16].any()
    assert np.isnan(filters[reached]).all()
    assert np.isfinite(np.delete(filters, 16, axis=1)).all()
    assert np.isfinite(bias).all()


@widths
@pytest.mark.parametrize(("channels", "height"), [(16, 1), (64, 10), (256, 3), (512, 3)])
def test_the_error_stays_below_what_the_design_allows(width, channels, height):
    """Largest error of any output in its standard deviation."""
    torch = pytest.importorskip("torch")
    if channels * height * -(-width // piece_of(width)) > SLIDE_TERMS:
        return
    generator = np.random.default_rng(channels)
    x = generator.normal(size=(2, channels, 13, 20)).astype(np.float32)
    w = generator.normal(size=(32, channels, height, width)).astype(np.float32)
    dy = gradient_like(x, w, (0, 0))
    x64, w64 = (torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in (x, w))
    y64 = torch.nn.functional.conv2d(x64, w64)
    y64.backward(torch.tensor(dy, dtype=torch.float64))
    for got, truth in (
        (forward(x, w, None, (0, 0)), y64.detach()),
        (input_gradient(dy, x, w, (0, 0)), x64.grad),
        (weight_gradient(dy, x, w, (0, 0))[0], w64.grad),
    ):
        assert np.abs(got - truth.numpy()).max() / truth.numpy().std() < 2e-5
