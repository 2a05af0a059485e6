"""Activations, filters, looking for, patches, forgiving, and how alike: each a claim."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beak.errors import UsageError
from beak.lens.activations import activations
from beak.lens.alike import alike
from beak.lens.explanation import Explanation
from beak.lens.filters import filters
from beak.lens.forgives import forgives
from beak.lens.looks_for import looks_for
from beak.lens.patches import strongest_patches
from beak.lens.subject import Look, Subject
from beak.network.layers import (
    Activation,
    BatchNorm,
    Conv1D,
    Conv2D,
    Dense,
    Embedding,
    Flatten,
    GlobalMaxPool,
    MaxPool2D,
)
from beak.network.network import Network
from tests.lens.conftest import NETWORKS, input_of, look_at, parameters_of


def batch_for(network, count, seed=0):
    return np.stack([input_of(network, seed + i) for i in range(count)])


def test_activations_hold_every_layer(look):
    told = activations(look)
    assert list(told.arrays) == ["input", *(node.name for node in look.subject.network.nodes)]
    for row in told.facts["layers"]:
        assert row["shape"] == told[row["name"]].shape
        assert row["fast_difference"] is None or row["fast_difference"] < 1e-4
    json.dumps(told.to_json(), allow_nan=False)
    with pytest.raises(UsageError, match="no layer"):
        activations(look, "nothing")


def test_filters_of_every_layer_that_has_some(look):
    subject = look.subject
    for node in subject.network.nodes:
        if node.parameters:
            told = filters(subject, node.name)
            assert told.facts["parameters"].keys() == {
                name.rpartition(".")[2] for name in node.parameters
            }
        else:
            with pytest.raises(UsageError, match="has no weights; these have"):
                filters(subject, node.name)
    assert filters(subject).facts["layer"]


def test_a_dense_layers_weights_lie_on_the_maps_before_it():
    network = NETWORKS["picture"]
    subject = Subject(network, parameters_of(network))
    told = filters(subject, "dense1")
    assert told["weight"].shape == (7, *network.node("flatten1").input_shapes[0])
    flat = told["weight"].reshape(7, -1)
    np.testing.assert_array_equal(flat, subject.parameters["dense1.weight"])


@pytest.mark.parametrize("name", ["picture", "go", "sequence", "sentence", "sums"])
def test_going_uphill_raises_every_score(name):
    network = NETWORKS[name]
    subject = Subject(network, parameters_of(network))
    for layer in (None, network.nodes[1].name):
        told = looks_for(subject, layer, steps=15)
        assert (told["score"][:, 1] >= told["score"][:, 0]).all()
        assert (told["score"][:, 1] > told["score"][:, 0]).mean() > 0.6
    again = looks_for(subject, layer, steps=15)
    np.testing.assert_array_equal(told["input"], again["input"])
    other = looks_for(subject, layer, steps=15, seed=1)
    assert not np.array_equal(told["input"], other["input"])


def test_a_unit_whose_relu_is_closed_is_excited_all_the_same():
    network = Network((1, 5, 5), [Conv2D(2, 3, activation="relu"), Flatten(), Dense(2)])
    parameters = parameters_of(network)
    parameters["conv1.bias"][:] = -3
    told = looks_for(Subject(network, parameters), "conv1", steps=80)
    assert (told["score"][:, 0] == 0).all()
    assert told["score"][:, 1].min() > 0


def test_what_an_answer_looks_for_with_l1_is_sparse_and_within_bounds():
    network = NETWORKS["picture"]
    low, high = np.array([-1, -0.5, -0.4]), np.array([2, 1.5, 1.0])
    subject = Subject(network, parameters_of(network), bounds=(low, high))
    plain, sparse = (looks_for(subject, l1=l1, steps=40)["input"] for l1 in (0.0, 1.0))
    nothing = np.broadcast_to(low[:, None, None].astype(np.float32), plain.shape)
    assert (sparse == nothing).mean() > (plain == nothing).mean() + 0.05
    for points in (plain, sparse):
        assert (points >= nothing - 1e-6).all()
        assert (points <= high[:, None, None] + 1e-6).all()


def test_what_a_word_filter_looks_for_is_told_as_words():
    network = Network((3,), [Embedding(6, 4, 0), Conv1D(1, 3, bias=False), GlobalMaxPool()])
    table = np.vstack([np.zeros(4), np.eye(4), np.ones(4) * 0.5]).astype(np.float32)
    weight = np.zeros((1, 4, 3), np.float32)
    weight[0, 2, 0] = weight[0, 0, 1] = weight[0, 3, 2] = 1  # the words 3, 1 and 4
    subject = Subject(network, {"embedding1.weight": table, "conv1.weight": weight})
    told = looks_for(subject, "conv1", steps=60)
    assert told["word"][0].tolist() == [3, 1, 4]


def test_units_that_are_not_there_are_refused():
    network = NETWORKS["picture"]
    subject = Subject(network, parameters_of(network))
    with pytest.raises(UsageError, match="0 to 5 are there"):
        looks_for(subject, "conv1", [6])
    with pytest.raises(UsageError, match="1 to 256"):
        looks_for(subject, "conv1", [])


def brute_force(subject, inputs, layer, k):
    maps = subject.engine.activations(inputs)[layer]
    largest = maps.reshape(*maps.shape[:2], -1).max(2)
    order = np.argsort(-largest, axis=0, kind="stable")[:k].T
    return order, np.take_along_axis(largest.T, order, 1)


@pytest.mark.parametrize("name", ["picture", "norms", "sequence", "sentence"])
def test_the_strongest_patches_are_those_of_a_search_through_all(name):
    network = NETWORKS[name]
    subject = Subject(network, parameters_of(network))
    inputs = batch_for(network, 40)
    told = strongest_patches(subject, lambda n: inputs[n], 40, k=5)
    layers = [n.name for n in network.nodes if n.layer.kind.startswith("Conv")]
    assert [row["layer"] for row in told.facts["layers"]] == layers
    maps = subject.engine.activations(inputs)
    for layer in layers:
        example, value = brute_force(subject, inputs, layer, 5)
        np.testing.assert_allclose(told[f"{layer}.value"], value, atol=1e-5)
        distinct = np.abs(np.diff(value)).min(1) > 1e-4
        np.testing.assert_array_equal(told[f"{layer}.example"][distinct], example[distinct])
        place = told[f"{layer}.place"]
        for unit, rank in np.ndindex(value.shape):
            number = told[f"{layer}.example"][unit, rank]
            at = (number, unit, *place[unit, rank])
            assert maps[layer][at] == pytest.approx(told[f"{layer}.value"][unit, rank], abs=1e-5)


def test_a_patch_alone_excites_its_filter_as_much():
    network = Network((1, 9, 9), [Conv2D(3, 3), MaxPool2D(2), Conv2D(2, 2)])
    subject = Subject(network, parameters_of(network))
    inputs = batch_for(network, 20)
    told = strongest_patches(subject, lambda n: inputs[n], 20, ["conv2"], k=3)
    assert told["conv2.patch"].shape == (2, 3, 1, 6, 6)
    small = Network((1, 6, 6), [Conv2D(3, 3), MaxPool2D(2), Conv2D(2, 2)])
    alone = Subject(small, subject.parameters).engine
    for unit, rank in np.ndindex(2, 3):
        box = told["conv2.box"][unit, rank]
        number = told["conv2.example"][unit, rank]
        cut = inputs[number][:, slice(*box[0]), slice(*box[1])]
        np.testing.assert_array_equal(told["conv2.patch"][unit, rank], cut)
        value = alone.forward(cut[None])[0, unit].max()
        assert value == pytest.approx(told["conv2.value"][unit, rank], abs=1e-5)


def test_patches_at_the_edge_end_in_nothing():
    network = Network((1, 5, 5), [Conv2D(1, 3, padding=1, bias=False)])
    weight = np.ones((1, 1, 3, 3), np.float32)
    picture = np.zeros((1, 1, 5, 5), np.float32)
    picture[0, 0, 0, 0] = 1
    picture[0, 0, 4, 4] = 5
    subject = Subject(network, {"conv1.weight": weight})
    told = strongest_patches(subject, lambda n: picture[n], 1, k=2)
    assert told["conv1.example"].tolist() == [[0, -1]]
    assert told["conv1.box"][0, 0].tolist() == [[2, 5], [2, 5]]
    last = strongest_patches(subject, lambda n: picture[n][:, :, ::-1, ::-1], 1, k=1)
    assert last["conv1.place"][0, 0].tolist() == [0, 0]
    patch = last["conv1.patch"][0, 0, 0]
    assert np.isnan(patch[0]).all()
    assert np.isnan(patch[:, 0]).all()
    assert patch[1, 1] == 5


def test_dense_units_have_strongest_examples():
    network = NETWORKS["picture"]
    subject = Subject(network, parameters_of(network))
    inputs = batch_for(network, 12)
    told = strongest_patches(subject, lambda n: inputs[n], 12, ["dense1"], k=2)
    answers = subject.engine.activations(inputs)["dense1"]
    np.testing.assert_array_equal(told["dense1.example"][:, 0], answers.argmax(0))


@given(st.integers(1, 120), st.integers(1, 4), st.booleans())
def test_patches_do_not_depend_on_how_examples_are_dealt_out(count, k, ties):
    network = Network((1, 1, 2), [Conv2D(2, 1, bias=False)])
    subject = Subject(network, {"conv1.weight": np.array([[[[1]]], [[[-1]]]], np.float32)})
    random = np.random.default_rng(count)
    shape = count, 1, 1, 2
    values = random.integers(0, 9, shape) if ties else random.normal(size=shape)
    values = values.astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("beak.lens.patches.BATCH", 16)
        told = strongest_patches(subject, lambda n: values[n], count, k=k)
    for unit, sign in enumerate((1, -1)):
        largest = (sign * values).max((1, 2, 3))
        wanted = np.argsort(-largest, kind="stable")[:k]
        assert told["conv1.example"][unit][: len(wanted)].tolist() == wanted.tolist()


def test_pooling_forgives_a_shift_that_a_dense_layer_does_not():
    pooled = Network((1, 12, 12), [Conv2D(1, 3, bias=False), GlobalMaxPool()])
    dense = Network((1, 12, 12), [Flatten(), Dense(1, bias=False)])
    picture = np.zeros((1, 12, 12), np.float32)
    picture[0, 5:8, 4:7] = np.random.default_rng(0).normal(size=(3, 3))
    for network, wanted in ((pooled, True), (dense, False)):
        told = forgives(Look.at(Subject(network, parameters_of(network)), picture))
        assert (told["change"][-1].max() < 1e-6) == wanted
        assert told["change"][0].min() > 0.3


def test_forgiving_tells_every_layer(look):
    kind = look.subject.network.nodes[0].layer.kind
    if look.inputs.ndim == 2 and kind not in ("Embedding", "LogMel"):
        with pytest.raises(UsageError, match="without places"):
            forgives(look)
        return
    told = forgives(look)
    rows = len(look.subject.network.nodes) + (look.inputs.dtype == np.float32)
    ways = 2 if look.inputs.ndim <= 3 else 4
    assert told["change"].shape == (rows, ways)
    assert told["answers"].shape == (ways + 1, look.subject.answers)
    with pytest.raises(UsageError, match="leaves nothing"):
        forgives(look, 1000)


def test_the_dead_and_the_alike_are_found():
    network = Network((1, 5, 5), [Conv2D(4, 3, activation="relu"), Flatten(), Dense(2)])
    parameters = parameters_of(network)
    parameters["conv1.bias"][2] = -100
    parameters["conv1.weight"][3] = 2 * parameters["conv1.weight"][0]
    subject = Subject(network, parameters)
    inputs = batch_for(network, 30)
    row = alike(subject, lambda n: inputs[n], 30).facts["layers"][0]
    assert row["dead"].tolist() == [2]
    assert row["alike"] == [(0, 3)]


def test_dead_behind_a_norm_counts_too():
    network = Network((1, 5, 5), [Conv2D(3, 3), BatchNorm(), Activation("relu"), Flatten()])
    parameters = parameters_of(network)
    parameters["norm1.bias"][1] = -100
    inputs = batch_for(network, 10)
    row = alike(Subject(network, parameters), lambda n: inputs[n], 10).facts["layers"][0]
    assert row["dead"].tolist() == [1]


def test_saturation_is_the_share_at_the_ends():
    network = Network((1, 2, 2), [Flatten(), Dense(2, activation="tanh")])
    weight = np.array([[100, 0, 0, 0], [0, 0.01, 0, 0]], np.float32)
    subject = Subject(network, {"dense1.weight": weight, "dense1.bias": np.zeros(2, np.float32)})
    inputs = batch_for(network, 50)
    told = alike(subject, lambda n: inputs[n], 50)
    assert told["dense1.saturated"][0] > 0.9
    assert told["dense1.saturated"][1] == 0


def test_a_filter_that_decides_is_missed_and_an_idle_one_is_not():
    network = Network((1, 4, 4), [Conv2D(3, 1, activation="relu"), GlobalMaxPool(), Dense(2)])
    parameters = {
        "conv1.weight": np.array([1, -1, 0.5], np.float32).reshape(3, 1, 1, 1),
        "conv1.bias": np.zeros(3, np.float32),
        "dense1.weight": np.array([[1, 0, 0], [0, 1, 0]], np.float32),
        "dense1.bias": np.zeros(2, np.float32),
    }
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, 60)
    size = random.uniform(0.5, 2, (60, 1, 1, 1))
    inputs = (np.where(labels == 0, 1, -1).reshape(-1, 1, 1, 1) * size).astype(np.float32)
    inputs = np.broadcast_to(inputs, (60, 1, 4, 4)).copy()
    subject = Subject(network, parameters)
    told = alike(subject, lambda n: inputs[n], 60, labels)
    assert told.facts["accuracy"] == 1
    without = told["conv1.without"]
    assert without[1] < 0.7  # ties go to the first answer
    assert without[2] == 1
    assert told.facts["layers"][0]["most_missed"]["unit"] == 1


def test_an_array_that_is_not_there_is_told_with_the_nearest():
    told = Explanation("x", "y", {"heat": np.zeros(1)})
    with pytest.raises(UsageError, match="did you mean 'heat'"):
        told["heet"]


@given(st.lists(st.floats(width=32), max_size=8))
def test_float32_goes_to_json_and_back_whole(values):
    array = np.array(values, np.float32)
    told = json.loads(json.dumps(Explanation("x", "y", {"a": array}).to_json(), allow_nan=False))
    np.testing.assert_array_equal(Explanation.from_json(told)["a"], array)
    packed = json.loads(json.dumps(Explanation("x", "y", {"a": array}).to_json(packed=True)))
    np.testing.assert_array_equal(Explanation.from_json(packed)["a"], array)


def test_looks_are_of_one_input():
    assert look_at(NETWORKS["go"]).outputs.shape == (81,)
    with pytest.raises(ValueError, match="one of \\(4, 9, 9\\) was wanted"):
        Look.at(look_at(NETWORKS["go"]).subject, np.zeros((2, 4, 9, 9)))
