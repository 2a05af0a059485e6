"""GTP as other programs use it: a process, its pipes, GNU Go on the other side of the board."""

from __future__ import annotations

import subprocess

import pytest

from beak.ops.go_board.rules import handicap_points
from beak.play.vertices import vertex


def play_a_game(black, white, size, limit):
    """A game move by move; each move is told to the other, who answers ? if it is illegal."""
    moves = []
    for program in (black, white):
        program.ask(f"boardsize {size}")
        program.ask("clear_board")
        program.ask("komi 7.5")
    while len(moves) < limit and moves[-2:] != ["PASS", "PASS"]:
        colour, mine, other = (("black", black, white), ("white", white, black))[len(moves) % 2]
        move = mine.ask(f"genmove {colour}").upper()
        if move == "RESIGN":
            break
        other.ask(f"play {colour} {move}")
        moves.append(move)
    return moves


def test_every_answer_comes_at_once_and_the_end_of_the_input_ends_it(engine):
    program = engine()
    for command in ("name", "boardsize 9", "genmove b", "lz-analyze w 100"):
        program.process.stdin.write(command.encode() + b"\n")
        program.process.stdin.flush()
        assert program.process.stdout.readline().startswith(b"=")
        if command.startswith("lz"):
            assert program.process.stdout.readline().startswith(b"info move")
        else:
            assert program.process.stdout.readline() == b"\n"
    program.process.stdin.close()
    assert program.process.stdout.read() == b"\n"
    assert program.process.wait(timeout=20) == 0
    program.process.stdout.close()
    program.close = lambda: None


def test_handicap_stones_stand_where_gnu_go_puts_them(gnugo):
    program = gnugo()
    for size in (7, 9, 13, 19):
        program.ask(f"boardsize {size}")
        for stones in range(2, 10 if size > 7 else 5):
            program.ask("clear_board")
            theirs = set(program.ask(f"fixed_handicap {stones}").split())
            assert theirs == {vertex(p, size) for p in handicap_points(stones, size)}


def test_games_with_gnu_go_have_no_illegal_move(engine, gnugo):
    beak, other = engine(), gnugo("--level", "1", "--chinese-rules")
    for number, size in enumerate((5, 9)):
        sides = (beak, other) if number % 2 else (other, beak)
        moves = play_a_game(*sides, size, limit=4 * size * size)
        assert len(moves) > size
        for colour in ("black", "white"):
            assert set(beak.ask(f"list_stones {colour}").split()) == set(
                other.ask(f"list_stones {colour}").split()
            )
        assert beak.ask("final_score")


@pytest.mark.slow
def test_more_games_with_gnu_go(engine, gnugo):
    beak, other = engine(1), gnugo("--level", "1", "--chinese-rules")
    for number in range(10):
        sides = (beak, other) if number % 2 else (other, beak)
        assert len(play_a_game(*sides, 9, limit=400)) > 9


@pytest.mark.slow
def test_random_bytes_never_make_the_process_write_to_standard_error(engine_command):
    noise = bytes(range(256)) * 50 + b"\nname\nquit\n"
    done = subprocess.run(engine_command, input=noise, capture_output=True)
    assert done.returncode == 0
    assert done.stderr == b""
    assert done.stdout.endswith(b"= beak random\n\n=\n\n")
