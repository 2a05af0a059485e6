"""The compiled planes against the reference, on every instruction set."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beak.errors import DataError, ShapeError
from beak.ops.go_board import reference_planes
from beak.ops.go_board.boards import Boards
from beak.ops.go_board.games import Games, planes_of_boards
from beak.ops.go_board.planes import PLANE, PLANE_SETS, PLANES
from beak.ops.go_board.reference import Board
from beak.ops.go_board.rules import BAD_SETUP, BLACK, KO, KO_RULES, OCCUPIED, WHITE, Rules, encode
from beak.ops.go_board.symmetry import turn_planes
from beak.ops.go_board.test_support import PATTERNS, Game, built, picture

pytestmark = pytest.mark.usefixtures("every_instruction_set")

KO_SHAPE = [(1, BLACK), (4, BLACK), (9, BLACK), (2, WHITE), (7, WHITE), (10, WHITE), (5, WHITE)]
rule_sets = st.builds(Rules, st.sampled_from(KO_RULES), st.booleans())


def same(found, wanted, board):
    """Both planes are equal; else the error names the plane and the points."""
    for name, ours, theirs in zip(PLANES, found, wanted, strict=False):
        places = np.flatnonzero(ours.ravel() != theirs.ravel()).tolist()
        assert not places, f"{name} at {places}\n{picture(board)}"


def check_games_end(game, generator):
    """The planes of the last position, for who would be to move, in a random symmetry."""
    symmetry = int(generator.integers(8))
    last = [[0, len(game.record)]]
    found = game.games.planes(last, "alphago-value", rules=game.board.rules, symmetry=symmetry)[0]
    wanted = reference_planes.planes(game.board)
    same(found, turn_planes(wanted, symmetry), game.board)
    return found


@given(size=st.integers(2, 7), rules=rule_sets, near=st.floats(0, 0.95), seed=st.integers(0, 10**6))
@settings(max_examples=60)
def test_planes_of_random_games_and_fights(size, rules, near, seed):
    generator = np.random.default_rng(seed)
    game = Game(size, rules)
    for _ in range(int(generator.integers(0, 3 * size * size))):
        game.play_at_random(generator, near)
    check_games_end(game, generator)


@pytest.mark.parametrize("near", [0.0, 0.7, 0.9])
def test_planes_of_whole_games_on_the_full_board(near):
    generator = np.random.default_rng(7)
    game = Game(19)
    for number in range(321):
        if number % 80 == 0:
            check_games_end(game, generator)
        game.play_at_random(generator, near)


@pytest.mark.parametrize("name", PATTERNS)
def test_planes_of_built_positions(name):
    generator = np.random.default_rng(len(name))
    for number in range(6):
        rules = Rules(suicide="suicide" in name and number % 2 == 0)
        check_games_end(built(generator, int(generator.integers(6, 11)), rules, name), generator)


@pytest.mark.slow
def test_planes_of_two_thousand_built_positions():
    generator = np.random.default_rng(0)
    captures = escapes = 0
    for number in range(2000):
        size = int(generator.choice([7, 9, 11, 13, 19], p=[0.4, 0.3, 0.1, 0.1, 0.1]))
        rules = Rules(KO_RULES[number % 7 % 3], suicide=number % 3 == 0)
        found = check_games_end(built(generator, size, rules), generator)
        captures += found[PLANE["ladder capture"]].any()
        escapes += found[PLANE["ladder escape"]].any()
    assert captures > 500
    assert escapes > 500


@pytest.mark.slow
def test_planes_of_hundreds_of_positions_of_long_fights():
    generator = np.random.default_rng(1)
    for near in (0.5, 0.8, 0.95):
        game = Game(19)
        for number in range(500):
            if number % 5 == 0:
                check_games_end(game, generator)
            game.play_at_random(generator, near)


@given(limit=st.integers(0, 8), seed=st.integers(0, 10**6))
@settings(max_examples=200)
def test_a_low_limit_leaves_the_same_ladders_undecided(limit, seed):
    board = built(np.random.default_rng(seed), 7).board
    stones = [(point, colour) for point, colour in enumerate(board.now.colours) if colour]
    boards = Boards(1, 7, setup=stones, to_play=WHITE)
    wanted = reference_planes.planes(Board(7, None, stones, WHITE), limit=limit)
    found = planes_of_boards(boards, "alphago-value", ladder_limit=limit)[0]
    same(found, wanted, board)


def some_games(count=5, size=9, moves=90):
    generator = np.random.default_rng(5)
    games = []
    for _ in range(count):
        game = Game(size)
        for _ in range(moves):
            game.play_at_random(generator, 0.6)
        games.append(game.record)
    return Games.of(games, size=size)


def test_the_answer_for_a_position_depends_on_nothing_else_asked():
    games, generator = some_games(), np.random.default_rng(6)
    positions = np.stack([generator.integers(0, 5, 200), generator.integers(0, 91, 200)], 1)
    symmetry = generator.integers(0, 8, 200)
    together = games.planes(positions, symmetry=symmetry, threads=2)
    order = np.lexsort(positions.T[::-1])
    np.testing.assert_array_equal(
        games.planes(positions[order], symmetry=symmetry[order]), together[order]
    )
    for i in range(0, 200, 9):
        alone = games.planes(positions[i : i + 1], symmetry=symmetry[i : i + 1])
        np.testing.assert_array_equal(alone[0], together[i])


@pytest.mark.parametrize("name", PLANE_SETS)
@pytest.mark.parametrize("dtype", [np.int8, np.float32])
def test_smaller_sets_are_the_first_planes_and_bytes_are_the_same_numbers(name, dtype):
    games = some_games(2)
    positions = [[0, 40], [1, 77], [1, 90]]
    found = games.planes(positions, name, dtype=dtype, symmetry=[0, 3, 6])
    assert found.dtype == dtype
    assert found.shape == (3, PLANE_SETS[name], 9, 9)
    whole = games.planes(positions, "alphago-value", symmetry=[0, 3, 6])
    if name != "board":
        np.testing.assert_array_equal(found, whole[:, : PLANE_SETS[name]])
        return
    black_to_move = np.array([True, False, True])[:, None, None]
    own, other = whole[:, PLANE["own stone"]], whole[:, PLANE["opponent stone"]]
    np.testing.assert_array_equal(found[:, 0], np.where(black_to_move, own - other, other - own))


def test_planes_of_boards_are_the_planes_of_their_games_and_leave_the_boards_alone():
    games = some_games(3)
    boards = Boards(3, 9)
    boards.play(games.moves.reshape(3, -1))
    before = boards.look()
    found = planes_of_boards(boards, symmetry=5, threads=2)
    np.testing.assert_array_equal(found, games.planes([[0, 90], [1, 90], [2, 90]], symmetry=5))
    for name, value in vars(boards.look()).items():
        np.testing.assert_array_equal(value, getattr(before, name))


def test_without_ladders_only_those_two_planes_are_empty():
    boards = Boards(1, 9, setup=[(31, BLACK), (39, BLACK), (41, BLACK), (40, WHITE)])
    found, without = (planes_of_boards(boards, ladders=yes)[0] for yes in (True, False))
    assert found[PLANE["ladder capture"]].sum() == 0
    boards = Boards(1, 9, setup=[(31, BLACK), (39, BLACK), (40, WHITE), (32, BLACK)])
    found, without = (planes_of_boards(boards, ladders=yes)[0] for yes in (True, False))
    assert found[PLANE["ladder capture"]].sum()
    found[PLANE["ladder capture"]] = 0
    np.testing.assert_array_equal(found, without)


def test_moves_that_other_rules_allow_are_played_as_they_stand():
    """A ko retaken at once, and White twice in a row: records have both."""
    setup = [encode(point, colour) for point, colour in KO_SHAPE]
    moves = [encode(6, BLACK), encode(5, WHITE), encode(12, WHITE), encode(6, BLACK)]
    found = Games.of([moves], [setup], 4).planes([[0, n] for n in range(5)], "board")
    np.testing.assert_array_equal(found[0], found[2])
    assert [board[0, 3, 0] for board in found] == [0, 0, 0, -1, -1]
    assert [board[0, 1, 1] for board in found] == [-1, 0, -1, -1, 0]


def test_check_counts_the_legal_moves_and_says_why_the_next_is_not():
    setup = [encode(point, colour) for point, colour in KO_SHAPE]
    take, retake = encode(6, BLACK), encode(5, WHITE)
    stuck = [encode(0, BLACK), encode(1, WHITE), encode(4, WHITE)]
    games = Games.of(
        [[take, retake], [take, encode(16, WHITE)], [], [take, take], []],
        [setup, setup, [], setup, stuck],
        4,
    )
    legal, refused = games.check()
    assert legal.tolist() == [1, 2, 0, 1, 0]
    assert refused.tolist() == [KO, 0, 0, OCCUPIED, BAD_SETUP]


def test_games_that_cannot_be_played_are_named():
    games = Games.of([[1, 2], [3, 3, 4]], size=5)
    games.planes([[0, 2], [1, 1]])
    with pytest.raises(DataError, match="game 1 cannot be played to move 3: the point is occupied"):
        games.planes([[0, 1], [1, 3]])


@pytest.mark.parametrize("position", [[0, 3], [0, -1], [1, 0], [-1, 0]])
def test_positions_that_are_not_there_are_refused(position):
    with pytest.raises(ShapeError, match="no position"):
        Games.of([[1, 2]], size=5).planes([[0, 1], position])


def test_arrays_that_do_not_fit_are_refused():
    games = Games.of([[1, 2]], size=5)
    with pytest.raises(ShapeError, match="out is int64"):
        games.planes([[0, 1]], dtype=np.int64)
    with pytest.raises(ShapeError, match="out is float32"):
        games.planes([[0, 1]], out=np.zeros((1, 48, 4, 4), np.float32))
    with pytest.raises(ShapeError, match="symmetries are 0 to 7"):
        games.planes([[0, 1]], symmetry=8)
    with pytest.raises(ShapeError, match="do not divide"):
        Games(games.moves, np.array([0, 3]), games.setup, games.setup_starts)
    with pytest.raises(ShapeError, match="1 games but setup of 2"):
        Games.of([[1]], [[], []])


def test_no_games_and_no_positions_are_no_planes():
    assert Games.of([]).planes(np.zeros((0, 2))).shape == (0, 48, 19, 19)
    assert Games.of([]).check()[0].shape == (0,)
