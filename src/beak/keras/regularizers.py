"""Penalties on weights: ``keras.regularizers``."""

from __future__ import annotations

from typing import Any

from beak.keras.config import missing
from beak.keras.named import L1, L1L2, L2, REGULARIZERS, Regularizer, found

l1, l2 = L1, L2


def l1_l2(l1: float = 0.01, l2: float = 0.01) -> L1L2:
    """Both."""
    return L1L2(l1, l2)


def get(identifier: Any) -> Regularizer | None:
    """A regularizer from a name, an object or a config."""
    return found(identifier, Regularizer, REGULARIZERS, "regularizer")


__all__ = ["L1", "L1L2", "L2", "Regularizer", "get", "l1", "l1_l2", "l2"]
__getattr__ = missing("regularizers", __all__, {"OrthogonalRegularizer": "L2"})
