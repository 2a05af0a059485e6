"""Wav files to log-mel, nothing cached, beside librosa on the same cores, process for process.

python -m beak.ops.spectrogram.bench_spectrogram FOLDER [--threads 2] [--files 300]
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from beak.ops.kernel import default_threads
from beak.ops.spectrogram.kernels import log_mel
from beak.ops.spectrogram.settings import MelSettings


def ours(path, settings):
    import soundfile

    samples, _ = soundfile.read(path, dtype="float32")
    return log_mel(samples, settings)


def librosas(path, settings):
    import librosa

    samples, rate = librosa.load(path, sr=None)
    mel = librosa.feature.melspectrogram(
        y=samples, sr=rate, n_fft=settings.size, win_length=settings.window,
        hop_length=settings.hop, center=False, n_mels=settings.bands,
    )  # fmt: skip
    return np.log(mel + 1e-6).T


def main():
    import soundfile

    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("folder", type=Path)
    asked.add_argument("--threads", type=int, default=default_threads())
    asked.add_argument("--files", type=int, default=300)
    asked.add_argument("--rounds", type=int, default=5)
    told = asked.parse_args()
    paths = sorted(told.folder.rglob("*.wav"))
    paths = paths[:: max(1, len(paths) // told.files)][: told.files]
    rate = soundfile.info(paths[0]).samplerate
    window = 512 if rate >= 16000 else 256
    settings = MelSettings(rate, window, rate // 100, 40)
    paths = [p for p in paths if soundfile.info(p).frames >= window]
    worst = max(np.abs(ours(p, settings) - librosas(p, settings)).max() for p in paths)
    best = {}
    for _ in range(told.rounds):  # turn by turn, so that a noisy minute touches both
        for way in (ours, librosas):
            with ThreadPoolExecutor(told.threads) as pool:
                start = time.perf_counter()
                list(pool.map(way, paths, [settings] * len(paths)))
                seconds = time.perf_counter() - start
            best[way.__name__] = min(seconds, best.get(way.__name__, seconds))
    print(
        f"{len(paths)} files of {rate} Hz, {told.threads} threads, largest difference {worst:.1e}"
    )
    for name, seconds in best.items():
        print(f"{name:9} {len(paths) / seconds:9,.0f} files a second")
    print(f"{best['librosas'] / best['ours']:.1f} times librosa's rate")


if __name__ == "__main__":
    main()
