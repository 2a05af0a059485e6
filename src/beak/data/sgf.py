"""Game records in SGF: the main line of each game, its setup, its ranks and its result.

Only what a network learns from is read: properties B, W, AB, AW, AE and a few of the root. The main
line of a game tree is all that stands before its first closing parenthesis: each fork's first
branch. (SGF FF[4], red-bean.com/sgf; older files that write property names in full are read too.)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from beak.errors import DataError
from beak.ops.go_board.rules import BLACK, EMPTY, WHITE, encode

SIZE = 19
PASS = SIZE * SIZE
LONGEST = 1 << 26
"""Bytes of a file that are read at most."""
MOST_MOVES = 10_000
TOKEN = re.compile(
    rb"([();])|([A-Za-z]+)|\[([^\]\\]*(?:\\.[^\]\\]*)*)\]|(\[)", re.DOTALL
)  # a place in the tree, a property's name, its value, a value without an end
START = re.compile(rb"\(\s*;")
LETTERS = "abcdefghijklmnopqrs"
POINTS = {
    f"{column}{row}".encode(): y * SIZE + x
    for y, row in enumerate(LETTERS)
    for x, column in enumerate(LETTERS)
}
ROOT = {b"SZ", b"GM", b"HA", b"BR", b"WR", b"RE"}
COLOURS = {b"B": BLACK, b"W": WHITE, b"AB": BLACK, b"AW": WHITE, b"AE": EMPTY}
UNKNOWN_RANK = -128
UNKNOWN_RESULT = 2
RANK = re.compile(r"\s*(\d{1,2})\s*(k|kyu|d|dan|p|pro)\b", re.IGNORECASE)


@dataclass
class Game:
    """The main line of one game of 19x19."""

    moves: list[int] = field(default_factory=list)
    """As ``rules.encode`` writes them; 361 is a pass."""
    setup: list[int] = field(default_factory=list)
    """The stones that stand before the first move."""
    handicap: int = 0
    black_rank: int = UNKNOWN_RANK
    white_rank: int = UNKNOWN_RANK
    result: int = UNKNOWN_RESULT
    """1 Black won, -1 White, 0 nobody; 2 is not known."""


@dataclass(frozen=True)
class Refused:
    """A game that is not taken: another size or another game, or broken."""

    reason: str
    size: str = ""
    """"9x9": only the size is wrong."""


class BrokenGameError(Exception):
    """The text says what is wrong with one game."""


def read_games(data: bytes) -> Iterator[Game | Refused]:
    """Each game of a file, in order; one that cannot be used with its reason."""
    begin = START.search(data)
    if begin is None:
        yield Refused("no game record: '(;' is nowhere in it")
        return
    for nodes, broken in _main_lines(data, begin.start()):
        try:
            yield _game(nodes, broken)
        except BrokenGameError as error:
            yield Refused(str(error))
        except _OtherSizeError as error:
            yield Refused(f"a board of {error}, not 19x19", str(error))


class _OtherSizeError(Exception):
    pass


Property = tuple[bytes, list[bytes]]


def _main_lines(data: bytes, begin: int) -> Iterator[tuple[list[list[Property]], str]]:
    """The nodes of each game's main line, and what is wrong with its text ("" for nothing)."""
    depth, main = 0, True
    nodes: list[list[Property]] = []
    values: list[bytes] = []
    for found in TOKEN.finditer(data, begin):
        kind = found.lastindex
        if kind == 3:
            if main:
                values.append(found[3])
        elif kind == 2:
            if main and nodes:
                values = []
                nodes[-1].append((found[2], values))
        elif kind == 4:
            line = data.count(b"\n", 0, found.start()) + 1
            yield nodes, f"line {line}: a '[' is never closed"
            return
        elif found[1] == b";":
            if main:
                nodes.append([])
        elif found[1] == b"(":
            if depth == 0:
                nodes, main = [], True
            depth += 1
        elif depth:
            depth, main = depth - 1, False
            if depth == 0:
                yield nodes, ""
    if depth:
        yield nodes, "it is cut short: a '(' is never closed"


