"""A board of Go in the terminal: stones, and letters where moves are expected."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from beak.play.showing import stars
from beak.play.vertices import COLUMNS

if TYPE_CHECKING:
    from rich.text import Text

Array = np.ndarray[Any, Any]

WOOD = "on #d8ae6a"
STONES = {1: ("●", f"#000000 {WOOD}"), -1: ("●", f"#ffffff {WOOD}")}
PLAIN = {1: "X", -1: "O"}


def board_lines(
    colours: Array, marks: Mapping[int, str], last: int | None, in_colour: bool
) -> list[Text]:
    """The board as lines of text, with a letter at each marked point.

    ``colours``: int (size * size,), 1 black, -1 white; ``marks``: one letter for a point;
    ``last``: the point played last, which stands in brackets.
    """
    from rich.text import Text

    size = math.isqrt(len(colours))
    dots = stars(size)
    letters = "   " + "".join(f" {column}" for column in COLUMNS[:size])
    lines = [Text(letters, "dim")]
    for row in range(size):
        line = Text(f"{size - row:3}", "dim")
        for column in range(size):
            point = row * size + column
            before = "(" if point == last else ")" if column and point - 1 == last else " "
            line.append(before, f"bold #b00020 {WOOD}" if in_colour else "")
            line.append(*_sign(int(colours[point]), marks.get(point), point in dots, in_colour))
        closing = ")" if last is not None and last == row * size + size - 1 else " "
        line.append(closing, f"bold #b00020 {WOOD}" if in_colour else "")
        line.append(f"{size - row:<3}", "dim")
        lines.append(line)
    return [*lines, Text(letters, "dim")]


def _sign(colour: int, mark: str | None, star: bool, in_colour: bool) -> tuple[str, str]:
    """What stands at a point, and its style."""
    if mark is not None:
        return mark, f"bold #b00020 {WOOD}" if in_colour else "bold"
    if colour:
        return STONES[colour] if in_colour else (PLAIN[colour], "")
    return ("+" if star else "·" if in_colour else "."), f"#806030 {WOOD}" if in_colour else ""
