"""Is what was exported what was trained? The file's answers beside the run's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from beak.engine.onnx_running import onnx_session
from beak.errors import RunError
from beak.exchange.examples import Pair
from beak.exchange.onnx_model import OUTPUT, input_name
from beak.runs.likely import log_softmax
from beak.runs.model import Model
from beak.runs.run import Run

Array = np.ndarray[Any, Any]
Answers = Callable[[Array], Array]
"""Decoded inputs of one size (N, …) -> probabilities (N, labels)."""
MOST_DIFFERENCE = 1e-4
TIE = 2e-4
"""Two best answers closer than this may change places."""
BATCH = 32


@dataclass(frozen=True)
class Comparison:
    """How far an export's answers are from the run's."""

    inputs: int
    difference: float
    """The largest between any two probabilities."""
    changed: int
    """Inputs whose strongest answer is another."""
    changed_for_good: int
    """Of these, those whose two best answers were further apart than 2e-4."""
    worst: str
    """The input with the largest difference."""

    @property
    def agrees(self) -> bool:
        """Whether the export may be used for the run."""
        return self.difference <= MOST_DIFFERENCE and not self.changed_for_good

    def to_json(self) -> dict[str, Any]:
        """The numbers as ``beak export --json`` prints them."""
        return {**self.__dict__, "agrees": self.agrees}


def compare(run: Run, pairs: Sequence[Pair], answers: Answers) -> Comparison:
    """Every input through both. RunError where one of them answers NaN."""
    difference, changed, for_good, worst = 0.0, 0, 0, ""
    for chosen in _batches(pairs):
        logits = run.predictor.engine.logits(np.stack([pair.prepared for pair in chosen]))
        ours = np.exp(log_softmax(logits))
        theirs = np.asarray(answers(np.stack([pair.exported for pair in chosen])), np.float64)
        if not (np.isfinite(ours).all() and np.isfinite(theirs).all()):
            raise RunError(f"{run.model.name} answers NaN: its weights have diverged; train again")
        apart = np.abs(ours - theirs).max(axis=1)
        if apart.max() > difference or not worst:
            difference, worst = float(apart.max()), chosen[int(apart.argmax())].name
        best = np.sort(ours, axis=1)
        other = ours.argmax(axis=1) != theirs.argmax(axis=1)
        changed += int(other.sum())
        for_good += int((other & (best[:, -1] - best[:, -2] > TIE)).sum())
    return Comparison(len(pairs), difference, changed, for_good, worst)


def _batches(pairs: Sequence[Pair]) -> Iterator[list[Pair]]:
    """Inputs of one shape together."""
    by_shape: dict[tuple[int, ...], list[Pair]] = {}
    for pair in pairs:
        by_shape.setdefault(pair.exported.shape, []).append(pair)
    for alike in by_shape.values():
        for first in range(0, len(alike), BATCH):
            yield alike[first : first + BATCH]


def onnx_answers(made: bytes, model: Model, threads: int | None = None) -> Answers:
    """The file's answers through ONNX Runtime on the CPU. Raises MissingExtraError without it."""
    session = onnx_session(made, threads)
    name = input_name(model.spec)
    return lambda inputs: np.asarray(session.run([OUTPUT], {name: inputs})[0])
