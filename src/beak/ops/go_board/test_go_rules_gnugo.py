"""The reference against GNU Go, an independent implementation, spoken to through GTP."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from beak.ops.go_board.boards import Boards
from beak.ops.go_board.reference import Board, Position, neighbours
from beak.ops.go_board.rules import BLACK, EMPTY, WHITE, Rules, encode

COLUMNS = "ABCDEFGHJKLMNOPQRSTUVWXYZ"
NAMES = {BLACK: "black", WHITE: "white"}
RULES = [
    (Rules(), ()),
    (Rules("positional"), ("--positional-superko",)),
    (Rules("situational"), ("--situational-superko",)),
    (Rules(suicide=True), ("--allow-suicide",)),
]


class GnuGo:
    """A running GNU Go."""

    def __init__(self, *options):
        found = shutil.which("gnugo") or "/usr/games/gnugo"
        if not Path(found).exists():
            pytest.skip("GNU Go is not installed (gnugo)")
        self.process = subprocess.Popen(
            [found, "--mode", "gtp", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, *commands):
        """The answers to commands, which are sent together: waiting for each is slow."""
        self.process.stdin.write("".join(f"{command}\n" for command in commands))
        self.process.stdin.flush()
        answers = []
        for command in commands:
            first = self.process.stdout.readline()
            lines = [first[1:].strip()]
            while line := self.process.stdout.readline().strip():
                lines.append(line)
            assert first.startswith("="), f"GNU Go to {command}: {first}"
            answers.append(" ".join(lines).split())
        return answers

    def close(self):
        self.process.communicate("quit\n", timeout=20)


def vertex(point, size):
    row, column = divmod(point, size)
    return "pass" if row == size else f"{COLUMNS[column]}{size - row}"


def points(words, size):
    return {(size - int(w[1:])) * size + COLUMNS.index(w[0]) for w in words}


def lone_suicides(look, size):
    """Legal suicides of a single stone, which GNU Go never allows: nothing changes but the turn."""
    colours = look.colours[0].tolist()
    other = -int(look.to_play[0])

    board = Board(size)
    board.history = [Position(tuple(colours), -other)]
    surrounded = [
        point
        for point in np.flatnonzero(look.legal[0])
        if all(colours[beside] == other for beside in neighbours(point, size))
    ]
    return {point for point in surrounded if board.after(point, -other)[1] == {point}}


def compare_a_game(gnugo, size, rules, generator, moves, every):
    """Random legal moves; stones, captures and legal points compared at every so many positions."""
    boards = Boards(1, size, rules)
    gnugo.ask(f"boardsize {size}", "clear_board")
    compared, waiting = 0, []
    for number in range(moves):
        look = boards.look()
        colour = int(look.to_play[0])
        legal = sorted(set(np.flatnonzero(look.legal[0])) - lone_suicides(look, size))
        if number % every == 0:
            *_, theirs, black, white, took, lost = gnugo.ask(
                *waiting,
                f"all_legal {NAMES[colour]}",
                "list_stones black",
                "list_stones white",
                "captures black",
                "captures white",
            )
            waiting = []
            assert points(theirs, size) == set(legal)
            assert points(black, size) == set(np.flatnonzero(look.colours[0] == BLACK))
            assert points(white, size) == set(np.flatnonzero(look.colours[0] == WHITE))
            assert (int(took[0]), int(lost[0])) == (look.black_took[0], look.white_took[0])
            compared += 1
        point = int(generator.choice(legal)) if len(legal) else size * size
        assert boards.play(np.array([encode(point, colour)]))[0] == 0
        waiting.append(f"play {NAMES[colour]} {vertex(point, size)}")
    assert (boards.look().colours != EMPTY).any()
    return compared


def compare_games(games, seed, rules, options):
    generator = np.random.default_rng(seed)
    gnugo = GnuGo(*options)
    compared = 0
    try:
        for _ in range(games):
            size = int(generator.choice([5, 6, 7, 9, 13, 19]))
            compared += compare_a_game(gnugo, size, rules, generator, min(4 * size * size, 700), 5)
    finally:
        gnugo.close()
    return compared


@pytest.mark.parametrize(("rules", "options"), RULES, ids=[str(rules) for rules, _ in RULES])
def test_gnu_go_finds_the_same_stones_captures_and_legal_moves(rules, options):
    assert compare_games(4, 1, rules, options) > 60


@pytest.mark.slow
@pytest.mark.parametrize(("rules", "options"), RULES, ids=[str(rules) for rules, _ in RULES])
def test_gnu_go_agrees_on_thousands_of_positions(rules, options):
    assert compare_games(60, 2, rules, options) > 2000
