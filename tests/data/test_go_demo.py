"""The games that come with beak."""

from __future__ import annotations

import zipfile

from beak.data.builtin import GO_DEMO_FILE, builtin, status
from beak.data.load import load_dataset


def test_it_is_small_and_always_there():
    assert GO_DEMO_FILE.stat().st_size < 400_000
    assert status("go-demo").present
    assert builtin("go-demo").kind == "go"


def test_every_game_is_another_one_and_can_be_played_to_its_end(cache):
    dataset = load_dataset("go-demo")
    assert dataset.name == "go-demo"
    assert dataset.spec.kind == "go"
    counts = {name: len(part.labels) for name, part in dataset.parts.items()}
    assert sum(counts.values()) > 4000
    assert min(counts.values()) > 100
    assert not dataset.report.warnings


def test_the_file_is_one_collection_of_records_with_levels_and_results():
    with zipfile.ZipFile(GO_DEMO_FILE) as file:
        text = file.read("go-demo.sgf")
    games = text.decode().split("(;GM[1]")[1:]
    assert len(games) >= 20
    assert all("PB[GNU Go 3.8 level" in game and "RE[" in game for game in games)
    assert len({game.split("\n", 1)[1] for game in games}) == len(games)
