"""Labelled texts from every kind of source, and what broken ones say."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beak.data import text_csv, text_rows
from beak.data.split import TEST, TRAIN, UNKNOWN, VALIDATION
from beak.data.text_csv import delimiter_of, records
from beak.data.text_rows import LONGEST
from beak.data.texts import Reading, claims, read_texts
from beak.errors import DataError, UsageError


def examples(found):
    """(text, label, part) of each example."""
    words = {number: label for label, number in found.labels.items()}
    store = found.store()
    return [
        (store[i], words[c], p)
        for i, (c, p) in enumerate(zip(found.classes, found.parts, strict=True))
    ]


def told(found):
    return [finding.line() for finding in found.told()]


def file(folder, name, content):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_a_csv_with_named_columns_in_any_order(tmp_path):
    path = file(tmp_path, "r.csv", 'id,sentiment,review\n1,pos,Fine film\n2,neg,"Dull, long"\n')
    found = read_texts(path)
    assert examples(found) == [("Fine film", "pos", UNKNOWN), ("Dull, long", "neg", UNKNOWN)]
    assert told(found) == [
        "r.csv: the text is column 'review' and the label column 'sentiment' (guessed; --text and "
        "--label name others)",
        "r.csv: columns that are not used: id",
    ]
    assert [found.places()[i] for i in range(2)] == ["r.csv:2", "r.csv:3"]
    assert claims(path) > 0.5


def test_columns_are_chosen_by_name_or_number(tmp_path):
    path = file(tmp_path, "r.csv", "a,b,c\nx,long words here,one\ny,other long words,two\n")
    found = read_texts(path, Reading(text="B", label="1"))
    assert examples(found) == [
        ("long words here", "x", UNKNOWN),
        ("other long words", "y", UNKNOWN),
    ]
    with pytest.raises(UsageError, match=r"r.csv: no column 'd' for the label.*known.*a"):
        read_texts(path, Reading(label="d"))


def test_a_table_without_header_tells_text_and_label_by_their_look(tmp_path):
    rows = [f"{'good' if i % 2 else 'bad'};some words about thing {i}" for i in range(9)]
    found = read_texts(file(tmp_path, "r.csv", "\n".join(rows)))
    assert len(found) == 9
    assert examples(found)[0] == ("some words about thing 0", "bad", UNKNOWN)
    assert "no header" in told(found)[0]


def test_a_column_of_parts_and_tsv(tmp_path):
    path = file(tmp_path, "r.tsv", 'text\tlabel\tsplit\n"a\tx\ttrain\nb "b"\ty\tdev\nc\tx\ttest\n')
    found = read_texts(path)
    assert examples(found) == [('"a', "x", TRAIN), ('b "b"', "y", VALIDATION), ("c", "x", TEST)]


def test_json_lines(tmp_path):
    rows = [{"text": "one\ntwo", "label": 1}, {"label": True, "text": "x"}, {"text": "lost"}]
    lines = [*map(json.dumps, rows), "{broken", "[1]"]
    found = read_texts(file(tmp_path, "r.jsonl", "\n".join(lines)))
    assert examples(found) == [("one\ntwo", "1", UNKNOWN), ("x", "true", UNKNOWN)]
    assert told(found)[1:] == [
        "left out, rows without a label (1): r.jsonl:3",
        "left out, lines that are no JSON (1): r.jsonl:4",
        "left out, lines that are no JSON object (1): r.jsonl:5",
    ]


def test_a_folder_of_tables_keeps_its_parts(tmp_path):
    for name in ("train", "val", "test"):
        file(tmp_path, f"{name}.csv", f"text,label\n{name} a,x\n{name} b,y\n")
    found = read_texts(tmp_path)
    assert sorted({(text.split()[0], part) for text, _, part in examples(found)}) == [
        ("test", TEST), ("train", TRAIN), ("val", VALIDATION),
    ]  # fmt: skip
    assert claims(tmp_path) > 0.5


def test_class_folders_of_txt_with_and_without_parts(tmp_path):
    file(tmp_path, "plain/pos/a.txt", "fine")
    file(tmp_path, "plain/neg/b.txt", b"caf\xe9")
    found = read_texts(tmp_path / "plain")
    assert examples(found) == [("café", "neg", UNKNOWN), ("fine", "pos", UNKNOWN)]
    assert told(found) == ["1 files are not UTF-8: read as Latin-1: neg/b.txt"]
    for name in ("train/pos/1.txt", "train/neg/2.txt", "test/pos/3.txt", "train/unsup/4.txt"):
        file(tmp_path, f"imdb/{name}", name)
    found = read_texts(tmp_path / "imdb")
    assert {(label, part) for _, label, part in examples(found)} == {
        ("pos", TRAIN), ("neg", TRAIN), ("pos", TEST),
    }  # fmt: skip
    assert claims(tmp_path / "imdb") > 0.5


def test_lines_that_begin_with_their_label(tmp_path):
    lines = "".join(f"{'NUM' if i % 2 else 'LOC'} what is thing {i} ?\n" for i in range(20))
    file(tmp_path, "trec/TREC.train.all", lines)
    file(tmp_path, "trec/TREC.test.all", "NUM how far ?\nLOC where ?\nNUM how old ?\nLOC who ?\n")
    found = read_texts(tmp_path / "trec")
    assert examples(found)[0] == ("what is thing 0 ?", "LOC", TRAIN)
    assert sum(part == TEST for *_, part in examples(found)) == 4
    alone = read_texts(tmp_path / "trec" / "TREC.train.all")
    assert len(alone) == 20
    file(tmp_path, "trec/other.all", lines)
    shared = read_texts(tmp_path / "trec" / "TREC")
    assert examples(shared) == examples(found)
    assert claims(tmp_path / "trec" / "TREC") > 0.5
    assert claims(tmp_path / "trec" / "TRE") == 0
    fasttext = file(tmp_path, "ft.txt", "__label__a one\n__label__b two\n")
    assert [label for _, label, _ in examples(read_texts(fasttext))] == ["a", "b"]


@pytest.mark.parametrize("name", ["rt-polarity", "rt-polarity.pos", ""])
def test_a_file_for_each_class(tmp_path, name):
    file(tmp_path, "rt-polarity.pos", "a fine film\nmoving , sad\n")
    file(tmp_path, "rt-polarity.neg", b"dull \x85 \x96 long\n")
    found = read_texts(tmp_path / name)
    assert examples(found) == [
        ("dull \x85 \x96 long", "neg", UNKNOWN),  # \x85 ends a line for Unicode, not for a file
        ("a fine film", "pos", UNKNOWN),
        ("moving , sad", "pos", UNKNOWN),
    ]
    assert claims(tmp_path / name) > 0.5


def test_encodings(tmp_path):
    rows = "text,label\ncafé,a\nthé,b\n"
    for coding in ("utf-8", "utf-8-sig", "utf-16", "latin-1"):
        found = read_texts(file(tmp_path, f"{coding}.csv", rows.encode(coding)))
        assert [text for text, *_ in examples(found)] == ["café", "thé"]
        latin = "latin-1.csv is not UTF-8 (line 2): read as Latin-1; --encoding says another"
        assert (latin in told(found)) == (coding == "latin-1")
    wrong = file(tmp_path, "w.csv", rows.encode("cp850"))
    found = read_texts(wrong, Reading(encoding="cp850"))
    assert [text for text, *_ in examples(found)] == ["café", "thé"]
    with pytest.raises(DataError, match=r"w.csv:\d: not in utf-8 .*--encoding"):
        read_texts(wrong, Reading(encoding="utf-8"))
    with pytest.raises(UsageError, match="no encoding 'klingon'"):
        read_texts(wrong, Reading(encoding="klingon"))


def test_every_bad_row_is_told_with_file_and_row_and_the_rest_goes_on(tmp_path):
    good = "".join(f"row {i},{'x' if i % 2 else 'y'}\n" for i in range(10))
    bad = 'too,many,cells\nfew\n,x\n  ,y\nnul \0 byte,x\nno label,\n"never closed,x\n'
    path = file(tmp_path, "r.csv", "text,label\n" + good + bad + good + '"quoted, well",x\n')
    found = read_texts(path)
    assert len(found) == 21
    assert examples(found)[-1] == ("quoted, well", "x", UNKNOWN)
    assert told(found)[1:] == [
        "left out, rows with more or fewer cells than the 2 of the first line (2): r.csv:12, "
        "r.csv:13",
        "left out, rows without a text (2): r.csv:14, r.csv:15",
        "left out, rows with a NUL byte (1): r.csv:16",
        "left out, rows without a label (1): r.csv:17",
        "left out, rows whose quote is not closed (1): r.csv:18",
    ]


def test_a_cell_may_span_lines_and_an_open_quote_at_the_end_costs_one_row(tmp_path):
    path = file(tmp_path, "r.csv", 'text,label\r\n"two\nlines ""so""",x\r\nb,y\r\n"open,x\r\nc,y')
    found = read_texts(path)
    assert [text for text, *_ in examples(found)] == ['two\nlines "so"', "b", "c"]
    assert told(found)[-1] == "left out, rows whose quote is not closed (1): r.csv:5"


