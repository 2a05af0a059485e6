"""The embedding kernels against NumPy, on every instruction set."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beak.ops.embedding import reference
from beak.ops.embedding.kernels import EMBEDDING_BACKWARD, EMBEDDING_FORWARD
from beak.ops.test_support import run

pytestmark = pytest.mark.usefixtures("every_instruction_set")


@given(
    images=st.integers(0, 4),
    length=st.integers(1, 12),
    vocabulary=st.integers(1, 9),
    dimensions=st.integers(1, 40),
    padding=st.integers(-1, 8),
    stray=st.booleans(),
    parts=st.integers(1, 6),
    seed=st.integers(0, 99),
)
def test_vectors_of_words_and_their_gradients(
    images, length, vocabulary, dimensions, padding, stray, parts, seed
):
    rng = np.random.default_rng(seed)
    low, high = (-2, vocabulary + 2) if stray else (0, vocabulary)
    words = rng.integers(low, high, (images, length)).astype(np.int32)
    weight = rng.normal(size=(vocabulary, dimensions)).astype(np.float32)
    dy = rng.normal(size=(images, length, dimensions)).astype(np.float32)
    # what the vocabulary does not have is as the padding: a row that the reference has behind it
    known = np.where((words >= 0) & (words < vocabulary) & (words != padding), words, vocabulary)
    table = np.concatenate([weight, np.zeros((1, dimensions), np.float32)])
    expected = reference.embedding(known, table).transpose(0, 2, 1)
    dweight = reference.embedding_backward(dy.transpose(0, 2, 1), known, table)[:vocabulary]
    touched = reference.touched_rows(known, vocabulary + 1)[:vocabulary]
    sizes = {
        "images": images, "length": length, "vocabulary": vocabulary, "dimensions": dimensions,
        "padding": padding, "parts": parts, "threads": 2,
    }  # fmt: skip
    y = run(EMBEDDING_FORWARD[0], {"y": dy.shape}, words=words, weight=weight, **sizes)["y"]
    np.testing.assert_array_equal(y, expected)
    out = {"dweight": weight.shape, "touched": ((vocabulary,), np.uint8)}
    back = run(EMBEDDING_BACKWARD[0], out, words=words, dy=dy, **sizes)
    np.testing.assert_allclose(back["dweight"], dweight, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(back["touched"], touched)


def test_the_sum_over_a_words_places_is_the_same_to_the_bit_in_any_parts():
    rng = np.random.default_rng(1)
    words = rng.integers(0, 5, (40, 30)).astype(np.int32)
    dy = rng.normal(size=(40, 30, 19)).astype(np.float32)
    sizes = {"images": 40, "length": 30, "vocabulary": 5, "dimensions": 19, "padding": 0}
    out = {"dweight": (5, 19), "touched": ((5,), np.uint8)}
    results = [
        run(EMBEDDING_BACKWARD[0], out, words=words, dy=dy, parts=parts, threads=3, **sizes)
        for parts in (1, 2, 7)
    ]
    for other in results[1:]:
        np.testing.assert_array_equal(results[0]["dweight"], other["dweight"])
    assert results[0]["touched"].tolist() == [0, 1, 1, 1, 1]
