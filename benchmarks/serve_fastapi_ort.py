"""beak serve beside a FastAPI + ONNX Runtime service written the usual way, with the same network.

    python benchmarks/serve_fastapi_ort.py RUN [--workers 2] [--rounds 3] [--json]

64 connections ask both in turn, each again as soon as it has its answer, with PNG files in forms;
the client runs on the same machine. Both have as many processes, and one thread for each network.
Wants the packages fastapi, uvicorn, python-multipart and onnxruntime, and takes httptools and
uvloop for both where they are installed.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from beak.web.drive import Driven, drive, form, request

HERE = Path(__file__).parent
LOCAL = "127.0.0.1"


def main() -> None:
    """Measure both and print a table."""
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("run")
    words.add_argument("--workers", type=int, default=2)
    words.add_argument("--connections", type=int, default=64)
    words.add_argument("--seconds", type=float, default=5.0)
    words.add_argument("--rounds", type=int, default=3)
    words.add_argument("--json", action="store_true")
    asked = words.parse_args()
    bodies = pictures(28, 256)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "network.onnx"
        subprocess.run([sys.executable, "-m", "beak", "export", asked.run, str(file), "--json"],
                       check=True, stdout=subprocess.DEVNULL)  # fmt: skip
        found: dict[str, list[Driven]] = {"beak": [], "usual": []}
        with beak(asked.run, asked.workers) as ours, usual(file, asked.workers) as theirs:
            ports = {"beak": ours, "usual": theirs}
            for round_ in range(asked.rounds + 1):
                for name, port in ports.items():
                    requests = [request(f"{LOCAL}:{port}", "/predict", *body) for body in bodies]
                    seconds = asked.seconds if round_ else 1.0  # the first warms up
                    driven = drive(LOCAL, port, requests, asked.connections, seconds)
                    if round_:
                        found[name].append(driven)
    tell(found, asked.json)


def pictures(side: int, count: int) -> list[tuple[bytes, str]]:
    """Digits-like PNG files in forms."""
    numbers = np.random.default_rng(0)
    made = []
    for i in range(count):
        pixels = np.zeros((side, side), np.uint8)
        top, left = numbers.integers(2, side // 2, 2)
        ink = numbers.integers(0, 256, (side // 2, side // 3))
        pixels[top : top + side // 2, left : left + side // 3] = ink
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "PNG")
        made.append(form(file.getvalue(), f"{i}.png"))
    return made


@contextmanager
def beak(run: str, workers: int) -> Iterator[int]:
    """``beak serve``, and its port."""
    command = [
        sys.executable,
        "-m",
        "beak",
        "serve",
        run,
        "--port",
        "0",
        "--json",
        "--threads",
        "1",
    ]
    process = subprocess.Popen([*command, "--workers", str(workers)], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        yield int(json.loads(process.stdout.readline())["address"].split(":")[2].rstrip("/"))
    finally:
        process.terminate()
        process.wait()


@contextmanager
def usual(file: Path, workers: int) -> Iterator[int]:
    """The other service, and its port."""
    with socket.socket() as free:
        free.bind((LOCAL, 0))
        port = int(free.getsockname()[1])
    command = [sys.executable, "-m", "uvicorn", "serve_usual:app", "--port", str(port)]
    command += ["--workers", str(workers), "--log-level", "error", "--no-access-log"]
    environment = {**os.environ, "FILE": str(file), "THREADS": "1"}
    process = subprocess.Popen(command, cwd=HERE, env=environment)
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex((LOCAL, port)) == 0:
                    break
            time.sleep(0.1)
        time.sleep(3.0)  # each of its processes loads for itself
        yield port
    finally:
        process.terminate()
        process.wait()


def tell(found: dict[str, list[Driven]], as_json: bool) -> None:
    """The best round of each by rate, all rounds behind it."""
    rows = {}
    for name, rounds in found.items():
        best = max(rounds, key=lambda each: each.rate)
        rows[name] = {**best.to_json(), "rates": [round(each.rate) for each in rounds]}
    ratio = rows["beak"]["requests_per_second"] / rows["usual"]["requests_per_second"]
    if as_json:
        print(json.dumps({**rows, "ratio": ratio}))
        return
    for name, row in rows.items():
        print(f"{name:6} {row['requests_per_second']:8,.0f} a second   "
              f"p50 {1e3 * row['p50']:6.1f} ms   p99 {1e3 * row['p99']:6.1f} ms   "
              f"{row['answers']} lost {row['lost']}   rounds {row['rates']}")  # fmt: skip
    print(f"{ratio:.2f} times")


if __name__ == "__main__":
    main()
