"""8 bits: ranges, folded norms, corrected biases; measured, and refused where they cost much."""

from __future__ import annotations

import json

import numpy as np
import pytest

from beak.cli.group import run as beak
from beak.engine.make import make_engine
from beak.errors import RunError, UsageError
from beak.exchange import export as exporting
from beak.exchange.check import compare, onnx_answers
from beak.exchange.examples import examples
from beak.exchange.export import export
from beak.exchange.fold import without_norms
from beak.exchange.int8 import Accuracy, _range, int8_bytes, measured_accuracy
from beak.exchange.int8_graph import TOP, byte_scale
from beak.network.layers import BatchNorm, Conv2D, Dense, GlobalAvgPool
from beak.network.network import Network

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


PREPARED = ("grey stretched", "colour padded", "colour cropped", "numbers", "sounds",
            "even sounds", "samples", "words", "bytes", "pairs")  # fmt: skip
"""All but Go: its rows are games, its layers are those of pictures."""


@pytest.mark.parametrize("any_run", PREPARED, indirect=True)
def test_every_kind_of_input_keeps_its_answers_nearly(any_run, dataset_for):
    dataset = dataset_for(any_run)
    made = int8_bytes(any_run, dataset)
    found = measured_accuracy(any_run, made, dataset)
    assert found.before == 1.0
    assert found.after >= 0.9
    near = compare(any_run, examples(any_run), onnx_answers(made, any_run.model))
    assert near.difference < 0.2


def test_the_weights_are_whole_numbers_of_8_bits_a_channel_a_scale(picture_run, dataset_for):
    made = onnx.load_from_string(int8_bytes(picture_run, dataset_for(picture_run)))
    arrays = {a.name: onnx.numpy_helper.to_array(a) for a in made.graph.initializer}
    kinds = {n: a.dtype.name for n, a in arrays.items() if n.endswith(".weight")}
    # a layer with a few weights stays as it is
    assert kinds == {"conv1.weight": "float32", "large.weight": "int8", "dense1.weight": "int8"}
    for name in ("large", "dense1"):
        weight = arrays[f"{name}.weight"]
        assert set(np.abs(weight.reshape(len(weight), -1).astype(int)).max(axis=1)) == {TOP}
    biases = [a for a in arrays.values() if a.dtype == np.int32]
    assert sorted(map(len, biases)) == [3, 24]
    assert {p.key: p.value for p in made.metadata_props}["precision"] == "int8"


@pytest.mark.parametrize("any_run", ["grey stretched", "sounds", "pairs"], indirect=True)
def test_runtimes_compute_weighted_layers_in_whole_numbers(any_run, tmp_path, dataset_for):
    """ONNX Runtime finds the patterns that its kernels of 8 bits need."""
    import onnxruntime

    made = int8_bytes(any_run, dataset_for(any_run))
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "fused.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(made, options, providers=["CPUExecutionProvider"])
    kinds = [node.op_type for node in onnx.load(tmp_path / "fused.onnx").graph.node]
    arrays = onnx.load_from_string(made).graph.initializer
    weights = [a.dims for a in arrays if a.name.endswith(".weight") and a.data_type == 3]
    assert kinds.count("QLinearConv") == sum(len(dims) == 4 for dims in weights)
    embedded = sum(node.layer.kind == "Embedding" for node in any_run.network.nodes)
    assert kinds.count("QGemm") == sum(len(dims) == 2 for dims in weights) - embedded


def test_a_biased_rounding_is_corrected(picture_run, dataset_for):
    """The mean answer of 8 bits is that of the run, nearer than without the correction."""
    from beak.exchange import int8

    dataset = dataset_for(picture_run)
    rows = dataset.parts["test"].inputs
    wanted = picture_run.predictor.engine.logits(picture_run.spec.prepare(rows))
    wanted = np.exp(wanted - wanted.max(axis=1, keepdims=True))
    wanted /= wanted.sum(axis=1, keepdims=True)

    def off(made: bytes) -> float:
        answers = onnx_answers(made, picture_run.model)(rows.transpose(0, 2, 3, 1))
        return float(np.abs(answers.mean(axis=0) - wanted.mean(axis=0)).max())

    corrected = off(int8_bytes(picture_run, dataset))
    inputs = int8._calibration(picture_run.model, dataset.parts["train"])
    ranges, _ = int8._measured(picture_run.model, inputs)
    model = picture_run.model
    plain = off(int8.finished(*_graph(int8._written(model, ranges, {}), model)))
    assert corrected < 0.002
    assert corrected <= plain


