"""What `beak train SOURCE --find-lr` shows: the curve, the rate, how to train with it."""

from __future__ import annotations

import json

from beak.cli.finding import HEIGHT, chart, show_rates
from beak.cli.group import run
from beak.train.find_lr import LearningRates

FOUND = LearningRates((1e-5, 1e-3, 1e-1), (2.0, 1.0, 3.0), (2.0, 1.0, 3.0), 0.0001, None)


def test_a_chart_is_high_where_the_loss_is():
    lines = chart([0.0, 1.0, 0.5], 3)
    assert len(lines) == HEIGHT
    columns = list(zip(*lines, strict=True))
    assert columns[0] == (" ",) * (HEIGHT - 1) + ("▁",)
    assert columns[1] == ("█",) * HEIGHT
    assert columns[2].count("█") == HEIGHT // 2


def test_a_flat_curve_has_a_chart():
    assert chart([1.0, 1.0], 5)[-1] == "▁" * 5


def test_the_suggestion_can_be_typed(capsys):
    show_rates(FOUND, ["my photos", "--seed", "4"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[0] == "3"
    assert lines[HEIGHT - 1].split()[0] == "1"
    assert lines[HEIGHT].split() == ["loss", "1e-05", "0.1"]
    assert lines[-2:] == [
        "A rate well below the least loss: 0.0001. To train with it:",
        "  beak train 'my photos' --seed 4 --set optimiser.learning_rate=0.0001",
    ]


def test_the_suggested_command_trains_what_was_looked_at(monkeypatch, capsys):
    monkeypatch.setattr("beak.train.find_lr.find_lr", lambda *_, **__: FOUND)
    settings = "--network linear --seed 0 --set batch=8 --set epochs=2"
    assert run(f"train photos --find-lr {settings}".split()) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == f"  beak train photos {settings} --set optimiser.learning_rate=0.0001"


def test_what_was_typed_reaches_the_range_test(monkeypatch, capsys):
    asked = {}

    def find_lr(source, **settings):
        asked.update(settings, source=source)
        return FOUND

    monkeypatch.setattr("beak.train.find_lr.find_lr", find_lr)
    typed = "train photos --find-lr --set batch=8 --seed 4 --network linear --json"
    assert run(typed.split()) == 0
    assert json.loads(capsys.readouterr().out)["suggestion"] == 0.0001
    chosen = {name: asked[name] for name in ("source", "seed", "network")}
    assert chosen == {"source": "photos", "seed": 4, "network": "linear"}
    assert tuple(asked["set"]) == ("batch=8",)
