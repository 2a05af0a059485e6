"""BatchNorm and LayerNorm against PyTorch and against small steps."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as st

from beak.ops.normalisation import reference
from beak.ops.normalisation.reference import (
    batch_norm,
    batch_norm_backward,
    batch_norm_training_backward,
    batch_statistics,
    layer_norm,
    layer_norm_backward,
    updated_running_statistics,
)
from beak.ops.test_reference_support import by_torch, numerical_gradient, run_doctests

shapes = st.sampled_from([(2, 3), (5, 1), (1, 2, 3), (3, 4, 5), (2, 3, 1, 1), (1, 2, 3, 5)])


def arrays(shape, seed):
    rng = np.random.default_rng(seed)
    weight, bias = rng.normal(size=(2, shape[1]))
    return rng.normal(2.0, 3.0, size=shape), weight, bias, rng.normal(size=shape)


def in_training(x, weight, bias, epsilon=1e-5):
    return batch_norm(x, weight, bias, *batch_statistics(x), epsilon)


@settings(max_examples=40, deadline=None)
@given(shapes, st.integers(0, 2**32), st.sampled_from([1e-5, 1e-2]))
def test_batch_norm_in_training_is_pytorchs(shape, seed, epsilon):
    x, weight, bias, gradient = arrays(shape, seed)
    mean, variance = torch.zeros(shape[1]).double(), torch.ones(shape[1]).double()

    def function(x, weight, bias):
        return F.batch_norm(x, mean, variance, weight, bias, True, 0.1, epsilon)

    value, slopes = by_torch(function, gradient, x, weight, bias)
    np.testing.assert_allclose(in_training(x, weight, bias, epsilon), value, atol=1e-9)
    for ours, theirs in zip(
        batch_norm_training_backward(gradient, x, weight, epsilon), slopes, strict=True
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-8)
    running = updated_running_statistics(np.zeros(shape[1]), np.ones(shape[1]), x)
    np.testing.assert_allclose(running[0], mean, atol=1e-12)  # unbiased into the running one
    np.testing.assert_allclose(running[1], variance, atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(shapes, st.integers(0, 2**32))
def test_batch_norm_in_prediction_is_pytorchs(shape, seed):
    x, weight, bias, gradient = arrays(shape, seed)
    mean, variance = np.arange(shape[1]) - 1.0, np.arange(shape[1]) + 0.5

    def function(x, weight, bias):
        kept = torch.tensor(mean), torch.tensor(variance)
        return F.batch_norm(x, *kept, weight, bias, False, 0.1, 1e-5)

    value, slopes = by_torch(function, gradient, x, weight, bias)
    np.testing.assert_allclose(batch_norm(x, weight, bias, mean, variance), value, atol=1e-10)
    got = batch_norm_backward(gradient, x, weight, mean, variance)
    for ours, theirs in zip(got, slopes, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(shapes, st.integers(0, 2**32), st.sampled_from([1e-5, 1e-2]))
def test_layer_norm_over_channels_is_pytorchs(shape, seed, epsilon):
    x, weight, bias, gradient = arrays(shape, seed)

    def function(x, weight, bias):
        last = x.movedim(1, -1)
        return F.layer_norm(last, (shape[1],), weight, bias, epsilon).movedim(-1, 1)

    value, slopes = by_torch(function, gradient, x, weight, bias)
    np.testing.assert_allclose(layer_norm(x, weight, bias, epsilon), value, atol=1e-9)
    got = layer_norm_backward(gradient, x, weight, epsilon)
    for ours, theirs in zip(got, slopes, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-8)


@pytest.mark.parametrize(
    ("forward", "backward"),
    [(in_training, batch_norm_training_backward), (layer_norm, layer_norm_backward)],
)
def test_gradients_by_small_steps(forward, backward):
    x, weight, bias, gradient = arrays((2, 3, 2, 2), 4)
    got = backward(gradient, x, weight)
    by_x = numerical_gradient(lambda v: (forward(v, weight, bias) * gradient).sum(), x)
    by_weight = numerical_gradient(lambda v: (forward(x, v, bias) * gradient).sum(), weight)
    by_bias = numerical_gradient(lambda v: (forward(x, weight, v) * gradient).sum(), bias)
    np.testing.assert_allclose(got.inputs, by_x, atol=1e-6)
    np.testing.assert_allclose(got.weight, by_weight, atol=1e-6)
    np.testing.assert_allclose(got.bias, by_bias, atol=1e-6)


def test_a_nan_spoils_its_channel_in_batch_norm_and_its_place_in_layer_norm():
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    x[1, 2, 3] = np.nan
    one, zero = np.ones(3), np.zeros(3)
    spoiled = np.isnan(in_training(x, one, zero))
    assert spoiled[:, 2].all()
    assert not spoiled[:, :2].any()
    spoiled = np.isnan(layer_norm(x, one, zero))
    assert spoiled[1, :, 3].all()
    assert spoiled.sum() == 3


def test_a_single_value_leaves_the_running_variance_alone():
    mean, variance = updated_running_statistics(np.zeros(2), np.full(2, 7.0), np.array([[1.0, 2]]))
    np.testing.assert_allclose(mean, [0.1, 0.2])
    np.testing.assert_allclose(variance, [7, 7])


def test_the_examples_in_the_docstrings_hold():
    assert run_doctests(reference) >= 3
