"""One game at the board: moves of either colour, handicap, undo, the score."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy

import numpy as np

from beak.errors import UsageError
from beak.ops.go_board.boards import Boards, Look
from beak.ops.go_board.rules import BLACK, REASONS, SUICIDE, SUPERKO, WHITE, check_size, encode
from beak.play.ending import connected, dead_stones
from beak.play.rulesets import RULESETS, Ruleset
from beak.play.vertices import vertex

MOST_MOVES = 8192
HANDICAP_KOMI = 0.5


class Game:
    """A game from an empty board; ``clear`` begins anew.

    >>> game = Game(9)
    >>> game.play(40, BLACK)
    >>> game.last, game.to_play
    (40, -1)
    """

    def __init__(
        self, size: int = 19, rules: Ruleset = RULESETS["chinese"], komi: float | None = None
    ) -> None:
        self.rules = rules
        self.komi = rules.komi if komi is None else komi
        self.clear(size)

    def clear(self, size: int) -> None:
        """An empty board. Raises UsageError for no size."""
        self.size = check_size(size)
        self.begin((), BLACK)

    def begin(self, setup: Sequence[tuple[int, int]], first: int) -> None:
        """Stones (point, colour) that stand there before ``first`` moves. Raises UsageError."""
        self.boards = Boards(1, self.size, self.rules.own, setup, first, MOST_MOVES)
        self.points = self.boards.points
        self.setup, self.first = tuple(setup), first
        self.moves: list[tuple[int, int]] = []
        """What was played: point (``points`` for a pass) and colour."""

    @property
    def look(self) -> Look:
        """What stands on the board: arrays of one row."""
        return self.boards.look()

    @property
    def to_play(self) -> int:
        """Whose turn it is: the other player's than who moved last."""
        return -self.moves[-1][1] if self.moves else self.first

    @property
    def last(self) -> int | None:
        """The last move's point; None before the first."""
        return self.moves[-1][0] if self.moves else None

    @property
    def over(self) -> bool:
        """Whether the last two moves were passes."""
        return [point for point, _ in self.moves[-2:]] == [self.points] * 2

    def turn_of(self, colour: int) -> Boards:
        """The board with ``colour`` to move: a copy, on which the other has passed if need be."""
        turned = copy(self.boards)
        turned.state = self.boards.state.copy()
        if colour != self.to_play:
            turned.play(np.array([encode(self.points, -colour)]))
        return turned

    def refusal(self, point: int, colour: int) -> str:
        """Why a move is illegal by the rules of this game; "" where it is legal."""
        tried = copy(self.boards)
        tried.state = self.boards.state.copy()
        refused = int(tried.play(np.array([encode(point, colour)]))[0])
        allowed = {SUPERKO} if self.rules.ko == "simple" else set()
        allowed |= {SUICIDE} if self.rules.suicide else set()
        return "" if refused in allowed else REASONS[refused]

    def play(self, point: int, colour: int) -> None:
        """Play a move, of whichever colour. Raises UsageError with why it is illegal."""
        if reason := self.refusal(point, colour):
            raise UsageError(f"{vertex(point, self.size)}: {reason}")
        self.boards.play(np.array([encode(point, colour)]), strict=False)
        self.moves.append((point, colour))

    def undo(self) -> None:
        """Take the last move back. Raises UsageError where there is none."""
        self.boards.undo()
        self.moves.pop()

    def place(self, stones: Sequence[int]) -> None:
        """Black's handicap stones, on an empty board; White moves first. Raises UsageError."""
        if self.moves or self.setup:
            raise UsageError("the board is not empty")
        self.begin([(point, BLACK) for point in stones], WHITE)

    def dead(self) -> list[int]:
        """The stones that random games to the end mostly lose; none where all count as alive."""
        return [] if self.rules.all_alive else dead_stones(self.boards)

    def chains(self) -> list[list[int]]:
        """The connected stones on the board, a list of points for each chain."""
        colours = self.look.colours[0]
        return [chain for chain in connected(colours, self.size) if colours[chain[0]]]

    def score(self) -> float:
        """Black's points minus White's, komi counted, dead stones taken off."""
        scores = self.boards.scores(self.komi, self.rules.scoring, [self.dead()])
        stones = sum(colour == BLACK for _, colour in self.setup)
        paid = self.rules.handicap
        return float(scores[0]) - (max(0, stones - paid) if paid is not None else 0)

    def result(self) -> str:
        """The score as GTP and game records write it: "B+3.5", "W+0.5", "0"."""
        return result_of(self.score())


def result_of(score: float) -> str:
    """Black's points minus White's in words of GTP.

    >>> result_of(3.5), result_of(-12.0), result_of(0)
    ('B+3.5', 'W+12', '0')
    """
    return f"{'B' if score > 0 else 'W'}+{abs(score):g}" if score else "0"
