"""Pictures in the terminal: two pixels in one character, the upper and the lower half of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

Array = np.ndarray[Any, Any]

SIDE = 16
"""Columns that one picture takes at most."""

GAP = 2


def shrink(picture: Array, side: int = SIDE) -> Array:
    """Uint8 (C, H, W) -> uint8 (rows, columns, 3), at most side x side, by averages of areas."""
    channels, height, width = picture.shape
    if channels not in (1, 3):
        picture = picture[:1]
    scale = min(1.0, side / max(height, width))
    rows, columns = max(2, round(height * scale)), max(1, round(width * scale))
    rows += rows % 2
    small = averages(averages(picture.astype(np.float64), rows, axis=1), columns, axis=2)
    colours = np.broadcast_to(np.rint(small), (3, rows, columns))
    return np.ascontiguousarray(colours.transpose(1, 2, 0)).astype(np.uint8)


def averages(values: Array, wanted: int, axis: int) -> Array:
    """Mean over ``wanted`` equal stretches along one axis; a cut pixel counts by its share."""
    size = values.shape[axis]
    edges = np.linspace(0, size, wanted + 1)
    share = np.clip(
        np.minimum(edges[1:, None], np.arange(size) + 1)
        - np.maximum(edges[:-1, None], np.arange(size)),
        0,
        None,
    )
    share /= share.sum(axis=1, keepdims=True)
    return np.moveaxis(np.tensordot(share, values, axes=(1, axis)), 0, axis)


def half_blocks(picture: Array, colours: bool) -> list[Text]:
    """Uint8 (rows, columns, 3), an even number of rows -> one line of text for two rows."""
    from rich.color import Color
    from rich.style import Style
    from rich.text import Text

    lines = []
    bright = picture.mean(axis=2)
    ink = bright > (bright.min() + bright.max()) / 2
    for y in range(0, len(picture), 2):
        line = Text()
        for x in range(picture.shape[1]):
            if colours:
                upper, lower = (Color.from_rgb(*map(int, picture[y + i, x])) for i in (0, 1))
                line.append("▀", Style(color=upper, bgcolor=lower))
            else:
                line.append(" ▄▀█"[2 * int(ink[y, x]) + int(ink[y + 1, x])])
        lines.append(line)
    return lines


def draw_row(console: Console, pictures: list[Array], captions: list[list[Text]]) -> None:
    """Pictures (uint8 (C, H, W)) side by side, in as many rows as needed.

    A caption's pieces stand under each in one line where all captions fit so, else one a line.
    """
    from rich.text import Text

    fitting = max(1, (console.width - 2) // (SIDE + GAP))
    rows = -(-len(pictures) // fitting)
    a_row = -(-len(pictures) // rows) if rows else 1
    captions = in_one_line(captions)
    for start in range(0, len(pictures), a_row):
        colours = console.is_terminal and not console.no_color
        drawn = [half_blocks(shrink(p), colours) for p in pictures[start : start + a_row]]
        for columns in (drawn, captions[start : start + a_row]):
            for y in range(max(map(len, columns))):
                line = Text("  ")
                for column in columns:
                    cell = column[y].copy() if y < len(column) else Text()
                    cell.truncate(SIDE + GAP - 1, overflow="ellipsis")
                    cell.pad_right(SIDE + GAP - cell.cell_len)
                    line.append_text(cell)
                line.rstrip()
                console.print(line, no_wrap=True)
        console.print()


def in_one_line(captions: list[list[Text]]) -> list[list[Text]]:
    """Each caption's pieces as one text where that fits under every picture, else as they came."""
    from rich.text import Text

    joined = [Text("  ").join(pieces) for pieces in captions]
    fits = all(caption.cell_len < SIDE + GAP for caption in joined)
    return [[caption] for caption in joined] if fits else captions
