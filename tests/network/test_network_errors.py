"""What a network that does not fit says: which node, what came, what would fit."""

from __future__ import annotations

import pytest

from beak.errors import BeakError, NetworkError, ShapeError
from beak.network.layers import (
    Activation,
    Add,
    AvgPool1D,
    Concat,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GlobalAvgPool,
    MaxPool2D,
    Multiply,
)
from beak.network.network import Network
from beak.network.writers import Parallel, Residual

RGB = (3, 32, 32)

SHAPES = [
    ((28, 28, 1), [Conv2D(25, 3)], r"channels come first: write the input as \(1, 28, 28\)"),
    ((28, 28, 1), [Conv2D(25, 3, padding="same")], r"28 channels of 28x1; channels come first"),
    ((32, 32, 3), [Flatten(), Dense(2)], r"write the input as \(3, 32, 32\)"),
    ((240, 320, 3), [Conv2D(25, 5)], r"write the input as \(3, 240, 320\)"),
    ((28, 28), [Conv2D(25, 3)], r"28x28 came in.*a grey picture is \(1, 28, 28\)"),
    ((1, 28, 28), [Conv1D(25, 3)], "maps need Conv2D"),
    ((1, 28, 28), [AvgPool1D(2)], "maps need AvgPool2D"),
    ((784,), [Conv2D(25, 3)], "784 came in.*must stand before Flatten"),
    (RGB, [Flatten(), MaxPool2D(2)], r"pool1 .*must stand before Flatten"),
    (RGB, [Flatten(), GlobalAvgPool()], "3072 came in"),
    (
        RGB,
        [Conv2D(25, 3), MaxPool2D(2), Dense(10)],
        r"dense1 \(Dense, reads pool1\): 25x15x15 came in.*put Flatten\(\) before it "
        r"\(5625 inputs\) or GlobalAvgPool\(\) \(25 inputs\)",
    ),
    ((1, 8, 8), [Conv2D(25, 9)], "spans 9x9 is larger than its input of 8x8; .*at most 8x8"),
    ((1, 8, 8), [Conv2D(2, 5, dilation=2)], "spans 9x9 is larger"),
    ((1, 8, 8), [Conv2D(25, 11, padding=1)], "input of 10x10 with its padding"),
    ((1, 3, 3), [MaxPool2D(2), MaxPool2D(2)], "pool2 .*a window of at most 1x1"),
    ((25, 8, 8), [Conv2D(50, 3, groups=10)], "the 25 channels .* the 50 filters; 1, 5, 25 would"),
    (RGB, [Conv2D(1, 3), Activation("softmax")], "softmax over one channel .*the 900 places"),
    (RGB, [Flatten(), Dense(1, activation="softmax")], "always 1.*or sigmoid"),
    (
        RGB,
        [Residual([Conv2D(64, 3, stride=2, padding=1)])],
        r"res1.add .*64x16x16 and 3x32x32 came in.*Conv2D\(64, 1, stride=2\) on the second",
    ),
    (
        RGB,
        [Conv2D(3, 3, stride=2), Conv2D(3, 3), Add(inputs=("conv1", "conv2"))],
        "3x15x15 and 3x13x13 came in, inputs of one shape",
    ),
    (RGB, [Parallel(Conv2D(3, 3), Conv2D(3, 1))], '3x30x30 and 3x32x32 .*padding="same"'),
    (
        RGB,
        [GlobalAvgPool(), Dense(4), Multiply(inputs=("input", "dense1"))],
        r"\(3,\) beside 3x32x32",
    ),
    (RGB, [Embedding(10, 4)], "word numbers"),
    ((1, 1000, 1000), [Flatten(), Dense(10**6)], "larger than beak can hold"),
]


@pytest.mark.parametrize(("input", "layers", "says"), SHAPES)
def test_a_layer_that_does_not_fit_says_what_would(input, layers, says):
    with pytest.raises(ShapeError, match=says) as caught:
        Network(input, layers)
    assert "\n" not in str(caught.value)


def test_the_advice_of_a_shortcut_is_good():
    shortcut = [Conv2D(64, 1, stride=2)]
    assert Network(RGB, [Residual([Conv2D(64, 3, stride=2, padding=1)], shortcut)])
    layers = [Conv2D(3, 3, stride=2, padding=1), Conv2D(3, 1, stride=2, inputs="input")]
    assert Network(RGB, [*layers, Add(inputs=("conv1", "conv2"))])


def twice(name):
    return [Conv2D(3, 1, name=name), Conv2D(3, 1, name=name)]


