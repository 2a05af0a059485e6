"""A million small pictures in shards, trained on for one pass: seconds and the most memory.

    python benchmarks/million.py [--samples 1000000] [--folder /tmp/million] [--keep]

Makes shards of WebDataset (8x8 grey PNGs of two classes, 10,000 samples a shard, 2 KB each with
tar's blocks), trains `linear` on them for one epoch with `beak train` in a process and a cache of
its own, and prints what each step took: the most memory is that process's (VmHWM). Everything made
is removed.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import shutil
import struct
import subprocess
import sys
import tarfile
import time
import zlib
from pathlib import Path

import numpy as np

A_SHARD = 10_000


def make(folder: Path, samples: int) -> None:
    """Random pictures, no two alike; class 1 is lighter below than above."""
    random = np.random.default_rng(0)
    for first in range(0, samples, A_SHARD):
        with tarfile.open(folder / f"train-{first // A_SHARD:06d}.tar", "w") as archive:
            count = min(A_SHARD, samples - first)
            pixels = random.integers(0, 200, (count, 8, 8), dtype=np.uint8)
            labels = random.integers(0, 2, count)
            pixels[labels == 1, 4:] += 55
            for i in range(count):
                for ending, content in (("png", png(pixels[i])), ("cls", b"%d" % labels[i])):
                    entry = tarfile.TarInfo(f"{first + i:09d}.{ending}")
                    entry.size = len(content)
                    archive.addfile(entry, io.BytesIO(content))


def png(pixels: np.ndarray) -> bytes:
    """A grey picture (H, W) as a PNG; a library takes most of the time for so small ones."""
    height, width = pixels.shape
    rows = np.zeros((height, width + 1), np.uint8)  # each row's filter, none, before it
    rows[:, 1:] = pixels
    made = [b"\x89PNG\r\n\x1a\n"]
    for kind, content in (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows.tobytes(), 1)),
        (b"IEND", b""),
    ):
        made.append(struct.pack(">I", len(content)) + kind + content)
        made.append(struct.pack(">I", zlib.crc32(kind + content)))
    return b"".join(made)


def train(folder: Path, cache: Path, out: Path) -> tuple[float, float, int]:
    """Seconds, seconds of processors, and the most bytes of memory, of one command."""
    words = [sys.executable, "-m", "beak", "train", str(folder), "--network", "linear", "--epochs",
             "1", "--no-baseline", "--out", str(out), "--overwrite", "--json"]  # fmt: skip
    before, began, most = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter(), 0
    told = out.with_suffix(".jsonl")
    with told.open("wb") as file:
        process = subprocess.Popen(words, stdout=file, env={**os.environ, "BEAK_CACHE": str(cache)})
        while process.poll() is None:
            most = max(most, memory(process.pid))
            time.sleep(0.2)
    if process.returncode:
        raise SystemExit(process.returncode)
    for line in told.read_text("utf-8").splitlines():
        event = json.loads(line)
        if event.get("event") in ("epoch", "done"):
            kept = ("event", "epoch", "seconds", "accuracy", "validation", "test")
            print({key: event[key] for key in kept if key in event}, flush=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - began, busy, most


def memory(process: int) -> int:
    """The most that a process has held so far, as the system counts it; 0 when it is gone."""
    try:
        text = Path(f"/proc/{process}/status").read_text("ascii")
    except OSError:
        return 0
    line = next((line for line in text.splitlines() if line.startswith("VmHWM:")), "VmHWM: 0")
    return int(line.split()[1]) << 10


def main() -> None:
    """Make, train twice (the second time from the cache), remove."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/million"))
    parser.add_argument("--keep", action="store_true", help="leave the shards for the next time")
    given = parser.parse_args()
    shards = given.folder / "set"
    began = time.perf_counter()
    try:
        if not shards.is_dir():
            beside = given.folder / "set.part"
            shutil.rmtree(beside, ignore_errors=True)
            beside.mkdir(parents=True)
            make(beside, given.samples)
            beside.rename(shards)
        size = sum(path.stat().st_size for path in shards.iterdir())
        print(
            f"{given.samples:,} samples, {size / 1e9:.2f} GB: {time.perf_counter() - began:.0f} s"
        )
        for how in ("read, decoded and trained on", "trained on again, from the cache"):
            seconds, busy, most = train(shards, given.folder / "cache", given.folder / "run")
            took = f"{seconds:.0f} s, {busy:.0f} s of processors"
            print(f"{how}: {took}, at most {most / 1e6:,.0f} MB", flush=True)
    finally:
        if not given.keep:
            shutil.rmtree(given.folder, ignore_errors=True)


if __name__ == "__main__":
    main()
