"""From logits to probabilities, ranks and shares with their intervals."""

from __future__ import annotations

import math

import numpy as np

from beak.runs.files import Array

NORMAL_95 = 1.959963984540054
"""The 97.5 % point of the normal distribution."""


def wilson(correct: int, examples: int) -> tuple[float, float]:
    """95 % interval for a share (E. B. Wilson, JASA 22, 1927); honest near 0 and 1 too.

    >>> [round(end, 4) for end in wilson(98, 100)]
    [0.93, 0.9945]
    >>> wilson(0, 0)
    (0.0, 1.0)
    """
    if examples == 0:
        return 0.0, 1.0
    share, z2 = correct / examples, NORMAL_95**2
    middle = (share + z2 / (2 * examples)) / (1 + z2 / examples)
    inside = share * (1 - share) / examples + z2 / (4 * examples**2)
    half = NORMAL_95 * math.sqrt(inside) / (1 + z2 / examples)
    low = 0.0 if correct == 0 else middle - half
    high = 1.0 if correct == examples else middle + half
    return low, high


def log_softmax(logits: Array) -> Array:
    """Logarithms of the probabilities of each row's classes, in float64; (B, K) -> (B, K)."""
    wide = np.asarray(logits, np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        shifted = wide - wide.max(axis=1, keepdims=True)
        found: Array = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return found


def strongest(logits: Array) -> Array:
    """Each row's strongest class, the first on a tie; NaN is never the strongest."""
    found: Array = np.where(np.isnan(logits), -np.inf, logits).argmax(axis=1)
    return found


def rank_of_truth(likely: Array, truth: Array) -> Array:
    """How many classes each row finds likelier than its own, int64 (B,); NaN: all of them."""
    own = likely[np.arange(len(likely)), truth][:, None]
    before = (likely > own) | ((likely == own) & (np.arange(likely.shape[1]) < truth[:, None]))
    ranks: Array = np.where(np.isnan(own[:, 0]), likely.shape[1], before.sum(axis=1))
    return ranks
