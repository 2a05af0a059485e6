"""`beak evaluate` for people: the result, each class, what is taken for what."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from beak.cli.console import make_console
from beak.cli.evaluate import MOST_CLASSES, confusions, show_evaluation
from beak.cli.group import run
from beak.data.dataset import Part
from beak.data.picture_spec import PictureSpec
from beak.runs.evaluate import Evaluation, evaluate

LABELS = ("ash", "birch", "cedar")


def evaluation(
    truth: list[int], answers: list[int], labels: tuple[str, ...] = LABELS
) -> Evaluation:
    """Of a network that is sure of its answers."""
    logits = np.full((len(truth), len(labels)), -9.0)
    logits[np.arange(len(truth)), answers] = 9.0

    class Sure:
        def logits(self, inputs):
            return logits[: len(inputs)]

    pictures = np.zeros((len(truth), 1, 2, 2), np.uint8)
    part = Part(pictures, np.array(truth, np.int32), [f"tree {i}.png" for i in range(len(truth))])
    return evaluate(Sure(), part, PictureSpec("pictures", (1, 2, 2)), labels)


def shown(found: Evaluation, capsys) -> list[str]:
    show_evaluation(make_console(), found)
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


def test_the_result_each_class_and_the_mistakes(capsys):
    found = evaluation([0, 0, 0, 0, 1, 1, 2, 2], [0, 0, 1, 1, 1, 1, 2, 0])
    lines = shown(found, capsys)
    assert lines[0].startswith("62.5 % of 8 pictures right (95 % interval 30.6 to 86.3 %), loss ")
    rows = {line.split()[0]: line.split()[1:] for line in lines if line.startswith(LABELS)}
    assert rows["ash"] == ["66.7", "%", "50.0", "%", "57.1", "%", "4"]
    assert rows["birch"] == ["50.0", "%", "100.0", "%", "66.7", "%", "2"]
    assert rows["cedar"] == ["100.0", "%", "50.0", "%", "66.7", "%", "2"]
    at = lines.index("most often confused")
    assert lines[at + 1 : at + 4] == [
        "  ash taken for birch: 2 times",
        "  cedar taken for ash: 1 time",
        "",
    ]
    at = lines.index("surest mistakes")
    assert "  tree 7.png: cedar, taken for ash with > 99.99 %" in lines[at:]


def test_without_mistakes_there_is_nothing_to_list(capsys):
    lines = shown(evaluation([0, 1], [0, 1], ("ash", "birch")), capsys)
    assert "most often confused" not in lines
    assert "surest mistakes" not in lines


def test_of_many_labels_the_worst_are_shown(capsys):
    labels = tuple(f"tree{k:02}" for k in range(MOST_CLASSES + 5))
    truth = list(range(len(labels))) * 2
    answers = [*truth[: len(labels)], *[0] * 3, *range(3, len(labels))]
    lines = shown(evaluation(truth, answers, labels), capsys)
    rows = [line.split()[0] for line in lines if line.startswith("tree")]
    assert len(rows) == MOST_CLASSES
    assert set(rows[:3]) == {"tree00", "tree01", "tree02"}
    assert f"the {MOST_CLASSES} worst of {len(labels)} labels" in lines


def test_a_class_without_pictures_has_no_numbers(capsys):
    found = evaluation([0, 0, 1], [0, 1, 1])
    rows = {line.split()[0]: line.split()[1:] for line in shown(found, capsys) if line}
    assert rows["cedar"][-2:] == ["-", "0"]


def test_confusions_read_from_truth_to_answer():
    assert confusions(evaluation([0, 0, 1], [2, 2, 0])) == [
        "ash taken for cedar: 2 times",
        "birch taken for ash: 1 time",
    ]


@pytest.mark.parametrize("part", ["test", "all"])
def test_the_part_that_is_counted_is_the_one_asked_for(part, monkeypatch, capsys):
    asked = []

    class Asked:
        def __init__(self, path, *_, **__):
            asked.append(str(path))
            self.model = SimpleNamespace(spec=SimpleNamespace(kind="pictures"))

        def evaluate(self, source, part, data_dir, reading):
            asked.append((source, part))
            return evaluation([0, 1], [0, 1], ("ash", "birch"))

    monkeypatch.setattr("beak.runs.run.Run", Asked)
    more = [] if part == "test" else ["--part", part]
    assert run(["evaluate", "trees", "forest", *more]) == 0
    assert asked == ["trees", ("forest", part)]
    assert "100.0 % of 2 pictures right" in capsys.readouterr().out
