"""Drawing with numbers beside: tiles of numbers in colours, text, bars; on Pillow."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image

Array = np.ndarray[Any, Any]
Colour = tuple[int, int, int]
Bounds = tuple[Array, Array] | None
"""Black and white of each input channel (C,), where an input has such."""

PAPER: Colour = (255, 255, 255)
INK: Colour = (31, 41, 51)
PALE: Colour = (97, 110, 124)
LINE: Colour = (217, 222, 228)
EMPTY: Colour = (238, 240, 243)
BLUE: Colour = (33, 102, 172)
ORANGE: Colour = (217, 95, 2)
MARGIN = 28

SEQUENTIAL = ((250, 251, 248), (199, 229, 190), (84, 178, 160), (33, 104, 145), (46, 24, 88))
"""White is nothing, then green, teal, blue, violet: ever darker, told apart in grey too."""
DIVERGING = ((5, 48, 97), (67, 147, 195), (247, 247, 247), (244, 147, 54), (150, 60, 0))
"""Blue below 0, orange above, white at 0: told apart by the colour-blind."""


def coloured(values: Array, low: float, high: float, scale: tuple[Colour, ...]) -> Array:
    """Numbers (…) as uint8 (…, 3) on a scale from ``low`` to ``high``; NaN is pale grey."""
    span = high - low if high > low else 1.0
    share = np.clip((np.nan_to_num(values) - low) / span, 0, 1) * (len(scale) - 1)
    anchors = np.array(scale, np.float64)
    left = np.minimum(share.astype(int), len(scale) - 2)
    part = (share - left)[..., None]
    mixed = anchors[left] * (1 - part) + anchors[left + 1] * part
    return np.asarray(np.where(np.isnan(values)[..., None], EMPTY, mixed.round()), np.uint8)


def shades(values: Array, signed: bool | None = None, largest: float | None = None) -> Array:
    """Numbers as colours: the diverging scale about 0 where some are negative, else from white."""
    signed = bool(np.nanmin(values, initial=0) < 0) if signed is None else signed
    most = float(np.nanmax(np.abs(values), initial=0)) if largest is None else largest
    if signed:
        return coloured(values, -most, most, DIVERGING)
    return coloured(values, 0, most, SEQUENTIAL)


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


def on(colour: Colour) -> Colour:
    """Ink or paper, whichever is read better on a colour.

    >>> on((250, 250, 250)) == INK, on((5, 48, 97)) == PAPER
    (True, True)
    """
    red, green, blue = colour
    return INK if 0.299 * red + 0.587 * green + 0.114 * blue > 135 else PAPER


def number(value: float) -> str:
    """A number in few letters.

    >>> number(0.123456), number(12345.6), number(-3.0), number(0)
    ('0.123', '12,346', '-3', '0')
    """
    if value == 0:
        return "0"
    if not np.isfinite(value):
        return str(value)
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def as_rgb(picture: Array, low: Array | None = None, high: Array | None = None) -> Array | None:
    """An input (C, H, W) as uint8 (H, W, 3) where it is grey or coloured; None for other planes.

    ``low``, ``high`` (C,): black and white; without them the least and greatest number are.
    """
    if picture.ndim != 3 or len(picture) not in (1, 3):
        return None
    black = np.nanmin(picture) if low is None else low[:, None, None]
    white = np.nanmax(picture) if high is None else high[:, None, None]
    share = np.clip((picture - black) / np.maximum(white - black, 1e-12), 0, 1)
    shown = np.where(np.isnan(share), 0.93, share)
    return np.asarray(
        np.broadcast_to(shown.transpose(1, 2, 0) * 255, (*shown.shape[1:], 3)), np.uint8
    )


def grid_of(maps: Array) -> Array:
    """Maps (n, h, w) side by side in about a square, NaN between: (H, W).

    >>> grid_of(np.zeros((4, 2, 2))).shape
    (5, 5)
    """
    count, height, width = maps.shape
    columns = int(np.ceil(np.sqrt(count * height / max(1, width))))
    columns = max(1, min(columns, count))
    rows = -(-count // columns)
    whole = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1), np.nan)
    for k, one in enumerate(maps):
        y, x = k // columns * (height + 1), k % columns * (width + 1)
        whole[y : y + height, x : x + width] = one
    return whole


def as_maps(values: Array) -> Array:
    """Any layer's output as maps (n, h, w): a row of numbers is one map, in rows of up to 100."""
    if values.ndim == 3:
        return values
    if values.ndim == 2:
        return values[:, None, :]
    count = len(values)
    width = min(count, 100)
    padded = np.full(-(-count // width) * width, np.nan)
    padded[:count] = values
    return padded.reshape(1, -1, width)


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
