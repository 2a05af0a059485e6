"""The native engine against the float64 reference engine: values, gradients, training, bytes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from beak.engine.interface import Loss, Optimiser, Randomness
from beak.engine.native import NativeEngine
from beak.engine.reference import ReferenceEngine
from beak.engine.rows import plan_rows
from beak.errors import ShapeError, UsageError
from beak.network.catalogue import make_network
from beak.network.initial import initial_parameters
from beak.network.layers import (
    Activation,
    Add,
    AvgPool1D,
    AvgPool2D,
    BatchNorm,
    Concat,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    LayerNorm,
    LogMel,
    MaxPool1D,
    MaxPool2D,
    Multiply,
    Pad,
    PositionBias,
    Reshape,
    Upsample,
)
from beak.network.network import Network
from beak.network.writers import Parallel, Residual
from tests.networks import drawn, squeeze

BATCH = 5
CLASSES = 4


def words_and_windows():
    """Kim's network for sentences, small: the windows' gradients meet in the words."""
    windows = [[Conv1D(16, k, activation="relu"), GlobalMaxPool()] for k in (3, 4, 5)]
    return [Embedding(30, 18), Parallel(*windows)]


def residual_block(filters, activation="relu"):
    """Two convolutions with norms around which the input goes."""
    first = [Conv2D(filters, 3, padding=1, bias=False), BatchNorm(), Activation("relu")]
    return Residual([*first, Conv2D(filters, 3, padding=1), BatchNorm()], activation=activation)


def head(*layers):
    return [*layers, Dense(CLASSES, activation="softmax")]


NETWORKS = {
    "plain": ((2, 9, 8), head(Conv2D(5, 3, padding="same"), MaxPool2D(2), Flatten())),
    "activations": (
        (3, 8, 8),
        head(
            Conv2D(6, 3, activation="gelu"),
            Conv2D(6, 3, activation="tanh"),
            Activation("hard_swish"),
            Conv2D(6, 1, activation="leaky_relu"),
            Conv2D(6, 1, activation="silu"),
            Conv2D(6, 1, activation="sigmoid"),
            Flatten(),
            Activation("relu"),
        ),
    ),
    "pooled": (
        (3, 15, 14),
        head(
            Conv2D(6, 3, activation="relu"),
            MaxPool2D(2),
            Conv2D(20, 3, padding=1),
            Activation("relu"),
            MaxPool2D(2),
            Flatten(),
        ),
    ),
    "pooled many": (
        (17, 13, 13),
        head(Conv2D(18, 3, activation="relu"), MaxPool2D(2), Conv2D(7, 5, padding=2,
             bias=False, activation="relu"), MaxPool2D(2), Flatten()),
    ),
    "pooled norm": (
        (2, 10, 10),
        head(Conv2D(9, 3, bias=False), BatchNorm(), Activation("relu"), MaxPool2D(2),
             Conv2D(4, 3), BatchNorm(), Flatten()),
    ),
    "folded": (
        (4, 9, 9),
        head(Conv2D(6, 3, groups=2), BatchNorm(), Activation("gelu"), Conv2D(5, 3, stride=2),
             BatchNorm(), Conv2D(5, 1), Activation("relu"), BatchNorm(), Flatten()),
    ),
    "winograd": (
        (16, 9, 10),
        head(Conv2D(32, 3, padding=1, activation="relu"), Conv2D(33, 3, padding="same"),
             BatchNorm(), Activation("relu"), Conv2D(20, 3, padding=(0, 2)), GlobalAvgPool()),
    ),
    "winograd of five": (
        (32, 9, 10),
        head(Conv2D(33, 5, padding=2, activation="relu"), Conv2D(32, 5, padding=(1, 2)),
             GlobalAvgPool()),
    ),
    "winograd along rows": (
        (3, 12, 40),
        head(Conv2D(16, (4, 7), activation="relu"), MaxPool2D((1, 2)),
             Conv2D(33, (3, 4), padding=(1, 2)), BatchNorm(), Activation("relu"),
             Conv2D(20, (5, 2), padding=(0, 1), activation="relu"), Conv2D(18, (1, 9)),
             GlobalAvgPool()),
    ),
    "winograd along a sequence": (
        (18, 40),
        head(Conv1D(32, 5, padding="same", activation="relu"), MaxPool1D(2),
             Conv1D(16, 3, bias=False), GlobalAvgPool()),
    ),
    "large windows": (
        (1, 12, 20),
        head(Conv2D(20, (5, 4), activation="relu"), MaxPool2D((1, 3)), Conv2D(18, (6, 3)),
             Activation("relu"), MaxPool2D(2, stride=1), Flatten()),
    ),
    "strides": (
        (4, 13, 11),
        head(Conv2D(6, 3, stride=2, padding=1), Conv2D(6, (2, 3), stride=(3, 2), padding=(1, 0),
             groups=2), Conv2D(5, 1, stride=2), Conv2D(3, 2, stride=3, padding=1), Flatten()),
    ),
    "depthwise": (
        (6, 13, 12),
        head(Conv2D(6, 3, padding=1, groups=6, bias=False), BatchNorm(), Activation("relu"),
             Conv2D(12, (5, 4), stride=2, padding=2, groups=6, activation="relu"),
             Conv2D(12, 3, padding="same", groups=12), BatchNorm(),
             Conv2D(36, (2, 3), stride=(2, 1), dilation=(1, 2), groups=12), Flatten()),
    ),
    "depthwise sequence": (
        (19, 17),
        head(Conv1D(19, 4, stride=3, padding=3, groups=19), Conv1D(38, 3, groups=19), Flatten()),
    ),
    "sentence": (
        (20, 13),
        head(Parallel([Conv1D(17, 3, activation="relu"), GlobalMaxPool()],
                      [Conv1D(16, 4), Activation("relu"), GlobalMaxPool()],
                      [Conv1D(33, 5, padding=2), GlobalMaxPool(), Activation("relu")],
                      [Conv1D(5, 2, stride=2), GlobalMaxPool(), Activation("tanh")]),
             Dropout(0.3)),
    ),
    "largest": (
        (3, 9, 8),
        head(Conv2D(6, 3, padding=1, bias=False, name="a"),
             Parallel([Conv2D(19, (2, 3), stride=(1, 2), activation="relu"), GlobalMaxPool()],
                      [Conv2D(4, 3, dilation=2), BatchNorm(), Activation("relu"),
                       GlobalMaxPool()],
                      [Conv2D(4, 1, groups=2), GlobalMaxPool()])),
    ),
    "largest by winograd": (
        (32, 12, 12),
        head(Conv2D(32, 3, padding=1, activation="relu"), GlobalMaxPool()),
    ),
    "one gradient for two": (
        (3, 8),
        head(Conv1D(4, 1, name="b"), Conv1D(4, 1, name="a", inputs=("input",)),
             Add(inputs=("a", "b")), Conv1D(5, 3, activation="relu"), GlobalMaxPool(name="m"),
             GlobalAvgPool(name="q", inputs=("a",)), Concat(inputs=("m", "q"))),
    ),
    "moved maps": (
        (3, 6, 5),
        head(Pad((1, -1), (0, 2)), Conv2D(5, 3, activation="relu"), Upsample((2, 3), "bilinear"),
             Conv2D(4, 3), BatchNorm(), Activation("relu"), Pad(1, -2),
             MaxPool2D(2, padding="same"), Upsample(2), Reshape((8, 4, 10), last=True),
             Conv2D(3, 2), Flatten()),
    ),
    "moved twice": (
        (4, 6),
        head(Conv1D(6, 2, name="a"), Upsample(3, "bilinear", name="u"), Pad(-2, 1, inputs=("u",)),
             Reshape((3, 4, 7), name="r"), Conv2D(4, 2), GlobalMaxPool(name="m"),
             Reshape((84,), inputs=("r",), name="row"), Concat(inputs=("m", "row"))),
    ),
    "rows as maps": (
        (24,),
        head(Dense(24, activation="relu"), Reshape((2, 3, 4), last=True), Conv2D(6, 2), Flatten(),
             Reshape((6, 6)), Conv1D(5, 2), Reshape((25,), last=True)),
    ),
    "answers in places": ((2, 5, 4), [Conv2D(3, 2), Flatten(), Activation("softmax")]),
    "spoken": (
        (300,),
        head(LogMel(8000, 40, 16, 12), Conv2D(5, 3), BatchNorm(), Activation("relu"), Flatten()),
    ),
    "spoken, one channel": ((1, 90), head(LogMel(8000, 21, 7, 5, fft=30), GlobalAvgPool())),
    "words": ((13,), head(*words_and_windows())),
    "words twice": (
        (9,),
        head(Parallel(words_and_windows(), [Embedding(12, 4), GlobalMaxPool()])),
    ),
    "odd windows": (
        (4, 11, 9),
        head(
            Conv2D(6, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=2),
            AvgPool2D(3, stride=2, padding=1),
            Conv2D(7, 3, stride=2, padding="same", bias=False),
            MaxPool2D(2, padding="same"),
            Flatten(),
        ),
    ),
    "norms": (
        (3, 6, 6),
        head(
            Conv2D(8, 3, bias=False),
            BatchNorm(),
            Activation("relu"),
            Conv2D(8, 3, padding=1),
            LayerNorm(),
            BatchNorm(),
            Flatten(),
            BatchNorm(),
            LayerNorm(),
        ),
    ),
    "residual": (
        (3, 7, 7),
        head(
            Residual(
                [Conv2D(6, 3, padding=1, bias=False), BatchNorm(), Activation("relu"),
                 Conv2D(6, 3, padding=1, bias=False), BatchNorm()],
                [Conv2D(6, 1, bias=False), BatchNorm()],
                activation="relu",
            ),
            Residual([Conv2D(6, 3, padding=1)]),
            GlobalAvgPool(),
        ),
    ),
    "norms in sums": (
        (3, 6, 6),
        head(Conv2D(5, 3, name="a"), BatchNorm(name="n"), Add(inputs=("a", "n"), name="s"),
             BatchNorm(name="m"), Add(inputs=("m", "a")), BatchNorm(name="k"),
             Add(inputs=("k", "k")), Flatten(name="f"), BatchNorm(name="g"),
             Add(inputs=("f", "g")), Activation("relu")),
    ),
    "residual chain": (
        (3, 8, 8),
        head(Conv2D(16, 3, padding=1), BatchNorm(), Activation("relu"), residual_block(16),
             residual_block(16), residual_block(16, None), residual_block(16),
             GlobalAvgPool()),
    ),
    "parallel": (
        (3, 6, 7),
        head(Parallel([Conv2D(3, 1)], [Conv2D(2, 3, padding=1), Activation("relu")],
                      [MaxPool2D(3, stride=1, padding=1)]), Flatten()),
    ),
    "squeeze": ((3, 5, 5), head(*squeeze(4), GlobalMaxPool())),
    "sequence": (
        (3, 17),
        head(Conv1D(6, 3, stride=2, dilation=2, activation="relu"), MaxPool1D(2, stride=1),
             AvgPool1D(2), PositionBias(), Flatten()),
    ),
    "policy": (
        (2, 5, 5),
        [Conv2D(6, 3, padding=1, activation="relu"), Conv2D(1, 1, bias=False), Flatten(),
         PositionBias(), Activation("softmax")],
    ),
    "flat orders": (
        (3, 4, 4),
        head(Conv2D(4, 3, name="c"), Flatten(name="f"), Activation("tanh", name="t"),
             PositionBias(name="p"), Add(inputs=("f", "p")), Concat(inputs=("t", "add1"))),
    ),
    "products": (
        (3, 4, 4),
        head(Conv2D(4, 3, name="a"), Conv2D(4, 3, name="b", inputs=("input",)),
             Multiply(inputs=("a", "b", "a")), Flatten()),
    ),
    "dropout": (
        (3, 6, 6),
        head(Conv2D(5, 3), Dropout(0.4), Flatten(), Dropout(0.3), Dense(9), Dropout(0.5)),
    ),
    "no softmax": ((6,), [Dense(8, activation="relu"), Dense(CLASSES)]),
    "softmax inside": ((4, 3, 3), head(Conv2D(3, 1, activation="softmax"), Flatten())),
    "softmax convolution": ((4, 3, 3), [Conv2D(CLASSES, 3), Flatten(), Activation("softmax")]),
    "one of each": ((1, 1, 1), head(Conv2D(1, 1), Flatten())),
}  # fmt: skip


def network_of(name):
    shape, layers = NETWORKS[name]
    return Network(shape, layers)


def pair(network, seed=3):
    """The two engines with the same parameters, none of them at its start."""
    generator = np.random.default_rng(seed)
    parameters = {
        name: (value + 0.2 * generator.uniform(0.1, 1, value.shape)).astype(np.float32)
        for name, value in initial_parameters(network, seed).items()
    }
    return NativeEngine(network, parameters, threads=2), ReferenceEngine(network, parameters)


def inputs_for(network, batch=BATCH, seed=5):
    return drawn(network, np.random.default_rng(seed), (batch,))


def labels_for(network, batch=BATCH):
    classes = int(np.prod(network.output))
    return np.random.default_rng(6).integers(0, classes, batch).astype(np.int32)


def randomness(batch=BATCH, epoch=2):
    return Randomness(seed=11, epoch=epoch, examples=np.arange(batch, dtype=np.int64) * 7 + 2**33)


def close(found, truth, what, rtol=2e-4):
    truth = np.asarray(truth)
    scale = np.abs(truth).max() if truth.size else 0
    np.testing.assert_allclose(found, truth, rtol=rtol, atol=2e-5 + rtol * scale, err_msg=what)


@pytest.mark.parametrize("name", NETWORKS)
def test_answers_and_every_value_inside_are_the_reference(name):
    network = network_of(name)
    native, reference = pair(network)
    x = inputs_for(network)
    close(native.forward(x), reference.forward(x), "forward")
    close(native.logits(x), reference.logits(x), "logits")
    found, truth = native.activations(x), reference.activations(x)
    assert list(found) == list(truth) == ["input", *(node.name for node in network.nodes)]
    for node in truth:
        close(found[node], truth[node], node)


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_of_the_training_loss_are_the_reference(name):
    network = network_of(name)
    native, reference = pair(network)
    x, labels = inputs_for(network), labels_for(network)
    weights = tuple(np.linspace(0.5, 2, int(np.prod(network.output))).tolist())
    for loss in (Loss(), Loss(label_smoothing=0.1, class_weights=weights)):
        before = native.parameters()
        result, found = native.loss_gradients(x, labels, loss, randomness())
        wanted, truth = reference.loss_gradients(x, labels, loss, randomness())
        assert result.loss == pytest.approx(wanted.loss, rel=1e-4)
        assert (result.correct, result.examples) == (wanted.correct, wanted.examples)
        assert set(found.parameters) == set(truth.parameters)
        for parameter in truth.parameters:
            close(found.parameters[parameter], truth.parameters[parameter], parameter, 1e-3)
        close(found.input, truth.input, "input", 1e-3)
        for parameter, value in native.parameters().items():
            np.testing.assert_array_equal(value, before[parameter])


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_of_any_node_are_the_reference(name):
    network = network_of(name)
    native, reference = pair(network)
    x = inputs_for(network)
    for node in [None, *(node.name for node in network.nodes)]:
        shape = network.output if node is None else network.node(node).output
        dy = np.random.default_rng(9).normal(size=(BATCH, *shape)).astype(np.float32)
        found, truth = native.gradients(x, dy, node), reference.gradients(x, dy, node)
        close(found.input, truth.input, f"{node}: input", 1e-3)
        for parameter in truth.parameters:
            close(
                found.parameters[parameter],
                truth.parameters[parameter],
                f"{node}: {parameter}",
                1e-3,
            )


OPTIMISERS = {
    "sgd": Optimiser("sgd", momentum=0.9, nesterov=True, weight_decay=1e-2, clip_norm=0.5),
    "adam": Optimiser("adam", weight_decay=1e-2, average=0.9),
    "adamw": Optimiser("adamw", weight_decay=1e-1, average=0.9, clip_norm=1.0),
}


@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize(
    "name", ["residual", "dropout", "flat orders", "sequence", "sentence", "words"]
)
def test_twenty_steps_stay_with_the_reference(name, optimiser):
    network = network_of(name)
    native, reference = pair(network)
    for engine in (native, reference):
        engine.start_training(OPTIMISERS[optimiser], Loss(label_smoothing=0.05))
    for step in range(20):
        x, labels = inputs_for(network, seed=step), labels_for(network)
        stream = randomness(epoch=step)
        found = native.train_step(x, labels, 0.003, stream)
        truth = reference.train_step(x, labels, 0.003, stream)
        assert found.loss == pytest.approx(truth.loss, rel=5e-3, abs=1e-4), step
    # Not the parameters themselves: Adam makes whole steps of the rounding noise of gradients that
    # are zero (a bias that a norm takes away again).
    x = inputs_for(network, 50)
    for average in (False, True) if OPTIMISERS[optimiser].average else (False,):
        for engine in (native, reference):
            engine.set_parameters(engine.parameters(average))
        np.testing.assert_allclose(native.logits(x), reference.logits(x), rtol=0.01, atol=0.02)


@pytest.mark.parametrize("name", ["lecture", "lecture-linear", "dense", "lenet5", "allconv"])
def test_the_catalogue_learns_as_the_reference_does(name):
    network = make_network(name, (1, 28, 28) if name != "allconv" else (3, 32, 32), 10)
    x, labels = inputs_for(network, 3), labels_for(network, 3)
    native, reference = NativeEngine(network, seed=1), ReferenceEngine(network, seed=1)
    result, found = native.loss_gradients(x, labels, Loss(), randomness(3))
    wanted, truth = reference.loss_gradients(x, labels, Loss(), randomness(3))
    assert result.loss == pytest.approx(wanted.loss, rel=1e-4)
    # As a whole, not number by number: in a deep network a unit that is nearly zero may be cut by
    # the ReLU in float32 and not in float64, which moves a few of its filter's gradients a little.
    for parameter, wanted_gradient in truth.parameters.items():
        off = np.linalg.norm(found.parameters[parameter] - wanted_gradient)
        assert off <= 1e-3 * np.linalg.norm(wanted_gradient) + 1e-6, parameter


def trained(threads, steps=8, name="norms", batch=37, optimiser="adamw"):
    network = network_of(name)
    engine = NativeEngine(network, seed=2, threads=threads)
    engine.start_training(OPTIMISERS[optimiser], Loss())
    for step in range(steps):
        x, labels = inputs_for(network, batch, seed=step), labels_for(network, batch)
        engine.train_step(x, labels, 0.01, randomness(batch, epoch=step))
    return engine


@pytest.mark.parametrize(
    "name",
    [
        "norms",
        "dropout",
        "residual",
        "residual chain",
        "plain",
        "pooled",
        "pooled many",
        "winograd",
        "winograd of five",
        "winograd along rows",
        "large windows",
        "sentence",
        "largest",
        "words",
    ],
)
def test_the_number_of_threads_changes_no_byte(name):
    one = trained(1, name=name)
    for threads in (2, 3, 8):
        other = trained(threads, name=name)
        for average in (False, True):
            for parameter, value in one.parameters(average).items():
                np.testing.assert_array_equal(other.parameters(average)[parameter], value)


def test_windows_along_rows_go_by_winograd_forward_and_back():
    rows = plan_rows(network_of("winograd along rows"), 4, "train")
    used = {(row.layer, row.kernel) for row in rows if "winograd_slide" in row.kernel}
    layers = {
        way: {layer for layer, kernel in used if kernel == f"winograd_slide_{way}"}
        for way in ("forward", "input_gradient", "weight_gradient")
    }
    assert layers["forward"] >= {"conv1", "conv2", "conv3"}
    assert layers["input_gradient"] == layers["forward"] - {"conv1"}
    assert layers["weight_gradient"] == layers["forward"]


def test_an_average_that_is_not_kept_is_an_error():
    engine = NativeEngine(network_of("plain"))
    engine.start_training(Optimiser("sgd"), Loss())
    with pytest.raises(UsageError, match="no average is kept"):
        engine.parameters(average=True)


@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("name", ["norms", "residual", "words"])
def test_a_stopped_training_goes_on_to_the_same_bytes(name, optimiser):
    """Also of words, whose rows and averages are brought up to date when they are met again."""
    whole = trained(2, name=name, optimiser=optimiser)
    stopped = trained(2, steps=3, name=name, optimiser=optimiser)
    network = stopped.network
    other = NativeEngine(network, stopped.parameters(), threads=1)
    other.start_training(OPTIMISERS[optimiser], Loss())
    other.set_training_state(stopped.training_state())
    for step in range(3, 8):
        x, labels = inputs_for(network, 37, seed=step), labels_for(network, 37)
        other.train_step(x, labels, 0.01, randomness(37, epoch=step))
    for average in (False, True) if OPTIMISERS[optimiser].average else (False,):
        for parameter, value in whole.parameters(average).items():
            np.testing.assert_array_equal(other.parameters(average)[parameter], value)
    state = whole.training_state()
    assert state["step"] == 8
    for key, value in other.training_state().items():
        np.testing.assert_array_equal(value, state[key])


@pytest.mark.parametrize("name", NETWORKS)
def test_an_answer_is_the_same_bytes_alone_and_in_any_company(name):
    network = network_of(name)
    native, _ = pair(network)
    x = inputs_for(network, 21)
    whole = native.forward(x)
    for begin, end in ((0, 1), (20, 21), (3, 12)):
        np.testing.assert_array_equal(native.forward(x[begin:end]), whole[begin:end])


def test_an_answer_does_not_depend_on_the_rest_of_its_batch():
    network = network_of("residual")
    native, _ = pair(network)
    x = inputs_for(network, 300)
    whole = native.forward(x)
    np.testing.assert_array_equal(native.forward(x[::-1])[::-1], whole)
    for begin, end in ((0, 1), (7, 20), (299, 300)):
        np.testing.assert_array_equal(native.forward(x[begin:end]), whole[begin:end])
    assert native.forward(x[:0]).shape == (0, CLASSES)


def test_words_become_vectors_and_untouched_words_stay():
    network = Network((6,), head(Embedding(50, 7, padding_index=0), Conv1D(5, 3), GlobalMaxPool()))
    native, reference = pair(network)
    for engine in (native, reference):
        parameters = native.parameters()
        parameters["embedding1.weight"][0] = 0  # the padding word's vector
        engine.set_parameters(parameters)
    words = np.random.default_rng(0).integers(0, 20, (BATCH, 6)).astype(np.int32)
    close(native.forward(words), reference.forward(words), "forward")
    before = native.parameters()["embedding1.weight"]
    for engine in (native, reference):
        engine.start_training(OPTIMISERS["adamw"], Loss())
        for step in range(5):
            engine.train_step(words, labels_for(network), 0.01, randomness(epoch=step))
    after = native.parameters()["embedding1.weight"]
    np.testing.assert_array_equal(after[20:], before[20:])
    assert (after[np.unique(words[words > 0])] != before[np.unique(words[words > 0])]).any(1).all()
    np.testing.assert_allclose(after, reference.parameters()["embedding1.weight"], atol=2e-3)


def test_two_engines_in_two_threads_do_not_disturb_each_other():
    expected = trained(1).parameters()
    found = {}

    def work(number):
        found[number] = trained(2).parameters()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3
    for parameters in found.values():
        for name, value in expected.items():
            np.testing.assert_array_equal(parameters[name], value)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_the_engine_works_in_a_forked_child():
    code = (
        "import os, numpy as np\n"
        "from beak.engine.native import NativeEngine\n"
        "from beak.network.catalogue import make_network\n"
        "e = NativeEngine(make_network('lecture', (1, 28, 28), 10), threads=2)\n"
        "x = np.ones((40, 1, 28, 28), np.float32)\n"
        "before = e.forward(x)\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    os._exit(0 if np.array_equal(e.forward(x), before) else 3)\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
        "assert np.array_equal(e.forward(x), before)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_parameters_of_another_network_are_refused_by_name():
    engine = NativeEngine(network_of("plain"))
    good = engine.parameters()
    with pytest.raises(
        ShapeError, match="unknown parameter 'conv1.wieght'; did you mean 'conv1.weight'"
    ):
        engine.set_parameters({**good, "conv1.wieght": good["conv1.weight"]})
    with pytest.raises(ShapeError, match="'conv1.bias' is missing"):
        engine.set_parameters({k: v for k, v in good.items() if k != "conv1.bias"})
    with pytest.raises(ShapeError, match=r"conv1.bias' has shape \(2,\), \(5,\) was wanted"):
        engine.set_parameters({**good, "conv1.bias": np.zeros(2)})


def test_inputs_of_another_shape_are_refused():
    engine = NativeEngine(network_of("plain"))
    with pytest.raises(ShapeError, match=r"\(2, 9, 9\) came, \(examples, 2, 9, 8\) was wanted"):
        engine.forward(np.zeros((2, 9, 9), np.float32))


@pytest.mark.parametrize("make", [NativeEngine, ReferenceEngine])
def test_what_no_loss_or_gradient_can_be_of_is_refused_in_one_line(make):
    engine = make(network_of("plain"))
    maps = make(Network((2, 4, 4), [Conv2D(3, 1)]))
    x, label = np.zeros((1, 2, 4, 4), np.float32), np.zeros(1, np.int32)
    with pytest.raises(ShapeError, match=r"answers with \(3, 4, 4\), a class for each"):
        maps.loss_gradients(x, label, Loss(), randomness(1))
    with pytest.raises(ShapeError, match=r"gradient of shape \(1, 3\) came, \(1, 3, 4, 4\) was"):
        maps.gradients(x, np.zeros((1, 3), np.float32))
    none = inputs_for(engine.network, 0)
    with pytest.raises(ShapeError, match="a batch of no examples came"):
        engine.gradients(none, np.zeros((0, CLASSES), np.float32))
    with pytest.raises(ShapeError, match="a batch of no examples came"):
        engine.loss_gradients(none, label[:0], Loss(), randomness(0))
    with pytest.raises(UsageError, match="call start_training first"):
        engine.train_step(inputs_for(engine.network, 1), label, 0.1, randomness(1))


def test_labels_outside_the_classes_are_refused():
    network = network_of("plain")
    engine = NativeEngine(network)
    with pytest.raises(ShapeError, match="4 to 4 came, 0 to 3 was wanted"):
        engine.loss_gradients(
            inputs_for(network), np.full(BATCH, 4, np.int32), Loss(), randomness()
        )


def test_filters_of_one_channel_run_by_the_depthwise_row():
    def kernels_of(network, purpose):
        return [row.kernel for row in plan_rows(network, 8, purpose) if "conv" in row.layer]

    forward = kernels_of(network_of("depthwise"), "forward")
    assert forward.count("depthwise_forward") == 4
    assert "convolution_forward" not in forward
    train = kernels_of(network_of("depthwise"), "train")
    assert train.count("depthwise_weight_gradient") == train.count("depthwise_finish") == 4
    assert train.count("depthwise_forward") == 4 + 1 + 2 * 2 + 1, (
        "input gradients of a stride by grids"
    )
    grouped = Network((4, 5, 5), head(Conv2D(4, 3, groups=2), Flatten()))
    assert "depthwise_forward" not in kernels_of(grouped, "forward")
    one = Network((1, 5, 5), head(Conv2D(4, 3), Flatten()))
    assert "depthwise_forward" not in kernels_of(one, "forward")


@pytest.mark.parametrize("shape", [(2, 1), (3, 1, 1), (5,)])
def test_a_bias_for_each_place_where_there_is_one_place(shape):
    network = Network(shape, [PositionBias()])
    bias = np.arange(1, 1 + (shape[1:] or shape)[0], dtype=np.float32)
    parameters = {"position_bias1.bias": bias.reshape(shape[1:] or shape)}
    inputs = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
    found = NativeEngine(network, parameters, threads=1).forward(inputs)
    np.testing.assert_allclose(found, inputs + parameters["position_bias1.bias"], rtol=1e-6)
