"""A cell's sum as one writes it on paper, and a convolution as a matrix."""

from __future__ import annotations

import numpy as np

from beak.cli.canvas import Canvas
from beak.cli.colours import (
    BLUE,
    INK,
    LINE,
    MARGIN,
    ORANGE,
    PALE,
    Array,
    Bounds,
    number,
    on,
    shades,
)
from beak.lens.explanation import Explanation


def arithmetic(sheet: Canvas, told: Explanation, inputs: Array | None, bounds: Bounds) -> None:
    """Window, weights and products as grids with numbers; the sum; the largest terms."""
    facts = told.facts
    window = facts.get("window")
    if window is not None and facts["how"] == "sum" and np.prod(window) == len(told["product"]):
        _grids(sheet, told, tuple(int(n) for n in window))
    _sum(sheet, told)
    order = np.argsort(-np.abs(told["product"]), kind="stable")[:12]
    if facts["kind"].endswith(("MaxPool1D", "MaxPool2D", "GlobalMaxPool")):
        order = np.argsort(-told["input"] * told["inside"], kind="stable")[:12]
    sheet.text(MARGIN, sheet.y, f"The {len(order)} largest of {len(told['product'])} terms", 14)
    sheet.y += 26
    largest = float(np.abs(told["product"]).max(initial=0)) or 1.0
    for k in order:
        source = facts["sources"][int(told["source"][k])]
        place = ", ".join(str(int(i)) for i in told["index"][k][: len(source["shape"])])
        cell = f"{source['name']}[{place}]" if told["inside"][k] else "padding"
        sheet.text(MARGIN, sheet.y, cell, 12)
        said = f"{number(told['input'][k])} x {number(told['weight'][k])}"
        sheet.text(MARGIN + 330, sheet.y, said, 12, PALE, "ra")
        sheet.text(MARGIN + 420, sheet.y, f"= {number(told['product'][k])}", 12, INK, "ra")
        _signed_bar(sheet, MARGIN + 560, float(told["product"][k]) / largest, 120)
        sheet.y += 20


def _grids(sheet: Canvas, told: Explanation, window: tuple[int, ...]) -> None:
    """Input, weight and product of the channels that count most, cell by cell."""
    depth, rows, columns = window if len(window) == 3 else (window[0], 1, window[1])
    parts = {n: told[n].reshape(depth, rows, columns) for n in ("input", "weight", "product")}
    inside = told["inside"].reshape(depth, rows, columns)
    weigh = np.abs(parts["product"]).sum((1, 2))
    chosen = np.sort(np.argsort(-weigh, kind="stable")[:3])
    cell = min(46.0, 236 / columns, 240 / rows)
    for channel in chosen:
        if depth > 1:
            first = told.facts.get("channels", [0])[0]
            said = f"channel {int(channel) + int(first)}: {number(parts['product'][channel].sum())}"
            sheet.text(MARGIN, sheet.y, said, 13)
            sheet.y += 22
        for place, (name, sign) in enumerate((("input", "x"), ("weight", "="), ("product", ""))):
            x = MARGIN + place * (cell * columns + 46)
            values = parts[name][channel]
            most = float(np.abs(parts[name]).max(initial=0)) or 1.0
            colours = shades(np.where(inside[channel], values, np.nan), True, most)
            sheet.tile(x, sheet.y + 18, colours, cell * columns, cell * rows)
            sheet.text(
                x, sheet.y, {"input": "inputs", "weight": "weights"}.get(name, "products"), 12, PALE
            )
            for (i, j), value in np.ndenumerate(values):
                if cell >= 30:
                    fill = colours[i, j]
                    shown = number(round(float(value), 2)) if inside[channel, i, j] else "pad"
                    middle = x + (j + 0.5) * cell, sheet.y + 18 + (i + 0.5) * cell
                    sheet.text(
                        *middle, shown, 11, on((int(fill[0]), int(fill[1]), int(fill[2]))), "mm"
                    )
            if sign:
                middle = x + cell * columns + 23, sheet.y + 18 + rows * cell / 2
                sheet.text(*middle, sign, 18, PALE, "mm")
        sheet.y += rows * cell + 34
    if depth > len(chosen):
        rest = parts["product"].sum() - parts["product"][chosen].sum()
        sheet.paragraph(f"The other {depth - len(chosen)} channels add {number(rest)}.")


