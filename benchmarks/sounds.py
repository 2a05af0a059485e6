"""Wav files to the network's input with nothing cached, beside librosa on the same cores.

    python benchmarks/sounds.py FOLDER [--threads 2] [--rounds 5]

beak does what `beak train FOLDER` does before the first epoch: it lists the files, hashes their
contents, reads their headers, decodes them, finds copies, writes the cache, and makes spectrograms
of all of them. librosa reads each file and makes its spectrogram, in a pool of as many processes
as beak has threads, started beforehand; a pool of threads is tried too, and the faster one counts.
Both in turns; the median of the pairs' ratios.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from beak.data.load import load_dataset
from beak.data.sound_spec import SoundSpec
from beak.ops.kernel import default_threads
from beak.ops.spectrogram.kernels import log_mel
from beak.ops.spectrogram.settings import MelSettings

PIECE = 256


def ours(folder: Path, threads: int) -> tuple[int, MelSettings]:
    """Every recording as a spectrogram: how many, and with which settings."""
    count, spec = 0, None
    with tempfile.TemporaryDirectory() as cache:
        dataset = load_dataset(folder, cache_dir=Path(cache), threads=threads)
        spec = dataset.spec
        assert isinstance(spec, SoundSpec)
        for part in dataset.parts.values():
            for first in range(0, len(part), PIECE):
                rows = np.asarray(part.inputs[first : first + PIECE])
                log_mel(spec.heard(rows), spec.mel, threads)
                count += len(rows)
    return count, spec.mel


def librosas(task: tuple[Path, MelSettings]) -> int:
    """One file as librosa's spectrogram: its number of frames."""
    import librosa

    path, settings = task
    samples, rate = librosa.load(path, sr=None)
    mel = librosa.feature.melspectrogram(
        y=samples, sr=rate, n_fft=settings.size, win_length=settings.window,
        hop_length=settings.hop, center=False, n_mels=settings.bands,
        fmin=settings.fmin, fmax=settings.highest,
    )  # fmt: skip
    return len(np.log(mel + 1e-6).T)


def rate_of(work: Callable[[], Iterable[Any] | int], count: int) -> float:
    """Files a second."""
    begin = time.perf_counter()
    work()
    return count / (time.perf_counter() - begin)


def main() -> None:
    """Measure and print."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("folder", type=Path)
    asked.add_argument("--threads", type=int, default=default_threads())
    asked.add_argument("--rounds", type=int, default=5)
    told = asked.parse_args()
    count, settings = ours(told.folder, told.threads)
    tasks = [(path, settings) for path in sorted(told.folder.rglob("*.wav"))]
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # a process, a core
        os.environ[name] = "1"
    pools: dict[str, Executor] = {
        "processes": ProcessPoolExecutor(told.threads, get_context("spawn")),
        "threads": ThreadPoolExecutor(told.threads),
    }
    for pool in pools.values():
        list(pool.map(librosas, tasks[:20], chunksize=4))
    pairs = []
    for _ in range(told.rounds):  # turn by turn, so that a noisy minute touches both
        mine = rate_of(lambda: ours(told.folder, told.threads), count)
        theirs = max(
            rate_of(lambda pool=pool: list(pool.map(librosas, tasks, chunksize=16)), len(tasks))
            for pool in pools.values()
        )
        pairs.append((mine, theirs))
    for pool in pools.values():
        pool.shutdown()
    mine, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    print(f"{count:,} files of {settings.rate:,} Hz, {told.threads} threads")
    print(f"beak    {mine:9,.0f} files a second, cache cold")
    print(f"librosa {theirs:9,.0f} files a second")
    print(f"{ratio:.1f} times librosa's rate")


if __name__ == "__main__":
    main()
