"""What weights may be: ``keras.constraints``."""

from __future__ import annotations

from typing import Any

from beak.keras.config import missing
from beak.keras.named import (
    CONSTRAINTS,
    Constraint,
    MaxNorm,
    MinMaxNorm,
    NonNeg,
    UnitNorm,
    found,
)

max_norm = maxnorm = MaxNorm
non_neg, unit_norm, min_max_norm = NonNeg, UnitNorm, MinMaxNorm


def get(identifier: Any) -> Constraint | None:
    """A constraint from a name, an object or a config."""
    return found(identifier, Constraint, CONSTRAINTS, "constraint")


__all__ = ["Constraint", "MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm", "get", "max_norm"]
__getattr__ = missing("constraints", __all__, {})
