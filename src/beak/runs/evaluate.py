"""How good a network is on examples that it has not learned from."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from beak.data.spec import InputSpec
from beak.engine.interface import Engine
from beak.errors import DataError
from beak.runs.files import Array
from beak.runs.history import plain

if TYPE_CHECKING:
    from beak.data.dataset import Part

NORMAL_95 = 1.959963984540054
"""The 97.5 % point of the normal distribution."""


@dataclass(frozen=True)
class ClassScore:
    """One class's answers; None where there is nothing to divide by."""

    label: str
    precision: float | None
    """Of those called so, the share that is so."""
    recall: float | None
    """Of those that are so, the share that is called so."""
    f1: float | None
    support: int
    """How many examples are so."""


@dataclass(frozen=True)
class Mistake:
    """One wrong answer: which example, what it is, what it was taken for and how surely."""

    index: int
    name: str
    label: str
    predicted: str
    probability: float


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What came out for all examples of a part."""

    accuracy: float
    interval: tuple[float, float]
    """95 % interval of the accuracy (Wilson)."""
    loss: float
    """The mean cross-entropy in natural units, without smoothing or weights, summed in float64."""
    examples: int
    labels: tuple[str, ...]
    confusion: Array
    """(K, K) counts: row what it is, column what it was taken for."""
    classes: tuple[ClassScore, ...]
    mistakes: tuple[Mistake, ...]
    """The surest wrong answers first."""
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The numbers as ``beak evaluate --json`` prints them; NaN as null."""
        scores = {
            score.label: {
                "precision": score.precision,
                "recall": score.recall,
                "f1": score.f1,
                "support": score.support,
            }
            for score in self.classes
        }
        found: dict[str, Any] = {
            "accuracy": self.accuracy,
            "interval": self.interval,
            "loss": self.loss,
            "examples": self.examples,
            "classes": scores,
            "confusion": self.confusion,
            "mistakes": [mistake.__dict__ for mistake in self.mistakes],
        }
        if self.notes:
            found["notes"] = self.notes
        kept: dict[str, Any] = plain(found)
        return kept


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


def evaluate(
    engine: Engine,
    part: Part,
    spec: InputSpec,
    labels: Sequence[str],
    *,
    batch: int = 256,
    worst: int = 24,
    listen: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Answer every example of a part and count.

    ``engine``: or whatever holds one as ``.engine`` (a Predictor). ``worst``: how many mistakes to
    keep. ``listen``: called with (done, examples) after each batch.
    Raises DataError when the part is empty or a label's number is beyond the network's answers.
    """
    truth = np.asarray(part.labels, np.int64)
    if len(truth) == 0:
        raise DataError("there are no examples to evaluate; give a source that has some")
    if truth.min() < 0 or truth.max() >= len(labels):
        raise DataError(f"label number {truth.max()} is beyond the network's {len(labels)} answers")
    answers, sureness = np.empty(len(truth), np.int64), np.empty(len(truth))
    losses = np.empty(len(truth))
    for begin, logits in _logits(getattr(engine, "engine", engine), part, spec, batch):
        rows, end = np.arange(len(logits)), begin + len(logits)
        likely = log_softmax(logits)
        answers[begin:end] = strongest(logits)
        sureness[begin:end] = np.exp(likely[rows, answers[begin:end]])
        losses[begin:end] = -likely[rows, truth[begin:end]]
        if listen is not None:
            listen(end, len(truth))
    return _counted(truth, answers, sureness, losses, part.names, tuple(labels), worst)


def _logits(engine: Engine, part: Part, spec: InputSpec, batch: int) -> Iterator[tuple[int, Array]]:
    for begin in range(0, len(part.labels), batch):
        yield begin, engine.logits(spec.prepare(np.asarray(part.inputs[begin : begin + batch])))


def _counted(
    truth: Array,
    answers: Array,
    sureness: Array,
    losses: Array,
    names: Sequence[str],
    labels: tuple[str, ...],
    worst: int,
) -> Evaluation:
    count = len(labels)
    confusion = np.bincount(truth * count + answers, minlength=count * count).reshape(count, count)
    correct, examples = int(np.trace(confusion)), len(truth)
    wrong = np.flatnonzero(answers != truth)
    order = wrong[np.argsort(-np.nan_to_num(sureness[wrong]), kind="stable")][:worst]
    lost = int(np.isnan(losses).sum())
    note = (
        f"{lost} of {examples} answers are NaN: the training had diverged, or weights are damaged"
    )
    return Evaluation(
        accuracy=correct / examples,
        interval=wilson(correct, examples),
        loss=math.fsum(losses) / examples,
        examples=examples,
        labels=labels,
        confusion=confusion,
        classes=class_scores(confusion, labels),
        mistakes=tuple(
            Mistake(int(i), str(names[i]), labels[truth[i]], labels[answers[i]], float(sureness[i]))
            for i in order
        ),
        notes=(note,) if lost else (),
    )


def class_scores(confusion: Array, labels: Sequence[str]) -> tuple[ClassScore, ...]:
    """Precision, recall, F1 and support of each class from the counts."""
    right, called, real = np.diag(confusion), confusion.sum(axis=0), confusion.sum(axis=1)

    def share(part: float, whole: float) -> float | None:
        return float(part / whole) if whole else None

    return tuple(
        ClassScore(
            label=label,
            precision=share(right[k], called[k]),
            recall=share(right[k], real[k]),
            f1=share(2 * right[k], called[k] + real[k]),
            support=int(real[k]),
        )
        for k, label in enumerate(labels)
    )
