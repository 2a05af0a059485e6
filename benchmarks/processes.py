"""Works of which the whole process is measured: its peak of memory, its time to 99 % on MNIST."""

from __future__ import annotations

import importlib.metadata
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pairs import MALLOC

HERE = Path(__file__).parent
SHAPES = {"lecture": (1, 28, 28), "resnet20": (3, 32, 32)}
MEMORY = {"memory lecture 128": "lecture", "memory resnet20 128": "resnet20"}
PROCESS_WORKS = (*MEMORY, "mnist 99.0")
BATCH = 128
EXAMPLES = 12 * BATCH
"""Of training: after a few steps the peak stands."""
WANTED = 0.99


@dataclass(frozen=True)
class Ended:
    """A process that has done its work."""

    seconds: float
    megabytes: float
    """The most memory that it held at once, shared libraries included."""
    output: str


def run(command: list[str], env: dict[str, str]) -> Ended:
    """Run to the end; RuntimeError with the last words where it fails.

    The kernel's peak begins with what this process held when it started the other: it must stay
    small, and torch is not imported here.
    """
    began = time.perf_counter()
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command, stdout=out, stderr=errors, env=env)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - began
        out.seek(0)
        errors.seek(0)
        if process.returncode:
            told = errors.read()[-500:]
            raise RuntimeError(f"{' '.join(command[1:4])} ended with {process.returncode}: {told}")
        return Ended(seconds, used.ru_maxrss / 1024, out.read())


def process_lines(
    name: str, threads: int, pairs: int, data: Path | None, say: Callable[[str], None]
) -> Iterator[dict[str, Any]]:
    """A line: both sides in turns, beak and PyTorch. The ratio is how many times beak is better."""
    try:
        version = f"PyTorch {importlib.metadata.version('torch').partition('+')[0]}"
    except importlib.metadata.PackageNotFoundError:
        say(f"{name}: PyTorch not installed: left out")
        return
    with tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, "BEAK_CACHE": f"{folder}/cache"}
        if name in MEMORY:
            # malloc as it comes: tuned, PyTorch would hold on to more than it needs
            env = {key: value for key, value in env.items() if key not in MALLOC}
            commands = memory_commands(MEMORY[name], Path(folder), threads)
        elif data is None or not data.is_dir():
            say(f"{name}: left out; its four files are looked for in --data FOLDER")
            return
        else:
            commands = mnist_commands(data, Path(folder), threads)
        ended = [tuple(run(command, env) for command in commands) for _ in range(pairs)]
    accuracies = [tuple(accuracy(side.output) for side in pair) for pair in ended]
    if name not in MEMORY:
        for side, which in (("beak", 0), ("PyTorch", 1)):
            found = statistics.median(pair[which] for pair in accuracies)
            say(f"{name}: {side} reaches {found:.4f}" + ("" if found >= WANTED else ": too little"))
    taken = [
        tuple(side.megabytes if name in MEMORY else side.seconds for side in pair) for pair in ended
    ]
    yield {
        "work": name,
        "beak": statistics.median(own for own, _ in taken),
        "peer": version,
        "peer_rate": statistics.median(other for _, other in taken),
        "ratio": statistics.median(other / own for own, other in taken),
        "share_of_peak": None,
        "wanted": 3.0 if name in MEMORY else 5.0,
        "setting": "MB at most" if name in MEMORY else "s in all",
        "tried": {},
    }


def memory_commands(network: str, folder: Path, threads: int) -> tuple[list[str], list[str]]:
    """An epoch over random pictures, for each side."""
    rng = np.random.default_rng(0)
    file = folder / "pictures.npz"
    arrays = {}
    for part, count in (("train", EXAMPLES), ("test", BATCH)):
        arrays[f"X_{part}"] = rng.integers(0, 256, (count, *SHAPES[network]), dtype=np.uint8)
        arrays[f"y_{part}"] = np.arange(count) % 10
    np.savez(file, **arrays)
    beak = [sys.executable, "-m", "beak", "train", str(file), "--network", network]
    beak += ["--epochs", "1", "--batch", str(BATCH), "--no-baseline", "--json"]
    beak += ["--out", str(folder / "run"), "--overwrite", "--threads", str(threads)]
    peer = [sys.executable, str(HERE / "torch_memory.py"), str(file), network]
    return beak, [*peer, str(BATCH), str(threads)]


def mnist_commands(data: Path, folder: Path, threads: int) -> tuple[list[str], list[str]]:
    """The same recipe for each side."""
    beak = [sys.executable, "-m", "beak", "train", str(data), "--json", "--overwrite"]
    beak += ["--recipe", str(HERE / "mnist99.toml"), "--out", str(folder / "run")]
    beak += ["--threads", str(threads)]
    return beak, [
        sys.executable, str(HERE / "torch_mnist.py"), str(data), "--threads", str(threads)
    ]  # fmt: skip


def accuracy(output: str) -> float:
    """On the test set, from the last line that a side printed."""
    last = output.strip().splitlines()[-1]
    if last.startswith("{"):
        return float(json.loads(last)["test"]["accuracy"])
    return float(last.split()[-1])
