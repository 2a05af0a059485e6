"""Keras's files both ways, without Keras: what goes out comes back, and no code comes in."""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import pytest

from beak import keras
from beak.engine.make import make_engine
from beak.errors import BeakError, NetworkError, RunError, UsageError
from beak.exchange.importing import read_network

h5py = pytest.importorskip("h5py")
L = keras.layers


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(3)
    start = keras.Input((9, 8, 3))
    x = L.Rescaling(1 / 127.5, -1.0)(start)
    x = keras.Sequential([L.Conv2D(4, 3), L.BatchNormalization(), L.ReLU()], name="inner")(x)
    other = L.SeparableConv2D(4, 3, padding="same", activation="leaky_relu")(x)
    x = L.Flatten()(L.add([x, other]))
    made = keras.Model(start, L.Dense(3, activation="softmax")(L.Dropout(0.3)(x)))
    rng = np.random.default_rng(0)
    made.set_weights([np.abs(rng.normal(size=w.shape)) * 0.3 for w in made.get_weights()])
    made.compile(
        keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return made


@pytest.fixture(scope="module")
def inputs():
    return np.random.default_rng(1).integers(0, 255, (5, 9, 8, 3)).astype("f")


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_a_model_comes_back_with_its_answers_and_what_it_was_compiled_with(
    model, inputs, ending, tmp_path
):
    model.save(tmp_path / f"m.{ending}")
    again = keras.models.load_model(tmp_path / f"m.{ending}")
    np.testing.assert_array_equal(
        again.predict(inputs, verbose=0), model.predict(inputs, verbose=0)
    )
    assert float(again.optimizer.learning_rate) == 0.003
    assert again.loss == "sparse_categorical_crossentropy"
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]


def test_weights_alone_go_into_a_model_of_the_same_layers(model, inputs, tmp_path):
    model.save_weights(tmp_path / "m.weights.h5")
    again = keras.models.clone_model(model)
    assert not np.allclose(again.predict(inputs, verbose=0), model.predict(inputs, verbose=0))
    again.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_array_equal(
        again.predict(inputs, verbose=0), model.predict(inputs, verbose=0)
    )


@pytest.mark.parametrize("ending", ["keras", "h5", "json"])
def test_a_file_is_a_network_of_beaks_with_the_preparation_of_its_pictures(
    model, inputs, ending, tmp_path
):
    if ending == "json":
        (tmp_path / "m.json").write_text(model.to_json())
        model.save_weights(tmp_path / "m.weights.h5")
    else:
        model.save(tmp_path / f"m.{ending}")
    found = read_network(tmp_path / f"m.{ending}")
    assert found.network == model.network
    raw = np.ascontiguousarray(np.moveaxis(inputs, -1, 1)).astype(np.uint8)
    prepared = found.spec.prepare(raw)
    answers = make_engine(found.network, found.parameters).forward(prepared)
    np.testing.assert_allclose(answers, model.predict(inputs, verbose=0), rtol=1e-5, atol=1e-6)


def test_an_adapted_normalization_travels_with_the_file(tmp_path):
    rng = np.random.default_rng(0)
    norm = L.Normalization()
    norm.adapt(rng.normal(100, 30, (50, 6, 6, 3)).astype("f"))
    made = keras.Sequential([keras.Input((6, 6, 3)), norm, L.Flatten(), L.Dense(2)])
    made.save(tmp_path / "n.keras")
    x = rng.normal(100, 30, (4, 6, 6, 3)).astype("f")
    again = keras.models.load_model(tmp_path / "n.keras")
    np.testing.assert_array_equal(again.predict(x, verbose=0), made.predict(x, verbose=0))
    spec = read_network(tmp_path / "n.keras").spec
    np.testing.assert_allclose(np.array(spec.mean) * 255, norm.mean, rtol=1e-5)


def written_by_keras_2(path, with_lambda=False):
    """An .h5 file as Keras 2 wrote them, by hand: bytes for names, old config keys."""
    layers = [
        {"class_name": "Conv2D", "config": {
            "name": "c", "batch_input_shape": [None, 5, 5, 1], "filters": 2, "kernel_size": [2, 2],
            "strides": [1, 1], "padding": "valid", "activation": "relu", "use_bias": True}},
        {"class_name": "LeakyReLU", "config": {"name": "l", "alpha": 0.1}},
        {"class_name": "Flatten", "config": {"name": "f", "data_format": "channels_last"}},
        {"class_name": "Dense", "config": {"name": "d", "units": 3, "activation": "softmax"}},
    ]  # fmt: skip
    if with_lambda:
        layers.insert(1, {"class_name": "Lambda", "config": {"name": "code", "function": ["x"]}})
    rng = np.random.default_rng(0)
    arrays = {
        "c": [("kernel:0", rng.normal(size=(2, 2, 1, 2))), ("bias:0", rng.normal(size=2))],
        "l": [], "f": [],
        "d": [("kernel:0", rng.normal(size=(32, 3))), ("bias:0", rng.normal(size=3))],
    }  # fmt: skip
    with h5py.File(path, "w") as file:
        config = {"class_name": "Sequential", "config": {"name": "s", "layers": layers}}
        file.attrs["model_config"] = json.dumps(config).encode()
        weights = file.create_group("model_weights")
        weights.attrs["layer_names"] = [name.encode() for name in arrays]
        for name, own in arrays.items():
            group = weights.create_group(name)
            group.attrs["weight_names"] = [f"{name}/{one}".encode() for one, _ in own]
            for one, array in own:
                group.create_dataset(f"{name}/{one}", data=array.astype("f"))
    return arrays


