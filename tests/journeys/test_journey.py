"""From raw files to an answer, as a person or a program types it: each step a process."""

from __future__ import annotations

import gzip
import json
import re
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.slow


INTERRUPTIBLE = (
    "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "runpy.run_module('beak', run_name='__main__', alter_sys=True)"
)
"""``python -m beak`` that hears SIGINT also where the tests run in the background."""


def start(*arguments: str | Path, **settings: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", INTERRUPTIBLE, *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **settings,
    )  # fmt: skip


def beak(*arguments: str | Path, code: int = 0, **settings: Any) -> str:
    process = start(*arguments, stdin=settings.pop("stdin", subprocess.DEVNULL), **settings)
    said, errors = process.communicate(timeout=500)
    assert process.returncode == code, errors
    assert "Traceback" not in errors
    return said


def records(*arguments: str | Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in beak(*arguments, "--json").splitlines()]


def pictures_with_labels(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """The pictures of class folders in grey, 28x28: (N, 28, 28) and (N,)."""
    found = [(p, k) for k, name in enumerate(("disc", "stripes"))
             for p in sorted((folder / name).iterdir())]  # fmt: skip
    images = [np.asarray(Image.open(p).convert("L").resize((28, 28))) for p, _ in found]
    return np.stack(images), np.array([k for _, k in found], np.uint8)


def write_idx(path: Path, values: np.ndarray) -> None:
    header = struct.pack(">BBBB", 0, 0, 8, values.ndim) + struct.pack(
        f">{values.ndim}I", *values.shape
    )
    with gzip.open(path, "wb") if path.suffix == ".gz" else path.open("wb") as file:
        file.write(header + values.tobytes())


def test_from_a_folder_to_an_answer(workplace):
    told = records("train", "photos", "--out", "run", "--epochs", "12", "--seed", "3")
    events = [record["event"] for record in told]
    assert events[-1] == "done"
    assert events.count("epoch") == 12
    done = told[-1]
    assert {"run", "test", "baseline", "seconds"} <= set(done)
    assert done["test"]["accuracy"] >= 0.75  # chance is 0.5
    low, high = done["test"]["interval"]
    assert low <= done["test"]["accuracy"] <= high
    for name in ("model.safetensors", "recipe.toml", "history.jsonl", "machine.json"):
        assert (workplace / "run" / name).stat().st_size > 0
    report = (workplace / "run" / "report.html").read_text()
    assert "</html>" in report
    assert "http://" not in report.replace("http://www.w3.org", "")

    (evaluation,) = records("evaluate", "run", "photos")
    assert evaluation["accuracy"] == done["test"]["accuracy"]
    assert evaluation["examples"] == done["test"]["examples"]
    assert set(evaluation["classes"]) == {"disc", "stripes"}

    (answer,) = records("predict", "run", "cat.jpg")
    assert answer["input"] == "cat.jpg"
    assert answer["label"] == max(answer["probabilities"], key=answer["probabilities"].get)
    assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    (piped,) = records_of_stdin("run", (workplace / "cat.jpg").read_bytes())
    assert piped["probabilities"] == answer["probabilities"]
    many = records("predict", "run/model.safetensors", "photos/disc", "--top", "1")
    assert len(many) == 40
    assert sum(one["label"] == "disc" for one in many) >= 28
    assert all(len(one["probabilities"]) == 1 for one in many)

    (summary,) = records("summary", "run")
    assert summary["layers"][-1]["output"] == [2]


def records_of_stdin(run: str, picture: bytes) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "beak", "predict", run, "-", "--json"],
        input=picture, capture_output=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("kind", ["csv", "tsv", "parts", "idx", "idx.gz", "npz"])
def test_every_kind_of_source_trains(kind, workplace):
    source = make_source(kind, workplace)
    told = records("train", source, "--out", "run", "--epochs", "2", "--no-baseline")
    assert told[-1]["event"] == "done"
    assert told[-1].get("baseline") is None
    (evaluation,) = records("evaluate", "run", source)
    assert evaluation["examples"] == told[-1]["test"]["examples"] > 0


def make_source(kind: str, workplace: Path) -> Path:
    files = sorted((workplace / "photos").rglob("*.*g"))
    rows = [(str(p.relative_to(workplace)), p.parent.name) for p in files]
    if kind in ("csv", "tsv"):
        path = workplace / f"list.{kind}"
        separator = "," if kind == "csv" else "\t"
        lines = [separator.join(row) for row in [("path", "label"), *rows]]
        path.write_text("\n".join(lines) + "\n")
        return path
    if kind == "parts":
        folder = workplace / "parts"
        for part, chosen in (("train", slice(0, None, 2)), ("test", slice(1, None, 2))):
            for p in files[chosen]:
                target = folder / part / p.parent.name / p.name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(p.read_bytes())
        return folder
    images, labels = pictures_with_labels(workplace / "photos")
    if kind == "npz":
        np.savez(workplace / "set.npz", x_train=images, y_train=labels)
        return workplace / "set.npz"
    folder, ending = workplace / "idx", ".gz" if kind == "idx.gz" else ""
    folder.mkdir()
    for part, chosen in (("train", slice(0, None, 2)), ("t10k", slice(1, None, 2))):
        write_idx(folder / f"{part}-images-idx3-ubyte{ending}", images[chosen])
        write_idx(folder / f"{part}-labels-idx1-ubyte{ending}", labels[chosen])
    return folder


def test_the_recipe_of_a_run_makes_the_same_run_again(workplace):
    beak("train", "photos", "--out", "first", "--epochs", "3", "--no-baseline")
    beak("train", "photos", "--out", "again", "--recipe", "first/recipe.toml", "--threads", "1")
    first, again = ((workplace / run / "model.safetensors") for run in ("first", "again"))
    assert first.read_bytes() == again.read_bytes()


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_training_goes_on_to_the_same_bytes(end, workplace):
    settings = ("--epochs", "8", "--no-baseline", "--json")
    beak("train", "photos", "--out", "whole", *settings)
    process = start("train", "photos", "--out", "stopped", *settings, stdin=subprocess.DEVNULL)
    assert process.stdout is not None
    for line in process.stdout:
        record = json.loads(line)
        if record["event"] == "epoch" and record["epoch"] == 3:
            break
    time.sleep(0.05)
    process.send_signal(end)
    _, errors = process.communicate(timeout=60)
    if end is signal.SIGINT:
        assert process.returncode == 1
        assert re.search(
            r"stopped in epoch \d of 8; go on with: beak train --resume stopped$", errors
        )
    beak("train", "--resume", "stopped")
    whole, stopped = (workplace / run / "model.safetensors" for run in ("whole", "stopped"))
    assert whole.read_bytes() == stopped.read_bytes()
    again = beak("train", "--resume", "stopped")
    assert "finished" in again


def test_a_comparison_prints_both(workplace):
    told = records("train", "photos", "--out", "run", "--epochs", "2", "--compare", "dense")
    assert told[-1]["event"] == "done"
    assert any("dense" in json.dumps(record) for record in told)


def test_the_built_in_digits_are_learned(workplace):
    told = records("train", "digits", "--out", "run", "--epochs", "3")
    assert told[-1]["test"]["accuracy"] > 0.9
    shown = beak("predict", "run", "digits", "--show", "4")
    assert "%" in shown
    assert "█" in shown