DESCRIPTIONS = [
    (lambda: Network(RGB, twice("a")), "'a' is given twice"),
    (lambda: Network(RGB, [Conv2D(3, 1, inputs="imput")]), "does not exist; did you mean 'input'"),
    (lambda: Network(RGB, [Conv2D(3, 1, name="a", inputs="a")]), "has no loops"),
    (
        lambda: Network(RGB, [Add(name="s", inputs=("input", "late")), Conv2D(3, 1, name="late")]),
        "s reads 'late', which does not stand before it.*no loops",
    ),
    (lambda: Network(RGB, [Add()]), "joins at least 2 inputs, 1 came; name them"),
    (lambda: Network(RGB, [Concat(inputs=("input",))]), "joins at least 2 inputs"),
    (lambda: Network(RGB, [Flatten(inputs=("input", "input"))]), "reads one input, not 2"),
    (
        lambda: Network(RGB, [Conv2D(1, 3), Flatten(inputs="input")]),
        "conv1 leads nowhere: no node reads it",
    ),
    (lambda: Network(RGB, []), "at least one layer"),
    (lambda: Network(RGB, Conv2D(3, 3)), "a Conv2D came; a list of layers was wanted"),
    (lambda: Network(RGB, [Conv2D]), "is no layer"),
    (lambda: Network(RGB, ["Flatten"]), "'Flatten' is no layer"),
    (lambda: Network(RGB, [Residual([])]), "at least one layer in its body"),
    (lambda: Network(RGB, [Parallel(Conv2D(3, 3))]), "at least two branches"),
    (lambda: Network("3,32,32", [Flatten()]), "a shape as"),
    (lambda: Network(28, [Flatten()]), "a shape as"),
    (lambda: Network((10, *RGB), [Flatten()]), "without the batch"),
    (lambda: Network((None, 3), [Flatten()]), "a whole number"),
    (lambda: Network((), [Flatten()]), "without the batch"),
    (lambda: Network((1, 10**6, 10**6), [Flatten()]), "larger than beak can hold"),
    (lambda: Network(RGB, [Flatten(name="a b")]), "'a b' cannot be used"),
    (lambda: Network(RGB, [Flatten(name="input")]), "'input' is the network's own"),
    (lambda: Network(RGB, [Flatten(name="x" * 1000)]), "cannot be used"),
    (lambda: Conv2D(25, 3, activation="rely"), "'rely'; did you mean 'relu'"),
    (lambda: Conv2D(25, 3, activation="linear"), "leave it out"),
    (lambda: Conv2D(25, kernel_size=3), "'kernel_size'; did you mean 'kernel'"),
    (lambda: Conv2D(25, 3, strides=2), "did you mean 'stride'"),
    (lambda: Conv2D(0, 3), "filters=0; a whole number of at least 1"),
    (lambda: Conv2D(True, 3), "filters=True"),
    (lambda: Conv2D(2**40, 3), "filters="),
    (lambda: Conv2D(3, (3, 3, 3)), "one whole number or a pair"),
    (lambda: Conv2D(3, "3"), "one whole number or a pair"),
    (lambda: Conv2D(3, 3, padding="full"), "'valid' or 'same'"),
    (lambda: Conv2D(3, 3, padding=-1), "padding=-1"),
    (lambda: Conv2D(50, 3, groups=3), "groups=3 must divide filters=50; 1, 2, 5, 10, 25, 50"),
    (lambda: Conv2D(3, 3, bias="no"), "true or false"),
    (lambda: MaxPool2D(2, padding=2), "must be less than the window"),
    (lambda: Dropout(50), "rate=50; from 0 to below 1"),
    (lambda: Dropout(float("nan")), "rate=nan"),
    (lambda: Dropout("half"), "no number"),
    (lambda: Embedding(10, 4, padding_index=10), "0 to 9 are"),
    (
        lambda: Network(
            (9,), [Embedding(5, 2), Flatten(), Dense(9), Add(inputs=("dense1", "input"))]
        ),
        "only an Embedding can read",
    ),
    (lambda: Network(RGB, [Flatten()]).node("flaten1"), "did you mean 'flatten1'"),
]


@pytest.mark.parametrize(("make", "says"), DESCRIPTIONS)
def test_a_description_that_is_off_says_what_was_wanted(make, says):
    with pytest.raises(NetworkError, match=says) as caught:
        make()
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def json_of(*nodes):
    return {"format": 1, "input": [1, 28, 28], "nodes": list(nodes)}


CONV = {"kind": "Conv2D", "filters": 3, "kernel": 3}
JSON = [
    ([], "not \\[\\]"),
    ({"format": 1, "input": [1]}, "the field 'nodes' is missing"),
    ({**json_of(CONV), "fromat": 1}, "unknown field 'fromat'; did you mean 'format'"),
    ({**json_of(CONV), "format": 2}, "reads format 1"),
    ({**json_of(CONV), "format": True}, "reads format 1"),
    ({**json_of(CONV), "input": "1,28,28"}, "a list as"),
    ({**json_of(CONV), "input": [1, 28.5, 28]}, "a whole number"),
    ({**json_of(CONV), "nodes": {"a": 1}}, "a list of nodes"),
    (json_of(3), "node 1: 3 is no node"),
    (json_of({"filters": 3}), "'kind' is missing"),
    (json_of({"kind": "Conv2d"}), "unknown layer 'Conv2d'; did you mean 'Conv2D'"),
    (json_of({"kind": "MaxPooling2D"}), "did you mean 'MaxPool2D'"),
    (json_of({"kind": ["x"]}), "unknown layer"),
    (json_of({**CONV, "kernal": 3}), "unknown field 'kernal'; did you mean 'kernel'"),
    (json_of({"kind": "Conv2D", "filters": 3}), "the field 'kernel' is missing"),
    (json_of({**CONV, "name": "a", "filters": -1}), r"node 1 \('a'\): Conv2D: filters=-1"),
    (json_of({**CONV, "kernel": [3, [3]]}), "kernel"),
    (json_of({**CONV, "activation": {"relu": 1}}), "unknown activation"),
    (json_of({**CONV, "name": 3}), "the name 3 cannot be used"),
    (json_of({**CONV, "inputs": []}), "a list of names"),
    (json_of({**CONV, "inputs": [3]}), "a list of names"),
    (json_of({**CONV, "inputs": ["conv9"]}), "does not exist"),
    (json_of({**CONV, "name": "a"}, {**CONV, "name": "a"}), "given twice"),
    (json_of({**CONV, "kernel": "x" * 10**5}), "kernel="),
]


@pytest.mark.parametrize(("data", "says"), JSON)
def test_json_is_read_strictly(data, says):
    with pytest.raises(NetworkError, match=says) as caught:
        Network.from_json(data)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_an_error_about_a_network_is_a_wrong_call():
    with pytest.raises(BeakError) as caught:
        Network(RGB, [Dense(3)])
    assert caught.value.exit_code == 2
