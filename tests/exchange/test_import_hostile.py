"""Files that are damaged, hostile, or hold what beak has not: one line, and nothing taken."""

from __future__ import annotations

import os
import re

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import onnx
from onnx import TensorProto

from beak.errors import BeakError, RunError, UsageError
from beak.exchange import onnx_file
from beak.exchange.importing import compared, read_network
from tests.exchange.onnx_elsewhere import Elsewhere, lenet, logistic, written


def small(g):
    """A convolution and a dense layer."""
    x = g("Relu", g.conv("input", 1, 2, 3, name="first"))
    return g.gemm(g("Flatten", x), 32, 3, "last")


def parsed(make=small, shape=(1, 6, 6), **fields):
    g = Elsewhere(shape, **fields)
    return onnx.load_model_from_string(g.model(make(g)))


def saved(folder, model):
    path = folder / "net.onnx"
    path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
    return path


def refused(path, said, kind=RunError, **how):
    with pytest.raises(kind, match=said) as told:
        read_network(path, **how)
    text = str(told.value)
    assert "\n" not in text
    assert len(text) < 900
    return text


def tensor_of(model, name):
    return next(t for t in model.graph.initializer if t.name == name)


@pytest.mark.parametrize("size", [0, 1, 100, 400])
def test_a_file_cut_short_is_refused(tmp_path, size):
    refused(saved(tmp_path, written(logistic)[:size]), "damaged|no network")


def test_something_else_is_refused(tmp_path):
    refused(saved(tmp_path, b"GIF89a" + bytes(range(256))), "damaged")


def test_a_shape_that_says_more_than_there_is_takes_no_memory(tmp_path):
    model = parsed()
    tensor_of(model, "first.weight").dims[0] = 1 << 40
    refused(saved(tmp_path, model), "bytes")
    tensor_of(model, "first.weight").dims[0] = -3
    refused(saved(tmp_path, model), "below 0")


def test_all_numbers_together_are_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_file, "LARGEST", 2000)
    path = saved(tmp_path, b"")
    g = Elsewhere((1, 6, 6))
    x = g("Flatten", "input")
    for _ in range(14):
        x = g("Add", x, g.weight(1, 36))
    file = onnx_file.OnnxFile(path, onnx.load_model_from_string(g.model(x)))
    with pytest.raises(RunError, match="2,016 bytes; 2 GB are read"):
        list(map(file.array, file.tensors.values()))


def test_filled_and_spread_constants_are_bounded(tmp_path):
    for kind in ("ConstantOfShape", "Expand", "Tile", "Range", "Pad"):
        g = Elsewhere((1, 6, 6))
        huge = g.constant(np.int64([1 << 20, 1 << 20]))
        if kind == "ConstantOfShape":
            out = g(kind, huge)
        elif kind == "Range":
            out = g(kind, *(g.constant(np.int64(n)) for n in (0, 1 << 50, 1)))
        elif kind == "Pad":
            out = g(kind, g.constant(np.zeros((1, 1), np.float32)),
                    g.constant(np.int64([0, 0, 1 << 30, 1 << 30])))  # fmt: skip
        else:
            out = g(kind, g.constant(np.zeros((1, 1), np.float32)), huge)
        refused(saved(tmp_path, g.model(g("Add", "input", out))), f"{kind} .* than beak takes")


@pytest.mark.parametrize("location", ["../secret", "/etc/passwd", "sub/../../secret", "", "link"])
def test_numbers_are_read_from_the_files_own_folder_alone(tmp_path, location):
    folder = tmp_path / "net"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(bytes(4096))
    os.symlink(tmp_path / "secret", folder / "link")
    refused(saved(folder, beside(location)), "outside of the file's folder")


def beside(location, offset="0", length=None):
    model = parsed()
    tensor = tensor_of(model, "first.weight")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    values = {"location": location, "offset": offset, **({"length": length} if length else {})}
    for key, value in values.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    return model


def test_numbers_beside_the_file_are_read_and_compared(tmp_path):
    model = parsed()
    tensor = tensor_of(model, "first.weight")
    (tmp_path / "numbers.bin").write_bytes(bytes(8) + tensor.raw_data)
    found = read_network(saved(tmp_path, beside("numbers.bin", "8")))
    assert compared(found) < 1e-5
    wanted = onnx.numpy_helper.to_array(tensor)
    np.testing.assert_array_equal(found.parameters["first.weight"], wanted)


@pytest.mark.parametrize(
    ("offset", "length"), [("4000", None), ("-4", None), ("0", "9"), ("x", None)]
)
def test_numbers_beside_the_file_must_all_be_there(tmp_path, offset, length):
    (tmp_path / "numbers.bin").write_bytes(bytes(100))
    refused(saved(tmp_path, beside("numbers.bin", offset, length)), "were wanted")


