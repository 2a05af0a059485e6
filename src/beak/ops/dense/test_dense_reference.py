"""The dense layer's definition against PyTorch and against small steps."""

from __future__ import annotations

import numpy as np
import pytest
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as st

from beak.errors import ShapeError
from beak.ops.dense import reference
from beak.ops.dense.reference import dense, dense_backward
from beak.ops.test_reference_support import by_torch, numerical_gradient, run_doctests


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 5), st.integers(1, 9), st.integers(1, 9), st.booleans())
def test_values_and_gradients_are_pytorchs(batch, features, units, broken):
    rng = np.random.default_rng(batch)
    x, weight, bias = (rng.normal(size=s) for s in ((batch, features), (units, features), (units,)))
    if broken:
        x[0, 0] = np.nan
    gradient = rng.normal(size=(batch, units))
    value, slopes = by_torch(F.linear, gradient, x, weight, bias)
    np.testing.assert_allclose(dense(x, weight, bias), value, atol=1e-12)
    for ours, theirs in zip(dense_backward(gradient, x, weight), slopes, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_gradients_by_small_steps():
    rng = np.random.default_rng(0)
    x, weight, gradient = rng.normal(size=(3, 4)), rng.normal(size=(2, 4)), rng.normal(size=(3, 2))
    got = dense_backward(gradient, x, weight)
    by_x = numerical_gradient(lambda v: (dense(v, weight) * gradient).sum(), x)
    by_weight = numerical_gradient(lambda v: (dense(x, v) * gradient).sum(), weight)
    np.testing.assert_allclose(got.features, by_x, atol=1e-8)
    np.testing.assert_allclose(got.weight, by_weight, atol=1e-8)


def test_what_does_not_fit_is_said():
    with pytest.raises(ShapeError, match=r"read 4 features but \(3, 5\) came"):
        dense(np.zeros((3, 5)), np.zeros((2, 4)))


def test_the_examples_in_the_docstrings_hold():
    assert run_doctests(reference) >= 1
