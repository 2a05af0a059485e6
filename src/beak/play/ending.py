"""Is it over, whose is what, which stones are dead: asked of random games played to their end.

In a random game both sides play any legal move that fills no own eye, until neither can. Points
that one side owns in nearly all of them are settled. Such games know nothing of seki.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from beak.ops.go_board.boards import NO_MOVE, Boards, owners
from beak.ops.go_board.rules import WHITE, WHITE_BIT

Array = np.ndarray[Any, Any]

PLAYOUTS = 64
SETTLED = 0.1
"""What a region's owner must own of it on average, -1 to 1, for the region to be settled."""
SURE = 0.3
"""What a chain's side must own of it, or the other side, for its life not to be in doubt."""
FILLED = 5
"""Nothing is settled before stones stand on one of so many points."""


def own_eyes(colours: Array, to_play: Array, size: int) -> Array:
    """Which points are eyes of the player to move: bool (N, points) from int8 (N, points), (N,).

    An eye is empty, its neighbours are all own stones, and of its diagonals the opponent holds at
    most one, none on the edge: the planes' "sensible" (docs/go-planes.md) keeps off the same.
    """
    board = (colours * to_play[:, None]).astype(np.int8).reshape(-1, size, size)
    framed = np.pad(board, ((0, 0), (1, 1), (1, 1)), constant_values=2)
    rows, columns = slice(1, size + 1), slice(1, size + 1)
    up, down, left, right = slice(0, size), slice(2, None), slice(0, size), slice(2, None)
    beside = [framed[:, up, columns], framed[:, down, columns],
              framed[:, rows, left], framed[:, rows, right]]  # fmt: skip
    corners = [framed[:, r, c] for r in (up, down) for c in (left, right)]
    eye = board == 0
    for neighbour in beside:
        eye &= neighbour >= 1
    lost = sum((corner == -1).astype(np.int8) for corner in corners)
    edge = np.zeros((size, size), np.int8)
    edge[[0, -1]] = edge[:, [0, -1]] = 1
    eye &= lost + edge < 2
    return np.asarray(eye.reshape(len(colours), -1))


def sensible(boards: Boards) -> Array:
    """Legal moves of the player to move that fill no own eye: bool (N, points)."""
    look = boards.look()
    return np.asarray(look.legal & ~own_eyes(look.colours, look.to_play, boards.size))


def ownership(boards: Boards, playouts: int = PLAYOUTS, seed: int = 0) -> Array:
    """Who owns each point of the first board at the end of random games: float64 (points,).

    1 where always Black, -1 where always White; the player to move begins.
    """
    look = boards.look()
    stones = [(int(p), int(look.colours[0, p])) for p in np.flatnonzero(look.colours[0])]
    games = Boards(
        playouts,
        boards.size,
        setup=stones,
        to_play=int(look.to_play[0]),
        capacity=4 * boards.points,
    )
    play_to_the_end(games, np.random.default_rng(seed))
    colours = games.look().colours
    return np.asarray((colours + owners(colours, boards.size)).mean(axis=0))


def play_to_the_end(games: Boards, random: np.random.Generator) -> None:
    """Random moves on all boards until on each both have passed."""
    passed = np.zeros(len(games), np.int64)
    for _ in range(3 * games.points):
        look = games.look()
        open_ = look.legal & ~own_eyes(look.colours, look.to_play, games.size)
        order = random.random(open_.shape, np.float32) * open_
        points = np.where(open_.any(axis=1), order.argmax(axis=1), games.points)
        moves = points | np.where(look.to_play == WHITE, WHITE_BIT, 0)
        games.play(np.where(passed < 2, moves, NO_MOVE))
        passed = np.where(points == games.points, passed + 1, np.where(passed < 2, 0, passed))
        if (passed >= 2).all():
            return


def dead_stones(boards: Boards, seed: int = 0) -> list[int]:
    """The stones of the first board whose chains the other side mostly owns in the end."""
    return _dead(boards, ownership(boards, seed=seed))


def _dead(boards: Boards, owned: Array) -> list[int]:
    """Chains that their own side keeps in few games; where that is open, what lies beside says.

    A chain in doubt counts with the empty points beside it: it lives in its own territory and is
    dead in the other side's.
    """
    colours = boards.look().colours[0].copy()
    chains = [chain for chain in connected(colours, boards.size) if colours[chain[0]]]
    kept = [float(owned[chain].mean()) * int(colours[chain[0]]) for chain in chains]
    found = [chain for chain, share in zip(chains, kept, strict=True) if share < -SURE]
    doubt = [chain for chain, share in zip(chains, kept, strict=True) if abs(share) <= SURE]
    sides = {chain[0]: int(colours[chain[0]]) for chain in doubt}
    for chain in [*found, *doubt]:
        colours[chain] = 0
    regions = [region for region in connected(colours, boards.size) if not colours[region[0]]]
    for chain in doubt:
        around = next(region for region in regions if chain[0] in region)
        if owned[around].mean() * sides[chain[0]] < 0:
            found.append(chain)
    return sorted(point for chain in found for point in chain)


def settled(boards: Boards, seed: int = 0) -> bool:
    """Whether every sensible move of the first board's player to move is in someone's territory.

    Territory is what one colour alone surrounds when the dead stones are off, and what it owns at
    the end of most random games too: an empty board is nobody's.
    """
    open_ = sensible(boards)[0]
    colours = boards.look().colours[:1].copy()
    if not open_.any():
        return True
    if FILLED * np.count_nonzero(colours) < boards.points:
        return False
    owned = ownership(boards, seed=seed)
    colours[0, _dead(boards, owned)] = 0
    whose = owners(colours, boards.size)[0]
    for region in connected(colours[0], boards.size):
        playable = not colours[0, region[0]] and open_[region].any()
        if playable and owned[region].mean() * whose[region[0]] < SETTLED:
            return False
    return True


def connected(colours: Array, size: int) -> list[list[int]]:
    """The chains and the empty regions of one board, a list of points for each."""
    board, seen, found = colours.tolist(), set[int](), []
    for first, colour in enumerate(board):
        if first in seen:
            continue
        region = [first]
        seen.add(first)
        for point in region:
            row, column = divmod(point, size)
            beside = (point - size, point + size, point - 1, point + 1)
            inside = (row > 0, row < size - 1, column > 0, column < size - 1)
            for other, there in zip(beside, inside, strict=True):
                if there and board[other] == colour and other not in seen:
                    seen.add(other)
                    region.append(other)
        found.append(region)
    return found
