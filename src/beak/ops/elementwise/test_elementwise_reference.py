"""Adding, multiplying, joining and place biases against PyTorch and against small steps."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from beak.ops.elementwise import reference
from beak.ops.elementwise.reference import (
    add,
    concat,
    concat_backward,
    multiply,
    multiply_backward,
    position_bias,
    position_bias_backward,
)
from beak.ops.test_reference_support import by_torch, numerical_gradient, run_doctests

sizes = st.integers(1, 4)


@settings(max_examples=30, deadline=None)
@given(sizes, sizes, sizes, st.integers(2, 4), st.booleans())
def test_multiply_is_pytorchs_zeros_included(batch, channels, width, count, spread):
    rng = np.random.default_rng(count)
    inputs = [np.round(rng.normal(size=(batch, channels, 2, width))) for _ in range(count)]
    if spread:
        inputs[-1] = rng.normal(size=(batch, channels))  # squeeze and excite
    gradient = rng.normal(size=inputs[0].shape)

    def function(*tensors):
        wide = [t if t.ndim == 4 else t[:, :, None, None] for t in tensors]
        return torch.stack(torch.broadcast_tensors(*wide)).prod(0)

    value, slopes = by_torch(function, gradient, *inputs)
    np.testing.assert_allclose(multiply(inputs), value, atol=1e-12)
    for ours, theirs in zip(multiply_backward(gradient, inputs), slopes, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)


@settings(max_examples=20, deadline=None)
@given(sizes, st.lists(sizes, min_size=2, max_size=4))
def test_concat_is_pytorchs(batch, channels):
    rng = np.random.default_rng(batch)
    inputs = [rng.normal(size=(batch, c, 3)) for c in channels]
    gradient = rng.normal(size=(batch, sum(channels), 3))
    value, slopes = by_torch(lambda *t: torch.cat(t, 1), gradient, *inputs)
    np.testing.assert_array_equal(concat(inputs), value)
    for ours, theirs in zip(concat_backward(gradient, inputs), slopes, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_adding_three_maps_adds_three_maps():
    maps = np.random.default_rng(0).normal(size=(3, 2, 4, 5, 6))
    np.testing.assert_allclose(add(list(maps)), maps.sum(0))


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (2, 3, 4), (2, 6)])
def test_a_place_bias_is_shared_by_channels(shape):
    places = shape[2:] if len(shape) > 2 else shape[1:]
    rng = np.random.default_rng(0)
    inputs, bias, gradient = rng.normal(size=shape), rng.normal(size=places), rng.normal(size=shape)
    value, slopes = by_torch(lambda x, b: x + b, gradient, inputs, bias)
    np.testing.assert_array_equal(position_bias(inputs, bias), value)
    np.testing.assert_allclose(position_bias_backward(gradient, bias), slopes[1])


def test_gradients_by_small_steps():
    rng = np.random.default_rng(1)
    maps, scales, bias = rng.normal(size=(2, 2, 2, 3)), rng.normal(size=(2, 2)), np.ones((2, 3))
    gradient = rng.normal(size=maps.shape)
    got = multiply_backward(gradient, [maps, scales])
    by_maps = numerical_gradient(lambda x: (multiply([x, scales]) * gradient).sum(), maps)
    by_scales = numerical_gradient(lambda x: (multiply([maps, x]) * gradient).sum(), scales)
    np.testing.assert_allclose(got[0], by_maps, atol=1e-8)
    np.testing.assert_allclose(got[1], by_scales, atol=1e-8)
    by_bias = numerical_gradient(lambda b: (position_bias(maps, b) * gradient).sum(), bias)
    np.testing.assert_allclose(position_bias_backward(gradient, bias), by_bias, atol=1e-8)
    joined = rng.normal(size=(2, 4, 2, 3))
    by_first = numerical_gradient(lambda x: (concat([x, maps]) * joined).sum(), maps)
    np.testing.assert_allclose(concat_backward(joined, [maps, maps])[0], by_first, atol=1e-8)


def test_the_examples_in_the_docstrings_hold():
    assert run_doctests(reference) >= 3
