from __future__ import annotations

import dataclasses
import importlib.util
import json
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import example, given, settings
from hypothesis import strategies as st

from beak.errors import RunError, UsageError
from beak.runs.directory import RunDirectory
from beak.runs.files import read_header, write_arrays
from beak.runs.model import load_model, save_model


@pytest.fixture(scope="module")
def good(tmp_path_factory, small_model) -> bytes:
    path = tmp_path_factory.mktemp("good") / "model.safetensors"
    save_model(path, small_model())
    return path.read_bytes()


def test_a_model_comes_back_whole(tmp_path, model):
    save_model(tmp_path / "m.safetensors", model)
    found = load_model(tmp_path / "m.safetensors")
    assert (found.network, found.spec, found.labels) == (model.network, model.spec, model.labels)
    assert list(found.parameters) == list(model.network.parameters)
    for name, value in model.parameters.items():
        assert found.parameters[name].dtype == np.float32
        np.testing.assert_array_equal(found.parameters[name], value)
    assert found.info == model.info
    assert found.notes == ()
    assert found.name == "m"


def test_a_run_directory_stands_wherever_a_model_file_does(tmp_path, model):
    run = RunDirectory.create(tmp_path / "digits")
    save_model(run.path, model)
    assert load_model(run.path).path == run.model_path
    assert load_model(run.path).name == load_model(run.model_path).name == "digits"


def test_one_model_always_gives_the_same_bytes(tmp_path, model):
    for name in ("a", "b"):
        save_model(tmp_path / name, dataclasses.replace(model, path=tmp_path / name))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_other_tools_read_the_weights_and_the_metadata(tmp_path, model):
    save_model(tmp_path / "m", model)
    found = safetensors.numpy.load_file(tmp_path / "m")
    np.testing.assert_array_equal(found["conv1.weight"], model.parameters["conv1.weight"])
    with safetensors.safe_open(tmp_path / "m", "np") as file:
        metadata = file.metadata()
    assert json.loads(metadata["labels"]) == ["cat", "dog", "bird"]
    assert json.loads(metadata["network"])["nodes"][0]["kind"] == "Conv2D"


def test_labels_of_any_writing_come_back(tmp_path, model):
    odd = ("猫", "a\nb\x1b[2J", "\udcff")
    save_model(tmp_path / "m", dataclasses.replace(model, labels=odd))
    assert load_model(tmp_path / "m").labels == odd
    safetensors.numpy.load_file(tmp_path / "m")


def test_weights_that_diverged_are_noted(tmp_path, model):
    model.parameters["dense1.bias"][1] = np.nan
    save_model(tmp_path / "m", model)
    (note,) = load_model(tmp_path / "m").notes
    assert "'dense1.bias' hold NaN" in note


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": "2"}, "of format 2, this beak reads 1; install a newer beak"),
        ({"format": None}, "no model of beak's"),
        ({"kind": "checkpoint"}, "no model of beak's (checkpoint)"),
        ({"network": "{}"}, "its network does not work"),
        ({"network": "[]"}, "its network is no JSON object"),
        ({"network": '{"a": NaN}'}, "not the JSON it should be"),
        ({"network": '{"a":1,"a":2}'}, "a key stands twice"),
        ({"network": "[" * 100_000}, "its network nests too deep"),
        ({"network": "[" * 30 + "]" * 30}, "its network nests deeper than 24"),
        ({"network": "9" * 5000}, "not the JSON it should be"),
        ({"input": "1e999"}, "a number is too large"),
        ({"input": '{"kind":"pictures"}'}, "its input does not work"),
        ({"input": None}, "its input is no JSON object"),
        ({"labels": '["cat","dog"]'}, "2 labels for a network that answers [3]"),
        ({"labels": '["cat","cat","dog"]'}, "a label is empty, too long or there twice"),
        ({"labels": '["cat","","dog"]'}, "a label is empty, too long or there twice"),
        ({"labels": '["cat",1,"dog"]'}, "its labels are no list of texts"),
        ({"info": "[1]"}, "its info is no JSON object"),
    ],
)
def test_metadata_that_is_off_is_told(tmp_path, model, check, change, said):
    save_model(tmp_path / "m", model)
    metadata = {k: v for k, v in read_header(tmp_path / "m").metadata.items() if k != "sha256"}
    metadata = {k: v for k, v in {**metadata, **change}.items() if v is not None}
    write_arrays(tmp_path / "m", model.parameters, metadata)
    with pytest.raises(RunError) as told:
        load_model(tmp_path / "m")
    assert said in str(told.value)
    assert check((tmp_path / "m").read_bytes())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"conv1.weight": np.zeros((4, 1, 3, 2), np.float32)},
            "the network needs F32 [4, 1, 3, 3]",
        ),
        ({"conv1.weight": np.zeros((4, 1, 3, 3))}, "'conv1.weight' is F64"),
        ({"conv1.weight": None}, "the weights 'conv1.weight' are missing"),
        ({"evil": np.zeros(1, np.float32)}, "'evil' belongs to no layer"),
    ],
)
def test_weights_that_do_not_fit_the_network_are_told(tmp_path, model, change, said):
    save_model(tmp_path / "m", model)
    metadata = read_header(tmp_path / "m").metadata
    arrays = {k: v for k, v in {**model.parameters, **change}.items() if v is not None}
    write_arrays(tmp_path / "m", arrays, metadata)
    with pytest.raises(RunError) as told:
        load_model(tmp_path / "m")
    assert said in str(told.value)


