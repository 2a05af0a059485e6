"""Training that goes on from a file as if it had not stopped, here and in real Keras."""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import pytest

from beak import keras
from beak.errors import RunError
from tests.keras.judge import real

h5py = pytest.importorskip("h5py")
RNG = np.random.default_rng(0)
X = RNG.random((32, 8, 8, 2)).astype("f")
Y = np.arange(32) % 3
OPTIMIZERS = {
    "adam": lambda k: k.optimizers.Adam(0.01),
    "a word": lambda k: "adam",
    "adamw": lambda k: k.optimizers.AdamW(0.01, weight_decay=0.1, clipnorm=1.0),
    "sgd": lambda k: k.optimizers.SGD(0.02),
    "momentum": lambda k: k.optimizers.SGD(0.02, momentum=0.9),
    "nesterov": lambda k: k.optimizers.SGD(0.02, momentum=0.9, nesterov=True),
    "rmsprop": lambda k: k.optimizers.RMSprop(0.01),
    "centred": lambda k: k.optimizers.RMSprop(0.003, momentum=0.5, centered=True),
    "schedule": lambda k: k.optimizers.Adam(
        k.optimizers.schedules.ExponentialDecay(0.1, 5, 0.5)
    ),
}  # fmt: skip
METRICS = ["accuracy", "sparse_top_k_categorical_accuracy"]


def made(k, optimizer="adam"):
    """A model with one within, every array said, some of them turned on their way into beak."""
    layers = k.layers
    within = [layers.SeparableConv2D(4, 3), layers.BatchNormalization(), layers.ReLU()]
    rest = [
        layers.MaxPooling2D(), layers.Flatten(), layers.Dense(5, activation="relu"),
        layers.Dropout(0.0), layers.Dense(3, activation="softmax"),
    ]  # fmt: skip
    model = k.Sequential([k.Input((8, 8, 2)), k.Sequential(within), *rest])
    rng = np.random.default_rng(1)
    model.set_weights([np.abs(rng.normal(size=w.shape)) * 0.3 for w in model.get_weights()])
    top = k.metrics.SparseTopKCategoricalAccuracy(2)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy", top])
    return model


def losses(model, epochs):
    """Each epoch's loss and metrics."""
    history = model.fit(X, Y, epochs=epochs, shuffle=False, verbose=0, batch_size=8).history
    assert len(history) == 3
    return np.array([history[name] for name in sorted(history)]).T


QUICK = ("adam", "nesterov", "centred", "schedule")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in OPTIMIZERS],
)
def test_two_epochs_a_file_and_two_more_are_four(name, tmp_path):
    judge = real()
    whole = losses(made(judge, OPTIMIZERS[name](judge)), 4)
    assert np.abs(np.diff(whole[:, 1])).min() > 1e-3  # each epoch's loss is another
    for begins in (keras, judge):
        model = made(begins, OPTIMIZERS[name](begins))
        first = losses(model, 2)
        for ending in ("keras", "h5"):
            path = str(tmp_path / f"{begins.__name__}.{ending}")
            model.save(path)
            for goes_on in (keras, judge) if ending == "keras" else (keras,):
                again = goes_on.models.load_model(path)
                np.testing.assert_allclose(
                    np.concatenate([first, losses(again, 2)]), whole, rtol=2e-5, atol=2e-5
                )
                assert float(again.optimizer.iterations) == 16


@pytest.mark.filterwarnings("ignore")
def test_keras_trains_on_from_an_old_file_of_ours(tmp_path):
    model = made(keras)
    losses(model, 1)
    model.save(tmp_path / "m.h5")
    again = real().models.load_model(str(tmp_path / "m.h5"))
    assert losses(again, 1)[0, 1] < losses(made(keras), 1)[0, 1]


@pytest.mark.filterwarnings("ignore")
def test_a_file_lists_the_variables_that_keras_lists(tmp_path):
    def variables(k, optimizer):
        model = made(k, optimizer(k))
        losses(model, 1)
        model.save(str(tmp_path / "m.keras"))
        with zipfile.ZipFile(tmp_path / "m.keras") as archive:
            weights = io.BytesIO(archive.read("model.weights.h5"))
        with h5py.File(weights) as file:
            held = file["optimizer/vars"]
            name = held.attrs["name"]
            return name, [held[str(i)][()] for i in range(len(held))]

    judge = real()
    for optimizer in map(OPTIMIZERS.get, QUICK):
        judge.utils.clear_session()
        keras.utils.clear_session()
        (named, ours), (called, theirs) = variables(keras, optimizer), variables(judge, optimizer)
        assert named == called
        assert [a.shape for a in ours] == [a.shape for a in theirs]
        assert [a.dtype.kind for a in ours] == [a.dtype.kind for a in theirs]
        for mine, its in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(mine, its, rtol=1e-3, atol=3e-5)


