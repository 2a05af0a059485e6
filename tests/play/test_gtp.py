"""GTP, command by command, and whatever else may come in."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from beak.play.commands import COMMANDS, Session
from beak.play.game import Game
from beak.play.gtp import LONGEST_LINE, serve
from beak.play.player import Evenly, Habits, Player

RECORD = "(;GM[1]FF[4]SZ[9]KM[5.5]AB[cc][gg]PL[W](;W[ee];B[];W[ec])(;W[aa]))"


def session(size=9, policy=None):
    return Session(Player(policy or Evenly(), Habits(sampled=True)), Game(size), "1.2")


def talk(lines, made=None):
    """The answers to lines, as the other program reads them."""
    said = io.StringIO()
    given = lines if isinstance(lines, bytes) else "\n".join(lines).encode() + b"\n"
    serve(made or session(), io.BytesIO(given), said)
    text = said.getvalue()
    assert not text or text.endswith("\n\n")
    return text[:-2].split("\n\n") if text else []


CASES = {
    "protocol_version": (["protocol_version"], "= 2"),
    "name": (["name"], "= beak random"),
    "version": (["version"], "= 1.2"),
    "known_command": (["known_command genmove", "known_command fly"], "= true", "= false"),
    "list_commands": (["list_commands"], r"= beak-heat\n(.+\n)+version"),
    "quit": (["quit", "name"], "="),
    "boardsize": (
        ["boardsize 13", "query_boardsize", "boardsize 26", "boardsize x", "boardsize"],
        "=", "= 13", r"\? unacceptable size", r"\? syntax error.*", r"\? syntax error",
    ),
    "query_boardsize": (["query_boardsize"], "= 9"),
    "clear_board": (
        ["komi 3", "play b a1", "clear_board", "list_stones b", "get_komi"],
        "=", "=", "=", "=", "= 3",
    ),
    "komi": (
        ["komi 5.5", "komi nan", "komi", "get_komi"],
        "=", *2 * [r"\? syntax error.*"], "= 5.5",
    ),
    "get_komi": (["get_komi"], "= 7.5"),
    "play": (
        ["play B d4", "play w D4", "play white j9", "play red A1", "play b i5", "play b",
         "play b pass", "play b a1", "list_stones black"],
        "=", r"\? illegal move.*occupied", "=", *2 * [r"\? invalid color or coordinate"],
        r"\? syntax error", "=", "=", "= D4 A1",
    ),
    "gogui-play_sequence": (
        ["gogui-play_sequence b a1 w b2 b c3", "list_stones b", "gogui-play_sequence b"],
        "=", "= C3 A1", r"\? syntax error",
    ),
    "genmove": (
        ["genmove b", "genmove black", "genmove x", "genmove"],
        r"= [A-J]\d", r"= [A-J]\d", r"\? invalid color or coordinate", r"\? syntax error",
    ),
    "reg_genmove": (["reg_genmove w", "list_stones w"], r"= [A-J]\d", "="),
    "undo": (
        ["play b a1", "play w b1", "undo", "list_stones w", "undo", "undo"],
        "=", "=", "=", "=", "=", r"\? cannot undo",
    ),
    "fixed_handicap": (
        ["fixed_handicap 3", "list_stones b", "fixed_handicap 2", "clear_board",
         "fixed_handicap 10", "fixed_handicap"],
        "= C3 G7 C7", "= C7 G7 C3", r"\? board not empty", "=",
        r"\? invalid number of stones.*", r"\? syntax error",
    ),
    "place_free_handicap": (
        ["place_free_handicap 2", "undo", "place_free_handicap 2", "clear_board",
         "place_free_handicap 1", "place_free_handicap 30"],
        "= C3 G7", r"\? cannot undo", r"\? board not empty", "=",
        r"\? invalid number of stones", r"= (.\d ){8}.\d",
    ),
    "set_free_handicap": (
        ["set_free_handicap A1 B2 C3", "list_stones b", "set_free_handicap A1 B2", "clear_board",
         "set_free_handicap A1 A1", "set_free_handicap A1 pass", "set_free_handicap A1"],
        "=", "= C3 B2 A1", r"\? board not empty", "=", *3 * [r"\? bad vertex list"],
    ),
    "time_settings": (
        ["time_settings 60 30 5", "time_settings 60", "time_settings -1 0 0"],
        "=", r"\? syntax error", r"\? syntax error.*",
    ),
    "kgs-time_settings": (
        ["kgs-time_settings none", "kgs-time_settings byoyomi 60 30 5",
         "kgs-time_settings canadian 60", "kgs-time_settings hourglass"],
        "=", "=", r"\? syntax error", r"\? syntax error",
    ),
    "time_left": (
        ["time_left b 20 0", "time_left x 20 0", "time_left b"],
        "=", r"\? invalid color or coordinate", r"\? syntax error",
    ),
    "final_score": (["komi 7", "final_score"], "=", r"= (0|[BW]\+\d+)"),
    "final_status_list": (
        ["gogui-play_sequence b c3 w g7", "final_status_list alive", "final_status_list seki",
         "final_status_list what", "final_status_list"],
        "=", "= G7\nC3", "=", r"\? syntax error.*", r"\? syntax error",
    ),
    "showboard": (
        ["play b a1", "showboard"],
        "=", r"=\n   A B C D E F G H J\n( ?\d ([.+] ){9}\d\n){8} 1\(X\)(\. ){8}1\n   A.*J\nWhite.*",
    ),
    "list_stones": (["list_stones w", "list_stones"], "=", r"\? syntax error"),
    "is_legal": (
        ["play b a1", "is_legal w a1", "is_legal w b1", "is_legal w"],
        "=", "= 0", "= 1", r"\? syntax error",
    ),
    "loadsgf": (
        ["loadsgf {record}", "list_stones w", "get_komi", "loadsgf {record} 2", "list_stones w",
         "list_stones b", "loadsgf nowhere.sgf", "loadsgf {broken}", "list_stones w"],
        "= black", "= E7 E5", "= 5.5", "= black", "= E5", "= C7 G3",
        *2 * [r"\? cannot load file: .+"], "= E5",
    ),
    "gogui-analyze_commands": (
        ["gogui-analyze_commands"],
        r"= (gfx|cboard|dboard)/[\w ]+/beak-\w+(\n(gfx|cboard|dboard)/[\w ]+/beak-\w+)*",
    ),
    "beak-moves": (
        ["beak-moves"],
        r"= (COLOR #[0-9a-f]{6} [A-J]\d\n)+LABEL( \w\d \d+)+\nTEXT .* %",
    ),
    "beak-heat": (["beak-heat"], r"= ((#ff[0-9a-f]{4} ){8}#ff[0-9a-f]{4}\n?){9}"),
    "beak-probabilities": (["beak-probabilities"], r"= ((0\.\d{4} ?){9}\n?){9}"),
    "beak-ownership": (["beak-ownership"], r"= ((-?\d\.\d\d ?){9}\n?){9}"),
    "lz-analyze": (
        ["lz-analyze b 10", "name", "lz-analyze", "", "name", "lz-analyze w"],
        r"=\n(info move \w\d visits \d+ winrate 5000 prior \d+ lcb 5000 order \d pv \w\d ?)+",
        "= beak random", r"=\ninfo.*", "= beak random", r"=\ninfo.*",
    ),
}  # fmt: skip


def test_every_command_has_a_case():
    assert set(CASES) == set(COMMANDS)


@pytest.mark.parametrize("name", CASES)
def test_a_command_answers_as_the_protocol_says(name, tmp_path):
    (tmp_path / "record").write_text(RECORD)
    (tmp_path / "broken").write_text("(;SZ[9];B[zz])")
    lines, *wanted = CASES[name]
    places = {"record": tmp_path / "record", "broken": tmp_path / "broken"}
    answers = talk([line.format(**places) for line in lines])
    assert len(answers) == len(wanted)
    for answer, pattern in zip(answers, wanted, strict=True):
        assert re.fullmatch(pattern, answer), f"{answer!r} is not {pattern!r}"


def test_numbers_come_back_with_good_and_bad_answers():
    assert talk(["7 name", "08 fly", "9"]) == ["=7 beak random", "?08 unknown command",
                                              "?9 unknown command"]  # fmt: skip


def test_comments_tabs_control_characters_and_empty_lines_are_read_as_the_protocol_says():
    given = b"# a comment\n\n \t\n1\tna\x07me # why\r\n\r\n2 protocol_version\x00\r\n"
    assert talk(given) == ["=1 beak random", "=2 2"]


def test_a_last_line_without_an_end_is_answered():
    assert talk(b"name") == ["= beak random"]


def test_a_line_too_long_is_refused_and_the_next_one_answered():
    given = b"play b " + b"a" * (3 * LONGEST_LINE) + b"\nprotocol_version\n"
    assert talk(given) == ["? the line is too long", "= 2"]


def test_a_network_for_one_board_refuses_others(leaning, tmp_path):
    policy = leaning([])
    policy.size = 9
    (tmp_path / "a.sgf").write_text("(;SZ[13];B[aa])")
    answers = talk(["boardsize 19", "boardsize 9", f"loadsgf {tmp_path / 'a.sgf'}"],
                   session(9, policy))  # fmt: skip
    assert answers == [
        "? unacceptable size: this network plays on 9x9", "=",
        "? cannot load file: 13x13; this network plays on 9x9",
    ]  # fmt: skip


def test_a_mistake_in_the_player_is_an_answer_not_a_stack_trace(leaning):
    class Broken(leaning):
        def __call__(self, boards):
            raise ZeroDivisionError("oh")

    answers = talk(["genmove b", "name"], session(9, Broken([])))
    assert answers == ["? unexpected ZeroDivisionError: oh", "= beak leaning"]


def test_a_player_that_may_resign_says_so(leaning):
    made = session(9)
    made.player = Player(Evenly(), Habits(resign=20))
    columns = [(c, "b") for c in "abcdef"] + [("h", "w")]
    for row in range(1, 10):
        for column, colour in columns:
            if (column, row) not in (("c", 3), ("c", 7)):
                assert talk([f"play {colour} {column}{row}"], made) == ["="]
    assert talk(["genmove w", "list_stones w"], made)[0] == "= resign"


def test_genmove_for_the_colour_that_has_just_moved_plays_it():
    answers = talk(["play b c3", "genmove b", "genmove b", "list_stones b", "list_stones w"])
    assert len(answers[3].split()) == 4
    assert answers[4] == "="


def test_a_game_is_played_to_its_end_and_undone_to_its_beginning():
    made, moves = session(5), 0
    while not made.game.over:
        colour = "bw"[moves % 2]
        (answer,) = talk([f"genmove {colour}"], made)
        assert answer.startswith("= ")
        moves += 1
        assert moves < 400
    assert talk(["final_score"], made)[0].startswith("= ")
    assert set(talk(["undo"] * moves, made)) == {"="}
    assert talk(["undo", "list_stones b"], made) == ["? cannot undo", "="]


NAMES = st.sampled_from([*sorted(set(COMMANDS) - {"loadsgf"}), "fly", ""])
WORDS = st.sampled_from(
    ["b", "W", "black", "pass", "A1", "j9", "t19", "z99", "-1", "0", "3", "9", "19", "1e9", "1e999",
     "nan", "dead", "alive", "#", "\x00", "é", "A", "5" * 400]
)  # fmt: skip
LINES = st.builds(lambda name, words: " ".join([name, *words]), NAMES, st.lists(WORDS, max_size=6))


@settings(deadline=None, max_examples=150)
@given(st.lists(LINES | st.text(max_size=40), max_size=8))
@example(["lz-analyze", "quit"])
@example(["boardsize 2", "genmove b", "genmove w", "genmove b", "final_score"])
def test_garbage_is_answered_line_by_line(lines):
    for answer in talk([line.replace("\n", " ").replace("\r", " ") for line in lines]):
        assert re.match(r"[=?]\d*( |\n|$)", answer)
        assert "unexpected" not in answer
        assert "Traceback" not in answer


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=300))
def test_any_bytes_are_survived(given):
    for answer in talk(given):
        assert re.match(r"[=?]", answer)
        assert "unexpected" not in answer