def test_a_loop_is_refused(tmp_path):
    model = parsed()
    model.graph.node[0].input[0] = model.graph.node[1].output[0]
    refused(saved(tmp_path, model), "a loop, or a damaged file")


def test_two_operators_that_give_one_value_are_refused(tmp_path):
    model = parsed()
    model.graph.node[1].output[0] = model.graph.node[0].output[0]
    model.graph.node[2].input[0] = model.graph.node[0].output[0]
    refused(saved(tmp_path, model), "two operators give")


@pytest.mark.parametrize("opset", [3, 999])
def test_an_unknown_opset_is_refused(tmp_path, opset):
    g = Elsewhere((1, 28, 28))
    x = g("Clip", "input")
    refused(saved(tmp_path, g.model(lenet(g) or x, opset=opset)), f"opset {opset}; opsets 7 to")


def test_weights_that_do_not_fit_are_refused_by_operator(tmp_path):
    model = parsed()
    tensor_of(model, "last.weight").dims[:] = [4, 24]
    refused(saved(tmp_path, model), "Gemm '.*': its numbers do not fit each other")


def test_open_sizes_are_asked_for_and_taken(tmp_path):
    path = saved(tmp_path, parsed(shape=(1, "height", "width")))
    text = refused(path, "--input-shape 3,224,224", UsageError)
    assert "Nx1xheightxwidth" in text
    assert read_network(path, (1, 6, 6)).network.input == (1, 6, 6)
    refused(path, "give one that fits", UsageError, input_shape=(3, 6, 6))
    refused(path, "Gemm", input_shape=(1, 9, 9))


@pytest.mark.parametrize(
    ("kind", "fields", "said"),
    [
        ("ArgMax", {"axis": 1}, "beak has no such layer.*; export the answers before it"),
        ("Resiez", {}, "ONNX has no operator Resiez either; did you mean 'Resize'"),
        ("Relu", {"domain": "my.own"}, "my.own.Relu '.*beak has no such layer"),
        ("MaxPool", {"kernel_shape": [2, 2], "dilations": [2, 2]}, "gaps"),
        ("MaxPool", {"kernel_shape": [0, 2]}, "not possible"),
        ("AveragePool", {"kernel_shape": [2, 2], "pads": [0, 0, 1 << 62, 1]}, "not possible"),
        ("Transpose", {"perm": [0, 3, 2]}, "do not fit"),
        ("LRN", {"size": 0}, "its size 0 is not possible"),
        ("ReduceMean", {"axes": [0]}, "batch"),
        ("Softmax", {"axis": 2}, "other axes"),
    ],
)
def test_what_beak_has_not_is_named(tmp_path, kind, fields, said):
    g = Elsewhere((2, 6, 6))
    x = g.conv("input", 2, 2, 3, pads=[1] * 4)
    y = g(kind, x, name="odd one", **fields)
    text = refused(saved(tmp_path, g.model(y)), said)
    assert "'odd one'" in text
    assert kind in text


def test_a_map_of_answers_is_refused(tmp_path):
    g = Elsewhere((1, 6, 6))
    refused(saved(tmp_path, g.model(g.conv("input", 1, 2, 3))), "answers 2x4x4 numbers")


def test_one_answer_without_a_sigmoid_is_refused(tmp_path):
    g = Elsewhere((1, 6, 6))
    refused(saved(tmp_path, g.model(g.gemm(g("Flatten", "input"), 36, 1))), "one number")


def test_words_and_second_inputs_are_refused(tmp_path):
    g = Elsewhere((6,), dtype=TensorProto.INT64)
    refused(saved(tmp_path, g.model(g("Gather", g.weight(9, 3), "input"))), "no float32")
    model = parsed()
    model.graph.input.add().name = "other"
    model.graph.node[2].input[0] = "other"
    refused(saved(tmp_path, model), "second input")


WHOLE = written(logistic)


@given(st.data())
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
def test_changed_bytes_end_in_one_line_or_in_a_network(tmp_path, data):
    raw = bytearray(WHOLE)
    structure = [m.start() for m in re.finditer(rb"[a-z_A-Z]{4,}", WHOLE)]
    for _ in range(data.draw(st.integers(1, 6))):
        near = data.draw(st.sampled_from(structure)) + data.draw(st.integers(-12, 12))
        raw[near % len(raw)] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        begin = data.draw(st.integers(0, len(raw)))
        raw[begin : begin + data.draw(st.integers(0, 40))] = b""
    assert outcome(saved(tmp_path, bytes(raw))) in ("a network", "one line")


def outcome(path):
    """What reading a file gives; anything but a network or a BeakError is raised."""
    try:
        found = read_network(path)
    except BeakError as error:
        return "one line" if "\n" not in str(error) else str(error)
    return "a network" if len(found.network.output) == 1 else "no row of answers"
