"""Boards of Go with a heat on their points."""

from __future__ import annotations

import numpy as np

from beak.cli.canvas import Canvas
from beak.cli.colours import INK, LINE, MARGIN, PALE, PAPER, Array, shades

WOOD = (250, 243, 228)
GRID = (176, 160, 130)
COLUMNS = "ABCDEFGHJKLMNOPQRSTUVWXYZ"
"""Columns as players call them: there is no I."""


def boards(sheet: Canvas, inputs: Array, heat: Array, signed: bool, most: float) -> None:
    """The position, and beside it what moved the answer on every point.

    ``inputs`` (planes, side, side): of several planes the first two are the stones of the player to
    move and the opponent's; one plane alone has 1 for Black and -1 for White.
    """
    own, other = (
        (inputs[0] > 0, inputs[0] < 0) if len(inputs) == 1 else (inputs[0] > 0, inputs[1] > 0)
    )
    side = (sheet.inner - 40) / 2
    for place, name in enumerate(("the position", "what moved the answer")):
        x = MARGIN + place * (side + 40)
        sheet.text(x, sheet.y, name, 12, PALE)
        board(sheet, x, sheet.y + 20, side, own, other, heat if place else None, signed, most)
    sheet.y += side + 32
    who = "Black" if len(inputs) == 1 else "the player to move"
    against = "White" if len(inputs) == 1 else "the opponent"
    sheet.paragraph(f"Dark stones: {who}; light stones: {against}.", 12)


def board(
    sheet: Canvas,
    x: float,
    y: float,
    side: float,
    own: Array,
    other: Array,
    heat: Array | None,
    signed: bool,
    most: float,
) -> None:
    """One board: lines, a square of colour on each point, stones small where there is heat."""
    points = len(own)
    step = side / (points + 1)
    sheet.box(x, y, side, side, WOOD, LINE)
    for k in range(points):
        at = (k + 1) * step
        sheet.box(x + step, y + at, side - 2 * step, 0.5, GRID)
        sheet.box(x + at, y + step, 0.5, side - 2 * step, GRID)
        sheet.text(x + at, y + 1, COLUMNS[k], 8, PALE, "ma")
        sheet.text(x + 3, y + at, str(points - k), 8, PALE, "lm")
    colours = None if heat is None else shades(heat, signed, most)
    for row, column in np.ndindex(own.shape):
        middle = x + (column + 1) * step, y + (row + 1) * step
        if colours is not None and heat is not None and abs(heat[row, column]) > 0.03 * most:
            red, green, blue = (int(c) for c in colours[row, column])
            corner = middle[0] - step / 2, middle[1] - step / 2
            sheet.box(*corner, step, step, (red, green, blue))
        if own[row, column] or other[row, column]:
            size = step * (0.46 if colours is None else 0.26)
            sheet.disc(*middle, size, INK if own[row, column] else PAPER, INK)
