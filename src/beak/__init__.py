"""Train, open up and ship convolutional networks, fast on the machine you have.

>>> import beak
>>> network = beak.Network((1, 28, 28), [
...     beak.Conv2D(25, 3, activation="relu"), beak.MaxPool2D(2),
...     beak.Flatten(), beak.Dense(10), beak.Activation("softmax")])
>>> network.output
(10,)

``beak.train("photos/")`` trains on a folder of class folders and gives a ``Run``;
``beak.load("model.safetensors")`` brings one back. Nothing is imported before it is used.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from beak.errors import BeakError
    from beak.exchange.export import export
    from beak.exchange.torch_file import from_torch
    from beak.exchange.torch_write import to_torch
    from beak.lens.ask import explain
    from beak.network.catalogue import make_network
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
    from beak.runs.run import Run, load
    from beak.train.estimator import CNNClassifier
    from beak.train.train import resume, train
    from beak.web.show import look

    __version__: str

__all__ = [
    "Activation",
    "Add",
    "AvgPool1D",
    "AvgPool2D",
    "BatchNorm",
    "BeakError",
    "CNNClassifier",
    "Concat",
    "Conv1D",
    "Conv2D",
    "Dense",
    "Dropout",
    "Embedding",
    "Flatten",
    "GlobalAvgPool",
    "GlobalMaxPool",
    "LayerNorm",
    "MaxPool1D",
    "MaxPool2D",
    "Multiply",
    "Network",
    "Pad",
    "Parallel",
    "PositionBias",
    "Reshape",
    "Residual",
    "Run",
    "Upsample",
    "__version__",
    "explain",
    "export",
    "from_torch",
    "load",
    "look",
    "make_network",
    "resume",
    "to_torch",
    "train",
]

HOMES = {
    "beak.errors": ("BeakError",),
    "beak.exchange.export": ("export",),
    "beak.exchange.torch_file": ("from_torch",),
    "beak.exchange.torch_write": ("to_torch",),
    "beak.lens.ask": ("explain",),
    "beak.network.catalogue": ("make_network",),
    "beak.network.network": ("Network",),
    "beak.network.writers": ("Parallel", "Residual"),
    "beak.runs.run": ("Run", "load"),
    "beak.train.estimator": ("CNNClassifier",),
    "beak.train.train": ("resume", "train"),
    "beak.web.show": ("look",),
}
"""Where each name of the face lives; what is not listed is a layer."""

ELSEWHERE = {
    "Linear": "Dense(units)",
    "Model": "Network((channels, height, width), [layers])",
    "Sequential": "Network((channels, height, width), [layers])",
    "fit": 'train("photos/")',
    "load_model": 'load("runs/photos")',
}
"""What users of Keras, PyTorch and fastai look for, and its name here."""


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return installed_version()
    if name == "torch":
        return import_module("beak.torch")
    if name not in __all__:
        from beak.errors import did_you_mean

        near = f"; here: {ELSEWHERE[name]}" if name in ELSEWHERE else did_you_mean(name, __all__)
        raise AttributeError(f"beak has no '{name}'{near}")
    home = next((home for home, names in HOMES.items() if name in names), "beak.network.layers")
    value = getattr(import_module(home), name)
    if name == "train":  # by now this is the room, which can be called
        return sys.modules["beak.train"]
    globals()[name] = value
    return value


def installed_version() -> str:
    """What pip installed; "unknown" for a source tree that is used as it lies."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("beak")
    except PackageNotFoundError:
        return "unknown"


def __dir__() -> list[str]:
    return sorted(__all__)


class TrainRoom(ModuleType):
    """The room ``beak.train``, which can also be called: ``beak.train("photos/")``.

    Importing any file of the room binds the room to the face's ``train``, so room and function
    have to live under the one name.
    """

    def __call__(self, *arguments: Any, **settings: Any) -> Any:
        """``beak.train.train.train``."""
        return import_module("beak.train.train").train(*arguments, **settings)

    @property
    def __signature__(self) -> Any:
        """What ``inspect.signature(beak.train)`` shows."""
        from inspect import signature

        return signature(import_module("beak.train.train").train)


class Face(ModuleType):
    """The face itself: makes the room ``beak.train`` callable when it is imported."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "train" and isinstance(value, ModuleType):
            value.__class__ = TrainRoom
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = Face
