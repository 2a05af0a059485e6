"""Training by the torch engine: the same runs, and runs that change the engine midway."""

from __future__ import annotations

import json

import numpy as np
import pytest

import beak
from beak.cli.group import run as command
from beak.errors import BeakError
from beak.train.fit import StoppedError
from beak.train.train import resume, train

pytest.importorskip("torch")


def arrays(count=160):
    """Bars that stand or lie, with noise."""
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 0.4, (count, 1, 8, 8)).astype(np.float32)
    y = rng.integers(0, 2, count)
    for i, lies in enumerate(y):
        at = rng.integers(1, 7)
        x[i, 0, at if lies else slice(None), slice(None) if lies else at] += 0.5
    return x, y


NETWORK = beak.Network(
    (1, 8, 8),
    [
        beak.Conv2D(6, 3, activation="relu"),
        beak.MaxPool2D(2),
        beak.Flatten(),
        beak.Dropout(0.3),
        beak.Dense(2, activation="softmax"),
    ],
)
SETTINGS = {"network": NETWORK, "batch": 16, "seed": 3, "baseline": False}


def trained(tmp_path, name, listen=None, **more):
    out = tmp_path / name
    return train(arrays(), out=out, listen=listen, threads=1, **{"epochs": 3, **SETTINGS, **more})


def test_both_engines_train_the_same_run(tmp_path):
    native, other = (trained(tmp_path, kind, engine=kind) for kind in ("native", "torch"))
    for name, value in native.model.parameters.items():
        np.testing.assert_allclose(other.model.parameters[name], value, rtol=0, atol=2e-4)
    for mine, its in zip(native.history, other.history, strict=True):
        assert its["train_loss"] == pytest.approx(mine["train_loss"], rel=1e-4)
        assert its["validation_accuracy"] == mine["validation_accuracy"]
    machine = json.loads((tmp_path / "torch" / "machine.json").read_text())
    assert (machine["engine"], machine["device"]) == ("torch", "cpu")
    assert machine["instruction_set"].startswith("torch 2.")


def stopped_in_the_second_epoch(tmp_path, name, engine):
    def listen(event):
        if event["event"] == "epoch":
            raise KeyboardInterrupt

    with pytest.raises((KeyboardInterrupt, StoppedError, BeakError)):
        trained(tmp_path, name, listen, engine=engine)
    return tmp_path / name


def test_a_run_goes_on_in_the_engine_it_was_begun_with_or_in_another(tmp_path):
    whole = trained(tmp_path, "whole", engine="torch")
    told = []
    stopped = stopped_in_the_second_epoch(tmp_path, "same", "torch")
    same = resume(stopped, source=arrays(), listen=told.append, threads=1)
    chosen = next(event for event in told if event["event"] == "engine")
    assert (chosen["kind"], chosen["why"]) == ("torch", "as the run was begun")
    for name, value in whole.model.parameters.items():
        np.testing.assert_array_equal(same.model.parameters[name], value)
    told.clear()
    stopped = stopped_in_the_second_epoch(tmp_path, "other", "torch")
    other = resume(stopped, source=arrays(), listen=told.append, threads=1, engine="native")
    notes = [event["text"] for event in told if event["event"] == "note"]
    assert any("engine torch then, native now" in note for note in notes)
    for name, value in whole.model.parameters.items():
        np.testing.assert_allclose(other.model.parameters[name], value, rtol=0, atol=2e-4)


def test_the_command_says_what_computes_and_why(tmp_path, capsys):
    x, y = arrays(60)
    np.savez(tmp_path / "bars.npz", X=(255 * x).astype(np.uint8), y=y)
    typed = ["train", str(tmp_path / "bars.npz"), "--epochs", "1", "--network", "linear"]
    typed += ["--no-baseline", "--out", str(tmp_path / "run"), "--engine", "torch"]
    assert command(typed) == 0
    assert "engine     torch on cpu: it was asked for" in capsys.readouterr().out
    asked = ["evaluate", str(tmp_path / "run"), str(tmp_path / "bars.npz"), "--engine", "torch"]
    assert command(asked) == 0
    assert "torch on cpu: it was asked for" in capsys.readouterr().err
    assert command([*typed[:-1], "native", "--overwrite", "--device", "cuda"]) == 2
    assert "for cuda: --engine torch" in capsys.readouterr().err
