"""Explanations as pictures: a function for each, by name; numbers come from the lens."""

from __future__ import annotations

from collections.abc import Callable

from beak.cli.canvas import Canvas
from beak.cli.colours import Array, Bounds
from beak.cli.explain_heat import alike, forgives, moved
from beak.cli.explain_maps import activations, filters, looks_for, patches
from beak.cli.explain_sums import arithmetic, twin
from beak.lens.explanation import Explanation

TITLES = {
    "moved": "What moved the answer",
    "activations": "What every layer makes of it",
    "arithmetic": "How this number came about",
    "forgives": "What pooling forgives",
    "filters": "Filters",
    "twin": "The fully connected twin",
    "looks-for": "What it looks for",
    "patches": "Strongest patches",
    "alike": "How alike, how dead",
}


PICTURES: dict[str, Callable[[Canvas, Explanation, Array | None, Bounds], None]] = {
    "moved": moved,
    "activations": activations,
    "arithmetic": arithmetic,
    "forgives": forgives,
    "filters": filters,
    "twin": twin,
    "looks-for": looks_for,
    "patches": patches,
    "alike": alike,
}
"""How each explanation is drawn."""


def draw(told: Explanation, inputs: Array | None = None, bounds: Bounds = None) -> Canvas:
    """The picture of an explanation; ``inputs`` (*shape): what was looked at."""
    sheet = Canvas()
    sheet.heading(TITLES[told.what])
    sheet.paragraph(told.caption)
    sheet.y += 8
    PICTURES[told.what](sheet, told, inputs, bounds)
    return sheet
