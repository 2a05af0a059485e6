"""Convolution + ReLU + max pooling in one against its parts in float64, on every instruction set."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beak.ops.convolution.kernels import (
    POOLED_FORWARD,
    POOLED_INPUT_GRADIENT,
    POOLED_WEIGHT_GRADIENT,
    PooledShape,
)
from beak.ops.convolution.reference import conv2d, conv2d_backward
from beak.ops.kernel import choose, instruction_set
from beak.ops.panels import from_panels, pad_groups, padded, to_panels, unpad_groups
from beak.ops.pooling.reference import max_pool2d, max_pool2d_backward
from beak.ops.test_support import run

pytestmark = pytest.mark.usefixtures("every_instruction_set")

DIRECT, FEW, MANY = POOLED_FORWARD[-1], *POOLED_WEIGHT_GRADIENT
sizes = st.sampled_from([1, 1, 2, 3, 4, 5, 8, 9, 13, 16, 17, 25])


@st.composite
def cases(draw):
    """A layer and pictures from which at least one pooled output comes."""
    window = draw(st.sampled_from([3, 3, 5]))
    padding = draw(st.integers(0, 2)), draw(st.integers(0, 2))
    sides = [max(1, window + 1 - 2 * p) + draw(st.integers(0, 8)) for p in padding]
    channels = draw(sizes)
    filters, images = draw(st.sampled_from([1, 2, 3, 8, 15, 17, 33])), draw(st.integers(1, 3))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    x = generator.normal(size=(images, channels, *sides)).astype(np.float32)
    w = generator.normal(size=(filters, channels, window, window)).astype(np.float32)
    b = generator.normal(size=filters).astype(np.float32)
    return x, w, b, padding


def rows(shape):
    """The forward rows that take a shape here."""
    isa = instruction_set()
    return [row for row in POOLED_FORWARD if isa in row.isa and row.takes(shape)]


def shape_of(w):
    return PooledShape(w.shape[2:], w.shape[1], w.shape[0])


def last(x):
    """Channels first to channels last."""
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1))


def first(x):
    return np.ascontiguousarray(x.transpose(0, 3, 1, 2))


def fields(x, w, padding):
    pooled = [
        (n + 2 * p - k + 1) // 2 for n, p, k in zip(x.shape[2:], padding, w.shape[2:], strict=True)
    ]
    return {
        "images": x.shape[0], "in_h": x.shape[2], "in_w": x.shape[3], "channels": x.shape[1],
        "pooled_h": pooled[0], "pooled_w": pooled[1], "filters": w.shape[0],
        "window_h": w.shape[2], "window_w": w.shape[3],
        "pad_top": padding[0], "pad_left": padding[1],
    }  # fmt: skip


def packed(row, w, parts=2):
    """A row's own form of the weights."""
    if row.prepare is None:
        return to_panels(w)
    filters, channels, height, width = w.shape
    return run(
        row.prepare, {"packed": (row.packed(shape_of(w)),)}, parts=parts, weight=to_panels(w),
        channels=channels, filters=filters, window_h=height, window_w=width,
    )["packed"]  # fmt: skip


def forward(row, x, w, b, padding, parts=1, threads=1, bands=1):
    """Pooled outputs and winners, channels first."""
    f = fields(x, w, padding)
    places = (f["images"], f["pooled_h"], f["pooled_w"])
    lanes = padded(f["filters"])
    out = run(
        row, {"y": (*places, f["filters"]), "winners": ((*places, lanes), np.uint8)},
        parts=parts, threads=threads, x=last(x), weight=packed(row, w),
        bias=None if b is None else pad_groups(b).reshape(-1), **f, bands=bands,
    )  # fmt: skip
    return first(out["y"]), first(out["winners"][..., : f["filters"]])


def before_pooling(x, w, b, padding):
    return conv2d(x.astype(float), w, b, 1, padding)


def check_winners(maps, winners, tolerance):
    """Each winner is, within rounding, its window's largest, and dead only where that is not positive."""
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


def whole_numbers(seed, channels, filters, side=9, window=3):
    generator = np.random.default_rng(seed)
    x = generator.integers(-1, 2, (2, channels, side, side)).astype(np.float32)
    w = generator.integers(-1, 2, (filters, channels, window, window)).astype(np.float32)
    w *= 4  # Winograd's filters are then whole too
    return x, w, generator.integers(-4, 5, filters).astype(np.float32)


def winners_of(maps):
    """Of each pool window the first largest cell, and 4 where nothing passes the ReLU."""
    height, width = (n // 2 * 2 for n in maps.shape[2:])
    cells = np.stack(
        [maps[:, :, i:height:2, j:width:2] for i in range(2) for j in range(2)], axis=-1
    )
    return np.where(
        cells.max(-1) <= 0, 4, cells.argmax(-1)
    )  # argmax: the first, a NaN first of all


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