def test_what_is_frozen_has_no_moments_in_a_file(tmp_path):
    model = made(keras)
    model.layers[0].trainable = False
    model.compile("adam", "sparse_categorical_crossentropy", metrics=METRICS)
    whole = losses(model, 2)
    model = made(keras)
    model.layers[0].trainable = False
    model.compile("adam", "sparse_categorical_crossentropy", metrics=METRICS)
    first = losses(model, 1)
    model.save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        weights = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(weights) as file:
        assert len(file["optimizer/vars"]) == 2 + 2 * 4  # two kernels, two biases
    again = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(np.concatenate([first, losses(again, 1)]), whole)


def test_a_file_saved_again_untouched_is_the_same(tmp_path):
    model = made(keras)
    losses(model, 1)
    model.save(tmp_path / "a.keras")
    keras.models.load_model(tmp_path / "a.keras").save(tmp_path / "b.keras")
    parts = []
    for name in "ab":
        with zipfile.ZipFile(tmp_path / f"{name}.keras") as archive:
            weights = io.BytesIO(archive.read("model.weights.h5"))
        with h5py.File(weights) as file:
            held = file["optimizer/vars"]
            parts.append([held[str(i)][()] for i in range(len(held))])
    assert len(parts[0]) > 2
    for one, other in zip(*parts, strict=True):
        np.testing.assert_array_equal(one, other)


def test_weights_alone_bring_moments_to_a_model_that_has_some(tmp_path, capsys):
    model = made(keras)
    first = losses(model, 1)
    model.save_weights(tmp_path / "m.weights.h5")
    second = losses(model, 1)
    model.optimizer.learning_rate = 0.5
    model.load_weights(tmp_path / "m.weights.h5")
    assert float(model.optimizer.learning_rate) == pytest.approx(0.001)
    np.testing.assert_array_equal(losses(model, 1), second)
    fresh = made(keras)
    assert not capsys.readouterr().err
    fresh.load_weights(tmp_path / "m.weights.h5")  # as Keras: it has no moments to compare with
    assert "20 variables are not taken" in capsys.readouterr().err
    assert fresh.optimizer.iterations == 0
    assert model.optimizer.iterations == 8
    assert not np.array_equal(losses(fresh, 1), second)
    assert first[0, 1] > second[0, 1]


def test_compile_begins_with_fresh_moments(tmp_path):
    model = made(keras)
    losses(model, 2)
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    plain = keras.models.load_model(tmp_path / "m.keras", compile=False)
    assert plain.optimizer is None
    for one in (again, plain):
        one.compile("adam", "sparse_categorical_crossentropy", metrics=METRICS)
        assert one.optimizer.iterations == 0
    np.testing.assert_array_equal(losses(again, 1), losses(plain, 1))


def test_without_its_optimizer_a_file_is_not_compiled(tmp_path):
    model = made(keras)
    losses(model, 1)
    for ending in ("keras", "h5"):
        model.save(tmp_path / f"m.{ending}", include_optimizer=False)
        assert keras.models.load_model(tmp_path / f"m.{ending}").optimizer is None


def test_a_rate_that_callbacks_changed_goes_on(tmp_path):
    model = made(keras)
    losses(model, 1)
    model.optimizer.learning_rate = 0.0125
    model.save(tmp_path / "m.keras")
    assert float(keras.models.load_model(tmp_path / "m.keras").optimizer.learning_rate) == 0.0125


