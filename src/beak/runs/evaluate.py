"""How good a network is on examples that it has not learned from."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from beak.data.kinds import kind_of
from beak.data.spec import InputSpec
from beak.engine.group import Group, own_share
from beak.engine.interface import Engine
from beak.errors import DataError
from beak.runs.apart import TOP, Averaged, Stratum, averaged_of, strata_of
from beak.runs.files import Array
from beak.runs.history import plain
from beak.runs.likely import log_softmax as log_softmax
from beak.runs.likely import rank_of_truth
from beak.runs.likely import strongest as strongest
from beak.runs.likely import wilson as wilson

if TYPE_CHECKING:
    from beak.data.dataset import Part

MANY_CLASSES = 20


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
    top5: float | None = None
    """The share whose answer is among the five likeliest; None for few classes."""
    strata: tuple[Stratum, ...] = ()
    averaged: Averaged | None = None
    """None where an example has one view only, or it was not asked for."""
    kind: str = "pictures"

    def to_json(self) -> dict[str, Any]:
        """The numbers as ``beak evaluate --json`` prints them; NaN as null.

        Of Go, whose classes are points, neither classes nor confusions.
        """
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
        if self.strata:
            found = {k: v for k, v in found.items() if k not in ("classes", "confusion")}
            found["strata"] = [stratum.to_json() for stratum in self.strata]
        if self.top5 is not None:
            found["top5"] = self.top5
        if self.averaged is not None:
            found["averaged"] = self.averaged.to_json()
        if self.notes:
            found["notes"] = self.notes
        kept: dict[str, Any] = plain(found)
        return kept


def evaluate(
    engine: Engine,
    part: Part,
    spec: InputSpec,
    labels: Sequence[str],
    *,
    batch: int = 256,
    worst: int = 24,
    listen: Callable[[int, int], None] | None = None,
    averaged: bool = False,
    group: Group | None = None,
) -> Evaluation:
    """Answer every example of a part and count.

    ``engine``: or whatever holds one as ``.engine`` (a Predictor). ``worst``: how many mistakes to
    keep. ``listen``: called with (done, examples) after each batch. ``averaged``: also by the mean
    over all equal views of each example, where it has several. ``group``: processes that each
    answer a share; all get the whole result, as one alone would.
    Raises DataError when the part is empty or a label's number is beyond the network's answers.
    """
    truth = np.asarray(part.labels, np.int64)
    if len(truth) == 0:
        raise DataError("there are no examples to evaluate; give a source that has some")
    if truth.min() < 0 or truth.max() >= len(labels):
        raise DataError(f"label number {truth.max()} is beyond the network's {len(labels)} answers")
    answers, sureness, losses, ranks = table = np.zeros((4, len(truth)))
    runner = getattr(engine, "engine", engine)
    own = own_share(np.arange(len(truth)), group)
    for begin, logits in _logits(runner, part, spec, batch, own):
        rows, end = np.arange(len(logits)), begin + len(logits)
        likely = log_softmax(logits)
        answers[begin:end] = said = strongest(logits)
        sureness[begin:end] = np.exp(likely[rows, said])
        losses[begin:end] = -likely[rows, truth[begin:end]]
        ranks[begin:end] = rank_of_truth(likely, truth[begin:end])
        if listen is not None:
            listen(end, len(truth))
    if group is not None:
        group.add_up(table)  # each number is 0 in all processes but one: nothing is rounded
    answers = answers.astype(np.int64)
    found = _counted(truth, answers, sureness, losses, part.names, tuple(labels), worst)
    kind = kind_of(spec.kind)
    strata = kind.strata(part) if worst or averaged else None
    return replace(
        found,
        kind=spec.kind,
        top5=float((ranks < TOP).mean()) if len(labels) > MANY_CLASSES else None,
        strata=() if strata is None else strata_of(*strata, answers == truth, ranks < TOP),
        averaged=averaged_of(runner, part, spec, truth, batch, len(labels)) if averaged else None,
    )


def _logits(
    engine: Engine, part: Part, spec: InputSpec, batch: int, own: Array
) -> Iterator[tuple[int, Array]]:
    """The logits of a stretch of the examples, with the number of each batch's first."""
    for begin in range(0, len(own), batch):
        first, count = int(own[begin]), len(own[begin : begin + batch])
        yield first, engine.logits(spec.prepare(np.asarray(part.inputs[first : first + count])))


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
