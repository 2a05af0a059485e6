"""How much memory texts take: training from many sentences, and answering lines as they come.

    python benchmarks/text_memory.py                          1,000,000 sentences of 18 words
    python benchmarks/text_memory.py --sentences 50000 --epochs 1 --json

The sentences are made up: words drawn by Zipf's law, some of them with the label in them, and in
one of four a word that comes once. Told is the most memory that `beak train` and `beak predict RUN
-` ever held (the process's peak resident set), in MB of 10^6 bytes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

WORDS, LENGTH, PIECE = 60_000, 18, 10_000
PEAK = """
import json, resource, subprocess, sys, time
begun = time.perf_counter()
code = subprocess.run(sys.argv[1:]).returncode
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e6
print(json.dumps([code, peak, time.perf_counter() - begun]), file=sys.stderr)
"""


def sentences(count: int, seed: int = 0) -> Iterator[tuple[str, int]]:
    """Texts and labels, a piece at a time."""
    rng = np.random.default_rng(seed)
    for first in range(0, count, PIECE):
        many = min(PIECE, count - first)
        lengths = rng.integers(LENGTH // 2, LENGTH * 3 // 2 + 1, many)
        drawn = np.minimum(rng.zipf(1.25, lengths.sum()), WORDS)
        labels = rng.integers(0, 2, many)
        once = rng.random(many) < 0.25
        place = 0
        for i in range(many):
            words = [f"w{number}" for number in drawn[place : place + lengths[i]].tolist()]
            words[1] = f"{'good' if labels[i] else 'bad'}{words[1]}"
            if once[i]:
                words[0] = f"once{first + i}"
            place += lengths[i]
            yield " ".join(words), int(labels[i])


def write(path: Path, count: int, labelled: bool) -> None:
    with path.open("w", encoding="utf-8") as out:
        if labelled:
            out.write("text,label\n")
        for text, label in sentences(count):
            out.write(f"{text},{label}\n" if labelled else f"{text}\n")


def measured(words: list[str], given: Path | None = None) -> tuple[float, float]:
    """The peak in MB and the seconds of a call of beak, with a file on its standard input."""
    call = [sys.executable, "-c", PEAK, sys.executable, "-m", "beak", *words]
    with (given or Path("/dev/null")).open("rb") as lines:
        done = subprocess.run(
            call, stdin=lines, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
    code, peak, seconds = json.loads(done.stderr.strip().splitlines()[-1])
    assert code == 0, done.stderr
    return peak, seconds


def both(count: int, epochs: int | None, folder: Path) -> dict[str, float]:
    """Train on so many sentences, then answer as many lines."""
    write(folder / "t.csv", count, True)
    write(folder / "t.txt", count, False)
    length = ["--epochs", str(epochs)] if epochs else []
    run = str(folder / "run")
    train = measured(["train", str(folder / "t.csv"), "--out", run, *length])
    predict = measured(["predict", run, "-"], folder / "t.txt")
    return {
        "sentences": count,
        "train_mb": train[0],
        "train_seconds": train[1],
        "predict_mb": predict[0],
        "predict_seconds": predict[1],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sentences", type=int, default=1_000_000)
    parser.add_argument("--epochs", type=int, help="left out: as beak chooses")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = both(given.sentences, given.epochs, Path(folder))
    if given.json:
        print(json.dumps(found))
        return
    for what in ("train", "predict"):
        mb, seconds = found[f"{what}_mb"], found[f"{what}_seconds"]
        print(f"{what:8s} {given.sentences:>9,} sentences: at most {mb:,.0f} MB, {seconds:,.0f} s")


if __name__ == "__main__":
    main()
