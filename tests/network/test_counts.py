"""Shapes, parameters, multiply-adds, receptive fields and dense twins: the facts' own numbers."""

from __future__ import annotations

import json

import pytest

from beak.network.catalogue import make_network
from beak.network.layers import (
    Activation,
    Add,
    AvgPool1D,
    BatchNorm,
    Conv1D,
    Conv2D,
    Dense,
    Embedding,
    Flatten,
    GlobalAvgPool,
    LayerNorm,
    MaxPool2D,
    Multiply,
    PositionBias,
)
from beak.network.network import Network
from beak.network.summary import summarise
from beak.network.writers import Residual

LECTURE = summarise(make_network("lecture", (1, 28, 28), 10))


def column(summary, field):
    return [getattr(row, field) for row in summary.rows]


def test_the_lectures_shapes():
    assert column(LECTURE, "output") == [
        (25, 26, 26),
        (25, 13, 13),
        (50, 11, 11),
        (50, 5, 5),
        (1250,),
        (100,),
        (10,),
    ]


def test_the_lectures_parameters_are_137660():
    assert column(LECTURE, "parameters") == [250, 0, 11_300, 0, 0, 125_100, 1_010]
    assert LECTURE.parameters == 137_660


def test_the_lectures_multiply_adds_are_1639350():
    assert column(LECTURE, "multiply_adds") == [152_100, 0, 1_361_250, 0, 0, 125_000, 1_000]
    assert LECTURE.multiply_adds == 1_639_350


def test_the_lectures_receptive_fields_are_3_4_8_10_and_its_jumps_1_2_2_4():
    assert column(LECTURE, "receptive_field")[:4] == [(3, 3), (4, 4), (8, 8), (10, 10)]
    assert column(LECTURE, "jump")[:4] == [(1, 1), (2, 2), (2, 2), (4, 4)]


def test_the_lectures_dense_layer_misses_the_last_two_rows_that_pooling_drops():
    assert LECTURE.rows[5].receptive_field == (26, 26)


def test_the_lectures_dense_twins():
    twins = column(LECTURE, "dense_parameters")
    assert twins == [13_266_500, 0, 25_567_300, 0, 0, 125_100, 1_010]
    assert LECTURE.rows[0].times_smaller == pytest.approx(53_066)
    assert LECTURE.rows[2].times_smaller == pytest.approx(2_262.59, abs=0.01)
    assert [LECTURE.rows[i].times_smaller for i in (1, 4, 5)] == [None] * 3
    assert LECTURE.dense_parameters == 13_266_500 + 25_567_300 + 125_100 + 1_010
    assert LECTURE.times_smaller == pytest.approx(38_959_910 / 137_660)


def test_the_json_is_as_the_issue_prints_it():
    data = json.loads(json.dumps(LECTURE.to_json()))
    assert list(data) == ["input", "layers", "parameters", "multiply_adds"]
    assert data["layers"][0] == {
        "name": "conv1",
        "kind": "Conv2D",
        "output": [25, 26, 26],
        "parameters": 250,
        "multiply_adds": 152_100,
        "receptive_field": [3, 3],
        "dense_parameters": 13_266_500,
    }
    assert (data["input"], data["parameters"], data["multiply_adds"]) == (
        [1, 28, 28],
        137_660,
        1_639_350,
    )


def alphago(filters):
    """AlphaGo's policy network (Silver et al. 2016), as the facts describe it."""
    hidden = [Conv2D(filters, 3, padding="same", activation="relu") for _ in range(11)]
    last = [Conv2D(1, 1, bias=False), PositionBias(), Flatten(), Activation("softmax")]
    first = Conv2D(filters, 5, padding="same", activation="relu")
    return Network((48, 19, 19), [first, *hidden, *last])


@pytest.mark.parametrize(
    ("filters", "parameters", "multiply_adds"),
    [(128, 1_777_641, 0.641e9), (192, 3_882_793, 1.4007e9), (256, 6_798_953, 2.453e9)],
)
def test_alphagos_counts(filters, parameters, multiply_adds):
    network = alphago(filters)
    assert network.parameter_count == parameters
    assert network.multiply_adds == pytest.approx(multiply_adds, rel=1e-3)
    assert network.output == (361,)
    assert network.classifies


