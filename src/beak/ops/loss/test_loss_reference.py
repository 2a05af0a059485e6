"""Cross-entropy against torch.nn.CrossEntropyLoss, smoothing and class weights included."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from beak.errors import ShapeError
from beak.ops.loss import reference
from beak.ops.loss.reference import cross_entropy, log_softmax
from beak.ops.test_reference_support import numerical_gradient, run_doctests


def by_pytorch(logits, labels, smoothing, weights):
    tensor = torch.tensor(logits, requires_grad=True)
    given_weights = None if weights is None else torch.tensor(weights)
    criterion = torch.nn.CrossEntropyLoss(given_weights, label_smoothing=smoothing)
    loss = criterion(tensor, torch.tensor(labels))
    loss.backward()
    return loss.item(), tensor.grad.numpy()


@settings(max_examples=80, deadline=None)
@given(
    st.integers(1, 6),
    st.integers(2, 7),
    st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    st.booleans(),
    st.sampled_from([1.0, 100.0]),
    st.integers(0, 2**32),
)
def test_loss_and_gradient_are_pytorchs(batch, classes, smoothing, weighted, scale, seed):
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, scale, size=(batch, classes))
    labels = rng.integers(0, classes, size=batch)
    weights = rng.uniform(0.1, 4, size=classes) if weighted else None
    loss, gradient = by_pytorch(logits, labels, smoothing, weights)
    got = cross_entropy(logits, labels, smoothing, weights)
    assert got.loss == pytest.approx(loss, rel=1e-10, abs=1e-12)
    np.testing.assert_allclose(got.gradient, gradient, atol=1e-12)


def test_the_weighted_mean_is_divided_by_the_sum_of_weights():
    logits, labels, weights = np.array([[1.0, 0], [0, 2]]), np.array([0, 1]), (1.0, 3.0)
    alone = [cross_entropy(logits[[i]], labels[[i]]).loss for i in (0, 1)]
    together = cross_entropy(logits, labels, class_weights=weights).loss
    assert together == pytest.approx((1 * alone[0] + 3 * alone[1]) / 4)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_gradients_by_small_steps(smoothing):
    logits, labels = np.random.default_rng(0).normal(size=(3, 4)), np.array([1, 3, 3])
    weights = (0.5, 1.0, 2.0, 3.0)
    slopes = numerical_gradient(lambda x: cross_entropy(x, labels, smoothing, weights).loss, logits)
    got = cross_entropy(logits, labels, smoothing, weights).gradient
    np.testing.assert_allclose(got, slopes, atol=1e-8)


def test_huge_logits_lose_nothing():
    assert cross_entropy(np.array([[1e5, 0.0]]), np.array([1])).loss == 1e5
    assert log_softmax(np.array([[0.0, -1e4]]))[0, 1] == -1e4


def test_nan_stays_nan_and_a_class_ruled_out_costs_nothing():
    assert np.isnan(cross_entropy(np.array([[np.nan, 0.0]]), np.array([1])).loss)
    ruled_out = cross_entropy(np.array([[0.0, 0.0, -np.inf]]), np.array([1]))
    assert ruled_out.loss == pytest.approx(np.log(2))
    assert np.isposinf(cross_entropy(np.array([[0.0, -np.inf]]), np.array([1])).loss)


def test_a_batch_of_weight_zero_changes_nothing():
    got = cross_entropy(np.array([[1.0, 2.0]]), np.array([0]), class_weights=(0.0, 1.0))
    assert got.loss == 0
    assert (got.gradient == 0).all()


def test_right_answers_are_counted_and_a_tie_goes_to_the_first_class():
    logits = np.array([[1.0, 1.0], [1.0, 1.0], [0.0, 2.0]])
    assert cross_entropy(logits, np.array([0, 1, 1])).correct == 2


def test_what_does_not_fit_is_said():
    with pytest.raises(ShapeError, match="label 3 for a network of 3 classes"):
        cross_entropy(np.zeros((1, 3)), np.array([3]))
    with pytest.raises(ShapeError, match="it wants"):
        cross_entropy(np.zeros((2, 3)), np.array([0]))
    with pytest.raises(ShapeError, match="2 class weights for 3 classes"):
        cross_entropy(np.zeros((1, 3)), np.array([0]), class_weights=(1.0, 2.0))


def test_the_examples_in_the_docstrings_hold():
    assert run_doctests(reference) >= 1
