"""Models made through Keras's names answer and learn as Keras's definitions say, in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from beak import keras
from beak.engine.rules import Rules
from beak.errors import NetworkError, ShapeError, UsageError
from beak.ops.optimiser import reference as rules
from tests.keras.semantics import answers

L, Optimizers = keras.layers, keras.optimizers
FUNCTIONS = st.sampled_from(["linear", "relu", "tanh", "sigmoid", "gelu", "silu", "leaky_relu"])
PADDING = st.sampled_from(["valid", "same"])


@pytest.fixture(autouse=True)
def fresh():
    keras.utils.set_random_seed(7)
    keras.config.set_image_data_format("channels_last")


def shaken(model, seed=0):
    """All weights drawn anew, biases and norms too; variances above 0."""
    rng = np.random.default_rng(seed)

    def drawn(shape):
        normal = rng.normal(size=shape) * 0.4
        return np.abs(normal) + 0.3 if len(shape) == 1 else normal

    model.set_weights([drawn(w.shape) for w in model.get_weights()])
    return model


def assert_answers(model, inputs, rtol=2e-5):
    expected, _ = answers(model, inputs)
    found = model.predict(inputs, verbose=0)
    assert found.shape == tuple(expected.shape)
    scale = max(1.0, float(expected.detach().abs().max()))
    np.testing.assert_allclose(found, expected.detach().numpy(), rtol=rtol, atol=rtol * scale)


@st.composite
def a_map_layer(draw):
    size = st.integers(1, 3)
    kind = draw(st.sampled_from(["conv", "depth", "separable", "max", "avg", "norm", "layer",
                                 "function", "leaky", "drop", "spatial", "pad", "crop", "up",
                                 "reshape"]))  # fmt: skip
    shape = {"strides": draw(size), "padding": draw(PADDING)}
    window = (draw(size), draw(size))
    options = {"activation": draw(FUNCTIONS), "use_bias": draw(st.booleans())}
    if kind == "conv":
        return lambda: L.Conv2D(draw(size), window, **shape, **options)
    if kind == "depth":
        return lambda: L.DepthwiseConv2D(window, depth_multiplier=2, **shape, **options)
    if kind == "separable":
        return lambda: L.SeparableConv2D(3, window, **shape, **options)
    if kind in ("max", "avg"):
        return lambda: (L.MaxPooling2D if kind == "max" else L.AveragePooling2D)(window, **shape)
    return {
        "norm": L.BatchNormalization,
        "layer": L.LayerNormalization,
        "function": lambda: L.Activation(options["activation"]),
        "leaky": lambda: L.LeakyReLU(0.15),
        "drop": lambda: L.Dropout(0.4),
        "spatial": lambda: L.SpatialDropout2D(0.4),
        "pad": lambda: L.ZeroPadding2D(((0, window[0]), (window[1], 1))),
        "crop": lambda: L.Cropping2D(((0, 1), (window[0] - 1, 0))),
        "up": lambda: L.UpSampling2D(
            window, interpolation="nearest" if shape["padding"] == "same" else "bilinear"
        ),
        "reshape": lambda: L.Reshape((-1, window[0], 1)),
    }[kind]


@st.composite
def a_model(draw):
    """A Sequential over maps that fits, its end a row, and where it ends."""
    channels = draw(st.integers(1, 3))
    model = keras.Sequential([keras.Input((draw(st.integers(5, 9)), 7, channels))])
    for make in draw(st.lists(a_map_layer(), min_size=1, max_size=4)):
        try:
            model.add(make())
        except ShapeError:
            break
    if not any(layer.weights for layer in model.layers):
        model.add(L.Conv2D(2, 1))  # what does nothing in prediction is no network
    end = draw(st.sampled_from(["flatten", "max", "mean", "map"]))
    if end == "flatten":
        model.add(L.Flatten())
        model.add(draw(st.sampled_from([L.BatchNormalization, L.LayerNormalization, L.ReLU]))())
    elif end != "map":
        model.add((L.GlobalMaxPooling2D if end == "max" else L.GlobalAveragePooling2D)())
    if draw(st.booleans()):
        model.add(L.Dense(3, activation=draw(FUNCTIONS)))
    return model


@settings(max_examples=40, deadline=None)
@given(model=a_model(), seed=st.integers(0, 99))
def test_any_sequential_answers_as_keras_defines_it(model, seed):
    shaken(model, seed)
    inputs = np.random.default_rng(seed).normal(size=(3, *model.input_shape[1:]))
    assert_answers(model, inputs.astype(np.float32))


@settings(max_examples=10, deadline=None)
@given(model=a_model(), seed=st.integers(0, 99))
def test_any_sequential_comes_back_from_its_config_with_the_same_answers(model, seed):
    shaken(model, seed)
    again = keras.models.model_from_json(model.to_json())
    again.set_weights(model.get_weights())
    inputs = np.random.default_rng(seed).normal(size=(2, *model.input_shape[1:])).astype("f")
    np.testing.assert_array_equal(
        model.predict(inputs, verbose=0), again.predict(inputs, verbose=0)
    )


def residual():
    """A functional model with whatever joins: sums, products, concatenations, models within."""
    start = keras.Input((9, 8, 2))
    x = L.Rescaling(2.0, -1.0)(start)
    x = keras.Sequential([L.Conv2D(6, 3, padding="same"), L.BatchNormalization(), L.ReLU()])(x)
    other = L.SeparableConv2D(6, 3, padding="same", activation="leaky_relu")(x)
    x = L.add([x, other]) + x
    gate = L.GlobalAveragePooling2D(keepdims=True)(x)
    gate = L.Dense(6, activation="sigmoid")(L.Conv2D(3, 1, activation="relu")(gate))
    x = x * gate
    x = L.Concatenate()([L.Conv2D(2, 1, strides=2)(x), L.AveragePooling2D(2, padding="same")(x)])
    rows = L.Concatenate()([L.Flatten()(x), L.GlobalMaxPooling2D()(x)])
    return keras.Model(start, L.Dense(3, activation="softmax")(L.Dropout(0.2)(rows)))


def flat_residual():
    """The same without the model within, which the definitions do not unfold."""
    start = keras.Input((9, 8, 2))
    x = L.Conv2D(6, 3, padding="same")(start)
    x = L.ReLU()(L.BatchNormalization()(x))
    other = L.SeparableConv2D(6, 3, padding="same", activation="leaky_relu")(x)
    x = L.add([x, other])
    gate = L.Dense(6, activation="sigmoid")(L.GlobalAveragePooling2D(keepdims=True)(x))
    x = L.Multiply()([x, gate])
    x = L.Concatenate()([L.Conv2D(2, 1, strides=2)(x), L.AveragePooling2D(2, padding="same")(x)])
    rows = L.Concatenate()([L.Flatten()(x), L.GlobalMaxPooling2D()(x)])
    return keras.Model(start, L.Dense(3, activation="softmax")(rows))


def sentences():
    return keras.Sequential(
        [keras.Input((9,), dtype="int32"), L.Embedding(30, 5), L.SpatialDropout1D(0.0),
         L.Conv1D(7, 3, activation="relu"), L.MaxPooling1D(2), L.Conv1D(6, 2, padding="same"),
         L.Dense(4), L.GlobalMaxPooling1D(), L.Dense(3, activation="softmax")]
    )  # fmt: skip


def test_a_graph_answers_as_keras_defines_it():
    model = shaken(flat_residual())
    assert_answers(model, np.random.default_rng(1).normal(size=(4, 9, 8, 2)).astype("f"))


def test_a_model_of_sentences_answers_as_keras_defines_it():
    model = shaken(sentences())
    assert_answers(model, np.random.default_rng(1).integers(0, 30, (4, 9)))


def test_a_row_that_was_flattened_in_keras_order_is_given_back_in_it():
    model = shaken(keras.Sequential([keras.Input((3, 4, 2)), L.Conv2D(5, 2), L.Flatten()]))
    assert_answers(model, np.random.default_rng(1).normal(size=(4, 3, 4, 2)).astype("f"))


def test_channels_first_is_flattened_as_it_lies():
    options = {"data_format": "channels_first"}
    model = keras.Sequential(
        [keras.Input((2, 6, 5)), L.Conv2D(3, 2, **options), L.MaxPooling2D(2, **options),
         L.Flatten(), L.Dense(4)]
    )  # fmt: skip
    shaken(model)
    twin = keras.Sequential(
        [keras.Input((6, 5, 2)), L.Conv2D(3, 2), L.MaxPooling2D(2), L.Flatten(), L.Dense(4)]
    )
    weights = model.get_weights()
    turned = weights[2].reshape(3, 2, 2, 4).transpose(1, 2, 0, 3).reshape(12, 4)
    twin.set_weights([*weights[:2], turned, weights[3]])
    x = np.random.default_rng(1).normal(size=(4, 6, 5, 2)).astype("f")
    first = model.predict(np.moveaxis(x, -1, 1), verbose=0)
    np.testing.assert_allclose(first, twin.predict(x, verbose=0), rtol=1e-5, atol=1e-5)


# Learning.


def keras_adam(p, g, m, v, step, rate, b1=0.9, b2=0.999, epsilon=1e-7):
    """As Keras writes Adam: epsilon beside the uncorrected root."""
    m, v = m + (g - m) * (1 - b1), v + (g * g - v) * (1 - b2)
    alpha = rate * np.sqrt(1 - b2**step) / (1 - b1**step)
    return p - m * alpha / (np.sqrt(v) + epsilon), m, v


def walk(model, optimizer, batches, loss, penalty=None):
    """The losses and weights of so many steps in float64, gradients by torch."""
    state, losses = {}, []
    for step, (x, y, weights) in enumerate(batches, 1):
        found, own = answers(model, x, training=True)
        each = loss(found, torch.as_tensor(y))
        value = (each * torch.as_tensor(weights)).mean()
        if penalty is not None:
            value = value + penalty(own)
        value.backward()
        losses.append(value.item())
        for path, tensor in own.items():
            if tensor.requires_grad:
                variable = next(v for v in model.variables if v.path == path)
                p, g = tensor.detach().numpy(), tensor.grad.numpy()
                kept = state.get(path, [np.zeros(p.shape)] * 3)
                new, *state[path] = optimizer(p, g, kept, step)
                variable.assign(new)
    return losses


def by_adam(p, g, kept, step):
    return keras_adam(p, g, *kept[:2], step, 0.01)


def by_adamw(p, g, kept, step):
    return keras_adam(p * (1 - 0.01 * 0.1), g, *kept[:2], step, 0.01)


def by_velocity(p, g, kept, step):
    rate = Optimizers.schedules.PolynomialDecay(0.05, 10)(step - 1)
    return rules.velocity(p, g, kept[0], rate, 0.9, nesterov=True)


def by_rmsprop(p, g, kept, step):
    return rules.rmsprop(p, g, *kept, 0.005, momentum=0.5, centred=True)


def by_descent(p, g, kept, step):
    return (p - 0.1 * g,)


RUNS = {
    "sgd": (lambda: Optimizers.SGD(0.1), by_descent),
    "adam": (lambda: Optimizers.Adam(0.01), by_adam),
    "adamw": (lambda: Optimizers.AdamW(0.01, weight_decay=0.1), by_adamw),
    "velocity": (
        lambda: Optimizers.SGD(
            Optimizers.schedules.PolynomialDecay(0.05, 10), momentum=0.9, nesterov=True
        ),
        by_velocity,
    ),
    "rmsprop": (lambda: Optimizers.RMSprop(0.005, momentum=0.5, centered=True), by_rmsprop),
}


@pytest.mark.parametrize("make", [flat_residual, sentences])
@pytest.mark.parametrize("name", RUNS)
def test_steps_from_the_same_start_lose_as_much_as_keras_definitions_do(name, make):
    words = make is sentences
    rng = np.random.default_rng(3)
    x = rng.integers(0, 30, (12, 9)) if words else rng.normal(size=(12, 9, 8, 2)).astype("f")
    y = rng.integers(0, 3, 12)
    ours, theirs = shaken(make()), shaken(make())
    theirs.set_weights(ours.get_weights())
    optimizer, rule = RUNS[name]
    ours.compile(optimizer(), "sparse_categorical_crossentropy")
    weights = np.linspace(0.2, 2, 6)
    batches = [(x[n % 2 :: 2], y[n % 2 :: 2], weights if n % 3 else np.ones(6)) for n in range(8)]

    def loss(found, labels):
        return torch.nn.functional.nll_loss(torch.log(found), labels, reduction="none")

    expected = walk(theirs, rule, batches, loss)
    found = [ours.train_on_batch(a, b, sample_weight=w) for a, b, w in batches]
    np.testing.assert_allclose(found, expected, rtol=3e-4)


LOSSES = {
    "mse": ("mse", lambda p, y: ((p - y) ** 2).mean(-1)),
    "mae": ("mean_absolute_error", lambda p, y: (p - y).abs().mean(-1)),
    "huber": (
        keras.losses.Huber(0.5),
        lambda p, y: torch.nn.functional.huber_loss(p, y, reduction="none", delta=0.5).mean(-1),
    ),
    "categorical": (
        keras.losses.CategoricalCrossentropy(label_smoothing=0.2),
        lambda p, y: -((y * 0.8 + 0.2 / 3) * torch.log(p / p.sum(-1, True))).sum(-1),
    ),
    "binary": (
        keras.losses.BinaryCrossentropy(label_smoothing=0.1),
        lambda p, y: torch.nn.functional.binary_cross_entropy(
            p, y * 0.9 + 0.05, reduction="none"
        ).mean(-1),
    ),
    "binary_logits": (
        keras.losses.BinaryCrossentropy(from_logits=True),
        lambda p, y: torch.nn.functional.binary_cross_entropy_with_logits(
            p, y, reduction="none"
        ).mean(-1),
    ),
    "categorical_logits": (
        keras.losses.CategoricalCrossentropy(from_logits=True),
        lambda p, y: -(y * torch.log_softmax(p, -1)).sum(-1),
    ),
}


@pytest.mark.parametrize("end", ["softmax", "sigmoid", "linear"])
@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_and_its_gradient_are_those_of_its_definition(name, end):
    from beak.keras.losses import finish

    if end == "linear" and name in ("categorical", "binary"):
        pytest.skip("wants shares")
    rng = np.random.default_rng(2)
    logits = rng.normal(size=(5, 3)).astype("f")
    labels = np.eye(3)[rng.integers(0, 3, 5)]
    loss, definition = LOSSES[name]
    shortcut = None if end == "linear" else end
    found = keras.losses.get(loss).judge(labels, logits, shortcut)
    x = torch.tensor(logits.astype(float), requires_grad=True)
    answer = {"softmax": lambda v: torch.softmax(v, -1), "sigmoid": torch.sigmoid}.get(
        end, lambda v: v
    )
    expected = definition(answer(x), torch.tensor(labels))
    expected.sum().backward()
    np.testing.assert_allclose(found.values, expected.detach().numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found.gradient, x.grad.numpy(), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(
        finish(shortcut, logits), answer(x).detach().numpy(), rtol=1e-5, atol=1e-6
    )


def dense(**options):
    return keras.Sequential([keras.Input((4,)), L.Dense(3, **options)])


def test_penalties_are_added_to_loss_and_gradient():
    model = shaken(dense(kernel_regularizer=keras.regularizers.L1L2(0.1, 0.05)))
    before, x = model.get_weights()[0], np.zeros((2, 4), "f")
    model.compile(Optimizers.SGD(0.1), "mse")
    bias = model.get_weights()[1]
    expected = 0.1 * np.abs(before).sum() + 0.05 * (before**2).sum()
    assert model.train_on_batch(x, np.tile(bias, (2, 1))) == pytest.approx(expected, rel=1e-5)
    stepped = before - 0.1 * (0.1 * np.sign(before) + 2 * 0.05 * before)
    np.testing.assert_allclose(model.get_weights()[0], stepped, rtol=1e-5, atol=1e-6)


def test_a_constraint_holds_after_each_step():
    limit = keras.constraints.MaxNorm(0.5, axis=0)
    model = shaken(dense(kernel_constraint=limit))
    model.compile(Optimizers.SGD(0.1), "mse")
    model.train_on_batch(np.ones((2, 4), "f"), np.ones((2, 3)))
    length = np.linalg.norm(model.get_weights()[0], axis=0)
    assert (length <= 0.5 + 1e-6).all()
    assert length.max() > 0.49


@pytest.mark.parametrize(
    ("clip", "expected"),
    [
        ({"clipvalue": 0.1}, lambda gs: [np.clip(g, -0.1, 0.1) for g in gs]),
        ({"clipnorm": 0.1}, lambda gs: [g * min(1, 0.1 / np.linalg.norm(g)) for g in gs]),
        (
            {"global_clipnorm": 0.1},
            lambda gs: [g * 0.1 / np.sqrt(sum((h**2).sum() for h in gs)) for g in gs],
        ),
    ],
)
def test_gradients_are_clipped(clip, expected):
    model = shaken(dense())
    before = model.get_weights()
    x = np.random.default_rng(0).normal(size=(5, 4)).astype("f")
    off = x @ before[0] + before[1] - 9
    gradients = [x.T @ off * 2 / 15, off.sum(0) * 2 / 15]
    model.compile(Optimizers.SGD(1.0, **clip), "mse")
    model.train_on_batch(x, np.full((5, 3), 9.0))
    for old, new, g in zip(before, model.get_weights(), expected(gradients), strict=True):
        np.testing.assert_allclose(old - new, g, rtol=2e-4, atol=1e-5)


def test_what_is_frozen_stays_and_its_norm_answers_as_in_prediction():
    model = shaken(
        keras.Sequential(
            [
                keras.Input((4,)),
                L.Dense(3),
                L.BatchNormalization(),
                L.Dense(2, activation="softmax"),
            ]
        )
    )
    for layer in model.layers[:2]:
        layer.trainable = False
    before = model.get_weights()
    model.compile(Optimizers.AdamW(0.1), "sparse_categorical_crossentropy")
    x = np.random.default_rng(0).normal(size=(8, 4)).astype("f")
    loss = model.test_on_batch(x, np.arange(8) % 2)
    assert model.train_on_batch(x, np.arange(8) % 2) == pytest.approx(loss, rel=1e-5)
    changed = [not np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True)]
    assert changed == [False] * 6 + [True] * 2
    assert len(model.trainable_weights) == 2


def test_a_norm_without_scale_learns_its_shift_alone():
    model = keras.Sequential([keras.Input((4,)), L.BatchNormalization(scale=False), L.Dense(2)])
    assert [v.name for v in model.layers[0].weights] == ["beta", "moving_mean", "moving_variance"]
    model.compile(Optimizers.SGD(0.5), "mse")
    x = np.random.default_rng(0).normal(size=(8, 4)).astype("f")
    model.train_on_batch(x, np.ones((8, 2)))
    scale = next(v for n, v in model.parameters().items() if n.startswith("batch_normalization")
                 and n.endswith(".weight"))  # fmt: skip
    assert scale.tolist() == [1, 1, 1, 1]
    moving = model.layers[0].moving_variance.numpy()
    np.testing.assert_allclose(moving, 0.99 + 0.01 * x.var(axis=0), rtol=1e-5)


def test_a_model_that_does_nothing_is_no_network():
    model = keras.Sequential([keras.Input((3,)), L.Activation("linear")])
    with pytest.raises(NetworkError, match="at least one layer that computes something"):
        model.predict(np.zeros((1, 3)), verbose=0)


def test_an_optimizer_that_is_not_there_is_named():
    with pytest.raises(UsageError, match="no optimiser 'adagrad'"):
        Rules("adagrad")
    with pytest.raises(UsageError, match="'Nadam' is not in beak; nearest: Adam"):
        Optimizers.get("Nadam")
    with pytest.raises(NetworkError, match="loss of your own"):
        keras.losses.get(lambda a, b: 0)


def test_a_class_of_ones_own_that_lacks_its_method_is_told_which():
    class Falling(keras.optimizers.schedules.LearningRateSchedule):
        pass

    class Mine(keras.losses.Loss):
        def call(self, y_true, y_pred):
            return y_pred - y_true

    x, y = np.zeros((4, 3), np.float32), np.zeros((4, 1), np.float32)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(Falling()), "mse")
    with pytest.raises(UsageError, match=r"Falling is a class of your own: .*__call__\(step\)"):
        model.fit(x, y, verbose=0)
    with pytest.raises(NetworkError, match="a loss of your own"):
        model.compile("sgd", Mine())


@pytest.mark.parametrize("weights", [[1, 0], [[1], [0]]])
def test_a_loss_alone_weighs_each_example_once(weights):
    loss = keras.losses.MeanSquaredError()
    assert loss([[1.0], [2.0]], [[0.0], [0.0]], sample_weight=weights) == 0.5
    with pytest.raises(ShapeError, match="3 sample weights for 2 examples"):
        loss([[1.0], [2.0]], [[0.0], [0.0]], sample_weight=[1, 2, 3])


def test_metrics_alone_count_each_answer_once():
    accuracy = keras.metrics.BinaryAccuracy()
    accuracy.update_state([1, 1, 1], [0.9] * 3)
    assert accuracy([1], [0.1]) == 0.75
    weighted = keras.metrics.BinaryAccuracy()
    assert weighted([1, 1, 0, 0], [0.98, 1, 0, 0.6], sample_weight=[1, 0, 0, 1]) == 0.5
    assert keras.metrics.Accuracy()([[1], [2]], [1, 2]) == 1
    assert keras.metrics.BinaryAccuracy()([[1], [0]], [0.7, 0.2]) == 1
    with pytest.raises(ShapeError, match="labels of"):
        keras.metrics.Accuracy()([1, 2, 3], [1, 2])


def test_a_reshape_of_the_input_and_layers_within_a_model_prepare():
    pictures = np.arange(2 * 49, dtype=np.float32).reshape(2, 49)
    flips = keras.Sequential([L.RandomFlip("horizontal"), L.RandomRotation(0.1)])
    inputs = keras.Input((49,))
    x = L.Rescaling(0.5)(inputs)
    x = L.Reshape((7, -1, 1))(x)
    model = keras.Model(inputs, L.Flatten()(L.MaxPooling2D(7)(flips(x))))
    assert model.predict(pictures, verbose=0).ravel().tolist() == [24.0, 48.5]
    model.compile("sgd", "mse")
    assert np.isfinite(model.train_on_batch(pictures, np.zeros((2, 1))))
