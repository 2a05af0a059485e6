"""Answers counted apart: by strata such as phases of a game, and by the mean of equal views."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from beak.data.kinds import kind_of
from beak.data.spec import InputSpec
from beak.engine.interface import Engine
from beak.runs.files import Array
from beak.runs.likely import log_softmax, rank_of_truth, wilson

if TYPE_CHECKING:
    from beak.data.dataset import Part

TOP = 5
"""Answers among which the right one counts as found, where classes are many."""


@dataclass(frozen=True)
class Stratum:
    """Examples that are counted apart, such as a phase of a game."""

    name: str
    examples: int
    accuracy: float | None
    """None where there are no examples."""
    top5: float | None

    def to_json(self) -> dict[str, Any]:
        """As ``Evaluation.to_json`` has it."""
        return dict(self.__dict__)


@dataclass(frozen=True)
class Averaged:
    """The same examples by the mean of the answers to all their equal views."""

    views: int
    accuracy: float
    interval: tuple[float, float]
    top5: float
    loss: float

    def to_json(self) -> dict[str, Any]:
        """As ``Evaluation.to_json`` has it."""
        return dict(self.__dict__)


def strata_of(names: Sequence[str], which: Array, right: Array, near: Array) -> tuple[Stratum, ...]:
    """Each stratum's share of right answers (bool (N,)), and of those among the nearest."""
    found = []
    for number, name in enumerate(names):
        mine = which == number
        some = bool(mine.any())
        found.append(
            Stratum(
                name,
                int(mine.sum()),
                float(right[mine].mean()) if some else None,
                float(near[mine].mean()) if some else None,
            )
        )
    return tuple(found)


def averaged_of(
    engine: Engine, part: Part, spec: InputSpec, truth: Array, batch: int, classes: int
) -> Averaged | None:
    """How good the mean of the answers over all views is; None where an example has one view."""
    views = kind_of(spec.kind).views(spec)
    if views < 2:
        return None
    correct = near = 0
    losses = []
    for begin in range(0, len(truth), batch):
        mine = truth[begin : begin + batch]
        likely = np.log(mean_over_views(engine, np.asarray(part.inputs[begin : begin + batch]),
                                        spec, classes))  # fmt: skip
        ranks = rank_of_truth(likely, mine)
        correct, near = correct + int((ranks == 0).sum()), near + int((ranks < TOP).sum())
        losses += (-likely[np.arange(len(mine)), mine]).tolist()
    count = len(truth)
    return Averaged(
        views, correct / count, wilson(correct, count), near / count, math.fsum(losses) / count
    )


def mean_over_views(engine: Engine, stored: Array, spec: InputSpec, classes: int) -> Array:
    """Probabilities float64 (B, K), the mean over all equal views of each stored row."""
    kind = kind_of(spec.kind)
    views = kind.views(spec)
    total = np.zeros((len(stored), classes))
    for number in range(views):
        inputs, place = kind.view(stored, spec, number, classes)
        total += np.exp(log_softmax(engine.logits(inputs)))[:, place]
    return total / views
