"""What the lens is given: one raw input as the network reads it, or many examples by number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from beak.data.kinds import kind_of
from beak.data.spec import InputSpec
from beak.errors import DataError
from beak.runs.files import Array
from beak.runs.predictor import name_of
from beak.runs.safe import one_line

if TYPE_CHECKING:
    from beak.data.dataset import Part


@dataclass(frozen=True, eq=False)
class OpenedInput:
    """One raw input, prepared exactly as for prediction."""

    name: str
    inputs: Array
    """(1, *shape), as the engine takes it."""
    kind: str
    """"pictures", "texts", …"""
    row: Array
    """As it is stored."""
    spec: InputSpec
    places: tuple[str, ...] = ()
    """What the input's places are called, such as words; empty where they have no names."""
    notes: tuple[str, ...] = ()
    """What was done to it that a user may not expect, a line each."""

    def by_name(self, heat: Array) -> Array:
        """A number for each place as one for each of ``places``."""
        return self.spec.by_name(heat, self.row)


@dataclass(frozen=True, eq=False)
class Examples:
    """Examples by number, prepared when they are fetched."""

    part: Part
    spec: InputSpec
    chosen: Array
    """int64: the place of each in the part."""

    def __len__(self) -> int:
        return len(self.chosen)

    @property
    def labels(self) -> Array:
        """int32 (N,): each one's answer."""
        return np.asarray(self.part.labels)[self.chosen]

    def fetch(self, numbers: Array) -> Array:
        """The examples of these numbers as the engine takes them (B, *shape)."""
        return self.spec.prepare(np.asarray(self.part.inputs[self.chosen[numbers]]))

    def names(self, numbers: Sequence[int]) -> list[str]:
        """What they are called: paths, or "train[17]"."""
        return [self.part.names[int(self.chosen[number])] for number in numbers]


def open_input(spec: InputSpec, raw: Any) -> OpenedInput:
    """One raw input (path, bytes, array, …). Raises DataError when it cannot be read as one."""
    kind = kind_of(spec.kind)
    try:
        row, notes = kind.load_raw(raw, spec, kind.one)
    except OSError as error:
        said = one_line(error.strerror or error)
        raise DataError(f"{name_of(raw)} could not be read: {said}") from None
    inputs = spec.prepare(row[None])
    places = spec.place_names(row, raw)
    record = raw[0] if isinstance(raw, tuple) and len(raw) == 2 else raw  # Go: (record, move)
    return OpenedInput(name_of(record), inputs, spec.kind, row, spec, places, notes)


def spread(part: Part, spec: InputSpec, most: int | None) -> Examples:
    """The part's examples; at most so many, spread evenly over it."""
    there = len(part)
    count = there if most is None else min(most, there)
    chosen = np.unique(np.linspace(0, there - 1, count).astype(np.int64))
    return Examples(part, spec, chosen)
