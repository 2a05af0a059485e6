"""Go on the command line: boards drawn, whole games, tables, one line for every mistake."""

import json

import numpy as np
import pytest

from beak.cli.go_board import board_lines
from beak.cli.group import run
from beak.train.train import train
from tests.data.go_games import folder_of_games, random_moves, random_sgf


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    place = tmp_path_factory.mktemp("go")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BEAK_CACHE", str(place / "cache"))
        games = folder_of_games(place / "games", games=12, moves=30)
        settings = {"data.planes": "alphago-4"}
        train(games, out=place / "run", network="go-small width=4 blocks=1", epochs=1,
              set=settings, baseline=False, listen=None)  # fmt: skip
    (place / "a.sgf").write_text(random_sgf(3, 40))
    (place / "two.sgf").write_text(random_sgf(3, 40) + random_sgf(4, 40))
    (place / "bad.sgf").write_text("(;SZ[19];B[aa];W[aa])")
    (place / "nine.sgf").write_text("(;SZ[9];B[aa])")
    return place


@pytest.fixture(autouse=True)
def cache(made, monkeypatch):
    monkeypatch.setenv("BEAK_CACHE", str(made / "cache"))


def answer(capsys, *typed):
    assert run([str(word) for word in typed]) == 0
    return capsys.readouterr()


def terminal(monkeypatch):
    from beak.cli import console, predict_go

    monkeypatch.setattr(predict_go, "on_terminal", lambda: True)
    monkeypatch.setattr(console, "on_terminal", lambda: True)


def test_one_position_between_tabs_and_as_json(made, capsys):
    said = answer(capsys, "predict", made / "run", made / "a.sgf", "--move", "7", "--top", "3").out
    rows = [line.split("\t") for line in said.splitlines()]
    assert [row[0] for row in rows] == [str(made / "a.sgf")] * 3
    assert sorted((float(row[2]) for row in rows), reverse=True) == [float(r[2]) for r in rows]
    told = json.loads(
        answer(capsys, "predict", made / "run", made / "a.sgf", "--move", "7", "--json").out
    )
    assert (told["move"], told["colour"]) == (7, "black")
    assert next(iter(told["expected"])) == rows[0][1]
    assert 1 <= told["rank"] <= 361


def test_the_board_is_drawn_with_the_likeliest_moves(made, capsys, monkeypatch):
    terminal(monkeypatch)
    said = answer(capsys, "predict", made / "run", made / "a.sgf", "--move", "7").out
    lines = said.splitlines()
    assert len(lines) == 21
    assert lines[0].split() == list("ABCDEFGHJKLMNOPQRST")
    assert "move 7, black to play" in said
    board = "".join(line[3:42] for line in lines[1:20])
    assert (board.count("X"), board.count("O")) == (3, 3)
    assert board.count("(") == board.count(")") == 1
    beside = [line[47:] for line in lines[3:8]]
    assert [text.split()[0] for text in beside] == list("abcde")
    assert all("%" in text for text in beside)


def test_a_whole_game_is_gone_through(made, capsys, monkeypatch):
    rows = answer(capsys, "predict", made / "run", made / "a.sgf", "--suggest").out.splitlines()
    assert [row.split("\t")[0] for row in rows] == [str(n) for n in range(1, 41)]
    told = [
        json.loads(line)
        for line in answer(
            capsys, "predict", made / "run", made / "a.sgf", "--suggest", "--json"
        ).out.splitlines()
    ]
    assert [t["colour"] for t in told[:2]] == ["black", "white"]
    terminal(monkeypatch)
    said = answer(capsys, "predict", made / "run", made / "a.sgf", "--suggest").out
    assert "black: " in said
    assert "farthest from what was expected" in said


def test_the_end_of_a_game_and_several_games_in_a_file(made, capsys):
    found = answer(capsys, "predict", made / "run", made / "two.sgf", "--json")
    assert json.loads(found.out)["move"] == 41
    assert json.loads(found.out)["rank"] is None
    assert "it holds 2 games; the first is taken" in found.err


@pytest.mark.parametrize(
    ("typed", "code", "said"),
    [
        ("a.sgf --move 42", 2, "a.sgf: no move 42; the game has 40 moves"),
        ("a.sgf --move 0", 2, "'--move': 0 is not in the range x>=1"),
        ("bad.sgf", 1, "bad.sgf: move 2: the point is occupied"),
        ("nine.sgf", 1, "nine.sgf: a board of 9x9, not 19x19"),
        ("a.sg", 2, "no file or folder"),
        ("a.sgf --suggest --move 3", 2, "--suggest is about the whole game: leave out --move"),
        ("a.sgf two.sgf --suggest", 2, "--suggest is about one game, 2 were given"),
    ],
)
def test_every_mistake_is_one_line(made, capsys, typed, code, said):
    words = [str(made / word) if ".sg" in word else word for word in typed.split()]
    assert run(["predict", str(made / "run"), *words]) == code
    errors = capsys.readouterr().err
    assert said in errors
    assert "Traceback" not in errors
    assert errors.strip().count("\n") <= 1  # a usage error names the help too


def test_evaluate_counts_phases_and_symmetries(made, capsys):
    said = answer(capsys, "evaluate", made / "run", made / "games").out
    assert "among the five likeliest" in said
    assert "mean of the answers to 8 symmetries" in said
    assert "moves 1 to 50" in said
    told = json.loads(answer(capsys, "evaluate", made / "run", made / "games", "--json").out)
    assert told["strata"][0]["name"] == "moves 1 to 50"
    assert "confusion" not in told


@pytest.mark.parametrize("in_colour", [True, False])
def test_a_board_has_its_letters_stones_and_last_move(in_colour):
    colours = np.zeros(361, np.int8)
    for move in random_moves(1, 20):
        colours[move & 0x7FFF] = -1 if move & 0x8000 else 1
    empty = int(np.flatnonzero(colours == 0)[0])
    last = int(np.flatnonzero(colours)[-1])
    lines = [line.plain for line in board_lines(colours, {empty: "a"}, last, in_colour)]
    assert len({len(line.rstrip()) for line in lines[1:20]}) <= 2
    row, column = divmod(empty, 19)
    assert lines[1 + row][4 + 2 * column] == "a"
    row, column = divmod(last, 19)
    assert lines[1 + row][3 + 2 * column] == "("
    assert lines[1 + row][5 + 2 * column] == ")"
