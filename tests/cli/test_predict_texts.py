"""`beak predict` for texts: arguments, files, lines without end on standard input."""

from __future__ import annotations

import io
import itertools
import json
import sys
from types import SimpleNamespace

import pytest

from beak.cli import predict_texts as room
from beak.cli.group import run
from beak.cli.predict_texts import LONGEST_LINE, PATH_LIKE, lines_of, texts_of
from beak.cli.text_examples import is_small
from beak.data.text_spec import TextSpec
from beak.network.initial import initial_parameters
from beak.network.named import make_network
from beak.runs.model import Model, save_model

SPEC = TextSpec("texts", (6,), "words", True, 0, ("good", "film", "dull"))


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """A network that nobody trained, under the name `run`."""
    monkeypatch.chdir(tmp_path)
    network = make_network("sentence", (6,), 2, words=5, dimensions=4, filters=2)
    model = Model(network, SPEC, ("neg", "pos"), initial_parameters(network, 1), {"name": "r"})
    save_model(tmp_path / "run.safetensors", model)
    return "run.safetensors"


def standard_input(monkeypatch, raw: bytes):
    stream = SimpleNamespace(buffer=io.BytesIO(raw), isatty=lambda: False)
    monkeypatch.setattr(sys, "stdin", stream)


def rows(out: str):
    return [line.split("\t")[:2] for line in out.splitlines()]


def test_texts_as_arguments_and_from_a_file(trained, tmp_path, capsys):
    (tmp_path / "lines.txt").write_bytes(b"good film\ncaf\xe9\r\n")
    assert run(["predict", trained, "a good film", "lines.txt"]) == 0
    said = rows(capsys.readouterr().out)
    assert [text for text, _ in said] == ["a good film", "good film", "café"]
    assert {label for _, label in said} <= {"neg", "pos"}


def test_lines_of_standard_input_and_those_without_an_answer(trained, monkeypatch, capsys):
    standard_input(monkeypatch, b"good film\n\n  \ndull\n")
    assert run(["predict", trained, "-"]) == 1
    out, told = capsys.readouterr()
    assert [text for text, _ in rows(out)] == ["good film", "dull"]
    assert told.splitlines() == [
        "warning: line 2: an empty text; nothing can be told from it",
        "warning: line 3: an empty text; nothing can be told from it",
        "beak predict: 2 of 4 texts have no answer, as said above",
    ]


def test_json_for_programs(trained, capsys):
    assert run(["predict", trained, "good", "dull", "--json"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["input"] for one in found] == ["good", "dull"]
    assert all(sum(one["probabilities"].values()) == pytest.approx(1) for one in found)


@pytest.mark.parametrize(
    ("given", "said", "code"),
    [
        ("", "an argument is empty", 2),
        ("  ", "an empty text", 1),
        ("table.csv", "table.csv: a table; beak evaluate RUN table.csv counts", 2),
        ("folder", "folder: a folder; a text, or a file with a text in each line", 2),
    ],
)
def test_what_is_no_text_is_one_line(trained, tmp_path, capsys, given, said, code):
    (tmp_path / "table.csv").write_text("text,label\na,b\n")
    (tmp_path / "folder").mkdir()
    assert run(["predict", trained, given]) == code
    out, told = capsys.readouterr()
    assert out == ""
    assert said in told
    assert told.count("\n") == 1


def test_a_name_without_a_file_is_read_as_a_text_and_said(trained, capsys):
    assert run(["predict", trained, "reviews.txt"]) == 0
    assert "reviews.txt: no such file, so it is read as a text" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "path"),
    [("a/b.txt", True), ("x.csv", True), ("good.", False), ("either/or film", False), ("!", False)],
)
def test_what_looks_like_a_file(text, path):
    assert bool(PATH_LIKE.fullmatch(text)) == path


def test_a_very_long_line_is_read_in_part_and_the_next_is_whole():
    raw = b"w" * (2 * LONGEST_LINE + 5) + b"\nnext\n"
    found = list(lines_of(io.BytesIO(raw)))
    assert [len(text) for text in found] == [LONGEST_LINE, 4]


def test_lines_are_answered_as_they_come(trained, monkeypatch, capsys):
    """An endless stream: what has been read is never more than a batch ahead of the answers."""
    read = itertools.count()

    class Endless(io.RawIOBase):
        def readline(self, size=-1):
            if next(read) > 20 * room.BATCH:
                raise KeyboardInterrupt
            return b"good film\n"

    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=Endless(), isatty=lambda: False))
    assert run(["predict", trained, "-"]) == 1
    answered = len(capsys.readouterr().out.splitlines())
    assert answered >= 18 * room.BATCH


def test_nothing_is_read_before_it_is_wanted(monkeypatch):
    standard_input(monkeypatch, b"one\ntwo\n")
    texts = texts_of(("zero", "-"))
    assert next(texts) == "zero"
    assert sys.stdin.buffer.tell() == 0
    assert next(texts) == "one"
    assert sys.stdin.buffer.tell() == 4


def test_examples_of_a_test_part_and_columns_by_name(trained, tmp_path, capsys):
    rows = "".join(f"{i},good film {i},{'pos' if i % 2 else 'neg'},no {i}\n" for i in range(80))
    (tmp_path / "t.csv").write_text("id,label,mood,text\n" + rows)
    named = ["--text", "label", "--label", "mood"]
    assert run(["evaluate", trained, "t.csv", "--part", "all", "--json", *named]) == 0
    assert json.loads(capsys.readouterr().out)["examples"] == 80
    assert run(["evaluate", trained, "t.csv", "--part", "all"]) != 0  # the text as a label
    (tmp_path / "s.csv").write_text("text,label\n" + "".join(
        f"good film {i},{'pos' if i % 2 else 'neg'}\n" for i in range(80)
    ))  # fmt: skip
    capsys.readouterr()
    assert run(["predict", trained, "s.csv", "--show", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    for line in lines:
        right = line.split()[1] == ("pos" if int(line.split()[-1]) % 2 else "neg")
        assert line.startswith(" ✓" if right else " ✗")
        assert ("is " in line) != right
    assert run(["predict", trained, "s.csv", "--show", "3", "--json"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {one["truth"] for one in found} <= {"pos", "neg"}
    assert found[0]["input"].startswith("s.csv:")


def test_a_large_source_is_not_read_once_more(tmp_path, monkeypatch):
    monkeypatch.setattr("beak.cli.text_examples.MOST_BYTES", 10)
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "a.txt").write_text("12345")
    assert is_small(str(tmp_path / "s"))
    (tmp_path / "s" / "b.txt").write_text("123456")
    assert not is_small(str(tmp_path / "s"))
    assert not is_small(str(tmp_path))
    monkeypatch.setattr("beak.cli.text_examples.MOST_BYTES", 100)
    assert is_small(str(tmp_path))
    monkeypatch.setattr("beak.cli.text_examples.MOST_FILES", 2)
    assert not is_small(str(tmp_path))  # the folder, and two files in it
