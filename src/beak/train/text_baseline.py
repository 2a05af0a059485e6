"""The linear classifier that is hard to beat on texts: NBSVM on words and pairs of words.

Every word and pair counts once a text, times the log-count ratio of its class; on these features a
linear classifier is trained. (Wang and Manning, "Baselines and Bigrams", ACL 2012.)
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from beak.data.dataset import Dataset, Part
from beak.data.rows import Rows
from beak.data.streams import shuffled
from beak.data.text_spec import TextSpec
from beak.data.word_rows import Numbered, WordRows, numbered_words
from beak.data.words import words_of

Array = np.ndarray[Any, Any]

MOST_TEXTS = 50_000
"""Training texts that it is made from at most: memory grows with the number of pairs."""
STRENGTHS = (0.3, 1.0, 4.0)
"""Of how little the weights are held back (C), the one that the validation part likes best."""
PIECE = 10_000

Codes = tuple[Array, Array]
"""A number for each word and each pair of some texts, once a text, and which text it is of."""
Weights = list[tuple[Array, Array]]
"""For each strength: float64 (features, classifiers) and (classifiers,)."""


@dataclass(frozen=True)
class Found:
    """How good it is."""

    accuracy: float
    examples: int
    texts: int
    """Training texts that it was made from."""


def nbsvm(dataset: Dataset, seed: int = 0) -> Found | str:
    """Train it on the training part, choose C on validation, test it; a text says why not."""
    try:
        import sklearn  # type: ignore[import-untyped]  # noqa: F401
    except ImportError:
        return "no baseline: it needs scikit-learn; install it with: pip install 'beak[text]'"
    train, validation, test = (dataset.parts[p] for p in ("train", "validation", "test"))
    index = np.sort(shuffled(seed, 0, len(train))[:MOST_TEXTS])
    train = train if len(index) == len(train) else train.take(index)
    labels = np.asarray(train.labels)
    if len(np.unique(labels)) < 2:
        return "no baseline: the training part has one class only"
    if len(test) == 0:
        return "no baseline: there is no test part to compare on"
    source = _words_of(train, dataset.spec)
    codes = list(_codes(train, source))
    known = np.unique(np.concatenate([code for code, _ in codes]))
    features = _matrix(codes, known, len(train))
    del codes
    strengths = STRENGTHS if len(validation) else (1.0,)
    classes = len(dataset.labels)
    weights = _trained(features, labels, classes, strengths, seed)
    best = int(np.argmax(_right(validation, source, known, weights))) if len(validation) else 0
    right = _right(test, source, known, [weights[best]])[0]
    return Found(right / len(test), len(test), len(train))


def _trained(
    features: Any, labels: Array, classes: int, strengths: tuple[float, ...], seed: int
) -> Weights:
    """One classifier for each class against all others; of two classes one is enough."""
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]

    chosen = [0] if classes == 2 else list(range(classes))
    weights = [
        (np.zeros((features.shape[1], len(chosen))), np.full(len(chosen), -np.inf))
        for _ in strengths
    ]
    for place, c in enumerate(chosen):
        mine = labels == c
        if not mine.any():
            continue
        ratio = _ratio(features, mine)
        scaled = features.copy()
        scaled.data = ratio[features.indices]
        for (coefficients, constants), strength in zip(weights, strengths, strict=True):
            model = LogisticRegression(
                C=strength, solver="liblinear", dual=True, max_iter=300, random_state=seed
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # not quite converged is good enough here
                model.fit(scaled, mine)
            coefficients[:, place] = model.coef_[0] * ratio
            constants[place] = float(model.intercept_[0])
    return weights


def _right(part: Part, source: Numbered, known: Array, weights: Weights) -> list[int]:
    """How many texts of a part each strength's classifiers answer right."""
    right, first = [0] * len(weights), 0
    labels = np.asarray(part.labels)
    for codes in _codes(part, source):
        truth = labels[first : first + PIECE]
        matrix = _matrix([codes], known, len(truth), first)
        first += PIECE
        for s, (coefficients, constants) in enumerate(weights):
            scores = matrix @ coefficients + constants
            answers = (scores[:, 0] <= 0) if scores.shape[1] == 1 else scores.argmax(axis=1)
            right[s] += int((answers == truth).sum())
    return right


def _ratio(features: Any, mine: Array) -> Array:
    """Log of a class's smoothed share of each feature over all others' (float32)."""
    inside = 1 + np.asarray(features[mine].sum(axis=0)).ravel()
    outside = 1 + np.asarray(features[~mine].sum(axis=0)).ravel()
    ratio = np.log(inside / inside.sum()) - np.log(outside / outside.sum())
    return np.asarray(ratio, np.float32)


def _words_of(part: Part, spec: Any) -> Numbered:
    """The whole source by its words, also for a network that reads bytes."""
    rows = part.inputs
    assert isinstance(rows, Rows)
    assert isinstance(rows.base, WordRows)
    source = rows.base.source
    if isinstance(spec, TextSpec) and spec.unit == "bytes":
        return numbered_words(source.texts, partial(words_of, lower=True))
    return source


def _codes(part: Part, source: Numbered) -> Iterator[Codes]:
    """Words and pairs of a part's texts, whole ones, some texts at a time."""
    rows = part.inputs
    assert isinstance(rows, Rows)
    wide = np.int64(len(source.lexicon) + 1)
    for first in range(0, len(rows.index), PIECE):
        numbers, lengths = source.of(rows.index[first : first + PIECE])
        owner = np.repeat(np.arange(first, first + len(lengths)), lengths)
        numbers = numbers.astype(np.int64)
        follows = owner[1:] == owner[:-1]
        pairs = (numbers[:-1] + 1)[follows] * wide + numbers[1:][follows]
        codes = np.concatenate([numbers, pairs])
        owners = np.concatenate([owner, owner[1:][follows]])
        order = np.lexsort((codes, owners))
        codes, owners = codes[order], owners[order]
        fresh = np.ones(len(codes), bool)
        fresh[1:] = (codes[1:] != codes[:-1]) | (owners[1:] != owners[:-1])
        yield codes[fresh], owners[fresh]


def _matrix(codes: list[Codes], known: Array, texts: int, first: int = 0) -> Any:
    """Texts x known features (CSR, float32): 1 where a text has it."""
    from scipy.sparse import csr_matrix  # type: ignore[import-untyped]

    columns, counts = [], np.zeros(texts + 1, np.int64)
    for code, owner in codes:
        place = np.minimum(np.searchsorted(known, code), len(known) - 1)
        there = known[place] == code
        columns.append(place[there].astype(np.int32))
        counts[1:] += np.bincount(owner[there] - first, minlength=texts)
    column = np.concatenate(columns) if columns else np.zeros(0, np.int32)
    ones = np.ones(len(column), np.float32)
    return csr_matrix((ones, column, np.cumsum(counts)), shape=(texts, len(known)))
