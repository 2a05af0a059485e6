"""Training on shards of a web server: killed, gone on with, and the same bytes as from a disk."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from beak.runs.model import load_model
from beak.train.train import resume, train
from tests.data.far_server import serving
from tests.data.test_shards import packed, samples

SETTINGS = {"epochs": 60, "batch": 8, "keep_epochs": 0}


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    monkeypatch.setenv("BEAK_CACHE", str(tmp_path / "cache"))
    with serving() as found:
        for i in range(3):
            path = packed(tmp_path / f"train-{i}.tar", samples(range(40 * i, 40 * i + 40)))
            found.files[path.name] = path.read_bytes()
        yield found


def weights(run):
    parameters = load_model(run / "model.safetensors").parameters
    return {name: values.tobytes() for name, values in parameters.items()}


def test_a_killed_training_on_far_shards_goes_on_to_the_bytes_of_one_on_a_disk(shelf, tmp_path):
    how = {"network": "linear", "listen": None, "baseline": False, "set": SETTINGS}
    train(str(tmp_path / "train-{0..2}.tar"), out=tmp_path / "disk", **how)
    far = f"{shelf.url}/train-{{0..2}}.tar"
    run = tmp_path / "far"
    words = [far, "--network", "linear", "--no-baseline", "--out", str(run)]
    for key, value in SETTINGS.items():
        words += ["--set", f"{key}={value}"]
    process = subprocess.Popen(
        [sys.executable, "-m", "beak", "train", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=os.environ,
    )
    end = time.monotonic() + 60
    while not (run / "history.jsonl").exists():
        assert time.monotonic() < end
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.001)
    process.kill()
    process.communicate()
    assert len((run / "history.jsonl").read_text().splitlines()) < SETTINGS["epochs"]
    for path in (tmp_path / "cache" / "far").glob("*/*/*.tar"):
        path.unlink()
    shelf.asked.clear()
    again = resume(run, listen=None)
    assert weights(run) == weights(tmp_path / "disk")
    assert again.recipe_data["source"] == far
    assert {name for _, name, _ in shelf.asked} <= {"train-0.tar"}


def test_a_training_is_not_begun_where_a_shard_is_missing(shelf, tmp_path):
    words = [f"{shelf.url}/train-{{0..3}}.tar", "--out", str(tmp_path / "run")]
    done = subprocess.run(
        [sys.executable, "-m", "beak", "train", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == (
        f"beak train: {shelf.url}/train-3.tar: HTTP 404 Not Found; is the address right?\n"
    )
    assert not (tmp_path / "run").exists()
