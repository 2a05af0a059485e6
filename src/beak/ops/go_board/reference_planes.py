"""The planes, each as its row in planes.FEATURES says, made from the reference board."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from beak.ops.go_board.planes import FEATURES, FIRST, LADDER_LIMIT, PLANE, PLANES, planes_in
from beak.ops.go_board.reference import Board, Position
from beak.ops.go_board.reference_ladder import ladder_captures, ladder_escapes
from beak.ops.go_board.rules import BLACK, EMPTY

Array = np.ndarray[Any, Any]
FEATURE = {feature.name: feature for feature in FEATURES}


def seen_by(position: Position, colour: int | None) -> Position:
    """The position with ``colour`` to move; a ko forbids nothing to the one who made it."""
    if colour is None or colour == position.to_play:
        return position
    return replace(position, to_play=colour, ko=None)


def is_own_eye(board: Board, position: Position, point: int) -> bool:
    """Whether an empty point is an eye of the player to move.

    All its neighbours are own stones; of its diagonals the opponent holds at most one in the middle
    of the board, and none where the point lies on the edge. (Empty diagonals do not count.)
    """
    own, colours = position.to_play, position.colours
    if any(colours[beside] != own for beside in board.neighbours(point)):
        return False
    row, column = divmod(point, board.size)
    corners = [(row + r, column + c) for r in (-1, 1) for c in (-1, 1)]
    on_board = [r * board.size + c for r, c in corners if min(r, c) >= 0 and max(r, c) < board.size]
    lost = sum(colours[diagonal] == -own for diagonal in on_board)
    return lost <= (1 if len(on_board) == 4 else 0)


def planes(
    board: Board,
    plane_set: str = "alphago-value",
    colour: int | None = None,
    limit: int = LADDER_LIMIT,
) -> Array:
    """The planes of the present position for the player to move, or for ``colour``.

    Returns float64 (planes, size, size). ``limit`` bounds the reading of ladders.
    """
    position = seen_by(board.now, colour)
    size = board.size
    if plane_set == "board":
        return np.array(position.colours, np.float64).reshape(1, size, size)
    kept = planes_in(plane_set)
    made = np.zeros((len(PLANES), board.points))
    made[PLANE["ones"]] = 1
    made[PLANE["black to move"]] = position.to_play == BLACK
    _stones(board, position, made)
    if kept > FIRST["capture size"]:
        legal = {p for p in range(board.points) if board.is_legal(p, position.to_play)}
        _moves(board, position, legal, made)
        captures, _ = ladder_captures(board, position, legal, limit)
        escapes, _ = ladder_escapes(board, position, legal, limit)
        made[PLANE["ladder capture"], sorted(captures)] = 1
        made[PLANE["ladder escape"], sorted(escapes)] = 1
    return made[:kept].reshape(kept, size, size)


def mark(made: Array, feature: str, number: int, point: int) -> None:
    """Set the plane of a feature that stands for a number."""
    made[FIRST[feature] + FEATURE[feature].plane(number), point] = 1


def _stones(board: Board, position: Position, made: Array) -> None:
    for point, colour in enumerate(position.colours):
        if colour == EMPTY:
            made[PLANE["empty"], point] = 1
            continue
        whose = "own stone" if colour == position.to_play else "opponent stone"
        made[PLANE[whose], point] = 1
        placed = position.placed[point]
        turns = board.moves - placed + 1 if placed else FEATURE["turns since"].planes
        mark(made, "turns since", turns, point)
        mark(made, "liberties", len(board.chain(point)[1]), point)


def _moves(board: Board, position: Position, legal: set[int], made: Array) -> None:
    own = position.to_play
    for point in sorted(legal):
        colours, taken = board.after(point, own)
        suicide = point in taken
        stones, liberties = (taken, set()) if suicide else board.chain(point, colours)
        mark(made, "capture size", 0 if suicide else len(taken), point)
        if len(liberties) <= 1:
            mark(made, "self-atari size", len(stones), point)
        if liberties:
            mark(made, "liberties after", len(liberties), point)
        if not is_own_eye(board, position, point):
            made[PLANE["sensible"], point] = 1
