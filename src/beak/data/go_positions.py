"""Positions of many games as numbered examples, of which none is made before it is asked for.

A position's number is the place of the move that was played in it among all games' moves: four
bytes for each example, and everything else (its row, its name, its game) follows from that.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from beak.data.go_records import Records
from beak.data.go_spec import POINTS, ROW, row_of
from beak.ops.go_board.rules import BLACK, WHITE, WHITE_BIT

Array = np.ndarray[Any, Any]

PHASES = (
    ("moves 1 to 50", 0), ("moves 51 to 100", 50), ("moves 101 to 150", 100),
    ("moves 151 to 200", 150), ("moves from 201 on", 200),
)  # fmt: skip


class Positions:
    """Stored rows uint16 (moves, ROW) of all games' positions, made when they are asked for."""

    dtype = np.dtype(np.uint16)
    ndim = 2

    def __init__(self, records: Records) -> None:
        self.records = records
        self._starts = records.games.starts

    @property
    def shape(self) -> tuple[int, int]:
        """(moves of all games, ROW)."""
        return len(self.records.games.moves), ROW

    def __len__(self) -> int:
        return len(self.records.games.moves)

    def __getitem__(self, wanted: Any) -> Array:
        index = np.atleast_1d(np.asarray(wanted, np.int64))
        rows = np.empty((len(index), ROW), np.uint16)
        for row, place in zip(rows, index.tolist(), strict=True):
            row[:] = self._row(place)
        return rows[0] if np.ndim(wanted) == 0 else rows

    def _row(self, place: int) -> Array:
        g = self.records.games
        game = int(self.game_of(place))
        setup = g.setup[g.setup_starts[game] : g.setup_starts[game + 1]]
        moves = g.moves[self._starts[game] : place]
        return row_of(setup, moves, WHITE if g.moves[place] & WHITE_BIT else BLACK)

    def game_of(self, places: Any) -> Array:
        """Which game each position is of: int64."""
        return np.asarray(np.searchsorted(self._starts, places, side="right") - 1)

    def number_of(self, places: Any) -> Array:
        """How many moves were played before each position: int64."""
        return np.asarray(np.asarray(places, np.int64) - self._starts[self.game_of(places)])

    def played(self, places: Any) -> Array:
        """The points that were played there, 361 for a pass: int32."""
        moves = self.records.games.moves[places]
        return np.asarray((moves & np.uint16(WHITE_BIT - 1)).astype(np.int32))

    def phase_of(self, places: Any) -> Array:
        """Which of ``PHASES`` each position is in: int64."""
        begins = [first for _, first in PHASES]
        return np.asarray(np.searchsorted(begins, self.number_of(places), side="right") - 1)


class GroupKeys:
    """The key of each position's game, uint8 (moves, 16), made when it is asked for."""

    dtype = np.dtype(np.uint8)
    ndim = 2

    def __init__(self, positions: Positions) -> None:
        self.positions = positions

    @property
    def shape(self) -> tuple[int, int]:
        """(moves of all games, 16)."""
        return len(self.positions), 16

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, places: Any) -> Array:
        return np.asarray(self.positions.records.openings[self.positions.game_of(places)])


class NamesOfPositions:
    """The name of each position, "games/a.sgf move 57", made when it is asked for."""

    def __init__(self, positions: Positions) -> None:
        self.positions = positions

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, place: int) -> str:
        game = int(self.positions.game_of(place))
        number = int(self.positions.number_of(place)) + 1
        return f"{self.positions.records.names[game]} move {number}"


def places_of(records: Records, passes: bool) -> Array:
    """The numbers of all positions to learn from: uint32; passes are left out unless asked for."""
    points = records.games.moves & np.uint16(WHITE_BIT - 1)
    chosen = np.ones(len(points), bool) if passes else points < POINTS
    return np.flatnonzero(chosen).astype(np.uint32)
