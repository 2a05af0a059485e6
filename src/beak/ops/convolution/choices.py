"""The limits at which one row of convolutions becomes faster than another, by instruction set.

They lie in ``choices.json``, which ``benchmarks/choices.py`` measures and writes. A set that was
not measured names another whose vectors are as wide. With them the choice of a row is a pure
function of shape and instruction set, the same on every machine.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PATH = Path(__file__).with_name("choices.json")


@dataclass(frozen=True)
class Choices:
    """One instruction set's limits."""

    transform: dict[str, tuple[float, float]]
    """By "forward" (and input gradient) and "weights": what Winograd's transforms cost for each
    value they make, in multiply-adds, of tiles of 2 and of 4 outputs."""
    few_channels: int
    """Up to so many channels a pooled weight gradient goes over vectors of filters."""
    slide_transform: float
    """What the transforms along rows cost for each value they read, in multiply-adds."""
    slide_work: float
    """Up to this share of the direct work a window slides along a sequence by Winograd."""


@functools.cache
def choices(isa: str) -> Choices:
    """The limits that hold on an instruction set.

    >>> choices("neon") == choices("v2")
    True
    """
    table: dict[str, Any] = json.loads(PATH.read_text())
    row = table[isa]
    if isinstance(row, str):
        return choices(row)
    costs = {
        purpose: (float(two), float(four)) for purpose, (two, four) in row["transform"].items()
    }
    return Choices(
        costs, int(row["few_channels"]), float(row["slide_transform"]), float(row["slide_work"])
    )
