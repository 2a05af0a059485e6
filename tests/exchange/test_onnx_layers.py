"""Every kind of layer, as ONNX computes it, beside the engine."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import assume, given

from beak.engine.make import make_engine
from beak.engine.onnx_running import onnx_session
from beak.errors import ShapeError
from beak.exchange.onnx_graph import Graph
from beak.exchange.onnx_layers import FUNCTIONS, LAYERS, emit_network
from beak.network import layers
from beak.network.initial import initial_parameters
from beak.network.layers import ACTIVATIONS, Activation, Conv1D, Conv2D, Dense, Flatten
from beak.network.network import Network

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


def made(network, parameters) -> bytes:
    g = Graph()
    words = network.nodes[0].layer.kind == "Embedding"
    first = g.input("input", "int32" if words else "float32", ["N", *network.input])
    values = emit_network(g, network, parameters, first)
    last = network.nodes[-1]
    return g.model({"logits": (values[last.name], ["N", *network.output])}, {})


def both(network, parameters, batch) -> tuple[np.ndarray, np.ndarray]:
    (found,) = onnx_session(made(network, parameters), 1).run(None, {"input": batch})
    return found, make_engine(network, parameters, threads=1).logits(batch)


def test_every_layer_and_activation_has_its_operators():
    assert set(LAYERS) == set(layers.LAYERS) - {"Opaque"}  # refused: test_import_boxes.py
    assert set(FUNCTIONS) == set(ACTIVATIONS)


def test_the_networks_of_this_test_hold_every_layer_and_activation(networks):
    nodes = [node for network in networks.values() for node in network.nodes]
    assert {node.layer.kind for node in nodes} == set(layers.LAYERS) - {"Opaque"}


@pytest.mark.parametrize("name", ["picture", "norms", "joins", "go", "sequence", "sentence",
                                  "samples", "sums", "moves"])  # fmt: skip
def test_a_network_answers_as_the_engine_does(name, networks, case_of):
    network = networks[name]
    found, wanted = both(network, *case_of(network))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-5)


@pytest.mark.parametrize("function", ACTIVATIONS)
def test_an_activation_is_the_engines(function):
    network = Network((3, 4, 5), [Activation(function), Flatten(), Dense(60, bias=False)])
    parameters = {"dense1.weight": np.eye(60, dtype=np.float32)}
    batch = np.linspace(-6, 6, 120, dtype=np.float32).reshape(2, 3, 4, 5)
    found, wanted = both(network, parameters, batch)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-6)


@st.composite
def windowed(draw):
    axes = draw(st.sampled_from([1, 2]))
    groups = draw(st.integers(1, 3))
    shape = (groups * draw(st.integers(1, 3)), *(draw(st.integers(3, 12)) for _ in range(axes)))
    padding = draw(st.sampled_from(["valid", "same", 0, 1]))
    if draw(st.booleans()):
        kind = Conv2D if axes == 2 else Conv1D
        layer = kind(
            groups * draw(st.integers(1, 3)), draw(st.integers(1, 4)), draw(st.integers(1, 3)),
            padding, draw(st.integers(1, 2)), groups,
        )  # fmt: skip
    else:
        which = draw(st.sampled_from(["Max", "Avg"]))
        kind = layers.LAYERS[f"{which}Pool{axes}D"]
        layer = kind(draw(st.integers(2, 4)), draw(st.integers(1, 4)), padding)
    try:
        return Network(shape, [layer, Flatten(), Dense(5)])
    except ShapeError:
        assume(False)


@given(windowed(), st.integers(1, 3))
def test_windows_of_every_shape_agree(network, batch):
    random = np.random.default_rng(batch)
    inputs = random.normal(size=(batch, *network.input)).astype(np.float32)
    found, wanted = both(network, initial_parameters(network, 0), inputs)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-5)
