"""Cross-entropy against PyTorch in float64, on every instruction set."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from beak.ops.loss import reference
from beak.ops.loss.kernels import CROSS_ENTROPY, LABEL_WEIGHTS
from beak.ops.test_support import run

pytestmark = pytest.mark.usefixtures("every_instruction_set")


def cross_entropy(
    logits, labels, weights=None, smoothing=0.0, gradient=True, alias=False, **options
):
    rows, classes = logits.shape
    total = run(
        LABEL_WEIGHTS[0],
        {"total": ((1,), np.float64)},
        labels=labels, class_weights=weights, rows=rows, **options,
    )["total"]  # fmt: skip
    out = {"losses": ((rows,), np.float64), "correct": ((rows,), np.uint8)}
    if gradient:
        out["dlogits"] = "logits" if alias else logits.shape
    else:
        options["dlogits"] = None
    found = run(
        CROSS_ENTROPY[0], out,
        logits=logits, labels=labels, class_weights=weights, total=total,
        rows=rows, classes=classes, smoothing=smoothing, **options,
    )  # fmt: skip
    return found, total[0]


def torch_cross_entropy(logits, labels, weights, smoothing):
    t = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
    loss = torch.nn.functional.cross_entropy(
        t,
        torch.tensor(labels, dtype=torch.int64),
        None if weights is None else torch.tensor(weights, dtype=torch.float64),
        label_smoothing=smoothing,
    )
    loss.backward()
    return loss.item(), t.grad.numpy()


@given(
    rows=st.integers(1, 20),
    classes=st.integers(1, 40),
    weighted=st.booleans(),
    smoothing=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    spread=st.sampled_from([0.1, 2.0, 30.0]),
    parts=st.integers(1, 5),
    alias=st.booleans(),
    seed=st.integers(0, 99),
)
def test_loss_and_gradient_are_pytorchs(
    rows, classes, weighted, smoothing, spread, parts, alias, seed
):
    rng = np.random.default_rng(seed)
    logits = (spread * rng.normal(size=(rows, classes)) + 7).astype(np.float32)
    labels = rng.integers(0, classes, rows).astype(np.int32)
    weights = rng.uniform(0.1, 3, classes).astype(np.float32) if weighted else None
    loss, gradient = torch_cross_entropy(logits, labels, weights, smoothing)
    found, total = cross_entropy(
        logits, labels, weights, smoothing, parts=parts, threads=2, alias=alias
    )
    assert found["losses"].sum() / total == pytest.approx(loss, rel=2e-6, abs=1e-7)
    np.testing.assert_allclose(found["dlogits"], gradient, rtol=1e-5, atol=3e-7)
    np.testing.assert_array_equal(found["correct"], logits.argmax(1) == labels)
    alone, _ = cross_entropy(logits, labels, weights, smoothing, gradient=False)
    np.testing.assert_array_equal(alone["losses"], found["losses"])


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_infinite_and_nan_logits_as_in_pytorch(smoothing):
    inf, nan = np.inf, np.nan
    rows = [
        [1, 2, inf],
        [1, -inf, 2],
        [-inf, 1, 2],
        [nan, 1, 2],
        [-inf, -inf, -inf],
        [3e38, 0, -3e38],
    ]
    for row in rows:
        logits, labels = np.array([row], np.float32), np.zeros(1, np.int32)
        loss, gradient = torch_cross_entropy(logits, labels, None, smoothing)
        found, _ = cross_entropy(logits, labels, None, smoothing)
        np.testing.assert_allclose(found["losses"], [loss], rtol=1e-6)
        np.testing.assert_allclose(found["dlogits"], gradient, rtol=1e-5, atol=1e-7)


def test_classes_of_weight_zero_count_nothing_even_at_infinity():
    logits = np.array([[-np.inf, 1, 2], [0.5, -np.inf, 3]], np.float32)
    labels, weights = np.array([0, 2], np.int32), np.array([0, 0, 2], np.float32)
    for smoothing in (0.0, 0.1):
        loss, gradient, _ = reference.cross_entropy(logits, labels, smoothing, weights)
        found, total = cross_entropy(logits, labels, weights, smoothing)
        assert found["losses"].sum() / total == pytest.approx(loss, rel=1e-6)
        np.testing.assert_allclose(found["dlogits"], gradient, rtol=1e-6, atol=1e-7)


def test_a_batch_of_weight_zero_has_no_gradient():
    logits, labels = np.array([[1, 2, 3]], np.float32), np.zeros(1, np.int32)
    found, total = cross_entropy(logits, labels, np.array([0, 1, 1], np.float32), 0.1)
    assert total == 0
    np.testing.assert_array_equal(found["dlogits"], np.zeros((1, 3)))


def test_a_small_loss_keeps_its_digits():
    logits = np.array([[0, -20, -21]], np.float32)
    found, _ = cross_entropy(logits, np.zeros(1, np.int32))
    exact = np.log1p(np.exp(-20.0) + np.exp(-21.0))
    assert found["losses"][0] == pytest.approx(exact, rel=1e-6)


def test_the_first_of_equal_logits_is_the_answer_and_nan_is_above_all():
    logits = np.array([[1, 3, 3], [1, 3, 3], [2, np.nan, 9], [2, np.nan, 9]], np.float32)
    labels = np.array([1, 2, 1, 2], np.int32)
    found, _ = cross_entropy(logits, labels)
    np.testing.assert_array_equal(found["correct"], [1, 0, 1, 0])


def test_a_label_outside_the_classes_is_nan_and_touches_no_memory():
    logits = np.zeros((3, 4), np.float32)
    labels = np.array([4, -1, 2], np.int32)
    found, _ = cross_entropy(logits, labels)
    assert np.isnan(found["losses"]).tolist() == [True, True, False]
    assert np.isnan(found["dlogits"]).all(1).tolist() == [True, True, False]


def test_an_examples_loss_does_not_hang_on_the_others():
    rng = np.random.default_rng(3)
    logits = rng.normal(size=(9, 13)).astype(np.float32)
    labels = rng.integers(0, 13, 9).astype(np.int32)
    together, _ = cross_entropy(logits, labels, smoothing=0.1, parts=2)
    for i in range(9):
        alone, _ = cross_entropy(logits[i : i + 1], labels[i : i + 1], smoothing=0.1)
        assert alone["losses"][0] == together["losses"][i]