def _sum(sheet: Canvas, told: Explanation) -> None:
    """The last lines of the sum, as one writes them on paper."""
    facts = told.facts
    products = float(told["product"].sum())
    lines = (
        [("products", products)] if facts["how"] == "sum" else [(facts["formula"], facts["sum"])]
    )
    lines += [(c["name"], c["value"]) for c in facts["constants"]]
    if facts["constants"] or facts["how"] != "sum":
        lines.append(("sum", facts["sum"]))
    if facts["activation"]:
        lines.append((f"{facts['activation']['function']} of it", facts["value"]))
    lines.append(("the engine's number", facts["engine"]))
    if facts["fast"] is not None:
        lines.append(("the same when predicting", facts["fast"]))
    for name, value in lines:
        if name == "sum":
            sheet.box(MARGIN, sheet.y - 2, 330, 1, LINE)
        sheet.text(MARGIN, sheet.y + 2, name, 13, PALE)
        sheet.text(MARGIN + 330, sheet.y + 2, f"{value:.6g}", 13, INK, "ra")
        sheet.y += 22
    sheet.y += 12


def _signed_bar(sheet: Canvas, x: float, share: float, half: float) -> None:
    """A bar from the middle: orange to the right, blue to the left."""
    wide = abs(share) * half
    sheet.box(x if share >= 0 else x - wide, sheet.y + 2, wide, 11, ORANGE if share >= 0 else BLUE)
    sheet.box(x, sheet.y, 0.5, 15, LINE)


def twin(sheet: Canvas, told: Explanation, inputs: Array | None, bounds: Bounds) -> None:
    """The matrix: a row for each output, the same colour for the same weight."""
    facts = told.facts
    edges = facts["edges"]
    rows, columns = facts["rows"], facts["columns"]
    height, width = rows[1] - rows[0], columns[1] - columns[0]
    colours = np.full((height, width, 3), 250, np.uint8)
    palette = _palette()
    at = told["row"] - rows[0], told["column"] - columns[0]
    first = told["shared"] % max(1, edges["shared"])
    colours[at] = palette[first % len(palette)]
    cell = max(1.0, min(14.0, (sheet.inner - 60) / width, 620 / height))
    sheet.text(
        MARGIN + 60,
        sheet.y,
        f"inputs {columns[0]:,} to {columns[1] - 1:,} of {facts['all_columns']:,}",
        12,
        PALE,
    )
    sheet.y += 20
    sheet.text(MARGIN, sheet.y, "outputs", 12, PALE)
    sheet.text(MARGIN, sheet.y + 16, f"{rows[0]:,} to {rows[1] - 1:,}", 12, PALE)
    sheet.text(MARGIN, sheet.y + 32, f"of {facts['all_rows']:,}", 12, PALE)
    sheet.tile(MARGIN + 84, sheet.y, colours, min(cell * width, sheet.inner - 84), cell * height)
    sheet.y += cell * height + 16
    counts = {
        "fully connected": float(edges["all"]),
        "edges kept": float(edges["kept"]),
        "different weights": float(edges["shared"]),
    }
    for name, value in counts.items():
        sheet.text(MARGIN, sheet.y, name, 13, PALE)
        sheet.text(MARGIN + 260, sheet.y, f"{value:,.0f}", 13, INK, "ra")
        sheet.y += 21
    sheet.paragraph("A colour stands for one weight; white cells are edges that are not there.", 12)


def _palette() -> Array:
    """Colours that stay apart for the colour-blind: dark and light, blue, orange, violet."""
    return np.array(
        [
            (0, 90, 160), (230, 120, 20), (120, 190, 230), (130, 60, 0), (110, 110, 125),
            (245, 195, 90), (80, 50, 130), (0, 140, 130), (200, 160, 210),
        ],
        np.uint8,
    )  # fmt: skip
