"""The compiled kernel for numbers that move, and the tables that say whence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from beak.ops.kernel import Kernel, structure

Array = np.ndarray[Any, Any]
MixRowsArgs = structure(
    "MixRowsArgs",
    "ptr:x ptr:y ptr:starts ptr:sources ptr:weights int:images int:in_rows int:out_rows int:width",
)
MIX_ROWS = (Kernel("mix_rows", MixRowsArgs),)


@dataclass(frozen=True, eq=False)
class Taps:
    """Output row o: the sum of weights[k] x input row sources[k], k in starts[o]:starts[o + 1]."""

    inputs: int
    starts: Array
    """int32 (outputs + 1,)."""
    sources: Array
    """int32."""
    weights: Array
    """float32."""

    @property
    def outputs(self) -> int:
        """How many rows come out."""
        return len(self.starts) - 1

    def turned(self) -> Taps:
        """The way back: what each input row went to."""
        rows = np.repeat(np.arange(self.outputs), np.diff(self.starts))
        order = np.argsort(self.sources, kind="stable")
        return Taps(
            self.outputs, _starts(self.sources, self.inputs),
            rows[order].astype(np.int32), self.weights[order],
        )  # fmt: skip


def _starts(rows: Array, count: int) -> Array:
    return np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=count))]).astype(np.int32)


def taps_of(matrices: Sequence[Array]) -> Taps:
    """What goes through a matrix along each axis, as one table of places."""
    rows = sources = np.zeros(1, np.int64)
    weights, outputs, inputs = np.ones(1), 1, 1
    for matrix in matrices:
        out, into = np.nonzero(matrix)
        rows = (rows[:, None] * matrix.shape[0] + out).ravel()
        sources = (sources[:, None] * matrix.shape[1] + into).ravel()
        weights = (weights[:, None] * matrix[out, into]).ravel()
        outputs, inputs = outputs * matrix.shape[0], inputs * matrix.shape[1]
    order = np.argsort(rows, kind="stable")
    return Taps(
        inputs, _starts(rows, outputs),
        sources[order].astype(np.int32), weights[order].astype(np.float32),
    )  # fmt: skip


def taps_from(sources: Array) -> Taps:
    """Each output one input: a permutation of rows."""
    count = len(sources)
    return Taps(
        count, np.arange(count + 1, dtype=np.int32),
        np.asarray(sources, np.int32), np.ones(count, np.float32),
    )  # fmt: skip
