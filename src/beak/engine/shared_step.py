"""The native engine's training step where several processes share each batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from beak.engine.checks import check_inputs, check_labels
from beak.engine.group import Group, Sums
from beak.engine.interface import Array, Randomness, StepResult
from beak.engine.lowering.context import Touched
from beak.engine.tape import Tape, make_arena
from beak.engine.update import Buffers, update
from beak.network.layers import Embedding
from beak.network.network import Network

if TYPE_CHECKING:
    from beak.engine.interface import Optimiser
    from beak.engine.native import NativeEngine


class SharedUpdate:
    """The optimiser's step as a table of its own, for a gradient that was added up elsewhere."""

    def __init__(self, network: Network, buffers: Buffers, optimiser: Optimiser) -> None:
        self.tables = {
            node.name: node.layer
            for node in network.nodes
            if isinstance(node.layer, Embedding) and node.layer.trainable
        }
        self._rows = {n: np.zeros(layer.words, np.int32) for n, layer in self.tables.items()}
        self._counts = {name: np.zeros(1, np.int64) for name in self.tables}
        touched = {name: Touched(rows, self._counts[name]) for name, rows in self._rows.items()}
        tape = Tape()
        update(tape, buffers, optimiser, touched)
        self._memory = make_arena(max(tape.plan_memory(), 64))
        self._table = tape.build(self._memory)

    def touched(self, inputs: Array) -> list[Array]:
        """For each table of words, which of its rows these inputs read: 1 or 0."""
        found = []
        for layer in self.tables.values():
            mask = np.zeros(layer.words, np.float32)
            end = None if layer.places is None else layer.begin + layer.places
            mask[inputs[:, layer.begin : end].reshape(-1)] = 1
            if layer.padding_index is not None:
                mask[layer.padding_index] = 0
            found.append(mask)
        return found

    def run(self, threads: int, touched: list[Array]) -> None:
        """Change the parameters by the gradient as it stands."""
        for name, mask in zip(self.tables, touched, strict=True):
            rows = np.flatnonzero(mask)
            self._rows[name][: len(rows)] = rows
            self._counts[name][0] = len(rows)
        self._table.run(threads)


def shared_step(
    engine: NativeEngine, group: Group, inputs: Array, labels: Array, randomness: Randomness
) -> StepResult:
    """Forward and backward on this process's share, one sum over all, the same step in each.

    Batch norms normalise each share by itself; their running statistics are the mean over the
    processes, by their numbers of examples.
    """
    check_inputs(engine.network, inputs)
    buffers, count = engine.buffers, len(inputs)
    buffers.gradient[:] = 0
    weight, loss, correct = 0.0, 0.0, 0
    if count:
        check_labels(engine.network, labels, count)
        weight, loss, correct = engine.learn_share(inputs, labels, randomness)
    change = engine.shared_update()
    sums = Sums(group, buffers.gradient * weight, buffers.fixed * count, *change.touched(inputs))
    gradient, fixed, *touched, totals = sums.add_up(loss * weight, weight, correct, count)
    loss, weight, correct, count = totals[0], totals[1], round(totals[2]), round(totals[3])
    if weight:
        buffers.gradient[:] = gradient / weight
    if count:
        buffers.fixed[:] = fixed / count
    change.run(engine.threads, touched)
    return StepResult(loss / weight if weight else 0.0, correct, count)
