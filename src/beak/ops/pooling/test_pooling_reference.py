"""Pooling's definition: PyTorch's values, ties to the first cell, padding that never counts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as st

from beak.errors import ShapeError
from beak.ops.pooling import reference
from beak.ops.pooling.reference import (
    avg_pool1d,
    avg_pool1d_backward,
    avg_pool2d,
    avg_pool2d_backward,
    global_avg_pool,
    global_avg_pool_backward,
    global_max_pool,
    global_max_pool_backward,
    max_pool1d,
    max_pool1d_backward,
    max_pool2d,
    max_pool2d_backward,
)
from beak.ops.test_reference_support import by_torch, numerical_gradient, run_doctests
from beak.shapes import padding_pairs, pair


def torch_pool(kind, window, stride, padding):
    """PyTorch's pooling over an image that is padded by hand, so that "same" can be lopsided."""

    def pool(images):
        sizes, steps = pair(window), pair(window if stride is None else stride)
        edges = padding_pairs(padding, images.shape[2:], sizes, steps, (1, 1))
        sides = (*edges[1], *edges[0])
        if kind == "max":
            return F.max_pool2d(F.pad(images, sides, value=-torch.inf), sizes, steps)
        real = F.avg_pool2d(F.pad(torch.ones_like(images), sides), sizes, steps)
        return F.avg_pool2d(F.pad(images, sides), sizes, steps) / real

    return pool


KINDS = {"max": (max_pool2d, max_pool2d_backward), "avg": (avg_pool2d, avg_pool2d_backward)}


@st.composite
def poolings(draw):
    small = st.integers(1, 4)
    window = draw(small | st.tuples(small, small))
    stride = draw(st.none() | st.integers(1, 3) | st.tuples(small, small))
    most = min(pair(window)) // 2
    padding = draw(st.sampled_from(["valid", "same"]) | st.integers(0, most))
    sizes = [w + draw(st.integers(0, 6)) for w in pair(window)]
    if padding == "same":
        sizes = [draw(st.integers(1, 7)) for _ in sizes]
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    images = rng.normal(size=(draw(st.integers(1, 3)), draw(st.integers(1, 3)), *sizes))
    if draw(st.booleans()):
        images = np.round(images)  # many ties
    return images, window, stride, padding


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=None)
@given(case=poolings())
def test_values_and_gradients_are_pytorchs(kind, case):
    images, *options = case
    forward, backward = KINDS[kind]
    output = forward(images, *options)
    gradient = np.random.default_rng(0).normal(size=output.shape)
    wanted, gradients = by_torch(torch_pool(kind, *options), gradient, images)
    np.testing.assert_allclose(output, wanted, atol=1e-12)
    np.testing.assert_allclose(backward(gradient, images, *options), gradients[0], atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [(2, None, "valid"), (3, 2, 1), ((2, 3), 1, "same")])
def test_gradients_by_small_steps(kind, options):
    forward, backward = KINDS[kind]
    rng = np.random.default_rng(3)
    images = rng.permutation(70).reshape(1, 2, 5, 7) / 7.0  # no ties
    gradient = rng.normal(size=forward(images, *options).shape)
    slopes = numerical_gradient(lambda x: (forward(x, *options) * gradient).sum(), images)
    np.testing.assert_allclose(backward(gradient, images, *options), slopes, atol=1e-7)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [(0, 0), (1, 1), (2, 3)])
@pytest.mark.parametrize("kind", KINDS)
def test_nan_and_infinity_pass_as_in_pytorch(kind, bad, place):
    images = np.random.default_rng(5).normal(size=(1, 2, 4, 4))
    images[0, 1][place] = bad
    forward, backward = KINDS[kind]
    output = forward(images)
    gradient = np.arange(1.0, 9.0).reshape(output.shape)
    wanted, gradients = by_torch(torch_pool(kind, 2, None, "valid"), gradient, images)
    np.testing.assert_array_equal(output, wanted)
    np.testing.assert_array_equal(backward(gradient, images), gradients[0])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 99), st.integers(1, 3), st.integers(0, 1))
def test_of_several_nans_the_last_gets_the_gradient_as_in_pytorch(seed, stride, padding):
    rng = np.random.default_rng(seed)
    images = rng.choice([np.nan, np.inf, -np.inf, 1.0, 2.0], (2, 3, 6, 7))
    options = (3, stride, padding)
    output = max_pool2d(images, *options)
    gradient = rng.normal(size=output.shape)
    wanted, gradients = by_torch(lambda x: F.max_pool2d(x, *options), gradient, images)
    np.testing.assert_array_equal(output, wanted)
    np.testing.assert_allclose(max_pool2d_backward(gradient, images, *options), gradients[0])


