"""For tests of Go: positions drawn as diagrams, random games and fights, built positions."""

from __future__ import annotations

import re
import tarfile

import numpy as np

from beak.errors import UsageError
from beak.ops.go_board.games import Games
from beak.ops.go_board.reference import Board
from beak.ops.go_board.rules import BLACK, EMPTY, WHITE, encode
from beak.ops.go_board.symmetry import turn_planes


def drawn(diagram, rules=None, to_play=BLACK):
    """A board set up as drawn."""
    rows = diagram.split()
    signs = {"X": BLACK, "O": WHITE}
    size = len(rows)
    stones = [
        (r * size + c, signs[sign])
        for r, line in enumerate(rows)
        for c, sign in enumerate(line)
        if sign in signs
    ]
    return Board(size, rules, stones, to_play)


def picture(board):
    signs = {0: ".", BLACK: "X", WHITE: "O"}
    lines = np.array([signs[c] for c in board.now.colours]).reshape(board.size, -1)
    return " ".join("".join(line) for line in lines)


class Game:
    """A reference board and beside it the record of what is played on it."""

    def __init__(self, size, rules=None, setup=()):
        self.record = []
        self.setup = [encode(point, colour) for point, colour in setup]
        self.board = Board(size, rules, setup, WHITE if self.setup else BLACK)

    def play(self, point, colour=None):
        colour = self.board.now.to_play if colour is None else colour
        self.board.play(point, colour)
        self.record.append(encode(point, colour))

    def play_at_random(self, generator, near=0.0):
        """A random legal move; with probability ``near`` within two lines of the last one."""
        board, choice = self.board, None
        for _ in range(30):
            point = int(generator.integers(board.points))
            last = board.now.placed.index(board.moves) if board.moves in board.now.placed else None
            if board.moves and last is not None and generator.random() < near:
                row, column = divmod(last, board.size)
                row, column = (int(generator.integers(max(0, x - 2), x + 3)) for x in (row, column))
                if max(row, column) >= board.size:
                    continue
                point = row * board.size + column
            if board.is_legal(point):
                choice = point
                break
        self.play(board.pass_move if choice is None else choice)

    @property
    def games(self):
        return Games.of([self.record], [self.setup], self.board.size)


PATTERNS = {
    "ladder": "..X... .XOX.. .XO... ..X... ...... ......",
    "ladder with a capture": "..XO.. .XOXO. .XO.O. ..X... ...... ......",
    "snapback": "OXXX. OO.XO XXOXO ...OO .....",
    "ko": ".XO. XO.O .XO. ....",
    "ko of many": ".XXO.. XOO.O. .XXO.. ..OO.. ...... ......",
    "many": "......... .XXXXX... XOOOOOX.. XOOOOO.X. .XXXXX...",
    "merge": ".X.X. X.X.X .X.X. O.O.O .....",
    "merge round a point": "XXX.. X.X.. X.X.. OOO.. .....",
    "suicide": ".XO.. XXO.. OO... ..... .....",
    "lone suicide": ".X... X.X.. .X... ..... .....",
    "eye": ".XX.. X.X.. XXO.. ..... .....",
    "edge ladder": "OO.X.. X.O... .XX... ...... ...... ......",
    "throw-in": "XX.XO. OO.OO. XXOX.. ..X... ...... ......",
}
"""Diagrams of what planes are about, to be strewn over a board."""


def built(generator, size, rules=None, name=None):
    """A board with patterns at random places, turned, their colours perhaps swapped, and stones
    strewn about; sometimes a few moves on, so that there is a past.
    """
    while True:
        cells = np.where(generator.random((size, size)) < generator.uniform(0, 0.3),
                         generator.choice([BLACK, WHITE], (size, size)), EMPTY)  # fmt: skip
        for _ in range(int(generator.integers(1, max(2, size * size // 40)))):
            diagram = PATTERNS[name or generator.choice(list(PATTERNS))]
            signs = {".": EMPTY, "X": BLACK, "O": WHITE}
            stones = np.array([[signs[sign] for sign in line] for line in diagram.split()])
            stones = turn_planes(stones, int(generator.integers(8))) * generator.choice([-1, 1])
            height, width = np.minimum(stones.shape, size)
            row, column = (int(generator.integers(0, size - n + 1)) for n in (height, width))
            cells[row : row + height, column : column + width] = stones[:height, :width]
        setup = [(p, int(c)) for p, c in enumerate(cells.ravel()) if c != EMPTY]
        try:
            game = Game(size, rules, setup)
        except UsageError:  # a chain without liberties: strewn otherwise
            continue
        for _ in range(int(generator.integers(0, 8))):
            game.play_at_random(generator, near=0.8)
        return game


def games_of_archive(path, count):
    """The first games on 19x19 of an archive of SGF files without variations, as records."""
    moves, setup = [], []
    with tarfile.open(path) as archive:
        for member in archive:
            if len(moves) == count:
                break
            if not member.name.endswith(".sgf"):
                continue
            text = archive.extractfile(member).read().decode("utf-8", "replace")
            if "SZ[19]" not in text or text.count("(;") != 1 or "AW[" in text:
                continue
            stones = re.search(r"AB((?:\[[a-s]{2}\]\s*)+)", text)
            found = re.findall(r"[a-s]{2}", stones[1]) if stones else []
            setup.append([point_of(place) for place in found])
            played = re.findall(r"[;\]]\s*([BW])\[((?:[a-s]{2})?|tt)\]", text)
            moves.append([encode(point_of(p), BLACK if c == "B" else WHITE) for c, p in played])
    return Games.of(moves, setup)


def point_of(place):
    """The point of two letters, column first; "" and "tt" are passes."""
    column, row = (ord(letter) - ord("a") for letter in place or "tt")
    return row * 19 + column if row < 19 else 361
