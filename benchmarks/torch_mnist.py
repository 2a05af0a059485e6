"""MNIST in PyTorch, written well: what `mnist 99.0` of peers.py sets beak beside.

    python benchmarks/torch_mnist.py FOLDER-WITH-THE-FOUR-FILES [--threads N]

The recipe is mnist99.toml, the same that `beak train` gets. All pictures lie ready as one uint8
tensor, batches are taken by index, tensors are channels_last, Adam is fused, gradients are let go
rather than zeroed. Prints the accuracy on the test set in the last line.
"""

from __future__ import annotations

import argparse
import gzip
import os
import tomllib
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

RECIPE = Path(__file__).parent / "mnist99.toml"
VALIDATION = 6000
MEAN, STD = 0.1307, 0.3081


def read(path: Path) -> torch.Tensor:
    """An idx file, packed or not."""
    packed = path.with_name(path.name + ".gz")
    data = path.read_bytes() if path.exists() else gzip.decompress(packed.read_bytes())
    sizes = [int.from_bytes(data[4 + 4 * i : 8 + 4 * i]) for i in range(data[3])]
    return torch.from_numpy(np.frombuffer(data, np.uint8, offset=4 + 4 * len(sizes)).copy()).view(
        sizes
    )


def read_part(folder: Path, part: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures (N, 1, 28, 28) uint8 and labels."""
    pictures = read(folder / f"{part}-images-idx3-ubyte")[:, None]
    return pictures, read(folder / f"{part}-labels-idx1-ubyte").long()


def batch(pictures: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
    x = pictures[chosen].float().mul_(1 / (255 * STD)).sub_(MEAN / STD)
    return x.contiguous(memory_format=torch.channels_last)


def lecture() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 25, 3), nn.ReLU(inplace=True), nn.MaxPool2d(2),
        nn.Conv2d(25, 50, 3), nn.ReLU(inplace=True), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(1250, 100), nn.ReLU(inplace=True), nn.Linear(100, 10),
    ).to(memory_format=torch.channels_last)  # fmt: skip


@torch.inference_mode()
def accuracy(model: nn.Module, pictures: torch.Tensor, labels: torch.Tensor) -> float:
    model.eval()
    right = 0
    for chosen in torch.arange(len(labels)).split(500):
        right += int((model(batch(pictures, chosen)).argmax(1) == labels[chosen]).sum())
    model.train()
    return right / len(labels)


def groups(model: nn.Module, decay: float) -> list[dict]:
    """Weights decay, biases do not."""
    weights = [p for p in model.parameters() if p.ndim > 1]
    biases = [p for p in model.parameters() if p.ndim == 1]
    return [{"params": weights, "weight_decay": decay}, {"params": biases, "weight_decay": 0.0}]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    recipe = tomllib.loads(RECIPE.read_text())
    torch.manual_seed(recipe["seed"])
    pictures, labels = read_part(given.data, "train")
    size = len(labels) - VALIDATION
    model, o, s = lecture(), recipe["optimiser"], recipe["schedule"]
    steps = recipe["epochs"] * -(-size // recipe["batch"])
    peak, decay = o["learning_rate"], o["weight_decay"]
    optimiser = torch.optim.AdamW(groups(model, decay), lr=peak, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, peak, steps, pct_start=s["warmup"], div_factor=1 / s["start"],
        final_div_factor=s["start"] / s["end"], cycle_momentum=False,
    )  # fmt: skip
    smoothing = recipe["loss"]["label_smoothing"]
    for epoch in range(recipe["epochs"]):
        for chosen in torch.randperm(size).split(recipe["batch"]):
            optimiser.zero_grad(set_to_none=True)
            x, y = batch(pictures, chosen), labels[chosen]
            functional.cross_entropy(model(x), y, label_smoothing=smoothing).backward()
            optimiser.step()
            schedule.step()
        held_out = accuracy(model, pictures[size:], labels[size:])
        print(f"epoch {epoch + 1}: validation {held_out:.4f}", flush=True)
    print(f"test {accuracy(model, *read_part(given.data, 't10k')):.4f}")


if __name__ == "__main__":
    main()
