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
from beak.ops.convolution.winograd import (
    TILES,
    Layer,
    choose_side,
    f4_is_exact_enough,
    forward_cut,
    gradient_cut,
    prepared_floats,
    tiles_in,
)
from beak.ops.panels import from_panels, pad_groups, padded, to_panels
from beak.ops.test_support import run

pytestmark = pytest.mark.usefixtures("every_instruction_set")
sides = pytest.mark.parametrize("form", [(2, 3), (4, 3), (2, 5)], ids=["2x3", "4x3", "2x5"])
"""A tile's side, its filters' side."""


def size_of(x, form, padding):
    """The outputs' height and width."""
    return [n + 2 * p - form[1] + 1 for n, p in zip(x.shape[2:], padding, strict=True)]


@st.composite
def cases(draw):
    """A picture, filters of both sizes, bias and padding; outputs down to 1x1, channels down to 1.

    The filters are {side: array}: a test takes those of its form (``of``).
    """
    padding = (draw(st.integers(0, 2)), draw(st.integers(0, 2)))
    height, width = (max(1, 5 - 2 * p) + draw(st.integers(0, 10)) for p in padding)
    channels = draw(st.integers(1, 9) | st.integers(15, 18) | st.just(32))
    filters = draw(st.integers(1, 9) | st.integers(15, 18) | st.just(35))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    x = generator.normal(size=(draw(st.integers(1, 3)), channels, height, width))
    w = generator.normal(size=(filters, channels, 5, 5)).astype(np.float32) / np.sqrt(channels)
    b = generator.normal(size=filters)
    both = {3: w[:, :, :3, :3] / np.float32(3), 5: w / np.float32(5)}
    return x.astype(np.float32), both, b.astype(np.float32), padding


def of(case, form):
    """A case with the filters of one form."""
    x, w, b, padding = case
    return x, w[form[1]], b, padding


def last(x):
    """Channels first to channels last."""
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1))


def fields(x, filters, padding, form):
    images, channels, in_h, in_w = x.shape
    out_h, out_w = size_of(x, form, padding)
    return {
        "images": images, "in_h": in_h, "in_w": in_w, "in_channels": channels,
        "out_h": out_h, "out_w": out_w,
        "out_channels": filters, "pad_top": padding[0], "pad_left": padding[1],
    }  # fmt: skip


def prepare(form, w, turned=False, parts=1):
    m, window = form
    filters, channels = w.shape[:2]
    size = prepared_floats(m, *((filters, channels) if turned else (channels, filters)), window)
    return run(
        WINOGRAD_PREPARE[window][m][0], {"prepared": np.zeros(size, np.float32)},
        parts=parts, threads=2,
        weight=to_panels(w), channels=channels, filters=filters, turned=int(turned),
    )["prepared"]  # fmt: skip


def tiles_of(x, form, padding):
    out_h, out_w = size_of(x, form, padding)
    return len(x) * tiles_in(out_h, out_w, form[0])


