"""Layers, filters, wanted inputs and patches as tiles of colours."""

from __future__ import annotations

import numpy as np

from beak.cli.canvas import Canvas, bars
from beak.cli.colours import MARGIN, PALE, Array, Bounds, as_maps, as_rgb, grid_of, number, shades
from beak.lens.ask import phrase
from beak.lens.explanation import Explanation

MOST_MAPS = 13
"""Maps of a layer that are drawn where all layers are."""
GAP = 6


def activations(sheet: Canvas, told: Explanation, inputs: Array | None, bounds: Bounds) -> None:
    """A row of maps for each layer, the first ones; one layer alone shows all."""
    layers = told.facts["layers"]
    sound = told.facts.get("input", {}).get("kind") == "sounds"
    for row in layers:
        values = told[row["name"]]
        shape = " x ".join(map(str, row["shape"]))
        said = f"{shape}   {number(row['least'])} to {number(row['greatest'])}"
        said += f"   {100 * row['zeros']:.0f} % zeros"
        sheet.text(MARGIN, sheet.y, row["name"], 14)
        after = MARGIN + sheet.length(row["name"], 14) + 12
        sheet.text(after, sheet.y + 1, f"{row['kind']}   {said}", 12, PALE)
        sheet.y += 24
        picture = as_rgb(values, *(bounds or (None, None))) if row["name"] == "input" else None
        maps = as_maps(values if values.dtype.kind == "f" else values.astype(np.float32))
        if sound and values.ndim == 3:  # time to the right, high notes above
            maps = maps.transpose(0, 2, 1)[:, ::-1]
            picture = None if picture is None else picture.transpose(1, 0, 2)[::-1]
        _maps(sheet, maps, picture, all_of_them=len(layers) == 1)
    answers = told.facts["answers"]
    bars(sheet, {k: float(v) for k, v in answers.items()}, "the answers", most=10)


