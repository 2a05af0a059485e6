"""Numbers as colours and as text: scales that the colour-blind can read, maps side by side."""

from __future__ import annotations

from typing import Any

import numpy as np

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