def forward(
    form, x, w, b, padding, *, onto=None, relu=0, more=0, groups=1, parts=1, threads=1,
    turned=False,
):  # fmt: skip
    m, window = form
    prepared = prepare(form, w, turned)
    f = fields(x, w.shape[1] if turned else w.shape[0], padding, form)
    y = run(
        WINOGRAD_FORWARD[window][m][0],
        {"y": (f["images"], f["out_h"], f["out_w"], f["out_channels"])},
        parts=parts, threads=threads, x=last(x), prepared=prepared,
        bias=None if b is None else pad_groups(b), onto=None if onto is None else last(onto),
        **f, relu=relu, blocks=-(-tiles_of(x, form, padding) // TILES) + more, groups=groups,
    )["y"]  # fmt: skip
    return y.transpose(0, 3, 1, 2)


def weight_gradient(form, x, dy, padding, *, splits=1, blocks=(1, 1), parts=1, threads=1):
    """The filters' and the bias's gradient, and the floats that no filter owns."""
    m, window = form
    f = fields(x, dy.shape[1], padding, form)
    wide = padded(dy.shape[1])
    size = wide * window**2 * x.shape[1]
    partials = run(
        WINOGRAD_WEIGHT_GRADIENT[window][m][0], {"partials": (splits, size + wide)}, parts=parts,
        threads=threads, x=last(x), dy=last(dy), **f, splits=splits,
        channel_blocks=blocks[0], filter_blocks=blocks[1], stride=size + wide, bias_at=size,
    )["partials"].sum(0)  # fmt: skip
    shape = (dy.shape[1], x.shape[1], window, window)
    unused = to_panels(np.ones(shape, np.float32)).reshape(-1) == 0
    if np.isfinite(x).all() and np.isfinite(dy).all():
        assert (partials[:size][unused] == 0).all(), "lanes without a filter must stay zero"
    return from_panels(partials[:size], shape), partials[size : size + dy.shape[1]]


@sides
@given(case=cases())
@settings(max_examples=60)
def test_forward_is_the_reference(form, case):
    x, w, b, padding = of(case, form)
    truth = conv2d(x, w, b, 1, padding)
    np.testing.assert_allclose(forward(form, x, w, b, padding), truth, rtol=1e-5, atol=2e-5)


@sides
@given(case=cases(), relu=st.booleans())
@settings(max_examples=40)
def test_what_it_is_laid_onto_is_added_to_every_output(form, case, relu):
    x, w, b, padding = of(case, form)
    plain = forward(form, x, w, b, padding)
    onto = np.random.default_rng(1).normal(size=plain.shape).astype(np.float32)
    found = forward(form, x, w, b, padding, onto=onto, relu=int(relu))
    whole = plain + onto
    np.testing.assert_array_equal(found, np.maximum(whole, 0) if relu else whole)


@sides
@given(case=cases())
@settings(max_examples=60)
def test_input_gradient_is_forward_with_turned_filters(form, case):
    x, w, _, padding = of(case, form)
    shape = size_of(x, form, padding)
    dy = np.random.default_rng(1).normal(size=(len(x), len(w), *shape)).astype(np.float32)
    dx = forward(form, dy, w, None, tuple(form[1] - 1 - p for p in padding), turned=True)
    truth = conv2d_backward(dy, x, w, 1, padding).images
    np.testing.assert_allclose(dx, truth, rtol=1e-5, atol=4e-5)


@sides
@given(
    case=cases(), splits=st.integers(1, 4), blocks=st.tuples(st.integers(1, 3), st.integers(1, 3))
)
@settings(max_examples=60)
def test_weight_and_bias_gradients_are_the_reference(form, case, splits, blocks):
    x, w, _, padding = of(case, form)
    shape = size_of(x, form, padding)
    dy = np.random.default_rng(1).normal(size=(len(x), len(w), *shape)).astype(np.float32)
    truth = conv2d_backward(dy, x, w, 1, padding)
    filters, bias = weight_gradient(form, x, dy, padding, splits=splits, blocks=blocks)
    scale = max(1, dy[:, 0].size) ** 0.5
    np.testing.assert_allclose(filters, truth.filters, rtol=1e-5, atol=2e-5 * scale)
    np.testing.assert_allclose(bias, truth.bias, rtol=1e-5, atol=1e-5 * scale)


@sides
@given(case=cases(), parts=st.integers(1, 7), groups=st.integers(1, 3), more=st.integers(0, 2))
@settings(max_examples=40)
def test_parts_threads_and_cuts_do_not_change_a_bit(form, case, parts, groups, more):
    x, w, b, padding = of(case, form)
    whole = forward(form, x, w, b, padding)
    cut = forward(form, x, w, b, padding, parts=parts, threads=3, groups=groups, more=more)
    np.testing.assert_array_equal(cut, whole)
    for turned in (False, True):
        np.testing.assert_array_equal(
            prepare(form, w, turned, parts=parts), prepare(form, w, turned)
        )


@sides
@given(case=cases(), parts=st.integers(1, 7))
@settings(max_examples=40)
def test_a_weight_gradient_depends_on_its_splits_alone(form, case, parts):
    x, w, _, padding = of(case, form)
    shape = size_of(x, form, padding)
    dy = np.random.default_rng(1).normal(size=(len(x), len(w), *shape)).astype(np.float32)
    whole = weight_gradient(form, x, dy, padding, splits=3)
    cut = weight_gradient(form, x, dy, padding, splits=3, blocks=(2, 3), parts=parts, threads=3)
    for a, b in zip(cut, whole, strict=True):
        np.testing.assert_array_equal(a, b)


@sides
@pytest.mark.parametrize("images", [1, 2, 7])
def test_an_image_does_not_depend_on_its_batch(form, images):
    generator = np.random.default_rng(0)
    x = generator.normal(size=(7, 17, 11, 6)).astype(np.float32)  # 18 tiles of side 2: blocks mix
    w = generator.normal(size=(20, 17, form[1], form[1])).astype(np.float32)
    whole = forward(form, x, w, None, (1, 1))
    np.testing.assert_array_equal(forward(form, x[-images:], w, None, (1, 1)), whole[-images:])


@sides
@given(case=cases())
@settings(max_examples=20)
def test_relu_is_done_on_the_way_out(form, case):
    x, w, b, padding = of(case, form)
    plain = forward(form, x, w, b, padding)
    np.testing.assert_array_equal(forward(form, x, w, b, padding, relu=1), np.maximum(plain, 0))


@given(seed=st.integers(0, 2**32), padding=st.integers(0, 2), channels=st.integers(1, 20))
@settings(max_examples=30)
def test_whole_numbers_are_exact_on_the_small_tile(seed, padding, channels):
    generator = np.random.default_rng(seed)
    x = generator.integers(-4, 5, (2, channels, 9, 6)).astype(np.float32)
    w = generator.integers(-4, 5, (18, channels, 3, 3)).astype(np.float32)
    b = np.arange(18, dtype=np.float32)
    y = conv2d(x, w, b, 1, padding)
    np.testing.assert_array_equal(forward((2, 3), x, w, b, (padding, padding)), y)
    dy = generator.integers(-4, 5, y.shape).astype(np.float32)
    truth = conv2d_backward(dy, x, w, 1, padding)
    filters, bias = weight_gradient((2, 3), x, dy, (padding, padding), splits=2)
    np.testing.assert_array_equal(filters, truth.filters)
    np.testing.assert_array_equal(bias, truth.bias)


@sides
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [(0, 0), (3, 4), (8, 8)])
def test_what_is_not_finite_stays_in_the_tiles_that_see_it_and_is_not_lost(form, value, place):
    (m, window), pad = form, form[1] // 2
    x = np.random.default_rng(0).normal(size=(2, 17, 9, 9)).astype(np.float32)
    w = np.random.default_rng(1).normal(size=(5, 17, window, window)).astype(np.float32)
    clean = forward(form, x, w, None, (pad, pad))
    x[1, 16, place[0], place[1]] = value
    y = forward(form, x, w, None, (pad, pad), relu=1 if np.isnan(value) else 0)
    clean = np.maximum(clean, 0) if np.isnan(value) else clean
    for i in range(9):
        for j in range(9):
            row, column = i // m * m - pad, j // m * m - pad  # its tile's first input
            windows = abs(i - place[0]) <= pad and abs(j - place[1]) <= pad
            side = m + window - 1
            tile = row <= place[0] < row + side and column <= place[1] < column + side
            if windows:
                assert not np.isfinite(y[1, :, i, j]).any()
            elif not tile:
                np.testing.assert_array_equal(y[1, :, i, j], clean[1, :, i, j])
    np.testing.assert_array_equal(y[0], clean[0])


