"""The pooling kernels against plain loops in float64 and PyTorch, on every instruction set."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from beak.ops.pooling import kernels
from beak.ops.test_support import run

pytestmark = pytest.mark.usefixtures("every_instruction_set")


@st.composite
def cases(draw):
    """Sizes of a pooling: windows and strides of any form, uneven padding, bare edges."""
    window = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    stride = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    before = tuple(draw(st.integers(0, w - 1)) for w in window)
    after = tuple(draw(st.integers(0, w - 1)) for w in window)
    size = tuple(draw(st.integers(w, w + 7)) for w in window)
    out = tuple(
        (n + b + a - w) // s + 1
        for n, b, a, w, s in zip(size, before, after, window, stride, strict=True)
    )
    return {
        "images": draw(st.integers(0, 2)),
        "channels": draw(st.integers(1, 36) | st.integers(60, 70)),
        "in_h": size[0], "in_w": size[1], "out_h": out[0], "out_w": out[1],
        "window_h": window[0], "window_w": window[1],
        "stride_h": stride[0], "stride_w": stride[1],
        "pad_top": before[0], "pad_left": before[1],
    }  # fmt: skip


def shapes(case):
    n, c = case["images"], case["channels"]
    return (n, case["in_h"], case["in_w"], c), (n, case["out_h"], case["out_w"], c)


def windows(case):
    """For each output place the cells (h, w, index in the window) that lie in the picture."""
    for oh in range(case["out_h"]):
        for ow in range(case["out_w"]):
            top = oh * case["stride_h"] - case["pad_top"]
            left = ow * case["stride_w"] - case["pad_left"]
            cells = [
                (top + r, left + s, r * case["window_w"] + s)
                for r in range(case["window_h"])
                for s in range(case["window_w"])
                if 0 <= top + r < case["in_h"] and 0 <= left + s < case["in_w"]
            ]
            yield oh, ow, cells


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
    inside, outside = shapes(case)
    x, dy = values(kind, inside, seed), values("normal", outside, seed + 1)
    best, winner = np.empty(outside, np.float32), np.empty(outside, np.uint16)
    dx = np.zeros(inside)
    for oh, ow, cells in windows(case):
        if not cells:
            best[:, oh, ow], winner[:, oh, ow] = -np.inf, 65535
            continue
        these = np.stack([x[:, h, w] for h, w, _ in cells])
        which = these.argmax(0)
        best[:, oh, ow] = these.max(0)
        winner[:, oh, ow] = np.array([index for _, _, index in cells])[which]
        for k, (h, w, _) in enumerate(cells):
            dx[:, h, w] += np.where(which == k, dy[:, oh, ow], 0)
    options = {**case, "parts": parts, "threads": threads}
    out = {"y": outside, "winner": (outside, np.uint16)}
    found = run(kernels.MAX_POOL_FORWARD[0], out, x=x, **options)
    np.testing.assert_array_equal(found["y"], best)
    np.testing.assert_array_equal(found["winner"], winner)
    alone = run(kernels.MAX_POOL_FORWARD[0], {"y": outside}, x=x, winner=None, **options)
    np.testing.assert_array_equal(alone["y"], best)
    back = run(kernels.MAX_POOL_BACKWARD[0], {"x": inside}, y=dy, winner=winner, **options)
    np.testing.assert_allclose(back["x"], dx, rtol=1e-6, atol=1e-6)


@given(case=cases(), parts=parts, threads=st.integers(1, 3), seed=seeds)
def test_avg_pool_divides_by_the_cells_that_are_there(case, parts, threads, seed):
    inside, outside = shapes(case)
    x, dy = values("normal", inside, seed), values("normal", outside, seed + 1)
    mean, dx = np.zeros(outside), np.zeros(inside)
    for oh, ow, cells in windows(case):
        for h, w, _ in cells:
            mean[:, oh, ow] += x[:, h, w] / len(cells)
            dx[:, h, w] += dy[:, oh, ow] / len(cells)
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


def test_nan_is_the_largest_of_an_image():
    x = np.array([[1, np.nan, 3], [5, 2, np.inf], [4, 1, -np.inf]], np.float32)[None]
    sizes = {"images": 1, "places": 3, "channels": 3}
    out = {"y": (1, 3), "winner": ((1, 3), np.int32)}
    found = run(kernels.GLOBAL_MAX_FORWARD[0], out, x=x, **sizes)
    np.testing.assert_array_equal(found["y"], [[5, np.nan, np.inf]])
    np.testing.assert_array_equal(found["winner"], [[1, 0, 1]])
