"""What the lens asks of an engine: gradients at nodes, and the numbers of the predicting plan."""

from __future__ import annotations

import numpy as np
import pytest

from beak.engine.native import NativeEngine
from beak.engine.reference import ReferenceEngine
from beak.errors import NetworkError
from beak.network.initial import initial_parameters
from beak.network.layers import (
    Activation,
    Add,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    MaxPool2D,
)
from beak.network.network import Network
from beak.network.writers import Parallel, Residual

PICTURES = Network(
    (2, 12, 12),
    [
        Conv2D(6, 3, activation="relu"),
        MaxPool2D(2),
        Conv2D(8, 3, padding=1),
        BatchNorm(),
        Activation("relu"),
        Residual([Conv2D(8, 3, padding=1), BatchNorm()], activation="relu"),
        Flatten(),
        Dense(3, activation="softmax"),
    ],
)


def engines(network):
    parameters = initial_parameters(network, 3)
    return NativeEngine(network, parameters), ReferenceEngine(network, parameters)


def batch_of(network, images=3):
    return np.random.default_rng(0).normal(size=(images, *network.input)).astype(np.float32)


def test_gradients_at_nodes_are_the_references():
    native, reference = engines(PICTURES)
    x = batch_of(PICTURES)
    wanted = np.random.default_rng(1).normal(size=(3, 3)).astype(np.float32)
    names = [node.name for node in PICTURES.nodes]
    ours = native.gradients(x, wanted, at=names).nodes
    theirs = reference.gradients(x, wanted, at=names).nodes
    assert list(ours) == names
    for name in names:
        assert ours[name].shape == (3, *PICTURES.node(name).output)
        np.testing.assert_allclose(ours[name], theirs[name], atol=2e-5, err_msg=name)


def test_another_branch_adds_nothing_to_the_gradient_at_a_node_that_hands_it_on():
    network = Network(
        (16, 10, 10),
        [
            Conv2D(32, 3, padding=1, name="stem"),
            Dropout(0.5, name="handed"),  # in prediction the same tensor, backward as well
            Conv2D(32, 3, padding=1, name="one"),
            Conv2D(32, 3, padding=1, inputs=("stem",), name="other"),
            Add(inputs=("one", "other")),
            GlobalAvgPool(),
            Dense(3),
        ],
    )
    wanted = np.ones((3, 3), np.float32)
    ours, theirs = (
        e.gradients(batch_of(network), wanted, at=["stem", "handed"]).nodes
        for e in engines(network)
    )
    for name, gradient in theirs.items():
        np.testing.assert_allclose(ours[name], gradient, atol=1e-6, err_msg=name)


def test_a_relu_before_a_pooling_is_open_in_the_gradient_at_its_output():
    layers = [Conv2D(6, 3, activation="relu"), MaxPool2D(3, stride=2), Flatten(), Dense(3)]
    network = Network((2, 12, 12), layers)
    native, reference = engines(network)
    x, wanted = batch_of(network) - 1.0, np.ones((3, 3), np.float32)
    ours, theirs = (
        e.gradients(x, wanted, at=["conv1"]).nodes["conv1"] for e in (native, reference)
    )
    closed = (reference.activations(x)["conv1"] == 0) & (theirs != 0)
    assert closed.any()  # windows whose inputs are all 0 hand their gradient on all the same
    np.testing.assert_allclose(ours, theirs, atol=2e-5)


def test_a_node_behind_the_one_that_is_asked_for_has_no_gradient():
    for engine in engines(PICTURES):
        slope = np.ones((3, *PICTURES.node("conv2").output), np.float32)
        found = engine.gradients(batch_of(PICTURES), slope, "conv2", at=["pool1", "dense1"])
        assert np.abs(found.nodes["pool1"]).max() > 0
        assert not found.nodes["dense1"].any()


def test_the_gradient_at_a_node_is_its_slope():
    native, _ = engines(PICTURES)
    x, wanted = batch_of(PICTURES, 1), np.zeros((1, 3), np.float32)
    wanted[0, 1] = 1
    slope = native.gradients(x, wanted, at=["conv1"]).nodes["conv1"][0]
    bias = native.gradients(x, wanted).parameters["conv1.bias"]
    values = native.activations(x)["conv1"][0]
    passed = np.where(values > 0, slope, 0)  # conv1 ends in a ReLU
    np.testing.assert_allclose(passed.sum((1, 2)), bias, atol=1e-4)


def test_a_gradient_at_words_is_one_for_each_place():
    network = Network(
        (5,), [Embedding(9, 4, 0), Parallel([GlobalMaxPool()], [Flatten()]), Dense(2)]
    )
    x = np.array([[3, 3, 1, 0, 2]], np.int32)
    wanted = np.array([[1.0, -1.0]], np.float32)
    ours, theirs = (e.gradients(x, wanted, at=["embedding1"]) for e in engines(network))
    slope = ours.nodes["embedding1"]
    np.testing.assert_allclose(slope, theirs.nodes["embedding1"], atol=1e-6)
    twice = slope[0][:, :2].sum(1)  # the word 3 stands at the places 0 and 1
    np.testing.assert_allclose(ours.parameters["embedding1.weight"][3], twice, atol=1e-6)


def test_fast_activations_are_those_that_forward_writes():
    native, reference = engines(PICTURES)
    x = batch_of(PICTURES, 2)
    fast, direct = native.fast_activations(x), reference.activations(x)
    assert "conv2" not in fast  # its kernel folds the norm and goes on
    assert {"pool1", "relu1", "dense1"} <= fast.keys()
    for name, value in fast.items():
        np.testing.assert_allclose(value, direct[name], atol=1e-4, err_msg=name)
    np.testing.assert_array_equal(fast["dense1"], native.forward(x))


def test_an_unknown_node_is_told_with_the_nearest_name():
    native, _ = engines(PICTURES)
    with pytest.raises(NetworkError, match="did you mean 'conv1'"):
        native.gradients(batch_of(PICTURES, 1), np.ones((1, 3)), at=["convv1"])
