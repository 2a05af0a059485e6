"""A trained network as a policy."""

from __future__ import annotations

import numpy as np
import pytest

from beak.errors import UsageError
from beak.ops.go_board.boards import Boards
from beak.ops.go_board.rules import BLACK, WHITE
from beak.ops.go_board.symmetry import SYMMETRIES, turned_points
from beak.play.player import Habits, Player
from beak.play.policy import NetworkPolicy

STONES = [(0, BLACK), (1, WHITE), (20, BLACK), (33, WHITE), (34, WHITE)]


def turned(symmetry, size=9):
    places = turned_points(size, symmetry)
    return Boards(1, size, setup=[(int(places[p]), colour) for p, colour in STONES])


@pytest.mark.parametrize("passes", [True, False])
def test_it_gives_every_point_and_the_pass_a_probability(go_model, passes):
    shares = NetworkPolicy(go_model(passes=passes))(Boards(3, 9))
    assert shares.shape == (3, 82)
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-5)
    assert (shares[:, -1] > 0).all() == passes


def test_the_average_of_all_symmetries_turns_with_the_board(go_model):
    plain, average = NetworkPolicy(go_model()), NetworkPolicy(go_model(), average=True)
    wanted = average(turned(0))[0]
    differing = 0
    for symmetry in range(1, SYMMETRIES):
        places = turned_points(9, symmetry)
        found = average(turned(symmetry))[0]
        np.testing.assert_allclose(found[places], wanted, rtol=1e-4)
        differing += not np.allclose(plain(turned(symmetry))[0][places], plain(turned(0))[0])
    assert differing == 7


def test_one_position_is_answered_alike_alone_and_among_others(go_model):
    policy = NetworkPolicy(go_model())
    boards = Boards(4, 9)
    boards.play(np.array([3, 5, 7, 0x8000 | 9], np.uint16))
    alone = Boards(1, 9)
    alone.play(np.array([7], np.uint16))
    np.testing.assert_array_equal(policy(boards)[2], policy(alone)[0])


def test_planes_of_the_run_are_what_it_sees(go_model):
    board = Boards(1, 9, setup=STONES)
    other = Boards(1, 9, setup=[(p, -c) for p, c in STONES], to_play=WHITE)
    relative = NetworkPolicy(go_model())  # its planes are seen from who moves
    np.testing.assert_array_equal(relative(board), relative(other))
    absolute = NetworkPolicy(go_model(planes="board", channels=1))
    assert not np.allclose(absolute(board), absolute(other))


def test_it_refuses_other_boards_and_other_networks(go_model, picture_model):
    with pytest.raises(UsageError, match="tiny plays on 9x9, not on 13x13"):
        NetworkPolicy(go_model())(Boards(1, 13))
    with pytest.raises(UsageError, match="photos was trained on pictures; .* go-demo"):
        NetworkPolicy(picture_model)


def test_a_player_plays_by_it(go_model):
    policy = NetworkPolicy(go_model())
    board = Boards(1, 9, setup=STONES)
    best = Player(policy).move(board)
    shares = policy(board)[0]
    shares[[point for point, _ in STONES]] = 0
    assert best == shares.argmax()
    assert Player(policy, Habits(True, seed=1)).move(board) in range(82)