def test_a_network_that_no_machine_can_run_is_refused_before_anything_is_allocated(tmp_path, model):
    save_model(tmp_path / "m", model)
    metadata = dict(read_header(tmp_path / "m").metadata)
    network = model.network.to_json()
    network["nodes"][0]["padding"] = 20_000
    network["nodes"][1] = {"name": "pool1", "kind": "GlobalMaxPool"}
    metadata["network"] = json.dumps(network)
    arrays = {**model.parameters, "dense1.weight": np.zeros((3, 4), np.float32)}
    write_arrays(tmp_path / "m", arrays, metadata)
    with pytest.raises(RunError, match=r"one example would take|larger than beak can hold"):
        load_model(tmp_path / "m")


def header_of(**entries: object) -> bytes:
    text = json.dumps(entries).encode()
    return len(text).to_bytes(8, "little") + text


HUGE = [2**31, 2**31, 2**31]
HOSTILE = {
    "nothing": b"",
    "a length alone": (20).to_bytes(8, "little"),
    "a length of 2^64 - 1": b"\xff" * 8 + b"{}",
    "a length of 2^40": (2**40).to_bytes(8, "little") + b"{}",
    "a length beyond the end": (99).to_bytes(8, "little") + b"{}",
    "no JSON": (4).to_bytes(8, "little") + b"\xff\xfe{}",
    "deep JSON": (200_000).to_bytes(8, "little") + b'{"a":' * 40_000,
    "deep lists": (200_000).to_bytes(8, "little") + b"[" * 100_000 + b"]" * 100_000,
    "a list": (2).to_bytes(8, "little") + b"[]",
    "an array twice": (13).to_bytes(8, "little") + b'{"a":1,"a":2}',
    "metadata of numbers": header_of(__metadata__={"a": 1}),
    "metadata as a list": header_of(__metadata__=["a"]),
    "an array that is a number": header_of(a=1),
    "a field too many": header_of(a={"dtype": "F32", "shape": [], "data_offsets": [0, 4], "x": 1}),
    "a shape of 2^93": header_of(a={"dtype": "F32", "shape": HUGE, "data_offsets": [0, 2**95]}),
    "a shape of minus one": header_of(a={"dtype": "F32", "shape": [-1], "data_offsets": [4, 0]}),
    "a shape of true": header_of(a={"dtype": "F32", "shape": [True], "data_offsets": [0, 4]}),
    "a shape of floats": header_of(a={"dtype": "F32", "shape": [1.0], "data_offsets": [0, 4]}),
    "a kind that is a list": header_of(a={"dtype": [], "shape": [], "data_offsets": [0, 4]}),
    "offsets that are text": header_of(a={"dtype": "F32", "shape": [], "data_offsets": "04"}),
    "offsets backwards": header_of(a={"dtype": "F32", "shape": [0], "data_offsets": [4, 4]}),
    "offsets beyond the end": header_of(a={"dtype": "F32", "shape": [9], "data_offsets": [0, 36]}),
    "a name of a megabyte": header_of(**{"a" * 2**20: 1}),
    "overlapping arrays": header_of(
        a={"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
        b={"dtype": "F32", "shape": [1], "data_offsets": [2, 6]},
    )
    + bytes(6),
    "a hole between arrays": header_of(a={"dtype": "F32", "shape": [], "data_offsets": [4, 8]})
    + bytes(8),
    "more bytes than arrays": header_of() + bytes(3),
    "a pickle": b"\x80\x04\x95\x1f" + bytes(7) + b"\x8c\x05posix\x94\x8c\x06system\x94\x93.",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_file_is_told_in_one_line_fast_and_in_little_memory(tmp_path, check, data):
    tracemalloc.start()
    begin = time.perf_counter()
    assert check(data, tmp_path / "model.safetensors")
    assert time.perf_counter() - begin < 5
    assert tracemalloc.get_traced_memory()[1] < 64 << 20
    tracemalloc.stop()


def test_the_largest_header_of_brackets_is_refused_in_bounded_time_and_memory(tmp_path, check):
    text = b"[" + b"[]," * 2_700_000 + b"[]]"
    tracemalloc.start()
    begin = time.perf_counter()
    assert check(len(text).to_bytes(8, "little") + text, tmp_path / "m")
    assert time.perf_counter() - begin < 20
    assert tracemalloc.get_traced_memory()[1] < 700 << 20
    tracemalloc.stop()


def test_a_sparse_file_of_a_terabyte_is_refused(tmp_path):
    with open(tmp_path / "m", "wb") as file:
        file.write(header_of(a={"dtype": "U8", "shape": [2**40], "data_offsets": [0, 2**40]}))
        try:
            file.truncate(file.tell() + 2**40)
        except OSError:
            pytest.skip("this file system holds no sparse file of a terabyte")
    with pytest.raises(RunError, match="are read"):
        load_model(tmp_path / "m")


def test_a_model_cut_at_any_place_is_told(good, tmp_path, check):
    for size in [*range(0, 64), *range(64, len(good), 61), len(good) - 1]:
        assert check(good[:size], tmp_path / "m")
    assert check(good, tmp_path / "m") == ""


@given(data=st.binary(max_size=400))
@settings(max_examples=200, deadline=None)
def test_random_bytes_are_no_model(check, data):
    assert check(data)


@given(
    places=st.lists(st.tuples(st.integers(0, 2**30), st.integers(1, 255)), min_size=1, max_size=4)
)
@settings(max_examples=300, deadline=None)
def test_changed_bytes_end_in_a_model_or_one_line(check, good, places):
    changed = bytearray(good)
    header = int.from_bytes(good[:8], "little") + 8
    for place, bits in places:
        changed[place % header] ^= bits
    check(bytes(changed))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from([2**31, 2**63, -1, 0, 1, "Conv2D", "input", [], {}, 1e308, 2**2000]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip


def places_in(value: object, path: tuple = ()) -> list[tuple]:
    """The paths of all values inside a JSON value."""
    if not isinstance(value, dict | list):
        return [path]
    items = value.items() if isinstance(value, dict) else enumerate(value)
    return [path, *(p for key, item in items for p in places_in(item, (*path, key)))]


@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_any_value_in_the_wrong_place_of_the_metadata_ends_in_one_line(check, good, data):
    header = json.loads(good[8 : 8 + int.from_bytes(good[:8], "little")])
    metadata = header["__metadata__"]
    key = data.draw(st.sampled_from(["network", "input", "labels", "info", "format"]))
    value = [json.loads(metadata[key])]
    path = data.draw(st.sampled_from([p for p in places_in(value) if p]))
    inside = value
    for step in path[:-1]:
        inside = inside[step]
    inside[path[-1]] = data.draw(JSON)
    metadata[key] = json.dumps(value[0])
    text = json.dumps(header).encode()
    changed = (
        len(text).to_bytes(8, "little") + text + good[8 + int.from_bytes(good[:8], "little") :]
    )
    check(changed)


@given(entry=JSON, offset=JSON)
@example(entry={"dtype": "F32", "shape": [2**62, 4], "data_offsets": [0, 0]}, offset=0)
@settings(max_examples=200, deadline=None)
def test_any_value_in_the_wrong_place_of_the_header_ends_in_one_line(check, good, entry, offset):
    length = int.from_bytes(good[:8], "little")
    for change in ({"conv1.bias": entry}, {"__metadata__": entry}):
        header = {**json.loads(good[8 : 8 + length]), **change}
        if isinstance(header["conv1.bias"], dict):
            header["conv1.bias"]["data_offsets"] = offset
        text = json.dumps(header).encode()
        check(len(text).to_bytes(8, "little") + text + good[8 + length :])


def test_a_missing_path_names_the_nearest_and_an_empty_run_says_what_to_do(tmp_path, model):
    save_model(tmp_path / "model.safetensors", model)
    with pytest.raises(UsageError, match=r"did you mean 'model\.safetensors'"):
        load_model(tmp_path / "modle.safetensors")
    run = RunDirectory.create(tmp_path / "run")
    with pytest.raises(RunError, match=r"holds no model\.safetensors"):
        load_model(run.path)
    run.save_checkpoint({}, {})
    with pytest.raises(RunError, match="is not trained to its end; go on: beak train --resume"):
        load_model(run.path)


def test_a_model_that_does_not_fit_together_is_not_written(tmp_path, model):
    wrong = {**model.parameters, "dense1.bias": np.zeros(4, np.float32)}
    with pytest.raises(RunError, match=r"'dense1.bias' is \(4,\), not \(3,\)"):
        save_model(tmp_path / "m", dataclasses.replace(model, parameters=wrong))
    with pytest.raises(RunError, match="2 labels for a network"):
        save_model(tmp_path / "m", dataclasses.replace(model, labels=("a", "b")))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_guided_fuzzing_finds_no_way_through(good, tmp_path):
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("atheris is not installed (it has no wheel for this Python)")
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "good").write_bytes(good)
    harness = Path(__file__).with_name("fuzz_model.py")
    options = ["-max_total_time=20", "-max_len=8192", f"-artifact_prefix={tmp_path}/"]
    command = [sys.executable, str(harness), *options, str(tmp_path / "corpus")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
