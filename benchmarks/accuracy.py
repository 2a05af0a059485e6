"""How good the default recipes are: mean test accuracy over seeds or folds, as a table.

    python benchmarks/accuracy.py                      all works whose data are found
    python benchmarks/accuracy.py --only digits --seeds 5 --json

"from" and "to" are the lowest and highest of the seeds, or of the folds. Every row is
`beak train SOURCE` with the seed and what its name says (network, folds, axis). `mnist`, `fsdd`,
`cats-dogs-a`, `speech-commands-30x10` and `text-kim-a` are read from the folder --data (archives
unpacked there under these names).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Work:
    name: str
    source: str
    least: float
    options: tuple[str, ...] = ()
    seeded: bool = True
    folder: bool = True
    built_in: bool = False
    """A built-in set whose files lie in the folder --data."""


TEXTS = "text-kim-a"
TEN = ("--folds", "10")
SENTENCE = (*TEN, "--network", "sentence")
WORKS = (
    Work("digits lecture", "digits", 98.5, folder=False),
    Work("digits dense", "digits", 0, ("--network", "dense"), folder=False),
    Work("mnist lecture", "mnist", 99.4, ("--network", "lecture")),
    Work("mnist dense", "mnist", 0, ("--network", "dense")),
    Work("cats-dogs-a auto, 5 folds", "cats-dogs-a", 72, ("--folds", "5"), seeded=False),
    Work("fsdd", "fsdd", 98.5, built_in=True),
    Work("fsdd by speaker", "fsdd", 72, ("--folds", "speaker"), built_in=True),
    *(
        Work(f"fsdd axis={axis}", "fsdd", 0, ("--set", f"network.axis={axis}"), built_in=True)
        for axis in ("frequency", "time", "both")
    ),
    Work("speech-commands-30x10, 5 folds", "speech-commands-30x10", 0, ("--folds", "5"), False),
    Work("MR sentence, 10 folds", f"{TEXTS}/rt-polarity.all", 76.1, SENTENCE, seeded=False),
    Work("MR auto, 10 folds", f"{TEXTS}/rt-polarity.all", 0, TEN, seeded=False),
    Work("Subj sentence, 10 folds", f"{TEXTS}/subj.all", 89.6, SENTENCE, seeded=False),
    Work("Subj auto, 10 folds", f"{TEXTS}/subj.all", 0, TEN, seeded=False),
    Work("TREC sentence", f"{TEXTS}/TREC", 90.0, ("--network", "sentence")),
    Work("TREC auto", f"{TEXTS}/TREC", 0),
)


def train(work: Work, source: list[str], seed: int, threads: int | None) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "beak", "train", *source, "--out", f"{folder}/run"]
        command += ["--seed", str(seed), "--json", *work.options]
        if threads:
            command += ["--threads", str(threads)]
        started = time.perf_counter()
        done = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        event = json.loads(done.strip().splitlines()[-1])
    assert event["event"] == "done", event
    return {
        "accuracy": 100 * event["test"]["accuracy"],
        "folds": [100 * share for share in event["test"].get("folds", ())],
        "baseline": 100 * event["baseline"]["accuracy"] if event.get("baseline") else None,
        "examples": event["test"]["examples"],
        "seconds": time.perf_counter() - started,
    }


def measured(works: list[Work], seeds: int, data: Path, threads: int | None) -> Iterator[dict]:
    for work in works:
        source = str(data / work.source) if work.folder and not work.built_in else work.source
        place = data / work.source
        if work.folder and not any(place.parent.glob(f"{place.name}*")):
            print(f"{work.name}: left out, {place} is not there", file=sys.stderr)
            continue
        options = ["--data-dir", str(data)] if work.built_in else []
        runs = []
        for seed in range(seeds if work.seeded else 1):
            runs.append(train(work, [source, *options], seed, threads))
            print(f"{work.name}, seed {seed}: {runs[-1]}", file=sys.stderr)
        found = [share for run in runs for share in run["folds"] or [run["accuracy"]]]
        yield {
            "work": work.name,
            "accuracy": sum(run["accuracy"] for run in runs) / len(runs),
            "least": min(found),
            "greatest": max(found),
            "baseline": runs[0]["baseline"],
            "examples": runs[0]["examples"],
            "runs": len(runs),
            "seconds": sum(run["seconds"] for run in runs) / len(runs),
            "aim": work.least or None,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="works whose name contains this")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--data", type=Path, default=Path("data"), help="unpacked data sets")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    works = [work for work in WORKS if given.only in work.name]
    if not given.json:
        print(f"{'work':30s}  mean %   from     to  linear   aim runs  s a run")
    for row in measured(works, given.seeds, given.data, given.threads):
        if given.json:
            print(json.dumps(row), flush=True)
            continue
        linear = f"{row['baseline']:7.2f}" if row["baseline"] is not None else "      –"
        aim = f"{row['aim']:5.1f}" if row["aim"] else "    –"
        print(
            f"{row['work']:30s} {row['accuracy']:7.2f} {row['least']:6.2f} {row['greatest']:6.2f} "
            f"{linear} {aim} {row['runs']:4d} {row['seconds']:8.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
