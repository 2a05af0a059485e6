"""How fast planes are made: python -m beak.ops.go_board.bench_go_board [games.tar.gz]

One thread unless --threads. Positions are asked for in random order, so each is reached by playing
its game again from the start; "in order" asks for all positions of games one after the other. With
an archive of SGF files (main line only is read) real games are measured too. The reference makes
every position of a sample once, the kernels the same sample; "times" is the ratio.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from beak.ops.go_board import reference_planes
from beak.ops.go_board.games import Games
from beak.ops.go_board.planes import LADDER_LIMIT
from beak.ops.go_board.reference import Board
from beak.ops.go_board.rules import decode
from beak.ops.go_board.test_support import Game, games_of_archive
from beak.ops.kernel import instruction_set


def made_games(count, moves, near):
    generator = np.random.default_rng(count)
    records = []
    for _ in range(count):
        game = Game(19)
        while len(game.record) < moves:
            game.play_at_random(generator, near)
        records.append(game.record)
    return Games.of(records)


def sample(games, count):
    generator = np.random.default_rng(0)
    game = generator.integers(0, len(games), count)
    return np.stack([game, generator.integers(0, games.lengths[game] + 1)], 1)


def best_rate(run, positions, seconds):
    """Positions a second, in the best of the runs that fit into so many seconds."""
    best, end = np.inf, time.perf_counter() + seconds
    while best == np.inf or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
    return positions / best


def reference_rate(games, positions):
    boards = []
    for game, number in positions:
        stones = games.setup[games.setup_starts[game] : games.setup_starts[game + 1]]
        board = Board(19, None, [decode(int(stone)) for stone in stones])
        first = games.starts[game]
        for move in games.moves[first : first + number]:
            board.play(*decode(int(move)), strict=False)
        boards.append(board)
    start = time.perf_counter()
    for board in boards:
        reference_planes.planes(board)
    return len(positions) / (time.perf_counter() - start)


def report(name, games, options):
    positions = sample(games, options.positions)
    out = np.empty((len(positions), 48, 19, 19), np.int8)
    undecided = np.zeros(len(positions), np.int64)

    def make(wanted=positions, **more):
        return lambda: games.planes(wanted, out=out[: len(wanted)], threads=options.threads, **more)

    rates = {
        "all 48": best_rate(make(undecided=undecided), len(positions), options.seconds),
        "no ladders": best_rate(make(ladders=False), len(positions), options.seconds),
    }
    ordered = positions[np.lexsort(positions.T[::-1])]
    rates["in order"] = best_rate(make(ordered), len(positions), options.seconds)
    few = positions[: options.reference]
    one = games.planes(few, out=out[: len(few)])
    own = best_rate(lambda: games.planes(few, out=one), len(few), 0.3)
    theirs = reference_rate(games, few)
    shown = "".join(f"{rate:12,.0f}" for rate in rates.values())
    print(
        f"{name:28}{games.lengths.mean():7.0f}{shown}{theirs:12,.1f}{own / theirs:9,.0f}"
        f"{(undecided > 0).sum():11}"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("archive", nargs="?", help="a .tar.gz of SGF files")
    parser.add_argument("--positions", type=int, default=4000)
    parser.add_argument("--reference", type=int, default=40, help="positions for the reference")
    parser.add_argument("--seconds", type=float, default=2.0, help="for each figure")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    print(
        f"instruction set {instruction_set()}, {options.threads} threads, int8, 19x19; positions/s"
        f" ({options.positions} positions; undecided: those with a ladder of over "
        f"{LADDER_LIMIT} visits)"
    )
    heads = ("all 48", "no ladders", "in order", "reference")
    print(f"{'':28}{'moves':>7}{''.join(f'{h:>12}' for h in heads)}{'times':>9}{'undecided':>11}")
    if options.archive:
        report("real games", games_of_archive(options.archive, 2000), options)
    report("random, 300 moves", made_games(40, 300, 0.0), options)
    report("fights, 300 moves", made_games(40, 300, 0.9), options)
    report("long fights, 700 moves", made_games(20, 700, 0.9), options)


if __name__ == "__main__":
    main()
