"""What tests of several rooms draw: parameters as after training, inputs, a common block."""

from __future__ import annotations

import numpy as np

from beak.network.initial import initial_parameters
from beak.network.layers import Conv2D, Dense, GlobalAvgPool, Multiply
from beak.network.network import Network


def squeeze(channels: int, window: int = 1) -> list:
    """A squeeze-and-excite block: channels weighed by what they hold on average."""
    return [
        Conv2D(channels, window, padding=window // 2, name="wide"),
        GlobalAvgPool(name="mean", inputs=("wide",)),
        Dense(channels, activation="sigmoid", name="gate"),
        Multiply(inputs=("wide", "gate")),
    ]


def trained_like(network: Network, seed: int = 0) -> dict[str, np.ndarray]:
    """Parameters as after training: biases, norms and running statistics that do something."""
    random = np.random.default_rng(seed)
    found = {}
    for name, value in initial_parameters(network, seed).items():
        if name.endswith((".weight", ".running_var")) and value.ndim == 1:
            value = random.uniform(0.5, 1.5, value.shape).astype(np.float32)
        elif value.ndim == 1 or name.endswith("bias"):
            value = random.normal(0, 0.3, value.shape).astype(np.float32)
        found[name] = value
    return found


def drawn(
    network: Network, random: np.random.Generator, batch: tuple[int, ...] = (), least: int = 0
) -> np.ndarray:
    """Inputs (*batch, *network.input): words from ``least`` on, else normal numbers."""
    shape = (*batch, *network.input)
    words = [node.layer.words for node in network.nodes if node.layer.kind == "Embedding"]
    if words:
        return random.integers(least, min(words), shape).astype(np.int32)
    return random.normal(size=shape).astype(np.float32)
