"""Keras's layers that prepare the input: they run before beak's network, on arrays as they come."""

from __future__ import annotations

from dataclasses import replace

from beak.errors import NetworkError, ShapeError
from beak.exchange.keras_stream import Config, Fragment, Stream

AUGMENTING = (
    "RandomFlip",
    "RandomRotation",
    "RandomTranslation",
    "RandomZoom",
    "RandomContrast",
    "RandomBrightness",
)
"""They change an example in training alone."""
SCALING = ("Rescaling", "Normalization")
PREPARING = (*SCALING, "Resizing", "CenterCrop", *AUGMENTING)


def prepare(config: Config, name: str, inputs: list[Stream], out: Fragment) -> Stream:
    """A preparing layer, which reads the input or another that does."""
    x, kind = inputs[0], str(config["class_name"])
    if not x.is_input:
        raise NetworkError(
            f"{kind} within a network is not in beak; nearest: put it first, right after the Input"
        )
    shape = x.shape
    if kind == "Reshape":
        shape = tuple(config["target_shape"])
    elif kind not in SCALING:
        if len(shape) != 3:
            raise ShapeError(f"{shape} came in, pictures (height, width, channels) were wanted")
        if config.get("data_format") == "channels_first":
            raise NetworkError("data_format='channels_first' is not in beak for preparing layers")
        if kind in ("Resizing", "CenterCrop"):
            shape = (int(config["height"]), int(config["width"]), shape[2])
    elif kind == "Normalization":
        axis = config.get("axis", -1)
        if axis not in (-1, len(shape), None, [-1], (-1,)):
            raise NetworkError(f"Normalization(axis={axis!r}) is not in beak; nearest: axis=-1")
    return replace(x, shape=shape, prepared=(*x.prepared, (name, config)))
