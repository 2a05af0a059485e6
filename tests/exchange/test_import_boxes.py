"""Operators that beak has no layer for: boxes whose values pass, named as such."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from beak.engine.boxed import BoxedEngine, regions
from beak.engine.interface import Loss, Optimiser
from beak.engine.make import make_engine
from beak.engine.onnx_running import Operator, onnx_session
from beak.errors import NetworkError, RunError, ShapeError, UsageError
from beak.exchange.export import export
from beak.exchange.import_run import import_network
from beak.exchange.importing import compared, read_network
from beak.lens.arithmetic import arithmetic
from beak.lens.moved import moved
from beak.lens.subject import Look, Subject
from beak.network.layers import Opaque
from beak.network.network import Network
from beak.train.prepare import choose
from tests.exchange.onnx_elsewhere import Elsewhere


def const(g, *values, kind=np.float32):
    return g.constant(np.array(values, kind))


BOXES = {
    "LRN": lambda g, x: g("LRN", x, size=3),
    "Elu": lambda g, x: g("Elu", x, alpha=0.5),
    "Softplus": lambda g, x: g("Softplus", x),
    "InstanceNormalization": lambda g, x: g("InstanceNormalization", x, g.weight(4), g.weight(4)),
    "GroupNormalization": lambda g, x: g(
        "GroupNormalization", x, g.weight(4), g.weight(4), num_groups=2
    ),
    "ConvTranspose": lambda g, x: g(
        "ConvTranspose", x, g.weight(4, 4, 2, 2), g.weight(4), strides=[2, 2]
    ),
    "Resize": lambda g, x: g("Resize", x, "", const(g, 1, 1, 2, 2), mode="cubic"),
    "Softmax": lambda g, x: g("Softmax", x, axis=3),
    "MaxPool": lambda g, x: g("MaxPool", x, kernel_shape=[2, 2], dilations=[2, 2]),
    "Div": lambda g, x: g("Div", x, g("Add", g("Abs", x), const(g, 1))),
    "Elu in last": lambda g, x: g(
        "Transpose", g("LRN", g("Transpose", x, perm=[0, 2, 3, 1]), size=3), perm=[0, 3, 1, 2]
    ),
    "on points": lambda g, x: g("Mul", g("Elu", g("GlobalAveragePool", x)), x),
}


def made(build, shape=(3, 10, 12), opset=21):
    """A small network with something in its middle, as a file's bytes."""
    g = Elsewhere(shape)
    x = build(g, g("Relu", g.conv("input", shape[0], 4, 3, pads=[1] * 4)))
    x = g("Relu", g.conv(x, 4, 5, 3))
    return g.model(g.gemm(g("Flatten", g("GlobalAveragePool", x)), 5, 3), opset=opset)


def saved(folder, raw):
    path = folder / "net.onnx"
    path.write_bytes(raw)
    return path


