"""Every operator that is read, in every form that could be taken wrongly, beside ONNX Runtime."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from beak.exchange.importing import compared, read_network
from beak.exchange.onnx_arithmetic import ARITHMETIC
from beak.exchange.onnx_moves import MOVES
from beak.exchange.onnx_operators import LAYERS
from tests.exchange import onnx_elsewhere
from tests.exchange.onnx_elsewhere import NETWORKS, Elsewhere

FAST = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def agrees(folder, g, x, size, opset=17, after=3):
    """Whether the graph up to this value is read, and answers as ONNX Runtime does."""
    x = g.gemm(g("Flatten", x), size, after)
    path = folder / "net.onnx"
    path.write_bytes(g.model(x, opset=opset))
    found = read_network(path)
    difference = compared(found)
    assert difference is not None
    assert difference < 2e-5, [node.layer for node in found.network.nodes]
    return found


def number(*sizes):
    return int(np.prod(sizes))


@st.composite
def windows(draw):
    axes = draw(st.sampled_from([1, 2]))
    several = lambda low, high: [draw(st.integers(low, high)) for _ in range(axes)]  # noqa: E731
    fields = {"strides": several(1, 3), "dilations": several(1, 2)}
    pads = draw(st.sampled_from(["pads", "SAME_UPPER", "SAME_LOWER", "VALID"]))
    if pads == "pads":
        fields["pads"] = several(0, 2) + several(0, 2)
    else:
        fields["auto_pad"], fields["dilations"] = pads, [1] * axes
    return several(5, 10), several(1, 3), fields


@given(windows(), st.integers(1, 2), st.booleans())
@FAST
def test_convolutions_with_any_window(tmp_path, drawn, groups, bias):
    sizes, kernel, fields = drawn
    g = Elsewhere((4, *sizes))
    weights = [g.weight(6, 4 // groups, *kernel)] + ([g.weight(6)] if bias else [])
    x = g("Conv", "input", *weights, group=groups, **fields)
    agrees(tmp_path, g, x, number(6, *spatial(sizes, kernel, fields)))


@given(windows(), st.sampled_from(["MaxPool", "AveragePool"]), st.booleans(), st.booleans())
@FAST
def test_pooling_with_any_window(tmp_path, drawn, kind, ceil, counted):
    sizes, kernel, fields = drawn
    pads = fields.get("pads", [0] * 2 * len(sizes))
    assume(all(p < k for p, k in zip(pads, kernel * 2, strict=True)))
    # where a stride jumps over numbers, ONNX Runtime cuts some off at the begin
    assume("pads" in fields or all(s <= k for s, k in zip(fields["strides"], kernel, strict=True)))
    del fields["dilations"]
    fields |= {"ceil_mode": int(ceil and "pads" in fields)}
    if kind == "AveragePool":
        assume(not (counted and fields["ceil_mode"]) and "SAME_LOWER" not in fields.values())
        fields["count_include_pad"] = int(counted)
        assume(counted or all(a == b for a, b in zip(pads, pads[len(sizes) :], strict=False)))
        assume(not fields["ceil_mode"])
    g = Elsewhere((3, *sizes))
    x = g(kind, g("Relu", "input"), kernel_shape=kernel, **fields)
    agrees(tmp_path, g, x, number(3, *spatial(sizes, kernel, {**fields, "kind": kind})))


def spatial(sizes, kernel, fields):
    """How many windows ONNX counts."""
    out = []
    for a, (n, k) in enumerate(zip(sizes, kernel, strict=True)):
        s, d = fields["strides"][a], fields.get("dilations", [1, 1])[a]
        begin, end = (fields.get("pads", [0] * 4)[i] for i in (a, a + len(sizes)))
        free = n + begin + end - d * (k - 1) - 1
        assume(free >= 0)
        if fields.get("auto_pad", "").startswith("SAME"):
            out.append(-(-n // s))
        elif fields.get("ceil_mode"):
            count = -(-free // s) + 1
            out.append(count - 1 if (count - 1) * s >= n + begin else count)
        else:
            out.append(free // s + 1)
    return out


def const(g, *values, kind=np.float32):
    return g.constant(np.array(values, kind) if len(values) > 1 else kind(values[0]))


CASES = {
    "leaky": lambda g, x: g("LeakyRelu", x, alpha=0.01),
    "steep": lambda g, x: g("LeakyRelu", x, alpha=0.4),
    "slopes": lambda g, x: g("PRelu", x, g.weight(4, 1, 1)),
    "relu6": lambda g, x: g("Clip", x, const(g, 0), const(g, 0.5)),
    "between": lambda g, x: g("Clip", x, const(g, -0.5), const(g, 0.25)),
    "below": lambda g, x: g("Clip", x, "", const(g, 0.25)),
    "above": lambda g, x: g("Clip", x, const(g, -0.2)),
    "max": lambda g, x: g("Max", const(g, 0.1), x),
    "min": lambda g, x: g("Min", x, const(g, 0.1)),
    "hard": lambda g, x: g("HardSigmoid", x),
    "swish": lambda g, x: g("Mul", x, g("Sigmoid", x)),
    "hard swish": lambda g, x: g("HardSwish", x),
    "minus": lambda g, x: g("Neg", g("Sub", const(g, 1.5), x)),
    "apart": lambda g, x: g("Sub", g("Tanh", x), g("Abs", x)),
    "sum": lambda g, x: g("Sum", x, g("Tanh", x), const(g, 0.5)),
    "mean": lambda g, x: g("Mean", x, g("Tanh", x), const(g, 0.5)),
    "cube": lambda g, x: g("Pow", x, const(g, 3)),
    "each place": lambda g, x: g("Add", x, g.weight(1, 1, 6, 6)),
    "each number": lambda g, x: g("Mul", x, g.weight(4, 6, 6)),
    "per channel": lambda g, x: g("Div", x, g.constant(np.full((1, 4, 1, 1), 3, np.float32))),
    "channels softmax": lambda g, x: g("Softmax", x, axis=1),
    "all softmax": lambda g, x: g("Softmax", g("Flatten", x), axis=1),
    "crop": lambda g, x: g("Slice", x, const(g, 1, 0, kind=np.int64), const(g, 5, 9, kind=np.int64),
                           const(g, 2, 3, kind=np.int64)),
    "pad": lambda g, x: g("Pad", x, const(g, 0, 0, 1, 0, 0, 0, 0, 2, kind=np.int64)),
    "pad and pool": lambda g, x: g("MaxPool", g("Pad", x, const(
        g, 0, 0, 1, 1, 0, 0, 0, 0, kind=np.int64)), kernel_shape=[2, 2], strides=[2, 2]),
    "pad twice": lambda g, x: g.conv(g("Pad", x, const(
        g, 0, 0, 1, 1, 0, 0, 0, 0, kind=np.int64)), 4, 4, 3, pads=[0, 0, 1, 1], strides=[2, 2]),
    "turn round": lambda g, x: g.conv(g("Gather", x, const(
        g, 3, 2, 0, kind=np.int64), axis=1), 3, 4, 3),
    "in groups": lambda g, x: g.conv(g("Gather", x, const(
        g, 3, 2, 0, 1, kind=np.int64), axis=1), 4, 4, 3, groups=2),
    "concat of rows": lambda g, x: g("Concat", g("Flatten", x), g("Flatten", g("Tanh", x)), axis=1),
    "twice": lambda g, x: g("Concat", x, x, axis=1),
    "tiled": lambda g, x: g("Tile", x, const(g, 1, 2, 1, 1, kind=np.int64)),
    "expanded": lambda g, x: g("Mul", x, g("Expand", g("ReduceMean", x, axes=[2, 3]), g(
        "Shape", x))),
    "gate": lambda g, x: g("Mul", g("AveragePool", x, kernel_shape=[6, 6]), x),
    "one map for all": lambda g, x: g("Mul", x, g.conv(x, 4, 1)),
    "points": lambda g, x: g.conv(g("GlobalMaxPool", x), 4, 6, 3, 2, pads=[1] * 4),
    "sum of maps": lambda g, x: g("ReduceSum", x, const(g, 2, 3, kind=np.int64), keepdims=0),
    "squeezed": lambda g, x: g("Squeeze", g("GlobalAveragePool", x), const(g, 2, 3, kind=np.int64)),
    "gelu from parts": lambda g, x: g("Mul", g("Mul", x, const(g, 0.5)), g("Add", const(g, 1), g(
        "Erf", g("Mul", x, const(g, 0.5**0.5))))),
    "scaled dense": lambda g, x: g("Gemm", g("Flatten", x), g.weight(5, 144), g.weight(5),
                                   alpha=0.5, beta=3.0, transB=1),
    "cast": lambda g, x: g("Cast", g("Cast", x, to=11), to=1),
    "nearest": lambda g, x: g("Resize", x, "", const(g, 1, 1, 2, 3, kind=np.float32)),
    "nearest by sizes": lambda g, x: g("Resize", x, "", "", g("Concat", g("Slice", g("Shape", x), *(
        g.constant(np.array([n])) for n in (0, 2))), const(g, 12, 18, kind=np.int64), axis=0),
        coordinate_transformation_mode="asymmetric", nearest_mode="floor"),
    "bilinear": lambda g, x: g.conv(g("Resize", x, "", const(
        g, 1, 1, 2, 2), mode="linear"), 4, 3, 3),
    "reshaped": lambda g, x: g.conv(g("Reshape", x, const(g, 0, 9, 4, 4, kind=np.int64)), 9, 2, 2),
    "reshaped and pooled": lambda g, x: g("MaxPool", g("Reshape", x, const(
        g, 0, 2, 8, 9, kind=np.int64)), kernel_shape=[2, 2]),
    "reshaped channels last": lambda g, x: g("Relu", g("Transpose", g("Reshape", g(
        "Transpose", x, perm=[0, 2, 3, 1]), const(g, 0, 8, 6, 3, kind=np.int64)),
        perm=[0, 3, 1, 2])),
    "a row as a map": lambda g, x: g.conv(g("Reshape", g("Gemm", g("Flatten", x), g.weight(
        12, 144), transB=1), const(g, 0, 3, 2, 2, kind=np.int64)), 3, 2, 2),
    "norm last": lambda g, x: g("Transpose", g("BatchNormalization", g("Transpose", x, perm=[
        0, 2, 3, 1]), *(g.constant(g.random.uniform(0.5, 1, 6).astype(np.float32))
                        for _ in range(4))), perm=[0, 2, 3, 1]),
}  # fmt: skip
"""What could be read wrongly, on a map of 4x6x6."""


@pytest.mark.parametrize("name", CASES)
def test_an_operator_is_read_as_onnx_runtime_computes_it(tmp_path, name):
    g = Elsewhere((2, 6, 6))
    x = CASES[name](g, g.conv("input", 2, 4, 1))
    agrees(tmp_path, g, x, size_of(g, x))


def size_of(g, x):
    """How many numbers a value has."""
    from beak.engine.onnx_running import onnx_session

    session = onnx_session(g.model(x), 1)
    return session.run(None, {"input": np.zeros((1, 2, 6, 6), np.float32)})[0].size


@pytest.mark.parametrize("opset", [11, 13])
def test_before_opset_13_a_softmax_takes_in_all_axes_that_follow(tmp_path, opset):
    g = Elsewhere((2, 6, 6))
    x = g("Softmax", g.conv("input", 2, 4, 1), axis=1)
    found = agrees(tmp_path, g, x, 144, opset=opset)
    (softmax,) = (n for n in found.network.nodes if "softmax" in str(n.layer))
    assert softmax.output == ((144,) if opset == 11 else (4, 6, 6))


@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_gelu_as_one_operator(tmp_path, approximate):
    g = Elsewhere((2, 6, 6))
    x = g("Gelu", g.conv("input", 2, 4, 1), approximate=approximate)
    agrees(tmp_path, g, x, 144, opset=20)


def test_swish_of_alpha_1_is_silu(tmp_path):
    g = Elsewhere((2, 6, 6))
    found = agrees(tmp_path, g, g("Swish", g.conv("input", 2, 4, 1)), 144, opset=24)
    assert "silu" in str([node.layer for node in found.network.nodes])


def test_every_operator_of_the_tables_is_tried():
    tried = {"Gelu", "Swish", "Identity", "DepthToSpace", "Log"}
    for make, shape in NETWORKS.items():
        g = Elsewhere(shape)
        make(g)
        tried |= {node.op_type for node in g.nodes}
    for case in CASES.values():
        g = Elsewhere((2, 6, 6))
        case(g, "input")
        tried |= {node.op_type for node in g.nodes}
    assert set(LAYERS) | set(ARITHMETIC) | set(MOVES) <= tried
    assert onnx_elsewhere.written(onnx_elsewhere.lenet)


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_other_floats_are_read_and_compared_as_floats_of_32_bits(tmp_path, dtype):
    kind = {np.float16: 10, np.float64: 11}[dtype]
    g = Elsewhere((1, 6, 6), dtype=kind)
    weight = g.constant(g.random.normal(size=(2, 1, 3, 3)).astype(dtype))
    x = g("Cast", g("Relu", g("Conv", "input", weight)), to=kind)
    x = g("Gemm", g("Flatten", x), g.constant(g.random.normal(size=(32, 3)).astype(dtype)))
    path = tmp_path / "net.onnx"
    path.write_bytes(g.model(x))
    found = read_network(path)
    assert compared(found) < 1e-5
    assert any("32-bit" in note for note in found.notes)
