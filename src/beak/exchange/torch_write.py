"""Runs as modules of PyTorch, and as ``.pt2`` files that hold the input's preparation too."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from beak.data.picture_spec import PictureSpec
from beak.engine.checks import reads_words
from beak.engine.torch_module import TorchNetwork, load_parameters, torch_module
from beak.runs.model import Model
from beak.runs.run import Run

Array = np.ndarray[Any, Any]
TOLD = "beak.json"
"""The file within a ``.pt2`` that says what beak knows of it."""


class Prepared(nn.Module):
    """A network behind the preparation of its input, as far as PyTorch does it."""

    gain: Tensor
    offset: Tensor

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.network, self.words = network_of(model), reads_words(model.network)
        gain, offset = preparation(model)
        ones = (1,) * (len(model.network.input) - 1)
        self.register_buffer("gain", torch.tensor(gain).reshape(-1, *ones))
        self.register_buffer("offset", torch.tensor(offset).reshape(-1, *ones))

    def forward(self, x: Tensor) -> Tensor:
        """Pixels from 0 to 255 of the network's own size (B, C, H, W), or word numbers;
        probabilities (B, labels).
        """
        given = x if self.words else x.float() * self.gain + self.offset
        answers: Tensor = self.network(given)
        return answers if self.network.network.classifies else torch.softmax(answers, 1)


def to_torch(run: Run | str | Path) -> nn.Module:
    """A run's network as a torch module in evaluation mode, with the run's weights.

    It takes what ``run.spec.prepare`` gives, float32 (B, *run.network.input), and answers (B,
    labels); its ``state_dict`` has the run's own names. It trains and exports as any module does.
    """
    opened = run if isinstance(run, Run) else Run(run)
    return network_of(opened.model)


def network_of(model: Model) -> TorchNetwork:
    """The network alone, with its weights."""
    module = torch_module(model.network)
    load_parameters(module, model.parameters)
    return module.eval()


def preparation(model: Model) -> tuple[Array, Array]:
    """What pixels are multiplied with and what is added, for each channel; 1 and 0: as they are."""
    if isinstance(model.spec, PictureSpec):
        gain, offset = (np.asarray(v, np.float32) for v in (model.spec.gain, model.spec.offset))
        return gain, offset
    return np.ones(1, np.float32), np.zeros(1, np.float32)


def pt2_bytes(model: Model) -> bytes:
    """The run as torch.export saves it, for any number of inputs at a time.

    Pictures go in as pixels from 0 to 255 of the network's own size, other kinds as the run
    prepares them. ``extra_files["beak.json"]`` has the network, the preparation and the labels.
    """
    words = reads_words(model.network)
    kind = torch.int64 if words else torch.float32
    example = torch.zeros((2, *model.network.input), dtype=kind)
    module = Prepared(model)
    batch = torch.export.Dim("batch", min=1, max=1 << 20)
    program = torch.export.export(module.eval(), (example,), dynamic_shapes=({0: batch},))
    told = {
        "network": model.network.to_json(),
        "input": model.spec.to_json(),
        "labels": list(model.labels),
    }
    file = io.BytesIO()
    torch.export.save(program, file, extra_files={TOLD: json.dumps(told)})
    return file.getvalue()


def pt2_answers(made: bytes, model: Model, threads: int | None = None) -> Any:
    """The file's answers (N, labels) to inputs as the run prepares them."""
    module = torch.export.load(io.BytesIO(made)).module()
    gain, offset = (v.reshape(-1, *(1,) * (len(model.network.input) - 1))
                    for v in preparation(model))  # fmt: skip

    def answers(prepared: Array) -> Array:
        if reads_words(model.network):
            given = torch.from_numpy(prepared.astype(np.int64))
        else:
            raw = (prepared - offset) / gain
            given = torch.from_numpy(raw.astype(np.float32))
        with torch.inference_mode():
            return np.asarray(module(given).numpy())

    return answers
