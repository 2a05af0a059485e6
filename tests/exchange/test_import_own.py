"""What beak exported comes back: the same network, labels and preparation, the same answers."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import onnx

from beak.errors import RunError, UsageError
from beak.exchange.examples import examples
from beak.exchange.import_run import Preparation, import_network
from beak.exchange.importing import read_network
from beak.exchange.onnx_model import onnx_bytes
from beak.runs.run import load


def test_every_kind_of_input_comes_back_as_it_was(any_run, tmp_path):
    (tmp_path / "out.onnx").write_bytes(onnx_bytes(any_run.model))
    made = import_network(tmp_path / "out.onnx", tmp_path / "back")
    back = load(tmp_path / "back", threads=1)
    assert back.network == any_run.network
    assert back.spec == any_run.spec
    assert back.labels == any_run.labels
    assert made.difference is not None
    assert made.difference < 1e-4
    for name, array in any_run.model.parameters.items():
        np.testing.assert_array_equal(back.model.parameters[name], array)
    inputs = np.stack([pair.prepared for pair in examples(any_run, least=4)[:4]])
    np.testing.assert_array_equal(
        back.predictor.engine.logits(inputs), any_run.predictor.engine.logits(inputs)
    )


@pytest.fixture
def exported(picture_run, tmp_path):
    (tmp_path / "out.onnx").write_bytes(onnx_bytes(picture_run.model))
    return tmp_path / "out.onnx", onnx.load(tmp_path / "out.onnx")


def test_a_graph_changed_behind_the_metadata_is_noticed(exported, tmp_path):
    path, model = exported
    next(n for n in model.graph.node if n.op_type == "Softmax").op_type = "LogSoftmax"
    onnx.save(model, path)
    with pytest.raises(RunError, match="answers otherwise than the file"):
        import_network(path, tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_a_graph_that_does_not_run_is_one_line(exported):
    path, model = exported
    model.graph.node[0].op_type = "NoSuchThing"
    onnx.save(model, path)
    with pytest.raises(RunError, match="ONNX Runtime does not take it"):
        import_network(path)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("network", "{", "no|not the JSON"),
        ("network", '{"format": 1, "input": [1], "nodes": []}', "metadata"),
        ("input", '{"kind": "smells"}', "metadata"),
        ("labels", "[1, 2]", "no list of texts"),
        ("labels", '["one"]', "labels"),
    ],
)
def test_odd_metadata_is_one_line(exported, tmp_path, key, value, said):
    path, model = exported
    for entry in model.metadata_props:
        if entry.key == key:
            entry.value = value
    onnx.save(model, path)
    with pytest.raises(RunError, match=said) as told:
        import_network(path, tmp_path / "back")
    assert "\n" not in str(told.value)
    assert not (tmp_path / "back" / "model.safetensors").exists()


def test_a_missing_weight_is_named(exported):
    path, model = exported
    name = next(t.name for t in model.graph.initializer if t.name.endswith(".weight"))
    kept = [t for t in model.graph.initializer if t.name != name]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    onnx.save(model, path)
    with pytest.raises(RunError, match=f"'{name}' is missing"):
        read_network(path)


def test_the_file_says_itself_how_its_input_is_prepared(exported):
    with pytest.raises(UsageError, match="says itself"):
        import_network(exported[0], preparation=Preparation(scale=1.0))
