"""Winograd's convolution against the float64 reference, on every instruction set."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beak.ops.convolution.kernels import (
    WINOGRAD_FORWARD,
    WINOGRAD_PREPARE,
    WINOGRAD_WEIGHT_GRADIENT,
)
from beak.ops.convolution.reference import conv2d, conv2d_backward
from beak.ops.convolution.winograd import prepared_floats
from beak.ops.panels import from_panels, pad_groups, padded, to_panels
from beak.ops.test_support import run

pytestmark = pytest.mark.usefixtures("every_instruction_set")
sides = pytest.mark.parametrize("m", [2, 4])


@st.composite
def cases(draw):
    """A picture, filters, bias and padding; outputs down to 1x1, channels and filters down to 1."""
    padding = (draw(st.integers(0, 2)), draw(st.integers(0, 2)))
    height, width = (max(1, 3 - 2 * p) + draw(st.integers(0, 10)) for p in padding)
    channels = draw(st.integers(1, 9) | st.integers(15, 18) | st.just(32))
    filters = draw(st.integers(1, 9) | st.integers(15, 18) | st.just(35))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    x = generator.normal(size=(draw(st.integers(1, 3)), channels, height, width))
    w = generator.normal(size=(filters, channels, 3, 3)) / np.sqrt(9 * channels)
    b = generator.normal(size=filters)
    return x.astype(np.float32), w.astype(np.float32), b.astype(np.float32), padding


def last(x):
    """Channels first to channels last."""
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1))


def fields(x, filters, padding):
    images, channels, in_h, in_w = x.shape
    return {
        "images": images, "in_h": in_h, "in_w": in_w, "in_channels": channels,
        "out_h": in_h + 2 * padding[0] - 2, "out_w": in_w + 2 * padding[1] - 2,
        "out_channels": filters, "pad_top": padding[0], "pad_left": padding[1],
    }  # fmt: skip


def prepare(m, w, turned=False, parts=1):
    filters, channels = w.shape[:2]
    size = prepared_floats(m, *((filters, channels) if turned else (channels, filters)))
    return run(
        WINOGRAD_PREPARE[m][0], {"prepared": np.zeros(size, np.float32)}, parts=parts, threads=2,
        weight=to_panels(w), channels=channels, filters=filters, turned=int(turned),
    )["prepared"]  # fmt: skip


def forward(m, x, w, b, padding, *, relu=0, groups=1, parts=1, threads=1, turned=False):
    prepared = prepare(m, w, turned)
    f = fields(x, w.shape[1] if turned else w.shape[0], padding)
    y = run(
        WINOGRAD_FORWARD[m][0], {"y": (f["images"], f["out_h"], f["out_w"], f["out_channels"])},
        parts=parts, threads=threads, x=last(x), prepared=prepared,
        bias=None if b is None else pad_groups(b), **f, relu=relu, groups=groups,
    )["y"]  # fmt: skip
    return y.transpose(0, 3, 1, 2)


def weight_gradient(m, x, dy, padding, *, splits=1, blocks=(1, 1), parts=1, threads=1):
    """The filters' and the bias's gradient, and the floats that no filter owns."""
    f = fields(x, dy.shape[1], padding)
    wide = padded(dy.shape[1])
    size = wide * 9 * x.shape[1]
    partials = run(
        WINOGRAD_WEIGHT_GRADIENT[m][0], {"partials": (splits, size + wide)}, parts=parts,
        threads=threads, x=last(x), dy=last(dy), **f, splits=splits,
        channel_blocks=blocks[0], filter_blocks=blocks[1], stride=size + wide, bias_at=size,
    )["partials"].sum(0)  # fmt: skip
    shape = (dy.shape[1], x.shape[1], 3, 3)
    unused = to_panels(np.ones(shape, np.float32)).reshape(-1) == 0
    assert (partials[:size][unused] == 0).all(), "lanes without a filter must stay zero"
    return from_panels(partials[:size], shape), partials[size : size + dy.shape[1]]


@sides
@given(case=cases())
@settings(max_examples=60)
def test_forward_is_the_reference(m, case):
    x, w, b, padding = case
    truth = conv2d(x, w, b, 1, padding)
    np.testing.assert_allclose(forward(m, x, w, b, padding), truth, rtol=1e-5, atol=2e-5)


@sides
@given(case=cases())
@settings(max_examples=60)
def test_input_gradient_is_forward_with_turned_filters(m, case):
    x, w, _, padding = case
    shape = [n + 2 * p - 2 for n, p in zip(x.shape[2:], padding, strict=True)]
    dy = np.random.default_rng(1).normal(size=(len(x), len(w), *shape)).astype(np.float32)
    dx = forward(m, dy, w, None, (2 - padding[0], 2 - padding[1]), turned=True)
    truth = conv2d_backward(dy, x, w, 1, padding).images
    np.testing.assert_allclose(dx, truth, rtol=1e-5, atol=4e-5)


@sides
@given(
    case=cases(), splits=st.integers(1, 4), blocks=st.tuples(st.integers(1, 3), st.integers(1, 3))
)
@settings(max_examples=60)
def test_weight_and_bias_gradients_are_the_reference(m, case, splits, blocks):
    x, w, _, padding = case
    shape = [n + 2 * p - 2 for n, p in zip(x.shape[2:], padding, strict=True)]
    dy = np.random.default_rng(1).normal(size=(len(x), len(w), *shape)).astype(np.float32)
    truth = conv2d_backward(dy, x, w, 1, padding)
    filters, bias = weight_gradient(m, x, dy, padding, splits=splits, blocks=blocks)
    scale = max(1, dy[:, 0].size) ** 0.5
    np.testing.assert_allclose(filters, truth.filters, rtol=1e-5, atol=2e-5 * scale)
    np.testing.assert_allclose(bias, truth.bias, rtol=1e-5, atol=1e-5 * scale)
