from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import safetensors.numpy

from beak.errors import RunError, UsageError
from beak.runs.directory import RunDirectory
from beak.runs.files import read_header, write_arrays
from beak.runs.model import load_model, save_model


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
        ({"network": "[" * 100_000}, "it nests too deep"),
        ({"network": "[" * 30 + "]" * 30}, "it nests deeper than 24"),
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


def test_a_missing_path_names_the_nearest_and_an_empty_run_says_what_to_do(tmp_path, model):
    save_model(tmp_path / "model.safetensors", model)
    with pytest.raises(UsageError, match=r"did you mean 'model\.safetensors'"):
        load_model(tmp_path / "modle.safetensors")
    run = RunDirectory.create(tmp_path / "a run")
    with pytest.raises(RunError, match=r"holds no model\.safetensors"):
        load_model(run.path)
    run.save_checkpoint({}, {})
    with pytest.raises(RunError, match=f"to its end; go on: beak train --resume '{run.path}'$"):
        load_model(run.path)


def test_a_model_that_does_not_fit_together_is_not_written(tmp_path, model):
    wrong = {**model.parameters, "dense1.bias": np.zeros(4, np.float32)}
    with pytest.raises(RunError, match=r"'dense1.bias' is \(4,\), not \(3,\)"):
        save_model(tmp_path / "m", dataclasses.replace(model, parameters=wrong))
    with pytest.raises(RunError, match="2 labels for a network"):
        save_model(tmp_path / "m", dataclasses.replace(model, labels=("a", "b")))
    assert list(tmp_path.iterdir()) == []
