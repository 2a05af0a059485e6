"""A model as a run of beak's: what the page, the exports and the service take."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from beak.data.picture_spec import PictureSpec
from beak.errors import UsageError
from beak.keras.preparing import Normalization, Rescaling
from beak.runs.model import Model as RunModel
from beak.runs.model import save_model

if TYPE_CHECKING:
    from beak.keras.model import Model


def save_run(model: Model, path: Any, labels: Sequence[str] | None) -> Path:
    """Write ``model.safetensors`` in a directory; UsageError where it is no classifier."""
    network = model.network
    if len(network.output) != 1 or model._running().engine._words:
        raise UsageError(
            "a run holds a classifier of pictures or numbers: one answer for each class"
        )
    names = [str(n) for n in range(network.output[0])] if labels is None else list(labels)
    if len(names) != network.output[0]:
        raise UsageError(f"{len(names)} labels for {network.output[0]} answers; one for each")
    target = Path(path)
    target.mkdir(parents=True, exist_ok=True)
    found = RunModel(
        network, _spec(model), tuple(map(str, names)), model.parameters(), {"name": model.name}
    )
    save_model(target, found)
    return target


def _spec(model: Model) -> PictureSpec:
    """The preparing layers that scale; without them a picture's values from 0 to 1."""
    runtime = model._running()
    shape = runtime.assembled.network.input
    gain, offset, scales = np.ones(shape[0]), np.zeros(shape[0]), False
    for layer in runtime.preparing:
        if isinstance(layer, Rescaling | Normalization):
            ends = [
                np.broadcast_to(
                    layer.apply(np.full((1, 1, 1, shape[0]), value, np.float32), False),
                    (1, 1, 1, shape[0]),
                ).reshape(-1)
                for value in (0.0, 1.0)
            ]
            times, more = ends[1] - ends[0], ends[0]
            gain, offset, scales = gain * times, offset * times + more, True
    pictures = len(shape) == 3 and shape[0] in (1, 3)
    if not pictures:
        return PictureSpec("numbers", shape, mean=(0.0,) * shape[0], std=(1.0,) * shape[0])
    if not scales:
        return PictureSpec("pictures", shape, mean=(0.0,) * shape[0], std=(1.0,) * shape[0])
    std = 1 / (255.0 * gain)
    mean = -offset * std
    return PictureSpec("pictures", shape, mean=tuple(mean.tolist()), std=tuple(std.tolist()))
