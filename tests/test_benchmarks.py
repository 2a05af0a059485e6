"""The measuring programs' own arithmetic, and what they do where a peer cannot."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch):
    """As when a program of that folder runs: its files can be imported."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "benchmarks"))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.split(".")[0] in ("accuracy", "peers", "pairs", "worker", "works", "sides"):
            del sys.modules[name]


def worker_of(monkeypatch, steps):
    import worker

    monkeypatch.setitem(sys.modules, "sides.drawn_side", SimpleNamespace(steps=steps))
    return worker.Worker("drawn", 1)


def asked(monkeypatch, steps):
    """What a process of that side answers to a work."""
    import worker

    side = worker_of(monkeypatch, steps)
    return worker.reply(side, {"work": "infer lecture 1", "seconds": 1e-4})


def test_a_layer_that_a_peer_lacks_leaves_it_out_in_plain_words(monkeypatch):
    from sides import CannotError

    def steps(work, threads):
        raise CannotError("LayerNorm is not translated to Drawn")

    assert asked(monkeypatch, steps) == {"left_out": "LayerNorm is not translated to Drawn"}


def test_a_peer_that_fails_unexpectedly_is_left_out_with_its_kind_of_error(monkeypatch):
    def steps(work, threads):
        raise ValueError("no such thing\nand more")

    assert asked(monkeypatch, steps) == {"left_out": "ValueError: no such thing"}


def test_the_fastest_setting_that_works_is_taken(monkeypatch):
    import time

    def broken():
        raise RuntimeError("no compiler")

    def steps(work, threads):
        yield "slow", lambda: time.sleep(0.01)
        yield "broken", broken
        yield "quick", lambda: time.sleep(0.001)

    found = asked(monkeypatch, steps)
    assert found["setting"] == "quick"
    assert found["tried"]["broken"] == "RuntimeError: no compiler"


def test_accuracy_over_seeds_and_over_folds(monkeypatch, tmp_path):
    import accuracy

    (tmp_path / "photos").mkdir()

    def run(share, folds=()):
        return {"accuracy": share, "folds": list(folds), "baseline": None, "examples": 9,
                "seconds": 1.0}  # fmt: skip

    answers = iter([run(90.0), run(96.0), run(80.0, [70.0, 81.0, 89.0])])
    monkeypatch.setattr(accuracy, "train", lambda *_: next(answers))
    seeds = accuracy.Work("a", "digits", 0, folder=False)
    folds = accuracy.Work("b", "photos", 0, seeded=False)
    rows = list(accuracy.measured([seeds, folds], 2, tmp_path, None))
    told = [[row[key] for key in ("accuracy", "least", "greatest", "runs")] for row in rows]
    assert told == [[93.0, 90.0, 96.0, 2], [80.0, 70.0, 89.0, 1]]


def test_every_command_of_the_readmes_accuracy_table_measures_something():
    import re

    import accuracy

    text = (Path(__file__).parents[1] / "README.md").read_text()
    rows = re.findall(r"^\|.*`--only \"?([\w ]+\b)", text, re.M)
    assert len(rows) == text.count("`--only ") >= 5
    for wanted in rows:
        assert any(wanted in work.name for work in accuracy.WORKS)
