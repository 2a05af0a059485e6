"""The C file: compiled as strictly as compilers can, it answers as the run does."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pytest

from beak.data.kinds import MODULES
from beak.engine.make import make_engine
from beak.errors import RunError
from beak.exchange import c_source as source
from beak.exchange.c_helpers import FUNCTIONS
from beak.exchange.c_layers import LAYERS
from beak.exchange.c_prepare import PREPARE
from beak.exchange.c_source import c_answers, c_source
from beak.exchange.export import export
from beak.network import layers
from beak.network.layers import ACTIVATIONS, Activation, Dense, Flatten
from beak.network.network import Network
from beak.runs.evaluate import log_softmax

needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler is here")


def test_every_layer_activation_and_input_has_its_c():
    assert set(LAYERS) == set(layers.LAYERS) - {"Opaque"}  # refused: test_import_boxes.py
    assert {*FUNCTIONS, "softmax"} == set(ACTIVATIONS)
    assert set(PREPARE) == set(MODULES)


@needs_compiler
def test_the_file_answers_as_the_run_does(any_run, tmp_path):
    made = export(any_run, tmp_path / "out.c")
    assert made.form == "c"
    assert made.compared.agrees
    assert made.compared.difference < 2e-5


class Plain:
    """A network's input as it is, of any shape."""

    kind = "go"

    def __init__(self, network, words):
        self.shape = network.input
        self.kind = "texts" if words else "go"

    def describe(self):
        return "as it is"


@needs_compiler
@pytest.mark.parametrize(
    "name", ["picture", "norms", "joins", "go", "sequence", "samples", "sums", "moves"]
)
def test_a_network_answers_as_the_engine_does(name, networks, case_of, monkeypatch):
    from beak.runs.model import Model

    network = networks[name]
    parameters, batch = case_of(network)
    labels = tuple(map(str, range(network.output[0])))
    model = Model(network, Plain(network, False), labels, parameters)
    found = c_answers(c_source(model), model)(batch)
    logits = make_engine(network, parameters, threads=1).logits(batch)
    np.testing.assert_allclose(found, np.exp(log_softmax(logits)), rtol=0, atol=2e-5)


@needs_compiler
@pytest.mark.parametrize("function", ACTIVATIONS)
def test_an_activation_is_the_engines(function):
    from beak.runs.model import Model

    network = Network((3, 2, 5), [Activation(function), Flatten(), Dense(30, bias=False)])
    parameters = {"dense1.weight": np.eye(30, dtype=np.float32)}
    batch = np.linspace(-5, 5, 60, dtype=np.float32).reshape(2, 3, 2, 5)
    model = Model(network, Plain(network, False), tuple(map(str, range(30))), parameters)
    found = c_answers(c_source(model), model)(batch)
    logits = make_engine(network, parameters, threads=1).logits(batch)
    np.testing.assert_allclose(found, np.exp(log_softmax(logits)), rtol=0, atol=1e-6)


@needs_compiler
def test_labels_and_names_of_strangers_stay_texts(inputs, make_run, tmp_path):
    from dataclasses import replace

    run = make_run(*inputs["colour padded"], tmp_path)
    labels = ('"; int x', "*/ \\ caf\u00e9 ??/", "%s\n")
    run.model = replace(run.model, labels=labels, info={"name": "*/ #error"}, path=None)
    text = c_source(run.model).decode()
    assert c_answers(text.encode(), run.model)(np.zeros((1, 4, 4, 3), np.uint8)).shape == (1, 3)
    assert text.isascii()
    assert "*/ #error" not in text


def test_only_what_the_network_needs_is_in_the_file(inputs, make_run, tmp_path):
    text = c_source(make_run(*inputs["go"], tmp_path).model).decode()
    found = set(re.findall(r"^static void (\w+)\(", text, re.M))
    assert found == {"conv", "apply_relu", "position_bias", "softmax"}
    assert set(re.findall(r"#include <(.*)>", text)) == {"math.h", "string.h"}


def test_a_large_network_is_refused_with_another_way(picture_run, monkeypatch):
    monkeypatch.setattr(source, "MOST_NUMBERS", 100)
    with pytest.raises(RunError, match=r"too many for a C file .* FILE\.onnx"):
        c_source(picture_run.model)


def test_without_a_compiler_nothing_is_written(picture_run, tmp_path, monkeypatch):
    monkeypatch.setattr(source.shutil, "which", lambda name: None)
    with pytest.raises(RunError, match="install gcc or clang"):
        export(picture_run, tmp_path / "out.c")
    assert not (tmp_path / "out.c").exists()
