"""Finished games of GNU Go: our scores and its own, which it wrote into the records."""

from __future__ import annotations

import re
import zipfile

import pytest

from beak.data.builtin import GO_DEMO_FILE
from beak.play.ending import settled
from beak.play.game import Game
from beak.play.rulesets import ruleset
from beak.play.sgf import parse_main_line


def finished_games():
    """Record and result of the games that were played to two passes."""
    with zipfile.ZipFile(GO_DEMO_FILE) as file:
        texts = file.read("go-demo.sgf").decode().split("(;GM")[1:]
    for text in texts:
        if result := re.search(r"RE\[([BW]\+[\d.]+)\]", text):
            yield parse_main_line("(;GM" + text), result.group(1)


def played(record):
    game = Game(record.size, ruleset("japanese"), record.komi)
    game.begin(record.setup, record.first)
    for point, colour in record.moves:
        game.play(point, colour)
    return game


@pytest.mark.slow
def test_scores_are_mostly_those_of_gnu_go():
    games = [(played(record), result) for record, result in list(finished_games())[:30]]
    same = sum(game.result() == result for game, result in games)
    winner = sum(game.result()[0] == result[0] for game, result in games)
    assert len(games) >= 10
    assert same >= 0.85 * len(games)
    assert winner >= 0.9 * len(games)


@pytest.mark.slow
def test_finished_games_are_mostly_settled_and_the_same_games_earlier_are_not():
    games = [played(record) for record, _ in list(finished_games())[:15]]
    ended = sum(settled(game.boards) for game in games)
    for game in games:
        for _ in range(len(game.moves) * 2 // 5):
            game.undo()
    assert ended >= 0.8 * len(games)
    assert sum(settled(game.boards) for game in games) == 0
