"""A recipe and a list of words, in few words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from beak.cli.console import count, how_many


def recipe_lines(recipe: Mapping[str, Any]) -> list[str]:
    """What a reader of the screen wants to know of ``Recipe.to_json()``; the file has the rest."""
    optimiser, schedule, loss = recipe["optimiser"], recipe["schedule"], recipe["loss"]
    drawn = f" of {count(recipe['sample'])} drawn anew" if recipe.get("sample") else ""
    lines = [f"{how_many(recipe['epochs'], 'epoch')}{drawn} in batches of {recipe['batch']}, "
             f"seed {recipe['seed']}"]  # fmt: skip
    learning = [f"{optimiser['kind']} at {optimiser['learning_rate']:g}, {schedule['kind']}"]
    if optimiser["weight_decay"]:
        learning.append(f"weight decay {optimiser['weight_decay']:g}")
    if loss["label_smoothing"]:
        learning.append(f"label smoothing {loss['label_smoothing']:g}")
    if recipe["average"]:
        learning.append(f"weights averaged at {recipe['average']:g}")
    lines.append(", ".join(learning))
    changes = [
        name if value is True else f"{name} {plain(value)}"
        for name, value in recipe["augmentation"].items()
        if value and not isinstance(value, str)
    ]
    lines.append(("augmentation: " + ", ".join(changes)) if changes else "no augmentation")
    return [line.replace("_", " ") for line in lines]


def plain(value: Any) -> str:
    """A number, or several, as one types them."""
    if isinstance(value, (list, tuple)):
        return " to ".join(plain(one) for one in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def shortened(words: Sequence[str], most: int) -> str:
    """'cat, dog, … (120 in all)'."""
    if len(words) <= most:
        return ", ".join(words)
    return f"{', '.join(words[:most])}, … ({count(len(words))} in all)"
