"""The main line of a game record in SGF: enough for GTP's loadsgf."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from beak.errors import DataError
from beak.ops.go_board.rules import BLACK, EMPTY, LARGEST, SMALLEST, WHITE

LARGEST_FILE = 10_000_000
TOKEN = re.compile(r"[();]|([A-Za-z]+)\s*((?:\[(?:\\.|[^\]\\])*\]\s*)+)", re.S)
VALUE = re.compile(r"\[((?:\\.|[^\]\\])*)\]", re.S)
Node = dict[str, list[str]]


@dataclass(frozen=True)
class Record:
    """One game's main line."""

    size: int
    komi: float | None
    setup: tuple[tuple[int, int], ...]
    """Point and colour of what stands before the first move."""
    first: int
    """Whose turn it is first."""
    moves: tuple[tuple[int, int], ...]
    """Point (size x size for a pass) and colour."""


def read_main_line(path: Path) -> Record:
    """The first game of a file. Raises DataError with what is wrong with it, or OSError."""
    if path.stat().st_size > LARGEST_FILE:
        raise DataError(f"{path.name} has more than {LARGEST_FILE} bytes")
    return parse_main_line(path.read_bytes().decode("utf-8", errors="replace"))


def parse_main_line(text: str) -> Record:
    """The first game of a text.

    >>> parse_main_line("(;SZ[9]AB[cc];W[gg](;B[])(;B[aa]))").moves
    ((60, -1), (81, 1))
    """
    nodes = main_line(text)
    if not nodes:
        raise DataError("no game record in it; one begins with (;")
    size = _number(nodes[0].get("SZ", ["19"])[0].split(":")[0], "the size")
    if size != int(size) or not SMALLEST <= size <= LARGEST:
        raise DataError(f"a board of {size:g} lines")
    size = int(size)
    komi = _number(nodes[0]["KM"][0], "the komi") if nodes[0].get("KM", [""])[0].strip() else None
    setup: dict[int, int] = {}
    moves: list[tuple[int, int]] = []
    first = 0
    for node in nodes:
        for key, colour in (("AB", BLACK), ("AW", WHITE), ("AE", EMPTY)):
            placed = [p for value in node.get(key, []) for p in _points(value, size)]
            if placed and moves:
                raise DataError("stones are set up in the middle of the game")
            setup.update(dict.fromkeys(placed, colour))
        if node.get("PL", [""])[0][:1].upper() in ("B", "W") and not moves:
            first = BLACK if node["PL"][0][:1].upper() == "B" else WHITE
        for key, colour in (("B", BLACK), ("W", WHITE)):
            moves += [(_point(value, size, passes=True), colour) for value in node.get(key, [])]
    stones = [(point, colour) for point, colour in setup.items() if colour]
    only_black = bool(stones) and all(colour == BLACK for _, colour in stones)
    first = first or (moves[0][1] if moves else WHITE if only_black else BLACK)
    return Record(size, komi, tuple(stones), first, tuple(moves))


def main_line(text: str) -> list[Node]:
    """The nodes of the first game that are reached by taking the first branch each time."""
    nodes: list[Node] = []
    depth = 0
    for token in TOKEN.finditer(text, max(0, text.find("(;"))):
        mark = token.group(0)
        if mark == "(":
            depth += 1
        elif mark == ")":
            break  # the first branch ends where the first bracket closes
        elif depth and mark == ";":
            nodes.append({})
        elif nodes and token.group(1):
            key = "".join(c for c in token.group(1) if c.isupper())
            nodes[-1].setdefault(key, []).extend(VALUE.findall(token.group(2)))
    return nodes


def _number(text: str, what: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise DataError(f"{what} is {text[:20]!r}") from None


def _point(text: str, size: int, passes: bool = False) -> int:
    """'aa' -> 0; an empty text, and tt on boards up to 19, is a pass."""
    word = text.strip()
    if passes and (not word or (word == "tt" and size <= 19)):
        return size * size
    if len(word) == 2 and word.isascii() and word.isalpha() and word.islower():
        column, row = (ord(letter) - ord("a") for letter in word)
        if row < size and column < size:
            return row * size + column
    raise DataError(f"no point {text[:20]!r} on {size}x{size}")


def _points(text: str, size: int) -> list[int]:
    """'aa' -> [0]; 'aa:ba' -> [0, 1], a rectangle."""
    first, colon, last = text.partition(":")
    a = _point(first, size)
    b = _point(last, size) if colon else a
    rows = range(a // size, b // size + 1)
    return [row * size + c for row in rows for c in range(a % size, b % size + 1)]
