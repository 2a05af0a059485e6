"""How a position of Go becomes the network's input: which planes, made from the game's record.

A stored row is one position: its game's setup stones and the moves before it, uint16 (ROW,):
``[stones, moves, stone, …, move, …, 0, …]``, as ``rules.encode`` writes them. The last of the moves
is always a pass that was not played: its colour is who is to move, so that no row tells the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from beak.data.spec import InputSpec
from beak.errors import DataError, did_you_mean
from beak.ops.go_board.boards import Boards
from beak.ops.go_board.games import Games
from beak.ops.go_board.planes import PLANE_SETS, PLANES
from beak.ops.go_board.rules import BLACK, WHITE, WHITE_BIT, encode
from beak.ops.kernel import default_threads

Array = np.ndarray[Any, Any]

SIZE = 19
POINTS = SIZE * SIZE
COLUMNS = "ABCDEFGHJKLMNOPQRST"
POINT_NAMES = tuple(f"{COLUMNS[p % SIZE]}{SIZE - p // SIZE}" for p in range(POINTS))
"""Points as players call them: A19 is the first, row 0 on top; there is no column I."""
PASS_NAME = "pass"
MOVES = POINT_NAMES
MOVES_AND_PASS = (*POINT_NAMES, PASS_NAME)
HEAD = 2
ROW = 1024
"""Numbers of a stored row."""
KEPT = 16
"""Of a longer game so many last moves; what stood before them becomes setup. Planes that look
back see eight."""
PASS_MOVE = POINTS


@dataclass(frozen=True)
class GoSpec(InputSpec):
    """Positions of 19x19 as planes; see docs/go-planes.md.

    >>> spec = GoSpec.of("alphago-12")
    >>> GoSpec.from_json(spec.to_json()) == spec, spec.shape
    (True, (12, 19, 19))
    """

    kind: str
    shape: tuple[int, int, int]
    """Planes, 19, 19."""
    planes: str
    """A name of ``planes.PLANE_SETS``."""

    def __post_init__(self) -> None:
        if self.kind != "go":
            raise DataError(f"input: {self.kind!r} is not the kind of Go records, 'go'")
        if self.planes not in PLANE_SETS:
            hint = did_you_mean(str(self.planes), PLANE_SETS)
            raise DataError(f"input: no planes {self.planes!r}{hint}")
        if tuple(self.shape) != (PLANE_SETS[self.planes], SIZE, SIZE):
            wanted = (PLANE_SETS[self.planes], SIZE, SIZE)
            raise DataError(f"input: the planes {self.planes!r} are {wanted}, not {self.shape}")

    @classmethod
    def of(cls, planes: str = "alphago") -> GoSpec:
        """The spec for a set of planes."""
        if planes not in PLANE_SETS:
            raise DataError(f"input: no planes {planes!r}{did_you_mean(planes, PLANE_SETS)}")
        return cls("go", (PLANE_SETS[planes], SIZE, SIZE), planes)

    @property
    def plane_names(self) -> tuple[str, ...]:
        """What its planes are called."""
        return ("stones",) if self.planes == "board" else PLANES[: self.shape[0]]

    def prepare(self, stored: Array) -> Array:
        """Rows uint16 (N, ROW) as planes float32 (N, planes, 19, 19)."""
        return self.turned(stored, 0, default_threads())

    def turned(self, stored: Array, symmetry: Array | int, threads: int) -> Array:
        """The same under a symmetry 0 to 7 for each row, or for all."""
        games, positions = games_of(stored)
        return games.planes(positions, self.planes, symmetry=symmetry, threads=threads)

    def describe(self) -> str:
        """One line for people.

        >>> GoSpec.of("alphago-4").describe()
        '4 planes of 19x19 for each position (alphago-4), seen from the player to move'
        """
        if self.planes == "board":
            return "1 plane of 19x19 for each position: 1 Black, -1 White, 0 empty"
        return (
            f"{self.shape[0]} planes of 19x19 for each position ({self.planes}), "
            "seen from the player to move"
        )

    @property
    def recipe_values(self) -> dict[str, Any]:
        """The planes."""
        return {"data.kind": "go", "data.planes": self.planes}


def row_of(setup: Sequence[int] | Array, moves: Sequence[int] | Array, colour: int) -> Array:
    """The stored row of the position after these moves, with ``colour`` (1, -1) to move.

    >>> row_of([], [60, 32828], 1)[:6].tolist()
    [0, 3, 60, 32828, 361, 0]
    """
    stones, played = np.asarray(setup, np.uint16), np.asarray(moves, np.uint16)
    if HEAD + len(stones) + len(played) + 1 > ROW:
        stones, played = _shortened(stones, played)
    row = np.zeros(ROW, np.uint16)
    end = HEAD + len(stones) + len(played)
    row[0], row[1] = len(stones), len(played) + 1
    row[HEAD : HEAD + len(stones)] = stones
    row[HEAD + len(stones) : end] = played
    row[end] = encode(PASS_MOVE, colour)
    return row


def _shortened(setup: Array, moves: Array) -> tuple[Array, Array]:
    """The same position from what stood before its last moves: planes and simple ko are the same.

    A ko before them is over, and stones older than eight turns all look the same.
    """
    stones = [(int(s) & (WHITE_BIT - 1), WHITE if s & WHITE_BIT else BLACK) for s in setup]
    board = Boards(1, SIZE, setup=stones, capacity=len(moves))
    board.play(moves[None, :-KEPT], strict=False)
    colours = board.look().colours[0]
    standing = [encode(int(p), int(colours[p])) for p in np.flatnonzero(colours)]
    return np.array(standing, np.uint16), moves[-KEPT:]


def games_of(stored: Array) -> tuple[Games, Array]:
    """Rows as games of their own and the positions in them. Raises DataError for no such rows."""
    rows = np.asarray(stored)
    if rows.ndim != 2 or rows.shape[1] != ROW or rows.dtype != np.uint16:
        raise DataError(f"input: rows uint16 (N, {ROW}) wanted, got {rows.dtype} {rows.shape}")
    stones, moves = (rows[:, i].astype(np.int64) for i in (0, 1))
    if (stones + moves > ROW - HEAD).any() or (moves < 1).any():
        raise DataError("input: a row's numbers of stones and moves are not those of a position")
    place = np.arange(ROW - HEAD)
    is_stone = place < stones[:, None]
    is_move = ~is_stone & (place < (stones + moves)[:, None])
    body = rows[:, HEAD:]
    games = Games(body[is_move], _starts(moves), body[is_stone], _starts(stones), SIZE)
    return games, np.stack([np.arange(len(rows)), moves - 1], axis=1)


def _starts(lengths: Array) -> Array:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)]).astype(np.int64)
