"""What an embedding is: a table with a vector for each word, looked up by the word's number.

    y[b, :, place] = vectors[words[b, place], :]

The dimensions become the channels, so that a convolution slides along the words. Float64 out.

Source: Bengio et al., A neural probabilistic language model, 2003; used as in Kim 2014.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from beak.errors import ShapeError

Array = np.ndarray[Any, Any]


def embedding(words: Array, vectors: Array) -> Array:
    """Look words up: (B,L) whole numbers, (words,dimensions) -> (B,dimensions,L).

    Raises ShapeError for a number outside the table.

    >>> embedding(np.array([[1, 0, 1]]), np.array([[5.0, 6.0], [7.0, 8.0]]))
    array([[[7., 5., 7.],
            [8., 6., 8.]]])
    """
    numbers = _checked(words, len(vectors))
    return np.ascontiguousarray(np.asarray(vectors, np.float64)[numbers].swapaxes(1, 2))


def embedding_backward(
    gradient: Array, words: Array, vectors: Array, padding_index: int | None = None
) -> Array:
    """The gradient by the table, gradient (B,dimensions,L): a word's row adds up all its uses.

    The row of `padding_index` gets none, so that its vector stays what it is.

    >>> embedding_backward(np.array([[[1.0, 2.0, 4.0]]]), np.array([[1, 0, 1]]), np.zeros((3, 1)))
    array([[2.],
           [5.],
           [0.]])
    """
    numbers = _checked(words, len(vectors))
    table = np.zeros(np.shape(vectors))
    np.add.at(table, numbers, np.asarray(gradient, np.float64).swapaxes(1, 2))
    if padding_index is not None:
        table[padding_index] = 0.0
    return table


def touched_rows(words: Array, count: int, padding_index: int | None = None) -> Array:
    """Which of `count` rows a batch touches, bool (count,): only these are changed by its step."""
    touched = np.zeros(count, bool)
    touched[_checked(words, count).ravel()] = True
    if padding_index is not None:
        touched[padding_index] = False
    return touched


def _checked(words: Array, count: int) -> Array:
    numbers = np.asarray(words)
    wrong = numbers[(numbers < 0) | (numbers >= count)]
    if wrong.size:
        raise ShapeError(
            f"embedding: word number {wrong[0]} is outside the table of {count} words; "
            f"numbers go from 0 to {count - 1}"
        )
    return numbers.astype(np.int64)
