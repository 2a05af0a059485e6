"""What the planes mean, on drawn positions; among them each mistake that known programs made."""

from __future__ import annotations

import doctest
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beak.errors import UsageError
from beak.ops.go_board import games, reference, rules, symmetry
from beak.ops.go_board.planes import (
    FEATURES,
    FIRST,
    LADDER_LIMIT,
    PLANE,
    PLANE_SETS,
    PLANES,
    planes_in,
    table,
)
from beak.ops.go_board.reference import Board
from beak.ops.go_board.reference_planes import planes
from beak.ops.go_board.rules import BLACK, WHITE, Rules
from beak.ops.go_board.symmetry import INVERSE, turn_moves, turn_planes, turned_points
from beak.ops.go_board.test_support import Game, built, drawn

EIGHTS = [feature for feature in FEATURES if feature.planes == 8]
OF_MOVES = [PLANES.index(name) for name in PLANES[20:47]]


def number_at(made, feature, point):
    """Which number of a feature is set at a point, as the plane's name has it; None for none."""
    names = next(f for f in FEATURES if f.name == feature).names()
    on = [name for name in names if made[PLANE[name]].ravel()[point]]
    assert len(on) < 2
    return on[0].removeprefix(f"{feature} ") if on else None


def numbers(made, point):
    """What the planes tell about a move."""
    names = ("capture size", "self-atari size", "liberties after")
    return tuple(number_at(made, name, point) for name in names)


def points_of(made, name):
    return np.flatnonzero(made[PLANE[name]]).tolist()


def test_the_planes_stand_where_the_paper_prints_them():
    assert len(PLANES) == len(PLANE) == 49
    first = [("own stone", 0), ("opponent stone", 1), ("empty", 2), ("ones", 3), ("turns since", 4),
             ("liberties", 12), ("capture size", 20), ("self-atari size", 28),
             ("liberties after", 36), ("ladder capture", 44), ("ladder escape", 45),
             ("sensible", 46), ("zeros", 47), ("black to move", 48)]  # fmt: skip
    assert list(FIRST.items()) == first
    assert PLANE_SETS["alphago-12"] == FIRST["liberties"]
    assert PLANE_SETS["alphago-20"] == FIRST["capture size"]
    assert PLANE_SETS["alphago-4"] == FIRST["turns since"]
    with pytest.raises(UsageError, match="did you mean 'alphago-"):
        planes_in("alphago-21")


def test_the_page_prints_the_table_from_which_the_code_is_made():
    page = (Path(__file__).parents[4] / "docs" / "go-planes.md").read_text()
    assert table() in page
    assert f"Reading stops at {LADDER_LIMIT} positions" in page
    for name in PLANE_SETS:
        assert f"`{name}`" in page


@pytest.mark.parametrize("module", [games, reference, rules, symmetry])
def test_examples_in_docstrings(module):
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("feature", EIGHTS, ids=lambda feature: feature.name)
def test_a_number_never_lands_among_the_planes_of_another_feature(feature):
    """One program wrote 8 or more liberties onto "captures nothing", and never the first plane."""
    used = [feature.plane(number) for number in range(feature.least, feature.least + 20)]
    assert used == [0, 1, 2, 3, 4, 5, 6] + [7] * 13


@given(seed=st.integers(0, 10**6))
def test_which_planes_are_set_where(seed):
    game = built(np.random.default_rng(seed), 7)
    made = planes(game.board).reshape(49, -1)
    legal = np.zeros(49, bool)
    legal[game.board.legal_points()] = True
    stones = np.array(game.board.now.colours) != 0
    eights = {f.name: made[FIRST[f.name] : FIRST[f.name] + 8].sum(axis=0) for f in EIGHTS}
    for name in ("turns since", "liberties"):
        np.testing.assert_array_equal(eights[name], stones)
    for name in ("capture size", "liberties after"):
        np.testing.assert_array_equal(eights[name], legal)
    assert (eights["self-atari size"] <= legal).all()
    np.testing.assert_array_equal(eights["self-atari size"], made[PLANE["liberties after 1"]])
    for name in ("ladder capture", "ladder escape", "sensible"):
        assert (made[PLANE[name]] <= legal).all(), f"{name} where no move is legal"
    np.testing.assert_array_equal(made[:3].sum(axis=0), 1)
    assert (made[PLANE["ones"]] == 1).all()
    assert not made[PLANE["zeros"]].any()
    assert (made[PLANE["black to move"]] == (game.board.now.to_play == BLACK)).all()


