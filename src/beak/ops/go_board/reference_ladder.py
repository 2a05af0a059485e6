"""Ladders, read to their end on the board: the attacker keeps a chain in atari until it is taken.

A ladder is read for one chain. The attacker plays on one of its two liberties, so that it has one;
the defender answers on that liberty, or takes a chain in atari beside the ladder's. With three
liberties the chain has escaped; with two the attacker goes on, with one it is taken. Every move
must be legal by simple ko, without suicide: a side that has no such move has failed, so that a
ladder breaks where the attacker's next move is forbidden by ko.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from beak.ops.go_board.planes import LADDER_LIMIT
from beak.ops.go_board.reference import Board, Position
from beak.ops.go_board.rules import EMPTY


@contextmanager
def deep(limit: int) -> Iterator[None]:
    """Room for a reading's calls within calls, at most four for each visit."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(before + 5 * limit)
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


class UndecidedError(Exception):
    """A ladder was not read to its end within the limit."""


class Ladder:
    """The reading of one chain's ladder; ``visits`` counts what the limit bounds."""

    def __init__(self, size: int, position: Position, limit: int = LADDER_LIMIT) -> None:
        self.board = Board(size)
        self.board.history = [position]
        self.limit = limit
        self.visits = 0

    def liberties(self, stone: int) -> list[int]:
        """The liberties of the chain at a point, in order."""
        return sorted(self.board.chain(stone)[1])

    def caught(self, stone: int) -> bool:
        """Whether the attacker, who is to move, takes the chain by ladder."""
        liberties = self.liberties(stone)
        if len(liberties) > 2:
            return False
        self.visits += 1
        if self.visits > self.limit:
            raise UndecidedError
        if len(liberties) == 1:
            return self.board.is_legal(liberties[0])
        return any(self.caught_by(point, stone) for point in liberties)

    def caught_by(self, point: int, stone: int) -> bool:
        """Whether the attacker takes the chain by ladder, beginning with this move."""
        if not self.board.is_legal(point):
            return False
        self.board.play(point)
        free = False
        for answer in self.answers(stone):
            free = free or self.freed_by(answer, stone)
        self.board.undo()
        return not free

    def answers(self, stone: int) -> list[int]:
        """The defender's moves: its last liberty first, then captures beside it, in order."""
        stones, liberties = self.board.chain(stone)
        colours = self.board.now.colours
        beside = {b for s in stones for b in self.board.neighbours(s)}
        takes: set[int] = set()
        for other in beside:
            if colours[other] not in (EMPTY, colours[stone]):
                last = self.board.chain(other)[1]
                takes |= last if len(last) == 1 else set()
        return [*liberties, *sorted(takes - liberties)]

    def freed_by(self, point: int, stone: int) -> bool:
        """Whether the defender saves the chain with this move."""
        if not self.board.is_legal(point):
            return False
        self.board.play(point)
        free = len(self.liberties(stone)) > 2 or not self.caught(stone)
        self.board.undo()
        return free


def ladder_captures(
    board: Board, position: Position, legal: set[int], limit: int = LADDER_LIMIT
) -> tuple[set[int], int]:
    """The legal moves that catch a chain with two liberties, and how many were left undecided."""
    return _ladder_moves(board, position, legal, limit, own=False)


def ladder_escapes(
    board: Board, position: Position, legal: set[int], limit: int = LADDER_LIMIT
) -> tuple[set[int], int]:
    """The legal moves that free an own chain in atari, and how many were left undecided."""
    return _ladder_moves(board, position, legal, limit, own=True)


def _ladder_moves(
    board: Board, position: Position, legal: set[int], limit: int, own: bool
) -> tuple[set[int], int]:
    found, undecided, seen = set(), 0, set[int]()
    wanted = position.to_play if own else -position.to_play
    for stone, colour in enumerate(position.colours):
        if colour != wanted or stone in seen:
            continue
        stones, liberties = board.chain(stone, position.colours)
        seen |= stones
        if len(liberties) != (1 if own else 2):
            continue
        ladder = Ladder(board.size, position, limit)
        for point in ladder.answers(stone) if own else sorted(liberties):
            if point in legal:
                ladder.visits = 0
                ladder.board.history = [position]
                works = ladder.freed_by if own else ladder.caught_by
                try:
                    with deep(limit):
                        found |= {point} if works(point, stone) else set()
                except UndecidedError:
                    undecided += 1
    return found, undecided
