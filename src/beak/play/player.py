"""A player: a policy, how it chooses among its moves, when it passes and when it gives up."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from beak.errors import RunError, UsageError
from beak.ops.go_board.boards import Boards, Look, owners
from beak.ops.kernel import call_kernel, choose
from beak.ops.random.kernels import PHILOX_WORDS
from beak.play.ending import own_eyes, ownership, settled

Array = np.ndarray[Any, Any]
RESIGN = -1
"""What ``Player.move`` gives instead of a point."""


class Policy(Protocol):
    """How likely each move is, for the player to move."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def size(self) -> int | None:
        """Lines of the boards that it reads; None: any."""

    def __call__(self, boards: Boards) -> Array:
        """Float (N, points + 1), the pass last (0 where the policy knows none)."""


class Evenly:
    """A policy that knows nothing: every point is as likely as any other."""

    name = "random"
    size: int | None = None

    def __call__(self, boards: Boards) -> Array:
        """Ones, and no pass."""
        shares = np.ones((len(boards), boards.points + 1))
        shares[:, -1] = 0
        return shares


@dataclass(frozen=True)
class Habits:
    """How a player chooses."""

    sampled: bool = False
    """Moves are drawn by their probability; else the likeliest is played."""
    temperature: float = 1.0
    """Below 1 the likelier moves gain, above 1 the others."""
    seed: int = 0
    """Which random numbers are drawn; the same moves come again in the same game."""
    resign: float | None = None
    """It gives up when random games end so many points behind, komi aside; None: never."""

    def __post_init__(self) -> None:
        if not 0 < self.temperature < 1e3:
            raise UsageError(f"a temperature of {self.temperature}; it must be above 0, 1 is usual")
        if self.resign is not None and not self.resign > 0:
            raise UsageError(f"to resign {self.resign} points behind; that must be above 0")


@dataclass(frozen=True)
class Player:
    """Plays by a policy: only legal moves, never into its own eyes.

    >>> Player(Evenly(), Habits(sampled=True)).moves(Boards(2, 9)).shape
    (2,)
    """

    policy: Policy
    habits: Habits = Habits()

    def shares(self, boards: Boards) -> Array:
        """The policy's probabilities of the sensible moves and the pass: float64 (N, points + 1).

        They add up to 1; the pass takes all where no move is sensible. Raises RunError on NaN.
        """
        return self._shares(boards, boards.look())

    def _shares(self, boards: Boards, look: Look) -> Array:
        found = np.asarray(self.policy(boards), np.float64)
        if not np.isfinite(found).all():
            raise RunError(
                f"{self.policy.name} answers NaN: its weights have diverged or are damaged; "
                "train again with a smaller learning rate"
            )
        open_ = look.legal & ~own_eyes(look.colours, look.to_play, boards.size)
        found = found * np.pad(open_, ((0, 0), (0, 1)), constant_values=True)
        lost = found[:, :-1].sum(axis=1) < 1e-30  # whatever is sensible is as good as the rest
        found[lost, :-1] = open_[lost]
        found[~open_.any(axis=1), -1] = 1
        return np.asarray(found / found.sum(axis=1, keepdims=True))

    def moves(self, boards: Boards, games: Array | None = None) -> Array:
        """A move for every board: int64 (N,), ``points`` for a pass.

        ``games``: int64 (N,), numbers under which the random numbers are looked up. It passes where
        no move is sensible, and where the policy's likeliest move is the pass.
        """
        look = boards.look()
        shares = self._shares(boards, look)
        best: Array = shares.argmax(axis=1)
        if not self.habits.sampled:
            return best
        games = np.arange(len(boards)) if games is None else games
        with np.errstate(divide="ignore"):
            weights = np.log(shares[:, :-1]) / self.habits.temperature
        weights = np.exp(weights - weights.max(axis=1, keepdims=True, initial=-1e300))
        sums = weights.cumsum(axis=1)
        thrown = draws(self.habits.seed, games, look.moves) * sums[:, -1]
        drawn = (sums > thrown[:, None]).argmax(axis=1)
        return np.asarray(np.where(best == boards.points, best, drawn))

    def move(self, board: Boards, passed: bool = False) -> int:
        """The move on the first board: a point, ``points`` to pass, or ``RESIGN``.

        ``passed``: the other side just has. Then, or when the likeliest move is in someone's
        territory, random games tell whether anything is left to play for.
        """
        if self._gives_up(board):
            return RESIGN
        point = int(self.moves(board)[0])
        if point == board.points or not (passed or surrounded(board, point)):
            return point
        return board.points if settled(board, self.habits.seed) else point

    def _gives_up(self, board: Boards) -> bool:
        look = board.look()
        if self.habits.resign is None or 2 * look.moves[0] < board.points:
            return False
        ahead = ownership(board, seed=self.habits.seed).sum() * look.to_play[0]
        return bool(ahead < -self.habits.resign)


def surrounded(board: Boards, point: int) -> bool:
    """Whether over empty points only one colour can be reached from here."""
    return bool(owners(board.look().colours[:1], board.size)[0, point])


def draws(seed: int, games: Array, moves: Array) -> Array:
    """Random numbers that are looked up by seed, game and move: float64 (N,) in [0, 1)."""
    counters = np.zeros((len(games), 4), np.uint32)
    counters[:, 1], counters[:, 2] = moves & 0xFFFFFFFF, games & 0xFFFFFFFF
    counters[:, 3] = games >> 32 & 0xFFFFFFFF
    words = np.empty_like(counters)
    call_kernel(
        choose(PHILOX_WORDS),
        counters=counters,
        words=words,
        key0=seed & 0xFFFFFFFF,
        key1=zlib.crc32(b"move"),
        count=len(games),
    )
    return np.asarray(words[:, 0] / 2.0**32)
