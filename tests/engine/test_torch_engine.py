"""The torch engine beside the native one: values, gradients, training, checkpoints of each other.

The networks are those that hold the native engine to the reference, and the catalogue.
"""

from __future__ import annotations

import numpy as np
import pytest

from beak.engine.interface import Loss, Optimiser, Randomness
from beak.engine.make import make_engine
from beak.engine.native import NativeEngine
from beak.errors import ShapeError, UsageError
from beak.network.catalogue import CATALOGUE, make_network
from beak.network.layers import BatchNorm, Conv2D, Dense, Flatten
from beak.network.named import options_of
from beak.network.network import Network
from tests.engine.test_native import NETWORKS, inputs_for, labels_for, network_of, pair, randomness

torch = pytest.importorskip("torch")

from beak.engine.torch import TorchEngine  # noqa: E402
from beak.engine.torch_module import load_parameters, torch_module  # noqa: E402
from beak.engine.torch_random import philox_on_device, philox_words  # noqa: E402


def both(network, seed=3):
    """The native engine and torch's with the same parameters, none of them at its start."""
    native, _ = pair(network, seed)
    return native, TorchEngine(network, native.parameters(), threads=1)


def close(found, truth, what, rtol=1e-4):
    """Within rtol of the largest number, as sums of many terms in another order are."""
    assert found.dtype == truth.dtype, what
    assert found.shape == truth.shape, what
    scale = np.abs(truth).max() if truth.size else 0
    np.testing.assert_allclose(found, truth, rtol=0, atol=1e-5 + rtol * scale, err_msg=what)


@pytest.mark.parametrize("name", NETWORKS)
def test_answers_and_every_value_inside_are_natives(name):
    network = network_of(name)
    native, other = both(network)
    x = inputs_for(network)
    close(other.forward(x), native.forward(x), "forward")
    close(other.logits(x), native.logits(x), "logits")
    found, truth = other.activations(x), native.activations(x)
    assert list(found) == list(truth)
    for node in truth:
        close(found[node], truth[node], node)
    assert list(other.parameters()) == list(network.parameters)


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_of_the_training_loss_are_natives(name):
    network = network_of(name)
    native, other = both(network)
    x, labels = inputs_for(network), labels_for(network)
    weights = tuple(np.linspace(0.5, 2, int(np.prod(network.output))).tolist())
    for loss in (Loss(), Loss(label_smoothing=0.1, class_weights=weights)):
        before = other.parameters()
        result, found = other.loss_gradients(x, labels, loss, randomness())
        wanted, truth = native.loss_gradients(x, labels, loss, randomness())
        assert result.loss == pytest.approx(wanted.loss, rel=1e-5)
        assert (result.correct, result.examples) == (wanted.correct, wanted.examples)
        assert list(found.parameters) == list(truth.parameters)
        for parameter, gradient in truth.parameters.items():
            close(found.parameters[parameter], gradient, parameter)
        close(found.input, truth.input, "input")
        for parameter, value in other.parameters().items():
            np.testing.assert_array_equal(value, before[parameter])


@pytest.mark.parametrize("name", ["squeeze", "residual", "words twice", "policy", "odd windows"])
def test_gradients_of_any_node_by_any_node_are_natives(name):
    network = network_of(name)
    native, other = both(network)
    x, nodes = inputs_for(network), [node.name for node in network.nodes]
    for node in [None, *nodes]:
        shape = network.output if node is None else network.node(node).output
        dy = np.random.default_rng(9).normal(size=(len(x), *shape)).astype(np.float32)
        found, truth = (engine.gradients(x, dy, node, at=nodes) for engine in (other, native))
        close(found.input, truth.input, f"{node}: input")
        for which in ("parameters", "nodes"):
            for key, value in getattr(truth, which).items():
                close(getattr(found, which)[key], value, f"{node}: {key}")


@pytest.mark.parametrize("name", CATALOGUE)
def test_the_catalogue_answers_and_learns_as_natives(name):
    network = catalogue_network(name)
    native = NativeEngine(network, seed=3, threads=1, exact=True)
    other = TorchEngine(network, native.parameters(), threads=1)
    x, labels = inputs_for(network, 2), labels_for(network, 2)
    np.testing.assert_allclose(other.forward(x), native.forward(x), rtol=0, atol=1e-5)
    result, found = other.loss_gradients(x, labels, Loss(), randomness(2))
    wanted, truth = native.loss_gradients(x, labels, Loss(), randomness(2))
    assert result.loss == pytest.approx(wanted.loss, rel=1e-5)
    for parameter, gradient in truth.parameters.items():
        off = np.linalg.norm(found.parameters[parameter] - gradient)
        assert off <= 1e-3 * np.linalg.norm(gradient) + 1e-6, parameter


