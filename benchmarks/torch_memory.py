"""One epoch of PyTorch over an .npz file: what the `memory` works of peers.py set beak beside.

    python benchmarks/torch_memory.py FILE.npz NETWORK BATCH THREADS

Trains with fused AdamW on channels_last tensors, then evaluates, as `beak train` does.
"""

from __future__ import annotations

import sys

import numpy as np
import torch
from torch.nn import functional

from beak.engine.torch_module import torch_module
from beak.network.catalogue import make_network


def batches(pictures: np.ndarray, labels: np.ndarray, size: int):
    for begin in range(0, len(labels), size):
        x = torch.from_numpy(pictures[begin : begin + size]).float().div_(255)
        y = torch.from_numpy(labels[begin : begin + size]).long()
        yield x.contiguous(memory_format=torch.channels_last), y


def main() -> None:
    path, name, size, threads = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    torch.set_num_threads(threads)
    with np.load(path) as file:
        pictures, labels = file["X_train"], file["y_train"]
        test = file["X_test"], file["y_test"]
    network = make_network(name, pictures.shape[1:], int(labels.max()) + 1)
    model = torch_module(network, logits=True).to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    for x, y in batches(pictures, labels, size):
        optimiser.zero_grad(set_to_none=True)
        functional.cross_entropy(model(x), y).backward()
        optimiser.step()
    model.eval()
    with torch.inference_mode():
        right = sum(int((model(x).argmax(1) == y).sum()) for x, y in batches(*test, size))
    print(f"test {right / len(test[1]):.4f}")


if __name__ == "__main__":
    main()
