"""The rules of Go, as they are meant: every move makes a new position, nothing is kept up to date.

``Board`` plays and takes back; chains and liberties are found by walking the board each time. The
kernels (board.h) do the same fast and are tested against this file.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from beak.errors import UsageError, did_you_mean
from beak.ops.go_board.rules import (
    BAD_SETUP,
    BLACK,
    EMPTY,
    KO,
    LEGAL,
    OCCUPIED,
    OFF_BOARD,
    REASONS,
    SUICIDE,
    SUPERKO,
    WHITE,
    Rules,
    check_size,
)

Colours = tuple[int, ...]
"""A colour (BLACK, WHITE, EMPTY) for every point, row by row."""


@dataclass(frozen=True)
class Position:
    """One moment of a game: the stones, whose turn it is, and what the past forbids or counts."""

    colours: Colours
    to_play: int
    ko: int | None = None
    """The point where ``to_play`` may not retake now."""
    placed: tuple[int, ...] = ()
    """For each stone the number of the move that placed it, from 1; 0 for setup and empty."""
    black_took: int = 0
    white_took: int = 0


class Board:
    """A game: positions from the first to the present one.

    ``setup``: pairs (point, colour) that stand before the first move, such as handicap stones.
    Raises UsageError when a setup chain has no liberty or a point is taken twice.
    """

    def __init__(
        self,
        size: int = 19,
        rules: Rules | None = None,
        setup: Iterable[tuple[int, int]] = (),
        to_play: int = BLACK,
    ) -> None:
        self.size = check_size(size)
        self.points = size * size
        self.rules = rules or Rules()
        self._neighbours = [tuple(neighbours(point, size)) for point in range(self.points)]
        colours = [EMPTY] * self.points
        for point, colour in setup:
            if not 0 <= point < self.points or colours[point] != EMPTY:
                reason = REASONS[OCCUPIED if 0 <= point < self.points else OFF_BOARD]
                raise UsageError(f"setup stone at {point}: {reason}")
            colours[point] = colour
        for point in range(self.points):
            if colours[point] != EMPTY and not self.chain(point, colours)[1]:
                raise UsageError(f"setup stone at {point}: {REASONS[BAD_SETUP]}")
        self.history = [Position(tuple(colours), to_play, placed=(0,) * self.points)]

    @property
    def now(self) -> Position:
        """The present position."""
        return self.history[-1]

    @property
    def moves(self) -> int:
        """How many moves were played, passes too."""
        return len(self.history) - 1

    @property
    def pass_move(self) -> int:
        """The number of the pass."""
        return self.points

    def neighbours(self, point: int) -> tuple[int, ...]:
        """The two to four points beside a point."""
        return self._neighbours[point]

    def connected(self, point: int, colours: Colours | list[int]) -> set[int]:
        """The points that are reached from ``point`` over points of its colour, empty ones too."""
        found, todo = {point}, [point]
        while todo:
            for beside in self._neighbours[todo.pop()]:
                if colours[beside] == colours[point] and beside not in found:
                    found.add(beside)
                    todo.append(beside)
        return found

    def chain(
        self, point: int, colours: Colours | list[int] | None = None
    ) -> tuple[set[int], set[int]]:
        """The stones connected with the one at ``point``, and their liberties."""
        colours = self.now.colours if colours is None else colours
        stones = self.connected(point, colours)
        beside = {b for stone in stones for b in self._neighbours[stone]}
        return stones, {b for b in beside if colours[b] == EMPTY}

    def after(self, point: int, colour: int) -> tuple[Colours, set[int]]:
        """The stones after a move on an empty point, and those of them that it removes."""
        colours = list(self.now.colours)
        colours[point] = colour
        taken: set[int] = set()
        for beside in self._neighbours[point]:
            if colours[beside] == -colour and beside not in taken:
                stones, liberties = self.chain(beside, colours)
                taken |= stones if not liberties else set()
        for stone in taken:
            colours[stone] = EMPTY
        own, liberties = self.chain(point, colours)
        if not liberties:
            taken = own
            for stone in own:
                colours[stone] = EMPTY
        return tuple(colours), taken

    def refusal(self, point: int, colour: int | None = None) -> int:
        """Why a move is not legal: an index into ``REASONS``, ``LEGAL`` (0) when it is."""
        colour = self.now.to_play if colour is None else colour
        if point == self.pass_move:
            return LEGAL
        if not 0 <= point < self.points:
            return OFF_BOARD
        if self.now.colours[point] != EMPTY:
            return OCCUPIED
        if point == self.now.ko and colour == self.now.to_play:
            return KO
        colours, taken = self.after(point, colour)
        if point in taken and not self.rules.suicide:
            return SUICIDE
        if self.rules.ko == "positional" and any(p.colours == colours for p in self.history):
            return SUPERKO
        if self.rules.ko == "situational":
            came = ((p.colours, p.to_play) for p in self.history)
            if (colours, -colour) in came:
                return SUPERKO
        return LEGAL

    def is_legal(self, point: int, colour: int | None = None) -> bool:
        """Whether a move may be played; the pass always may."""
        return self.refusal(point, colour) == LEGAL

    def play(self, point: int, colour: int | None = None, strict: bool = True) -> int:
        """Play a move, of the player to move unless ``colour`` says otherwise.

        Returns how many stones it removed; raises UsageError when it is not legal. Not ``strict``:
        only if the point is occupied or off the board; records of other rules need that.
        """
        colour = self.now.to_play if colour is None else colour
        refused = self.refusal(point, colour)
        if refused in (OFF_BOARD, OCCUPIED) or (strict and refused):
            raise UsageError(f"move {self.moves + 1} at {point}: {REASONS[refused]}")
        if point == self.pass_move:
            self._append(self.now.colours, -colour, None, self.now.placed, set(), colour)
            return 0
        colours, taken = self.after(point, colour)
        placed = list(self.now.placed)
        placed[point] = self.moves + 1
        for stone in taken:
            placed[stone] = 0
        ko = None
        if (
            len(taken) == 1
            and point not in taken
            and self.chain(point, colours) == ({point}, taken)
        ):
            ko = next(iter(taken))
        self._append(
            colours, -colour, ko, tuple(placed), taken, -colour if point in taken else colour
        )
        return len(taken)

    def _append(
        self,
        colours: Colours,
        to_play: int,
        ko: int | None,
        placed: tuple[int, ...],
        taken: set[int],
        taker: int,
    ) -> None:
        black = self.now.black_took + (len(taken) if taker == BLACK else 0)
        white = self.now.white_took + (len(taken) if taker == WHITE else 0)
        self.history.append(Position(colours, to_play, ko, placed, black, white))

    def undo(self) -> None:
        """Take the last move back; raises UsageError at the beginning."""
        if len(self.history) == 1:
            raise UsageError("no move to take back")
        self.history.pop()

    def legal_points(self, colour: int | None = None) -> list[int]:
        """The points where a move may be played, in order; the pass is not listed."""
        return [point for point in range(self.points) if self.is_legal(point, colour)]

    def owners(self, colours: Colours) -> tuple[set[int], set[int]]:
        """The empty points that only Black's stones can be reached from, and only White's."""
        black: set[int] = set()
        white: set[int] = set()
        seen: set[int] = set()
        for point in range(self.points):
            if colours[point] == EMPTY and point not in seen:
                region = self.connected(point, colours)
                seen |= region
                touched = {colours[b] for p in region for b in self._neighbours[p]} - {EMPTY}
                black |= region if touched == {BLACK} else set()
                white |= region if touched == {WHITE} else set()
        return black, white

    def score(self, komi: float = 7.5, method: str = "area", dead: Iterable[int] = ()) -> float:
        """Black's points minus White's of a finished board; positive where Black wins.

        Empty regions belong to the one colour that they touch, or to nobody. "area" (Tromp-Taylor)
        counts the stones too; "territory" counts the stones that were taken instead. ``dead``
        stones are taken off first. Komi goes to White.
        """
        if method not in ("area", "territory"):
            raise UsageError(f"no scoring {method!r}{did_you_mean(method, ('area', 'territory'))}")
        gone = set(dead)
        colours = tuple(EMPTY if p in gone else c for p, c in enumerate(self.now.colours))
        black, white = self.owners(colours)
        if method == "area":
            return len(black) + colours.count(BLACK) - len(white) - colours.count(WHITE) - komi
        taken = self.now.black_took - self.now.white_took
        taken -= sum(self.now.colours[point] for point in gone)
        return len(black) - len(white) + taken - komi


def neighbours(point: int, size: int) -> list[int]:
    """The points beside a point, none of them off the board.

    >>> neighbours(0, 3), neighbours(4, 3)
    ([1, 3], [1, 3, 5, 7])
    """
    row, column = divmod(point, size)
    beside = ((row - 1, column), (row, column - 1), (row, column + 1), (row + 1, column))
    return [r * size + c for r, c in beside if 0 <= r < size and 0 <= c < size]
