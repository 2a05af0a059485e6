"""What 8 bits cost: accuracy, size, and speed in ONNX Runtime, run by run."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from beak.engine.onnx_running import onnx_session
from beak.exchange.examples import examples
from beak.exchange.export import export
from beak.exchange.onnx_model import OUTPUT, input_name
from beak.runs.run import Run

SECONDS = 1.0
BATCHES = (1, 32)


def microseconds(made: bytes, run: Run, batch: int) -> float:
    """For one input, median over a second, one thread; both files get the same inputs."""
    session, name = onnx_session(made, 1), input_name(run.spec)
    pairs = [pair.exported for pair in examples(run) if pair.name.startswith("made ")]
    shape = pairs[0].shape
    inputs = np.stack([p for p in pairs if p.shape == shape][:1] * batch)
    times: list[float] = []
    for _ in range(3):
        session.run([OUTPUT], {name: inputs})
    end = time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        begin = time.perf_counter()
        session.run([OUTPUT], {name: inputs})
        times.append(time.perf_counter() - begin)
    return 1e6 * statistics.median(times) / batch


def int8_table(runs: list[str], data_dir: Path | None) -> int:
    """Print a row for each run; 1 where one loses more than 0.3 points or shrinks less than 3.5."""
    good = True
    for path in runs:
        run = Run(path, threads=1)
        with tempfile.TemporaryDirectory() as folder:
            row = _row(run, Path(folder), data_dir)
        good &= row["lost"] <= 0.3 and row["smaller"] >= 3.5
        speeds = ", ".join(
            f"batch {batch}: {plain:.0f} / {small:.0f} us ({plain / small:.2f} times)"
            for batch, plain, small in row["speeds"]
        )
        print(
            f"{run.model.name}: {row['examples']:,} examples, {100 * row['before']:.2f} % -> "
            f"{100 * row['after']:.2f} % ({row['lost']:+.2f} points lost), {row['plain']:,} -> "
            f"{row['small']:,} bytes ({row['smaller']:.2f} times smaller); {speeds}",
            flush=True,
        )
    return int(not good)


def _row(run: Run, folder: Path, data_dir: Path | None) -> dict[str, Any]:
    plain, small = folder / "plain.onnx", folder / "small.onnx"
    export(run, plain, data_dir=data_dir)
    cost = export(run, small, int8=True, accept_loss=True, data_dir=data_dir).accuracy
    assert cost is not None
    made = [path.read_bytes() for path in (plain, small)]
    speeds = [(b, *(microseconds(file, run, b) for file in made)) for b in BATCHES]
    sizes = [len(file) for file in made]
    return {
        "examples": cost.examples, "before": cost.before, "after": cost.after, "lost": cost.lost,
        "plain": sizes[0], "small": sizes[1], "smaller": sizes[0] / sizes[1], "speeds": speeds,
    }  # fmt: skip
