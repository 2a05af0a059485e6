"""What moved an answer, what a shift changes, which units are idle."""

from __future__ import annotations

from typing import Any

import numpy as np

from beak.cli.canvas import Canvas, bars, fitting
from beak.cli.colours import (
    BLUE,
    EMPTY,
    INK,
    LINE,
    MARGIN,
    ORANGE,
    PALE,
    Array,
    Bounds,
    as_rgb,
    on,
    shades,
)
from beak.cli.explain_board import boards
from beak.lens.explanation import Explanation


def moved(sheet: Canvas, told: Explanation, inputs: Array | None, bounds: Bounds) -> None:
    """The input beside its heat: a picture, a board, a time-frequency plane, or words."""
    heat, signed = told["heat"], bool(told.facts["signed"])
    most = float(np.abs(heat).max(initial=0)) or 1.0
    words = told.facts.get("input", {}).get("places") or ()
    if told.facts["where"] == "words":
        _words(sheet, heat, list(words), most)
        return
    if heat.ndim == 1:
        _line(sheet, heat, most)
        return
    base = None
    if inputs is not None and inputs.shape[1:] == heat.shape:
        base = as_rgb(inputs, *(bounds or (None, None)))
    kind = told.facts.get("input", {}).get("kind")
    what = "for the answer (orange), against it (blue)" if signed else "how much each place counts"
    if kind == "go" and inputs is not None and inputs.shape[1:] == heat.shape:
        boards(sheet, inputs, heat, signed, most)
        sheet.legend(-most if signed else 0, most, signed, what)
        return
    sound = kind == "sounds"
    if sound:  # as spectrograms are read: time to the right, high notes above
        heat = heat.T[::-1]
        base = None if base is None else base.transpose(1, 0, 2)[::-1]
    columns = 1 if base is None else 3
    side = min(340.0, (sheet.inner - 2 * 20) / max(columns, 2))
    tall = side * heat.shape[0] / heat.shape[1]
    said = ("the input", "what moved the answer", "both") if base is not None else ("",)
    pictures = [shades(heat, signed, most)]
    if base is not None:
        strength = np.clip(np.abs(heat) / most, 0, 1)[..., None] ** 0.8
        grey = base.mean(2, keepdims=True) * 0.3 + 255 * 0.65
        mixed = grey * (1 - strength) + pictures[0] * strength
        pictures = [base, pictures[0], mixed.astype(np.uint8)]
    for k, (picture, name) in enumerate(zip(pictures, said, strict=True)):
        x = MARGIN + k * (side + 20)
        sheet.text(x, sheet.y, name, 12, PALE)
        sheet.tile(x, sheet.y + 20, picture, side, tall)
    sheet.y += tall + 36
    if sound:
        sheet.paragraph("Time goes to the right, from low bands to high ones upward.", 12)
    sheet.legend(-most if signed else 0, most, signed, what)


def _words(sheet: Canvas, heat: Array, words: list[str], most: float) -> None:
    """The text, each word on its colour, and bars of the words that counted most."""
    x = float(MARGIN)
    names = words or [str(k) for k in range(len(heat))]
    for value, word in zip(heat, names, strict=False):
        wide = sheet.length(word, 17) + 10
        if x + wide > sheet.width - MARGIN:
            x, sheet.y = float(MARGIN), sheet.y + 32
        much = min(1.0, abs(float(value)) / most)
        colour = shades(np.array([[value]]), True, most)[0, 0] if much > 0.04 else np.array(EMPTY)
        fill = int(colour[0]), int(colour[1]), int(colour[2])
        sheet.box(x, sheet.y, wide, 27, fill)
        sheet.text(x + 5, sheet.y + 4, word, 17, on(fill))
        x += wide + 4
    sheet.y += 44
    sheet.legend(-most, most, True, "for the answer (orange), against it (blue)")
    sheet.y += 6
    ranked = {f"{w}  ({k})": float(v) for k, (w, v) in enumerate(zip(names, heat, strict=False))}
    bars(sheet, ranked, "words that counted most", most=12)


