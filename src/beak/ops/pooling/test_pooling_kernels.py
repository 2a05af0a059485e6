"""The pooling kernels against the reference and PyTorch, on every instruction set."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from beak.ops.pooling import kernels, reference
from beak.ops.test_support import run
from beak.shapes import padding_pairs, windows_along

pytestmark = pytest.mark.usefixtures("every_instruction_set")


@st.composite
def cases(draw):
    """Sizes of a pooling, and what the reference takes: any window, stride and padding."""
    window = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    stride = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    size = tuple(draw(st.integers(w, w + 7)) for w in window)
    numbers = st.tuples(*(st.integers(0, w - 1) for w in window))
    padding = draw(st.sampled_from(["valid", "same"]) | numbers)
    pads = padding_pairs(padding, size, window, stride, (1, 1))
    out = [windows_along(*along) for along in zip(size, window, stride, pads, strict=True)]
    case = {
        "images": draw(st.integers(0, 2)),
        "channels": draw(st.integers(1, 36) | st.integers(60, 70)),
        "in_h": size[0], "in_w": size[1], "out_h": out[0], "out_w": out[1],
        "window_h": window[0], "window_w": window[1],
        "stride_h": stride[0], "stride_w": stride[1],
        "pad_top": pads[0][0], "pad_left": pads[1][0],
    }  # fmt: skip
    return case, (window, stride, padding)


def shapes(case):
    n, c = case["images"], case["channels"]
    return (n, case["in_h"], case["in_w"], c), (n, case["out_h"], case["out_w"], c)


def first(x):
    """Channels last to channels first."""
    return x.transpose(0, 3, 1, 2)


def last(x):
    return x.transpose(0, 2, 3, 1)


def values(draw_from, shape, seed):
    rng = np.random.default_rng(seed)
    if draw_from == "ties":
        return rng.integers(-1, 2, shape).astype(np.float32)
    if draw_from == "negative":
        return -np.abs(rng.normal(size=shape)).astype(np.float32) - 5
    return rng.normal(size=shape).astype(np.float32)


kinds = st.sampled_from(["normal", "ties", "negative"])
parts = st.integers(1, 7)
seeds = st.integers(0, 99)


@given(case=cases(), kind=kinds, parts=parts, threads=st.integers(1, 3), seed=seeds)
def test_max_pool_takes_the_first_largest_and_sends_the_gradient_there(
    case, kind, parts, threads, seed
):
    case, how = case
    inside, outside = shapes(case)
    x, dy = values(kind, inside, seed), values("normal", outside, seed + 1)
    best = last(reference.max_pool2d(first(x), *how))
    dx = last(reference.max_pool2d_backward(first(dy), first(x), *how))
    options = {**case, "parts": parts, "threads": threads}
    out = {"y": outside, "winner": (outside, np.uint16)}
    found = run(kernels.MAX_POOL_FORWARD[0], out, x=x, **options)
    np.testing.assert_array_equal(found["y"], best)
    winner = found["winner"]
    assert (winner < case["window_h"] * case["window_w"]).all()
    alone = run(kernels.MAX_POOL_FORWARD[0], {"y": outside}, x=x, winner=None, **options)
    np.testing.assert_array_equal(alone["y"], best)
    back = run(kernels.MAX_POOL_BACKWARD[0], {"x": inside}, y=dy, winner=winner, **options)
    np.testing.assert_allclose(back["x"], dx, rtol=1e-6, atol=1e-6)


@given(case=cases(), parts=parts, threads=st.integers(1, 3), seed=seeds)
def test_avg_pool_divides_by_the_cells_that_are_there(case, parts, threads, seed):
    case, how = case
    inside, outside = shapes(case)
    x, dy = values("normal", inside, seed), values("normal", outside, seed + 1)
    mean = last(reference.avg_pool2d(first(x), *how))
    dx = last(reference.avg_pool2d_backward(first(dy), first(x), *how))
    options = {**case, "parts": parts, "threads": threads, "winner": None}
    y = run(kernels.AVG_POOL_FORWARD[0], {"y": outside}, x=x, **options)["y"]
    np.testing.assert_allclose(y, mean, rtol=2e-6, atol=1e-6)
    back = run(kernels.AVG_POOL_BACKWARD[0], {"x": inside}, y=dy, **options)["x"]
    np.testing.assert_allclose(back, dx, rtol=2e-6, atol=2e-6)


def test_nan_and_infinities_pool_as_in_pytorch():
    rng = np.random.default_rng(0)
    x = rng.choice([np.nan, np.inf, -np.inf, 1.0, 2.0], (3, 7, 6, 21)).astype(np.float32)
    case = {
        "images": 3, "channels": 21, "in_h": 7, "in_w": 6, "out_h": 4, "out_w": 3,
        "window_h": 3, "window_w": 2, "stride_h": 2, "stride_w": 2, "pad_top": 1, "pad_left": 0,
    }  # fmt: skip
    pictures = torch.tensor(x).permute(0, 3, 1, 2).contiguous().requires_grad_()
    pooled, where = torch.nn.functional.max_pool2d(pictures, (3, 2), 2, (1, 0), return_indices=True)
    out = {"y": (3, 4, 3, 21), "winner": ((3, 4, 3, 21), np.uint16)}
    found = run(kernels.MAX_POOL_FORWARD[0], out, x=x, **case)
    np.testing.assert_array_equal(found["y"], pooled.detach().permute(0, 2, 3, 1).numpy())
    oh, ow = np.arange(4)[:, None, None], np.arange(3)[:, None]
    row, column = oh * 2 - 1 + found["winner"] // 2, ow * 2 + found["winner"] % 2
    np.testing.assert_array_equal(row * 6 + column, where.permute(0, 2, 3, 1).numpy())
    mean = torch.nn.functional.avg_pool2d(pictures, (3, 2), 2, (1, 0), count_include_pad=False)
    y = run(kernels.AVG_POOL_FORWARD[0], {"y": (3, 4, 3, 21)}, x=x, winner=None, **case)["y"]
    expected = mean.detach().permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(y, expected, rtol=1e-6)


@given(
    images=st.integers(0, 3),
    places=st.integers(1, 30),
    channels=st.integers(1, 70),
    kind=kinds,
    parts=parts,
    seed=seeds,
)
def test_global_pooling_and_its_gradients(images, places, channels, kind, parts, seed):
    x, dy = values(kind, (images, places, channels), seed), values("normal", (images, channels), 1)
    sizes = {"images": images, "places": places, "channels": channels, "parts": parts, "threads": 2}
    out = {"y": dy.shape, "winner": (dy.shape, np.int32)}
    found = run(kernels.GLOBAL_MAX_FORWARD[0], out, x=x, **sizes)
    np.testing.assert_array_equal(found["y"], x.max(1))
    np.testing.assert_array_equal(found["winner"], x.argmax(1))
    winner = found["winner"]
    dx = run(kernels.GLOBAL_MAX_BACKWARD[0], {"dx": x.shape}, dy=dy, winner=winner, **sizes)["dx"]
    here = np.arange(places)[None, :, None] == winner[:, None]
    np.testing.assert_array_equal(dx, np.where(here, dy[:, None], 0))
    y = run(kernels.GLOBAL_MAX_FORWARD[0], {"y": dy.shape}, x=x, winner=None, **sizes)["y"]
    np.testing.assert_array_equal(y, found["y"])
    y = run(kernels.GLOBAL_AVG_FORWARD[0], {"y": dy.shape}, x=x, **sizes)["y"]
    np.testing.assert_allclose(y, x.astype(float).mean(1), rtol=1e-7, atol=1e-12)
    dx = run(kernels.GLOBAL_AVG_BACKWARD[0], {"dx": x.shape}, dy=dy, **sizes)["dx"]
    np.testing.assert_array_equal(dx, np.broadcast_to(dy[:, None] / np.float32(places), x.shape))


def test_a_window_in_the_padding_alone_has_no_winner_and_gets_no_gradient():
    case = {
        "images": 1, "channels": 2, "in_h": 1, "in_w": 1, "out_h": 1, "out_w": 3,
        "window_h": 1, "window_w": 2, "stride_h": 1, "stride_w": 2, "pad_top": 0, "pad_left": 2,
    }  # fmt: skip
    x, outside = np.full((1, 1, 1, 2), 5, np.float32), (1, 1, 3, 2)
    out = {"y": outside, "winner": (outside, np.uint16)}
    found = run(kernels.MAX_POOL_FORWARD[0], out, x=x, **case)
    np.testing.assert_array_equal(found["y"][0, 0, :, 0], [-np.inf, 5, -np.inf])
    np.testing.assert_array_equal(found["winner"][0, 0, :, 0], [65535, 0, 65535])
    dy = np.array([3, 1, 7], np.float32).repeat(2).reshape(outside)
    winner = found["winner"]
    dx = run(kernels.MAX_POOL_BACKWARD[0], {"x": x.shape}, y=dy, winner=winner, **case)["x"]
    np.testing.assert_array_equal(dx.ravel(), [1, 1])
    y = run(kernels.AVG_POOL_FORWARD[0], {"y": outside}, x=x, winner=None, **case)["y"]
    np.testing.assert_array_equal(y[0, 0, :, 0], [0, 5, 0])


def test_nan_is_the_largest_of_an_image():
    x = np.array([[1, np.nan, 3], [5, 2, np.inf], [4, 1, -np.inf]], np.float32)[None]
    sizes = {"images": 1, "places": 3, "channels": 3}
    out = {"y": (1, 3), "winner": ((1, 3), np.int32)}
    found = run(kernels.GLOBAL_MAX_FORWARD[0], out, x=x, **sizes)
    np.testing.assert_array_equal(found["y"], [[5, np.nan, np.inf]])
    np.testing.assert_array_equal(found["winner"], [[1, 0, 1]])
