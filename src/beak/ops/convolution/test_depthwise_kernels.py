"""Depthwise convolutions against the float64 reference, on every instruction set."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beak.ops.convolution import kernels
from beak.ops.convolution.reference import conv2d, conv2d_backward
from beak.ops.convolution.test_convolution_kernels import fields, last
from beak.ops.convolution.test_convolution_kernels import forward as grouped_forward
from beak.ops.panels import from_panels, pad_groups, to_panels, unpad_groups
from beak.ops.test_support import run

pytestmark = pytest.mark.usefixtures("every_instruction_set")


@st.composite
def cases(draw):
    """One or several filters for each channel, and a picture that their windows fit."""
    small = st.integers(1, 3)
    channels = draw(st.sampled_from([1, 2, 3, 7, 8, 15, 16, 17, 33]))
    filters = channels * draw(st.sampled_from([1, 1, 1, 2, 3, 17]))
    window = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    stride, dilation = ((draw(small), draw(small)) for _ in range(2))
    padding = draw(st.integers(0, 4)), draw(st.integers(0, 4))
    sides = [
        max(1, d * (k - 1) + 1 - 2 * p) + draw(st.integers(0, 20))
        for k, d, p in zip(window, dilation, padding, strict=True)
    ]
    images = draw(small)
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    x = generator.normal(size=(images, channels, *sides)).astype(np.float32)
    w = generator.normal(size=(filters, 1, *window)).astype(np.float32)
    b = generator.normal(size=filters).astype(np.float32)
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": channels}
    return x, w, b, options


def gradient_like(f):
    shape = f["images"], f["out_channels"], f["out_h"], f["out_w"]
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


def packed(w, b, groups, *, turned=0, first=(0, 0), step=(1, 1), parts=1):
    """Weights (taps, filters) and bias (filters,) as the kernels read them."""
    taps = [-(-(n - f) // s) for n, f, s in zip(w.shape[2:], first, step, strict=True)]
    outputs = {"packed": (taps[0] * taps[1], len(w)), "packed_bias": (len(w),)}
    return run(
        kernels.DEPTHWISE_PACK[0], outputs, parts=parts, weight=to_panels(w, groups),
        bias=None if b is None else pad_groups(b, groups), groups=groups, each=len(w) // groups,
        window_h=w.shape[2], window_w=w.shape[3], first_h=first[0], first_w=first[1],
        step_h=step[0], step_w=step[1], turned=turned,
    )  # fmt: skip


def forward(x, w, b, options, parts=1, threads=1, **more):
    f = fields(x, w, **options, **more)
    weights = packed(w, b, options["groups"])
    y = run(
        kernels.DEPTHWISE_FORWARD[0], {"y": (f["images"], f["out_h"], f["out_w"], len(w))},
        parts=parts, threads=threads, x=last(x), weight=weights["packed"],
        bias=None if b is None else weights["packed_bias"], **f,
    )["y"]  # fmt: skip
    return y.transpose(0, 3, 1, 2)


@given(cases())
@settings(max_examples=100)
def test_forward_is_the_reference_and_the_same_bytes_as_the_grouped_row(case):
    x, w, b, options = case
    y = forward(x, w, b, options)
    np.testing.assert_allclose(y, conv2d(x, w, b, **options), rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(y, grouped_forward(x, w, b, options))


@given(cases(), st.integers(1, 5), st.integers(1, 4))
@settings(max_examples=50)
def test_parts_threads_bands_and_the_batch_do_not_change_a_bit(case, parts, bands):
    x, w, b, options = case
    whole = forward(x, w, b, options)
    np.testing.assert_array_equal(forward(x, w, b, options, parts, 3, bands=bands), whole)
    np.testing.assert_array_equal(forward(x[-1:], w, b, options)[0], whole[-1])


@given(cases())
@settings(max_examples=30)
def test_relu_is_done_on_the_way_out(case):
    x, w, _, options = case
    plain = forward(x, w, None, options)
    np.testing.assert_array_equal(forward(x, w, None, options, relu=1), np.maximum(plain, 0))


def weight_gradients(x, w, dy, options, parts=1, bands=1):
    """Panels of the weights' and the bias's gradients."""
    f, groups = fields(x, w, **options, bands=bands), options["groups"]
    size = w.size
    partials = run(
        kernels.DEPTHWISE_WEIGHT_GRADIENT[0], {"partials": (parts, size + len(w))}, parts=parts,
        threads=2, x=last(x), weight=None, bias=None, y=None, dy=last(dy), **f,
        stride=size + len(w), bias_at=size,
    )["partials"]  # fmt: skip
    panels, bias = to_panels(w, groups), pad_groups(w[:, 0, 0, 0], groups)
    return run(
        kernels.DEPTHWISE_FINISH[0], {"dweight": panels.shape, "dbias": bias.shape}, parts=3,
        partials=partials, partial_parts=parts, stride=size + len(w), groups=groups,
        each=len(w) // groups, taps=w.shape[2] * w.shape[3],
    )  # fmt: skip


@given(cases(), st.integers(1, 4), st.integers(1, 3))
@settings(max_examples=100)
def test_weight_and_bias_gradients_are_the_reference(case, parts, bands):
    x, w, b, options = case
    groups, dy = options["groups"], gradient_like(fields(x, w, **options))
    done = weight_gradients(x, w, dy, options, parts, bands)
    truth = conv2d_backward(dy, x, w, **options)
    close = {"rtol": 1e-4, "atol": 2e-4 * max(1, dy[0, 0].size) ** 0.5}
    np.testing.assert_allclose(
        from_panels(done["dweight"], w.shape, groups), truth.filters, **close
    )
    np.testing.assert_allclose(unpad_groups(done["dbias"], len(w), groups), truth.bias, **close)
    unused = to_panels(np.ones(w.shape, np.float32), groups) == 0
    assert (done["dweight"][unused] == 0).all(), "lanes without a filter must stay zero"
    assert (done["dbias"][pad_groups(np.ones_like(b), groups) == 0] == 0).all()


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(
    ("channels", "each", "height", "width"), [(300, 1, 9, 90), (70, 2, 23, 41)]
)
def test_large_pictures_are_done_in_blocks_of_columns_and_rows(
    channels, each, height, width, stride
):
    generator = np.random.default_rng(stride)
    x = generator.normal(size=(1, channels, height, width)).astype(np.float32)
    w = generator.normal(size=(channels * each, 1, 3, 3)).astype(np.float32)
    options = {"stride": (stride,) * 2, "padding": (1, 1), "dilation": (1, 1), "groups": channels}
    b = w[:, 0, 1, 1]
    for bands in (1, 2):
        np.testing.assert_array_equal(
            forward(x, w, b, options, bands=bands), grouped_forward(x, w, b, options)
        )
    dy = gradient_like(fields(x, w, **options))
    done, truth = weight_gradients(x, w, dy, options), conv2d_backward(dy, x, w, **options)
    found = from_panels(done["dweight"], w.shape, channels)
    np.testing.assert_allclose(found, truth.filters, rtol=1e-4, atol=5e-3)
    found = unpad_groups(done["dbias"], len(w), channels)
    np.testing.assert_allclose(found, truth.bias, rtol=1e-4, atol=5e-3)


@given(cases())
@settings(max_examples=100)
def test_input_gradient_is_the_reference(case):
    x, w, _, options = case
    f = fields(x, w, **options)
    dy = gradient_like(f)
    back = {
        **f, "in_h": f["out_h"], "in_w": f["out_w"], "in_channels": len(w),
        "out_h": x.shape[2], "out_w": x.shape[3], "out_channels": x.shape[1],
        "stride_h": 1, "stride_w": 1, "spread_h": f["stride_h"], "spread_w": f["stride_w"],
        "pad_top": f["dilation_h"] * (f["window_h"] - 1) - f["pad_top"],
        "pad_left": f["dilation_w"] * (f["window_w"] - 1) - f["pad_left"],
        "y_row": x.shape[3], "y_image": x.shape[2] * x.shape[3],
    }  # fmt: skip
    dx = run(
        kernels.DEPTHWISE_FORWARD[0], {"y": last(x).shape}, parts=2, x=last(dy),
        weight=packed(w, None, options["groups"], turned=1)["packed"], bias=None, **back,
    )["y"]  # fmt: skip
    truth = conv2d_backward(dy, x, w, **options).images
    np.testing.assert_allclose(dx.transpose(0, 3, 1, 2), truth, rtol=1e-4, atol=2e-4)


@given(
    each=st.sampled_from([1, 2, 17]),
    sides=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    step=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    turned=st.integers(0, 1),
    data=st.data(),
)
@settings(max_examples=50)
def test_packing_takes_every_step_th_tap_in_either_order(each, sides, step, turned, data):
    first = tuple(
        data.draw(st.integers(0, min(s, n) - 1)) for s, n in zip(step, sides, strict=True)
    )
    w = np.arange(3 * each * sides[0] * sides[1], dtype=np.float32).reshape(3 * each, 1, *sides)
    taken = w[:, 0, first[0] :: step[0], first[1] :: step[1]]
    if turned:
        taken = taken[:, ::-1, ::-1]
    got = packed(w, w[:, 0, 0, 0], 3, turned=turned, first=first, step=step, parts=3)
    np.testing.assert_array_equal(got["packed"], taken.reshape(3 * each, -1).T)
    np.testing.assert_array_equal(got["packed_bias"], w[:, 0, 0, 0])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_reaches_just_its_channel_and_the_windows_that_hold_it(value):
    x = np.zeros((1, 9, 7, 7), np.float32)
    x[0, 4, 3, 3] = value
    options = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 9}
    y = forward(x, np.ones((9, 1, 3, 3), np.float32), None, options, relu=int(np.isnan(value)))[0]
    touched = np.zeros((9, 5, 5), bool)
    touched[4, 1:4, 1:4] = True
    np.testing.assert_array_equal(y[touched], value)
    np.testing.assert_array_equal(y[~touched], 0)


def test_outputs_may_be_a_grid_within_a_larger_picture():
    generator = np.random.default_rng(3)
    x = generator.normal(size=(2, 5, 4, 11)).astype(np.float32)
    w = generator.normal(size=(5, 1, 3, 3)).astype(np.float32)
    options = {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1), "groups": 5}
    grid = {"y_step": 3, "y_row": 2 * 33, "y_image": 8 * 33}
    y = run(
        kernels.DEPTHWISE_FORWARD[0], {"y": np.full((2, 8, 33, 5), 7, np.float32)}, parts=2,
        x=last(x), weight=packed(w, None, 5)["packed"], bias=None,
        **{**fields(x, w, **options), **grid},
    )["y"]  # fmt: skip
    whole = last(forward(x, w, None, options))
    np.testing.assert_array_equal(y[:, ::2, ::3], whole)
    y[:, ::2, ::3] = 7
    assert (y == 7).all(), "nothing beside the grid is written"
