"""Everything that needs a GPU: the torch engine checked against native, and measured.

    python benchmarks/gpu/check.py equal rates                       two or three minutes
    python benchmarks/gpu/check.py cifar10 --minutes 9               again, until it says "done"
    python benchmarks/gpu/check.py go --games kgs.tar.gz --minutes 9 likewise
    python benchmarks/gpu/check.py equal rates cifar10 go --device cpu --tiny   a rehearsal

equal    outputs and gradients of the whole catalogue, native beside torch on the GPU, in float32
rates    training steps of lecture, resnet20 and alphago-policy: images a second, as a share of
         the measured limits (a matrix product in bfloat16, a copy), and a plain tutorial loop
cifar10  `beak train` on --cifar (cifar10, lossless; or a folder of it, such as a JPEG copy) with a
         wide resnet20: accuracy, and after how many seconds of training it first reached 94 %
go       alphago-policy with 192 filters, one pass over records of Go (--games): first answers on
         games that it has not seen, alone and as the mean of eight symmetries

A training that is cut off by --minutes goes on when the same command comes again; at the end of its
pass the training tells its test figures, and the script says "done". Each part prints lines of its
own and what it took; a part that fails its bound, or a training that fails, ends the script with
exit code 1.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
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
TINY = ("lecture", "resnet8")
WANTED = 0.94
"""Accuracy on CIFAR-10 whose seconds are told."""
ENDING = 60
"""Seconds that a training may take to stop after it was told to."""


def network_of(name: str) -> Network:
    """A network of the catalogue as it is usually fed."""
    entry = CATALOGUE[name]
    shape = entry.usual or ((1, 98, 40) if name in SPOKEN else (3, 32, 32))
    return make_network(name, shape, entry.classes or 10)


def apart(found: np.ndarray, wanted: np.ndarray) -> float:
    """The difference's length as a share of what was wanted."""
    return float(np.linalg.norm(found - wanted) / max(np.linalg.norm(wanted), 1e-12))


