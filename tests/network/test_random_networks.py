"""Networks drawn by hypothesis: JSON there and back, shapes and fields against PyTorch."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from beak.errors import BeakError, ShapeError
from beak.network.layers import (
    ACTIVATIONS,
    LAYERS,
    Activation,
    Add,
    AvgPool1D,
    AvgPool2D,
    BatchNorm,
    Concat,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool,
    LayerNorm,
    MaxPool1D,
    MaxPool2D,
    Pad,
    PositionBias,
    Reshape,
    Upsample,
)
from beak.network.network import Network
from beak.network.summary import summarise
from beak.network.writers import Parallel, Residual

calm = settings(deadline=None, suppress_health_check=list(HealthCheck))


def of(kind, **fields):
    return st.builds(kind, **fields)


def windows(axes, least=1, most=4):
    number = st.integers(least, most)
    return number if axes == 1 else st.one_of(number, st.tuples(number, number))


def convolutions(axes):
    kind = Conv1D if axes == 1 else Conv2D
    return of(
        kind,
        filters=st.integers(1, 6),
        kernel=windows(axes),
        stride=windows(axes, most=3),
        padding=st.one_of(st.sampled_from(["valid", "same"]), windows(axes, least=0, most=3)),
        dilation=windows(axes, most=2),
        bias=st.booleans(),
        activation=st.sampled_from([None, "relu", "tanh"]),
    )


def poolings(axes):
    kinds = (MaxPool1D, AvgPool1D) if axes == 1 else (MaxPool2D, AvgPool2D)
    fields = {
        "window": windows(axes),
        "stride": st.one_of(st.none(), windows(axes, most=3)),
        "padding": st.sampled_from(["valid", "same", 0]),
    }
    return st.one_of(of(kinds[0], **fields), of(kinds[1], **fields))


def keeping():
    """Layers that keep the shape of whatever comes in."""
    return st.one_of(
        st.just(BatchNorm()),
        st.just(LayerNorm()),
        st.just(PositionBias()),
        of(Dropout, rate=st.floats(0, 0.9)),
        of(Activation, function=st.sampled_from([a for a in ACTIVATIONS if a != "softmax"])),
    )


def moves(axes):
    """Layers that add and cut edges, upsample and reshape."""
    numbers = windows(axes, least=-2, most=3)
    shape = st.lists(st.sampled_from([2, 4, 6, 8]), min_size=1, max_size=3)
    return st.one_of(
        of(Pad, before=numbers, after=numbers),
        of(Upsample, factor=windows(axes, most=3), how=st.sampled_from(["nearest", "bilinear"])),
        of(Reshape, shape=shape.map(tuple), last=st.booleans()),
    )


def bodies(axes):
    plain = st.one_of(convolutions(axes), poolings(axes), keeping(), moves(axes))
    blocks = st.one_of(
        st.lists(keeping(), min_size=1, max_size=2).map(lambda body: Residual(body)),
        st.lists(plain, min_size=1, max_size=2).map(lambda body: Parallel(body, body)),
    )
    return st.lists(st.one_of(plain, plain, blocks), min_size=1, max_size=5)


HEADS = st.sampled_from(
    [[], [Flatten()], [GlobalAvgPool(), Dense(3)], [Flatten(), Dense(4, activation="softmax")]]
)


@st.composite
def networks(draw):
    axes = draw(st.sampled_from([1, 2]))
    shape = (draw(st.integers(1, 4)), *(draw(st.integers(4, 14)) for _ in range(axes)))
    try:
        return Network(shape, [*draw(bodies(axes)), *draw(HEADS)])
    except ShapeError:
        assume(False)


@calm
@given(networks())
def test_json_there_and_back_gives_an_equal_network(network):
    text = json.dumps(network.to_json(), allow_nan=False)
    back = Network.from_json(json.loads(text))
    assert back == network
    assert back.nodes == network.nodes
    assert back.parameters == network.parameters
    assert json.dumps(back.to_json()) == text


@calm
@given(networks())
def test_sums_are_the_sums_of_the_rows(network):
    summary = summarise(network)
    assert summary.parameters == sum(row.parameters for row in summary.rows)
    assert summary.multiply_adds == sum(row.multiply_adds for row in summary.rows)
    assert all(row.dense_parameters >= 0 for row in summary.rows)
    json.dumps(summary.to_json())


VALUES = st.one_of(st.none(), st.booleans(), st.integers(-3, 300), st.floats(), st.text(max_size=3))
FIELDS = sorted({name for layer in LAYERS.values() for name in layer.__dataclass_fields__})


@calm
@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["kind", *FIELDS]), st.one_of(VALUES, st.sampled_from(sorted(LAYERS)))
        ),
        max_size=3,
    ),
    st.lists(st.one_of(VALUES, st.integers(1, 9)), max_size=4),
)
def test_whatever_stands_in_json_is_a_network_or_one_line(nodes, shape):
    network, says = None, ""
    try:
        network = Network.from_json({"format": 1, "input": shape, "nodes": nodes})
    except BeakError as error:
        says = str(error)
    assert "\n" not in says
    assert network is None or Network.from_json(network.to_json()) == network


def torch_layer(torch, layer, shape):
    """The same layer in PyTorch, padding apart, which is put on before it."""
    geometry = layer.geometry(shape)
    nn, axes = torch.nn, len(geometry.kernel)
    if "Conv" in layer.kind:
        conv = nn.Conv1d if axes == 1 else nn.Conv2d
        return conv(
            shape[0],
            layer.filters,
            geometry.kernel,
            geometry.stride,
            0,
            geometry.dilation,
            layer.groups,
            layer.bias,
        )
    pool = {1: (nn.MaxPool1d, nn.AvgPool1d), 2: (nn.MaxPool2d, nn.AvgPool2d)}[axes]
    return pool["Avg" in layer.kind](geometry.kernel, geometry.stride)


@calm
@given(st.data())
def test_windows_give_pytorchs_shapes_and_parameters(data):
    torch = pytest.importorskip("torch")
    axes = data.draw(st.sampled_from([1, 2]))
    shape = (data.draw(st.integers(1, 5)), *(data.draw(st.integers(3, 15)) for _ in range(axes)))
    layer = data.draw(st.one_of(convolutions(axes), poolings(axes)))
    try:
        node = Network(shape, [layer]).nodes[0]
    except ShapeError:
        assert min(layer.geometry(shape).outputs) < 1
        return
    with torch.device("meta"):
        twin = torch_layer(torch, layer, shape)
        pads = [side for pair in reversed(layer.geometry(shape).padding) for side in pair]
        answer = twin(torch.nn.functional.pad(torch.empty((1, *shape)), pads))
    assert tuple(answer.shape[1:]) == node.output
    assert sum(p.numel() for p in twin.parameters()) == node.parameter_count
    theirs = {f"{node.name}.{name}": tuple(p.shape) for name, p in twin.named_parameters()}
    assert theirs == {name: p.shape for name, p in node.parameters.items()}


@calm
@given(st.data())
def test_a_receptive_field_is_where_the_gradient_is_not_zero(data):
    torch = pytest.importorskip("torch")
    window = {"kernel": st.integers(1, 4), "stride": st.integers(1, 3)}
    convs = of(Conv1D, filters=st.just(1), dilation=st.integers(1, 2), **window)
    pools = of(AvgPool1D, window=window["kernel"], stride=window["stride"])
    layers = data.draw(st.lists(st.one_of(convs, pools), min_size=1, max_size=4))
    length = 300  # four windows that reach 7 at stride 3 see 241
    network = Network((1, length), layers)
    x = torch.zeros((1, 1, length), requires_grad=True)
    values = x
    for node in network.nodes:
        twin = torch_layer(torch, node.layer, node.input_shapes[0])
        for parameter in twin.parameters():
            torch.nn.init.ones_(parameter)
        values = twin(values)
    row = summarise(network).rows[-1]
    place = network.output[1] - 1
    (gradient,) = torch.autograd.grad(values[0, 0, place], x)
    seen = gradient[0, 0].nonzero()[:, 0].tolist()
    assert min(seen) == place * row.jump[0]
    assert max(seen) - min(seen) + 1 == row.receptive_field[0]


def test_add_and_concat_of_the_same_maps():
    layers = [
        Conv2D(3, 1, name="a"),
        Conv2D(3, 3, padding="same", inputs="input", name="b"),
        Add(inputs=("a", "b")),
        Concat(inputs=("add1", "a", "b", "input")),
    ]
    network = Network((2, 5, 6), layers)
    assert network.output == (11, 5, 6)
    assert Network.from_json(network.to_json()) == network