def _line(sheet: Canvas, heat: Array, most: float) -> None:
    """Numbers along one axis as bars from the middle."""
    middle, half = sheet.y + 90, 84
    wide = sheet.inner / len(heat)
    for k, value in enumerate(heat):
        tall = float(abs(value)) / most * half
        y = middle - tall if value >= 0 else middle
        sheet.box(
            MARGIN + k * wide, y, max(0.5, wide), max(0.5, tall), ORANGE if value >= 0 else BLUE
        )
    sheet.box(MARGIN, middle, sheet.inner, 0.5, LINE)
    sheet.y += 190
    sheet.text(MARGIN, sheet.y, "0", 11, PALE)
    sheet.text(sheet.width - MARGIN, sheet.y, f"{len(heat) - 1:,}", 11, PALE, "ra")
    sheet.y += 20


def forgives(sheet: Canvas, told: Explanation, inputs: Array | None, bounds: Bounds) -> None:
    """A bar for each layer: how far its output moves, in shares of its own size."""
    change = told["change"]
    largest = float(np.nanmax(np.where(np.isfinite(change), change, 0), initial=0)) or 1.0
    names = [row["name"] for row in told.facts["layers"]]
    left = min(300.0, max(sheet.length(name, 12) for name in names)) + MARGIN + 12
    room = sheet.width - MARGIN - left - 120
    for row, each in zip(told.facts["layers"], change, strict=True):
        pools = "Pool" in row["kind"]
        sheet.text(
            left - 10, sheet.y, fitting(sheet, row["name"], left - MARGIN - 10), 12, INK, "ra"
        )
        mean = float(each.mean())
        sheet.box(
            left,
            sheet.y + 2,
            max(0.5, mean / largest * room),
            12,
            BLUE if pools else (160, 174, 190),
        )
        for way in each:
            sheet.box(left + float(way) / largest * room, sheet.y, 1, 16, INK)
        sheet.text(
            left + float(each.max()) / largest * room + 8, sheet.y, f"{100 * mean:.0f} %", 12, PALE
        )
        sheet.y += 22
    sheet.y += 6
    ways = ", ".join(told.facts["ways"])
    sheet.paragraph(f"Bars: the mean over {ways}; strokes: each of them; blue: pooling layers.", 12)


def alike(sheet: Canvas, told: Explanation, inputs: Array | None, bounds: Bounds) -> None:
    """For each layer a stroke for each unit: how often it is active, what is lost without it."""
    accuracy = told.facts.get("accuracy")
    for row in told.facts["layers"]:
        name, units = row["layer"], row["units"]
        said = f"{units} units, {len(row['dead'])} dead, {len(row['alike'])} pairs alike"
        sheet.text(MARGIN, sheet.y, name, 14)
        sheet.text(MARGIN + sheet.length(name, 14) + 12, sheet.y + 1, said, 12, PALE)
        sheet.y += 26
        active = told[f"{name}.active"]
        _strokes(sheet, active, 1.0, "share of the time above 0, up to 1", (0, 140, 130))
        without = told.arrays.get(f"{name}.without")
        if accuracy is not None and without is not None and without.min() < accuracy:
            lost = np.maximum(accuracy - without, 0)
            worst = int(lost.argmax())
            said = f"accuracy lost without it; most: unit {worst}, {100 * lost[worst]:.1f} points"
            _strokes(sheet, lost, float(lost.max()), said, ORANGE)
        sheet.y += 8
    if accuracy is not None:
        sheet.paragraph(f"Accuracy with all of them: {100 * accuracy:.1f} %.", 12)


def _strokes(sheet: Canvas, values: Array, most: float, said: str, colour: Any) -> None:
    """A bar for each unit, side by side, in the order of their numbers."""
    wide = min(16.0, sheet.inner / len(values))
    sheet.box(MARGIN, sheet.y, wide * len(values), 40, (247, 248, 250))
    for k, value in enumerate(values):
        tall = 40 * float(value) / (most or 1.0)
        edge = 1 if wide >= 4 else 0
        sheet.box(
            MARGIN + k * wide, sheet.y + 40 - tall, max(0.5, wide - edge), max(tall, 0.5), colour
        )
    sheet.y += 44
    sheet.text(MARGIN, sheet.y, said, 12, PALE)
    sheet.y += 22
