"""An export is the run it was made of, or it is not written."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

import beak
from beak.data.kinds import MODULES
from beak.errors import MissingExtraError, RunError, UsageError
from beak.exchange import export as exporting
from beak.exchange.check import compare, onnx_answers
from beak.exchange.examples import LEAST, examples
from beak.exchange.export import export
from beak.exchange.onnx_model import PREPARE, input_name, onnx_bytes
from beak.runs.files import write_whole

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def test_every_kind_of_input_has_a_preparation():
    assert set(PREPARE) == set(MODULES)


def test_the_file_answers_as_the_run_does(any_run, tmp_path):
    made = export(any_run, tmp_path / "out.onnx")
    assert made.compared.inputs >= LEAST
    assert made.compared.agrees
    assert made.compared.difference < 2e-5
    assert made.size == (tmp_path / "out.onnx").stat().st_size


def test_openvino_answers_as_the_run_does(any_run, tmp_path):
    openvino = pytest.importorskip("openvino")
    path = tmp_path / "out.onnx"
    path.write_bytes(onnx_bytes(any_run.model))
    # without the hint processors that have bfloat16 compute with 8 bits of mantissa
    precision = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(path, "CPU", precision)
    name = input_name(any_run.spec)
    found = compare(any_run, examples(any_run), lambda x: compiled({name: x})["probabilities"])
    assert found.agrees
    assert found.difference < 5e-5


def test_the_metadata_tell_labels_and_preparation(picture_run, tmp_path):
    export(picture_run, tmp_path / "out.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "out.onnx"))
    told = session.get_modelmeta().custom_metadata_map
    assert json.loads(told["labels"]) == list(picture_run.labels)
    assert json.loads(told["input"]) == picture_run.spec.to_json()
    assert beak.Network.from_json(json.loads(told["network"])) == picture_run.network
    assert "uint8" in told["before"]
    assert session.get_inputs()[0].shape == ["N", "height", "width", "channels"]
    assert session.get_outputs()[0].shape == ["N", 3]


def test_the_same_run_gives_the_same_bytes(picture_run):
    assert onnx_bytes(picture_run.model) == onnx_bytes(picture_run.model)


def test_raw_files_are_compared_on(picture_run, tmp_path):
    from PIL import Image

    (tmp_path / "photos").mkdir()
    random = np.random.default_rng(0)
    for i in range(6):
        pixels = random.integers(0, 256, (20 + i, 30, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{i}.png")
    (tmp_path / "photos" / "broken.png").write_bytes(b"none")
    pairs = examples(picture_run, str(tmp_path / "photos"))
    assert [pair.name.rsplit("/", 1)[-1] for pair in pairs[:6]] == [f"{i}.png" for i in range(6)]
    assert pairs[5].exported.shape == (25, 30, 3)
    assert len(pairs) >= LEAST
    assert compare(
        picture_run, pairs, onnx_answers(onnx_bytes(picture_run.model), picture_run.model)
    ).agrees


def spoiled(model):
    """An export whose first bias is off by a little."""
    made = onnx.load_from_string(onnx_bytes(model))
    for array in made.graph.initializer:
        if array.name == "dense1.bias":
            values = onnx.numpy_helper.to_array(array) + np.array([0.01, 0, 0], np.float32)
            array.CopyFrom(onnx.numpy_helper.from_array(values, array.name))
    return made.SerializeToString()


def test_an_export_that_differs_is_not_written(picture_run, tmp_path, monkeypatch):
    wrong = exporting.Form((".onnx",), spoiled, onnx_answers)
    monkeypatch.setitem(exporting.FORMS, "onnx", wrong)
    path = tmp_path / "out.onnx"
    path.write_bytes(b"what was there")
    with pytest.raises(RunError, match="answers otherwise than the run"):
        export(picture_run, path)
    assert path.read_bytes() == b"what was there"
    assert {p.name for p in tmp_path.iterdir()} == {"model.safetensors", "out.onnx"}


def test_a_changed_label_counts_unless_it_is_a_tie(picture_run):
    pairs = examples(picture_run)[:20]
    right = onnx_answers(onnx_bytes(picture_run.model), picture_run.model)
    turned = compare(picture_run, pairs, lambda x: right(x)[:, ::-1])
    assert turned.changed > 0
    assert turned.changed_for_good > 0
    assert not turned.agrees


@pytest.mark.parametrize(
    ("name", "to", "says"),
    [
        ("model.pt", None, "does not tell the form"),
        ("model.onnx", "onxx", "did you mean 'onnx'"),
        ("nowhere/model.onnx", None, "folder is not there"),
        (".", "onnx", "is a folder"),
    ],
)
def test_a_wrong_call_says_what_to_do(picture_run, tmp_path, name, to, says):
    with pytest.raises(UsageError, match=says):
        export(picture_run, tmp_path / name, to)


def test_without_the_extra_it_is_named(picture_run, tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError, match=r"beak\[onnx\]"):
        beak.export(picture_run, tmp_path / "out.onnx")
    assert not (tmp_path / "out.onnx").exists()


def test_a_source_that_was_asked_for_must_be_there(picture_run, tmp_path):
    with pytest.raises(UsageError, match="not there"):
        export(picture_run, tmp_path / "out.onnx", data="nowhere at all")
    (tmp_path / "empty").mkdir()
    with pytest.raises(beak.BeakError, match="holds no picture"):
        export(picture_run, tmp_path / "out.onnx", data=str(tmp_path / "empty"))


@pytest.mark.slow
def test_the_runs_own_data_are_compared_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    beak.train("digits", out="digits", epochs=1)  # the folder has the name of its source
    pairs = examples(beak.load("digits"))
    assert sum(not pair.name.startswith("made ") for pair in pairs) > 100
    recipe = (tmp_path / "digits" / "recipe.toml").read_text()
    gone = recipe.replace('source = "digits"', 'source = "gone"')
    (tmp_path / "digits" / "recipe.toml").write_text(gone)
    made = export("digits", tmp_path / "out.onnx")
    assert any("made inputs alone" in note for note in made.notes)


def test_a_pipe_is_not_replaced_by_a_file(tmp_path):
    pipe = tmp_path / "pipe.onnx"
    os.mkfifo(pipe)
    with pytest.raises(UsageError, match="is no file that could be replaced"):
        exporting._check_target(pipe)
    with pytest.raises(RunError, match="a device or a pipe"):
        write_whole(pipe, [b"x"])
    assert pipe.is_fifo()
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(UsageError, match=r"a\.png is no folder"):
        exporting._check_target(tmp_path / "a.png" / "x.onnx")