def _game(nodes: list[list[Property]], broken: str) -> Game:
    if not nodes:
        raise BrokenGameError(broken or "no game: '(' without ';'")
    told = {name: values[0] for name, values in nodes[0] if name in ROOT and values}
    if told.get(b"GM", b"1").strip() != b"1":
        raise BrokenGameError("a game other than Go (GM)")
    size = told.get(b"SZ", b"19").strip()
    if size not in (b"19", b"19:19"):
        word = size[:10].decode("ascii", "replace")
        raise _OtherSizeError(f"{word}x{word}" if word.isdigit() else repr(word))
    if broken:
        raise BrokenGameError(broken)
    game = Game(
        handicap=_whole(told.get(b"HA", b"0")),
        black_rank=rank_of(_text(told.get(b"BR", b""))),
        white_rank=rank_of(_text(told.get(b"WR", b""))),
        result=result_of(_text(told.get(b"RE", b""))),
    )
    stones: dict[int, int] = {}
    for node in nodes:
        for name, values in node:
            short = name if name.isupper() else _capitals(name)  # AddBlack is AB
            colour = COLOURS.get(short)
            if colour is None:
                continue
            if len(short) == 1:
                _play(game, colour, values)
            elif game.moves:
                raise BrokenGameError(f"stones are set up after move {len(game.moves)}")
            else:
                _set_up(stones, colour, values)
    game.setup = [encode(point, colour) for point, colour in sorted(stones.items())]
    return game


def _capitals(name: bytes) -> bytes:
    return bytes(letter for letter in name if 65 <= letter <= 90)


def _play(game: Game, colour: int, values: list[bytes]) -> None:
    value = values[0].strip() if values else b""
    point = POINTS.get(value)
    if point is None:
        if value not in (b"", b"tt"):
            raise BrokenGameError(
                f"move {len(game.moves) + 1}: {_shown(value)} is no point of 19x19"
            )
        point = PASS
    if len(game.moves) == MOST_MOVES:
        raise BrokenGameError(f"more than {MOST_MOVES} moves")
    game.moves.append(encode(point, colour))


def _set_up(stones: dict[int, int], colour: int, values: list[bytes]) -> None:
    for value in values:
        corners = [POINTS.get(corner.strip()) for corner in value.split(b":")]
        if len(corners) > 2 or None in corners:
            raise BrokenGameError(f"a setup stone: {_shown(value)} is no point of 19x19")
        places = [divmod(corner, SIZE) for corner in corners if corner is not None]
        rows, columns = ([place[i] for place in places] for i in (0, 1))
        for row in range(min(rows), max(rows) + 1):
            for column in range(min(columns), max(columns) + 1):
                stones[row * SIZE + column] = colour
                if colour == EMPTY:
                    del stones[row * SIZE + column]


def _shown(value: bytes) -> str:
    return repr(value[:20].decode("utf-8", "replace"))


def _text(value: bytes) -> str:
    return value[:40].decode("utf-8", "replace")


def _whole(value: bytes) -> int:
    word = value.strip()
    return int(word) if word.isdigit() and len(word) < 3 else 0


def rank_of(text: str) -> int:
    """A rank as a number that grows with strength: 1d is 1, 1k is 0, 1p is 10; -128: none.

    >>> rank_of("6d"), rank_of("2 kyu"), rank_of("9p"), rank_of("?")
    (6, -1, 18, -128)
    """
    found = RANK.match(text)
    if found is None:
        return UNKNOWN_RANK
    number, letter = int(found[1]), found[2][0].lower()
    return {"k": 1 - number, "d": number, "p": 9 + number}[letter]


def result_of(text: str) -> int:
    """1 where Black won, -1 White, 0 nobody, 2 where the record does not say.

    >>> [result_of(text) for text in ("B+3.50", "W+Resign", "Jigo", "?", "")]
    [1, -1, 0, 2, 2]
    """
    word = text.strip().lower()
    if word[:2] in ("b+", "w+"):
        return 1 if word[0] == "b" else -1
    return 0 if word in ("0", "draw", "jigo") else UNKNOWN_RESULT


def main_game(data: bytes, name: str) -> tuple[Game, int]:
    """The first game of a file that can be used, and how many games it holds. Raises DataError."""
    first: Game | None = None
    why, count = "", 0
    for found in read_games(data):
        count += 1
        if isinstance(found, Game):
            first = first or found
        else:
            why = why or found.reason
    if first is None:
        raise DataError(f"{name}: {why}")
    return first, count
