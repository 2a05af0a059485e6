"""`beak play`: in the terminal, and as a process that speaks GTP."""

from __future__ import annotations

import io
import re
import subprocess
import sys

import pytest

from beak.cli.group import run
from beak.data.go_spec import MOVES_AND_PASS, GoSpec
from beak.data.picture_spec import PictureSpec
from beak.network.catalogue import make_network
from beak.network.initial import initial_parameters
from beak.network.layers import Activation, Conv2D, Dense, Flatten
from beak.network.network import Network
from beak.runs.model import Model, save_model


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The current directory, with a small Go network of random weights and one for pictures."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    network = Network(
        (4, 19, 19),
        [Conv2D(2, 3, padding="same"), Flatten(), Dense(362), Activation("softmax")],
    )
    spec = GoSpec.of("alphago-4")
    model = Model(network, spec, MOVES_AND_PASS, initial_parameters(network, 1))
    save_model(tmp_path / "go.safetensors", model)
    pictures = make_network("linear", (1, 8, 8), 3)
    other = Model(
        pictures, PictureSpec("pictures", (1, 8, 8)), ("a", "b", "c"),
        initial_parameters(pictures, 1),
    )  # fmt: skip
    save_model(tmp_path / "photos.safetensors", other)
    return tmp_path


@pytest.fixture
def sit(place, monkeypatch, capsys):
    """Plays in the terminal by typed lines; gives the exit code and what was printed."""

    def play(typed, *options):
        monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in typed)))
        code = run(["play", "go.safetensors", *options])
        return code, capsys.readouterr()

    return play


def boards(text):
    """The drawn boards: lists of rows, top first."""
    rows = re.findall(r"^ +(\d+)((?:[ ()][XO.+a-e]){19}[ )])\d+ *$", text, re.M)
    drawn = [[cells for _, cells in rows[i : i + 19]] for i in range(0, len(rows), 19)]
    assert all(len(board) == 19 for board in drawn)
    return drawn


def stones(board, letter):
    return sum(row.count(letter) for row in board)


def test_a_person_plays_and_the_network_answers(sit):
    code, said = sit(["q16", "d4", "quit"])
    assert code == 0
    drawn = boards(said.out)
    assert [stones(board, "X") for board in drawn] == [0, 1, 2]
    assert [stones(board, "O") for board in drawn] == [0, 1, 2]
    assert drawn[1][3][2 * 15 : 2 * 16].strip("()") == " X"
    assert drawn[1][15].count("X") == 0
    assert drawn[2][15][2 * 3 + 1] == "X"
    assert "(O)" in "".join(drawn[2])
    assert len(re.findall(r"go plays [A-T]\d+\.", said.out)) == 2


def test_undo_hint_score_help_and_slips_of_the_pen(sit):
    code, said = sit(["undo", "hint", "?", "z9", "q16", "q16", "undo", "score", "resign"])
    assert code == 0
    assert "you have not played yet" in said.out
    assert re.search(r"a [A-T]\d+ \d+\.\d %, b [A-T]\d+", said.out)
    assert "such as D4; pass; hint" in said.out
    assert "no point 'z9' on 19x19" in said.out
    assert "Q16: the point is occupied" in said.out
    assert "Score: W+7.5 (area counted, komi 7.5)" in said.out
    assert "You have resigned" in said.out
    drawn = boards(said.out)
    assert any(all(letter in "".join(board) for letter in "abcde") for board in drawn)
    assert stones(drawn[-1], "X") + stones(drawn[-1], "O") == 0


def test_the_network_begins_where_the_person_has_white(sit):
    _, said = sit(["quit"], "--colour", "white")
    assert "You are White, go is Black; chinese rules, komi 7.5" in said.out
    assert [stones(board, "X") for board in boards(said.out)] == [0, 1]


def test_with_handicap_white_moves_first(sit):
    _, said = sit(["quit"], "--handicap", "4", "--rules", "japanese")
    assert "komi 0.5" in said.out
    drawn = boards(said.out)
    assert (stones(drawn[0], "X"), stones(drawn[0], "O")) == (4, 0)
    assert (stones(drawn[-1], "X"), stones(drawn[-1], "O")) == (4, 1)


def test_two_passes_end_the_game_with_a_score(sit, monkeypatch):
    from beak.play.player import Player

    monkeypatch.setattr(Player, "move", lambda self, board, passed: 361)
    _, said = sit(["k10", "pass"])
    assert "go passes." in said.out
    _, said = sit(["pass"], "--komi", "0")
    assert "Score: 0 (area counted, komi 0)" in said.out


def test_a_network_that_may_resign_does(sit, monkeypatch):
    from beak.play.player import RESIGN, Player

    monkeypatch.setattr(Player, "move", lambda self, board, passed: RESIGN)
    code, said = sit(["k10"])
    assert (code, "go resigns: you have won." in said.out) == (0, True)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["photos.safetensors"], 2, "photos was trained on pictures; beak play wants"),
        (["nowhere"], 2, "nowhere"),
        (["go.safetensors", "--gtp", "--colour", "white"], 2, "told by the other program"),
        (["go.safetensors", "--handicap", "1"], 2, "handicap"),
        (["go.safetensors", "--temperature", "0"], 2, "temperature"),
        (["go.safetensors", "--rules", "chines"], 2, "rules"),
    ],
)
def test_a_wrong_call_is_one_line(place, capsys, words, code, message):
    assert run(["play", *words]) == code
    said = capsys.readouterr()
    assert message in said.err
    assert said.err.count("\n") == 1


def gtp(place, lines, *options):
    done = subprocess.run(
        [sys.executable, "-m", "beak", "play", "go.safetensors", "--gtp", *options],
        input="".join(f"{line}\n" for line in lines), capture_output=True, text=True, cwd=place,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split("\n\n")[:-1]


def test_gtp_as_a_process(place):
    answers = gtp(
        place,
        ["1 name", "boardsize 9", "play b q16", "genmove w", "list_stones white", "quit", "name"],
    )
    assert answers[0] == "=1 beak go"
    assert answers[1] == "? unacceptable size: this network plays on 19x19"
    assert answers[3].removeprefix("= ") == answers[4].removeprefix("= ")
    assert answers[5:] == ["="]


def test_sampled_games_differ_by_seed_alone(place):
    moves = [f"genmove {colour}" for colour in "bw" * 4]
    first = gtp(place, moves, "--sample", "--seed", "1")
    assert first == gtp(place, moves, "--sample", "--seed", "1", "--threads", "1")
    assert first != gtp(place, moves, "--sample", "--seed", "2")
    assert all(answer.startswith("= ") for answer in first)
