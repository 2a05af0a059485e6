"""A Keras file as a network of beak's with its parameters and the preparation of its input."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from beak.data.picture_spec import PictureSpec
from beak.errors import RunError
from beak.exchange.importing import Imported
from beak.exchange.keras_files import Array, Stored, read_keras
from beak.exchange.keras_graph import Assembled, assemble
from beak.exchange.keras_prepare import AUGMENTING
from beak.exchange.keras_stream import Config
from beak.network.layer import Shape
from beak.runs.safe import one_line

PIXEL = 255.0


def read_keras_network(path: Path, shape: Shape | None = None) -> Imported:
    """The network of a .keras, .h5 or .json file; a .json's weights lie beside it.

    Raises RunError where the file is damaged or holds weights alone, NetworkError where a layer
    is not in beak.
    """
    stored, where = read_keras(path), one_line(path, 300)
    if stored.description is None:
        raise RunError(
            f"{where} holds weights alone, without the layers; give the .keras file, or "
            f"model.to_json() as {path.name.split('.')[0]}.json beside it, and read that"
        )
    if stored.arrays is None:
        raise RunError(
            f"{where} holds layers alone; its weights were wanted beside it, as "
            f"{path.stem}.weights.h5"
        )
    calls, output = stored.description.calls()
    made = assemble(calls, output)
    arrays = in_calls_order(made, stored, where)
    spec, notes = _spec(made, stored.arrays)
    if made.output.order is not None:
        notes.append("its answers are features in beak's order, channels first")
    return Imported(made.network, made.parameters(arrays), (), spec, (*made.notes, *notes), None)


def in_calls_order(made: Assembled, stored: Stored, where: str) -> list[Array]:
    """A file's arrays, one for each of the network's weights; RunError where they do not fit."""
    assert stored.arrays is not None
    left = {name: list(arrays) for name, arrays in stored.arrays.items()}
    if stored.trainable_first:
        left = {name: _as_listed(name, arrays, made) for name, arrays in left.items()}
    found = []
    for call, weight in made.weights:
        own = left.get(call.split("/")[0], [])
        if not own:
            raise RunError(f"{where}: no '{weight.name}' of the layer '{call}'; is the file whole?")
        array = own.pop(0)
        if array.shape != weight.shape:
            raise RunError(
                f"{where}: '{weight.name}' of the layer '{call}' is {array.shape}, "
                f"{weight.shape} was wanted"
            )
        found.append(array)
    return found


def _as_listed(name: str, arrays: Sequence[Array], made: Assembled) -> list[Array]:
    """The arrays of a model within, all trained ones first, as its layers list them."""
    own = [weight for call, weight in made.weights if call.split("/")[0] == name]
    order = sorted(range(len(own)), key=lambda i: not own[i].trainable)
    if len(arrays) != len(own):
        return list(arrays)
    placed: list[Any] = [None] * len(own)
    for place, array in zip(order, arrays, strict=True):
        placed[place] = array
    return placed


def _spec(made: Assembled, arrays: dict[str, list[Array]]) -> tuple[PictureSpec | None, list[str]]:
    """The preparing layers as beak prepares pictures; None where the file has none that scale."""
    shape, notes = made.network.input, []
    channels = shape[0]
    gain, offset, scales = np.ones(channels), np.zeros(channels), False
    for name, config in made.input.prepared:
        kind = config["class_name"]
        if kind in ("Rescaling", "Normalization"):
            times, more = _scaling(config, arrays.get(name.split("/")[0], []))
            gain, offset, scales = gain * times, offset * times + more, True
        elif kind in AUGMENTING:
            notes.append(f"{kind} is left out: it changes examples in training alone")
        else:
            notes.append(f"{kind} is left to beak's own resizing")
    if not scales or len(shape) != 3 or channels not in (1, 3) or (gain <= 0).any():
        if scales:
            notes.append("its scaling of the input is not taken over; give inputs scaled")
        return None, notes
    std = 1 / (PIXEL * gain)
    spec = PictureSpec(
        "pictures", shape, mean=tuple((-offset * std).tolist()), std=tuple(std.tolist())
    )
    return spec, notes


def _scaling(config: Config, arrays: Sequence[Array]) -> tuple[Array, Array]:
    """What a Rescaling or Normalization multiplies with and adds."""
    if config["class_name"] == "Rescaling":
        return np.asarray(config["scale"], float), np.asarray(config.get("offset", 0.0), float)
    mean, variance = config.get("mean"), config.get("variance")
    if mean is None:
        if len(arrays) < 2:
            raise RunError("a Normalization that was never adapted")
        mean, variance = arrays[0], arrays[1]
    spread = np.maximum(np.sqrt(np.asarray(variance, float)), 1e-7).reshape(-1)
    times = 1 / spread
    return times, -np.asarray(mean, float).reshape(-1) * times
