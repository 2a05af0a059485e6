"""Games of a player against itself: every move legal, none into an own eye."""

from __future__ import annotations

import numpy as np
import pytest

from beak.ops.go_board.rules import Rules
from beak.play.player import Evenly, Habits, Player
from beak.play.policy import NetworkPolicy
from beak.play.selfplay import recheck, self_play


def sampled(policy, seed=0):
    return Player(policy, Habits(sampled=True, seed=seed))


def clean(tally, games, size):
    assert (tally.games, tally.illegal, tally.into_eyes) == (games, 0, 0)
    assert tally.looked_at > tally.moves // 20
    assert sum(map(len, tally.records)) == tally.moves
    assert recheck(tally, size, Rules("positional")) == 0


def test_games_end_and_every_move_is_legal():
    tally = self_play(sampled(Evenly()), 60, 5, at_once=16)
    clean(tally, 60, 5)
    assert tally.cut <= 3
    assert len({record.tobytes() for record in tally.records}) == 60


def test_the_games_do_not_depend_on_how_many_are_played_at_once():
    one = self_play(sampled(Evenly()), 12, 5, at_once=1, eyes_every=0)
    many = self_play(sampled(Evenly()), 12, 5, at_once=7, eyes_every=0)
    assert {r.tobytes() for r in one.records} == {r.tobytes() for r in many.records}


def test_an_illegal_move_would_be_counted():
    class Blind(Player):
        def moves(self, boards, games=None):
            return np.zeros(len(boards), np.int64)

    tally = self_play(Blind(Evenly()), 4, 5, at_once=2)
    assert tally.illegal == 4


def test_a_move_into_an_eye_would_be_counted():
    class Filling(Player):
        def moves(self, boards, games=None):
            legal = boards.look().legal
            order = np.arange(boards.points)[::-1] + 1
            return np.where(legal.any(axis=1), (legal * order).argmax(axis=1), boards.points)

    assert self_play(Filling(Evenly()), 4, 4, at_once=2, limit=60).into_eyes > 0


@pytest.mark.slow
@pytest.mark.parametrize(("size", "games"), [(9, 2000), (19, 60)])
def test_many_games_of_random_moves(size, games):
    clean(self_play(sampled(Evenly(), 5), games, size, eyes_every=7), games, size)


@pytest.mark.slow
@pytest.mark.parametrize(("size", "games"), [(9, 1000), (19, 40)])
def test_many_games_of_a_network(size, games, go_model):
    policy = NetworkPolicy(go_model(size, passes=False), threads=2)
    clean(self_play(sampled(policy, 6), games, size, eyes_every=7), games, size)
