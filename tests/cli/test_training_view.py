"""What a training shows: every event has its place, programs get JSON and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from beak.cli.telling import recipe_lines
from beak.cli.train import next_lines
from beak.cli.training import JsonView, TrainingView
from beak.train.recipe import Recipe, with_values

RECIPE = with_values(Recipe(), {"augmentation.rotate": 10, "loss.label_smoothing": 0.1})
EVENTS = (
    {"event": "data", "name": "photos", "labels": ["cat", "dog"], "input": "32x32 pixels",
     "examples": {"train": 61, "validation": 7, "test": 12}, "shape": [3, 32, 32],
     "findings": [{"level": "summary", "text": "80 examples of 2 classes", "files": []},
                  {"level": "note", "text": "colour", "files": []},
                  {"level": "summary", "text": "input: 32x32 pixels", "files": []},
                  {"level": "warning", "text": "2 files are no pictures", "files": ["a", "b"]}]},
    {"event": "warning", "text": "2 files are no pictures: a, b"},
    {"event": "start", "run": "runs/a", "network": "resnet8", "why": "resnet8: few examples",
     "parameters": 77522, "multiply_adds": 12501120, "epochs": 2, "recipe": RECIPE.to_json()},
    {"event": "note", "text": "one example is left out"},
    {"event": "step", "epoch": 1, "step": 1, "steps": 2, "loss": 0.7},
    {"event": "epoch", "epoch": 1, "epochs": 2, "train_loss": 0.6931, "train_accuracy": 0.5,
     "validation_loss": 0.61, "validation_accuracy": 0.75, "learning_rate": 0.1, "seconds": 1.25},
    {"event": "epoch", "epoch": 2, "epochs": 2, "train_loss": 0.5, "train_accuracy": 0.7,
     "validation_loss": None, "validation_accuracy": None, "learning_rate": 0.1, "seconds": 1.25},
    {"event": "baseline", "name": "linear", "accuracy": 0.625},
    {"event": "done", "run": "runs/a", "seconds": 61.2,
     "test": {"accuracy": 0.9166, "interval": [0.64611, 0.98512], "examples": 12},
     "baseline": {"name": "linear", "accuracy": 0.625}},
)  # fmt: skip


def shown(capsys, *events) -> str:
    with TrainingView() as view:
        for event in events:
            view.listen(event)
    return capsys.readouterr().out


def test_the_whole_of_a_training_without_a_terminal(capsys):
    lines = shown(capsys, *EVENTS).splitlines()
    assert lines[:4] == [
        " data       photos: 80 pictures, 2 labels",
        "            cat, dog",
        "            61 train, 7 validation, 12 test",
        "            colour",
    ]
    assert lines.count(" warning    2 files are no pictures: a, b") == 1
    assert " network    resnet8, 77,522 parameters, 12,501,120 multiply-adds a picture" in lines
    assert "            few examples" in lines
    assert "            whole: runs/a/recipe.toml" in lines
    rows = [line.split() for line in lines if "/2 " in line]
    assert rows[0] == ["1/2", "0.6931", "50.0", "%", "0.6100", "75.0", "%", "1.2", "s"]
    assert rows[1] == ["2/2", "0.5000", "70.0", "%", "1.2", "s"]
    assert " result     91.7 % of 12 test pictures right (95 % interval 64.6 to 98.5 %)" in lines
    assert "            62.5 % with a linear classifier" in lines
    assert not any("\x1b" in line or line != line.rstrip() for line in lines)


def test_folds_and_a_comparison_have_headings_of_their_own(capsys):
    epoch, test = EVENTS[5], {"accuracy": 0.5, "interval": [0.2, 0.8], "examples": 8}
    marked = [{**epoch, "fold": k, "folds": 2} for k in (1, 2)]
    done = {**EVENTS[-1], "test": None, "baseline": None}
    said = shown(
        capsys, *EVENTS[:3], *marked,
        {"event": "fold", "fold": 2, "folds": 2, "test": test, "baseline": 0.5},
        {**epoch, "compare": "dense"},
        {"event": "compare", "compare": "dense", "name": "dense", "parameters": 99, "test": test},
        done,
    )  # fmt: skip
    headings = ["fold 1 of 2\n", "fold 2 of 2\n", "beside it: dense\n"]
    places = [said.index(heading) for heading in headings]
    assert places == sorted(places)
    assert "fold       2 of 2: 50.0 % of 8 test pictures right" in said
    assert "dense      99 parameters: 50.0 % of 8 test pictures right" in said
    assert "result     not tested: there is no test part" in said


def test_programs_get_every_event_but_steps_and_people_the_notes(capsys):
    view = JsonView()
    with view:
        for event in EVENTS:
            view.listen(event)
    said = capsys.readouterr()
    records = [json.loads(line) for line in said.out.splitlines()]
    kinds = [record["event"] for record in records]
    assert kinds == ["data", "start", "epoch", "epoch", "baseline", "done"]
    assert records == [e for e in EVENTS if e["event"] not in ("step", "note", "warning")]
    assert said.err.splitlines() == [
        "warning: 2 files are no pictures: a, b",
        "note: one example is left out",
    ]


def test_labels_that_steer_terminals_are_not_obeyed(capsys):
    said = shown(capsys, {**EVENTS[0], "labels": ["[bold]cat[/bold]", ":smile:"]})
    assert "[bold]cat[/bold], :smile:" in said


def test_a_recipe_in_few_words():
    first, learning, changes = recipe_lines(RECIPE.to_json())
    assert first == f"{RECIPE.epochs} epochs in batches of {RECIPE.batch}, seed 0"
    assert learning.startswith("adamw at 0.002, one-cycle, weight decay 0.01, label smoothing 0.1")
    assert "rotate 10" in changes


@pytest.mark.parametrize("colours", ["1", None])
def test_a_terminal_gets_a_bar_that_goes_away(colours, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    if colours is None:
        monkeypatch.setenv("NO_COLOR", "1")
    said = shown(capsys, *EVENTS)
    assert "epoch 1/2" in said
    assert "loss 0.700" in said
    assert said.count("\x1b[2K") >= 1  # the bar's line is cleared
    assert ("\x1b[1;36m" in said) == (colours is not None)


def test_a_terminal_shows_what_comes_before_the_first_event(monkeypatch):
    shown = []
    view = TrainingView()
    monkeypatch.setattr(view, "bar", lambda: SimpleNamespace(update=lambda t: shown.append(str(t))))
    view.progress(1423, 0)
    assert shown == []
    view.console = Console(force_terminal=True)
    view.progress(1423, 0)
    view.progress(3, 4)
    assert shown[0] == " looking for files: 1,423 files seen"
    assert shown[1].startswith(" getting the data ready ")
    assert shown[1].endswith(" 75 %")


def test_what_to_type_next_is_never_cut():
    run = Path("runs/my photos")
    beside = next_lines("beak", run, 90)
    assert [line[:42].rstrip() for line in beside] == [
        "   beak predict 'runs/my photos' PICTURE",
        "   beak evaluate 'runs/my photos' SOURCE",
        "   beak summary 'runs/my photos'",
        "   'runs/my photos/report.html'",
    ]
    assert [line[42:] for line in beside[::3]] == [
        "what it sees in pictures of yours",
        "curves, classes and mistakes",
    ]
    assert next_lines("beak", run, max(map(len, beside))) == beside
    narrow = next_lines("beak", run, max(map(len, beside)) - 1)
    assert narrow[:2] == [
        "   what it sees in pictures of yours:",
        "     beak predict 'runs/my photos' PICTURE",
    ]
    assert len(narrow) == 8