def test_colours_are_those_of_the_player_to_move():
    for colour in (BLACK, WHITE):
        made = planes(drawn("X.. .O. ...", to_play=colour))
        own, other = (0, 4) if colour == BLACK else (4, 0)
        assert points_of(made, "own stone") == [own]
        assert points_of(made, "opponent stone") == [other]
        assert made[PLANE["black to move"]].all() == (colour == BLACK)


def test_turns_since_counts_from_the_last_move_and_passes_count():
    game = Game(5, setup=[(24, BLACK)])
    for point in (0, 1, 25, 2):
        game.play(point)
    made = planes(game.board)
    found = [number_at(made, "turns since", point) for point in (2, 1, 0, 24, 7)]
    assert found == ["1", "3", "4", "8+", None]
    for point in (5, 6, 10, 11, 15, 16):
        game.play(point)
    made = planes(game.board)
    assert [number_at(made, "turns since", p) for p in (16, 2, 1, 0)] == ["1", "7", "8+", "8+"]


def test_liberties_are_counted_once_a_chain():
    made = planes(drawn("XX.OO X..O. XX.O. ..... X...."))
    assert number_at(made, "liberties", 0) == "5"
    assert number_at(made, "liberties", 3) == "6"
    assert number_at(made, "liberties", 20) == "2"
    assert number_at(planes(Board(5, None, [(p, 1) for p in range(5)])), "liberties", 0) == "5"
    assert number_at(planes(Board(9, None, [(p, 1) for p in range(9)])), "liberties", 0) == "8+"


def test_capture_size_is_zero_first_and_seven_or_more_last():
    made = planes(drawn("XOOOOOO.. .XXXXXX.. " + " ".join(["........."] * 7)))
    assert number_at(made, "capture size", 7) == "6"
    assert number_at(made, "capture size", 20) == "0"
    made = planes(drawn("XOOOOOOO. .XXXXXXX. " + " ".join(["........."] * 7)))
    assert number_at(made, "capture size", 8) == "7+"


def test_a_chain_that_touches_the_point_on_two_sides_is_counted_once():
    """One program took the chain twice, so that it took, joined and feared too many stones."""
    made = planes(drawn("XXXO. X.X.. OOO.. ..... ....."))
    assert numbers(made, 6) == ("0", "6", "1")
    made = planes(drawn("OOOX. O.OX. XXX.. ..... ....."))
    assert numbers(made, 6) == ("5", None, "7")


def test_self_atari_is_about_the_move_and_not_about_stones_in_atari():
    """One program marked stones that stood in atari already."""
    made = planes(drawn(".XO.. XO... .O... ..... ....."))
    assert number_at(made, "liberties", 1) == "1"
    assert numbers(made, 1) == (None, None, None)
    assert numbers(made, 0) == ("0", "3", "1")
    assert numbers(made, 10) == ("0", None, "2")
    made = planes(drawn(".OX.. ..O.. O.... ..... ....."))
    assert numbers(made, 0) == ("0", "1", "1")


def test_liberties_after_a_capture_include_the_points_that_it_frees_and_not_the_move():
    made = planes(drawn(".OX.. OX... X.... ..... ....."))
    assert numbers(made, 0) == ("2", None, "2")
    made = planes(drawn(".OOX. XXX.. ..... ..... ....."))
    assert numbers(made, 0) == ("2", None, "6")


def test_joined_chains_share_their_liberties():
    made = planes(drawn(".X.X. ..... ..... ..... ....."))
    assert numbers(made, 2) == ("0", None, "5")


def test_a_snapback_is_a_self_atari_that_catches():
    board = drawn(".XO.. .XO.. OO... ..... .....", to_play=WHITE)
    made = planes(board)
    assert numbers(made, 0) == ("0", "1", "1")
    assert points_of(made, "ladder capture") == [0, 5]
    board.play(0)
    made = planes(board)
    assert numbers(made, 5) == ("1", "3", "1")
    assert points_of(made, "ladder escape") == []
    board.play(5)
    assert numbers(planes(board), 0)[0] == "3"


