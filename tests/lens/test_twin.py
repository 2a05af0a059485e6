"""The twin's matrix computes the same map, and its counts are the lecture's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beak.engine.make import make_engine
from beak.errors import UsageError
from beak.lens.subject import Look, Subject
from beak.lens.twin import edge_counts, twin
from beak.network.catalogue import make_network
from beak.network.layers import Conv1D, Conv2D, Dense, Flatten
from beak.network.network import Network
from tests.lens.conftest import input_of, parameters_of


def matrix_of(told):
    whole = np.zeros((told.facts["all_rows"], told.facts["all_columns"]))
    whole[told["row"], told["column"]] += told["value"]
    return whole


def all_of(node):
    return (0, int(np.prod(node.output))), (0, int(np.prod(node.input_shapes[0])))


@pytest.mark.parametrize(
    "layer",
    [
        Conv2D(2, 3),
        Conv2D(4, (2, 3), stride=2, padding="same", groups=2),
        Conv2D(2, 2, dilation=2, padding=1, bias=False),
        Conv2D(3, 1),
    ],
    ids=["plain", "strided in groups", "dilated", "1x1"],
)
def test_the_matrix_times_the_input_is_the_map(layer):
    network = Network((2, 6, 5), [layer])
    subject = Subject(network, parameters_of(network))
    look = Look.at(subject, input_of(network))
    told = twin(subject, "conv1", *all_of(network.nodes[0]))
    product = matrix_of(told) @ look.values["input"].ravel()
    bias = told.arrays.get("bias", 0)
    np.testing.assert_allclose(product + bias, look.values["conv1"].ravel(), atol=1e-5)
    assert told.facts["edges"]["kept"] == len(told["row"])


def test_the_lectures_6x6_has_576_144_and_9():
    network = Network((1, 6, 6), [Conv2D(1, 3)])
    told = twin(Subject(network, parameters_of(network)))
    edges = told.facts["edges"]
    assert (edges["all"], edges["kept"], edges["shared"]) == (576, 144, 9)
    assert (edges["all_biases"], edges["shared_biases"]) == (16, 1)
    assert len(np.unique(told["shared"])) == 9
    first = told["column"][told["row"] == 0] + 1
    second = told["column"][told["row"] == 1] + 1
    assert first.tolist() == [1, 2, 3, 7, 8, 9, 13, 14, 15]
    assert second.tolist() == [2, 3, 4, 8, 9, 10, 14, 15, 16]


def test_the_lecture_networks_counts():
    network = make_network("lecture", (1, 28, 28), 10)
    first, second = (edge_counts(network.node(name)) for name in ("conv1", "conv2"))
    assert first["all"] + first["all_biases"] == 13_266_500
    assert (first["kept"], first["shared"]) == (152_100, 225)
    assert second["all"] + second["all_biases"] == 25_567_300
    assert (second["kept"], second["shared"]) == (1_361_250, 11_250)


def test_a_shared_weights_gradient_is_the_sum_over_its_copies():
    network = Network((1, 6, 6), [Conv2D(1, 3)])
    parameters, x = parameters_of(network), input_of(network)
    slope = np.random.default_rng(5).normal(size=(1, 1, 4, 4)).astype(np.float32)
    engine = make_engine(network, parameters)
    shared = engine.gradients(x[None], slope).parameters["conv1.weight"].ravel()
    told = twin(Subject(network, parameters))
    by_edge = slope.ravel()[told["row"]] * x.ravel()[told["column"]]
    copies = np.bincount(told["shared"], by_edge, 9)
    np.testing.assert_allclose(copies, shared, atol=1e-4)


@given(st.integers(0, 25), st.integers(1, 30), st.integers(0, 40), st.integers(1, 40))
def test_a_window_holds_the_edges_that_lie_in_it(row, rows, column, columns):
    network = Network((2, 5, 5), [Conv2D(2, 3, padding=1)])
    subject = Subject(network, parameters_of(network))
    whole = matrix_of(twin(subject, "conv1", *all_of(network.nodes[0])))
    across = (column, min(50, column + columns))
    told = twin(subject, "conv1", (row, min(50, row + rows)), across)
    part = matrix_of(told)
    inside = np.zeros_like(whole)
    inside[slice(*told.facts["rows"]), slice(*across)] = 1
    np.testing.assert_array_equal(part, whole * inside)


def test_a_sequence_and_a_dense_layer_have_twins_too():
    network = Network((2, 7), [Conv1D(3, 3, padding="same"), Flatten(), Dense(4)])
    subject = Subject(network, parameters_of(network))
    look = Look.at(subject, input_of(network))
    for name, before in (("conv1", "input"), ("dense1", "flatten1")):
        told = twin(subject, name)
        found = matrix_of(told) @ look.values[before].ravel() + told["bias"]
        np.testing.assert_allclose(found, look.values[name].ravel(), atol=1e-5)
    assert told.facts["edges"]["kept"] == told.facts["edges"]["shared"] == 84


def test_what_has_no_twin_says_so():
    network = make_network("lecture", (1, 28, 28), 10)
    subject = Subject(network, parameters_of(network))
    with pytest.raises(UsageError, match="'pool1' is a MaxPool2D; the twin is for conv1"):
        twin(subject, "pool1")
    with pytest.raises(UsageError, match="rows 5 to 5: 0 to 16,900 are there"):
        twin(subject, "conv1", (5, 5))