OPTIMISERS = {
    "sgd": Optimiser("sgd", momentum=0.9, nesterov=True, weight_decay=1e-2, clip_norm=0.5),
    "plain sgd": Optimiser("sgd", momentum=0.0, average=0.8),
    "adam": Optimiser("adam", weight_decay=1e-2, average=0.9),
    "adamw": Optimiser("adamw", weight_decay=1e-1, average=0.9, clip_norm=1.0),
}


def step(engine, number, count=7, rate=0.003):
    x, labels = inputs_for(engine.network, count, seed=number), labels_for(engine.network, count)
    return engine.train_step(x, labels, rate, randomness(count, epoch=number))


@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("name", ["plain", "norms", "dropout", "sentence", "words", "sequence"])
def test_two_hundred_steps_stay_with_native(name, optimiser):
    engines = both(network_of(name))
    for engine in engines:
        engine.start_training(OPTIMISERS[optimiser], Loss(label_smoothing=0.05))
    for number in range(200 if name == "plain" else 30):
        truth, found = (step(engine, number) for engine in engines)
        assert found.loss == pytest.approx(truth.loss, rel=5e-3, abs=1e-4), number
    # Not the parameters: Adam makes whole steps of the rounding of gradients that are zero.
    x = inputs_for(engines[0].network, 50)
    for average in (False, True) if OPTIMISERS[optimiser].average else (False,):
        for engine in engines:
            engine.set_parameters(engine.parameters(average))
        native, other = engines
        np.testing.assert_allclose(other.logits(x), native.logits(x), rtol=0.02, atol=0.02)


@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("first", ["native", "torch"])
def test_a_checkpoint_of_one_engine_goes_on_in_the_other(first, optimiser):
    """Also of words, of which native brings rows and averages up to date when it meets them."""
    network = network_of("words")
    second = {"native": "torch", "torch": "native"}[first]
    begun, whole = (make_engine(network, seed=2, kind=kind) for kind in (first, second))
    for engine in (begun, whole):
        engine.start_training(OPTIMISERS[optimiser], Loss())
        for number in range(4):
            step(engine, number, count=3)
    other = make_engine(network, begun.parameters(), kind=second)
    other.start_training(OPTIMISERS[optimiser], Loss())
    other.set_training_state(begun.training_state())
    assert set(begun.training_state()) == set(whole.training_state())
    for engine in (other, whole):
        for number in range(4, 9):
            step(engine, number, count=3)
    for average in (False, True) if OPTIMISERS[optimiser].average else (False,):
        for name, value in whole.parameters(average).items():
            close(other.parameters(average)[name], value, name, rtol=1e-3)
    assert other.training_state()["step"] == 9


def test_going_on_in_torch_is_going_on_to_the_same_bytes():
    network = network_of("norms")
    whole, stopped = (TorchEngine(network, seed=1, threads=1) for _ in range(2))
    for engine, steps in ((whole, 6), (stopped, 3)):
        engine.start_training(OPTIMISERS["adamw"], Loss())
        for number in range(steps):
            step(engine, number)
    other = TorchEngine(network, stopped.parameters(), threads=1)
    other.start_training(OPTIMISERS["adamw"], Loss())
    other.set_training_state(stopped.training_state())
    for number in range(3, 6):
        step(other, number)
    for name, value in whole.parameters(average=True).items():
        np.testing.assert_array_equal(other.parameters(average=True)[name], value)


def test_dropouts_words_are_the_same_on_a_device_as_from_the_kernels():
    counters = torch.randint(0, 2**32, (5, 7, 4))
    counters[0, 0] = 2**32 - 1
    key = (0xFFFFFFFF, 0x9E3779B9)
    assert torch.equal(philox_on_device(key, counters), philox_words(key, counters))
    assert hex(int(philox_on_device((0, 0), torch.zeros(4, dtype=torch.int64))[0])) == "0x6627e8d5"


def test_max_norm_holds_rows_and_their_average():
    layers = [Flatten(), Dense(3, activation="softmax", max_norm=0.25)]
    for engine in both(Network((1, 2, 2), layers)):
        engine.start_training(Optimiser("sgd", average=0.5), Loss())
        step(engine, 0, rate=3.0)
        for average in (False, True):
            rows = np.linalg.norm(engine.parameters(average)["dense1.weight"], axis=1)
            assert rows.max() == pytest.approx(0.25, rel=1e-5)


