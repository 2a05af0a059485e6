"""Random cells over the catalogue and the kinds of input: do the terms add up to their number?

    python benchmarks/lens_cells.py [--cells 10000] [--json FILE]

For each network a cell is drawn at random in every layer in turn; its terms, as the lens tells
them, are added up and set beside the native engine's number and PyTorch's for the same layer on
the same numbers one layer down (both float32). What is told is the largest distance as a share of
the sum of the absolute terms; 1e-5 is the figure.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from beak.errors import BeakError  # noqa: E402
from beak.lens.arithmetic import arithmetic  # noqa: E402
from beak.lens.subject import Look, Subject  # noqa: E402
from beak.network import layers as L  # noqa: E402, N812
from beak.network.catalogue import CATALOGUE, make_network  # noqa: E402
from beak.network.network import Network, Node  # noqa: E402
from beak.network.writers import Parallel, Residual  # noqa: E402
from tests.engine.torch_twin import torch_node  # noqa: E402
from tests.networks import drawn, squeeze, trained_like  # noqa: E402

WORDS_READ = {"words": 500, "length": 24}
INPUTS: dict[str, list[tuple[tuple[int, ...], int, dict[str, int]]]] = {
    "picture": [((1, 28, 28), 10, {}), ((3, 32, 32), 10, {})],
    "sound": [((1, 40, 40), 10, {})],
    "go": [((48, 19, 19), 361, {})],
    "sentence": [
        ((72,), 2, {**WORDS_READ, "buckets": 1024}),
        ((24,), 2, WORDS_READ),
        ((24,), 2, {}),
    ],
}
"""Shapes, answers and options by kind of input: grey and coloured pictures, a log-mel spectrogram,
planes, words with their pairs and without."""
LIMIT = 1e-5


def networks() -> Iterator[tuple[str, str, Network]]:
    """(kind of input, name, network): what the catalogue makes of each kind, and what it lacks."""
    for kind, rows in INPUTS.items():
        for name in CATALOGUE:
            for shape, answers, options in rows:
                try:
                    network = make_network(name, shape, answers, **options)
                except BeakError:
                    continue  # this one reads another kind of input, or words otherwise
                if network.parameter_count < 5_000_000:
                    yield kind, name, network
                if kind == "sentence":
                    break
    for kind, name, shape, made in MORE:
        yield kind, name, Network(shape, made)


WORDS = [L.Embedding(500, 30, 0)]
WINDOWS = [[L.Conv1D(20, k, padding=k, activation="relu"), L.GlobalMaxPool()] for k in (3, 4, 5)]
MORE: list[tuple[str, str, tuple[int, ...], list[Any]]] = [
    (
        "sentence",
        "three widths",
        (24,),
        [*WORDS, Parallel(*WINDOWS), L.Dropout(0.5), L.Dense(2, activation="softmax")],
    ),
    (
        "sound",
        "samples",
        (1, 2000),
        [
            L.Conv1D(16, 80, stride=4, activation="relu"),
            L.MaxPool1D(4),
            L.Conv1D(16, 3, dilation=2, groups=4, padding="same"),
            L.BatchNorm(),
            L.Activation("hard_swish"),
            L.AvgPool1D(4, stride=2),
            L.PositionBias(),
            L.GlobalAvgPool(),
            L.Dense(12, activation="softmax"),
        ],
    ),
    (
        "sound",
        "log-mel within",
        (8000,),
        [
            L.LogMel(rate=8000, window=256, hop=80, bands=40),
            L.Conv2D(8, (9, 9), activation="relu"),
            L.MaxPool2D((1, 3)),
            L.Flatten(),
            L.Dense(10, activation="softmax"),
        ],
    ),
    (
        "go",
        "policy of 3 layers",
        (48, 19, 19),
        [
            L.Conv2D(32, 5, padding=2, activation="relu"),
            L.Conv2D(32, 3, padding=1, activation="relu"),
            L.Conv2D(1, 1, bias=False),
            L.PositionBias(),
            L.Flatten(),
            L.Activation("softmax"),
        ],
    ),
    (
        "picture",
        "every layer",
        (3, 31, 29),
        [
            *squeeze(16, 3),
            L.LayerNorm(),
            L.Activation("gelu"),
            L.MaxPool2D(3, stride=2, padding=1),
            Residual([L.Conv2D(16, 3, padding=1), L.BatchNorm()], activation="leaky_relu"),
            Parallel([L.Conv2D(8, (1, 5), dilation=2, padding="same")], [L.AvgPool2D(3, 1, 1)]),
            L.Activation("silu"),
            L.Conv2D(12, 3, stride=2, groups=4, activation="tanh"),
            L.GlobalMaxPool(),
            L.Dense(10, activation="softmax"),
        ],
    ),
    (
        "picture",
        "slopes, dropped maps",
        (3, 24, 24),
        [
            L.Conv2D(12, 3),
            L.Activation("leaky_relu", slope=0.2),
            L.Dropout(0.3, maps=True),
            Parallel([L.Conv2D(6, 1)], [L.Conv2D(6, 3, padding=1), L.Activation("sigmoid")]),
            L.BatchNorm(epsilon=1e-3),
            L.Activation("leaky_relu", slope=0.5),
            L.AvgPool2D(2),
            L.Flatten(),
            L.Dense(16, activation="silu", max_norm=3.0),
            L.Dense(5, activation="softmax"),
        ],
    ),
    (
        "sentence",
        "words and pairs",
        (40,),
        [
            Parallel(
                [L.Embedding(400, 12, 0, places=24), L.Conv1D(8, 3), L.GlobalMaxPool()],
                [L.Embedding(300, 12, 0, begin=24), L.GlobalAvgPool()],
            ),
            L.Dense(3, activation="softmax"),
        ],
    ),
]


def input_for(network: Network, kind: str, random: np.random.Generator) -> np.ndarray:
    """An input as its kind has them; planes of a board are 0 or 1."""
    found = drawn(network, random, least=1)
    return (found > 0.85).astype(np.float32) if kind == "go" else found


def torch_number(look: Look, node: Node) -> np.ndarray:
    """A node's output as PyTorch makes it of what the native engine's node read."""
    own = {n: torch.tensor(look.subject.parameters[n]) for n in node.parameters}
    read = [torch.tensor(look.values[name][None]) for name in node.inputs]
    with torch.no_grad():
        return torch_node(node, own, read)[0].numpy()


def measure(cells: int, every: int = 1) -> list[dict[str, Any]]:
    """A row for each network: how many cells, and the largest distance as a share of the scale.

    ``every``: only every so many networks of the list, one.
    """
    random = np.random.default_rng(0)
    there = list(networks())[::every]
    rows = []
    for number, (kind, name, network) in enumerate(there):
        share = cells * (number + 1) // len(there) - cells * number // len(there)
        parameters = trained_like(network, number)
        inputs = input_for(network, kind, random)
        look = Look.at(Subject(network, parameters), inputs)
        theirs = {node.name: torch_number(look, node) for node in network.nodes}
        worst = {"engine": 0.0, "torch": 0.0}
        for k in range(max(share, 1)):
            node = network.nodes[k % len(network.nodes)]
            index = tuple(int(random.integers(size)) for size in node.output)
            facts = arithmetic(look, node.name, index).facts
            scale = facts["scale"] or 1.0
            beside = {"engine": look.values[node.name][index], "torch": theirs[node.name][index]}
            for who, value in beside.items():
                away = abs(facts["value"] - float(value)) / scale
                worst[who] = max(worst[who], away)
        rows.append({"input": kind, "network": name, "cells": max(share, 1), **worst})
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=10_000)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    rows = measure(asked.cells)
    print(f"{'input':10} {'network':20} {'cells':>7} {'engine':>10} {'torch':>10}")
    for row in rows:
        print(
            f"{row['input']:10} {row['network']:20} {row['cells']:7,} {row['engine']:10.1e} "
            f"{row['torch']:10.1e}"
        )
    worst = max(max(row["engine"], row["torch"]) for row in rows)
    print(f"{sum(row['cells'] for row in rows):,} cells, the largest distance {worst:.1e}")
    if asked.json:
        asked.json.write_text(json.dumps(rows, indent=1))
    return int(worst > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
