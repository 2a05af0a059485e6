"""Many games of a player against itself at once, every move checked."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from beak.ops.go_board.boards import Boards
from beak.ops.go_board.games import Games, planes_of_boards
from beak.ops.go_board.planes import PLANE
from beak.ops.go_board.rules import LEGAL, WHITE_BIT, Rules
from beak.play.player import Player

Array = np.ndarray[Any, Any]


@dataclass
class Tally:
    """What came of the games."""

    games: int = 0
    moves: int = 0
    """Passes too."""
    illegal: int = 0
    """Moves that the board refused; each ended its game."""
    into_eyes: int = 0
    """Moves that fill an own eye, among the positions that were looked at."""
    looked_at: int = 0
    """Positions in which that was checked, with planes of the compiled kernels."""
    cut: int = 0
    """Games that were ended by the limit, not by two passes."""
    black_wins: int = 0
    """By area, every stone counted, without komi."""
    records: list[Array] = field(default_factory=list)
    """The games' moves as ``rules.encode`` writes them."""


def self_play(
    player: Player,
    games: int,
    size: int = 19,
    *,
    at_once: int = 256,
    rules: Rules | None = None,
    limit: int | None = None,
    eyes_every: int = 1,
    first: int = 0,
) -> Tally:
    """Play so many games, ``at_once`` side by side; each ends with two passes.

    ``limit``: moves after which a game is cut (4 x points). ``eyes_every``: at which steps moves
    are compared with the plane "sensible"; 0 for none. ``first``: the first game's number, under
    which its random numbers are looked up.
    """
    rules = rules or Rules("positional")
    points, slots = size * size, min(at_once, games)
    limit = limit or 4 * points
    fresh = Boards(1, size, rules, capacity=limit)
    boards = Boards(slots, size, rules, capacity=limit)
    numbers, begun, end = np.arange(slots) + first, first + slots, first + games
    made, passes = np.zeros(slots, np.int64), np.zeros(slots, np.int64)
    written = np.zeros((slots, limit), np.uint16)
    tally, step = Tally(), 0
    while (active := numbers < end).any():
        chosen = player.moves(boards, numbers)
        if eyes_every and step % eyes_every == 0:
            _check_eyes(tally, boards, chosen, active)
        moves = (chosen | np.where(made % 2, WHITE_BIT, 0)).astype(np.uint16)
        refused = boards.play(moves)
        tally.illegal += int((refused[active] != LEGAL).sum())
        tally.moves += int(active.sum())
        written[np.arange(slots), made] = moves
        made += 1
        passes = np.where(chosen == points, passes + 1, 0)
        for slot in np.flatnonzero((passes > 1) | (made >= limit) | (refused != LEGAL)):
            if active[slot]:
                record = written[slot, : made[slot]].copy()
                _count(tally, boards, int(slot), record, cut=passes[slot] < 2)
            boards.state[slot] = fresh.state[0]
            made[slot], passes[slot], numbers[slot], begun = 0, 0, begun, begun + 1
        step += 1
    return tally


def _count(tally: Tally, boards: Boards, slot: int, record: Array, cut: bool) -> None:
    tally.games += 1
    tally.cut += int(cut)
    tally.black_wins += int(_one(boards, slot).scores(0)[0] > 0)
    tally.records.append(record)


def _one(boards: Boards, slot: int) -> Boards:
    one = copy(boards)
    one.state = boards.state[slot : slot + 1]
    return one


def _check_eyes(tally: Tally, boards: Boards, chosen: Array, active: Array) -> None:
    planes = planes_of_boards(boards, ladders=False, dtype=np.int8)
    open_ = planes[:, PLANE["sensible"]].reshape(len(boards), -1)
    looked = np.flatnonzero(active & (chosen < boards.points))
    tally.looked_at += len(looked)
    tally.into_eyes += int((open_[looked, chosen[looked]] == 0).sum())


def recheck(tally: Tally, size: int, rules: Rules) -> int:
    """How many of the recorded games the compiled rules refuse when they are played again."""
    records = Games.of([record.tolist() for record in tally.records], size=size)
    legal, _ = records.check(rules)
    return int((legal < records.lengths).sum())
