"""Names, inputs, JSON and equality of networks."""

from __future__ import annotations

import doctest
import json

import numpy as np
import pytest

import beak.network.auto
import beak.network.named
import beak.network.network
import beak.network.summary
from beak.errors import NetworkError, UsageError
from beak.network.layers import (
    Activation,
    Add,
    BatchNorm,
    Conv2D,
    Dense,
    Embedding,
    Flatten,
    GlobalMaxPool,
    MaxPool2D,
)
from beak.network.network import Network
from beak.network.writers import Parallel, Residual

INPUT = (3, 8, 8)


def names(network):
    return [node.name for node in network.nodes]


def test_names_are_made_from_the_kind_and_a_number():
    layers = [Conv2D(4, 3), MaxPool2D(2), Conv2D(4, 3), BatchNorm(), Activation("relu")]
    assert names(Network(INPUT, [*layers, Flatten(), Dense(2)])) == [
        "conv1",
        "pool1",
        "conv2",
        "norm1",
        "relu1",
        "flatten1",
        "dense1",
    ]


def test_a_made_name_keeps_clear_of_given_ones():
    layers = [Conv2D(4, 1), Conv2D(4, 1, name="conv1"), Conv2D(4, 1)]
    assert names(Network(INPUT, layers)) == ["conv2", "conv1", "conv3"]
    inside = [Conv2D(3, 1), Conv2D(3, 1, name="conv1")]
    assert names(Network(INPUT, [Residual(inside)])) == ["res1.conv2", "res1.conv1", "res1.add"]


def test_a_residual_writes_its_body_its_shortcut_and_a_sum():
    body = [Conv2D(4, 3, padding=1), Activation("relu"), Conv2D(4, 3, padding=1)]
    network = Network(INPUT, [Residual(body, [Conv2D(4, 1)], activation="relu"), Flatten()])
    assert names(network) == [
        "res1.conv1",
        "res1.relu1",
        "res1.conv2",
        "res1.shortcut.conv1",
        "res1.add",
        "res1.relu",
        "flatten1",
    ]
    assert network.node("res1.shortcut.conv1").inputs == ("input",)
    assert network.node("res1.add").inputs == ("res1.conv2", "res1.shortcut.conv1")
    assert network.node("flatten1").inputs == ("res1.relu",)


def test_a_residual_without_shortcut_adds_what_came_in():
    network = Network(INPUT, [Conv2D(4, 1), Residual([Conv2D(4, 3, padding=1)])])
    assert network.node("res1.add").inputs == ("res1.conv1", "conv1")


def test_parallel_branches_read_the_same_input_and_are_joined():
    layers = [Conv2D(4, 1), Parallel(Conv2D(2, 1), [Conv2D(3, 3, padding=1), BatchNorm()], [])]
    network = Network(INPUT, layers)
    last = network.nodes[-1]
    assert last.inputs == ("parallel1.branch1.conv1", "parallel1.branch2.norm1", "conv1")
    assert last.output == (9, 8, 8)


def test_writers_stand_inside_writers():
    inner = Residual([Conv2D(3, 1)], name="inner")
    network = Network(INPUT, [Residual([inner, Conv2D(3, 1, name="end")], name="outer")])
    assert names(network) == ["outer.inner.conv1", "outer.inner.add", "outer.end", "outer.add"]


def test_inputs_are_looked_up_from_inside_outward():
    body = [Conv2D(3, 1, name="a"), Conv2D(3, 1, name="b"), Add(inputs=("a", "b", "stem"))]
    network = Network(INPUT, [Conv2D(3, 1, name="stem"), Residual(body)])
    assert network.node("res1.add1").inputs == ("res1.a", "res1.b", "stem")


def test_a_writers_name_leads_to_its_last_node():
    layers = [Residual([Conv2D(3, 1)], name="block", activation="relu"), Conv2D(3, 1)]
    network = Network(INPUT, [*layers, Add(inputs=("block", "conv1"))])
    assert network.node("add1").inputs == ("block.relu", "conv1")


def test_equal_content_is_equal_however_it_was_written():
    long = [
        Conv2D(3, (3, 3), padding=(1, 1), name="res1.conv1"),
        Add(inputs=("res1.conv1", "input"), name="res1.add"),
    ]
    short = Network(INPUT, [Residual([Conv2D(3, 3, padding=1)])])
    assert Network(list(INPUT), long) == short
    assert hash(Network(INPUT, long)) == hash(short)
    assert Network(INPUT, [Conv2D(3, 3)]) != Network(INPUT, [Conv2D(3, 3, bias=False)])
    assert Network(INPUT, [Conv2D(3, 3)]) != Network((3, 8, 9), [Conv2D(3, 3)])
    assert short != "a network"