def test_a_line_of_fifty_megabytes_is_left_out_in_little_memory(tmp_path):
    import tracemalloc

    path = tmp_path / "r.csv"
    with open(path, "wb") as out:
        out.write(b"text,label\na,x\n")
        for _ in range(50):
            out.write(b"w" * 1_000_000)
        out.write(b",x\nb,y\n")
    tracemalloc.start()
    found = read_texts(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [text for text, *_ in examples(found)] == ["a", "b"]
    assert told(found)[-1] == f"left out, lines of more than {LONGEST:,} characters (1): r.csv:3"
    assert peak < 20e6


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "the table is empty"),
        ("text\nonly one column\n", "one column only"),
        ("text,label\n,\n", "no row has a text and a label; rows without a text"),
    ],
)
def test_a_table_that_cannot_be_used_says_why(tmp_path, content, said):
    with pytest.raises((DataError, UsageError), match=said):
        read_texts(file(tmp_path, "r.csv", content))


def test_several_sets_in_one_folder_are_not_mixed(tmp_path):
    for name in ("a.pos", "a.neg", "b.pos", "b.neg"):
        file(tmp_path, name, "one line\nand two\n")
    with pytest.raises(DataError, match=r"several sets lie in it \(a, b\)"):
        read_texts(tmp_path)


