"""The rules themselves, on positions drawn as diagrams: . empty, X black, O white."""

from __future__ import annotations

import numpy as np
import pytest

from beak.errors import UsageError
from beak.ops.go_board.reference import Board
from beak.ops.go_board.rules import (
    BLACK,
    KO,
    LEGAL,
    OCCUPIED,
    OFF_BOARD,
    SUICIDE,
    SUPERKO,
    WHITE,
    Rules,
    handicap_points,
)
from beak.ops.go_board.test_support import drawn, picture


def test_a_chain_without_liberties_is_taken_whole():
    board = drawn(".XX. XOO. .XX. ....")
    assert board.play(7) == 2
    assert picture(board) == ".XX. X..X .XX. ...."
    assert (board.now.black_took, board.now.white_took) == (2, 0)


def test_one_move_takes_chains_on_several_sides():
    board = drawn("XO.OX .XOX. ..X.. ..... .....")
    assert board.play(2) == 3
    assert picture(board) == "X.X.X .X.X. ..X.. ..... ....."


def test_capture_comes_before_suicide():
    board = drawn(".OX OX. X..")
    assert board.refusal(0) == LEGAL
    assert board.play(0) == 2


def test_suicide_is_refused_unless_the_rules_allow_it():
    diagram = ".XO. XXO. OO.. ...."
    assert drawn(diagram).refusal(0) == SUICIDE
    board = drawn(diagram, Rules(suicide=True))
    assert board.play(0) == 4
    assert picture(board) == "..O. ..O. OO.. ...."
    assert (board.now.black_took, board.now.white_took) == (0, 4)


def test_simple_ko_lasts_for_one_move():
    board = drawn(".XO. XO.O .XO. ....")
    assert board.play(6) == 1
    assert board.now.ko == 5
    assert board.refusal(5) == KO
    board.play(board.pass_move)
    board.play(board.pass_move)
    assert board.now.ko is None
    board.play(15)
    assert board.refusal(5, WHITE) == LEGAL


def test_ko_is_for_the_opponent_only():
    board = drawn(".XO. XO.O .XO. ....")
    board.play(6)
    assert board.refusal(5, BLACK) == LEGAL


def test_there_is_no_ko_unless_a_lone_stone_in_atari_took_one():
    took_two = drawn(".XX.. XOO.. .XX.. ..... .....")
    assert took_two.play(8) == 2
    has_more_liberties = drawn(".X... XO... .X... ..... .....")
    assert has_more_liberties.play(7) == 1
    is_no_lone_stone = drawn(".XOO. XO.XO .XOO. ..... .....")
    assert is_no_lone_stone.play(7) == 1
    assert is_no_lone_stone.chain(7) == ({7, 8}, {6})
    for board in (took_two, has_more_liberties, is_no_lone_stone):
        assert board.now.ko is None
    assert is_no_lone_stone.play(6) == 2


TRIPLE_KO = "\n".join([".XO..XO..XO.", "XO.OX.XOXO.O", ".XO..XO..XO."] + ["." * 12] * 9)


@pytest.mark.parametrize(
    ("ko", "last"), [("simple", LEGAL), ("positional", SUPERKO), ("situational", SUPERKO)]
)
def test_the_sixth_capture_of_a_triple_ko_repeats_the_board(ko, last):
    board = drawn(TRIPLE_KO, Rules(ko))
    first = board.now
    for point in (14, 17, 22, 13, 18):
        assert board.play(point) == 1
    assert board.refusal(21) == last
    if last == LEGAL:
        board.play(21)
        assert (board.now.colours, board.now.to_play) == (first.colours, first.to_play)


@pytest.mark.parametrize(
    ("ko", "last"), [("simple", LEGAL), ("positional", SUPERKO), ("situational", LEGAL)]
)
def test_two_sent_and_one_returned_repeats_the_board_but_not_whose_turn_it_is(ko, last):
    board = drawn(".X.X. OOX.. ..... ..... .....", Rules(ko))
    first = board.now
    assert board.play(0) == 0
    assert board.play(2) == 2
    assert board.refusal(1) == last
    if last == LEGAL:
        board.play(1)
        assert (board.now.colours, board.now.to_play) == (first.colours, -first.to_play)


def test_the_ko_point_is_where_the_board_before_the_last_move_would_come_back():
    generator = np.random.default_rng(0)
    board, kos = Board(5), 0
    for _ in range(1000):
        if board.moves and board.now.ko is not None:
            kos += 1
            assert board.after(board.now.ko, board.now.to_play)[0] == board.history[-2].colours
        for point in board.legal_points():
            back = board.after(point, board.now.to_play)[0]
            assert board.moves < 1 or back != board.history[-2].colours
        legal = board.legal_points()
        board.play(int(generator.choice(legal)) if legal else board.pass_move)
    assert kos > 5


def test_points_off_the_board_and_occupied_ones_are_refused():
    board = drawn("X.. ... ...")
    assert board.refusal(0) == OCCUPIED
    assert board.refusal(10) == board.refusal(-1) == OFF_BOARD
    with pytest.raises(UsageError, match="move 1 at 0: the point is occupied"):
        board.play(0)


def test_undo_brings_the_last_position_back():
    board = drawn(".XO. XO.O .XO. ....")
    before = board.now
    board.play(6)
    board.undo()
    assert board.now == before
    with pytest.raises(UsageError, match="no move to take back"):
        board.undo()


def test_area_and_territory_of_a_finished_board():
    board = drawn(".X.O. .XXO. XX.OO ..XO. .X.O.")
    assert board.score(0) == (7 + 5) - (6 + 4)
    assert board.score(0.5, "territory") == 5 - 4 - 0.5
    with pytest.raises(UsageError, match="did you mean 'area'"):
        board.score(0, "aera")


def test_dead_stones_count_twice_in_territory():
    board = drawn(".X.O. OX.OX .X.O. .X.O. .X.O.")
    assert board.score(0, "territory") == 0
    assert board.score(0, "territory", dead=[5]) == 5 + 1
    assert board.score(0, "territory", dead=[5, 9]) == 0
    assert board.score(0, "area", dead=[5, 9]) == 0


def test_an_empty_board_belongs_to_nobody_and_one_stone_takes_it_all():
    assert Board(5).score(0) == 0
    board = Board(5)
    board.play(12)
    assert board.score(0) == 25


def test_handicap_stones_stand_where_gtp_says():
    assert handicap_points(2, 9) == [6 * 9 + 2, 2 * 9 + 6]
    assert handicap_points(5)[4] == 9 * 19 + 9
    assert len(set(handicap_points(9))) == 9
    assert 9 * 19 + 9 not in handicap_points(8)
    for stones, size in ((1, 19), (10, 19), (5, 8), (2, 5)):
        with pytest.raises(UsageError, match="no fixed handicap"):
            handicap_points(stones, size)


def test_unknown_rules_and_sizes_are_refused_in_words():
    with pytest.raises(UsageError, match="did you mean 'simple'"):
        Rules("simpel")
    with pytest.raises(UsageError, match="26x26"):
        Board(26)
