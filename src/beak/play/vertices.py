"""Points and colours as people and GTP write them: D4, pass, black."""

from __future__ import annotations

from beak.errors import UsageError
from beak.ops.go_board.rules import BLACK, WHITE

COLUMNS = "ABCDEFGHJKLMNOPQRSTUVWXYZ"
"""Without I, which looks like 1 and J."""
COLOURS = {"b": BLACK, "black": BLACK, "w": WHITE, "white": WHITE}
NAMES = {BLACK: "Black", WHITE: "White"}


def vertex(point: int, size: int) -> str:
    """A point's name; the pass is the point behind the last.

    >>> vertex(0, 19), vertex(360, 19), vertex(361, 19)
    ('A19', 'T1', 'pass')
    """
    row, column = divmod(point, size)
    return "pass" if row >= size else f"{COLUMNS[column]}{size - row}"


def point_of(text: str, size: int) -> int:
    """The point, or the pass, of a name in large or small letters. Raises UsageError.

    >>> point_of("a19", 19), point_of("PASS", 9)
    (0, 81)
    """
    name = text.strip().upper()
    if name == "PASS":
        return size * size
    column, digits = COLUMNS.find(name[:1]), name[1:]
    if name and column >= 0 and digits.isascii() and digits.isdigit() and len(digits) <= 2:
        row = size - int(digits)
        if column < size and 0 <= row < size:
            return row * size + column
    last = f"{COLUMNS[size - 1]}{size}"
    raise UsageError(f"no point {text[:20]!r} on {size}x{size}; points are A1 to {last}, or pass")


def colour_of(text: str) -> int:
    """BLACK or WHITE from "b", "Black", ...; raises UsageError.

    >>> colour_of("B"), colour_of("white")
    (1, -1)
    """
    found = COLOURS.get(text.strip().lower())
    if found is None:
        raise UsageError(f"no colour {text[:20]!r}; colours are black and white")
    return found
