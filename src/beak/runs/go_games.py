"""What a network for Go says about a game: one position's moves, or every move of the game."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from beak.data.go_kind import load_game, played, position_row, to_play
from beak.data.go_spec import MOVES_AND_PASS, GoSpec
from beak.data.sgf import Game
from beak.errors import BeakError, UsageError
from beak.runs.files import Array
from beak.runs.predictor import Predictor

BATCH = 64


@dataclass(frozen=True)
class Suggestion:
    """One move of a game beside what the network expects there."""

    number: int
    """1 is the first move."""
    colour: str
    """"black" or "white"."""
    played: str
    """"Q16" or "pass"; "" where the game has ended."""
    rank: int | None
    """1 where the network expects it most; None where it does not know the move, as a pass."""
    probability: float | None
    expected: tuple[tuple[str, float], ...]
    """The likeliest moves with their probabilities, the best first."""

    @property
    def apart(self) -> float:
        """How much likelier the expected move is than the one that was played, 0 to 1."""
        return self.expected[0][1] - (self.probability or 0.0)

    def to_json(self) -> dict[str, Any]:
        """As ``beak predict --suggest --json`` prints it."""
        return {
            "move": self.number,
            "colour": self.colour,
            "played": self.played,
            "rank": self.rank,
            "probability": self.probability,
            "expected": dict(self.expected),
        }


def open_game(record: Any, name: str) -> tuple[Game, tuple[str, ...]]:
    """A record's first game, and notes. Raises DataError."""
    return load_game(record, name)


def colours_at(game: Game, number: int, name: str) -> Array:
    """The stones after ``number`` moves: int8 (361,), 1 black, -1 white. UsageError."""
    board = GoSpec.of("board").prepare(position_row(game, number, name)[None])
    return np.asarray(board[0, 0].ravel().astype(np.int8))


def suggestions(
    predictor: Predictor, game: Game, name: str, numbers: list[int] | None = None, top: int = 5
) -> list[Suggestion]:
    """Each move of a game, or of some (1 the first), beside what the network expects.

    One number more than the game has moves is the position at its end. Raises UsageError for
    numbers that the game does not have.
    """
    wanted = list(range(1, len(game.moves) + 1)) if numbers is None else numbers
    found = []
    for number in wanted:
        checked_number(game, number, name)
    answers = predictor.predict_many([(game, number) for number in wanted], BATCH)
    for number, (_, answer) in zip(wanted, answers, strict=True):
        if isinstance(answer, BeakError):
            raise answer
        found.append(beside(game, number, answer.probabilities, top))
    return found


def checked_number(game: Game, move: int | None, name: str) -> int:
    """The number of a move, None: of the one after the last. UsageError where there is none."""
    number = len(game.moves) + 1 if move is None else move
    if not 1 <= number <= len(game.moves) + 1:
        raise UsageError(f"{name}: no move {number}; the game has {len(game.moves)} moves")
    return number


def beside(game: Game, number: int, probabilities: dict[str, float], top: int) -> Suggestion:
    """The move of that number beside what the network expects there."""
    move, rank = "", None
    if number <= len(game.moves):
        move = MOVES_AND_PASS[played(game, number)]
        rank = list(probabilities).index(move) + 1 if move in probabilities else None
    colour = "black" if to_play(game, number - 1) > 0 else "white"
    expected = tuple(probabilities.items())[:top]
    return Suggestion(number, colour, move, rank, probabilities.get(move), expected)