def _maps(sheet: Canvas, maps: Array, picture: Array | None, all_of_them: bool) -> None:
    """Tiles in rows; dense layers as one strip."""
    if picture is not None:
        maps = maps[:1]
    count, height, width = maps.shape
    signed = bool(np.nanmin(maps, initial=0) < 0)
    most = float(np.nanmax(np.abs(maps), initial=0))
    flat = count == 1 and picture is None and height * 4 <= width
    side = 56 if not flat else min(sheet.inner, max(120, 16 * width))
    tall = max(3.0, side * height / width) if width >= height else side
    wide = side if width >= height else max(3.0, side * width / height)
    per_row = max(1, int((sheet.inner + GAP) // (wide + GAP)))
    shown = count if all_of_them else min(count, per_row if count <= per_row else MOST_MAPS)
    shown = min(shown, 400)
    for k in range(shown):
        x = MARGIN + (k % per_row) * (wide + GAP)
        y = sheet.y + (k // per_row) * (tall + GAP)
        colours = shades(maps[k], signed, most) if picture is None else picture
        sheet.tile(x, y, colours, wide, tall)
    rows = -(-shown // per_row)
    if shown < count:
        x = MARGIN + (shown % per_row or per_row) * (wide + GAP)
        sheet.text(
            min(x, sheet.width - MARGIN - 40), sheet.y + tall / 2 - 8, f"+{count - shown}", 13, PALE
        )
    sheet.y += rows * (tall + GAP) + 10
    if picture is None and all_of_them:
        sheet.legend(-most if signed else 0, most, signed, "the layer's numbers")


def filters(sheet: Canvas, told: Explanation, inputs: Array | None, bounds: Bounds) -> None:
    """A tile for each filter: its channels side by side in about a square."""
    weight = told.arrays.get("weight", told.arrays.get("pattern"))
    assert weight is not None
    most = float(np.abs(weight).max(initial=0)) or 1.0
    if weight.ndim == 1:
        bars(sheet, {str(k): float(v) for k, v in enumerate(weight)}, told.facts["layer"], most=40)
        return
    tiles = []
    for one in weight[:400]:
        maps = one if one.ndim == 3 else as_maps(one)
        tiles.append(shades(grid_of(maps) if len(maps) > 1 else maps[0], True, most))
    side = 56.0 if tiles[0].shape[0] <= 12 else 96.0
    _tiles(sheet, tiles, [str(k) for k in range(len(tiles))], side)
    if len(weight) > 400:
        sheet.paragraph(f"The first 400 of {len(weight):,} are drawn.")
    sheet.legend(
        -most, most, True, "the weights; of several channels each stands beside the others"
    )


def _tiles(sheet: Canvas, tiles: list[Array], names: list[str], side: float) -> None:
    """Pictures of one size in rows, each with a line under it."""
    per_row = max(1, int((sheet.inner + GAP) // (side + GAP)))
    ratio = tiles[0].shape[0] / tiles[0].shape[1]
    tall = max(4.0, side * ratio) if ratio <= 1 else side
    wide = side if ratio <= 1 else max(4.0, side / ratio)
    for k, (tile, name) in enumerate(zip(tiles, names, strict=True)):
        x = MARGIN + (k % per_row) * (side + GAP)
        y = sheet.y + (k // per_row) * (tall + 24)
        sheet.tile(x, y, tile, wide, tall)
        sheet.text(x, y + tall + 3, name, 11, PALE)
    sheet.y += -(-len(tiles) // per_row) * (tall + 24) + 6


def looks_for(sheet: Canvas, told: Explanation, inputs: Array | None, bounds: Bounds) -> None:
    """The inputs found, as pictures where they are such, else as maps."""
    points, labels = told["input"], told.facts["labels"]
    names = labels or [str(int(u)) for u in told["unit"]]
    tiles = [_shown(point, bounds) for point in points]
    gains = [
        f"{_short(n)}   {number(float(s[1]))}" for n, s in zip(names, told["score"], strict=True)
    ]
    _tiles(sheet, tiles, gains, 96.0 if len(tiles) > 12 else 160.0)
    sheet.paragraph("Beside each name: how strongly it answers to this input.", 12)


def _short(name: str, most: int = 9) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"


def _shown(point: Array, bounds: Bounds) -> Array:
    """An input as colours (H, W, 3)."""
    low, high = bounds or (None, None)
    picture = as_rgb(point, low, high)
    if picture is not None:
        return picture
    maps = as_maps(point)
    if point.ndim == 2:
        return shades(point)
    return shades(grid_of(maps) if len(maps) > 1 else maps[0])


def patches(sheet: Canvas, told: Explanation, inputs: Array | None, bounds: Bounds) -> None:
    """A row for each filter, two beside each other: the patches that excite it most."""
    for row in told.facts["layers"]:
        name, filters_there = row["layer"], row["filters"]
        cut = told.arrays.get(f"{name}.patch")
        if cut is None or cut.ndim != 5 or cut.shape[2] not in (1, 3):
            _places(sheet, told, name)
            continue
        sheet.text(MARGIN, sheet.y, f"{name}: {filters_there} filters", 14)
        sheet.y += 24
        side = 36.0
        wide = (sheet.inner - 30) / 2
        fitting = max(1, int((wide - 44) // (side + 3)))
        drawn = min(filters_there, 200)
        for unit in range(drawn):
            x = MARGIN + unit % 2 * (wide + 30)
            y = sheet.y + unit // 2 * (side + 6)
            sheet.text(x, y + side / 2 - 7, str(unit), 12, PALE)
            for rank in range(min(fitting, cut.shape[1])):
                if (
                    told[f"{name}.example"][unit, rank] < 0
                    or told[f"{name}.value"][unit, rank] <= 0
                ):
                    continue
                rgb = as_rgb(cut[unit, rank], *(bounds or (None, None)))
                assert rgb is not None
                sheet.tile(
                    x + 36 + rank * (side + 3), y, rgb, side, side * rgb.shape[0] / rgb.shape[1]
                )
        sheet.y += -(-drawn // 2) * (side + 6) + 12
    sheet.paragraph("The strongest first; an empty row: a filter that no example excites.", 12)


def _places(sheet: Canvas, told: Explanation, name: str) -> None:
    """The strongest example of each filter, as text."""
    names = told.facts.get("names", {})
    sheet.text(MARGIN, sheet.y, name, 14)
    sheet.y += 22
    value, example = told[f"{name}.value"], told[f"{name}.example"]
    for unit in range(min(len(value), 40)):
        best = int(example[unit, 0])
        box = told[f"{name}.box"][unit, 0].tolist()
        said = ", ".join(f"{a} to {b - 1}" for a, b in box)
        if (words := told.facts.get("words")) and f"{name}.patch" in told.arrays:
            cut = told[f"{name}.patch"][unit, :4]
            said = "   |   ".join(phrase(patch, words) for patch in cut)
        else:
            said = f"{names.get(str(best), best)}   at {said}"
        said = f"{number(float(value[unit, 0]))}   {said}"
        sheet.text(MARGIN, sheet.y, f"{unit}", 12, PALE)
        sheet.text(MARGIN + 40, sheet.y, said, 12)
        sheet.y += 18
    sheet.y += 10
