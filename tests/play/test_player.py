"""The player: only legal moves, no own eyes, passing and giving up at the right time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beak.errors import RunError, UsageError
from beak.ops.go_board.boards import Boards
from beak.ops.go_board.games import planes_of_boards
from beak.ops.go_board.planes import PLANE
from beak.ops.go_board.rules import BLACK, WHITE, Rules, encode
from beak.play.ending import sensible
from beak.play.game import Game
from beak.play.player import RESIGN, Evenly, Habits, Player, draws
from beak.play.vertices import point_of


def stones(rows):
    """Setup stones from drawn rows: X Black, O White."""
    text = "".join(rows.split())
    colours = {"X": BLACK, "O": WHITE}
    return [(point, colours[mark]) for point, mark in enumerate(text) if mark in colours]


def position(rows, to_play=BLACK, rules=None):
    size = len(rows.split())
    return Boards(1, size, rules or Rules("positional"), stones(rows), to_play)


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 13), st.integers(0, 2**32 - 1), st.integers(0, 200))
def test_sensible_moves_are_those_of_the_plane(size, seed, moves):
    player, boards = Player(Evenly(), Habits(sampled=True, seed=seed)), Boards(3, size)
    for _ in range(moves):
        chosen = player.moves(boards)
        turn = boards.look().to_play
        boards.play(np.array([encode(int(p), int(c)) for p, c in zip(chosen, turn, strict=True)]))
    plane = planes_of_boards(boards, "alphago", ladders=False)[:, PLANE["sensible"]]
    np.testing.assert_array_equal(sensible(boards), plane.reshape(3, -1) > 0)


def test_the_likeliest_move_is_not_played_where_it_is_illegal_or_an_own_eye(leaning):
    board = position("""
        .XO..
        XXO..
        OOO..
        .....
        .....
    """)
    eye, occupied, best = 0, 1, point_of("E1", 5)
    assert Player(leaning([eye, occupied, best])).moves(board)[0] == best


def test_a_ko_is_not_retaken(leaning):
    game = Game(5)
    for colour, name in zip(
        [1, -1] * 4, ["B5", "C5", "A4", "D4", "B3", "C3", "E1", "B4"], strict=True
    ):
        game.play(point_of(name, 5), colour)
    game.play(point_of("C4", 5), BLACK)  # takes B4
    retake = point_of("B4", 5)
    assert game.look.refused[0, retake]
    other = point_of("A1", 5)
    assert Player(leaning([retake, other])).move(game.turn_of(WHITE)) == other


def test_a_position_does_not_come_back_under_any_ruleset(leaning):
    rules = Rules("positional")
    player, boards = Player(Evenly(), Habits(sampled=True)), Boards(40, 3, rules)
    seen = [set() for _ in range(40)]
    for _ in range(120):
        look = boards.look()
        chosen = player.moves(boards)
        moves = [encode(int(p), int(c)) for p, c in zip(chosen, look.to_play, strict=True)]
        assert not boards.play(np.array(moves)).any()
        for game, colours in enumerate(boards.look().colours):
            if chosen[game] < 9:
                assert colours.tobytes() not in seen[game]
            seen[game].add(colours.tobytes())


def test_it_passes_where_no_move_is_sensible():
    board = position("""
        .X.X
        XXXX
        .X.X
        XXXX
    """)
    assert Player(Evenly()).move(board) == 16
    white = position(".X\nX.", to_play=WHITE)
    assert Player(Evenly()).move(white) == 4


WALL = """
    ...XO....
    ...XO....
    ...XO....
    ...XO....
    ...XO....
    ...XO....
    ...XO....
    ...XO....
    ...XO....
"""


def test_when_all_is_settled_it_passes_and_before_it_does_not(leaning):
    inside, dame = point_of("A1", 9), WALL.replace("XO", ".O", 1)
    assert Player(leaning([inside])).move(position(WALL), passed=True) == 81
    point = Player(leaning([inside])).move(position(dame), passed=True)
    assert point == inside
    # a move in a territory raises the question without a pass of the other side
    full = "\n".join(row[:1] + "X" + row[2:] for row in WALL.split())
    assert Player(leaning([inside])).move(position(full)) == 81


def test_a_pass_on_an_open_board_is_not_answered_with_a_pass():
    board = position("....\n.X..\n....\n....", to_play=WHITE)
    assert Player(Evenly()).move(board, passed=True) != 16
    assert Player(Evenly()).move(Boards(1, 9), passed=True) != 81


def test_a_policy_that_likes_to_pass_passes(leaning):
    assert Player(leaning([3], passing=0.9)).move(Boards(1, 9)) == 81
    assert Player(leaning([3], passing=0.1)).move(Boards(1, 9)) == 3


def test_sampling_never_passes_on_its_own(leaning):
    player = Player(leaning(range(81), passing=0.3), Habits(sampled=True))
    boards = Boards(2000, 9, capacity=2)
    assert (player.moves(boards) < 81).all()


def test_moves_are_drawn_by_their_probability(leaning):
    boards = Boards(4000, 9, capacity=2)
    drawn = np.bincount(Player(leaning([5, 7, 9]), Habits(True)).moves(boards), minlength=82)
    shares = drawn[[5, 7, 9]] / 4000
    np.testing.assert_allclose(shares, np.array([4, 2, 1]) / 7, atol=0.03)
    cold = Player(leaning([5, 7, 9]), Habits(True, temperature=0.5)).moves(boards)
    np.testing.assert_allclose((cold == 5).mean(), 16 / 21, atol=0.03)


def test_the_same_seed_draws_the_same_moves_whatever_stands_beside(leaning):
    player = Player(Evenly(), Habits(sampled=True, seed=9))
    many, one = Boards(50, 9), Boards(1, 9)
    all_moves = player.moves(many)
    assert len(set(all_moves.tolist())) > 20
    assert player.moves(one, np.array([17]))[0] == all_moves[17]
    assert (draws(9, np.arange(50), np.zeros(50, int)) != draws(8, np.arange(50), 0)).all()


def test_it_resigns_only_when_it_may_and_is_far_behind():
    game = Game(9)
    for row in range(9):
        for column, colour in [(c, BLACK) for c in range(6)] + [(7, WHITE)]:
            if (row, column) not in ((0, 2), (3, 2)):
                game.play(row * 9 + column, colour)
    board = game.turn_of(WHITE)
    assert Player(Evenly(), Habits(resign=20)).move(board) == RESIGN
    assert Player(Evenly(), Habits(resign=80)).move(board) != RESIGN
    assert Player(Evenly()).move(board) != RESIGN
    assert Player(Evenly(), Habits(resign=20)).move(game.turn_of(BLACK)) != RESIGN


def test_a_network_that_answers_nan_is_an_error_not_a_move(leaning):
    with pytest.raises(RunError, match="leaning answers NaN"):
        Player(leaning([3], passing=float("nan"))).move(Boards(1, 9))


@pytest.mark.parametrize("habits", [{"temperature": 0}, {"temperature": -1.0}, {"resign": 0}])
def test_habits_that_cannot_be_are_refused(habits):
    with pytest.raises(UsageError):
        Habits(**habits)
