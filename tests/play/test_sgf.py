"""The main line of game records."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beak.errors import DataError
from beak.ops.go_board.rules import BLACK, WHITE
from beak.play.sgf import parse_main_line, read_main_line


def test_the_first_branch_is_taken_each_time():
    record = parse_main_line("noise(;SZ[9];B[aa](;W[ba];B[ca])(;W[ii]))(;SZ[19];B[aa])")
    assert record.moves == ((0, BLACK), (1, WHITE), (2, BLACK))


def test_texts_with_brackets_and_colons_are_no_moves():
    record = parse_main_line(r"(;SZ[9]C[(;B[cc\] \\]KM[ 6.5 ];B[ab]C[;W[aa\]])")
    assert record.moves == ((9, BLACK),)
    assert record.komi == 6.5


def test_setup_rectangles_lists_and_whose_turn_it_is():
    record = parse_main_line("(;SZ[9]AB[aa:ba][cc]AW[ii])")
    assert record.setup == ((0, BLACK), (1, BLACK), (20, BLACK), (80, WHITE))
    assert (record.first, record.komi, record.size) == (BLACK, None, 9)
    assert parse_main_line("(;SZ[9]AB[aa][ii])").first == WHITE
    assert parse_main_line("(;SZ[9]PL[W];B[aa])").first == WHITE


def test_passes_are_empty_or_tt():
    assert parse_main_line("(;B[];W[tt];B[ss])").moves == ((361, 1), (361, -1), (360, 1))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no game record"),
        ("(;SZ[x])", "the size is 'x'"),
        ("(;SZ[40])", "40 lines"),
        ("(;SZ[9];B[jj])", "no point 'jj' on 9x9"),
        ("(;SZ[9];B[aa];AW[bb])", "in the middle"),
        ("(;KM[five])", "the komi is 'five'"),
    ],
)
def test_a_broken_record_is_named(text, message):
    with pytest.raises(DataError, match=message):
        parse_main_line(text)


@given(st.text("(;)[]\\BWABSZKM9abtt \n:é", max_size=60))
def test_whatever_comes_is_a_record_or_a_data_error(text):
    try:
        record = parse_main_line(text)
    except DataError:
        return
    assert 2 <= record.size <= 25


def test_files_of_another_encoding_are_read(tmp_path):
    (tmp_path / "a.sgf").write_bytes("(;SZ[9]PB[Käse];B[aa])".encode("latin-1"))
    assert read_main_line(tmp_path / "a.sgf").moves == ((0, BLACK),)