def test_a_suicide_that_is_legal_is_a_self_atari_without_liberties():
    diagram = ".XO. XXO. OO.. ...."
    assert numbers(planes(drawn(diagram)), 0) == (None, None, None)
    assert numbers(planes(drawn(diagram, Rules(suicide=True))), 0) == ("0", "4", None)


@pytest.mark.parametrize(
    ("diagram", "point", "eye"),
    [
        (".X... XX... ..... ..... .....", 0, True),  # in the corner
        (".X... XO... ..... ..... .....", 0, False),
        (".X... X.... ..... ..... .....", 0, True),  # an empty diagonal does not count
        ("X.X.. XXX.. ..... ..... .....", 1, True),  # on the edge
        ("X.X.. XXO.. ..... ..... .....", 1, False),
        ("..... .XXX. .X.X. .OXX. .....", 12, True),  # one diagonal lost in the middle
        ("..... .OXX. .X.X. .OXX. .....", 12, False),
        ("XXX.. X..X. XXX.. ..... .....", 6, False),  # two points large
    ],
)
def test_an_own_eye_is_not_filled(diagram, point, eye):
    made = planes(drawn(diagram))
    assert (point not in points_of(made, "sensible")) == eye


def test_occupied_points_suicide_and_ko_are_not_sensible():
    """One program marked every point that was no eye."""
    board = drawn(".XO. XO.O .XO. ....")
    board.play(6)
    made = planes(board)
    assert 5 not in points_of(made, "sensible")
    assert numbers(made, 5) == (None, None, None)
    assert not set(points_of(made, "sensible")) & {1, 2, 4, 6, 7, 9, 10}
    made = planes(drawn(".XO. XXO. OO.. ...."))
    assert points_of(made, "sensible") == [3, 7, 10, 11, 12, 13, 14, 15]


def test_a_move_that_superko_forbids_has_no_planes():
    """Without superko a program of the same network played on without end."""
    for ko, forbidden in (("simple", False), ("positional", True)):
        board = drawn(".X.X. OOX.. ..... ..... .....", Rules(ko))
        board.play(0)
        board.play(2)
        made = planes(board)
        assert (1 not in points_of(made, "sensible")) == forbidden
        assert (numbers(made, 1) == (None, None, None)) == forbidden


@given(size=st.integers(2, 25), symmetry=st.integers(0, 7))
def test_points_moves_and_planes_turn_alike_and_back(size, symmetry):
    board = np.arange(size * size)
    turned = turn_planes(board.reshape(size, size), symmetry).ravel()
    np.testing.assert_array_equal(turned[turned_points(size, symmetry)[:-1]], board)
    moves = np.array([0, size - 1, size * size - 1, size * size])
    there = turn_moves(moves, size, symmetry)
    assert there[-1] == size * size
    np.testing.assert_array_equal(turn_moves(there, size, INVERSE[symmetry]), moves)
    back = turn_planes(turned.reshape(size, size), INVERSE[symmetry]).ravel()
    np.testing.assert_array_equal(back, board)


def test_the_eight_symmetries_are_eight():
    assert len({turn_planes(np.arange(9).reshape(3, 3), s).tobytes() for s in range(8)}) == 8


@pytest.mark.parametrize("symmetry", range(8))
def test_a_turned_game_has_turned_planes(symmetry):
    generator = np.random.default_rng(symmetry)
    game = built(generator, 8)
    stones = [(p, c) for p, c in enumerate(game.board.history[0].colours) if c]
    points = turn_moves([p for p, _ in stones], 8, symmetry)
    turned = Game(8, setup=list(zip(points.tolist(), [c for _, c in stones], strict=True)))
    for _ in range(20):
        game.play_at_random(generator, near=0.7)
    for move in game.record:
        turned.play(int(turn_moves([move & 0x7FFF], 8, symmetry)[0]))
    np.testing.assert_array_equal(planes(turned.board), turn_planes(planes(game.board), symmetry))
