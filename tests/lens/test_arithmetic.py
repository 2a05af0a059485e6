"""The terms of a cell add up to the engine's number and to PyTorch's, whatever the layer."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from beak.errors import UsageError
from beak.lens.arithmetic import arithmetic
from beak.lens.explanation import Explanation
from beak.lens.rules import FORMULAS, TERMS
from beak.lens.subject import Look, Subject
from beak.network.layers import (
    LAYERS,
    AvgPool2D,
    Conv1D,
    Conv2D,
    Dense,
    Flatten,
    MaxPool1D,
    MaxPool2D,
)
from beak.network.network import Network
from tests.engine.torch_twin import torch_forward, torch_node

TOLERANCE = 1e-5
"""Of the sum of the absolute terms."""

# facts.md's picture of 6x6 and its two filters, as on the lecture's slides
ROWS = ("100001", "010010", "001100", "100010", "010010", "001010")
PICTURE = np.array([[list(map(float, row)) for row in ROWS]], np.float32)
FILTERS = np.array([[[[1, -1, -1], [-1, 1, -1], [-1, -1, 1]]], [[[-1, 1, -1]] * 3]], np.float32)
FIRST = [[3, -1, -3, -1], [-3, 1, 0, -3], [-3, -3, 0, 1], [3, -2, -2, -1]]
SECOND = [[-1, -1, -1, -1], [-1, -1, -2, 1], [-1, -1, -2, 1], [-1, 0, -4, 3]]


def cells(network, each, seed=0):
    random = np.random.default_rng(seed)
    for node in network.nodes:
        for _ in range(each):
            yield node.name, tuple(int(random.integers(size)) for size in node.output)


def torch_values(look):
    parameters = {n: torch.tensor(v) for n, v in look.subject.parameters.items()}
    inputs = torch.tensor(look.inputs)
    with torch.no_grad():
        whole = torch_forward(look.subject.network, parameters, inputs).activations
    for name, value in whole.items():  # rounding of the layers below adds up
        np.testing.assert_allclose(value[0], look.values[name], rtol=1e-3, atol=1e-4)
    return {node.name: torch_number(look, node) for node in look.subject.network.nodes}


def torch_number(look, node):
    """A node's output as PyTorch makes it of what the engine's node read."""
    own = {n: torch.tensor(look.subject.parameters[n]) for n in node.parameters}
    read = [torch.tensor(look.values[name][None]) for name in node.inputs]
    with torch.no_grad():
        return torch_node(node, own, read)[0].numpy()


def assert_adds_up(look, node, index, theirs=None):
    told = arithmetic(look, node, index)
    facts = told.facts
    if facts["how"] == "product":
        total = told["input"].prod()
    else:
        total = told["product"].sum() + sum(c["value"] for c in facts["constants"])
    assert total == pytest.approx(facts["sum"], rel=1e-12, abs=1e-12)
    assert abs(facts["value"] - look.values[node][index]) <= TOLERANCE * facts["scale"]
    if theirs is not None:
        assert abs(facts["value"] - float(theirs[node][index])) <= TOLERANCE * facts["scale"]
    return told


def test_every_layer_of_the_catalogue_has_its_arithmetic():
    assert LAYERS.keys() <= TERMS.keys()
    assert TERMS.keys() == FORMULAS.keys()


def test_the_networks_here_hold_every_kind_of_layer(networks):
    held = {node.layer.kind for network in networks.values() for node in network.nodes}
    assert held >= LAYERS.keys() - {"Opaque"}  # tests/exchange/test_import_boxes.py


def test_terms_add_up_to_the_engines_number_and_to_pytorchs(look):
    theirs = torch_values(look)
    for node, index in cells(look.subject.network, 12):
        assert_adds_up(look, node, index, theirs)


def test_every_cell_can_be_walked_down_to_the_input(look):
    for node, index in cells(look.subject.network, 2, seed=1):
        while node != "input":
            told = arithmetic(look, node, index)
            inside = np.flatnonzero(told["inside"])
            if not len(inside):  # a window that sees nothing but padding: its bias alone
                assert not told["product"].any()
                break
            term = int(inside[len(inside) // 2])
            source = told.facts["sources"][told["source"][term]]
            node, index = source["name"], tuple(told["index"][term][: len(source["shape"])])
            value = look.values[node][index]
            words = node == "input" and look.inputs.dtype == np.int32
            assert told["input"][term] == (1 if words else value)


def one_filter(stride, pool=True):
    layers = [Conv2D(2, 3, stride=stride, bias=False)]
    return Network((1, 6, 6), [*layers, MaxPool2D(2)] if pool else layers)


def test_one_filter_on_a_picture_of_6x6_as_the_lecture_counts_it():
    look = Look.at(Subject(one_filter(1), {"conv1.weight": FILTERS}), PICTURE)
    told = arithmetic(look, "conv1", (0, 0, 0))
    assert told["product"].tolist() == [1, 0, 0, 0, 1, 0, 0, 0, 1]
    flat = np.ravel_multi_index(tuple(told["index"].T), (1, 6, 6)) + 1
    assert flat.tolist() == [1, 2, 3, 7, 8, 9, 13, 14, 15]
    for number, wanted in enumerate((FIRST, SECOND)):
        found = [
            [arithmetic(look, "conv1", (number, y, x)).facts["value"] for x in range(4)]
            for y in range(4)
        ]
        assert found == wanted
    pooled = [
        [[arithmetic(look, "pool1", (f, y, x)).facts["value"] for x in (0, 1)] for y in (0, 1)]
        for f in (0, 1)
    ]
    assert pooled == [[[3, 0], [3, 1]], [[-1, 1], [0, 3]]]


def test_the_same_with_stride_2():
    look = Look.at(Subject(one_filter(2, pool=False), {"conv1.weight": FILTERS}), PICTURE)
    found = [
        [[arithmetic(look, "conv1", (f, y, x)).facts["value"] for x in (0, 1)] for y in (0, 1)]
        for f in (0, 1)
    ]
    assert found == [[[3, -3], [-3, 0]], [[-1, -1], [-1, -2]]]


def test_a_tie_names_the_first_winner_and_all_who_tied():
    network = Network((1, 2, 2), [MaxPool2D(2)])
    look = Look.at(Subject(network, {}), np.array([[[5, 5], [5, 1]]], np.float32))
    told = arithmetic(look, "pool1", (0, 0, 0))
    assert (told.facts["winner"], told.facts["ties"]) == (0, [0, 1, 2])
    assert told["weight"].tolist() == [1, 0, 0, 0]


def test_a_nan_wins_a_maximum_as_in_the_engine():
    network = Network((1, 2, 2), [MaxPool2D(2)])
    look = Look.at(Subject(network, {}), np.array([[[5, np.nan], [np.inf, 1]]], np.float32))
    told = arithmetic(look, "pool1", (0, 0, 0))
    assert np.isnan(told.facts["value"])
    assert np.isnan(look.values["pool1"]).all()
    assert told.facts["winner"] == 1


def test_a_cell_says_which_pooling_cells_it_stands_under_and_where_it_won(make_look, networks):
    look = make_look(networks["picture"])
    won = 0
    for y in range(6):
        for x in range(5):
            told = arithmetic(look, "conv1", (2, y, x))
            over = {(up["index"], up["weight"]) for up in told.facts["pooled"]}
            for py in range(5):
                for px in range(4):
                    inside = py <= y <= py + 1 and px <= x <= px + 1
                    mine = [weight for index, weight in over if index == (2, py, px)]
                    assert len(mine) == inside
                    won += sum(mine)
    assert won == 5 * 4  # each window has one winner


def test_a_folded_norm_makes_the_same_number(make_look, networks):
    look = make_look(networks["norms"])
    told = arithmetic(look, "norm1", (3, 2, 4))
    folded = told.facts["folded"]
    assert folded["into"] == "conv1"
    assert folded["value"] == pytest.approx(told.facts["value"], abs=1e-5)
    assert told["folded_product"].sum() + folded["bias"] == pytest.approx(folded["value"])
    assert told.facts["value"] == pytest.approx(
        folded["scale"] * told["input"][0] + folded["shift"], abs=1e-6
    )


def test_softmax_tells_all_who_compete(make_look, networks):
    look = make_look(networks["picture"])
    step = arithmetic(look, "dense2", (1,)).facts["activation"]
    assert len(step["all_before"]) == 4
    assert step["powers"][1] / step["sum_of_powers"] == pytest.approx(step["value"])


def test_the_predicting_plans_number_stands_beside_the_direct_one(make_look, networks):
    look = make_look(networks["norms"])
    told = arithmetic(look, "relu1", (0, 1, 1)).facts
    assert told["fast"] == pytest.approx(told["engine"], abs=1e-4)
    assert told["fast_difference"] == told["fast"] - told["engine"]
    assert arithmetic(look, "conv1", (0, 1, 1)).facts["fast"] is None  # folded into its norm


def test_a_cell_that_is_not_there_is_told_which_are(make_look, networks):
    look = make_look(networks["picture"])
    with pytest.raises(UsageError, match="0,0,0 to 5,5,4 are there"):
        arithmetic(look, "conv1", (0, 6, 0))
    with pytest.raises(UsageError, match="did you mean 'conv1'"):
        arithmetic(look, "convv1", (0, 0, 0))
    with pytest.raises(UsageError, match="come from outside"):
        arithmetic(look, "input", (0, 0, 0))


def test_the_explanation_goes_to_json_and_back(make_look, networks):
    told = arithmetic(make_look(networks["norms"]), "norm1", (0, 0, 0))
    there = json.loads(json.dumps(told.to_json(), allow_nan=False))
    back = Explanation.from_json(there)
    assert back.caption == told.caption
    for name, array in told.arrays.items():
        np.testing.assert_array_equal(back[name], array)
        assert back[name].dtype == array.dtype


@st.composite
def windowed(draw):
    """A convolution or pooling of any stride, padding, dilation and groups on a small odd map."""
    axes = draw(st.sampled_from([1, 2]))
    groups = draw(st.integers(1, 3))
    channels = groups * draw(st.integers(1, 2))
    sizes = tuple(draw(st.integers(1, 9)) for _ in range(axes))
    kernel = tuple(draw(st.integers(1, min(3, size))) for size in sizes)
    steps = tuple(draw(st.integers(1, 3)) for _ in range(axes))
    padding = draw(st.sampled_from(["same", "valid", 0]))
    kind = draw(st.sampled_from(["conv", "max", "avg"]))
    one = (lambda pair: pair[0]) if axes == 1 else (lambda pair: pair)
    if kind == "conv":
        dilation = tuple(draw(st.integers(1, 2)) if k == 1 else 1 for k in kernel)
        make = Conv1D if axes == 1 else Conv2D
        filters = groups * draw(st.integers(1, 2))
        layer = make(filters, one(kernel), one(steps), padding, one(dilation), groups)
    elif kind == "avg" and axes == 2:
        layer = AvgPool2D(kernel, steps, padding)
    else:
        layer = (MaxPool1D if axes == 1 else MaxPool2D)(one(kernel), one(steps), padding)
    return Network((channels, *sizes), [layer])


@given(windowed(), st.integers(0, 100))
def test_windows_of_any_kind_add_up(network, seed):
    random = np.random.default_rng(seed)
    inputs = random.integers(-2, 3, network.input).astype(np.float32)  # many ties
    shapes = {name: p.shape for name, p in network.parameters.items()}
    parameters = {n: random.normal(size=s).astype(np.float32) for n, s in shapes.items()}
    look = Look.at(Subject(network, parameters), inputs)
    theirs = torch_values(look)
    for node, index in cells(network, 4, seed):
        told = assert_adds_up(look, node, index, theirs)
        if "ties" in told.facts:
            values = told["input"][told["inside"]]
            assert len(told.facts["ties"]) == (values == values.max()).sum()


@given(st.integers(1, 6), st.integers(1, 5), st.integers(0, 9))
def test_dense_cells_add_up(inputs, units, seed):
    network = Network((inputs, 1, 1), [Flatten(), Dense(units, activation="silu")])
    random = np.random.default_rng(seed)
    shapes = {name: p.shape for name, p in network.parameters.items()}
    parameters = {n: random.normal(size=s).astype(np.float32) for n, s in shapes.items()}
    look = Look.at(Subject(network, parameters), random.normal(size=network.input))
    for node, index in cells(network, 2, seed):
        assert_adds_up(look, node, index)


@pytest.mark.slow
def test_a_sample_of_the_benchmarks_cells_adds_up():
    path = Path(__file__).parents[2] / "benchmarks" / "lens_cells.py"
    spec = importlib.util.spec_from_file_location("lens_cells", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["lens_cells"] = module
    try:
        spec.loader.exec_module(module)
        rows = module.measure(600, every=5)
    finally:
        del sys.modules["lens_cells"]
    assert sum(row["cells"] for row in rows) >= 600
    assert {row["input"] for row in rows} >= {"picture", "sound", "sentence", "go"}
    for row in rows:
        assert max(row["engine"], row["torch"]) <= TOLERANCE, row