def test_what_is_no_text_is_not_claimed(tmp_path):
    assert claims(file(tmp_path, "p.csv", "path,label\na.png,x\nb.png,y\n")) == 0
    assert claims(file(tmp_path, "s.csv", "a.wav,x\nb.wav,y\n")) == 0
    assert claims(file(tmp_path, "prose.txt", "It was late.\nNobody spoke a word.\n")) == 0
    file(tmp_path, "pictures/cat/a.png", b"x")
    assert claims(tmp_path / "pictures") == 0
    assert claims(tmp_path / "not there") == 0


CELLS = st.text(st.sampled_from('ab ,"\n;\t'), max_size=6).filter(str.strip)


@settings(deadline=None)
@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=8))
def test_what_csv_writes_is_read_back(rows):
    import csv
    import io

    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    lines = enumerate(out.getvalue().split("\n")[:-1], 1)
    assert [tuple(cells) for _, cells in records(lines, ",", 2)] == rows


@settings(deadline=None)
@given(st.lists(st.text(st.sampled_from('ab,"\0\r'), max_size=12), max_size=12))
def test_no_table_however_broken_ends_in_another_error(lines):
    for number, found in records(list(enumerate(lines, 1)), ",", 2):
        assert 1 <= number <= len(lines)
        assert isinstance(found, str) or len(found) == 2


def test_the_examples_in_the_docstrings_hold():
    import doctest

    assert all(doctest.testmod(module).failed == 0 for module in (text_csv, text_rows))
    assert delimiter_of(["a b", "c"], False) == ","
