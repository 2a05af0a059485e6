"""Which networks fit texts, and as what each reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from beak.data.text_spec import FIRST_WORD, TextSpec
from beak.errors import ShapeError, UsageError
from beak.network.layers import Embedding
from beak.network.named import CATALOGUE
from beak.network.network import Network

UNITS = {
    "sentence": "words", "sentence-wide": "words", "sentence-pairs": "pairs", "characters": "bytes",
}  # fmt: skip
"""What the catalogue's networks for texts read."""


def unit_for(wanted: Network | str, values: Mapping[str, Any]) -> dict[str, Any]:
    """What a text is read as, where the network says it and the user does not."""
    if values.get("data.unit", "auto") != "auto":
        return {}
    if isinstance(wanted, Network):
        return {"data.unit": "words"} if len(wanted.input) == 1 else {}
    unit = UNITS.get(wanted.split()[0] if wanted.split() else "")
    return {"data.unit": unit} if unit else {}


def check_named(name: str, spec: TextSpec) -> None:
    """Raises UsageError where texts are read as something that the network cannot read."""
    if not CATALOGUE[name].words:
        known = ", ".join(other for other, entry in CATALOGUE.items() if entry.words)
        raise UsageError(f"network {name!r} is not for texts; those for texts: {known}")
    unit = UNITS.get(name, "words")
    if spec.unit != unit and unit != "words":
        raise UsageError(
            f"network {name!r} reads {unit}, the texts here are read as {spec.unit}; train it by "
            f"itself: --network {name}"
        )


def check_own(network: Network, spec: TextSpec) -> None:
    """Raises ShapeError where a table of word vectors is too short for the vocabulary."""
    for node in network.nodes:
        layer = node.layer
        if isinstance(layer, Embedding) and layer.begin == 0 and layer.words < spec.numbers:
            raise ShapeError(
                f"{node.name}: {layer.words:,} word vectors, but the texts have {spec.numbers:,} "
                f"numbers; Embedding({spec.numbers}, …) or --set data.words="
                f"{max(1, layer.words - FIRST_WORD)}"
            )
