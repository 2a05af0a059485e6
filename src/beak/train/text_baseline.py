"""The linear classifier that is hard to beat on texts: NBSVM on words and pairs of words.

Every word and pair counts once a text, times the log-count ratio of its class; on these features a
linear classifier is trained. (Wang and Manning, "Baselines and Bigrams", ACL 2012.)
"""

from __future__ import annotations

import warnings
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

MOST_TEXTS = 100_000
"""Training texts that it is made from at most: memory grows with the number of pairs."""
STRENGTHS = (0.3, 1.0, 4.0)
"""Of how little the weights are held back (C), the one that the validation part likes best."""
PIECE = 20_000


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
        from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]
    except ImportError:
        return "no baseline: it needs scikit-learn; install it with: pip install 'beak[text]'"
    train, validation, test = (dataset.parts[p] for p in ("train", "validation", "test"))
    index = np.sort(shuffled(seed, 0, len(train))[:MOST_TEXTS])
    train = train if len(index) == len(train) else train.take(index)
    labels = np.asarray(train.labels)
    if len(np.unique(labels)) < 2:
        return "no baseline: the training part has one class only"
    known, features = _vocabulary(_codes(train, dataset.spec))
    held = [(_matrix(_codes(part, dataset.spec), known), np.asarray(part.labels))
            for part in (validation, test)]  # fmt: skip
    classes = len(dataset.labels)
    best: tuple[float, float] | None = None
    ratios = [_ratio(features, labels == c) for c in range(classes)]
    alone = classes == 2  # the second class's classifier is the first one's with the other sign
    for strength in STRENGTHS if len(validation) else (1.0,):
        scores = [np.full((len(part), classes), -np.inf) for part in (validation, test)]
        for c in range(1 if alone else classes):
            if not (labels == c).any():
                continue
            model = LogisticRegression(
                C=strength, solver="liblinear", dual=True, max_iter=300, random_state=seed
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model.fit(features.multiply(ratios[c]).tocsr(), labels == c)
            weights = (model.coef_[0] * ratios[c], float(model.intercept_[0]))
            for score, (matrix, _) in zip(scores, held, strict=True):
                score[:, c] = matrix @ weights[0] + weights[1]
                if alone:
                    score[:, 1] = -score[:, 0]
        right = [float((s.argmax(axis=1) == truth).mean()) if len(truth) else 0.0
                 for s, (_, truth) in zip(scores, held, strict=True)]  # fmt: skip
        if best is None or right[0] > best[0]:
            best = right[0], right[1]
    assert best is not None
    return Found(best[1], len(test), len(train))


def _ratio(features: Any, mine: Array) -> Array:
    """Log of a class's smoothed share of each feature over all others' (float32)."""
    inside = 1 + np.asarray(features[mine].sum(axis=0)).ravel()
    outside = 1 + np.asarray(features[~mine].sum(axis=0)).ravel()
    ratio = np.log(inside / inside.sum()) - np.log(outside / outside.sum())
    return np.asarray(ratio, np.float32)


def _codes(part: Part, spec: Any) -> list[tuple[Array, Array]]:
    """For pieces of a part: a number for each word and each pair, and which text it is of."""
    rows = part.inputs
    assert isinstance(rows, Rows)
    assert isinstance(rows.base, WordRows)
    source, index = rows.base.source, rows.index
    if isinstance(spec, TextSpec) and spec.unit == "bytes":
        source = _words(source)
    made = []
    wide = np.int64(len(source.lexicon) + 1)
    for first in range(0, len(index), PIECE):
        numbers, lengths = source.of(index[first : first + PIECE])
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
        made.append((codes[fresh], owners[fresh]))
    return made


def _words(source: Numbered) -> Numbered:
    """The same texts by their words, for a network that reads bytes."""
    return numbered_words(source.texts, partial(words_of, lower=True))


def _vocabulary(codes: list[tuple[Array, Array]]) -> tuple[Array, Any]:
    known = np.unique(np.concatenate([np.unique(c) for c, _ in codes]))
    return known, _matrix(codes, known)


def _matrix(codes: list[tuple[Array, Array]], known: Array) -> Any:
    """Texts x known features, 1 where a text has it."""
    from scipy.sparse import csr_matrix  # type: ignore[import-untyped]

    columns, owners = [], []
    for code, owner in codes:
        place = np.searchsorted(known, code)
        there = place < len(known)
        there[there] = known[place[there]] == code[there]
        columns.append(place[there].astype(np.int32))
        owners.append(owner[there])
    texts = int(codes[-1][1].max()) + 1 if codes and len(codes[-1][1]) else 0
    column = np.concatenate(columns) if columns else np.zeros(0, np.int32)
    owner = np.concatenate(owners) if owners else np.zeros(0, np.int64)
    ones = np.ones(len(column), np.float32)
    return csr_matrix((ones, (owner, column)), shape=(texts, len(known)))
