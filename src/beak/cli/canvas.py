"""Drawing with numbers beside: tiles of numbers in colours, text, bars; on Pillow."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from beak.cli.colours import (
    BLUE,
    DIVERGING,
    INK,
    LINE,
    MARGIN,
    ORANGE,
    PALE,
    PAPER,
    SEQUENTIAL,
    Array,
    Colour,
    coloured,
    number,
)

if TYPE_CHECKING:
    from PIL.Image import Image


@cache
def font(size: int) -> Any:
    """Pillow's own typeface."""
    from PIL import ImageFont

    return ImageFont.load_default(size)


class Canvas:
    """A sheet that grows downward; everything is drawn twice as large, for sharp text."""

    SCALE = 2

    def __init__(self, width: int = 900) -> None:
        from PIL import Image, ImageDraw

        self.width = width
        self.y: float = MARGIN
        self._image = Image.new("RGB", (width * self.SCALE, 600 * self.SCALE), PAPER)
        self._draw = ImageDraw.Draw(self._image)

    @property
    def inner(self) -> int:
        """How wide the space between the margins is."""
        return self.width - 2 * MARGIN

    def room(self, height: float) -> None:
        """Make sure that so much fits below."""
        from PIL import Image, ImageDraw

        needed = int((self.y + height + MARGIN) * self.SCALE)
        if needed > self._image.height:
            grown = Image.new(
                "RGB", (self._image.width, max(needed, 2 * self._image.height)), PAPER
            )
            grown.paste(self._image, (0, 0))
            self._image, self._draw = grown, ImageDraw.Draw(grown)

    def finished(self) -> Image:
        """The picture, cut to what was drawn."""
        return self._image.crop((0, 0, self._image.width, int((self.y + MARGIN) * self.SCALE)))

    def save(self, path: Path) -> None:
        """As a PNG."""
        self.finished().save(path, "PNG", optimize=True)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: int = 13,
        colour: Colour = INK,
        anchor: str = "la",
    ) -> None:
        """One line at a place; ``anchor`` as Pillow has it."""
        self.room(y - self.y + size * 1.5)
        at = (x * self.SCALE, y * self.SCALE)
        self._draw.text(at, readable(text), colour, font(size * self.SCALE), anchor)

    def length(self, text: str, size: int = 13) -> float:
        """How wide a line is."""
        return float(font(size * self.SCALE).getlength(readable(text))) / self.SCALE

    def heading(self, text: str, size: int = 20) -> None:
        """A title, and the sheet goes on below."""
        self.paragraph(text, size, INK)
        self.y += 4

    def paragraph(self, text: str, size: int = 13, colour: Colour = PALE) -> None:
        """Lines broken between the margins."""
        line = ""
        for word in text.split():
            longer = f"{line} {word}".strip()
            if line and self.length(longer, size) > self.inner:
                self._put(line, size, colour)
                line = word
            else:
                line = longer
        if line:
            self._put(line, size, colour)
        self.y += size * 0.5

    def _put(self, line: str, size: int, colour: Colour) -> None:
        self.text(MARGIN, self.y, line, size, colour)
        self.y += size * 1.45

    def box(
        self,
        x: float,
        y: float,
        w: float,
        h: float,
        fill: Colour | None,
        line: Colour | None = None,
    ) -> None:
        """A filled rectangle."""
        self.room(y + h - self.y)
        s = self.SCALE
        edges = (x * s, y * s, max(x * s, (x + w) * s - 1), max(y * s, (y + h) * s - 1))
        self._draw.rectangle(edges, fill, line, s if line else 0)

    def disc(
        self, x: float, y: float, radius: float, fill: Colour, line: Colour | None = None
    ) -> None:
        """A filled circle about a point."""
        self.room(y + radius - self.y)
        s = self.SCALE
        edges = ((x - radius) * s, (y - radius) * s, (x + radius) * s, (y + radius) * s)
        self._draw.ellipse(edges, fill, line, s if line else 0)

    def tile(
        self, x: float, y: float, colours: Array, w: float, h: float, edge: Colour | None = LINE
    ) -> None:
        """Colours (rows, columns, 3) as cells without blur, with a thin edge."""
        from PIL import Image

        self.room(y + h - self.y)
        s = self.SCALE
        size = (max(1, round(w * s)), max(1, round(h * s)))
        shrinks = size[0] < colours.shape[1] or size[1] < colours.shape[0]
        how = Image.Resampling.BOX if shrinks else Image.Resampling.NEAREST
        cells = Image.fromarray(np.ascontiguousarray(colours, np.uint8)).resize(size, how)
        self._image.paste(cells, (round(x * s), round(y * s)))
        if edge is not None:
            self.box(x - 0.5, y - 0.5, w + 1, h + 1, None, edge)

    def legend(self, low: float, high: float, signed: bool, what: str, x: float = MARGIN) -> None:
        """A bar of the scale with its numbers."""
        scale = DIVERGING if signed else SEQUENTIAL
        bar = coloured(np.linspace(low, high, 160)[None], low, high, scale)
        before = number(low)
        start = x + self.length(before, 12) + 8
        self.text(x, self.y, before, 12, PALE)
        self.tile(start, self.y + 1, bar, 160, 12)
        if signed:
            self.text(start + 80, self.y + 16, "0", 11, PALE, "ma")
        after = number(high)
        self.text(start + 168, self.y, f"{after}   {what}", 12, PALE)
        self.y += 34 if signed else 24


@cache
def _known(letter: str) -> bool:
    """Whether the typeface has this letter: one that it lacks looks like another it lacks."""
    return letter == " " or not np.array_equal(_drawn(letter), _drawn("\uffff"))


def _drawn(letter: str) -> Array:
    from PIL import Image, ImageDraw

    sheet = Image.new("L", (40, 40))
    ImageDraw.Draw(sheet).text((4, 2), letter, 255, font(26))
    return np.asarray(sheet)


def readable(text: str) -> str:
    """The text in letters that the typeface has; the others are shown as ?.

    >>> readable("3 x 4")
    '3 x 4'
    """
    if text.isascii():
        return "".join(c if c.isprintable() else "?" for c in text)
    return "".join(c if c.isprintable() and (c.isascii() or _known(c)) else "?" for c in text)


def bars(sheet: Canvas, values: dict[str, float], what: str, most: int = 20) -> None:
    """Named numbers as bars, the largest first."""
    ranked = sorted(values.items(), key=lambda item: -abs(item[1]))[:most]
    largest = max((abs(v) for _, v in ranked), default=0) or 1.0
    left = min(260.0, max((sheet.length(k, 12) for k, _ in ranked), default=0)) + MARGIN + 12
    sheet.text(MARGIN, sheet.y, what, 14)
    sheet.y += 24
    room = sheet.width - MARGIN - left - 80
    for name, value in ranked:
        sheet.text(left - 10, sheet.y, fitting(sheet, name, left - MARGIN - 10), 12, INK, "ra")
        wide = abs(value) / largest * room
        sheet.box(left, sheet.y + 2, max(wide, 0.5), 11, ORANGE if value >= 0 else BLUE)
        sheet.text(left + wide + 6, sheet.y, number(value), 12, PALE)
        sheet.y += 19
    if len(values) > len(ranked):
        sheet.text(left, sheet.y, f"and {len(values) - len(ranked):,} smaller ones", 12, PALE)
        sheet.y += 20
    sheet.y += 8


def fitting(sheet: Canvas, text: str, width: float) -> str:
    """The end of a text that fits."""
    while len(text) > 2 and sheet.length(text, 12) > width:
        text = "…" + text[2:]
    return text
