"""Boards of the compiled kernels: many games at once, or one; the fast twin of reference.py."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from beak.errors import ShapeError, UsageError, did_you_mean
from beak.ops.go_board import kernels
from beak.ops.go_board.rules import (
    BLACK,
    KO_RULES,
    REASONS,
    Rules,
    check_size,
    encode,
)
from beak.ops.kernel import call_kernel, choose

Array = np.ndarray[Any, Any]
NO_MOVE = 0xFFFF
"""In ``Boards.play``: this board plays nothing now."""


@dataclass(frozen=True)
class Look:
    """What stands on N boards.

    ``colours`` int8 (N, points): 1 black, -1 white, 0 none; ``refused`` uint8 (N, points): for the
    player to move, an index into ``rules.REASONS``, 0 where a move is legal; ``to_play``, ``ko``
    (-1 for none), ``black_took``, ``white_took``, ``moves``: int64 (N,); ``keys``: int64 (N,), the
    same for the same position (with the player to move under situational superko).
    """

    colours: Array
    refused: Array
    to_play: Array
    ko: Array
    black_took: Array
    white_took: Array
    moves: Array
    keys: Array

    @property
    def legal(self) -> Array:
        """Where the player to move may play: bool (N, points)."""
        legal: Array = self.refused == 0
        return legal


class Boards:
    """``count`` games of the same size, rules and setup, each with room for ``capacity`` moves.

    ``state`` is all there is: uint8 (count, bytes), plain data that may be copied and kept.
    Superko compares 64-bit keys of positions: that two of a game agree by chance happens about
    once in 10^14 games.
    """

    def __init__(
        self,
        count: int,
        size: int = 19,
        rules: Rules | None = None,
        setup: Iterable[tuple[int, int]] = (),
        to_play: int = BLACK,
        capacity: int = 1024,
    ) -> None:
        rules = rules or Rules()
        self.size, self.points, self.rules = check_size(size), size * size, rules
        stones = np.array([encode(point, colour) for point, colour in setup], np.uint16)
        if len(stones) > self.points:
            raise UsageError(f"{len(stones)} setup stones on {self.points} points")
        if not 0 <= capacity < encode(0, -BLACK):
            raise UsageError(f"room for {capacity} moves; it must be 0 to {encode(0, -BLACK) - 1}")
        room = np.zeros(1, np.int64)
        call_kernel(choose(kernels.BYTES), bytes=room, capacity=capacity)
        self.state = np.zeros((count, room[0]), np.uint8)
        refused = np.zeros(count, np.uint8)
        call_kernel(
            choose(kernels.NEW),
            boards=self.state,
            setup=stones,
            refused=refused,
            count=count,
            bytes=self.state.shape[1],
            size=size,
            ko_rule=KO_RULES.index(rules.ko),
            suicide=int(rules.suicide),
            capacity=capacity,
            to_play=1 if to_play == BLACK else 2,
            setup_stones=len(stones),
        )
        if refused.any():
            raise UsageError(f"setup: {REASONS[refused[0]]}")

    def __len__(self) -> int:
        return len(self.state)

    def play(self, moves: Array, strict: bool = True, threads: int = 1) -> Array:
        """Play moves as records write them: uint16 (N,) or (N, moves each), ``NO_MOVE`` for none.

        Returns for each an index into ``rules.REASONS``: 0, or why it was refused and not played.
        Not ``strict``: any move on an empty point is played, as records of other rules need it.
        """
        written = np.ascontiguousarray(moves, np.uint16).reshape(len(moves), -1)
        if len(written) != len(self):
            raise ShapeError(f"moves for {len(written)} boards; there are {len(self)}")
        refused = np.zeros(written.shape, np.uint8)
        call_kernel(
            choose(kernels.PLAY),
            parts=max(1, min(threads, len(self))),
            threads=threads,
            boards=self.state,
            moves=written,
            refused=refused,
            count=len(self),
            bytes=self.state.shape[1],
            moves_each=written.shape[1],
            strict=int(strict),
        )
        return refused.reshape(np.shape(moves))

    def undo(self, moves: Array | int = 1) -> None:
        """Take back so many moves (of each board its own number, or all the same)."""
        counts = np.array(np.broadcast_to(moves, len(self)), np.int64)
        if (counts < 0).any() or (counts > self.look().moves).any():
            raise UsageError("no move to take back")
        call_kernel(
            choose(kernels.UNDO),
            boards=self.state,
            moves=counts,
            count=len(self),
            bytes=self.state.shape[1],
        )

    def look(self) -> Look:
        """What stands on every board, and what is legal there."""
        colours = np.zeros((len(self), self.points), np.int8)
        refused = np.zeros((len(self), self.points), np.uint8)
        numbers = np.zeros((len(self), 6), np.int64)
        call_kernel(
            choose(kernels.LOOK),
            boards=self.state,
            colours=colours,
            refused=refused,
            numbers=numbers,
            count=len(self),
            bytes=self.state.shape[1],
            points=self.points,
        )
        return Look(colours, refused, *numbers.T)

    def scores(
        self, komi: float = 7.5, method: str = "area", dead: Sequence[Iterable[int]] | None = None
    ) -> Array:
        """Black's points minus White's on every board: ``reference.Board.score``, float64 (N,)."""
        if method not in ("area", "territory"):
            raise UsageError(f"no scoring {method!r}{did_you_mean(method, ('area', 'territory'))}")
        look = self.look()
        colours = look.colours.copy()
        for board, points in enumerate(dead or ()):
            colours[board, list(points)] = 0
        owned = owners(colours, self.size).sum(axis=1, dtype=np.int64)
        stones = colours.sum(axis=1, dtype=np.int64)
        if method == "area":
            return np.asarray(owned + stones - komi, np.float64)
        gone = stones - look.colours.sum(axis=1, dtype=np.int64)
        return np.asarray(owned + look.black_took - look.white_took + gone - komi, np.float64)


def owners(colours: Array, size: int) -> Array:
    """Whose the empty points are: int8 (N, points), 0 on stones and where both or none touch."""
    colours = np.ascontiguousarray(colours, np.int8)
    if colours.ndim != 2 or colours.shape[1] != size * size:
        raise ShapeError(f"owners: colours are {colours.shape}, not (N, {size * size})")
    found = np.zeros_like(colours)
    call_kernel(
        choose(kernels.OWNERS), colours=colours, owners=found, count=len(colours), size=size
    )
    return found
