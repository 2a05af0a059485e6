"""What ``compile`` was given, and what an epoch counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from beak.keras import config, losses, metrics, optimizers
from beak.keras.feeds import Batch
from beak.keras.metrics import Metric
from beak.keras.tensors import Array

Logs = dict[str, float]


@dataclass
class Compiled:
    """What ``compile`` was given, and what is counted over an epoch."""

    optimizer: optimizers.Optimizer
    loss: losses.Loss | None
    metrics: list[Any]
    weighted: list[Any]
    said: dict[str, Any]
    """As given, for files."""
    counted: list[tuple[Metric, bool]] | None = None
    """Metrics once answers were seen, and whether each counts by weight."""
    total: float = 0.0
    count: int = 0

    def reset(self) -> None:
        """An epoch begins."""
        self.total, self.count = 0.0, 0
        for metric, _ in self.counted or ():
            metric.reset_state()

    def take(
        self, batch: Batch, weights: Array | None, values: Array, answers: Array, penalty: float
    ) -> None:
        """Count a batch in: its examples' losses, its answers."""
        size = len(values)
        weighted = values if weights is None else values * weights
        self.total += float(weighted.sum(dtype=np.float64)) + penalty * size
        self.count += size
        assert batch.labels is not None
        if self.counted is None:
            given = [(one, False) for one in self.metrics] + [(one, True) for one in self.weighted]
            self.counted = [(metrics.get(one, batch.labels, answers), by) for one, by in given]
            name_apart([metric for metric, _ in self.counted])
        for metric, by_weight in self.counted:
            metric.update_state(batch.labels, answers, weights if by_weight else None)

    def logs(self) -> Logs:
        """What an epoch came to so far, by name, in the order of names."""
        found = {metric.name: float(metric.result()) for metric, _ in self.counted or ()}
        found["loss"] = float(np.float32(self.total / max(1, self.count)))
        return dict(sorted(found.items()))

    def in_order(self, logs: Logs) -> Any:
        """The loss, then the metrics as they were given; alone where it is only one."""
        names = ["loss", *(metric.name for metric, _ in self.counted or ())]
        found = [logs[name] for name in names]
        return found[0] if len(found) == 1 else found


def alone(value: Any) -> Any:
    """One thing out of a list or dict of one."""
    if isinstance(value, dict) and "class_name" not in value:
        value = list(value.values())
    if isinstance(value, list | tuple):
        if len(value) != 1:
            raise config.refuse(f"{len(value)} outputs", "one Model for each output")
        return value[0]
    return value


def flat(value: Any) -> list[Any]:
    """Metrics as a list, whatever they are nested in."""
    if value is None:
        return []
    if isinstance(value, dict) and "class_name" not in value:
        value = list(value.values())
    if isinstance(value, list | tuple):
        return [one for item in value for one in flat(item)]
    return [value]


def name_apart(counted: list[metrics.Metric]) -> None:
    """Give metrics of one name numbers."""
    taken: set[str] = set()
    for metric in counted:
        base, number = metric.name, 1
        while metric.name in taken:
            metric.name, number = f"{base}_{number}", number + 1
        taken.add(metric.name)
