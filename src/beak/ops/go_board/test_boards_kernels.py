"""The compiled boards against the reference, on every instruction set."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beak.errors import ShapeError, UsageError
from beak.ops.go_board.boards import NO_MOVE, Boards, owners
from beak.ops.go_board.reference import Board
from beak.ops.go_board.rules import (
    BLACK,
    EMPTY,
    FULL,
    KO,
    KO_RULES,
    LEGAL,
    OFF_BOARD,
    WHITE,
    WHITE_BIT,
    Rules,
    encode,
)
from beak.ops.kernel import supported_sets

pytestmark = pytest.mark.usefixtures("every_instruction_set")

ALL_RULES = [Rules(ko, suicide) for ko in KO_RULES for suicide in (False, True)]


def same_position(board, look, i=0):
    """Everything that a look tells is what the reference says."""
    now = board.now
    np.testing.assert_array_equal(look.colours[i], now.colours)
    found = (look.to_play[i], look.ko[i], look.black_took[i], look.white_took[i], look.moves[i])
    ko = -1 if now.ko is None else now.ko
    assert found == (now.to_play, ko, now.black_took, now.white_took, board.moves)


def same_legality(board, look, i=0):
    refused = [board.refusal(point) for point in range(board.points)]
    np.testing.assert_array_equal(look.refused[i], refused)


def try_random_moves(board, twin, moves, generator, look_every, legal_every):
    """Random moves, legal or not, on both; they must agree about each. How many were legal."""
    played = 0
    for number in range(moves):
        chosen = int(generator.integers(-1, board.points + 1))
        point = board.pass_move if chosen < 0 else chosen
        colour = board.now.to_play if generator.random() < 0.97 else -board.now.to_play
        refused = board.refusal(point, colour)
        assert twin.play(np.array([encode(point, colour)]))[0] == refused
        if refused == LEGAL:
            board.play(point, colour)
            played += 1
        if number % look_every == 0:
            same_position(board, twin.look())
        if number % legal_every == 0:
            same_legality(board, twin.look())
    same_position(board, twin.look())
    return played


@given(
    size=st.integers(2, 8),
    rules=st.sampled_from(ALL_RULES),
    seed=st.integers(0, 10**6),
)
@settings(max_examples=60)
def test_random_moves_legal_or_not_end_in_the_same_positions(size, rules, seed):
    generator = np.random.default_rng(seed)
    board, twin = Board(size, rules), Boards(1, size, rules)
    try_random_moves(board, twin, 5 * size * size, generator, look_every=7, legal_every=31)


@pytest.mark.parametrize("size", [9, 13, 19, 25])
def test_random_moves_on_the_usual_boards(size):
    generator = np.random.default_rng(size)
    board, twin = Board(size), Boards(1, size)
    played = try_random_moves(board, twin, 4 * size * size, generator, 10, 400)
    assert board.now.black_took + board.now.white_took > size
    assert played > size * size


@pytest.mark.slow
@pytest.mark.parametrize("rules", ALL_RULES, ids=str)
def test_a_million_random_moves(rules, every_instruction_set):
    """A million over all rules and instruction sets, each with its share, on 2 to 19 lines."""
    sets = supported_sets()
    generator = np.random.default_rng([ALL_RULES.index(rules), sets.index(every_instruction_set)])
    tried = 0
    while tried < 1_000_000 / (len(ALL_RULES) * len(sets)) + 1:
        size = int(generator.choice([2, 3, 4, 5, 6, 7, 9, 13, 19]))
        moves = min(6 * size * size, 900)
        board, twin = Board(size, rules), Boards(1, size, rules)
        try_random_moves(board, twin, moves, generator, look_every=97, legal_every=997)
        tried += moves


def test_many_boards_in_one_call_do_what_each_alone_does():
    generator = np.random.default_rng(3)
    moves = generator.integers(0, 82, (40, 150)).astype(np.uint16)
    moves[:, 1::2] |= WHITE_BIT
    together = Boards(40, 9)
    refused = together.play(moves, threads=2)
    for i in range(40):
        alone = Boards(1, 9)
        np.testing.assert_array_equal(alone.play(moves[i : i + 1])[0], refused[i])
        np.testing.assert_array_equal(alone.state[0], together.state[i])


@given(
    size=st.integers(2, 7),
    rules=st.sampled_from(ALL_RULES),
    seed=st.integers(0, 10**6),
    back=st.integers(0, 9),
)
def test_taking_back_is_as_if_never_played(size, rules, seed, back):
    moves = np.random.default_rng(seed).integers(0, size * size + 1, (1, 60)).astype(np.uint16)
    moves[:, 1::2] |= WHITE_BIT
    boards = Boards(1, size, rules)
    kept = moves[boards.play(moves) == LEGAL]
    back = min(back, len(kept))
    boards.undo(back)
    fewer = Boards(1, size, rules)
    fewer.play(kept[None, : len(kept) - back])
    for name, found in vars(boards.look()).items():
        np.testing.assert_array_equal(found, getattr(fewer.look(), name), name)
    boards.play(kept[None, len(kept) - back :])
    assert boards.look().moves[0] == len(kept)


def test_a_ko_forbids_nothing_to_the_one_who_made_it():
    stones = [(1, BLACK), (4, BLACK), (9, BLACK), (2, WHITE), (7, WHITE), (10, WHITE), (5, WHITE)]
    boards = Boards(2, 4, setup=stones)
    boards.play(np.array([6, 6]))
    again = np.array([encode(5, WHITE), encode(5, BLACK)])
    assert boards.play(again).tolist() == [KO, LEGAL]


def test_no_more_moves_are_taken_back_than_were_played():
    boards = Boards(2, 5)
    boards.play(np.array([3, NO_MOVE], np.uint16))
    with pytest.raises(UsageError, match="no move to take back"):
        boards.undo()
    boards.undo(np.array([1, 0]))
    assert not boards.look().moves.any()


def test_a_full_board_record_and_points_off_the_board_are_refused():
    boards = Boards(1, 5, capacity=2)
    assert boards.play(np.array([[26, 1, 25, 2]], np.uint16)).tolist() == [[OFF_BOARD, 0, 0, FULL]]


def test_moves_for_another_number_of_boards_are_refused():
    with pytest.raises(ShapeError, match="moves for 3 boards; there are 2"):
        Boards(2).play(np.zeros(3, np.uint16))


@pytest.mark.parametrize(
    ("setup", "why"),
    [
        ([(0, BLACK), (0, WHITE)], "occupied"),
        ([(81, BLACK)], "off the board"),
        ([(0, BLACK), (1, WHITE), (9, WHITE)], "without liberties"),
    ],
)
def test_setup_that_cannot_stand_is_refused_by_both(setup, why):
    for make in (lambda: Boards(1, 9, setup=setup), lambda: Board(9, setup=setup)):
        with pytest.raises(UsageError, match=why):
            make()


@given(
    size=st.integers(2, 9),
    seed=st.integers(0, 10**6),
    method=st.sampled_from(["area", "territory"]),
)
def test_scores_and_owners_are_the_references(size, seed, method):
    generator = np.random.default_rng(seed)
    board, twin = Board(size), Boards(1, size)
    try_random_moves(board, twin, int(generator.integers(0, 3 * size * size)), generator, 50, 999)
    dead = [p for p, c in enumerate(board.now.colours) if c != EMPTY and generator.random() < 0.2]
    assert twin.scores(0.5, method, [dead])[0] == board.score(0.5, method, dead)
    black, white = board.owners(board.now.colours)
    owned = owners(twin.look().colours, size)[0]
    assert set(np.flatnonzero(owned == 1)) == black
    assert set(np.flatnonzero(owned == -1)) == white
