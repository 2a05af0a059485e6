"""`beak export` as it is typed: what it prints, and its exit codes."""

from __future__ import annotations

import json

import pytest

from beak.cli.group import run as beak
from beak.data.picture_spec import PictureSpec
from beak.exchange import export as exporting
from beak.network.initial import initial_parameters
from beak.network.layers import Dense, Flatten
from beak.network.network import Network
from beak.runs.model import Model, save_model

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


@pytest.fixture
def trained(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spec = PictureSpec("pictures", (1, 6, 6))
    network = Network(spec.shape, [Flatten(), Dense(2, activation="softmax")])
    save_model(
        "cats.safetensors", Model(network, spec, ("cat", "dog"), initial_parameters(network, 0))
    )
    return "cats.safetensors"


def test_people_see_the_file_and_the_comparison(trained, capsys):
    assert beak(["export", trained, "cats.onnx"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("cats.onnx: ")
    assert lines[1].startswith("compared on 200 inputs: largest difference ")
    assert lines[1].endswith("0 labels changed")


def test_programs_get_one_object(trained, capsys):
    assert beak(["export", trained, "cats.onnx", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["form"] == "onnx"
    assert told["compared"]["agrees"] is True
    assert told["compared"]["inputs"] == 200


def test_a_difference_ends_with_1_and_no_file(trained, capsys, monkeypatch, tmp_path):
    flat = exporting.Form(
        (".onnx",), lambda model: b"-", lambda *_: lambda x: [[0.5, 0.5]] * len(x)
    )
    monkeypatch.setitem(exporting.FORMS, "onnx", flat)
    assert beak(["export", trained, "cats.onnx"]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == [trained]


@pytest.mark.parametrize(
    "words", [["nowhere", "a.onnx"], ["cats.safetensors", "a.txt"], ["cats.safetensors"]]
)
def test_a_wrong_call_ends_with_2_in_one_line(trained, words, capsys):
    assert beak(["export", *words]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
