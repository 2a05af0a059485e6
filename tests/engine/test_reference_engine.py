"""The reference engine against torch autograd: every layer, every network of the catalogue."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from beak.engine.interface import Loss, Optimiser, Randomness
from beak.engine.make import make_engine
from beak.engine.reference_layers import RULES
from beak.errors import ShapeError, UsageError
from beak.network import layers as L  # noqa: N812
from beak.network.catalogue import CATALOGUE, make_network
from beak.network.network import Network
from beak.network.writers import Parallel, Residual
from beak.ops.random.reference import dropout_mask
from tests.engine.torch_twin import torch_forward, torch_parameters

SMALL = {
    "lecture": (1, 14, 15),
    "lecture-linear": (2, 14, 14),
    "lenet5": (1, 13, 14),
    "cnn-trad-fpool3": (1, 22, 20),
    "cnn-one-fpool3": (2, 11, 10),
}
WORDS = {"words": 30, "dimensions": 6, "filters": 4}
OPTIONS = {
    "allconv": {"width": 4},
    "resnet8": {"width": 4},
    "resnet20": {"width": 2},
    "sentence": WORDS,
    "sentence-wide": {**WORDS, "channels": "multichannel"},
    "sentence-pairs": {**WORDS, "buckets": 40},
    "characters": {"dimensions": 6, "filters": 4},
    "alphago-policy": {"filters": 2},
    "go-small": {"width": 3, "blocks": 1},
    "go-dense": {"hidden": 6},
}
CLASSES = {"alphago-policy": 72, "go-small": 73}


def catalogue_network(name):
    shape = (9,) if CATALOGUE[name].words else SMALL.get(name, (3, 9, 8))
    return make_network(name, shape, CLASSES.get(name, 5), **OPTIONS.get(name, {}))


def squeeze_and_excite():
    return Network(
        (4, 7, 6),
        [
            L.Conv2D(6, (3, 2), stride=(1, 2), padding="same", groups=2, activation="hard_swish"),
            L.GlobalAvgPool(name="squeeze", inputs=("conv1",)),
            L.Dense(6, activation="sigmoid", name="excite"),
            L.Multiply(inputs=("conv1", "excite")),
            L.PositionBias(),
            L.LayerNorm(),
            Parallel(
                [L.Conv2D(2, 1, activation="gelu"), L.AvgPool2D(3, 1, padding="same")],
                [L.MaxPool2D(3, 1, padding=1), L.Activation("tanh")],
            ),
            Residual([L.Conv2D(8, 3, padding="same", dilation=2), L.BatchNorm(0.01, 0.3)]),
            L.Dropout(0.3),
            L.GlobalMaxPool(),
            L.Dense(4, bias=False),
            L.Activation("softmax"),
        ],
    )


def sentence():
    return Network(
        (9,),
        [
            L.Embedding(12, 5, padding_index=0),
            L.Conv1D(6, 3, padding="same", dilation=2, activation="silu"),
            L.MaxPool1D(2),
            L.Conv1D(4, 2, stride=2, groups=2, activation="leaky_relu"),
            L.AvgPool1D(2, 1, padding=1),
            L.BatchNorm(),
            L.Flatten(),
            L.Dropout(0.5),
            L.PositionBias(),
            L.Dense(3, activation="softmax"),
        ],
    )


def spoken():
    return Network(
        (1, 90),
        [
            L.LogMel(8000, 20, 8, 9, fft=24, scale="htk", fmin=30.0, fmax=3900.0),
            L.Conv2D(4, 3, activation="relu"),
            L.Flatten(),
            L.Dense(3, activation="softmax"),
        ],
    )


def moved():
    return Network(
        (3, 6, 5),
        [
            L.Pad((1, -1), (0, 2)),
            L.Conv2D(4, 2, activation="tanh"),
            L.Upsample((2, 1), "bilinear"),
            L.Pad(-1, 1),
            L.Upsample(2),
            L.Reshape((10, 4, 24), last=True),
            L.Conv2D(3, 2),
            L.Reshape((9, 23)),
            L.Conv1D(2, 3),
            L.Upsample(2, "bilinear"),
            L.Flatten(),
            L.Dense(4, activation="softmax"),
        ],
    )


NETWORKS = {
    **{name: (lambda name=name: catalogue_network(name)) for name in CATALOGUE},
    "squeeze and excite": squeeze_and_excite,
    "words": sentence,
    "spoken": spoken,
    "moved": moved,
}


def inputs_for(network, batch, seed=0):
    rng = np.random.default_rng(seed)
    embeddings = [n.layer for n in network.nodes if isinstance(n.layer, L.Embedding)]
    if embeddings:
        return rng.integers(0, embeddings[0].words, size=(batch, *network.input)).astype(np.int32)
    return rng.normal(size=(batch, *network.input)).astype(np.float32)


def labels_for(network, batch, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, network.output[0], size=batch).astype(np.int32)


def shaken(network, seed=0):
    """Parameters none of which is 0 or 1, so that each of them shows."""
    rng = np.random.default_rng(seed)
    engine = make_engine(network, kind="reference", seed=seed)
    return {
        name: p + rng.uniform(0.1, 0.5, p.shape) * (name.endswith("weight") - 0.3)
        if not name.endswith("running_var")
        else rng.uniform(0.5, 2, p.shape)
        for name, p in engine.parameters().items()
    }


def engine_and_twin(network, seed=0):
    parameters = shaken(network, seed)
    engine = make_engine(network, parameters, kind="reference")
    return engine, torch_parameters(network, parameters)


def tensor(inputs):
    given = torch.tensor(inputs)
    return given if given.dtype == torch.int32 else given.double()


def masks(network, randomness):
    return {
        node.name: torch.tensor(
            np.array(
                [
                    dropout_mask(
                        node.layer.rate,
                        int(np.prod(node.output)),
                        seed=randomness.seed,
                        name=node.name,
                        epoch=randomness.epoch,
                        example=int(example),
                    ).reshape(node.output)
                    for example in randomness.examples
                ]
            )
        )
        for node in network.nodes
        if isinstance(node.layer, L.Dropout)
    }


def test_the_networks_of_these_tests_hold_every_kind_of_layer():
    seen = {type(node.layer) for make in NETWORKS.values() for node in make().nodes}
    assert seen == set(RULES) == set(L.LAYERS.values()) - {L.Opaque}  # which only ONNX computes


@pytest.mark.parametrize("name", NETWORKS)
def test_every_nodes_value_is_torchs(name):
    network = NETWORKS[name]()
    engine, twin = engine_and_twin(network)
    inputs = inputs_for(network, 3)
    wanted = torch_forward(network, twin, tensor(inputs))
    got = engine.activations(inputs)
    assert list(got) == ["input", *(node.name for node in network.nodes)]
    for node, value in wanted.activations.items():
        np.testing.assert_allclose(got[node], value.detach(), atol=1e-9, err_msg=node)
    np.testing.assert_allclose(engine.logits(inputs), wanted.logits.detach(), atol=1e-9)
    np.testing.assert_array_equal(engine.forward(inputs), got[network.nodes[-1].name])


@pytest.mark.parametrize("name", NETWORKS)
def test_the_losss_gradients_in_training_are_torchs(name):
    network = NETWORKS[name]()
    engine, twin = engine_and_twin(network)
    inputs, labels = inputs_for(network, 4), labels_for(network, 4)
    weights = tuple(np.linspace(0.5, 2, network.output[0]))
    randomness = Randomness(seed=3, epoch=2, examples=np.array([5, 1, 2**35, 7]))
    before = engine.parameters()
    result, gradients = engine.loss_gradients(inputs, labels, Loss(0.1, weights), randomness)

    pixels = tensor(inputs)
    if pixels.is_floating_point():
        pixels.requires_grad_()
    logits = torch_forward(network, twin, pixels, True, masks(network, randomness)).logits
    criterion = torch.nn.CrossEntropyLoss(torch.tensor(weights).double(), label_smoothing=0.1)
    loss = criterion(logits, torch.tensor(labels).long())
    loss.backward()
    assert result.loss == pytest.approx(loss.item(), rel=1e-10)
    assert result.correct == (logits.argmax(1) == torch.tensor(labels)).sum().item()
    assert list(gradients.parameters) == [n for n, t in twin.items() if t.requires_grad]
    for parameter, gradient in gradients.parameters.items():
        wanted = twin[parameter].grad
        np.testing.assert_allclose(gradient, wanted, atol=1e-8, rtol=1e-7, err_msg=parameter)
    if pixels.is_floating_point():
        np.testing.assert_allclose(gradients.input, pixels.grad, atol=1e-9)
    for parameter, value in engine.parameters().items():
        np.testing.assert_array_equal(value, before[parameter])  # nothing was changed


@pytest.mark.parametrize("name", ["squeeze and excite", "resnet8", "lecture"])
def test_gradients_of_any_node_are_torchs_and_use_the_running_statistics(name):
    network = NETWORKS[name]()
    engine, twin = engine_and_twin(network)
    inputs = inputs_for(network, 2)
    for node in (None, "input", *(n.name for n in network.nodes)):
        pixels = tensor(inputs).requires_grad_()
        result = torch_forward(network, twin, pixels)
        output = result.logits if node is None else result.activations[node]
        weights = np.random.default_rng(1).normal(size=output.shape)
        wanted = torch.autograd.grad(
            (output * torch.tensor(weights)).sum(),
            [pixels, *(t for t in twin.values() if t.requires_grad)],
            allow_unused=True,
        )
        got = engine.gradients(inputs, weights, node)
        for ours, theirs in zip([got.input, *got.parameters.values()], wanted, strict=True):
            there = np.zeros(ours.shape) if theirs is None else theirs
            np.testing.assert_allclose(ours, there, atol=1e-9, err_msg=str(node))


def torch_optimiser(settings, network, twin):
    decayed = [twin[name] for name, p in network.parameters.items() if p.decay]
    rest = [twin[name] for name, p in network.parameters.items() if p.trainable and not p.decay]
    groups = [
        {"params": decayed, "weight_decay": settings.weight_decay},
        {"params": rest, "weight_decay": 0.0},
    ]
    if settings.kind == "sgd":
        return torch.optim.SGD(groups, 1, momentum=settings.momentum, nesterov=settings.nesterov)
    peer = torch.optim.Adam if settings.kind == "adam" else torch.optim.AdamW
    return peer(groups, 1, betas=(settings.beta1, settings.beta2), eps=settings.epsilon)


def train_both(network, settings, steps, rate=0.01, clip_norm=None):
    """The same steps on the engine and in torch, every one compared; the engine and the tensors."""
    engine, twin = engine_and_twin(network)
    optimiser = torch_optimiser(settings, network, twin)
    engine.start_training(settings, Loss(0.05))
    average = {n: t.detach().clone() for n, t in twin.items() if t.requires_grad}
    for step in range(steps):
        inputs, labels = inputs_for(network, 4, step), labels_for(network, 4, step)
        randomness = Randomness(1, step // 3, np.arange(4) + 4 * step)
        result = engine.train_step(inputs, labels, rate / (1 + step), randomness)
        kept = masks(network, randomness)
        logits = torch_forward(network, twin, tensor(inputs), True, kept).logits
        target = torch.tensor(labels).long()
        loss = torch.nn.functional.cross_entropy(logits, target, label_smoothing=0.05)
        assert result.loss == pytest.approx(loss.item(), rel=1e-7), f"step {step}"
        optimiser.zero_grad()
        loss.backward()
        trained = [t for t in twin.values() if t.requires_grad]
        if clip_norm is not None:
            length = torch.sqrt(sum((t.grad**2).sum() for t in trained))
            assert length > clip_norm, "nothing to clip: the test says nothing"
            for t in trained:
                t.grad *= min(1.0, clip_norm / length)
        for group in optimiser.param_groups:
            group["lr"] = rate / (1 + step)
        optimiser.step()
        for name, mean in average.items():
            mean.lerp_(twin[name].detach(), 1 - (settings.average or 0))
    return engine, twin, average


def assert_same_parameters(got, wanted):
    assert list(got) == list(wanted)
    for name, value in got.items():
        np.testing.assert_allclose(value, wanted[name].detach(), atol=1e-8, err_msg=name)


@pytest.mark.parametrize(
    "settings",
    [
        Optimiser("sgd", momentum=0.9, weight_decay=0.01),
        Optimiser("sgd", momentum=0.9, nesterov=True, weight_decay=0.01),
        Optimiser("adam", weight_decay=0.01, epsilon=1e-3),
        Optimiser("adamw", weight_decay=0.1, epsilon=1e-3),
    ],
    ids=["sgd", "nesterov", "adam", "adamw"],
)
def test_a_dozen_steps_of_the_lectures_network_are_torchs(settings):
    network = make_network("lecture", (1, 12, 12), 10)
    engine, twin, _ = train_both(network, settings, 12)
    assert_same_parameters(engine.parameters(), twin)


def test_batch_norm_dropout_clipping_and_the_average_train_as_in_torch():
    settings = Optimiser("sgd", nesterov=True, clip_norm=0.5, average=0.9)
    engine, twin, average = train_both(squeeze_and_excite(), settings, 8, 0.1, clip_norm=0.5)
    assert_same_parameters(engine.parameters(), twin)
    averaged = engine.parameters(average=True)
    assert_same_parameters(averaged, {n: average.get(n, t) for n, t in twin.items()})
    plain = engine.parameters()
    running = [name for name in plain if "running" in name]
    assert len(running) == 2
    for name in running:  # they are not averaged
        np.testing.assert_array_equal(averaged[name], plain[name])


@pytest.mark.parametrize("kind", ["sgd", "adam", "adamw"])
def test_words_that_a_batch_does_not_hold_keep_vector_and_moments(kind):
    network = sentence()
    engine = make_engine(network, shaken(network), kind="reference")
    engine.start_training(Optimiser(kind, weight_decay=0.1), Loss())
    labels, randomness = np.array([1], np.int32), Randomness(0, 0, np.array([0]))
    engine.train_step(np.arange(1, 10, dtype=np.int32)[None], labels, 0.1, randomness)
    before, moments = engine.parameters(), engine.training_state()
    words = np.array([[0, 2, 2, 2, 4, 4, 4, 4, 0]], np.int32)
    engine.train_step(words, labels, 0.1, randomness)
    after, later = engine.parameters(), engine.training_state()
    same = [w for w in range(12) if w not in (2, 4)]  # 0 is padding: in the batch, yet kept
    np.testing.assert_array_equal(
        after["embedding1.weight"][same], before["embedding1.weight"][same]
    )
    assert (after["embedding1.weight"][[2, 4]] != before["embedding1.weight"][[2, 4]]).all()
    for key in moments:
        if key.endswith("embedding1.weight"):
            np.testing.assert_array_equal(later[key][same], moments[key][same])
            assert (later[key][4] != moments[key][4]).any()


@pytest.mark.parametrize("kind", ["sgd", "adamw"])
def test_training_goes_on_to_the_same_bytes_from_parameters_and_state(kind):
    network, settings = squeeze_and_excite(), Optimiser(kind, average=0.99, weight_decay=0.1)

    def steps(engine, numbers):
        for step in numbers:
            inputs, labels = inputs_for(network, 3, step), labels_for(network, 3, step)
            engine.train_step(inputs, labels, 0.01, Randomness(0, 0, np.arange(3) + 3 * step))

    whole = make_engine(network, kind="reference", seed=4)
    whole.start_training(settings, Loss())
    steps(whole, range(3))
    saved = whole.parameters(), whole.training_state()
    steps(whole, range(3, 6))
    second = make_engine(network, saved[0], kind="reference")
    second.start_training(settings, Loss())
    second.set_training_state(saved[1])
    steps(second, range(3, 6))
    for average in (False, True):
        wanted = whole.parameters(average)
        for name, value in second.parameters(average).items():
            assert value.tobytes() == wanted[name].tobytes()


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 5), st.integers(0, 99))
def test_an_examples_answer_does_not_depend_on_the_others(batch, seed):
    network = squeeze_and_excite()
    engine = make_engine(network, kind="reference")
    inputs = inputs_for(network, batch, seed)
    together = engine.forward(inputs)
    np.testing.assert_allclose(together.sum(axis=1), 1)
    for i in range(batch):
        np.testing.assert_allclose(engine.forward(inputs[i : i + 1])[0], together[i], rtol=1e-12)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["lecture", "resnet8", "squeeze and excite"])
def test_nan_and_infinity_pass_through_a_network_as_in_torch(name, bad):
    network = NETWORKS[name]()
    engine, twin = engine_and_twin(network)
    inputs = inputs_for(network, 2)
    inputs[0, 0, 2, 3] = bad
    wanted = torch_forward(network, twin, tensor(inputs)).activations
    for node, value in engine.activations(inputs).items():
        there = wanted[node].detach().numpy()
        np.testing.assert_allclose(value, there, atol=1e-9, err_msg=node)
        assert np.isfinite(value[1]).all()  # the other example knows nothing of it


def test_inf_beside_the_asked_node_does_not_spoil_its_gradients():
    network = Network(
        (2, 4, 4),
        [
            L.Conv2D(2, 1, name="a", inputs=("input",)),
            L.Conv2D(2, 1, name="b", inputs=("input",)),
            L.Add(inputs=("a", "b")),
            L.Flatten(),
        ],
    )
    parameters = make_engine(network, kind="reference").parameters()
    parameters["b.weight"][:] = np.inf
    engine = make_engine(network, parameters, kind="reference")
    got = engine.gradients(np.ones((1, 2, 4, 4)), np.ones((1, 2, 4, 4)), "a")
    assert np.isfinite(got.input).all()
    assert (got.parameters["b.weight"] == 0).all()


def test_what_does_not_fit_is_said_in_one_line():
    network = make_network("lecture", (1, 12, 12), 10)
    engine = make_engine(network, kind="reference")
    with pytest.raises(ShapeError, match=r"\(examples, 1, 12, 12\) was wanted"):
        engine.forward(np.zeros((1, 12, 12)))
    parameters = engine.parameters()
    with pytest.raises(ShapeError, match=r"'conv1.bias' is missing"):
        engine.set_parameters({n: p for n, p in parameters.items() if n != "conv1.bias"})
    with pytest.raises(ShapeError, match=r"unknown parameter 'conv1.bais'; did you mean"):
        engine.set_parameters({**parameters, "conv1.bais": np.zeros(25)})
    with pytest.raises(ShapeError, match=r"'conv1.bias' has shape \(24,\), \(25,\) was wanted"):
        engine.set_parameters({**parameters, "conv1.bias": np.zeros(24)})
    with pytest.raises(ShapeError, match=r"output gradient of shape \(2, 3\)"):
        engine.gradients(np.zeros((2, 1, 12, 12)), np.zeros((2, 3)))
    with pytest.raises(UsageError, match="call start_training first"):
        engine.train_step(
            np.zeros((1, 1, 12, 12)), np.zeros(1, np.int32), 0.1, Randomness(0, 0, np.zeros(1, int))
        )
    with pytest.raises(UsageError, match="did you mean 'reference'"):
        make_engine(network, kind="referenc")
    with pytest.raises(UsageError, match="did you mean 'adamw'"):
        engine.start_training(Optimiser("adamww"), Loss())
    with pytest.raises(ShapeError, match="whole word numbers were wanted"):
        make_engine(sentence(), kind="reference").forward(np.zeros((1, 9)))
    engine.start_training(Optimiser("sgd"), Loss())
    with pytest.raises(UsageError, match="no average is kept"):
        engine.parameters(average=True)
    with pytest.raises(ShapeError, match="labels float64"):
        engine.train_step(np.zeros((1, 1, 12, 12)), np.zeros(1), 0.1, Randomness(0, 0, np.zeros(1)))
