"""A small network with its model, and a run's worth of numbers to show."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from beak.data.picture_spec import PictureSpec
from beak.network.initial import initial_parameters
from beak.network.layers import Conv2D, Dense, Flatten, MaxPool2D
from beak.network.network import Network
from beak.runs.model import Model, save_model

SPEC = PictureSpec("pictures", (1, 8, 8), "pad", 0, (0.3,), (0.4,))
LABELS = ("cat", "dog", "bird")


def small_network() -> Network:
    layers = [
        Conv2D(4, 3, activation="relu"),
        MaxPool2D(2),
        Flatten(),
        Dense(3, activation="softmax"),
    ]
    return Network((1, 8, 8), layers)


def make_model(seed: int = 0, network: Network | None = None, **info: object) -> Model:
    network = network or small_network()
    parameters = initial_parameters(network, seed)
    return Model(network, SPEC, LABELS, parameters, {"beak": "0.1.0", "seed": seed, **info})


@pytest.fixture
def model() -> Model:
    """A model of three classes for grey pictures of 8x8."""
    return make_model()


@pytest.fixture(scope="session")
def small_model() -> Callable[..., Model]:
    """Makes such models, for tests that hypothesis repeats."""
    return make_model


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a sound model.safetensors."""
    path = tmp_path_factory.mktemp("good") / "model.safetensors"
    save_model(path, make_model())
    return path.read_bytes()


@pytest.fixture(scope="session")
def linear_engine() -> type:
    return LinearEngine


@pytest.fixture(scope="session")
def check() -> Callable[..., str]:
    """The fuzz harness's question: does reading these bytes end in a model or in one line?"""
    path = Path(__file__).with_name("fuzz_model.py")
    spec = importlib.util.spec_from_file_location("fuzz_model", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.check


class LinearEngine:
    """Logits = weights @ what comes in; enough to evaluate with answers known beforehand."""

    def __init__(self, weights: np.ndarray) -> None:
        self.weights = np.asarray(weights, np.float32)

    def logits(self, inputs: np.ndarray) -> np.ndarray:
        return inputs.reshape(len(inputs), -1) @ self.weights.T
