"""What the loss is: cross-entropy, how surprised the network is by the right labels.

With p = softmax(logits), w the class weights (1 where none are given), s the label smoothing and
K classes, a batch's loss is

    [ (1 - s) * sum_i w[y_i] * -log p[i, y_i]  +  s / K * sum_i sum_c w[c] * -log p[i, c] ]
    / sum_i w[y_i]

With all weights equal that is the plain mean over the examples; without smoothing it is the
weighted mean, divided by the sum of weights. It is what torch.nn.CrossEntropyLoss computes: there
too a smoothed target carries each class's own weight while the divisor stays the labels' weights.
A batch whose labels all have weight 0 has loss 0 and gradient 0 (PyTorch: NaN).

Source: Szegedy et al., Rethinking the Inception architecture, arXiv 1512.00567 (smoothing).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from beak.errors import ShapeError

Array = np.ndarray[Any, Any]


class LossResult(NamedTuple):
    """A batch's mean loss, its gradient by the logits, and how many answers were right."""

    loss: float
    gradient: Array
    correct: int


def log_softmax(logits: Array) -> Array:
    """The logarithm of softmax over axis 1, without losing small probabilities."""
    logits = np.asarray(logits, np.float64)
    with np.errstate(invalid="ignore"):
        lowered = logits - logits.max(axis=1, keepdims=True)
        result: Array = lowered - np.log(np.exp(lowered).sum(axis=1, keepdims=True))
        return result


def cross_entropy(
    logits: Array,
    labels: Array,
    label_smoothing: float = 0.0,
    class_weights: Array | tuple[float, ...] | None = None,
) -> LossResult:
    """Compare answers with labels: (B,K) before the softmax, whole numbers (B,).

    Raises ShapeError for a label outside 0..K-1 or logits that are not (B, K).

    >>> even = cross_entropy(np.zeros((1, 4)), np.array([2]))
    >>> round(even.loss, 6), even.gradient, even.correct    # log 4; a tie goes to the first class
    (1.386294, array([[ 0.25,  0.25, -0.75,  0.25]]), 0)
    """
    _check(logits, labels)
    classes = logits.shape[1]
    logs = log_softmax(logits)
    weights = np.ones(classes) if class_weights is None else np.asarray(class_weights, np.float64)
    if weights.shape != (classes,):
        raise ShapeError(
            f"cross-entropy: {weights.size} class weights for {classes} classes; give one for each"
        )
    one_hot = np.eye(classes)[labels]
    target = ((1 - label_smoothing) * one_hot + label_smoothing / classes) * weights
    divisor = weights[labels].sum()
    correct = int((np.argmax(logits, axis=1) == labels).sum())
    if divisor == 0:
        return LossResult(0.0, np.zeros(logs.shape), correct)
    target /= divisor
    with np.errstate(invalid="ignore"):
        terms = np.where(target == 0, 0.0, target * logs)  # 0 * -infinity: a class not meant
        terms = np.where(np.isnan(logs), np.nan, terms)  # but a NaN is never lost
        gradient = np.exp(logs) * target.sum(axis=1, keepdims=True) - target
    return LossResult(float(-terms.sum()), gradient, correct)


def _check(logits: Array, labels: Array) -> None:
    if np.ndim(logits) != 2 or np.shape(labels) != np.shape(logits)[:1]:
        raise ShapeError(
            f"cross-entropy: answers {np.shape(logits)} and labels {np.shape(labels)} do not fit; "
            "it wants (examples, classes) and (examples,)"
        )
    wrong = labels[(labels < 0) | (labels >= logits.shape[1])]
    if wrong.size:
        raise ShapeError(
            f"cross-entropy: label {wrong[0]} for a network of {logits.shape[1]} classes; "
            f"labels go from 0 to {logits.shape[1] - 1}"
        )