def test_an_h5_file_of_keras_2_is_read(tmp_path):
    arrays = written_by_keras_2(tmp_path / "old.h5")
    made = keras.models.load_model(tmp_path / "old.h5")
    assert made.layers[1].negative_slope == 0.1
    for ours, (_, theirs) in zip(made.get_weights(), arrays["c"] + arrays["d"], strict=True):
        np.testing.assert_array_equal(ours, theirs.astype("f"))
    assert made.predict(np.ones((1, 5, 5, 1)), verbose=0).shape == (1, 3)


def test_a_lambda_in_a_file_is_refused_by_name_and_never_run(tmp_path):
    written_by_keras_2(tmp_path / "code.h5", with_lambda=True)
    for read in (keras.models.load_model, read_network):
        with pytest.raises(
            NetworkError, match=r"Lambda \('code'\) is not in beak; nearest: it holds"
        ):
            read(tmp_path / "code.h5")


def altered(path, target, change):
    """A copy of an archive with its config changed."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "config.json":
                data = json.dumps(change(json.loads(data))).encode()
            new.writestr(name, data)


def test_a_class_of_ones_own_in_a_file_is_refused(model, tmp_path):
    model.save(tmp_path / "m.keras")

    def own(config):
        layer = config["config"]["layers"][-1]
        layer["module"], layer["registered_name"] = "evil.code", "evil>Dense"
        return config

    altered(tmp_path / "m.keras", tmp_path / "own.keras", own)
    with pytest.raises(NetworkError, match="the layer Dense is not in beak"):
        read_network(tmp_path / "own.keras")
    altered(tmp_path / "m.keras", tmp_path / "sub.keras", lambda c: {**c, "class_name": "Mine"})
    with pytest.raises(RunError, match="Mine is no Sequential or Functional model"):
        keras.models.load_model(tmp_path / "sub.keras")


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_a_file_that_is_cut_short_is_one_line(model, part, tmp_path):
    model.save(tmp_path / "m.keras")
    whole = (tmp_path / "m.keras").read_bytes()
    (tmp_path / "cut.keras").write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(BeakError) as error:
        read_network(tmp_path / "cut.keras")
    assert "\n" not in str(error.value)


def test_arrays_of_another_shape_are_named(model, tmp_path):
    model.save(tmp_path / "m.keras")

    def wider(config):
        config["config"]["layers"][-1]["config"]["units"] = 4
        return config

    altered(tmp_path / "m.keras", tmp_path / "wide.keras", wider)
    with pytest.raises(
        RunError, match=r"'kernel' of the layer 'dense.*' is \(168, 3\), \(168, 4\)"
    ):
        read_network(tmp_path / "wide.keras")


def test_weights_alone_are_no_network(model, tmp_path):
    model.save_weights(tmp_path / "m.weights.h5")
    with pytest.raises(RunError, match="holds weights alone"):
        read_network(tmp_path / "m.weights.h5")


def test_names_that_say_another_form_are_refused(model, tmp_path):
    with pytest.raises(UsageError, match=r"ends in \.keras or \.h5"):
        model.save(tmp_path / "m.weights.h5")
    with pytest.raises(UsageError, match=r"ends in \.weights\.h5"):
        model.save_weights(tmp_path / "m.h5")
    assert not list(tmp_path.iterdir())


def test_what_is_written_lies_as_keras_3_lays_it(model, tmp_path):
    model.save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        assert archive.namelist() == ["metadata.json", "config.json", "model.weights.h5"]
        weights = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(weights) as file:
        assert list(file["layers/separable_conv2d/vars"]) == ["0", "1", "2"]
        assert file["layers/sequential/layers/conv2d/vars/0"].shape == (3, 3, 3, 4)
        assert len(file["layers/sequential/layers/batch_normalization/vars"]) == 4


def test_a_model_is_a_run_of_beaks_and_goes_out_as_keras_again(model, inputs, tmp_path):
    from beak.exchange.export import export
    from beak.runs.run import Run

    run = model.save_run(tmp_path / "run", labels=["a", "b", "c"])
    answered = Run(run).predict(inputs[0].astype(np.uint8))
    expected = model.predict(inputs[:1], verbose=0)[0]
    assert answered.label == "abc"[int(expected.argmax())]
    done = export(run, tmp_path / "out.keras")
    assert done.compared.agrees
    again = keras.models.load_model(tmp_path / "out.keras")
    np.testing.assert_allclose(
        again.predict(inputs, verbose=0), model.predict(inputs, verbose=0), rtol=1e-4, atol=1e-6
    )
