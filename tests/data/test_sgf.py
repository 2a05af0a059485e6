"""Game records are read as sgfmill reads them, whatever strangers wrote."""

import random
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sgfmill import sgf, sgf_moves

from beak.data.sgf import Game, Refused, main_game, read_games
from beak.errors import DataError
from beak.ops.go_board.rules import decode, encode
from tests.data.go_games import place, random_moves, sgf_of


def judged(data):
    """Moves and setup by sgfmill, written as ours."""
    read = sgf.Sgf_game.from_bytes(data)
    board, _ = sgf_moves.get_setup_and_moves(read)
    setup = [encode((18 - row) * 19 + column, 1 if colour == "b" else -1)
             for colour, (row, column) in board.list_occupied_points()]  # fmt: skip
    moves = []
    for node in read.get_main_sequence():
        colour, point = node.get_move()
        if colour is not None:
            at = 361 if point is None else (18 - point[0]) * 19 + point[1]
            moves.append(encode(at, 1 if colour == "b" else -1))
    return moves, sorted(setup, key=lambda stone: decode(stone)[0])


texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=20)


def escaped(text):
    return text.replace("\\", "\\\\").replace("]", "\\]").replace(":", "\\:")


@given(
    moves=st.lists(st.integers(0, 361), max_size=30),
    comments=st.lists(texts, max_size=30),
    seed=st.integers(0, 10**6),
)
@settings(max_examples=150, deadline=None)
def test_variations_and_comments_change_nothing_that_sgfmill_reads(moves, comments, seed):
    """Moves in nodes with comments; at some nodes the rest is a first branch and others follow."""
    chance, open_branches, text = random.Random(seed), 0, "(;GM[1]FF[4]SZ[19]"
    for i, point in enumerate(moves):
        if chance.random() < 0.2:
            text += "("
            open_branches += 1
        colour = "BW"[i % 2]
        said = f"C[{escaped(comments[i])}]" if i < len(comments) else ""
        text += f" ;{said}{colour}[{place(point)}]LB[aa:x][bb:y]\n"
    text += ")(;B[aa];W[bb]C[not (;played])" * open_branches + ")"
    data = text.encode()
    (found,) = [g for g in read_games(data) if isinstance(g, Game)]
    assert (found.moves, found.setup) == judged(data)
    assert [decode(m)[0] for m in found.moves] == moves


def test_setup_handicap_ranks_result_and_passes_are_read():
    data = b"""\xef\xbb\xbf(;SZ[19]HA[2]BR[3d]WR[6d?]RE[W+12.50]AB[pd][dp]AW[aa:bb]AE[ab]
    ;W[qq];B[];W[tt];B[cc])"""
    (game,) = read_games(data)
    black, white = [(3, 15), (15, 3)], [(0, 0), (0, 1), (1, 1)]
    assert {decode(s) for s in game.setup} == {
        *((r * 19 + c, 1) for r, c in black), *((r * 19 + c, -1) for r, c in white)
    }  # fmt: skip
    assert [decode(m) for m in game.moves] == [
        (16 * 19 + 16, -1), (361, 1), (361, -1), (2 * 19 + 2, 1)
    ]  # fmt: skip
    assert (game.handicap, game.black_rank, game.white_rank, game.result) == (2, 3, 6, -1)
    assert judged(data.removeprefix(b"\xef\xbb\xbf")) == (game.moves, game.setup)


def test_old_files_with_names_in_full_are_read():
    (game,) = read_games(b"(;GaMe[1]SiZe[19];Black[pd];White[dp])")
    assert [place(decode(m)[0]) for m in game.moves] == ["pd", "dp"]


def test_many_games_in_a_file_and_a_broken_one_among_them():
    text = sgf_of(random_moves(1)) + "(;SZ[19];B[zz])" + "(;SZ[9];B[aa])" + sgf_of(random_moves(2))
    first, broken, small, second = read_games(f"From: a letter\n\n{text}".encode())
    assert [first.moves, second.moves] == [random_moves(1), random_moves(2)]
    assert broken == Refused("move 1: 'zz' is no point of 19x19")
    assert small.size == "9x9"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "'(;' is nowhere in it"),
        ("hello", "'(;' is nowhere in it"),
        ("(;SZ[19];B[aa", "line 1: a '[' is never closed"),
        ("(;SZ[19]\n\n;B[aa];W[b\\]", "line 3: a '[' is never closed"),
        ("(;SZ[19];B[aa];W[bb]", "cut short: a '(' is never closed"),
        ("(;SZ[19];B[aa];AB[bb])", "stones are set up after move 1"),
        ("(;GM[6];B[aa])", "a game other than Go"),
        ("(;SZ[13:9])", "a board of '13:9', not 19x19"),
        ("(;SZ[19]AB[aa:zz])", "a setup stone: 'aa:zz' is no point"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_reason(text, said):
    with pytest.raises(DataError, match="a.sgf: ") as error:
        main_game(text.encode(), "a.sgf")
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@given(data=st.binary(max_size=300))
def test_no_bytes_end_in_another_error(data):
    assert all(isinstance(found, Game | Refused) for found in read_games(data))
    list(read_games(b"(;" + data))


def test_deep_nesting_and_an_endless_bracket_are_read_in_one_pass():
    deep = b"(;B[aa]" * 50_000 + b")" * 50_000
    (game,) = read_games(deep)
    assert isinstance(game, Refused)  # more moves than a game has
    assert next(iter(read_games(b"(;C[" + b"[" * 200_000))).reason.startswith("line 1: a '['")


def test_real_games_are_read_as_sgfmill_reads_them(archive):
    compared = 0
    with tarfile.open(archive("go-kgs-6d")) as tar:
        for number, member in enumerate(tar):
            if not member.name.endswith(".sgf") or number % 29:
                continue
            data = tar.extractfile(member).read()
            (game,) = read_games(data)
            moves, setup = judged(data)
            assert (game.moves, game.setup) == (moves, setup), member.name
            compared += 1
            if compared == 400:
                break
    assert compared == 400