def test_numpy_whole_numbers_are_whole_numbers():
    network = Network(np.array([3, 8, 8]), [Conv2D(np.int64(4), np.int32(3))])
    assert json.loads(json.dumps(network.to_json())) == network.to_json()
    assert network.output == (4, 6, 6)


def test_json_says_inputs_only_where_they_are_not_the_node_before():
    data = Network(INPUT, [Residual([Conv2D(3, (3, 1), padding="same")])]).to_json()
    assert data["format"] == 1
    assert data["input"] == [3, 8, 8]
    assert "inputs" not in data["nodes"][0]
    assert data["nodes"][0]["kernel"] == [3, 1]
    assert data["nodes"][1] == {
        "name": "res1.add",
        "kind": "Add",
        "inputs": ["res1.conv1", "input"],
    }


def test_json_may_leave_out_names_and_fields_that_have_a_default():
    nodes = [{"kind": "Conv2D", "filters": 4, "kernel": 3}, {"kind": "GlobalMaxPool"}]
    network = Network.from_json({"format": 1, "input": [3, 8, 8], "nodes": nodes})
    assert network == Network(INPUT, [Conv2D(4, 3), GlobalMaxPool()])


def test_a_network_in_a_file(tmp_path):
    network = Network(INPUT, [Flatten(), Dense(2, activation="softmax")])
    path = tmp_path / "small.json"
    path.write_text(json.dumps(network.to_json()))
    assert Network.from_file(path) == network
    with pytest.raises(UsageError, match=r"smal.json: there is no such file; did you mean 'small"):
        Network.from_file(tmp_path / "smal.json")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", r"n.json:1:2: Expecting property name"),
        ('{"format": 1,\n "nodes": [}', r"n.json:2:12: Expecting value"),
        ("[" * 100_000, "nested too deep"),
        ('{"format": 1, "format": 1}', "'format' is given twice"),
        ('{"format": 1, "input": [1], "nodes": [], "x": 1}', r"n.json: the network: unknown field"),
        ("1" * 5000, "n.json: "),
        ("NaN", "not nan"),
    ],
)
def test_a_file_that_is_no_network_is_told_in_one_line(tmp_path, text, says):
    path = tmp_path / "n.json"
    path.write_text(text)
    with pytest.raises(NetworkError, match=says) as caught:
        Network.from_file(path)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_text_and_a_folder_are_told(tmp_path):
    path = tmp_path / "n.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(NetworkError, match="is no text"):
        Network.from_file(path)
    with pytest.raises(UsageError):
        Network.from_file(tmp_path)


@pytest.mark.parametrize(
    ("last", "classifies"),
    [
        ([Dense(3, activation="softmax")], True),
        ([Dense(3), Activation("softmax")], True),
        ([Dense(3)], False),
        ([Dense(3, activation="softmax"), Activation("relu")], False),
    ],
)
def test_a_network_classifies_when_it_ends_in_softmax(last, classifies):
    assert Network((4,), last).classifies is classifies


def test_weights_before_relu_kinds_start_as_he_and_others_as_glorot():
    layers = [
        Conv2D(4, 3, name="straight"),
        BatchNorm(),
        MaxPool2D(2),
        Activation("silu"),
        Residual([Conv2D(4, 1, name="through_add")], activation="relu"),
        Conv2D(4, 1, activation="tanh", name="tanh"),
        Flatten(),
        Dense(5, name="only_dense"),
        Dense(5, activation="gelu", name="gelu"),
        Dense(2, activation="softmax", name="last"),
    ]
    network = Network(INPUT, layers)
    kinds = {
        name.removesuffix(".weight"): p.initial for name, p in network.parameters.items() if p.decay
    }
    assert kinds == {
        "straight": "he",
        "res1.through_add": "he",
        "tanh": "glorot",
        "only_dense": "glorot",
        "gelu": "he",
        "last": "glorot",
    }


def test_embedding_gives_channels_by_words():
    network = Network((12,), [Embedding(50, 6)])
    assert network.output == (6, 12)
    assert network.parameters["embedding1.weight"].shape == (50, 6)


@pytest.mark.parametrize(
    "module",
    [beak.network.network, beak.network.named, beak.network.summary, beak.network.auto],
)
def test_the_examples_in_the_docstrings_are_true(module):
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0
