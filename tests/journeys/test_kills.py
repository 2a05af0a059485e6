"""A training killed at any moment ends with the same bytes as one that was left alone."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

KILLS = 20
OPTIONS = ["--epochs", "3", "--seed", "11", "--compare", "dense"]


INTERRUPTIBLE = (
    "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "runpy.run_module('beak', run_name='__main__', alter_sys=True)"
)
"""``python -m beak`` that hears SIGINT also where the tests run in the background."""


def start(run: Path, threads: int, checkpoint_seconds: float) -> subprocess.Popen[bytes]:
    """`beak train`, with --resume where the run has got as far as its recipe."""
    resumable = (run / "recipe.toml").exists()
    what = ["--resume", str(run)] if resumable else ["digits", "--out", str(run), *OPTIONS]
    environment = {**os.environ, "BEAK_CHECKPOINT_SECONDS": str(checkpoint_seconds)}
    return subprocess.Popen(
        [sys.executable, "-c", INTERRUPTIBLE, "train", *what, "--threads", str(threads)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment,
    )


def finish(run: Path, threads: int = 1) -> None:
    process = start(run, threads, checkpoint_seconds=20)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said.decode()


def history(run: Path) -> list[dict[str, object]]:
    lines = (run / "history.jsonl").read_text().splitlines()
    return [{**json.loads(line), "seconds": 0} for line in lines]


@pytest.mark.slow
def test_a_run_killed_at_twenty_random_moments_ends_with_the_same_bytes(tmp_path):
    began = time.monotonic()
    finish(tmp_path / "whole", threads=2)
    whole = time.monotonic() - began
    moments = random.Random(5)
    killed, runs = 0, [tmp_path / "killed-1"]
    while killed < KILLS:
        process = start(runs[-1], moments.choice([1, 2, 3]), checkpoint_seconds=0.2)
        try:
            _, said = process.communicate(timeout=moments.uniform(0, 1.1 * whole))
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            killed += 1
            continue
        assert process.returncode == 0, said.decode()
        runs.append(tmp_path / f"killed-{len(runs) + 1}")
    finish(runs[-1])
    wanted = (tmp_path / "whole" / "model.safetensors").read_bytes()
    for run in runs:
        assert (run / "model.safetensors").read_bytes() == wanted, run.name
        assert history(run) == history(tmp_path / "whole"), run.name
        other = (run / "compare" / "model.safetensors").read_bytes()
        assert other == (tmp_path / "whole" / "compare" / "model.safetensors").read_bytes()
        assert not [p.name for p in run.rglob("*") if p.name.endswith(".part")], run.name
        assert not (run / "checkpoint.safetensors").exists()


@pytest.mark.slow
def test_ctrl_c_writes_a_checkpoint_and_says_how_to_go_on(tmp_path):
    import signal

    run = tmp_path / "run"
    process = start(run, threads=1, checkpoint_seconds=1000)
    deadline = time.monotonic() + 120
    while not (run / "checkpoint.safetensors").exists():  # the end of the first epoch
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    text = said.decode()
    assert process.returncode == 1, text
    assert f"go on with: beak train --resume {run}" in " ".join(text.split())
    assert "Traceback" not in text
    assert (run / "checkpoint.safetensors").exists()
    finish(run)
    finish(tmp_path / "whole")
    assert (run / "model.safetensors").read_bytes() == (
        tmp_path / "whole" / "model.safetensors"
    ).read_bytes()
