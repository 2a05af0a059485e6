"""Ownership by random games: what is dead, what is settled."""

from __future__ import annotations

import numpy as np
import pytest

from beak.ops.go_board.boards import Boards
from beak.ops.go_board.rules import BLACK, WHITE
from beak.play.ending import connected, dead_stones, ownership, settled
from beak.play.game import Game, result_of
from beak.play.rulesets import RULESETS, ruleset
from beak.play.vertices import point_of


def wall(game, dead=()):
    """Black owns columns A-D, White E-J; and White's dead stones among Black's."""
    for row in range(game.size):
        game.play(row * game.size + 3, BLACK)
        game.play(row * game.size + 4, WHITE)
    for name in dead:
        game.play(point_of(name, game.size), WHITE)
    return game


def test_nobody_owns_an_empty_board():
    owned = ownership(Boards(1, 9), playouts=256)
    assert abs(owned.mean()) < 0.15
    assert not settled(Boards(1, 9))


def test_a_divided_board_is_owned_by_its_sides_and_settled():
    game = wall(Game(9))
    owned = ownership(game.boards).reshape(9, 9)
    assert owned[:, :4].mean() > 0.5
    assert owned[:, 4:].mean() < -0.5
    assert settled(game.boards)


def test_a_stone_without_room_in_a_territory_is_dead():
    game = wall(Game(9), dead=["B5"])
    assert dead_stones(game.boards) == [point_of("B5", 9)]
    assert game.dead() == [point_of("B5", 9)]


@pytest.mark.parametrize(
    ("rules", "result"),
    [
        ("chinese", "W+16.5"),  # Black 27 points and 9 stones, White 36 points and 9 stones
        ("japanese", "W+14.5"),  # Black 27 points and a prisoner, White 36 points
        ("tromp-taylor", "W+44.5"),  # B5 lives: Black has 9 stones, White 36 points and 10 stones
    ],
)
def test_scores_follow_the_rules(rules, result):
    assert wall(Game(9, ruleset(rules)), dead=["B5"]).result() == result


def test_results_are_written_as_gtp_wants_them():
    assert [result_of(score) for score in (0.5, -7.0, 0)] == ["B+0.5", "W+7", "0"]


def test_chinese_rules_pay_for_handicap_stones():
    paid = {}
    for name in RULESETS:
        game = Game(9, ruleset(name), komi=0)
        game.place([point_of(p, 9) for p in ("D3", "D7")])
        even = Game(9, ruleset(name), komi=0)
        even.play(point_of("D3", 9), BLACK)
        even.play(point_of("D7", 9), BLACK)
        paid[name] = even.score() - game.score()
    assert paid == {"chinese": 2, "japanese": 0, "aga": 1, "new-zealand": 2, "tromp-taylor": 0}


def test_connected_stones_and_regions_are_found():
    colours = np.array([1, 1, 0, -1, 1, 0, 0, 0, -1], np.int8)
    assert sorted(map(sorted, connected(colours, 3))) == [[0, 1, 4], [2, 5], [3], [6, 7], [8]]


def test_the_same_seed_gives_the_same_answer():
    board = wall(Game(9)).boards
    np.testing.assert_array_equal(ownership(board, 8, seed=4), ownership(board, 8, seed=4))
    assert (ownership(board, 8, seed=4) != ownership(board, 8, seed=5)).any()