@sides
@pytest.mark.parametrize("which", ["x", "dy"])
def test_a_nan_is_not_lost_in_the_weight_gradient(form, which):
    generator = np.random.default_rng(0)
    x = generator.normal(size=(3, 17, 8, 8)).astype(np.float32)
    dy = generator.normal(size=(3, 18, *size_of(x, form, (1, 1)))).astype(np.float32)
    {"x": x, "dy": dy}[which][1, 16, 3, 3] = np.nan
    filters, bias = weight_gradient(form, x, dy, (1, 1), splits=2)
    own = filters[:, 16] if which == "x" else filters[16]
    others = np.delete(filters, 16, axis=1 if which == "x" else 0)
    assert np.isnan(own).all()
    assert np.isfinite(others).all()
    assert np.isnan(bias).tolist() == [which == "dy" and f == 16 for f in range(18)]


# Largest error of any output in its standard deviation; the float64 truth is PyTorch's, as the
# reference would take minutes here.
@pytest.mark.parametrize("channels", [1, 16, 64, 192, 512])
@pytest.mark.parametrize(("form", "limit"), [((2, 3), 5e-6), ((4, 3), 2e-5), ((2, 5), 2e-5)])
def test_the_error_stays_below_what_the_design_allows(form, limit, channels):
    torch = pytest.importorskip("torch")
    assert f4_is_exact_enough(channels)
    pad = (form[1] // 2, form[1] // 2)
    generator = np.random.default_rng(channels)
    x = generator.normal(size=(1, channels, 19, 19)).astype(np.float32)
    w = generator.normal(size=(32, channels, form[1], form[1])).astype(np.float32)
    dy = generator.normal(size=(1, 32, 19, 19)).astype(np.float32)
    x64, w64 = (torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in (x, w))
    y64 = torch.nn.functional.conv2d(x64, w64, padding=form[1] // 2)
    y64.backward(torch.tensor(dy, dtype=torch.float64))
    filters, _ = weight_gradient(form, x, dy, pad)
    for got, truth in ((forward(form, x, w, None, pad), y64.detach()), (filters, w64.grad)):
        assert np.abs(got - truth.numpy()).max() / truth.numpy().std() < limit


def test_the_engines_cuts_run(every_instruction_set):
    """What winograd.py says about sizes, blocks and parts is what the kernels take."""
    layer = Layer(70, 40, 9, 9)
    generator = np.random.default_rng(0)
    x = generator.normal(size=(2, 70, 9, 9)).astype(np.float32)
    w = generator.normal(size=(40, 70, 3, 3)).astype(np.float32)
    m = choose_side(layer, every_instruction_set)
    assert m == 4
    blocks, groups, parts = forward_cut(m, 2, layer)
    assert (blocks, groups, parts) == (3, 2, 6)  # 18 tiles
    truth = conv2d(x, w, np.zeros(40), 1, 1)
    y = forward((m, 3), x, w, None, (1, 1), more=blocks - 1, groups=groups, parts=parts)
    np.testing.assert_allclose(y, truth, rtol=1e-5, atol=2e-5 * truth.std())
    cut = gradient_cut(m, 2, layer)
    assert (cut.splits, cut.channel_blocks, cut.filter_blocks, cut.parts) == (1, 2, 1, 2)