def test_of_several_nans_of_a_map_the_last_gets_the_gradient_as_in_pytorch():
    maps = np.random.default_rng(0).choice([np.nan, np.inf, 1.0], (4, 5, 3, 4))
    gradient = np.random.default_rng(1).normal(size=maps.shape[:2])
    wanted, gradients = by_torch(lambda x: F.adaptive_max_pool2d(x, 1).flatten(1), gradient, maps)
    np.testing.assert_array_equal(global_max_pool(maps), wanted)
    np.testing.assert_array_equal(global_max_pool_backward(gradient, maps), gradients[0])


def test_a_tie_gives_the_whole_gradient_to_the_first_cell():
    flat = max_pool2d_backward(np.array([[[[7.0]]]]), np.zeros((1, 1, 3, 3)), window=3)
    assert flat.ravel().tolist() == [7, 0, 0, 0, 0, 0, 0, 0, 0]
    assert global_max_pool_backward(np.array([[7.0]]), np.zeros((1, 1, 2, 2))).ravel()[0] == 7


def test_padding_never_wins_not_even_against_minus_infinity():
    lowest = np.full((1, 1, 2, 2), -np.inf)
    negative = np.full((1, 1, 2, 2), -5.0)
    assert max_pool2d(negative, window=3, stride=2, padding=1).tolist() == [[[[-5]]]]
    assert max_pool2d(lowest, window=3, stride=2, padding=1).tolist() == [[[[-np.inf]]]]
    back = max_pool2d_backward(np.ones((1, 1, 1, 1)), lowest, window=3, stride=2, padding=1)
    assert back.ravel().tolist() == [1, 0, 0, 0]


def test_padding_never_counts_in_an_average():
    assert (avg_pool2d(np.full((1, 1, 3, 3), 4.0), 3, 1, "same") == 4).all()


def test_pooling_floors_so_11_becomes_5_and_the_last_row_gets_no_gradient():
    images = np.random.default_rng(0).normal(size=(1, 1, 11, 11))
    assert max_pool2d(images).shape == (1, 1, 5, 5)
    back = avg_pool2d_backward(np.ones((1, 1, 5, 5)), images)
    assert (back[..., 10, :] == 0).all()
    assert (back[..., :10, :10] == 0.25).all()


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (2, 3, 7), (1, 1, 1, 1)])
def test_global_pools_are_pytorchs(shape):
    maps = np.random.default_rng(0).normal(size=shape)
    gradient = np.random.default_rng(1).normal(size=shape[:2])
    value, slopes = by_torch(lambda x: x.flatten(2).amax(2), gradient, maps)
    np.testing.assert_array_equal(global_max_pool(maps), value)
    np.testing.assert_array_equal(global_max_pool_backward(gradient, maps), slopes[0])
    value, slopes = by_torch(lambda x: x.flatten(2).mean(2), gradient, maps)
    np.testing.assert_allclose(global_avg_pool(maps), value)
    np.testing.assert_allclose(global_avg_pool_backward(gradient, maps), slopes[0])


@pytest.mark.parametrize(
    ("forward", "backward"),
    [(global_max_pool, global_max_pool_backward), (global_avg_pool, global_avg_pool_backward)],
)
def test_global_gradients_by_small_steps(forward, backward):
    maps = np.random.default_rng(0).permutation(24).reshape(2, 3, 2, 2) / 3.0
    gradient = np.random.default_rng(1).normal(size=(2, 3))
    slopes = numerical_gradient(lambda x: (forward(x) * gradient).sum(), maps)
    np.testing.assert_allclose(backward(gradient, maps), slopes, atol=1e-7)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 4), st.none() | st.integers(1, 3), st.integers(0, 5))
def test_along_a_sequence_it_is_pytorchs_too(window, stride, extra):
    rng = np.random.default_rng(extra)
    sequences, padding = rng.normal(size=(2, 3, window + extra)), window // 2
    options = (window, stride, padding)
    output = max_pool1d(sequences, *options)
    gradient = rng.normal(size=output.shape)
    value, slopes = by_torch(lambda x: F.max_pool1d(x, *options), gradient, sequences)
    np.testing.assert_array_equal(output, value)
    np.testing.assert_allclose(max_pool1d_backward(gradient, sequences, *options), slopes[0])

    def average(x):
        return F.avg_pool1d(x, *options, count_include_pad=False)

    value, slopes = by_torch(average, gradient, sequences)
    np.testing.assert_allclose(avg_pool1d(sequences, *options), value)
    np.testing.assert_allclose(avg_pool1d_backward(gradient, sequences, *options), slopes[0])


def test_what_does_not_fit_is_said():
    with pytest.raises(ShapeError, match="window of 3x3 does not fit in 2x5"):
        max_pool2d(np.zeros((1, 1, 2, 5)), window=3)
    with pytest.raises(ShapeError, match="lies in the padding alone"):
        avg_pool2d(np.zeros((1, 1, 2, 2)), window=2, padding=2)
    with pytest.raises(ShapeError, match="lies in the padding alone"):
        max_pool2d(np.zeros((1, 1, 2, 2)), window=2, padding=2)


def test_the_examples_in_the_docstrings_hold():
    assert run_doctests(reference) >= 3
