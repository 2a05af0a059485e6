"""fit, evaluate, callbacks, feeds and refusals, as Keras has them."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from PIL import Image

from beak import keras
from beak.errors import NetworkError, ShapeError, UsageError

L, C = keras.layers, keras.callbacks


@pytest.fixture(autouse=True)
def fresh():
    keras.utils.set_random_seed(7)
    yield
    keras.config.set_image_data_format("channels_last")


def small(metrics=("accuracy",), optimizer="sgd"):
    model = keras.Sequential([keras.Input((4,)), L.Dense(3, activation="softmax")])
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=list(metrics))
    return model


X = np.random.default_rng(0).normal(size=(20, 4)).astype("f")
Y = np.arange(20) % 3


def test_history_holds_every_epoch_in_the_order_of_names():
    history = small().fit(X, Y, epochs=5, initial_epoch=2, validation_split=0.25, verbose=0)
    assert history.epoch == [2, 3, 4]
    assert list(history.history) == ["accuracy", "loss", "val_accuracy", "val_loss"]
    assert len(history.history["loss"]) == 3


def test_the_last_part_validates_before_any_shuffling():
    model = small()
    seen = []
    watch = C.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(model.evaluate(X[15:], Y[15:], verbose=0))
    )
    history = model.fit(X, Y, validation_split=0.25, verbose=0, callbacks=[watch])
    assert seen[0] == [history.history["val_loss"][0], history.history["val_accuracy"][0]]


def test_without_shuffling_batches_come_in_order_and_the_last_is_smaller():
    whole, by_hand = small(), small()
    by_hand.set_weights(whole.get_weights())
    whole.fit(X, Y, batch_size=8, shuffle=False, verbose=0)
    for at in (slice(0, 8), slice(8, 16), slice(16, 20)):
        by_hand.train_on_batch(X[at], Y[at])
    for a, b in zip(whole.get_weights(), by_hand.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_epochs_loss_is_the_mean_over_examples():
    model = small(optimizer=keras.optimizers.SGD(0.0))
    history = model.fit(X, Y, batch_size=8, verbose=0)
    each = keras.losses.sparse_categorical_crossentropy(Y, model.predict(X, verbose=0))
    assert history.history["loss"][0] == pytest.approx(each.mean(), rel=1e-5)


def test_weights_of_classes_are_weights_of_examples():
    weighted, classed = small(), small()
    classed.set_weights(weighted.get_weights())
    weighted.fit(X, Y, sample_weight=np.array([1, 3, 0.5])[Y], shuffle=False, verbose=0)
    classed.fit(X, Y, class_weight={1: 3, 2: 0.5}, shuffle=False, verbose=0)
    for a, b in zip(weighted.get_weights(), classed.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(UsageError, match="at once"):
        classed.fit(X, Y, class_weight={0: 1}, sample_weight=np.ones(20), verbose=0)


def test_a_generator_goes_on_where_the_epoch_before_stopped():
    taken = []

    def batches():
        while True:
            for begin in range(0, 20, 5):
                taken.append(begin)
                yield X[begin : begin + 5], Y[begin : begin + 5]

    model = small()
    model.fit(batches(), steps_per_epoch=3, epochs=2, verbose=0)
    assert taken[:6] == [0, 5, 10, 15, 0, 5]
    assert model.optimizer.iterations == 6


def test_a_dataset_of_ones_own_is_told_when_an_epoch_ends():
    class Own(keras.utils.PyDataset):
        ended = 0

        def __len__(self):
            return 4

        def __getitem__(self, index):
            return X[index * 5 : index * 5 + 5], Y[index * 5 : index * 5 + 5]

        def on_epoch_end(self):
            self.ended += 1

    data = Own()
    small().fit(data, epochs=2, verbose=0)
    assert data.ended == 3  # before the first epoch too, as in Keras


def test_training_stops_early_and_the_best_weights_come_back():
    model = small(optimizer=keras.optimizers.SGD(0.5))
    stop = C.EarlyStopping(patience=1, mode="max", restore_best_weights=True)
    kept = []
    note = C.LambdaCallback(on_epoch_end=lambda epoch, logs: kept.append(model.get_weights()[0]))
    history = model.fit(X, Y, epochs=9, validation_split=0.3, callbacks=[note, stop], verbose=0)
    assert len(history.epoch) == 2  # a loss that falls is no rise
    np.testing.assert_array_equal(model.get_weights()[0], kept[0])


def test_checkpoints_are_named_by_epoch_and_kept_when_better(tmp_path):
    model = small()
    every = C.ModelCheckpoint(tmp_path / "w{epoch:02d}.weights.h5", save_weights_only=True)
    best = C.ModelCheckpoint(
        tmp_path / "best.keras", monitor="loss", mode="max", save_best_only=True
    )
    model.fit(X, Y, epochs=2, callbacks=[every, best], verbose=0)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "best.keras",
        "w01.weights.h5",
        "w02.weights.h5",
    ]
    first = small()
    first.load_weights(tmp_path / "w01.weights.h5")
    kept = keras.models.load_model(tmp_path / "best.keras")
    np.testing.assert_array_equal(kept.get_weights()[0], first.get_weights()[0])


def test_rates_follow_schedules_plateaus_and_callbacks(tmp_path):
    model = small()
    plan = C.LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1))
    log = C.CSVLogger(tmp_path / "log.csv")
    history = model.fit(X, Y, epochs=2, callbacks=[plan, log], verbose=0)
    assert history.history["learning_rate"] == [0.1, 0.05]
    rows = list(csv.DictReader((tmp_path / "log.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["0", "1"]
    assert float(rows[1]["learning_rate"]) == 0.05
    flat = C.ReduceLROnPlateau(monitor="loss", mode="max", factor=0.5, patience=1)
    model.fit(X, Y, epochs=3, callbacks=[flat], verbose=0)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.05 * 0.25)
    planned = small(optimizer=keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(1, 9)))
    with pytest.raises(UsageError, match="follows a schedule"):
        planned.fit(X, Y, callbacks=[plan], verbose=0)


def test_schedules_are_those_of_their_definitions():
    s = keras.optimizers.schedules
    assert s.ExponentialDecay(1, 10, 0.5)(20) == 0.25
    assert s.ExponentialDecay(1, 10, 0.5, staircase=True)(19) == 0.5
    assert s.InverseTimeDecay(1, 10, 0.5)(20) == 0.5
    assert s.PiecewiseConstantDecay([2, 4], [3, 2, 1])(2) == 3
    assert s.PiecewiseConstantDecay([2, 4], [3, 2, 1])(3) == 2
    assert s.PolynomialDecay(1, 10, 0.5, power=2)(5) == 0.625
    assert s.CosineDecay(1, 10, alpha=0.2)(5) == pytest.approx(0.6)
    assert s.CosineDecay(0.0, 10, warmup_target=1.0, warmup_steps=4)(1) == 0.25
    assert s.CosineDecay(0.0, 10, warmup_target=1.0, warmup_steps=4)(9) == pytest.approx(0.5)


def test_a_loss_that_is_no_number_ends_training(capsys):
    model = small(optimizer=keras.optimizers.SGD(0.1))
    bad = X.copy()
    bad[3] = np.nan
    history = model.fit(bad, Y, epochs=4, callbacks=[C.TerminateOnNaN()], verbose=0)
    assert len(history.epoch) == 1
    assert "Invalid loss" in capsys.readouterr().out


def test_what_fit_prints_reads_as_keras_prints(capsys):
    small().fit(X, Y, batch_size=10, epochs=2, verbose=2)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Epoch 1/2"
    assert lines[1].startswith("2/2 - 0s - ")
    assert "/step - accuracy: 0." in lines[1]
    assert " - loss: " in lines[1]


def test_metrics_count_as_their_names_say():
    rng = np.random.default_rng(0)
    p = rng.random((50, 6)).astype("f")
    y = rng.integers(0, 6, 50)
    m = keras.metrics
    ranked = (-p).argsort(1)
    top2 = (ranked[:, :2] == y[:, None]).any(1).mean()
    assert m.SparseTopKCategoricalAccuracy(2)(y, p) == pytest.approx(top2)
    assert m.TopKCategoricalAccuracy(2)(np.eye(6)[y], p) == pytest.approx(top2)
    assert m.SparseCategoricalAccuracy()(y, p) == pytest.approx((p.argmax(1) == y).mean())
    b = rng.integers(0, 2, 50)
    right = ((p[:, 0] > 0.3) == b).mean()
    assert m.BinaryAccuracy(threshold=0.3)(b[:, None], p[:, :1]) == pytest.approx(right)
    said = p[:, 0] > 0.5
    assert m.Precision()(b, p[:, 0]) == pytest.approx((said & (b == 1)).sum() / said.sum())
    assert m.Recall()(b, p[:, 0]) == pytest.approx((said & (b == 1)).sum() / b.sum())


def test_two_models_of_the_same_layers_share_what_they_learn():
    start = keras.Input((4,))
    hidden = L.Dense(5, activation="relu")(start)
    whole = keras.Model(start, L.Dense(3, activation="softmax")(hidden))
    part = keras.Model(start, hidden)
    before = part.predict(X, verbose=0)
    whole.compile("sgd", "sparse_categorical_crossentropy")
    whole.fit(X, Y, verbose=0)
    after = part.predict(X, verbose=0)
    assert not np.array_equal(before, after)
    kernel, bias = whole.layers[1].get_weights()
    np.testing.assert_allclose(after, np.maximum(X @ kernel + bias, 0), rtol=1e-5, atol=1e-6)
    whole.layers[1].set_weights([kernel * 0, bias * 0])
    assert not part.predict(X, verbose=0).any()


def test_the_lectures_spelling_is_taken_and_named(capsys):
    from beak.keras.layers import Convolution2D, Dense

    keras.backend.clear_session()
    keras.config._State.said.clear()
    model = keras.Sequential()
    model.add(Convolution2D(25, 3, 3, input_shape=(1, 28, 28)))
    model.add(L.MaxPooling2D((2, 2)))
    model.add(Convolution2D(50, 3, 3))
    model.add(L.MaxPooling2D((2, 2)))
    model.add(L.Flatten())
    model.add(Dense(output_dim=100))
    assert [layer.output.shape[1:] for layer in model.layers] == [
        (25, 26, 26), (25, 13, 13), (50, 11, 11), (50, 5, 5), (1250,), (100,)
    ]  # fmt: skip
    said = capsys.readouterr().err
    assert "Convolution2D(25, 3, 3) is called Conv2D(25, (3, 3)) today" in said
    assert "output_dim is called units today" in said
    assert "channels first" in said


def test_what_is_not_there_is_refused_by_name_when_the_line_is_reached():
    with pytest.raises(AttributeError, match="layer LSTM is not in beak; nearest: Conv1D"):
        L.LSTM
    with pytest.raises(UsageError, match="unknown field 'kernel'; did you mean 'kernel_size'"):
        L.Conv2D(3, 3, kernel=3)
    with pytest.raises(NetworkError, match="activation 'selu' is not in beak; nearest"):
        L.Dense(2, activation="selu")(keras.Input((3,)))
    with pytest.raises(NetworkError, match="Rescaling within a network"):
        L.Rescaling(2.0)(L.Dense(2)(keras.Input((3,))))
    with pytest.raises(NetworkError, match="causal"):
        L.Conv1D(2, 2, padding="causal")(keras.Input((5, 2)))
    both = [keras.Input((3,)), keras.Input((3,))]
    with pytest.raises(NetworkError, match="2 inputs is not in beak"):
        keras.Model(both, L.add(both))
    with pytest.raises(UsageError, match="leaves a size open"):
        keras.Input((None, 3))
    with pytest.raises(AttributeError, match="keras.applications.VGG16 is not in beak"):
        keras.applications.VGG16

    class Own(keras.layers.Layer):
        def call(self, x):
            return x

    with pytest.raises(NetworkError, match="the layer Own"):
        Own()(keras.Input((3,)))


def test_a_layer_called_twice_is_refused_where_it_would_share_weights():
    start, layer = keras.Input((3,)), L.Dense(3)
    twice = keras.Model(start, layer(layer(start)))
    with pytest.raises(NetworkError, match="called twice in one model"):
        twice.predict(np.zeros((1, 3)), verbose=0)


def test_wrong_shapes_say_what_would_fit():
    model = small()
    with pytest.raises(ShapeError, match=r"inputs \(2, 5\) came"):
        model.predict(np.zeros((2, 5)), verbose=0)
    with pytest.raises(ShapeError, match="20 examples in x but 19 in y"):
        model.fit(X, Y[1:], verbose=0)
    with pytest.raises(ShapeError, match="labels from 0 to 3 for 3 classes"):
        model.fit(X, np.arange(20) % 4, verbose=0)
    with pytest.raises(UsageError, match="not compiled"):
        keras.Sequential([keras.Input((4,)), L.Dense(2)]).fit(X, Y)


def test_preparing_layers_do_what_they_say():
    pictures = np.random.default_rng(0).random((4, 6, 8, 3)).astype("f")
    flip = L.RandomFlip("horizontal")
    assert np.array_equal(flip(pictures), pictures)
    for before, after in zip(pictures, flip(pictures, training=True), strict=True):
        assert np.array_equal(after, before) or np.array_equal(after, before[:, ::-1])
    quarter = L.RandomRotation((0.25, 0.25), fill_mode="constant")
    square = pictures[:, :, :6]
    turned = quarter(square, training=True)
    either = [np.rot90(square, k, (1, 2)) for k in (1, 3)]
    assert min(np.abs(turned - one).max() for one in either) < 1e-5
    moved = L.RandomTranslation((0.5, 0.5), 0.0, fill_mode="constant")(pictures, training=True)
    np.testing.assert_allclose(moved[:, 3:], pictures[:, :3], atol=1e-6)
    assert not moved[:, :3].any()
    away = L.RandomZoom((1.0, 1.0), fill_mode="constant")(np.ones((1, 8, 8, 1), "f"), training=True)
    assert away[0, 4, 4, 0] == 1
    assert away[0, 0, 0, 0] == 0
    small_ = L.Resizing(3, 4)(pictures)
    np.testing.assert_allclose(small_, pictures.reshape(4, 3, 2, 4, 2, 3).mean((2, 4)), rtol=1e-5)
    assert np.array_equal(L.CenterCrop(2, 4)(pictures), pictures[:, 2:4, 2:6])
    flat = L.RandomContrast((-1.0, -1.0))(pictures * 255, training=True)
    np.testing.assert_allclose(flat[0, ..., 0], (pictures[0, ..., 0] * 255).mean(), rtol=1e-4)
    bright = L.RandomBrightness((0.5, 0.5), (0, 1))(pictures, training=True)
    np.testing.assert_allclose(bright, np.clip(pictures + 0.5, 0, 1), atol=1e-6)


def test_augmentation_happens_in_training_alone():
    model = keras.Sequential(
        [keras.Input((4, 4, 1)), L.RandomFlip("horizontal", seed=1), L.Flatten(), L.Dense(1)]
    )
    x = np.random.default_rng(0).random((6, 4, 4, 1)).astype("f")
    kernel, bias = model.get_weights()
    np.testing.assert_allclose(
        model.predict(x, verbose=0), x.reshape(6, 16) @ kernel + bias, rtol=1e-5, atol=1e-6
    )
    model.compile("sgd", "mse")
    loss = model.test_on_batch(x, np.zeros((6, 1)))
    assert model.train_on_batch(x, np.zeros((6, 1))) != pytest.approx(loss, rel=1e-4)


def test_a_folder_of_class_folders_is_split_without_overlap(tmp_path, capsys):
    for number, name in enumerate(("a", "b")):
        (tmp_path / name).mkdir()
        for k in range(6):
            Image.new("RGB", (6, 4), (number * 200, k * 10, 0)).save(tmp_path / name / f"{k}.png")
    options = {"validation_split": 0.25, "seed": 3, "image_size": (4, 6), "batch_size": 4}
    read = keras.utils.image_dataset_from_directory
    train = read(tmp_path, subset="training", **options)
    rest = read(tmp_path, subset="validation", **options)
    found = "Found 12 files belonging to 2 classes.\nUsing"
    said = f"{found} 9 files for training.\n{found} 3 files for validation.\n"
    assert capsys.readouterr().out == said
    assert train.class_names == ["a", "b"]
    assert (len(train), len(rest)) == (3, 1)
    assert not set(train.file_paths) & set(rest.file_paths)
    for pictures, labels in train:
        assert pictures.shape[1:] == (4, 6, 3)
        np.testing.assert_array_equal(pictures[:, 0, 0, 0] == 200, labels == 1)
    model = keras.Sequential([L.Rescaling(1 / 255), L.Flatten(), L.Dense(2, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    changed = train.map(lambda x, y: (x + 1, y)).prefetch(2)
    assert next(iter(changed))[0].min() == 1
    assert len(model.fit(train, validation_data=rest, epochs=2, verbose=0).epoch) == 2


def test_pictures_of_a_folder_are_their_pixels(tmp_path):
    rng = np.random.default_rng(0)
    held = {}
    for name, shape in (("a", (5, 7, 3)), ("b", (5, 7)), ("c", (5, 7, 4))):
        (tmp_path / name).mkdir()
        pixels = rng.integers(0, 255, shape).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / name / "1.png")
        held[name] = np.repeat(pixels[..., None], 3, 2) if pixels.ndim == 2 else pixels[..., :3]
    read = keras.utils.image_dataset_from_directory
    options = {"image_size": (5, 7), "shuffle": False}
    pictures, labels = next(iter(read(tmp_path, **options)))
    np.testing.assert_array_equal(pictures, np.stack(list(held.values())))
    assert labels.tolist() == [0, 1, 2]
    first, _ = next(iter(read(tmp_path, data_format="channels_first", **options)))
    np.testing.assert_array_equal(first, np.moveaxis(pictures, -1, 1))
    one = keras.utils.load_img(tmp_path / "a" / "1.png")
    np.testing.assert_array_equal(keras.utils.img_to_array(one), held["a"])
    grey = keras.utils.load_img(tmp_path / "a" / "1.png", color_mode="grayscale")
    assert grey.shape == (5, 7, 1)
    smaller = keras.utils.load_img(tmp_path / "b" / "1.png", target_size=(5, 3))
    assert smaller.shape == (5, 3, 3)


def test_a_summary_counts_what_is_there(capsys):
    small().summary()
    said = capsys.readouterr().out
    assert "Total params: 15 (60.00 B)" in said
    assert "(None, 3)" in said


def test_dropout_of_maps_takes_whole_channels_and_the_reference_agrees():
    from beak.engine.interface import Loss, Randomness
    from beak.engine.make import make_engine
    from beak.network.layers import Dense, Dropout, Flatten
    from beak.network.network import Network

    network = Network((6, 3, 4), [Dropout(0.5, maps=True), Flatten(), Dense(3)])
    x = np.random.default_rng(0).random((5, 6, 3, 4)).astype("f") + 1
    randomness = Randomness(3, 1, np.arange(5))
    found = [
        make_engine(network, kind=kind).loss_gradients(x, np.arange(5) % 3, Loss(), randomness)
        for kind in ("native", "reference")
    ]
    assert found[0][0].loss == pytest.approx(found[1][0].loss, rel=1e-5)
    ours, theirs = (one[1].input for one in found)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)
    dropped = (ours == 0).reshape(30, 12)
    assert set(dropped.mean(axis=1)) == {0.0, 1.0}