def test_a_batch_norm_of_one_number_gives_its_bias_and_keeps_its_variance():
    network = Network((3, 1, 1), [Flatten(), BatchNorm(), Dense(2, activation="softmax")])
    for engine in both(network):
        engine.start_training(Optimiser("sgd"), Loss())
        before = engine.parameters()
        step(engine, 0, count=1)
        after = engine.parameters()
        np.testing.assert_allclose(after["norm1.running_var"], before["norm1.running_var"])
        assert (after["norm1.running_mean"] != before["norm1.running_mean"]).all()
        np.testing.assert_allclose(after["norm1.weight"], before["norm1.weight"], atol=1e-6)


def test_labels_without_weight_teach_nothing():
    network = network_of("plain")
    for engine in both(network):
        loss = Loss(0.1, (0.0, 1.0, 1.0, 1.0))
        labels = np.zeros(5, np.int32)
        result, found = engine.loss_gradients(inputs_for(network), labels, loss, randomness())
        assert result.loss == 0
        assert all((gradient == 0).all() for gradient in found.parameters.values())


def test_names_that_torch_uses_itself_can_be_nodes():
    layers = [
        Conv2D(2, 1, name="type"), Conv2D(2, 1, name="a.b"), Conv2D(2, 1, name="a"),
        Conv2D(2, 1, name="a.weight"), Conv2D(2, 1, name="forward"),
    ]  # fmt: skip
    network = Network((1, 2, 2), layers)
    module = torch_module(network)
    assert set(module.state_dict()) == set(network.parameters)
    native, other = both(network)
    x = inputs_for(network)
    close(other.forward(x), native.forward(x), "forward")
    load_parameters(module, native.parameters())
    found = module(torch.from_numpy(x)).detach().numpy()
    close(found, native.forward(x), "module")


def test_what_does_not_fit_is_refused_as_by_native():
    engine = TorchEngine(network_of("plain"))
    with pytest.raises(ShapeError, match="one example alone is x"):
        engine.forward(np.zeros((2, 9, 8), np.float32))
    with pytest.raises(UsageError, match="training has not begun"):
        step(engine, 0)
    engine.start_training(Optimiser("sgd"), Loss())
    with pytest.raises(UsageError, match="no average is kept"):
        engine.parameters(average=True)
    with pytest.raises(ShapeError, match="velocity"):
        engine.set_training_state({"step": np.array(1)})
    drops = TorchEngine(network_of("dropout"))
    few = Randomness(0, 0, np.arange(3))
    with pytest.raises(ShapeError, match="numbers 3 examples but 5 came"):
        drops.loss_gradients(inputs_for(drops.network), labels_for(drops.network), Loss(), few)
    with pytest.raises(UsageError, match="did you mean 'adam'"):
        engine.start_training(Optimiser("adm"), Loss())


def catalogue_network(name):
    """A network of the catalogue, made small where it can be."""
    entry = CATALOGUE[name]
    spoken = name == "keyword" or name.startswith(("cnn-", "spectrogram"))
    small = {"words": 200, "pairs": 300, "filters": 24, "width": 8, "hidden": 32}
    options = {key: value for key, value in small.items() if key in options_of(name)}
    shape = entry.usual or ((1, 49, 40) if spoken else (3, 16, 16))
    return make_network(name, shape, entry.classes or 5, **options)


def test_native_is_made_where_torch_is_not_asked_for():
    assert isinstance(make_engine(network_of("plain")), NativeEngine)


def test_after_a_step_of_training_all_answers_are_those_of_prediction():
    """The module stays as in training between steps; whatever asks it for answers turns it back."""
    network = Network((2, 4, 4), [Conv2D(3, 3), BatchNorm(), Flatten(),
                                  Dense(2, activation="softmax")])  # fmt: skip
    x = np.random.default_rng(0).standard_normal((6, 2, 4, 4), np.float32)
    trained = TorchEngine(network, seed=1)
    trained.start_training(Optimiser("sgd"), Loss())
    slope = np.ones((6, 2), np.float32)
    asked = (
        lambda engine: engine.logits(x),
        lambda engine: engine.activations(x)["norm1"],
        lambda engine: engine.gradients(x, slope).input,
    )
    for ask in asked:
        numbers = Randomness(0, 0, np.arange(6))
        trained.train_step(x, np.zeros(6, np.int32), 0.1, numbers)
        fresh = TorchEngine(network, trained.parameters())
        np.testing.assert_allclose(ask(trained), ask(fresh), rtol=0, atol=1e-6)
