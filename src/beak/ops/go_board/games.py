"""Compact records of games, and planes of their positions: played again on the fly, in parallel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from beak.errors import DataError, ShapeError
from beak.ops.go_board import kernels
from beak.ops.go_board.boards import Boards
from beak.ops.go_board.planes import FEATURES, FIRST, LADDER_LIMIT, planes_in
from beak.ops.go_board.rules import KO_RULES, REASONS, Rules, check_size
from beak.ops.kernel import call_kernel, choose

Array = np.ndarray[Any, Any]
POSITIONS_A_PART = 32
MOST_MOVES = 60_000


@dataclass(frozen=True)
class Games:
    """Games on boards of one size, two bytes a move.

    ``moves``: uint16, all games' moves as ``rules.encode`` writes them, those of game g from
    ``starts[g]`` to ``starts[g + 1]``; ``setup`` and ``setup_starts``: alike, the stones that stand
    before the first move.
    """

    moves: Array
    starts: Array
    setup: Array
    setup_starts: Array
    size: int = 19

    def __post_init__(self) -> None:
        check_size(self.size)
        for values, starts in ((self.moves, self.starts), (self.setup, self.setup_starts)):
            if (
                values.dtype != np.uint16
                or starts.dtype != np.int64
                or starts.shape != (len(self) + 1,)
            ):
                raise ShapeError("games: moves and setup are uint16, starts int64 (games + 1,)")
            if starts[0] != 0 or starts[-1] != len(values) or (np.diff(starts) < 0).any():
                raise ShapeError(f"games: starts do not divide {len(values)} moves")
        if self.lengths.max(initial=0) > MOST_MOVES:
            raise DataError(f"game {self.lengths.argmax()} has more than {MOST_MOVES} moves")

    @classmethod
    def of(
        cls, moves: Sequence[Iterable[int]], setup: Sequence[Iterable[int]] = (), size: int = 19
    ) -> Games:
        """Games from a list of moves each, and of setup stones, as ``rules.encode`` writes them."""
        stones = list(setup) or [()] * len(moves)
        if len(stones) != len(moves):
            raise ShapeError(f"games: {len(moves)} games but setup of {len(stones)}")
        return cls(*_joined(moves), *_joined(stones), size)

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def lengths(self) -> Array:
        """How many moves each game has: int64 (games,)."""
        lengths: Array = np.diff(self.starts)
        return lengths

    def _arrays(self) -> dict[str, Array]:
        pairs = {name: getattr(self, name) for name in ("moves", "starts", "setup", "setup_starts")}
        return {name: np.ascontiguousarray(array) for name, array in pairs.items()}

    def check(self, rules: Rules | None = None, threads: int = 1) -> tuple[Array, Array]:
        """How many moves of each game are legal, from the first: int64 (games,); and an index into
        ``rules.REASONS``, why the next is not: uint8 (games,), 0 where all are.
        """
        legal, refused = np.zeros(len(self), np.int64), np.zeros(len(self), np.uint8)
        call_kernel(
            choose(kernels.CHECK),
            parts=max(1, -(-len(self) // POSITIONS_A_PART)),
            threads=threads,
            **self._arrays(),
            legal=legal,
            refused=refused,
            games=len(self),
            size=self.size,
            **_rules(rules, self.lengths),
        )
        return legal, refused

    def planes(
        self,
        positions: Array,
        plane_set: str = "alphago",
        *,
        rules: Rules | None = None,
        symmetry: Array | int = 0,
        dtype: Any = np.float32,
        ladders: bool = True,
        ladder_limit: int = LADDER_LIMIT,
        threads: int = 1,
        out: Array | None = None,
        undecided: Array | None = None,
    ) -> Array:
        """Planes of positions: (N, planes, size, size) float32, or int8 (all values are -1, 0, 1).

        ``positions`` int64 (N, 2): a game, and how many of its moves were played before; to move is
        who plays the next (at the end, who did not play the last). ``symmetry`` 0..7, for each or
        for all. Positions that follow each other in one game are made fastest in order. Without
        ``ladders`` those two planes stay empty. ``undecided`` int64 (N,) takes how many ladders met
        the limit. Raises DataError when a game cannot be played up to there.
        """
        positions = np.ascontiguousarray(positions, np.int64).reshape(-1, 2)
        count = len(positions)
        game, number = positions.T
        inside = (game >= 0) & (game < len(self))
        inside[inside] &= (number >= 0)[inside] & (number[inside] <= self.lengths[game[inside]])
        if not inside.all():
            raise ShapeError(
                f"no position {positions[inside.argmin()].tolist()} in {len(self)} games"
            )
        asked = _asked(
            plane_set, count, self.size, symmetry, dtype, ladders, ladder_limit, out, undecided
        )
        refused = np.zeros(count, np.uint8)
        call_kernel(
            choose(kernels.PLANES_OF_GAMES),
            parts=max(1, -(-count // POSITIONS_A_PART)),
            threads=threads,
            **self._arrays(),
            positions=positions,
            refused=refused,
            count=count,
            size=self.size,
            **_rules(rules, self.lengths),
            **asked,
        )
        if refused.any():
            first = int(refused.argmax())
            why = REASONS[refused[first]]
            raise DataError(f"game {game[first]} cannot be played to move {number[first]}: {why}")
        made: Array = asked["out"]
        return made


def planes_of_boards(
    boards: Boards,
    plane_set: str = "alphago",
    *,
    symmetry: Array | int = 0,
    dtype: Any = np.float32,
    ladders: bool = True,
    ladder_limit: int = LADDER_LIMIT,
    threads: int = 1,
    out: Array | None = None,
    undecided: Array | None = None,
) -> Array:
    """Planes of the present positions of boards, for the player to move; as ``Games.planes``."""
    count = len(boards)
    asked = _asked(
        plane_set, count, boards.size, symmetry, dtype, ladders, ladder_limit, out, undecided
    )
    call_kernel(
        choose(kernels.PLANES_OF_BOARDS),
        parts=max(1, -(-count // POSITIONS_A_PART)),
        threads=threads,
        boards=boards.state,
        count=count,
        board_bytes=boards.state.shape[1],
        **asked,
    )
    made: Array = asked["out"]
    return made


def _joined(lists: Sequence[Iterable[int]]) -> tuple[Array, Array]:
    arrays = [np.asarray(list(values), np.uint16) for values in lists]
    starts = np.cumsum([0, *map(len, arrays)], dtype=np.int64)
    return np.concatenate([np.zeros(0, np.uint16), *arrays]), starts


def _rules(rules: Rules | None, lengths: Array) -> dict[str, int]:
    rules = rules or Rules()
    capacity = int(lengths.max(initial=0))
    return {
        "ko_rule": KO_RULES.index(rules.ko),
        "suicide": int(rules.suicide),
        "capacity": capacity,
    }


def _asked(
    plane_set: str,
    count: int,
    size: int,
    symmetry: Array | int,
    dtype: Any,
    ladders: bool,
    ladder_limit: int,
    out: Array | None,
    undecided: Array | None,
) -> dict[str, Any]:
    planes = planes_in(plane_set)
    shape = (count, planes, size, size)
    out = np.empty(shape, dtype) if out is None else out
    if out.dtype not in (np.int8, np.float32) or out.shape != shape:
        raise ShapeError(f"planes: out is {out.dtype} {out.shape}, not int8 or float32 {shape}")
    undecided = np.zeros(count, np.int64) if undecided is None else undecided
    turned = np.ascontiguousarray(np.broadcast_to(symmetry, count))
    if count and not (0 <= turned.min() <= turned.max() < 8):
        raise ShapeError(f"planes: symmetries are 0 to 7, not {turned.min()} to {turned.max()}")
    return {
        "out": out,
        "undecided": undecided,
        "symmetry": turned.astype(np.uint8),
        "first": np.array([FIRST[feature.name] for feature in FEATURES], np.int64),
        "planes": planes,
        "board_only": int(plane_set == "board"),
        "ladders": int(ladders),
        "ladder_limit": ladder_limit,
        "bytes": out.dtype.itemsize,
    }
