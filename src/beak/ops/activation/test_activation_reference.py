"""Every activation against PyTorch, at its corners and far out, and against small steps."""

from __future__ import annotations

import numpy as np
import pytest
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as st

from beak.errors import NetworkError
from beak.ops.activation import reference
from beak.ops.activation.reference import ACTIVATIONS, activation, activation_backward
from beak.ops.test_reference_support import by_torch, numerical_gradient, run_doctests

TORCH = {
    "relu": F.relu,
    "leaky_relu": lambda x: F.leaky_relu(x, 0.01),
    "gelu": F.gelu,
    "silu": F.silu,
    "hard_swish": F.hardswish,
    "tanh": F.tanh,
    "sigmoid": F.sigmoid,
    "softmax": lambda x: F.softmax(x, dim=1),
}
CORNERS = [0.0, -0.0, 3.0, -3.0, 1e-300, 30.0, -30.0, 800.0, -800.0]


def test_the_list_is_complete():
    assert set(TORCH) == set(ACTIVATIONS)


@pytest.mark.parametrize("name", TORCH)
@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(CORNERS) | st.floats(-12, 12), min_size=12, max_size=12))
def test_values_and_gradients_are_pytorchs(name, numbers):
    x = np.array(numbers).reshape(2, 3, 2)
    gradient = np.random.default_rng(0).normal(size=x.shape)
    value, slopes = by_torch(TORCH[name], gradient, x)
    np.testing.assert_allclose(activation(name, x), value, rtol=1e-10, atol=1e-14)
    got = activation_backward(name, gradient, x)
    np.testing.assert_allclose(got, slopes[0], rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", TORCH)
def test_nan_and_infinity_pass_as_in_pytorch(name, bad):
    x = np.array([[bad, 1.0], [-2.0, 0.5]])
    value, slopes = by_torch(TORCH[name], np.ones((2, 2)), x)
    np.testing.assert_allclose(activation(name, x), value)
    np.testing.assert_allclose(activation_backward(name, np.ones((2, 2)), x), slopes[0])


@pytest.mark.parametrize("name", TORCH)
def test_gradients_by_small_steps(name):
    rng = np.random.default_rng(2)
    x, gradient = rng.normal(0, 2, size=(2, 2, 3, 4))
    slopes = numerical_gradient(lambda v: (activation(name, v) * gradient).sum(), x)
    np.testing.assert_allclose(activation_backward(name, gradient, x), slopes, atol=1e-7)


def test_softmax_sums_to_one_over_the_channels_of_each_place():
    x = np.random.default_rng(0).normal(0, 300, size=(2, 5, 3, 3))
    np.testing.assert_allclose(activation("softmax", x).sum(axis=1), 1)


def test_an_unknown_name_gets_the_nearest_one():
    with pytest.raises(NetworkError, match="did you mean 'leaky_relu'"):
        activation("leaky-relu", np.zeros(1))


def test_the_examples_in_the_docstrings_hold():
    assert run_doctests(reference) >= 2
