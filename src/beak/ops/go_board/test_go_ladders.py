"""Ladders on drawn and built positions."""

from __future__ import annotations

import numpy as np
import pytest

from beak.ops.go_board.boards import Boards
from beak.ops.go_board.games import planes_of_boards
from beak.ops.go_board.planes import LADDER_LIMIT, PLANE
from beak.ops.go_board.reference import Board
from beak.ops.go_board.reference_ladder import Ladder, ladder_captures, ladder_escapes
from beak.ops.go_board.rules import BLACK, WHITE
from beak.ops.go_board.test_support import drawn

START = [(3, 3, WHITE), (2, 3, BLACK), (3, 2, BLACK), (4, 2, BLACK)]
"""White's stone can be driven to the far corner from (3, 4); not from (4, 3)."""


def with_ladder(*more, size=19, to_play=BLACK):
    stones = [(row * size + column, colour) for row, column, colour in [*START, *more]]
    return Board(size, setup=stones, to_play=to_play)


def captures(board, **more):
    return ladder_captures(board, board.now, set(board.legal_points()), **more)


def escapes(board, **more):
    return ladder_escapes(board, board.now, set(board.legal_points()), **more)


def test_a_ladder_over_the_whole_board_works_from_one_side_only():
    board = with_ladder()
    assert captures(board) == ({3 * 19 + 4}, 0)
    board.play(3 * 19 + 4)
    assert escapes(board) == (set(), 0)


@pytest.mark.parametrize("place", [(6, 6), (10, 10), (17, 17), (10, 11), (11, 10)])
def test_a_stone_in_its_way_breaks_it(place):
    board = with_ladder((*place, WHITE))
    assert captures(board) == (set(), 0)
    board.play(3 * 19 + 4)
    assert escapes(board) == ({4 * 19 + 3}, 0)


def test_a_stone_of_the_attacker_or_out_of_its_way_does_not():
    assert captures(with_ladder((10, 10, BLACK)))[0]
    assert captures(with_ladder((10, 14, WHITE)))[0]


def test_past_the_limit_a_move_is_neither_capture_nor_escape():
    """The behaviour at the limit of a known program is not what it says."""
    board = with_ladder()
    ladder = Ladder(19, board.now)
    assert ladder.caught_by(3 * 19 + 4, 3 * 19 + 3)
    needed = ladder.visits
    assert 25 < needed < LADDER_LIMIT
    assert captures(board, limit=needed) == ({3 * 19 + 4}, 0)
    assert captures(board, limit=needed - 1) == (set(), 1)
    board.play(3 * 19 + 4)
    assert escapes(board, limit=needed - 1) == (set(), 1)


def test_a_ladder_of_more_than_eighty_moves_is_read_to_its_end():
    """A known program stops at 80."""
    board = with_ladder(size=25)
    ladder = Ladder(25, board.now)
    assert ladder.caught_by(3 * 25 + 4, 3 * 25 + 3)
    assert ladder.visits > 40  # two moves each
    boards = Boards(1, 25, setup=[(p, c) for p, c in enumerate(board.now.colours) if c])
    made = planes_of_boards(boards)[0]
    assert np.flatnonzero(made[PLANE["ladder capture"]]).tolist() == [3 * 25 + 4]


TAKES = "..XX.. .XOO.. .OXX.O ..OOO. ...... ......"
"""Black's two stones in the middle are in atari; at 10 Black takes two of the attacker's."""
CANNOT_TAKE = "..XX.. .XOOO. .OXX.O ..OOO. ...... ......"


def test_taking_an_attacker_in_atari_is_an_escape():
    assert escapes(drawn(TAKES))[0] == {10}
    assert escapes(drawn(CANNOT_TAKE))[0] == set()


def test_the_defender_may_answer_with_a_capture():
    before = [diagram.replace(".OXX.O", "..XX.O") for diagram in (TAKES, CANNOT_TAKE)]
    assert 13 not in captures(drawn(before[0], to_play=WHITE))[0]
    assert 13 in captures(drawn(before[1], to_play=WHITE))[0]


def test_a_ladder_breaks_where_the_attackers_capture_is_forbidden_by_ko():
    board = drawn(".XO. XO.O .XO. ....")
    board.play(6)
    assert not Ladder(4, board.now).caught(6)
    board.play(board.pass_move)
    board.play(board.pass_move)
    assert Ladder(4, board.now).caught(6)


def test_a_chain_with_one_or_three_liberties_is_no_ladder_capture():
    assert captures(drawn("OX... ..... ..... ..... ....."))[0] == set()
    assert captures(drawn(".O... ..... ..... ..... ....."))[0] == set()


def test_on_the_first_line_a_stone_is_caught_between_two():
    board = drawn("..O.. .XXX. ..... ..... .....")
    assert captures(board)[0] == {1, 3}
