"""Everything that needs a GPU, in one go: the torch engine checked against native, and measured.

    python benchmarks/gpu/check.py [equal] [rates] [cifar10] [go] [--data FOLDER] [--minutes 20]

equal    outputs and gradients of the whole catalogue, native beside torch on the GPU, in float32
rates    training steps of lecture, resnet20 and alphago-policy: images a second, as a share of
         the measured limits (a matrix product in bfloat16, a copy), and a plain tutorial loop
cifar10  `beak train cifar10` with resnet20 on the GPU, to its end: accuracy and seconds
go       alphago-policy with 192 filters on records of Go (--data), for so many --minutes; started
         again with the same --out it goes on

Without words: equal and rates. Each part prints a line for each of its results; a part that fails
its bound ends the script with exit code 1.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from beak.engine.interface import Loss, Optimiser, Randomness
from beak.engine.measure import example_batch
from beak.engine.native import NativeEngine
from beak.engine.torch import TorchEngine
from beak.engine.torch_module import torch_module
from beak.network.catalogue import CATALOGUE, make_network
from beak.network.network import Network

BOUND = 1e-4
SPOKEN = ("keyword", "cnn-trad-fpool3", "cnn-one-fpool3", "cnn-one-fstride4",
          "spectrogram-frequency")  # fmt: skip


def network_of(name: str) -> Network:
    entry = CATALOGUE[name]
    shape = entry.usual or ((1, 98, 40) if name in SPOKEN else (3, 32, 32))
    return make_network(name, shape, entry.classes or 10)


def apart(found: np.ndarray, wanted: np.ndarray) -> float:
    return float(np.linalg.norm(found - wanted) / max(np.linalg.norm(wanted), 1e-12))


def equal() -> bool:
    """Relative differences of outputs and gradients (L2) in float32, without tensor cores."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    good = True
    for name in CATALOGUE:
        network = network_of(name)
        native = NativeEngine(network, seed=1, exact=True)
        other = TorchEngine(network, native.parameters(), exact=True, device="cuda")
        x, y = example_batch(network, 4)
        random = Randomness(3, 1, np.arange(4))
        answers = apart(other.forward(x), native.forward(x))
        mine, its = (e.loss_gradients(x, y, Loss(), random)[1].parameters for e in (native, other))
        gradients = max(
            apart(its[key], mine[key]) for key in mine if np.abs(mine[key]).max() > 1e-6
        )
        fits = answers < BOUND and gradients < 10 * BOUND
        good = good and fits
        print(
            f"equal {name}: outputs {answers:.1e}, gradients {gradients:.1e}"
            + ("" if fits else f" (more than {BOUND:.0e})"),
            flush=True,
        )
    return good


def limits() -> tuple[float, float]:
    """Multiply-adds a second of a bfloat16 matrix product, bytes a second of a copy."""
    a = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
    product = 8192**3 / timed(lambda: a @ a, 30)
    b = torch.empty(1 << 30, dtype=torch.uint8, device="cuda")
    copy = 2 * b.numel() / timed(lambda: b.clone(), 30)
    return product, copy


def timed(work, times: int) -> float:
    for _ in range(3):
        work()
    torch.cuda.synchronize()
    began = time.perf_counter()
    for _ in range(times):
        work()
    torch.cuda.synchronize()
    return (time.perf_counter() - began) / times


def tutorial_step(network: Network, x: np.ndarray, y: np.ndarray):
    """The loop of the usual tutorials: float32, Adam, one copy to the GPU a step."""
    model = torch_module(network, logits=True).cuda().train()
    optimiser = torch.optim.Adam(model.parameters())
    inputs, labels = torch.from_numpy(x), torch.from_numpy(y).long()

    def step() -> None:
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(model(inputs.cuda()), labels.cuda())
        loss.backward()
        optimiser.step()
        loss.item()

    return step


def rates() -> bool:
    product, copy = limits()
    print(
        f"limits: {product / 1e12:.0f} T multiply-adds a second (bfloat16), "
        f"{copy / 1e12:.2f} TB a second copied",
        flush=True,
    )
    for name, batch in (("lecture", 512), ("resnet20", 512), ("alphago-policy", 256)):
        network = network_of(name)
        x, y = example_batch(network, batch)
        engine = TorchEngine(network, seed=1, device="cuda")
        engine.start_training(Optimiser("adam"), Loss())
        random = Randomness(1, 1, np.arange(batch))
        ours = timed(lambda e=engine, x=x, y=y, r=random: e.train_step(x, y, 1e-4, r), 30)
        theirs = timed(tutorial_step(network, x, y), 30)
        floats = 2 * sum(np.prod(node.output) for node in network.nodes) * 2 * batch
        print(
            f"rates {name} {batch}: {batch / ours:,.0f} images a second, "
            f"{100 * 3 * network.multiply_adds * batch / ours / product:.1f} % of the products, "
            f"{100 * floats / ours / copy:.1f} % of the copies, "
            f"{theirs / ours:.2f} times the tutorial's loop",
            flush=True,
        )
    return True


def trained(words: list[str], minutes: float) -> bool:
    """A training by the command, stopped after so many minutes; True where it ended or was."""
    process = subprocess.Popen([sys.executable, "-m", "beak", "train", *words, "--device", "cuda"])
    try:
        return process.wait(minutes * 60) == 0
    except subprocess.TimeoutExpired:
        process.terminate()
        process.wait()
        print("stopped; the same command goes on", flush=True)
        return True


def cifar10(given: argparse.Namespace) -> bool:
    """The built-in set is as its makers give it, lossless; --data: where it lies."""
    where = ["--data-dir", given.data] if given.data else []
    began = time.perf_counter()
    good = trained(
        ["cifar10", *where, "--network", "resnet20", "--set", "network.width=64", "--batch", "512",
         "--out", f"{given.out}/cifar10", "--overwrite", "--no-baseline"], given.minutes,
    )  # fmt: skip
    print(f"cifar10: {time.perf_counter() - began:.0f} s, reading and evaluation included")
    return good


def go(given: argparse.Namespace) -> bool:
    run = Path(given.out, "go")
    if (run / "checkpoint.safetensors").exists():
        return trained(["--resume", str(run)], given.minutes)
    return trained(
        [
            given.data,
            "--network",
            "alphago-policy",
            "--epochs",
            "1",
            "--batch",
            "512",
            "--set",
            "sample=0",
            "--out",
            str(run),
            "--no-baseline",
        ],
        given.minutes,
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*")
    parser.add_argument("--data", default="")
    parser.add_argument("--out", default="runs/gpu")
    parser.add_argument("--minutes", type=float, default=20)
    given = parser.parse_args()
    if not torch.cuda.is_available():
        print("PyTorch sees no GPU here", file=sys.stderr)
        return 1
    print(torch.cuda.get_device_name(), "PyTorch", torch.__version__, flush=True)
    parts = {"equal": equal, "rates": rates, "cifar10": lambda: cifar10(given),
             "go": lambda: go(given)}  # fmt: skip
    failed = [part for part in given.parts or ("equal", "rates") if not parts[part]()]
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
