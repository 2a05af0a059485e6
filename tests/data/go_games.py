"""Small games for tests: random legal moves, written as SGF."""

import numpy as np

from beak.ops.go_board.boards import Boards
from beak.ops.go_board.rules import WHITE, decode, encode

LETTERS = "abcdefghijklmnopqrs"


def place(point):
    return "" if point == 361 else LETTERS[point % 19] + LETTERS[point // 19]


def random_moves(seed, count=40):
    """Moves that a board accepts, as records write them."""
    generator = np.random.default_rng(seed)
    board, moves, colour = Boards(1, 19), [], 1
    while len(moves) < count:
        move = encode(int(generator.integers(361)), colour)
        if board.play(np.array([move], np.uint16))[0] == 0:
            moves.append(move)
            colour = -colour
    return moves


def sgf_of(moves, setup=(), head="", size=19):
    stones = {1: [], -1: []}
    for stone in setup:
        point, colour = decode(stone)
        stones[colour].append(f"[{place(point)}]")
    root = "".join(f"{name}{''.join(stones[c])}" for name, c in (("AB", 1), ("AW", -1))
                   if stones[c])  # fmt: skip
    played = "".join(
        f";{'W' if colour == WHITE else 'B'}[{place(point)}]"
        for point, colour in map(decode, moves)
    )
    return f"(;GM[1]FF[4]SZ[{size}]{head}{root}\n{played})\n"


def random_sgf(seed, count=40, head=""):
    return sgf_of(random_moves(seed, count), head=head)


def folder_of_games(folder, games=12, moves=30, first=0):
    """A folder of so many different games."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(games):
        (folder / f"{i:03}.sgf").write_text(random_sgf(first + i, moves))
    return folder
