"""The embedding's definition against PyTorch and against small steps."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as st

from beak.errors import ShapeError
from beak.ops.embedding import reference
from beak.ops.embedding.reference import embedding, embedding_backward, touched_rows
from beak.ops.test_reference_support import by_torch, numerical_gradient, run_doctests


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6), st.integers(1, 4), st.integers(1, 7), st.booleans(), st.integers(0, 99))
def test_values_and_gradients_are_pytorchs(count, dimensions, length, padded, seed):
    rng = np.random.default_rng(seed)
    words = rng.integers(0, count, size=(2, length)).astype(np.int32)
    vectors, gradient = (
        rng.normal(size=(count, dimensions)),
        rng.normal(size=(2, dimensions, length)),
    )
    padding = 0 if padded else None

    def function(table):
        found = F.embedding(torch.tensor(words), table, padding_idx=padding)
        return found.movedim(-1, 1)

    value, slopes = by_torch(function, gradient, vectors)
    np.testing.assert_array_equal(embedding(words, vectors), value)
    got = embedding_backward(gradient, words, vectors, padding)
    np.testing.assert_allclose(got, slopes[0], atol=1e-12)


def test_gradients_by_small_steps():
    rng = np.random.default_rng(0)
    words, vectors = np.array([[0, 2, 2]]), rng.normal(size=(4, 2))
    gradient = rng.normal(size=(1, 2, 3))
    slopes = numerical_gradient(lambda v: (embedding(words, v) * gradient).sum(), vectors)
    np.testing.assert_allclose(embedding_backward(gradient, words, vectors), slopes, atol=1e-8)
    assert (slopes[[1, 3]] == 0).all()


def test_only_the_words_of_the_batch_touch_rows_and_padding_touches_none():
    words = np.array([[3, 1], [1, 0]])
    assert touched_rows(words, 5).tolist() == [True, True, False, True, False]
    assert touched_rows(words, 5, padding_index=0).tolist() == [False, True, False, True, False]


@pytest.mark.parametrize("wrong", [-1, 5])
def test_a_number_outside_the_table_is_said(wrong):
    with pytest.raises(ShapeError, match=f"word number {wrong} is outside the table of 5"):
        embedding(np.array([[0, wrong]]), np.zeros((5, 2)))


def test_the_examples_in_the_docstrings_hold():
    assert run_doctests(reference) >= 2
