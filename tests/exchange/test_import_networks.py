"""Networks made elsewhere answer as ONNX Runtime does, and every number in them opens."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


from beak.engine.make import make_engine
from beak.engine.onnx_running import onnx_session
from beak.exchange.importing import compared, read_network
from beak.lens.arithmetic import arithmetic
from beak.lens.subject import Look, Subject
from tests.exchange import onnx_elsewhere as elsewhere
from tests.exchange.onnx_elsewhere import NETWORKS, written

NAMES = [make.__name__ for make in NETWORKS]


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """Each network's file, read once."""
    folder, kept = tmp_path_factory.mktemp("elsewhere"), {}

    def of(name):
        if name not in kept:
            path = folder / f"{name}.onnx"
            path.write_bytes(written(getattr(elsewhere, name)))
            kept[name] = path.read_bytes(), read_network(path)
        return kept[name]

    return of


def as_the_file_reads(name, inputs):
    """Inputs of beak's network as the file of that name wants them."""
    if name == "keras":
        return np.ascontiguousarray(inputs.transpose(0, 2, 3, 1))
    return inputs.reshape(len(inputs), *NETWORKS[getattr(elsewhere, name)])


def as_shares(name, found):
    """The file's answers as the run gives them."""
    if name == "lenet":
        return np.exp(found)
    return np.concatenate([1 - found, found], 1) if name == "logistic" else found


@pytest.mark.parametrize("name", [name for name in NAMES if name != "quantised"])
def test_a_network_made_elsewhere_answers_as_onnx_runtime_does(name, imported):
    raw, found = imported(name)
    inputs = np.random.default_rng(5).standard_normal((100, *found.network.input), np.float32)
    session = onnx_session(raw, 1)
    wanted = as_shares(name, session.run(None, {"input": as_the_file_reads(name, inputs)})[0])
    answers = make_engine(found.network, found.parameters, threads=1).forward(inputs)
    np.testing.assert_allclose(answers, wanted, rtol=0, atol=1e-4)
    assert np.ptp(wanted, axis=0).max() > 1e-3, "answers that differ from input to input"
    assert np.isclose(compared(found), 0, atol=1e-4)


def test_quantised_values_are_read_as_the_floats_they_stand_for(imported):
    raw, found = imported("quantised")
    assert compared(found) < 1e-5  # of the file with its rounding left out
    inputs = np.random.default_rng(5).standard_normal((20, 3, 32, 32), np.float32)
    wanted = onnx_session(raw, 1).run(None, {"input": inputs})[0]
    answers = make_engine(found.network, found.parameters, threads=1).forward(inputs)
    assert 0 < np.abs(answers - wanted).max() < 0.1 * np.ptp(wanted)
    assert any("8-bit" in note for note in found.notes)


@pytest.mark.parametrize("name", NAMES)
def test_the_terms_of_any_number_add_up(name, imported):
    _, found = imported(name)
    network = found.network
    inputs = np.random.default_rng(6).standard_normal(network.input).astype(np.float32)
    look = Look.at(Subject(network, found.parameters, threads=1), inputs)
    random = np.random.default_rng(7)
    for node in network.nodes:
        for _ in range(2):
            index = tuple(int(random.integers(size)) for size in node.output)
            facts = arithmetic(look, node.name, index).facts
            assert abs(facts["difference"]) <= 1e-5 * max(1.0, facts["scale"]), (node, index)


def test_names_come_from_the_weights_of_the_file(imported):
    names = [node.name for node in imported("resnet18")[1].network.nodes]
    assert names[:3] == ["conv1", "bn1", "relu1"]
    assert "layer3.1.conv2" in names
    assert "layer3.1.relu2" in names
    assert names[-1] == "fc"
    assert imported("keras")[1].network.nodes[1].name == "conv2d"


def test_what_stands_together_is_one_layer(imported):
    layers = {node.name: node.layer for node in imported("vgg11")[1].network.nodes}
    assert layers["features.0"].activation == "relu"
    kinds = [node.layer.kind for node in imported("keras")[1].network.nodes]
    assert "Add" not in kinds[:3]  # a bias that was an Add of its own
    gelus = [node.layer for node in imported("convnext")[1].network.nodes]
    assert sum(getattr(layer, "activation", None) == "gelu" for layer in gelus) == 2


def test_channels_last_become_channels_first(imported):
    assert imported("keras")[1].network.input == (3, 32, 32)
    assert imported("logistic")[1].network.input == (1, 12, 12)


@pytest.mark.parametrize("opset", [9, 12])
def test_older_opsets_are_read(tmp_path, opset):
    g = elsewhere.Elsewhere((1, 28, 28))
    path = tmp_path / "lenet.onnx"
    path.write_bytes(g.model(elsewhere.lenet(g), opset=opset))
    assert compared(read_network(path)) < 1e-5


def test_a_file_for_one_size_of_batch_is_compared_in_such_batches(tmp_path):
    path = tmp_path / "vgg.onnx"
    path.write_bytes(written(elsewhere.vgg11, batch=3))
    assert compared(read_network(path)) < 1e-5
