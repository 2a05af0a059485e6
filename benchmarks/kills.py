"""Processes killed at random moments of a training: does each run end as the calm one did?

    python benchmarks/kills.py [--kills 20] [--processes 2] [--engine native] [--seed 0]

A training of several processes (`beak train --processes`) is run in peace, then again and again
while workers chosen by chance are killed by SIGKILL, at a moment drawn anew after every start:
while Python starts, while torch is imported, while the processes find each other, in the middle
of a step, while a checkpoint is written, at the end. Every run must end by itself and hold, byte
for byte, the parameters and the records of the calm one: an example that was skipped or seen
twice would have changed them. Exits with 1 where one does not. Reads /proc.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from beak.cli.processes import RESTARTS
from beak.runs.run import Run

LONGEST = 20.0
"""Seconds after a start within which a kill comes while the processes start."""
TRAINING = 4.0
"""The same after the first epoch's end that follows a start, for kills that meet the training."""


def examples(path: Path, count: int = 600) -> Path:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, count)
    x = rng.integers(0, 90, (count, 1, 8, 8))
    x[:, :, 3] += 120 * y[:, None, None]
    np.savez(path, X=x.astype(np.uint8), y=y)
    return path


def command(data: Path, out: Path, given: argparse.Namespace) -> list[str]:
    words = [sys.executable, "-m", "beak", "train", str(data), "--out", str(out), "--no-baseline"]
    words += ["--epochs", "30", "--batch", "16", "--network", "dense", "--seed", "3"]
    return [*words, "--engine", given.engine, "--processes", str(given.processes)]


def children(process: int) -> list[int]:
    try:
        return [
            int(w) for w in Path(f"/proc/{process}/task/{process}/children").read_text().split()
        ]
    except OSError:
        return []


def workers(process: int) -> list[int]:
    return [worker for torchrun in children(process) for worker in children(torchrun)]


def killed(process: subprocess.Popen[bytes], draw: random.Random, history: Path) -> list[str]:
    """Kill at most as many workers as torchrun forgives; when and where each was."""
    done: list[str] = []
    known: set[int] = set()
    while len(done) < RESTARTS and process.poll() is None:
        fresh = set(workers(process.pid)) - known
        if not fresh:
            time.sleep(0.01)
            continue
        known |= fresh
        before = epochs_of(history)
        if draw.random() < 0.5:
            wait = draw.uniform(0, LONGEST)
            time.sleep(wait)
            when = f"{wait:.1f} s after its start"
        else:
            while epochs_of(history) == before and process.poll() is None:
                time.sleep(0.01)
            time.sleep(draw.uniform(0, TRAINING))
            when = f"after {epochs_of(history)} epochs"
        present = workers(process.pid)
        if present and process.poll() is None:
            place = draw.randrange(len(present))
            os.kill(present[place], signal.SIGKILL)
            done.append(f"process {place} {when}")
    return done


def epochs_of(history: Path) -> int:
    return len(history.read_text().splitlines()) if history.exists() else 0


def same(calm: Run, found: Run) -> bool:
    one, two = calm.model.parameters, found.model.parameters
    bytes_of = all(one[name].tobytes() == two[name].tobytes() for name in one)
    told = [[{**record, "seconds": 0} for record in run.history] for run in (calm, found)]
    return bytes_of and one.keys() == two.keys() and told[0] == told[1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--engine", default="native")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    draw = random.Random(given.seed)
    environment = {**os.environ, "BEAK_CHECKPOINT_SECONDS": "0.3"}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        data = examples(place / "bars.npz")
        began = time.monotonic()
        subprocess.run(
            command(data, place / "calm", given), env=environment, check=True,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        print(f"the calm run: {time.monotonic() - began:.1f} s", flush=True)
        calm = Run(place / "calm")
        kills = runs = wrong = 0
        while kills < given.kills:
            out, runs = place / f"run{runs}", runs + 1
            process = subprocess.Popen(
                command(data, out, given), env=environment, stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )  # fmt: skip
            told = killed(process, draw, out / "history.jsonl")
            said = process.communicate()[1].decode().strip()
            kills += len(told)
            good = process.returncode == 0 and same(calm, Run(out))
            wrong += not good
            print(
                f"{'same bytes' if good else 'WRONG'}: {'; '.join(told) or 'no kill'}", flush=True
            )
            if not good:
                print(f"  exit code {process.returncode}: {said}", flush=True)
    print(f"{kills} kills in {runs} runs: {runs - wrong} ended with the calm run's bytes")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
