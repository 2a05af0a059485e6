"""fit, metrics and callbacks beside real Keras 3: odd arguments are taken alike or refused."""

from __future__ import annotations

import numpy as np
import pytest

from beak import keras
from beak.errors import BeakError
from tests.keras.judge import ONE_HOT, X, Y, agree, fit, generator, model

pytestmark = pytest.mark.filterwarnings("ignore")

# Refused in one line.

L, C, M, O = keras.layers, keras.callbacks, keras.metrics, keras.optimizers  # noqa: E741
WORDS = np.array(["cat", "dog", "cow"] * 8)
REFUSED = {
    "words as labels": (lambda: fit(model(keras), y=WORDS), "y: .*'cat'.* numbers were wanted"),
    "words as inputs": (lambda: fit(model(keras), x=WORDS[:, None]), "x: .* numbers were wanted"),
    "words as weights": (
        lambda: fit(model(keras), sample_weight=["a"] * 24), "sample_weight: .* numbers"
    ),
    "a word of a class": (lambda: fit(model(keras), class_weight={"cat": 1}), "'cat' is no class"),
    "no number of a class": (
        lambda: fit(model(keras), class_weight={0: None}), "0: None is no number"
    ),
    "weights as a list": (lambda: fit(model(keras), class_weight=[1, 2]), "a dict was wanted"),
    "balanced": (lambda: fit(model(keras), class_weight="balanced"), "a dict was wanted"),
    "precision of class numbers": (
        lambda: fit(model(keras, metrics=[M.Precision()])), r"labels of \(8,\) for answers of"
    ),
    "recall of class numbers": (
        lambda: fit(model(keras, metrics=[M.Recall()])), r"to_categorical\(y\)"
    ),
    "a threshold beyond": (lambda: M.Precision(thresholds=1.5), "from 0 to 1"),
    "a folder that is not there": (
        lambda: fit(model(keras), callbacks=[C.CSVLogger("nowhere/x.csv")]), "x.csv: No such file"
    ),
    "a folder as a file": (
        lambda: fit(model(keras), callbacks=[C.CSVLogger(".")]), "Is a directory"
    ),
    "a batch size in words": (lambda: fit(model(keras), batch_size="32"), "batch_size='32'"),
    "a half batch": (lambda: fit(model(keras), batch_size=8.5), "batch_size=8.5; a whole number"),
    "a batch size for predict": (lambda: model(keras).predict(X, batch_size=2.0), "batch_size=2.0"),
    "a batch size of True": (lambda: fit(model(keras), batch_size=True), "batch_size=True"),
    "epochs in words": (lambda: fit(model(keras), epochs="2"), "epochs='2'"),
    "a share in words": (lambda: fit(model(keras), validation_split=".2"), "from 0 to below 1"),
    "never validated": (
        lambda: fit(model(keras), validation_data=(X, Y), validation_freq=0), "validation_freq=0"
    ),
    "a rate in words": (lambda: O.SGD("fast"), "learning_rate='fast'; a number"),
    "momentum below 0": (lambda: O.SGD(0.1, momentum=-0.1), "momentum=-0.1; from 0 to 1"),
    "dropout below 0": (lambda: L.Dropout(-0.1), "rate=-0.1; from 0 to 1"),
    "dropout above 1": (lambda: L.SpatialDropout2D(2), "rate=2; from 0 to 1"),
    "units below 1": (lambda: L.Dense(0), "units=0; a whole number of at least 1"),
    "units in halves": (lambda: L.Dense(2.0), "units=2.0"),
    "filters below 1": (lambda: L.Conv2D(-3, 3), "filters=-3"),
    "a window of 0": (lambda: L.Conv2D(3, (3, 0)), "kernel_size=0"),
    "nothing that says which way": (
        lambda: fit(model(keras), callbacks=[C.EarlyStopping("nothing")]), "mode='min' or"
    ),
    "an empty generator": (
        lambda: model(keras).fit(generator(0), verbose=0), "the generator gave no batch"
    ),
    "an empty generator for predict": (
        lambda: model(keras).predict(iter(()), verbose=0), "the generator gave no batch"
    ),
    "weights that do not fit": (
        lambda: M.MeanSquaredError().update_state([1.0, 2], [1.0, 5], [1, 2, 3]), "sample weights"
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_is_refused_in_one_line(what):
    run, words = REFUSED[what]
    with pytest.raises(BeakError, match=words) as caught:
        run()
    assert "\n" not in str(caught.value)


# As Keras does.

BINARY = {"loss": "binary_crossentropy", "units": 1, "end": "sigmoid"}
ALIKE = {
    "a class that has no weight": lambda k: fit(model(k), class_weight={0: 2.0, 1: 0.5}),
    "a negative weight": lambda k: fit(model(k), class_weight={0: -1.0, 1: 0.5}),
    "a class beyond": lambda k: fit(model(k), class_weight={0: 1, 1: 0.5, 10**12: 3}),
    "a class below": lambda k: fit(model(k), class_weight={-1: 4, 1: 0.5}),
    "a class by a float": lambda k: fit(model(k), class_weight={0.5: 4, 1.0: 0.5}),
    "weights of one-hot labels": lambda k: fit(
        model(k, "categorical_crossentropy"), y=ONE_HOT, class_weight={0: 2.0, 1: 0.5}
    ),
    "weights of rounded labels": lambda k: fit(
        model(k, "mse", ["mae"], 1, None), y=Y * 0.7, class_weight={0: 2.0, 1: 0.5}
    ),
    "precision and recall": lambda k: fit(
        model(k, metrics=[k.metrics.Precision(thresholds=0.4), k.metrics.Recall()], **BINARY),
        y=Y == 1,
    ),
    "precision of columns": lambda k: fit(
        model(k, "categorical_crossentropy", [k.metrics.Precision(), k.metrics.Precision()]),
        y=ONE_HOT,
    ),
    "precision of one class": lambda k: fit(
        model(k, "categorical_crossentropy", [k.metrics.Precision(class_id=1, name="p")]),
        y=ONE_HOT,
    ),
    "recall of the strongest": lambda k: fit(
        model(k, "categorical_crossentropy", [k.metrics.Recall(top_k=1), "categorical_accuracy"]),
        y=ONE_HOT,
    ),
    "steps beyond the data": lambda k: fit(model(k), steps_per_epoch=5, epochs=2),
    "steps that go on": lambda k: fit(model(k), steps_per_epoch=2, epochs=4),
    "no steps": lambda k: fit(model(k), steps_per_epoch=0),
    "a generator that ends within": lambda k: model(k).fit(
        generator(5), steps_per_epoch=3, epochs=4, verbose=0
    ),
    "a generator that ends with an epoch": lambda k: model(k).fit(
        generator(6), steps_per_epoch=3, epochs=5, verbose=0
    ),
    "a generator without steps": lambda k: model(k).fit(generator(5), epochs=3, verbose=0),
    "a generator for validation": lambda k: fit(
        model(k), epochs=3, validation_data=generator(4), validation_steps=2
    ),
    "a generator for validation, whole": lambda k: fit(
        model(k), epochs=3, validation_data=generator(3)
    ),
    "a generator for evaluate": lambda k: model(k).evaluate(generator(2), steps=3, verbose=0),
    "limits that are none": lambda k: fit(
        model(k, optimizer=k.optimizers.SGD(0.5, clipnorm=-1.0)), epochs=2
    ),
    "a rate below 0": lambda k: fit(model(k, optimizer=k.optimizers.SGD(-0.1)), epochs=2),
    "patience below 0": lambda k: fit(
        model(k), epochs=3, callbacks=[k.callbacks.EarlyStopping("loss", patience=-1)]
    ),
}


@pytest.mark.parametrize("what", ALIKE)
def test_odd_arguments_mean_what_they_mean_in_keras(what):
    agree(ALIKE[what])


def test_a_generator_that_ends_brings_the_best_weights_back():
    def scenario(k):
        stop = k.callbacks.EarlyStopping("loss", patience=5, restore_best_weights=True)
        made = model(k)
        history = made.fit(generator(5), steps_per_epoch=3, epochs=3, verbose=0, callbacks=[stop])
        return [history.epoch, stop.best_epoch, *made.get_weights()]

    assert agree(scenario)[:2] == [[0, 1, 2], 0]


def test_a_dataset_of_ones_own_is_told_of_ends_as_often():
    def scenario(k):
        class Own(k.utils.PyDataset):
            ended = 0

            def __init__(self):
                super().__init__()

            def __len__(self):
                return 3

            def __getitem__(self, index):
                return X[index * 8 : index * 8 + 8], Y[index * 8 : index * 8 + 8]

            def on_epoch_end(self):
                self.ended += 1

        data, made = Own(), model(k)
        losses = made.fit(data, epochs=3, steps_per_epoch=2, shuffle=False, verbose=0)
        return [data.ended, losses.history["loss"], made.evaluate(data, verbose=0), data.ended]

    agree(scenario)


def test_metrics_alone_count_what_keras_counts():
    def scenario(k):
        found = []
        for kind, labels, answers in (
            ("MeanSquaredError", [1.0, 2, 3], [1.0, 2, 5]),
            ("MeanSquaredError", 1.0, 3.0),
            ("MeanAbsoluteError", [[1.0, 2]], [[1.0, 4]]),
            ("BinaryAccuracy", [1, 0, 1], [0.9, 0.3, 0.2]),
            ("Precision", [0, 1, 1, 1], [0.1, 0.7, 0.8, 0.2]),
        ):
            metric = getattr(k.metrics, kind)()
            metric.update_state(labels, answers)
            found.append(float(metric.result()))
        return found

    agree(scenario)


def test_a_checkpoint_every_0_batches_is_one_each_batch(tmp_path):
    def scenario(k):
        kept = k.callbacks.ModelCheckpoint(
            str(tmp_path / (k.__name__ + "{epoch}-{batch}.weights.h5")),
            save_weights_only=True,
            save_freq=0,
        )
        fit(model(k), callbacks=[kept])
        return len(list(tmp_path.glob(k.__name__ + "*")))

    assert agree(scenario) == 3


def test_a_network_of_dropout_alone_answers_and_trains():
    def scenario(k):
        made = k.Sequential([k.Input((4,)), k.layers.Dropout(0.0)])
        made.compile("sgd", "mse")
        return [made.predict(X, verbose=0), made.fit(X, 2 * X, verbose=0).history]

    agree(scenario)


# Callbacks that wait, driven by made-up losses.


def driven(k, made_callback, sequences):
    """For each: when the callback stopped, which rates it set and which weights it left."""
    made, found = model(k, optimizer=k.optimizers.SGD(0.5)), []
    for losses in sequences:
        callback, made.optimizer.learning_rate, made.stop_training = made_callback(k), 0.5, False
        callback.set_model(made)
        callback.on_train_begin()
        rates, stopped = [], -1
        for epoch, loss in enumerate(losses):
            made.layers[-1].set_weights([np.full((4, 3), epoch, "f"), np.zeros(3, "f")])
            callback.on_epoch_end(epoch, {"loss": loss, "val_loss": -loss})
            rates.append(float(made.optimizer.learning_rate))
            if made.stop_training:
                stopped = epoch
                break
        callback.on_train_end()
        found.append([rates, stopped, made.get_weights()[0]])
    return found


# Losses that fall, rise and repeat.
SEQUENCES = np.round(np.random.default_rng(3).random((8, 12)) * 4, 1).tolist()


@pytest.mark.parametrize("baseline", [None, 0.5, 2.0])
@pytest.mark.parametrize(
    "options", [{}, {"mode": "max"}, {"min_delta": 0.4, "monitor": "val_loss"}]
)
def test_stopping_early_waits_for_the_baseline_as_keras_does(baseline, options):
    options = {"monitor": "loss", "patience": 3, "restore_best_weights": True, **options}
    agree(
        lambda k: driven(
            k, lambda k: k.callbacks.EarlyStopping(baseline=baseline, **options), SEQUENCES
        )
    )


@pytest.mark.parametrize("cooldown", [0, 1, 3])
@pytest.mark.parametrize("options", [{}, {"min_lr": 0.2}, {"mode": "max", "min_delta": 0.5}])
def test_plateaus_cool_down_as_in_keras(cooldown, options):
    options = {"monitor": "loss", "patience": 2, "factor": 0.5, **options}
    found = agree(
        lambda k: driven(
            k, lambda k: k.callbacks.ReduceLROnPlateau(cooldown=cooldown, **options), SEQUENCES
        )
    )
    assert min(rates[-1] for rates, _, _ in found) < 0.5


# Layers that move numbers.


def moving(k, *names):
    """Small models: what they are made of."""
    layers = k.layers
    made = {
        "padded": [(6, 5, 3), layers.ZeroPadding2D(((1, 2), (0, 3))), layers.Conv2D(4, 3)],
        "padded inside": [
            (6, 5, 3), layers.Conv2D(4, 3), layers.ZeroPadding2D(), layers.MaxPooling2D(2)
        ],
        "cropped": [(6, 7, 3), layers.Conv2D(4, 2), layers.Cropping2D((1, 2)), layers.ReLU()],
        "channels first": [
            (3, 6, 7), layers.ZeroPadding2D((2, 1), data_format="channels_first"),
            layers.Cropping2D(((0, 1), (2, 0)), data_format="channels_first"),
        ],
        "repeated": [(4, 3, 2), layers.UpSampling2D((3, 2)), layers.Conv2D(3, 2)],
        "between": [
            (4, 3, 2), layers.Conv2D(3, 2), layers.UpSampling2D(2, interpolation="bilinear"),
            layers.Flatten(), layers.Dense(3),
        ],
        "sequence": [
            (5, 3), layers.ZeroPadding1D((1, 2)), layers.Conv1D(4, 2), layers.UpSampling1D(3),
            layers.Cropping1D((2, 1)), layers.Conv1D(2, 2),
        ],
        "row as map": [
            (12,), layers.Dense(24), layers.Reshape((3, 4, 2)), layers.Conv2D(2, 2),
            layers.Reshape((-1,)), layers.Dense(2),
        ],
        "map as sequence": [
            (4, 6, 2), layers.Conv2D(3, 1), layers.Reshape((-1, 6)), layers.Conv1D(2, 3)
        ],
        "flattened and back": [
            (4, 6, 2), layers.Conv2D(3, 1), layers.Flatten(), layers.Reshape((8, 9)),
            layers.Conv1D(2, 3),
        ],
        "one place": [
            (4, 6, 2), layers.GlobalAveragePooling2D(), layers.Reshape((1, 1, 2)),
            layers.ZeroPadding2D(1), layers.Conv2D(2, 2),
        ],
    }  # fmt: skip
    return made[names[0]] if names else made


@pytest.mark.parametrize("name", moving(keras))
def test_what_moves_numbers_answers_and_trains_as_in_keras(name, tmp_path):
    def scenario(k):
        shape, *layers = moving(k, name)
        made = k.Sequential([k.Input(shape), *layers])
        random = np.random.default_rng(0)
        made.set_weights([random.normal(size=w.shape).astype("f") * 0.3 for w in made.weights])
        x = random.normal(size=(4, *shape)).astype("f")
        answers = np.asarray(made.predict(x, verbose=0))
        path = str(tmp_path / f"{k.__name__}.keras")
        made.save(path)
        other = made if k is not keras else keras.models.load_model(str(tmp_path / "keras.keras"))
        made.compile("sgd", "mse")
        losses = [made.train_on_batch(x, random.normal(size=answers.shape)) for _ in range(3)]
        again = answers if k is not keras else other.predict(x, verbose=0)
        return [answers, again, [float(loss) for loss in losses], made.get_weights()]

    agree(scenario, 1e-4)
