"""benchmarks/gpu/check.py, which few machines can run: rehearsed on a CPU."""

from __future__ import annotations

import importlib.util
import sys
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "gpu" / "check.py"


@pytest.fixture(scope="module")
def check():
    about = importlib.util.spec_from_file_location("gpu_check", SCRIPT)
    made = importlib.util.module_from_spec(about)
    about.loader.exec_module(made)
    return made


def called(check, monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["check.py", *words])
    return check.main()


def test_every_part_runs_at_small_sizes_on_a_cpu(check, monkeypatch, tmp_path, capfd):
    parts = ("equal", "rates", "cifar10", "go")
    words = (*parts, "--device", "cpu", "--tiny", "--out", str(tmp_path))
    assert called(check, monkeypatch, *words) == 0
    said = capfd.readouterr().out
    for line in ("equal lecture: outputs", "limits: ", "rates lecture 2: ", "rates resnet20 2: ",
                 "rates alphago-policy 2: ", "times the tutorial's loop", "done cifar10: 1 epochs",
                 "done go: 1 epochs", "mean of the answers to 8 symmetries"):  # fmt: skip
        assert line in said
    for part in parts:
        assert f"\n{part}: " in said
    assert called(check, monkeypatch, "cifar10", *words[4:]) == 0  # done already: told again
    assert "done cifar10: 1 epochs" in capfd.readouterr().out


def test_an_engine_that_differs_fails(check, monkeypatch, capfd):
    wrong = type("Wrong", (check.TorchEngine,), {"forward": lambda self, x: np.ones((len(x), 10))})
    monkeypatch.setattr(check, "TorchEngine", wrong)
    monkeypatch.setattr(check, "TINY", ("linear",))
    assert called(check, monkeypatch, "equal", "--device", "cpu", "--tiny") == 1
    told = capfd.readouterr()
    assert "(more than 1e-04)" in told.out
    assert "failed: equal" in told.err


def test_slips_are_told(check, monkeypatch, capfd, tmp_path):
    with pytest.raises(SystemExit):
        called(check, monkeypatch, "equals", "--device", "cpu")
    assert "no part equals" in capfd.readouterr().err
    assert called(check, monkeypatch, "go", "--device", "cpu", "--out", str(tmp_path)) == 1
    assert "--games FILE" in capfd.readouterr().err
    monkeypatch.setattr(check.torch.cuda, "is_available", lambda: False)
    assert called(check, monkeypatch, "equal") == 1
    assert "sees no GPU" in capfd.readouterr().err


def test_seconds_to_the_wanted_accuracy_are_those_of_all_epochs_until_then(check, tmp_path, capfd):
    run = tmp_path / "run"
    run.mkdir()
    (run / "model.safetensors").touch()
    rows = ((0.5, 10), (0.945, 20), (0.95, 40))
    lines = [f'{{"validation_accuracy": {right}, "seconds": {took}}}' for right, took in rows]
    (run / "history.jsonl").write_text("\n".join(lines))
    assert check.done(run)
    said = capfd.readouterr().out
    assert "3 epochs, 70 s" in said
    assert "95.00 % at best, 94 % after 30 s of training" in said


@pytest.mark.slow
def test_a_training_that_is_cut_off_goes_on_with_the_same_command(check, tmp_path, capfd):
    given = Namespace(device="cpu", minutes=0.4)
    words = ["digits", "--network", "linear", "--epochs", "2000", "--no-baseline"]
    lengths = []
    for _ in range(2):
        assert check.trained(tmp_path / "run", words, given)
        assert "the same command goes on" in capfd.readouterr().out
        lengths.append(len((tmp_path / "run" / "history.jsonl").read_text().splitlines()))
    assert 0 < lengths[0] < lengths[1]
