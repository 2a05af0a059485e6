"""The convolution kernels against the float64 reference, on every instruction set."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beak.ops.convolution.kernels import (
    FOLD_NORM,
    FORWARD,
    SCATTER,
    TURN_FILTERS,
    WEIGHT_GRADIENT,
)
from beak.ops.convolution.reference import conv2d, conv2d_backward
from beak.ops.panels import from_panels, pad_groups, to_panels, unpad_groups
from beak.ops.test_support import run

pytestmark = pytest.mark.usefixtures("every_instruction_set")


@st.composite
def cases(draw):
    """A layer and a picture that its window fits."""
    small = st.integers(1, 3)
    groups = draw(st.sampled_from([1, 1, 1, 2, 3]))
    channels, filters = (groups * draw(st.integers(1, n)) for n in (7, 19))
    window, stride, dilation = ((draw(small), draw(small)) for _ in range(3))
    padding = (draw(st.integers(0, 3)), draw(st.integers(0, 3)))
    sides = [
        max(1, d * (k - 1) + 1 - 2 * p) + draw(st.integers(0, 9))
        for k, d, p in zip(window, dilation, padding, strict=True)
    ]
    images = draw(small)
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    x = generator.normal(size=(images, channels, *sides)).astype(np.float32)
    w = generator.normal(size=(filters, channels // groups, *window)).astype(np.float32)
    b = generator.normal(size=filters).astype(np.float32)
    return x, w, b, {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}


# (channels, filters, window, picture, padding): tiles several panels wide, sums in several pieces,
# windows almost as large as their picture.
LARGE = [
    (1, 64, (20, 8), (32, 40), (0, 0)),
    (64, 64, (10, 4), (13, 11), (0, 0)),
    (33, 50, (3, 5), (9, 12), (1, 2)),
    (40, 100, (5, 5), (7, 6), (2, 2)),
    (300, 20, (1, 1), (4, 5), (0, 0)),
]


def large(case):
    channels, filters, window, sides, padding = case
    generator = np.random.default_rng(channels)
    x = generator.normal(size=(3, channels, *sides)).astype(np.float32)
    w = generator.normal(size=(filters, channels, *window)).astype(np.float32)
    b = generator.normal(size=filters).astype(np.float32)
    return x, w, b, {"stride": (1, 1), "padding": padding, "dilation": (1, 1), "groups": 1}


def last(x):
    """Channels first to channels last."""
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1))


def fields(x, w, stride, padding, dilation, groups, bands=1, relu=0):
    images, channels, in_h, in_w = x.shape
    outputs = [
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, p, d, k, s in zip(x.shape[2:], padding, dilation, w.shape[2:], stride, strict=True)
    ]
    return {
        "images": images, "in_h": in_h, "in_w": in_w, "in_channels": channels,
        "out_h": outputs[0], "out_w": outputs[1], "out_channels": w.shape[0], "groups": groups,
        "window_h": w.shape[2], "window_w": w.shape[3],
        "stride_h": stride[0], "stride_w": stride[1],
        "dilation_h": dilation[0], "dilation_w": dilation[1],
        "pad_top": padding[0], "pad_left": padding[1],
        "spread_h": 1, "spread_w": 1, "relu": relu, "bands": bands,
        "y_step": 1, "y_row": outputs[1], "y_image": outputs[0] * outputs[1],
    }  # fmt: skip


def forward(x, w, b, options, parts=1, threads=1, **more):
    f = fields(x, w, **options, **more)
    shape = (f["images"], f["out_h"], f["out_w"], f["out_channels"])
    groups = options["groups"]
    bias = None if b is None else pad_groups(b, groups)
    y = run(
        FORWARD[0], {"y": shape}, parts=parts, threads=threads,
        x=last(x), weight=to_panels(w, groups), bias=bias, **f,
    )["y"]  # fmt: skip
    return y.transpose(0, 3, 1, 2)


@given(cases())
@settings(max_examples=150)
def test_forward_is_the_reference(case):
    x, w, b, options = case
    np.testing.assert_allclose(
        forward(x, w, b, options), conv2d(x, w, b, **options), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("shape", LARGE)
def test_large_layers_are_the_reference(shape):
    x, w, b, options = large(shape)
    y, truth = forward(x, w, b, options, relu=1), np.maximum(conv2d(x, w, b, **options), 0)
    np.testing.assert_allclose(y, truth, rtol=1e-4, atol=2e-6 * w[0].size)
    whole = forward(x, w, b, options)
    np.testing.assert_array_equal(forward(x, w, b, options, 3, 2, bands=2), whole)
    np.testing.assert_array_equal(forward(x[-1:], w, b, options)[0], whole[-1])


@pytest.mark.parametrize("shape", LARGE)
def test_gradients_of_large_layers_are_the_reference(shape):
    x, w, b, options = large(shape)
    f = fields(x, w, **options)
    dy = output_gradient(f)
    truth = conv2d_backward(dy, x, w, **options)
    size, bias = to_panels(w).size, pad_groups(b).size
    partials = run(
        WEIGHT_GRADIENT[0], {"partials": (2, size + bias)}, parts=2, threads=2,
        x=last(x), weight=None, bias=None, y=None, dy=last(dy), **f,
        stride=size + bias, bias_at=size,
    )["partials"].sum(0)  # fmt: skip
    close = {"rtol": 1e-4, "atol": 1e-5 * dy[:, 0].size}
    np.testing.assert_allclose(from_panels(partials[:size], w.shape), truth.filters, **close)
    np.testing.assert_allclose(unpad_groups(partials[size:], b.size), truth.bias, **close)
    dx = run(
        SCATTER[0], {"dx": last(x).shape}, parts=2, threads=2, x=None, bias=None, y=None,
        weight=turned_filters(x, w, f, 1), dy=last(dy), **f,
    )["dx"]  # fmt: skip
    close = {"rtol": 1e-4, "atol": 2e-6 * w[:, 0].size}
    np.testing.assert_allclose(dx.transpose(0, 3, 1, 2), truth.images, **close)


@given(cases(), st.integers(1, 5), st.integers(1, 4))
@settings(max_examples=60)
def test_parts_threads_and_bands_do_not_change_a_bit(case, parts, bands):
    x, w, b, options = case
    whole = forward(x, w, b, options)
    np.testing.assert_array_equal(forward(x, w, b, options, parts, 3, bands=bands), whole)


@given(cases())
@settings(max_examples=40)
def test_an_image_does_not_depend_on_its_batch(case):
    x, w, b, options = case
    whole = forward(x, w, b, options)
    np.testing.assert_array_equal(forward(x[-1:], w, b, options)[0], whole[-1])


@given(cases())
@settings(max_examples=40)
def test_relu_is_done_on_the_way_out(case):
    x, w, _, options = case
    plain = forward(x, w, None, options)
    np.testing.assert_array_equal(forward(x, w, None, options, relu=1), np.maximum(plain, 0))


@given(cases(), st.integers(1, 4))
@settings(max_examples=150)
def test_weight_and_bias_gradients_are_the_reference(case, parts):
    x, w, b, options = case
    f, groups = fields(x, w, **options), options["groups"]
    dy = (
        np.random.default_rng(1)
        .normal(size=(f["images"], f["out_channels"], f["out_h"], f["out_w"]))
        .astype(np.float32)
    )
    size, bias = to_panels(w, groups).size, pad_groups(b, groups).size
    partials = run(
        WEIGHT_GRADIENT[0], {"partials": (parts, size + bias)}, parts=parts, threads=2,
        x=last(x), weight=None, bias=None, y=None, dy=last(dy), **f,
        stride=size + bias, bias_at=size,
    )["partials"].sum(0)  # fmt: skip
    truth = conv2d_backward(dy, x, w, **options)
    close = {"rtol": 1e-4, "atol": 2e-4 * max(1, dy[0, 0].size) ** 0.5}
    np.testing.assert_allclose(
        from_panels(partials[:size], w.shape, groups), truth.filters, **close
    )
    np.testing.assert_allclose(unpad_groups(partials[size:], b.size, groups), truth.bias, **close)
    lanes = np.ones(w.shape, np.float32)
    unused = to_panels(lanes, groups).reshape(-1) == 0
    assert (partials[:size][unused] == 0).all(), "lanes without a filter must stay zero"


def turned_filters(x, w, f, groups):
    channels, filters = x.shape[1] // groups, w.shape[0] // groups
    size = to_panels(np.zeros((x.shape[1], filters, *w.shape[2:]), np.float32), groups).size
    return run(
        TURN_FILTERS[0], {"turned": (size,)}, parts=3,
        weight=to_panels(w, groups), groups=groups, window_h=f["window_h"], window_w=f["window_w"],
        channels=channels, filters=filters, first_h=0, first_w=0, step_h=1, step_w=1,
    )["turned"]  # fmt: skip


def output_gradient(f):
    shape = (f["images"], f["out_channels"], f["out_h"], f["out_w"])
    return np.random.default_rng(2).normal(size=shape).astype(np.float32)


@given(cases(), st.integers(1, 4))
@settings(max_examples=150)
def test_an_input_gradient_added_up_window_by_window_is_the_reference(case, parts):
    x, w, _, options = case
    f, groups = fields(x, w, **options), options["groups"]
    dy = output_gradient(f)
    dx = run(
        SCATTER[0], {"dx": last(x).shape}, parts=parts, threads=2, x=None, bias=None, y=None,
        weight=turned_filters(x, w, f, groups), dy=last(dy), **f,
    )["dx"]  # fmt: skip
    truth = conv2d_backward(dy, x, w, **options).images
    np.testing.assert_allclose(dx.transpose(0, 3, 1, 2), truth, rtol=1e-4, atol=2e-4)


@given(cases())
@settings(max_examples=150)
def test_input_gradient_is_the_reference(case):
    x, w, _, options = case
    f, groups = fields(x, w, **options), options["groups"]
    dy = output_gradient(f)
    turned = turned_filters(x, w, f, groups)
    back = {
        **f, "in_h": f["out_h"], "in_w": f["out_w"], "in_channels": w.shape[0],
        "out_h": x.shape[2], "out_w": x.shape[3], "out_channels": x.shape[1],
        "stride_h": 1, "stride_w": 1, "spread_h": f["stride_h"], "spread_w": f["stride_w"],
        "pad_top": f["dilation_h"] * (f["window_h"] - 1) - f["pad_top"],
        "pad_left": f["dilation_w"] * (f["window_w"] - 1) - f["pad_left"],
        "y_row": x.shape[3], "y_image": x.shape[2] * x.shape[3],
    }  # fmt: skip
    dx = run(
        FORWARD[0], {"y": last(x).shape}, parts=2, x=last(dy), weight=turned, bias=None, **back
    )["y"]
    truth = conv2d_backward(dy, x, w, **options).images
    np.testing.assert_allclose(dx.transpose(0, 3, 1, 2), truth, rtol=1e-4, atol=2e-4)


def test_whole_numbers_are_exact():
    x = np.random.default_rng(0).integers(-4, 5, (2, 3, 9, 9)).astype(np.float32)
    w = np.random.default_rng(1).integers(-4, 5, (20, 3, 3, 3)).astype(np.float32)
    options = {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1), "groups": 1}
    b = np.arange(20, dtype=np.float32)
    np.testing.assert_array_equal(forward(x, w, b, options), conv2d(x, w, b, 1, 1))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_reaches_just_the_windows_that_hold_it(value):
    x = np.zeros((1, 2, 7, 7), np.float32)
    x[0, 1, 3, 3] = value
    w = np.ones((5, 2, 3, 3), np.float32)
    options = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 1}
    y = forward(x, w, None, options, relu=1 if np.isnan(value) else 0)
    touched = np.zeros((5, 5), bool)
    touched[1:4, 1:4] = True
    for channel in y[0]:
        np.testing.assert_array_equal(channel[touched], value)
        np.testing.assert_array_equal(channel[~touched], 0)


@given(cases())
@settings(max_examples=60)
def test_a_folded_norm_is_the_norm_behind_the_convolution(case):
    x, w, b, options = case
    groups, filters = options["groups"], len(w)
    generator = np.random.default_rng(4)
    mean, gamma, beta = (generator.normal(size=filters).astype(np.float32) for _ in range(3))
    variance = generator.uniform(0.01, 3, filters).astype(np.float32)
    panels = to_panels(w, groups)
    for bias in (b, None):
        folded = run(
            FOLD_NORM[0], {"folded": panels.shape, "folded_bias": pad_groups(b, groups).shape},
            parts=2, weight=panels, bias=None if bias is None else pad_groups(bias, groups),
            mean=mean, variance=variance, gamma=gamma, beta=beta, groups=groups,
            terms=panels.shape[2], filters=filters // groups, epsilon=1e-3,
        )  # fmt: skip
        weights = from_panels(folded["folded"], w.shape, groups)
        shift = unpad_groups(folded["folded_bias"], filters, groups)
        scale = (gamma / np.sqrt(variance + 1e-3))[:, None, None]
        plain = conv2d(x, w, bias, **options)
        truth = (plain - mean[:, None, None]) * scale + beta[:, None, None]
        close = {"rtol": 1e-4, "atol": 1e-4 * max(1, np.abs(scale).max())}
        np.testing.assert_allclose(conv2d(x, weights, shift, **options), truth, **close)