def test_alphagos_field_of_27_reaches_beyond_the_board():
    rows = {row.name: row for row in summarise(alphago(128)).rows}
    assert rows["conv12"].receptive_field == (27, 27)
    assert rows["softmax1"].receptive_field == (19, 19)


def test_cnn_trad_fpool3_of_sainath_and_parada():
    layers = [
        Conv2D(64, (20, 8), bias=False, name="first"),
        MaxPool2D((1, 3)),
        Conv2D(64, (10, 4), bias=False, name="second"),
        Flatten(),
        Dense(32, bias=False),
        Dense(128, bias=False, activation="relu"),
        Dense(4, bias=False, activation="softmax"),
    ]
    network = Network((1, 32, 40), layers)
    parameters = [node.parameter_count for node in network.nodes if node.parameter_count]
    assert parameters == [10_240, 163_840, 65_536, 4_096, 512]
    assert network.parameter_count == 244_224
    # the paper counts 4,392,960 for the first: 13 x 33 places of 20 x 8 taps and 64 filters
    assert network.node("first").multiply_adds == 4_392_960
    assert network.node("second").multiply_adds == 5_242_880


def test_a_convolution_without_bias_has_a_twin_without_bias():
    network = Network((2, 4, 4), [Conv2D(3, 3, bias=False), Conv2D(3, 1, groups=3)])
    first, second = summarise(network).rows
    assert first.dense_parameters == 32 * 12
    assert second.dense_parameters == 12 * 12 + 12
    assert second.parameters == 3 + 3
    assert second.multiply_adds == 12


def test_running_statistics_are_not_counted_but_are_parameters():
    network = Network((3, 4, 4), [BatchNorm()])
    assert network.parameter_count == 6
    assert [p.trainable for p in network.parameters.values()] == [True, True, False, False]


def test_only_weights_of_convolutions_dense_layers_and_embeddings_decay():
    layers = [Embedding(9, 4), Conv1D(4, 3), BatchNorm(), LayerNorm(), PositionBias(), Flatten()]
    network = Network((5,), [*layers, Dense(2)])
    decaying = [name for name, p in network.parameters.items() if p.decay]
    assert decaying == ["embedding1.weight", "conv1.weight", "dense1.weight"]


def test_parameter_shapes_are_filters_first():
    layers = [Conv1D(6, 3, groups=2, name="a"), Flatten(), Dense(5, name="b")]
    network = Network((4, 9), layers)
    shapes = {name: p.shape for name, p in network.parameters.items()}
    assert shapes == {"a.weight": (6, 2, 3), "a.bias": (6,), "b.weight": (5, 42), "b.bias": (5,)}
    assert (network.parameters["a.weight"].fan_in, network.parameters["a.weight"].fan_out) == (6, 9)


def test_a_position_bias_has_one_number_for_each_place():
    for shape, bias in (((3, 4, 5), (4, 5)), ((3, 7), (7,)), ((6,), (6,))):
        network = Network(shape, [PositionBias()])
        assert network.parameters["position_bias1.bias"].shape == bias


def test_sequences_have_fields_along_one_axis():
    layers = [Embedding(100, 8), Conv1D(4, 5, dilation=2), AvgPool1D(2), Conv1D(4, 3)]
    rows = summarise(Network((40,), [*layers, GlobalAvgPool()])).rows
    fields = [row.receptive_field for row in rows]
    assert fields == [(1,), (9,), (10,), (14,), (40,)]


def test_a_row_of_numbers_has_no_field():
    assert summarise(Network((5,), [Dense(3)])).rows[0].receptive_field == ()


def test_a_shortcut_does_not_widen_what_the_body_sees():
    layers = [Residual([Conv2D(1, 3, padding=1), Conv2D(1, 3, padding=1)])]
    rows = {row.name: row for row in summarise(Network((1, 9, 9), layers)).rows}
    assert rows["res1.add"].receptive_field == (5, 5)


def test_squeeze_and_excite_sees_the_whole_map():
    layers = [
        Conv2D(4, 3, padding=1, name="map"),
        GlobalAvgPool(),
        Dense(4, activation="sigmoid", name="scale"),
        Multiply(inputs=("map", "scale")),
    ]
    network = Network((1, 9, 9), layers)
    assert network.output == (4, 9, 9)
    assert summarise(network).rows[-1].receptive_field == (10, 10)


def test_add_takes_the_same_input_twice():
    assert Network((3,), [Add(inputs=("input", "input"))]).output == (3,)