def damaged(path, change):
    """A file whose optimizer's variables are changed."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    weights = io.BytesIO(parts["model.weights.h5"])
    with h5py.File(weights, "r+") as file:
        change(file["optimizer/vars"])
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in {**parts, "model.weights.h5": weights.getvalue()}.items():
            archive.writestr(name, data)


def test_moments_of_another_shape_are_said_and_left(tmp_path, capsys):
    model = made(keras)
    losses(model, 1)
    model.save(tmp_path / "m.keras")

    def other(held):
        del held["4"]
        held.create_dataset("4", data=np.zeros(7, "f"))

    damaged(tmp_path / "m.keras", other)
    again = keras.models.load_model(tmp_path / "m.keras")
    assert "are not taken" in capsys.readouterr().err
    assert again.optimizer.iterations == 0
    losses(again, 1)

    def text(held):
        del held["3"]
        held.create_dataset("3", data="words")

    damaged(tmp_path / "m.keras", text)
    with pytest.raises(RunError, match="is no array of numbers"):
        keras.models.load_model(tmp_path / "m.keras")


# What compile was given.

ONE_HOT = np.eye(3, dtype="f")[Y]
COMPILED = {
    "logits": (lambda k: k.losses.SparseCategoricalCrossentropy(from_logits=True), ["accuracy"], Y),
    "smooth": (lambda k: k.losses.CategoricalCrossentropy(label_smoothing=0.1), ["acc"], ONE_HOT),
    "function": (lambda k: k.losses.mean_squared_error, ["mae"], ONE_HOT),
    "word": (lambda k: "mse", ["categorical_accuracy", "MeanAbsoluteError"], ONE_HOT),
    "huber": (lambda k: k.losses.Huber(), [], ONE_HOT),
    "list": (lambda k: ["mse"], [["accuracy"]], ONE_HOT),
    "objects": (
        lambda k: k.losses.BinaryCrossentropy(from_logits=True),
        lambda k: [k.metrics.Precision(0.3, name="said"), k.metrics.Recall(name="found"),
                   k.metrics.BinaryAccuracy(threshold=0.2), k.metrics.TopKCategoricalAccuracy(2)],
        ONE_HOT,
    ),
    "metric function": (
        lambda k: "mse", lambda k: [k.metrics.categorical_accuracy, "mse"], ONE_HOT
    ),
}  # fmt: skip
NOT_IN_H5 = ("function", "word", "list", "metric function")
"""What Keras cannot read of its own old files: functions by their word."""


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("ending", ["keras", "h5"])
@pytest.mark.parametrize("name", COMPILED)
def test_loss_and_metrics_come_back_both_ways(name, ending, tmp_path):
    loss, metrics, y = COMPILED[name]
    judge, x = real(), X.reshape(32, -1)[:, :6]

    def fitted(model):
        return dict(sorted(model.fit(x, y, epochs=2, shuffle=False, verbose=0).history.items()))

    def compiled(k):
        model = k.Sequential([k.Input((6,)), k.layers.Dense(3)])
        model.set_weights([np.linspace(-1, 1, 18).reshape(6, 3), np.zeros(3)])
        counted = metrics(k) if callable(metrics) else metrics
        model.compile("sgd", loss(k), metrics=counted)
        return model

    wanted = fitted(compiled(judge))
    for begins in (keras, judge):
        path = str(tmp_path / f"{begins.__name__}.{ending}")
        compiled(begins).save(path)
        by_keras = begins is keras and (ending == "keras" or name not in NOT_IN_H5)
        for goes_on in (keras, judge) if by_keras else (keras,):
            found = fitted(goes_on.models.load_model(path))
            assert list(found) == list(wanted)
            for key, values in wanted.items():
                np.testing.assert_allclose(found[key], values, 2e-5, 2e-5, err_msg=key)


def test_what_keras_forgets_of_a_loss_or_metric_comes_back_from_our_files(tmp_path):
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3)])
    model.compile(
        "sgd",
        keras.losses.Huber(0.3),
        metrics=[keras.metrics.BinaryCrossentropy(from_logits=True, label_smoothing=0.1)],
    )
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    assert again._training.compiled.loss.delta == 0.3
    x = X.reshape(32, -1)[:, :6]
    assert again.evaluate(x, ONE_HOT, verbose=0) == model.evaluate(x, ONE_HOT, verbose=0)


def test_a_configuration_that_beak_does_not_have_is_said_once_and_the_model_still_comes(
    tmp_path, capsys
):
    model = made(keras)
    model.save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(parts["config.json"])
    config["compile_config"]["optimizer"]["class_name"] = "Lion"
    with zipfile.ZipFile(tmp_path / "lion.keras", "w") as archive:
        for name, data in {**parts, "config.json": json.dumps(config).encode()}.items():
            archive.writestr(name, data)
    again = keras.models.load_model(tmp_path / "lion.keras")
    assert again.optimizer is None
    assert "not compiled: the optimizer 'Lion' is not in beak" in capsys.readouterr().err
