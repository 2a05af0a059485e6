"""The embedding kernels against NumPy, on every instruction set."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beak.ops.embedding import reference
from beak.ops.embedding.kernels import (
    EMBEDDING_BACKWARD,
    EMBEDDING_FORWARD,
    EMBEDDING_INDEX,
)
from beak.ops.test_support import run

pytestmark = pytest.mark.usefixtures("every_instruction_set")


@given(
    images=st.integers(0, 4),
    length=st.integers(1, 12),
    vocabulary=st.integers(1, 9),
    dimensions=st.integers(1, 40),
    padding=st.integers(-1, 8),
    stray=st.booleans(),
    room=st.integers(0, 3),
    parts=st.integers(1, 6),
    seed=st.integers(0, 99),
)
def test_vectors_of_words_and_their_gradients(
    images, length, vocabulary, dimensions, padding, stray, room, parts, seed
):
    rng = np.random.default_rng(seed)
    low, high = (-2, vocabulary + 2) if stray else (0, vocabulary)
    row = rng.integers(low, high, (images, length + room)).astype(np.int32)
    words = row[:, :length]  # what stands behind is another layer's
    weight = rng.normal(size=(vocabulary, dimensions)).astype(np.float32)
    dy = rng.normal(size=(images, length, dimensions)).astype(np.float32)
    # what the vocabulary does not have is as the padding: a row that the reference has behind it
    known = np.where((words >= 0) & (words < vocabulary) & (words != padding), words, vocabulary)
    table = np.concatenate([weight, np.zeros((1, dimensions), np.float32)])
    expected = reference.embedding(known, table).transpose(0, 2, 1)
    dweight = reference.embedding_backward(dy.transpose(0, 2, 1), known, table)[:vocabulary]
    touched = reference.touched_rows(known, vocabulary + 1)[:vocabulary]
    sizes = {
        "images": images, "length": length, "stride": length + room,
        "vocabulary": vocabulary, "dimensions": dimensions,
        "padding": padding, "parts": parts, "threads": 2,
    }  # fmt: skip
    y = run(EMBEDDING_FORWARD[0], {"y": dy.shape}, words=row, weight=weight, **sizes)["y"]
    np.testing.assert_array_equal(y, expected)
    before = rng.normal(size=weight.shape).astype(np.float32)
    after, listed = backward(row, dy, before, padding, parts)
    occurs = touched.astype(bool)
    assert sorted(listed) == np.flatnonzero(occurs).tolist()
    np.testing.assert_allclose(after[occurs], dweight[occurs], rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(after[~occurs], before[~occurs])


def backward(words, dy, dweight, padding, parts):
    """The table's gradient, written over what stood there, and which words occur."""
    (images, stride), length, vocabulary = words.shape, dy.shape[1], len(dweight)
    places = images * length
    lists = dict.fromkeys(("listed", "first", "next"), ((places,), np.int32))
    slot = np.random.default_rng(2).integers(-9, 9, vocabulary).astype(np.int32)
    index = run(
        EMBEDDING_INDEX[0], {**lists, "count": ((1,), np.int64), "slot": slot}, words=words,
        images=images, length=length, stride=stride, vocabulary=vocabulary, padding=padding,
    )  # fmt: skip
    del index["slot"]
    after = run(
        EMBEDDING_BACKWARD[0], {"dweight": dweight}, dy=dy, dimensions=dweight.shape[1],
        parts=parts, threads=3, **index,
    )["dweight"]  # fmt: skip
    return after, index["listed"][: index["count"][0]].tolist()


def test_the_sum_over_a_words_places_is_the_same_to_the_bit_in_any_parts():
    rng = np.random.default_rng(1)
    words = rng.integers(0, 5, (40, 30)).astype(np.int32)
    dy = rng.normal(size=(40, 30, 19)).astype(np.float32)
    results = [backward(words, dy, np.zeros((5, 19), np.float32), 0, p) for p in (1, 2, 7)]
    in_order = np.zeros((5, 19), np.float32)
    for word, gradient in zip(words.reshape(-1), dy.reshape(-1, 19), strict=True):
        in_order[word] += gradient * (word > 0)
    for dweight, listed in results:
        np.testing.assert_array_equal(dweight, in_order)
        assert sorted(listed) == [1, 2, 3, 4]
