"""Networks that together hold every kind of layer; models of every kind of input."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from beak.data.dataset import Dataset, Part
from beak.data.go_spec import GoSpec
from beak.data.picture_spec import PictureSpec
from beak.data.sound_spec import SoundSpec
from beak.data.text_spec import TextSpec
from beak.network.layers import (
    Activation,
    AvgPool2D,
    Concat,
    Conv1D,
    Conv2D,
    Dense,
    Embedding,
    Flatten,
    GlobalMaxPool,
    MaxPool2D,
    PositionBias,
)
from beak.network.network import Network
from beak.runs.model import Model, save_model
from beak.runs.run import Run

settings.register_profile("exchange", deadline=None, max_examples=40)
settings.load_profile("exchange")


def _lens_cases():
    """The networks that the lens is tested on hold every kind of layer: used here too."""
    path = Path(__file__).parents[1] / "lens" / "conftest.py"
    spec = importlib.util.spec_from_file_location("lens_cases", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    settings.load_profile("exchange")
    return module


CASES = _lens_cases()
NETWORKS = CASES.NETWORKS
parameters_of = CASES.parameters_of
input_of = CASES.input_of


def _end(labels: int) -> list:
    return [Flatten(), Dense(labels, activation="softmax")]


def _pictures(channels: int, fit: str) -> tuple:
    spec = PictureSpec(
        "pictures", (channels, 12, 16), fit, 40, (0.4,) * channels, (0.2,) * channels
    )
    large = Conv2D(24, 3, padding="same", activation="gelu", name="large")
    layers = [Conv2D(6, 3, activation="relu"), MaxPool2D(2), large, *_end(3)]
    return spec, Network(spec.shape, layers)


def _sounds(features: str, level: str) -> tuple:
    spec = SoundSpec.made(rate=4000, seconds=0.3, bands=12, features=features, level=level)
    if features == "log-mel":
        layers = [Conv2D(4, 3, activation="relu"), AvgPool2D(2), *_end(3)]
    else:
        layers = [Conv1D(4, 9, stride=4, activation="relu"), GlobalMaxPool(), Dense(3)]
    return spec, Network(spec.shape, layers)


def _texts(unit: str) -> tuple:
    words = tuple(f"w{i}" for i in range(50))
    if unit == "pairs":
        spec = TextSpec("texts", (36,), unit, True, 1 << 10, words)
        layers = [
            Embedding(spec.numbers, 4, places=12, name="words"),
            GlobalMaxPool(name="most"),
            Embedding(spec.numbers + 1024, 3, begin=12, inputs=("input",), name="grams"),
            GlobalMaxPool(name="votes"),
            Concat(inputs=("most", "votes")),
            Dense(3, activation="softmax"),
        ]
        return spec, Network((36,), layers)
    spec = TextSpec("texts", (14,), unit, True, 0, words if unit == "words" else ())
    layers = [Embedding(spec.numbers, 5, 0), Conv1D(6, 3, padding=2, activation="relu")]
    return spec, Network((14,), [*layers, GlobalMaxPool(), Dense(3, activation="softmax")])


def _go() -> tuple:
    spec = GoSpec.of("alphago-4")
    layers = [Conv2D(6, 3, padding=1, activation="relu"), Conv2D(1, 1, bias=False), PositionBias()]
    return spec, Network(spec.shape, [*layers, Flatten(), Activation("softmax")])


def _numbers() -> tuple:
    spec = PictureSpec("numbers", (2, 5, 6), "stretch", 0, (0.1, 3.0), (1.0, 5.0))
    return spec, Network(spec.shape, [Flatten(), Dense(8, activation="tanh"), Dense(3)])


INPUTS = {
    "grey stretched": _pictures(1, "stretch"),
    "colour padded": _pictures(3, "pad"),
    "colour cropped": _pictures(3, "crop"),
    "numbers": _numbers(),
    "sounds": _sounds("log-mel", "kept"),
    "even sounds": _sounds("log-mel", "even"),
    "samples": _sounds("samples", "even"),
    "words": _texts("words"),
    "bytes": _texts("bytes"),
    "pairs": _texts("pairs"),
    "go": _go(),
}
"""A spec and a network for each way in which an input is prepared."""


def model_of(spec, network, seed: int = 0) -> Model:
    labels = tuple(f"label {i}" for i in range(network.output[0]))
    return Model(network, spec, labels, parameters_of(network, seed), {"beak": "0.1.0"})


def run_of(spec, network, folder: Path, seed: int = 0) -> Run:
    save_model(folder / "model.safetensors", model_of(spec, network, seed))
    return Run(folder / "model.safetensors", threads=1)


@pytest.fixture(params=INPUTS)
def any_run(request, tmp_path) -> Run:
    """A run of each way in which an input is prepared."""
    return run_of(*INPUTS[request.param], tmp_path)


@pytest.fixture
def picture_run(tmp_path) -> Run:
    return run_of(*INPUTS["colour padded"], tmp_path)


@pytest.fixture(scope="session")
def inputs():
    return INPUTS


@pytest.fixture(scope="session")
def make_run():
    return run_of


@pytest.fixture(scope="session")
def networks():
    return NETWORKS


@pytest.fixture(scope="session")
def case_of():
    """Parameters and a batch of two inputs for a network."""

    def made(network, seed=0):
        both = np.stack([input_of(network, seed), input_of(network, seed + 1)])
        return parameters_of(network, seed), both

    return made


def made_dataset(run, count: int = 300) -> Dataset:
    """Made inputs whose labels are the run's own answers: it is always right."""
    random = np.random.default_rng(3)
    spec = run.spec
    if spec.kind == "pictures":
        rows = random.integers(0, 256, (count, *spec.shape)).astype(np.uint8)
    elif spec.kind == "sounds":
        rows = random.integers(-9000, 9000, (count, spec.samples)).astype(np.int16)
    elif spec.kind == "texts":
        rows = random.integers(1, spec.numbers, (count, spec.length)).astype(np.int32)
    else:
        rows = random.normal(0, 3, (count, *spec.shape)).astype(np.float32)
    truth = run.predictor.engine.logits(spec.prepare(rows)).argmax(axis=1).astype(np.int32)
    part = Part(rows, truth, [f"made {i}" for i in range(count)])
    parts = {"train": part, "validation": part, "test": part}
    return Dataset("made", spec.kind, run.labels, spec, parts)


@pytest.fixture(scope="session")
def dataset_for():
    """A function: made inputs for a run, labelled with its own answers."""
    return made_dataset