def equal(given: argparse.Namespace) -> bool:
    """Relative differences of outputs and gradients (L2) in float32, without tensor cores."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    good = True
    for name in TINY if given.tiny else CATALOGUE:
        network = network_of(name)
        native = NativeEngine(network, seed=1, exact=True)
        other = TorchEngine(network, native.parameters(), exact=True, device=given.device)
        x, y = example_batch(network, 4)
        random = Randomness(3, 1, np.arange(4))
        answers = apart(other.forward(x), native.forward(x))
        mine, its = (e.loss_gradients(x, y, Loss(), random)[1].parameters for e in (native, other))
        gradients = max(
            apart(its[key], mine[key]) for key in mine if np.abs(mine[key]).max() > 1e-6
        )
        fits = answers < BOUND and gradients < BOUND
        good = good and fits
        print(
            f"equal {name}: outputs {answers:.1e}, gradients {gradients:.1e}"
            + ("" if fits else f" (more than {BOUND:.0e})"),
            flush=True,
        )
    return good


def limits(given: argparse.Namespace) -> tuple[float, float]:
    """Multiply-adds a second of a bfloat16 matrix product, bytes a second of a copy."""
    side, size = (256, 1 << 20) if given.tiny else (8192, 1 << 30)
    a = torch.randn(side, side, device=given.device, dtype=torch.bfloat16)
    product = side**3 / timed(lambda: a @ a, given)
    b = torch.empty(size, dtype=torch.uint8, device=given.device)
    copy = 2 * b.numel() / timed(lambda: b.clone(), given)
    return product, copy


def timed(work: Callable[[], object], given: argparse.Namespace) -> float:
    """Seconds of one call, the mean of many after a few that do not count."""
    wait = torch.cuda.synchronize if given.device.startswith("cuda") else lambda: None
    before, times = (1, 2) if given.tiny else (5, 50)
    for _ in range(before):
        work()
    wait()
    began = time.perf_counter()
    for _ in range(times):
        work()
    wait()
    return (time.perf_counter() - began) / times


def tutorial_step(
    network: Network, x: np.ndarray, y: np.ndarray, device: str
) -> Callable[[], float]:
    """The loop of the usual tutorials: float32, Adam, one copy to the GPU a step."""
    model = torch_module(network, logits=True).to(device).train()
    optimiser = torch.optim.Adam(model.parameters())
    inputs, labels = torch.from_numpy(x), torch.from_numpy(y).long()

    def step() -> float:
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(model(inputs.to(device)), labels.to(device))
        loss.backward()
        optimiser.step()
        return loss.item()

    return step


def rates(given: argparse.Namespace) -> bool:
    """Steps a second of the engine, beside the machine's limits and a tutorial's loop."""
    product, copy = limits(given)
    print(
        f"limits: {product / 1e12:.3g} T multiply-adds a second (bfloat16), "
        f"{copy / 1e12:.3g} TB a second copied",
        flush=True,
    )
    for name, batch in (("lecture", 512), ("resnet20", 512), ("alphago-policy", 256)):
        network, batch = network_of(name), 2 if given.tiny else batch
        x, y = example_batch(network, batch)
        engine = TorchEngine(network, seed=1, device=given.device)
        engine.start_training(Optimiser("adam"), Loss())
        random = Randomness(1, 1, np.arange(batch))
        ours = timed(lambda e=engine, x=x, y=y, r=random: e.train_step(x, y, 1e-4, r), given)
        theirs = timed(tutorial_step(network, x, y, given.device), given)
        # each node's output is written and read once on the way there, its gradient on the way back
        moved = 4 * 2 * sum(int(np.prod(node.output)) for node in network.nodes) * batch
        print(
            f"rates {name} {batch}: {batch / ours:,.0f} images a second, "
            f"{100 * 3 * network.multiply_adds * batch / ours / product:.1f} % of the products, "
            f"{100 * moved / ours / copy:.1f} % of the copies, "
            f"{theirs / ours:.2f} times the tutorial's loop",
            flush=True,
        )
    return True


def trained(run: Path, words: list[str], given: argparse.Namespace) -> bool:
    """A training by the command, begun or gone on with, for so many minutes; False: it failed."""
    if (run / "model.safetensors").exists():
        return done(run)
    begun = (run / "checkpoint.safetensors").exists()
    words = ["--resume", str(run)] if begun else [*words, "--out", str(run), "--overwrite"]
    command = [sys.executable, "-m", "beak", "train", *words, "--engine", "torch"]
    began = time.perf_counter()
    process = subprocess.Popen([*command, "--device", given.device])
    try:
        code = process.wait(given.minutes * 60)
    except subprocess.TimeoutExpired:
        process.terminate()  # it stops after its step and writes a checkpoint
        try:
            process.wait(ENDING)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        print(f"stopped after {time.perf_counter() - began:.0f} s; the same command goes on")
        return (run / "checkpoint.safetensors").exists() or done(run)
    return code == 0 and done(run)


def done(run: Path) -> bool:
    """What a training that has ended reached."""
    if not (run / "model.safetensors").exists():
        return False
    lines = (run / "history.jsonl").read_text("utf-8").splitlines()
    epochs = [one for one in map(json.loads, lines) if "validation_accuracy" in one]
    seconds = np.cumsum([one["seconds"] for one in epochs])
    best = max((one["validation_accuracy"] for one in epochs), default=0.0)
    first = next((i for i, one in enumerate(epochs) if one["validation_accuracy"] >= WANTED), None)
    reached = "never" if first is None else f"after {seconds[first]:.0f} s of training"
    print(
        f"done {run.name}: {len(epochs)} epochs, {seconds[-1] if len(epochs) else 0:.0f} s of "
        f"training; validation {100 * best:.2f} % at best, {100 * WANTED:.0f} % {reached}",
        flush=True,
    )
    return True


def cifar10(given: argparse.Namespace) -> bool:
    """A wide resnet20 to its end."""
    if given.tiny:
        return trained(
            Path(given.out, "cifar10"),
            ["digits", "--network", "linear", "--epochs", "1", "--no-baseline"],
            given,
        )
    where = ["--data-dir", given.data_dir] if given.data_dir else []
    words = [given.cifar, *where, "--network", "resnet20", "--set", "network.width=64",
             "--batch", "512", "--no-baseline"]  # fmt: skip
    print(f"cifar10: from {given.cifar}", flush=True)
    return trained(Path(given.out, "cifar10"), words, given)


def go(given: argparse.Namespace) -> bool:
    """One pass over all positions."""
    sample, source = ("64", "go-demo") if given.tiny else ("0", given.games)
    network = "go-small" if given.tiny else "alphago-policy"
    if not source:
        print("go: --games FILE or FOLDER of records is wanted", file=sys.stderr)
        return False
    words = [source, "--network", network, "--epochs", "1", "--batch", "512", "--no-baseline",
             "--set", f"sample={sample}"]  # fmt: skip
    words += ["--set", "data.games=8", "--set", "network.width=4"] if given.tiny else []
    return trained(Path(given.out, "go"), words, given)


PARTS = {"equal": equal, "rates": rates, "cifar10": cifar10, "go": go}


def main() -> int:
    """The parts that were asked for, one after another; 1 where one of them failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="|".join(PARTS))
    parser.add_argument("--cifar", default="cifar10", help="cifar10, or a folder of its pictures")
    parser.add_argument("--data-dir", default="", help="where the built-in cifar10 lies")
    parser.add_argument("--games", default="", help="records of Go")
    parser.add_argument("--out", default="runs/gpu")
    parser.add_argument("--minutes", type=float, default=9, help="of each training")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true", help="small stand-ins, to rehearse")
    given = parser.parse_args()
    unknown = set(given.parts) - set(PARTS)
    if unknown:
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    if given.device.startswith("cuda"):
        if not torch.cuda.is_available():
            print("PyTorch sees no GPU here; --device cpu --tiny rehearses", file=sys.stderr)
            return 1
        print(torch.cuda.get_device_name(), flush=True)
    print("PyTorch", torch.__version__, flush=True)
    failed = []
    for part in given.parts or ("equal", "rates"):
        began = time.perf_counter()
        if not PARTS[part](given):
            failed.append(part)
        print(f"{part}: {time.perf_counter() - began:.0f} s in all", flush=True)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
