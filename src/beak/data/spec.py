"""How one raw input becomes the network's input array: chosen once, stored with the run, used ever
after. One class for each kind of input; `beak.data.kinds` knows them all.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from beak.errors import DataError, did_you_mean

if TYPE_CHECKING:
    from beak.data.dataset import Part

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class InputSpec(ABC):
    """What every kind's spec has; its fields are plain values that go to JSON and back."""

    kind: str
    """A name in `beak.data.kinds`."""
    shape: tuple[int, ...]
    """The network's input, without the batch."""

    @abstractmethod
    def prepare(self, stored: Array) -> Array:
        """Stored rows (N, …), as the cache and ``load_raw`` give them, as float32 (N, *shape)."""

    @abstractmethod
    def describe(self) -> str:
        """One line for people."""

    @property
    def network_options(self) -> Mapping[str, Any]:
        """What a network of the catalogue must know besides the shape."""
        return {}

    @property
    def recipe_values(self) -> dict[str, Any]:
        """The recipe's [data] keys, dotted, that bring this spec again."""
        return {"data.kind": self.kind}

    def fitted(self, parts: dict[str, Part]) -> tuple[InputSpec, dict[str, Part]]:
        """The spec, and the parts as it stores them, with what it learns from the training part.

        Called whenever examples are dealt out anew, as for folds, so that nothing of a test part
        is known in training.
        """
        return self, parts

    @property
    def bounds(self) -> tuple[Array, Array] | None:
        """The least and the greatest value of each channel (C,); None where there are none."""
        return None

    def place_names(self, row: Array, raw: Any = None) -> tuple[str, ...]:
        """What the places of a stored row are called, such as its words; nothing for pictures.

        ``raw``: what the row was made from, where that is known.
        """
        return ()

    def by_name(self, heat: Array, row: Array) -> Array:
        """A number for each place of the input as one for each name; as it is for most kinds."""
        return heat

    def difference(self, other: InputSpec) -> str:
        """How ``other`` prepares inputs differently from this, as a line; "" where it does not."""
        return "" if self == other else f"prepared as: {other.describe()}; here: {self.describe()}"

    def to_json(self) -> dict[str, Any]:
        """A dict of plain values; ``from_json`` gives the same spec back."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The spec from ``to_json``'s dict; anything else raises DataError with what is wrong."""
        return cls(**cls.checked_fields(data))

    @classmethod
    def checked_fields(cls, data: Mapping[str, Any]) -> dict[str, Any]:
        """The dict, if its names are this class's fields, all of them; lists become tuples."""
        known = [f.name for f in fields(cls)]
        for name in data:
            if name not in known:
                raise DataError(f"input: no field {name!r}{did_you_mean(str(name), known)}")
        for name in known:
            if name not in data:
                raise DataError(f"input: the field {name!r} is missing")
        return {k: tuple(v) if isinstance(v, list | tuple) else v for k, v in data.items()}
