"""Networks for texts: word numbers (L,) in, filters that slide along the words alone.

In each, the first convolution is padded by as much as the windows see, so that the largest answer
of a filter is over every window that touches a word and one that touches none: a text's answer
does not depend on how far it is padded.
"""

from __future__ import annotations

from beak.errors import UsageError, did_you_mean
from beak.network.layer import Shape
from beak.network.layers import (
    Concat,
    Conv1D,
    Dense,
    Dropout,
    Embedding,
    GlobalAvgPool,
    GlobalMaxPool,
    MaxPool1D,
)
from beak.network.network import Network
from beak.network.writers import Parallel, Written

CHANNELS = ("non-static", "static", "multichannel")
MAX_NORM = 3.0
"""Kim 2014: the longest that the weights of a class may be."""


def _vectors(
    words: int, dimensions: int, channels: str, length: int | None, inputs: tuple[str, ...] | None
) -> list[Written]:
    """The vectors of words: tuned, as they came, or both as channels."""
    if channels not in CHANNELS:
        raise UsageError(f"channels: no {channels!r}{did_you_mean(channels, CHANNELS)}")
    size = (words, dimensions)
    tuned = Embedding(*size, 0, channels != "static", places=length, name="words", inputs=inputs)
    if channels != "multichannel":
        return [tuned]
    still = Embedding(*size, 0, False, places=length, name="words_static", inputs=("input",))
    return [tuned, still, Concat(inputs=("words", "words_static"), name="channels")]


def _windows(widths: tuple[int, ...], filters: int) -> Parallel:
    """For each width, filters that slide along the words; of each, the largest answer."""
    return Parallel(
        *(
            [Conv1D(filters, width, padding=width, activation="relu"), GlobalMaxPool()]
            for width in widths
        )
    )


def make_sentence(
    input: Shape,
    classes: int,
    words: int = 30_000,
    length: int | None = None,
    dimensions: int = 300,
    filters: int = 100,
    channels: str = "non-static",
) -> Network:
    """Kim 2014: windows of 3, 4 and 5 words."""
    layers = [
        *_vectors(words, dimensions, channels, length, None),
        _windows((3, 4, 5), filters),
        Dropout(0.5),
        Dense(classes, activation="softmax", max_norm=MAX_NORM),
    ]
    return Network(input, layers)


def make_sentence_wide(
    input: Shape,
    classes: int,
    words: int = 30_000,
    length: int | None = None,
    dimensions: int = 300,
    filters: int = 100,
    channels: str = "non-static",
) -> Network:
    """Zhang and Wallace 2015: many widths near the best one."""
    layers = [
        *_vectors(words, dimensions, channels, length, None),
        _windows((2, 3, 4, 5, 6, 7), filters),
        Dropout(0.5),
        Dense(classes, activation="softmax", max_norm=MAX_NORM),
    ]
    return Network(input, layers)


def make_sentence_pairs(
    input: Shape,
    classes: int,
    words: int = 30_000,
    length: int | None = None,
    buckets: int = 1 << 18,
    dimensions: int = 128,
    filters: int = 64,
    channels: str = "non-static",
) -> Network:
    """Windows of words, and beside them a vote of every word and pair of words for each class.

    The votes start as log-count ratios (Wang and Manning 2012), so the network begins as good as
    the linear classifier and is trained together with the windows.
    """
    length = input[0] // 3 if length is None else length
    branch = [*_vectors(words, dimensions, channels, length, None), _windows((3, 4, 5), filters)]
    grams = words + buckets
    layers = [
        *branch,
        Dropout(0.5, name="windows"),
        Embedding(grams, classes, 0, begin=length, name="grams", inputs=("input",)),
        Dropout(0.3, name="heard"),
        GlobalAvgPool(name="votes"),
        Concat(inputs=("windows", "votes"), name="both"),
        Dense(classes, activation="softmax"),
    ]
    return Network(input, layers)


def make_characters(
    input: Shape, classes: int, words: int = 257, dimensions: int = 32, filters: int = 128
) -> Network:
    """Bytes in: three convolutions with pooling between, then the largest answer of each filter."""
    # one window behind all layers sees 5 + 4 + 2 * (2 + 4) bytes: so far the first one is padded
    layers = [
        Embedding(words, dimensions, 0, name="bytes"),
        Conv1D(filters, 5, padding=24, activation="relu"),
        MaxPool1D(2),
        Conv1D(filters, 5, activation="relu"),
        MaxPool1D(2),
        Conv1D(2 * filters, 3, activation="relu"),
        GlobalMaxPool(),
        Dropout(0.5),
        Dense(classes, activation="softmax"),
    ]
    return Network(input, layers)


__all__ = [
    "CHANNELS",
    "make_characters",
    "make_sentence",
    "make_sentence_pairs",
    "make_sentence_wide",
]
