"""A network as torch modules computes what the reference engine computes, for every kind."""

from __future__ import annotations

import numpy as np
import pytest

from beak.engine.measure import example_batch
from beak.engine.reference import ReferenceEngine
from beak.network import layers as L  # noqa: N812
from beak.network.catalogue import make_network
from beak.network.initial import initial_parameters
from beak.network.network import Network
from beak.network.writers import Parallel, Residual

torch = pytest.importorskip("torch")

from beak.engine.torch_bench import torch_steps  # noqa: E402
from beak.engine.torch_module import load_parameters, torch_module  # noqa: E402

NETWORKS = {
    "chain": make_network("lecture", (1, 14, 14), 5),
    "residual": make_network("resnet8", (3, 16, 16), 4),
    "uneven padding": Network(
        (2, 9, 8),
        [
            L.Conv2D(6, 3, stride=2, padding="same", groups=2, activation="gelu"),
            L.MaxPool2D(2, padding="same"),
            L.Activation("leaky_relu"),
            L.LayerNorm(),
            L.GlobalAvgPool(),
            L.Dense(3),
            L.Activation("softmax"),
        ],
    ),
    "words": Network(
        (9,),
        [
            L.Embedding(30, 8, padding_index=0),
            Parallel(
                [L.Conv1D(5, 2, activation="relu"), L.GlobalMaxPool()],
                [L.Conv1D(4, 3, activation="tanh"), L.GlobalAvgPool()],
            ),
            L.Dropout(0.5),
            L.Dense(2, activation="softmax"),
        ],
    ),
    "a gate and a bias": Network(
        (4, 6, 6),
        [
            L.Conv2D(4, 1, name="wide"),
            L.GlobalMaxPool(),
            L.Dense(4, activation="sigmoid", name="gate"),
            L.Multiply(inputs=("wide", "gate")),
            L.PositionBias(),
            Residual([L.Conv2D(4, 3, padding=1)], activation="relu"),
            L.AvgPool2D(3, 2, padding=1),
            L.Flatten(),
            L.Activation("softmax"),
        ],
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_module_answers_as_the_reference(name):
    network = NETWORKS[name]
    rng = np.random.default_rng(1)
    parameters = {
        key: np.abs(value) + 0.5 if key.endswith("var") else value
        for key, value in (
            (key, (value + 0.1 * rng.standard_normal(value.shape)).astype(np.float32))
            for key, value in initial_parameters(network, 0).items()
        )
    }
    inputs, _ = example_batch(network, 3)
    reference = ReferenceEngine(network, parameters)
    for logits in (False, True):
        module = torch_module(network, logits=logits).eval()
        load_parameters(module, parameters)
        with torch.inference_mode():
            found = module(torch.from_numpy(inputs)).numpy()
        wanted = reference.logits(inputs) if logits else reference.forward(inputs)
        np.testing.assert_allclose(found.reshape(wanted.shape), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["chain", "residual", "words"])
def test_every_setting_takes_training_steps(name):
    network = NETWORKS[name]
    batches = [example_batch(network, 4)]
    settings = []
    for setting, step in torch_steps(network, batches, "train", threads=1):
        step()
        step()
        settings.append(setting)
    wanted = {
        "words": ["eager dense", "eager sparse"],
    }.get(name, ["eager channels_first", "eager channels_last"])
    assert settings == wanted
