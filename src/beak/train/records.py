"""What a training tells while it goes on, as plain data."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class StepRecord:
    """One batch is done."""

    epoch: int
    """From 1."""
    step: int
    """From 1, within the epoch."""
    steps: int
    """How many steps an epoch has."""
    loss: float
    """The mean loss of the epoch's examples so far."""

    def to_json(self) -> dict[str, Any]:
        """The event that listeners get."""
        return {"event": "step", **dataclasses.asdict(self)}


@dataclass(frozen=True)
class EpochRecord:
    """One epoch is done; what a line of history.jsonl holds."""

    epoch: int
    epochs: int
    train_loss: float
    """Mean over the epoch's batches, each seen before its step; smoothing included."""
    train_accuracy: float
    validation_loss: float | None
    """Of the weights that would be shipped (averaged, where averaging is on), unsmoothed."""
    validation_accuracy: float | None
    learning_rate: float
    """Of the epoch's last step."""
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """The line of the history, which is also the event without its name."""
        return dataclasses.asdict(self)