@pytest.mark.parametrize("name", BOXES)
def test_an_operator_without_a_layer_is_a_box_that_gives_what_onnx_gives(tmp_path, name):
    found = read_network(saved(tmp_path, made(BOXES[name])))
    (box,) = [node for node in found.network.nodes if isinstance(node.layer, Opaque)]
    assert compared(found) < 1e-5
    assert f"{box.name} ({box.layer.operator})" in found.notes[0]
    again = Network.from_json(json.loads(json.dumps(found.network.to_json())))
    assert again == found.network
    inputs = np.random.default_rng(0).normal(size=(3, *found.network.input)).astype(np.float32)
    engine = make_engine(again, found.parameters)
    whole = engine.activations(inputs)
    assert list(whole) == ["input", *(node.name for node in again.nodes)]
    alone = make_engine(again, found.parameters).forward(inputs[1:2])
    np.testing.assert_allclose(whole[again.nodes[-1].name][1:2], alone, atol=1e-6)
    np.testing.assert_allclose(engine.logits(inputs), engine.forward(inputs), atol=1e-6)


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda g, x: g("Relu", x, domain="my.own"), "my.own.Relu '.*a domain of its own.*export"),
        (lambda g, x: g("Resiez", x), "Resiez '.*ONNX has no operator Resiez either.*did you mean"),
        (lambda g, x: g("RandomNormalLike", x), "draws random numbers"),
        (lambda g, x: g("ArgMax", x, axis=1), "no floats.*export the answers before it"),
        (lambda g, x: g("LRN", x, size=0), "its size 0 is not possible"),
        (lambda g, x: g("LRN", x), "LRN"),
        (lambda g, x: g("Resize", x, "", const(g, 1, 1, 9e3, 9e3), mode="nearest"), "more than"),
        (lambda g, x: g("ReduceMean", x, const(g, 0, kind=np.int64)), "batch"),
    ],
)  # fmt: skip
def test_what_can_be_no_box_is_refused_by_name(tmp_path, build, said):
    with pytest.raises(RunError, match=said):
        read_network(saved(tmp_path, made(build)))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run with a box within a branch, and one after both meet again."""

    def build(g, x):
        a = g("LRN", x, size=3)
        b = g("Elu", g.conv(g("Add", a, g("Tanh", x)), 4, 4, 1))
        return g("Relu", g("Sub", b, g.conv(x, 4, 4, 3, pads=[1] * 4)))

    folder = tmp_path_factory.mktemp("boxes")
    path = saved(folder, made(build))
    return import_network(path, folder / "run").model


def test_what_stands_between_boxes_runs_in_stretches_that_give_one_value(run):
    nodes = [n.name for part in regions(run.network) for n in part]
    assert nodes == [node.name for node in run.network.nodes]
    parts = regions(run.network)
    assert max(map(len, parts)) > 2
    for part in parts:
        inside = {node.name for node in part}
        after = [n for n in run.network.nodes if n.name not in inside]
        read = {one for node in after for one in node.inputs} & inside
        assert read <= {part[-1].name}
    raw = run.path.parent.parent / "net.onnx"
    inputs = np.random.default_rng(1).normal(size=(2, 3, 10, 12)).astype(np.float32)
    (wanted,) = onnx_session(raw.read_bytes(), 1).run(None, {"input": inputs})
    engine = make_engine(run.network, run.parameters)
    assert isinstance(engine, BoxedEngine)
    np.testing.assert_allclose(engine.forward(inputs), wanted, atol=1e-5)
    fast = engine.fast_activations(inputs)
    np.testing.assert_allclose(fast[run.network.nodes[-1].name], wanted, atol=1e-5)


def test_a_boxs_number_says_that_onnx_computed_it_and_its_neighbours_still_add_up(run):
    look = Look.at(Subject(run.network, run.parameters), np.ones((3, 10, 12), np.float32))
    told = arithmetic(look, "lrn1", (2, 3, 4))
    assert "computed by ONNX's LRN; beak does not open it" in told.caption
    assert told.facts["value"] == look.values["lrn1"][2, 3, 4]
    assert not len(told["product"])
    for node in run.network.nodes:
        index = tuple(size - 1 for size in node.output)
        facts = arithmetic(look, node.name, index).facts
        assert abs(facts["value"] - facts["engine"]) <= 1e-5 * max(facts["scale"], 1e-9)


def test_no_gradient_passes_a_box_and_occlusion_needs_none(run):
    look = Look.at(Subject(run.network, run.parameters), np.ones((3, 10, 12), np.float32))
    with pytest.raises(UsageError, match=r"lrn1 \(LRN\).*no gradient passes.*occlusion"):
        moved(look, method="integrated")
    assert moved(look, method="occlusion")["heat"].shape == (10, 12)


def test_training_other_engines_and_exports_refuse_a_box_by_name(run, tmp_path):
    with pytest.raises(UsageError, match=r"lrn1 \(LRN\).*cannot be trained"):
        make_engine(run.network, run.parameters).start_training(Optimiser(), Loss())
    with pytest.raises(UsageError, match=r"lrn1 \(LRN\).*cannot be trained"):
        choose(run.network, None)
    with pytest.raises(UsageError, match=r"lrn1 \(LRN\).*reference engine"):
        make_engine(run.network, run.parameters, kind="reference")
    for name in ("net.onnx", "net.c", "net.keras"):
        with pytest.raises(UsageError, match=r"lrn1 \(LRN\).*not exported"):
            export(run.path, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_box_works_on_the_shape_that_it_was_given_and_no_other(run):
    box = run.network.node("lrn1").layer
    with pytest.raises(ShapeError, match="4x9x9 came in, 4x10x12 was wanted by ONNX's LRN"):
        box.output((4, 9, 9))


@pytest.mark.parametrize(
    "change",
    [
        {"operator": "a b"},
        {"operator": 3},
        {"shape": [0]},
        {"shape": [1, 2, 3, 4]},
        {"arguments": [["read"]]},
        {"arguments": [["int64", [2], [1]]]},
        {"arguments": [["float99", [1], [1]]]},
        {"attributes": [["size", True]]},
        {"attributes": [["size", {"a": 1}]]},
        {"opset": 0},
        {"last": 1},
    ],
)
def test_a_box_in_a_hostile_file_is_refused(run, change):
    told = run.network.to_json()
    (box,) = [node for node in told["nodes"] if node["name"] == "lrn1"]
    with pytest.raises(NetworkError):
        Network.from_json(
            {**told, "nodes": [box | change if n is box else n for n in told["nodes"]]}
        )


def test_a_box_that_gives_another_shape_than_its_file_says_is_refused(run):
    told = run.network.to_json()
    for node in told["nodes"]:
        if node["name"] == "lrn1":
            node["operator"] = "GlobalAveragePool"
            node["attributes"] = []
    with pytest.raises(RunError, match="gives 1x4x1x1 with the batch, the network says 4x10x12"):
        make_engine(Network.from_json(told), run.parameters)
    layer = Opaque("If", 17, (1,), (("read", (1,)),))
    with pytest.raises(RunError, match="networks of its own"):
        Operator(layer, {})
