"""Networks by name for any input shape and number of classes, and the choice of one (auto)."""

from __future__ import annotations

from beak.network.auto import Choice, choose_network
from beak.network.named import CATALOGUE, Entry, make_network

__all__ = ["CATALOGUE", "Choice", "Entry", "choose_network", "make_network"]
