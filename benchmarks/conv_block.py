"""beak.torch.ConvBlock beside the three torch layers: training steps of the lecture's network.

    python benchmarks/conv_block.py [--batch 128] [--threads 1] [--pairs 7]

Both sides train in turns with fused Adam on channels_last tensors, in one process; printed are
images a second and the median of the ratios.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from torch import nn

from beak.torch import ConvBlock


def network(block: bool) -> nn.Module:
    """The lecture's network with ReLU."""

    def part(ins: int, outs: int) -> list[nn.Module]:
        if block:
            return [ConvBlock(ins, outs, 3)]
        return [nn.Conv2d(ins, outs, 3), nn.ReLU(inplace=True), nn.MaxPool2d(2)]

    head = [nn.Flatten(), nn.Linear(1250, 100), nn.ReLU(inplace=True), nn.Linear(100, 10)]
    return nn.Sequential(*part(1, 25), *part(25, 50), *head).to(memory_format=torch.channels_last)


def seconds(model: nn.Module, optimiser: torch.optim.Optimizer, x, y, steps: int) -> float:
    began = time.perf_counter()
    for _ in range(steps):
        optimiser.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(model(x), y).backward()
        optimiser.step()
    return (time.perf_counter() - began) / steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--pairs", type=int, default=7)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    x = torch.randn(given.batch, 1, 28, 28).contiguous(memory_format=torch.channels_last)
    y = torch.randint(0, 10, (given.batch,))
    sides = [network(block) for block in (True, False)]
    sides = [(model, torch.optim.Adam(model.parameters(), 1e-3, fused=True)) for model in sides]
    for model, optimiser in sides:
        seconds(model, optimiser, x, y, 5)
    ratios, rates = [], []
    for _ in range(given.pairs):
        ours, theirs = (seconds(model, optimiser, x, y, 10) for model, optimiser in sides)
        ratios.append(theirs / ours)
        rates.append((given.batch / ours, given.batch / theirs))
    ours, theirs = np.median(rates, axis=0)
    print(
        f"images a second: ConvBlock {ours:,.0f}, three layers {theirs:,.0f}; "
        f"{np.median(ratios):.2f} times"
    )


if __name__ == "__main__":
    main()
