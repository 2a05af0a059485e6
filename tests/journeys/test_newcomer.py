"""A newcomer's mistakes, from mistakes.tsv: what was typed, and the one line that answers."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import beak
from beak.cli.group import run

QUICK = "--epochs 1 --network linear --no-baseline --out new"
"""What QUICK stands for in the table."""


@dataclass(frozen=True)
class Mistake:
    """A row of mistakes.tsv."""

    how: str
    """"typed" behind ``beak``, a line of "python", or "said": taken all the same, and said."""
    typed: str
    answer: str
    """A regular expression that the line matches from its beginning, "beak …:" left out."""
    code: str
    source: str
    """"issue", the list that this began with; a thread of users of other tools; or "seen"."""


def table(how: str | None = None) -> list[Mistake]:
    lines = Path(__file__).with_name("mistakes.tsv").read_text().splitlines()[1:]
    rows = [Mistake(*line.replace("QUICK", QUICK).split("\t")) for line in lines]
    return [row for row in rows if how in (None, row.how)]


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Iterator[Path]:
    """A folder with all that the rows name, and a run trained for one epoch on two classes."""
    where = tmp_path_factory.mktemp("newcomer")
    patch = pytest.MonkeyPatch()
    patch.setenv("BEAK_CACHE", str(where / "cache"))
    patch.chdir(where)
    make_folders(where)
    make_tables(where)
    make_files(where)
    make_texts(where)
    assert run(["train", "photos", *QUICK.replace("new", "run").split()]) == 0
    whole = Path("run/model.safetensors").read_bytes()
    Path("half.safetensors").write_bytes(whole[: len(whole) // 2])
    yield where
    patch.undo()


def make_folders(where: Path) -> None:
    draw, class_folders = drawing()
    class_folders(where / "photos")
    shutil.copytree("photos", "broken")
    Path("broken/disc/bad.jpg").write_bytes(b"no picture")
    Path("broken/disc/zero.png").write_bytes(b"")
    for folder in ("empty", "flat", "one/cat", "others/cow", "others/disc", "case/Disc"):
        (where / folder).mkdir(parents=True)
    for i in range(12):
        draw("disc", i).save(f"flat/{i}.png")
        draw("disc", i).save(f"one/cat/{i}.png")
        draw("cross", i).save(f"others/cow/{i}.png")
        draw("disc", i).save(f"others/disc/{i}.png")
        draw("disc", 200 + i).save(f"case/Disc/{i}.png")
    class_folders(where / "case", each=12)
    shutil.copytree("photos", "one-sided")
    for i in range(400):
        draw("disc", 300 + i).save(f"one-sided/disc/more-{i}.png")
    shutil.copytree("photos", "twice/train")
    class_folders(where / "twice" / "test", each=12)  # the same pictures as the first of train


def make_tables(where: Path) -> None:
    rows = [f"{p.relative_to(where)},{p.parent.name}" for p in sorted(where.glob("photos/*/*"))]
    Path("bare.csv").write_text("\n".join(rows) + "\n")
    Path("onecolumn.csv").write_text("\n".join(row.split(",")[0] for row in rows) + "\n")
    Path("empty.csv").write_text("")
    Path("gone.csv").write_text("path,label\n" + "".join(f"no/{i}.png,{i % 2}\n" for i in range(4)))
    np.savez("nameless.npz", images=np.zeros((3, 8, 8)))
    np.savez("short.npz", x_train=np.zeros((30, 8, 8), np.uint8), y_train=np.zeros(29, int))


def make_files(where: Path) -> None:
    draw, _ = drawing()
    draw("disc", 1000).save("cat.jpg")
    draw("disc", 1001, grey=True).save("grey.png")
    dense = {"kind": "Dense", "units": 10, "activation": "softmax"}
    flatten, convolution = {"kind": "Flatten"}, {"kind": "Conv2D", "filters": 3, "kernel": 3}
    for name, shape, nodes in (
        ("ten.json", [3, 32, 32], [flatten, dense]),
        ("last.json", [28, 28, 1], [convolution, flatten, dense]),
    ):
        Path(name).write_text(json.dumps({"format": 1, "input": shape, "nodes": nodes}))
    Path("cut.json").write_text('{"format": 1, "input": [1, 2')
    Path("wrong.toml").write_text("[optimizer]\nlearning_rate = 0.1\n")
    Path("many.toml").write_text('epochs = "many"\n')
    Path("digits.toml").write_text(f"epochs = {'1' * 5000}\n")


def make_texts(where: Path) -> None:
    rows = [f"text about thing {i},{'x' if i % 2 else 'y'}" for i in range(60)]
    bad = ["too,many,cells", "few", ",x", '"never closed,x', "nul \0 byte,y", "no label,"]
    (where / "parts").mkdir()
    for name, lines in (
        ("texts.csv", rows),
        ("latin.csv", ["caf\xe9,x", *rows]),
        ("ragged.csv", [*rows[:3], *bad, f"{'w' * 1_100_000},x", *rows[3:]]),
        ("parts/train.csv", rows),
        ("parts/test.csv", [*(row.replace("thing", "matter") for row in rows[:10]), "new,z"]),
    ):
        Path(name).write_text("\n".join(["text,label", *lines]) + "\n", encoding="latin-1")


def drawing():
    """The helpers of conftest.py, which importlib mode does not let us import by name."""
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("drawing", Path(__file__).with_name("conftest.py"))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.draw, module.class_folders


def test_there_are_enough_rows():
    assert len(table()) >= 30
    assert sum("issue" in row.source for row in table()) >= 8


@pytest.mark.parametrize("row", table("typed"), ids=lambda row: row.typed)
def test_a_wrong_call_is_answered_in_one_line(row, place, capsys):
    code = run(row.typed.split())
    said = capsys.readouterr()
    assert said.err.count("\n") == 1, said.err
    assert re.match(r"beak( \w+)?: " + row.answer, said.err), said.err
    assert code == int(row.code)
    assert not Path("new/model.safetensors").exists()


@pytest.mark.parametrize("row", table("python"), ids=lambda row: row.typed)
def test_a_wrong_line_of_python_is_answered_in_one_line(row, place):
    with pytest.raises((beak.BeakError, AttributeError)) as error:
        eval(row.typed, {"beak": beak})
    assert re.match(row.answer, str(error.value)), str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("row", table("said"), ids=lambda row: row.typed)
def test_what_is_taken_all_the_same_is_said(row, place, capsys):
    try:
        assert run(row.typed.split()) == 0
    finally:
        shutil.rmtree("new", ignore_errors=True)
    said = capsys.readouterr()
    lines = [line.strip("\n") for line in (said.out + said.err).splitlines()]
    assert any(re.match(" ?" + row.answer, line) for line in lines), "\n".join(lines)
