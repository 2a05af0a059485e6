"""Planes of real games, twin against reference; the games are in an archive beside the project."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from beak.ops.go_board import reference_planes
from beak.ops.go_board.planes import PLANES
from beak.ops.go_board.reference import Board
from beak.ops.go_board.rules import decode
from beak.ops.go_board.symmetry import turn_planes
from beak.ops.go_board.test_support import games_of_archive

pytestmark = pytest.mark.slow
POSITIONS = int(os.environ.get("BEAK_GO_POSITIONS", "3000"))
"""All 100,000 take a quarter of an hour: the reference makes about 90 a second."""


@pytest.fixture(scope="module")
def games():
    places = [os.environ.get("BEAK_DATA"), Path(__file__).parents[4].parent / "shared" / "data"]
    found = [Path(p) / "go-kgs-6d.tar.gz" for p in places if p]
    archive = next((path for path in found if path.exists()), None)
    if archive is None:
        pytest.skip("neither BEAK_DATA nor ../shared/data has go-kgs-6d.tar.gz")
    return games_of_archive(archive, 36_692)


def test_real_games_can_be_played_but_for_a_few_retaken_kos(games):
    legal, refused = games.check()
    assert len(games) > 30_000
    assert (refused == 0).mean() > 0.99
    np.testing.assert_array_equal(legal == games.lengths, refused == 0)


def test_planes_of_positions_of_real_games(games):
    generator = np.random.default_rng(int(os.environ.get("BEAK_GO_SEED", "0")))
    each = 10
    for game in generator.choice(len(games), POSITIONS // each, replace=False):
        if games.lengths[game] < 2 * each:
            continue
        numbers = np.sort(generator.choice(games.lengths[game] + 1, each, replace=False))
        symmetry = generator.integers(0, 8, each)
        positions = np.stack([np.full(each, game), numbers], 1)
        found = games.planes(positions, "alphago-value", symmetry=symmetry, dtype=np.int8)
        stones = games.setup[games.setup_starts[game] : games.setup_starts[game + 1]]
        moves = games.moves[games.starts[game] : games.starts[game + 1]].tolist()
        board = Board(19, None, [decode(stone) for stone in stones.tolist()])
        for number, planes, turned in zip(numbers, found, symmetry, strict=True):
            while board.moves < number:
                board.play(*decode(moves[board.moves]), strict=False)
            last = number == len(moves)
            colour = board.now.to_play if last else decode(moves[number])[1]
            wanted = turn_planes(reference_planes.planes(board, colour=colour), turned)
            for name, ours, theirs in zip(PLANES, planes, wanted, strict=True):
                assert (ours == theirs).all(), f"{name}: game {game}, move {number}"
