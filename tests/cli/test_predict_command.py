"""`beak predict`: answers for people, pipes and programs; notes once; failures counted."""

from __future__ import annotations

import io
import json
import shutil
import sys

import numpy as np
import pytest
from PIL import Image

from beak.cli.group import run
from beak.data.picture_spec import PictureSpec
from beak.network.catalogue import make_network
from beak.network.initial import initial_parameters
from beak.runs.model import Model, save_model


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The current directory, with model.safetensors (grey, 3 labels) and pictures."""
    monkeypatch.chdir(tmp_path)
    network = make_network("linear", (1, 8, 8), 3)
    model = Model(
        network, PictureSpec("pictures", (1, 8, 8)), ("ash", "birch", "cedar"),
        initial_parameters(network, 1),
    )  # fmt: skip
    save_model(tmp_path / "model.safetensors", model)
    random = np.random.default_rng(0)
    (tmp_path / "trees" / "deep").mkdir(parents=True)
    for i, name in enumerate(("a.png", "b.PNG", "deep/c.jpg")):
        pixels = random.integers(0, 256, (20, 20 + i, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "trees" / name)
    (tmp_path / "trees" / "read.me").write_text("no picture")
    return tmp_path


def test_a_folder_gives_all_pictures_under_it_between_tabs(place, capsys):
    assert run(["predict", "model.safetensors", "trees"]) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [row[0] for row in rows] == ["trees/a.png", "trees/b.PNG", "trees/deep/c.jpg"]
    for _, label, probability in rows:
        assert label in ("ash", "birch", "cedar")
        assert 1 / 3 <= float(probability) <= 1


def test_an_archive_gives_all_pictures_in_it(place, capsys, monkeypatch):
    monkeypatch.setenv("BEAK_CACHE", str(place / "cache"))
    shutil.make_archive(str(place / "some"), "zip", place / "trees")
    assert run(["predict", "model.safetensors", "trees"]) == 0
    plain = capsys.readouterr().out
    assert run(["predict", "model.safetensors", "some.zip"]) == 0
    assert capsys.readouterr().out.replace("some.zip/", "trees/") == plain
    shutil.make_archive(str(place / "none"), "zip", place, "model.safetensors")
    assert run(["predict", "model.safetensors", "none.zip"]) == 1
    assert "no pictures in 'none.zip'" in capsys.readouterr().err


def test_top_gives_as_many_labels_the_best_first(place, capsys):
    assert run(["predict", "model.safetensors", "trees/a.png", "--top", "2"]) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert len(rows) == 2
    assert float(rows[0][2]) >= float(rows[1][2])


def test_standard_input_is_the_bytes_of_one_picture(place, capsys, monkeypatch):
    assert run(["predict", "model.safetensors", "trees/a.png", "--json"]) == 0
    wanted = json.loads(capsys.readouterr().out)
    stream = io.TextIOWrapper(io.BytesIO((place / "trees/a.png").read_bytes()))
    monkeypatch.setattr(sys, "stdin", stream)
    assert run(["predict", "model.safetensors", "-", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {**wanted, "input": "-"}


def test_a_note_is_said_once_and_counted(place, capsys):
    assert run(["predict", "model.safetensors", "trees"]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("note: trees/a.png: a colour picture for a grey network")
    assert lines[1].startswith("note: the same for 2 more: a colour picture")


def test_one_unreadable_file_stops_no_others(place, capsys):
    assert run(["predict", "model.safetensors", "trees/read.me", "trees/a.png"]) == 1
    said = capsys.readouterr()
    assert said.out.count("\n") == 1
    assert said.err.splitlines()[0].startswith("warning: trees/read.me: ")
    assert said.err.splitlines()[-1].startswith("beak predict: 1 of 2 inputs could not be answered")