def _graph(written, model):
    g, values = written
    return g, model, values


def test_folded_norms_leave_the_same_map():
    layers = [Conv2D(5, 3, bias=False), BatchNorm(), Conv2D(4, 1, activation="relu"), BatchNorm(),
              GlobalAvgPool(), Dense(3), BatchNorm()]  # fmt: skip
    network = Network((2, 8, 8), layers)
    random = np.random.default_rng(0)
    parameters = {
        name: random.uniform(0.5, 1.5, p.shape).astype(np.float32)
        for name, p in network.parameters.items()
    }
    folded, arrays = without_norms(network, parameters)
    # the second norm stands behind an activation and stays
    assert [n.layer.kind for n in folded.nodes].count("BatchNorm") == 1
    inputs = random.normal(size=(4, 2, 8, 8)).astype(np.float32)
    found = make_engine(folded, arrays, threads=1).logits(inputs)
    wanted = make_engine(network, parameters, threads=1).logits(inputs)
    np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=2e-5)


def test_residual_networks_fold_too(networks, case_of):
    network = networks["norms"]
    folded, arrays = without_norms(network, case_of(network)[0])
    assert all(node.layer.kind != "BatchNorm" for node in folded.nodes)
    assert folded.output == network.output
    assert set(arrays) == set(folded.parameters)


@pytest.mark.parametrize("found", [(0.0, 0.0), (-1.0, 3.0), (0.5, 2.0), (-2.0, -1.0)])
def test_nothing_stays_nothing_in_bytes(found):
    scale, zero = byte_scale(found)
    assert scale > 0
    assert 0 <= zero <= 255
    assert (np.clip(np.rint(0.0 / scale) + zero, 0, 255) - zero) * scale == 0.0


def test_few_far_values_do_not_widen_the_range():
    values = np.concatenate([np.random.default_rng(0).normal(0, 1, 60_000), [40.0]])
    low, high = _range(values)
    assert low <= 0 < high < 40


@pytest.fixture
def measured(picture_run, monkeypatch, dataset_for):
    """The run with a data set that a recipe would have brought."""
    dataset = dataset_for(picture_run)
    monkeypatch.setattr(exporting, "dataset_of", lambda *_: dataset)
    return picture_run


def test_a_loss_is_refused_unless_it_is_accepted(measured, tmp_path, monkeypatch):
    bad = Accuracy(0.95, 0.94, 300)
    monkeypatch.setattr(exporting, "measured_accuracy", lambda *_: bad)
    path = tmp_path / "out.onnx"
    with pytest.raises(RunError, match=r"lose 1\.00 points .* --accept-loss"):
        export(measured, path, int8=True)
    assert not path.exists()
    made = export(measured, path, int8=True, accept_loss=True)
    assert path.stat().st_size == made.size
    assert made.to_json()["accuracy"]["points_lost"] == pytest.approx(1.0)


def test_options_that_do_not_go_together_are_told(picture_run, tmp_path):
    with pytest.raises(UsageError, match="goes with an ONNX file"):
        export(picture_run, tmp_path / "out.c", int8=True)
    with pytest.raises(UsageError, match="--accept-loss with --int8"):
        export(picture_run, tmp_path / "out.onnx", accept_loss=True)


def test_a_run_without_its_data_asks_for_it(picture_run, tmp_path):
    with pytest.raises(RunError, match="give it: --data SOURCE"):
        export(picture_run, tmp_path / "out.onnx", int8=True)


@pytest.mark.slow
def test_digits_in_8_bits_through_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BEAK_CACHE", str(tmp_path / "cache"))
    assert beak(["train", "digits", "--out", "run", "--epochs", "3", "--json"]) == 0
    capsys.readouterr()
    assert beak(["export", "run", "whole.onnx", "--json"]) == 0
    whole = json.loads(capsys.readouterr().out)
    assert beak(["export", "run", "small.onnx", "--int8", "--json"]) == 0
    small = json.loads(capsys.readouterr().out)
    assert small["accuracy"]["points_lost"] <= 0.5
    assert small["accuracy"]["examples"] > 100
    assert whole["bytes"] > 3.5 * small["bytes"]
    assert whole["compared"]["agrees"]
