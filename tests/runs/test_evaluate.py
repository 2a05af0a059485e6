from __future__ import annotations

import json
import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beak.data.picture_spec import PictureSpec
from beak.errors import DataError
from beak.runs.evaluate import class_scores, evaluate, log_softmax, strongest, wilson

LABELS = ("a", "b", "c")
PLAIN = PictureSpec("pictures", (3, 1, 1), "pad", 0, (0.0,) * 3, (1 / 255,) * 3)


@dataclass
class SomePart:
    inputs: np.ndarray
    labels: np.ndarray
    names: list[str]


def part(pixels: list[list[int]], labels: list[int]) -> SomePart:
    inputs = np.array(pixels, np.uint8).reshape(-1, 3, 1, 1)
    return SomePart(inputs, np.array(labels, np.int32), [f"{k}.png" for k in range(len(labels))])


def test_wilson_gives_the_published_values():
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 3
    for correct, examples, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        assert wilson(correct, examples) == pytest.approx((low, high), abs=5e-5)


@given(examples=st.integers(1, 10**7), data=st.data())
def test_the_interval_holds_the_share_and_stays_within_zero_and_one(examples, data):
    correct = data.draw(st.integers(0, examples))
    low, high = wilson(correct, examples)
    assert 0 <= low <= correct / examples <= high <= 1
    other = wilson(examples - correct, examples)
    assert other == pytest.approx((1 - high, 1 - low), abs=1e-12)


def test_everything_is_counted_as_by_hand(linear_engine):
    # logits are the pixels themselves
    engine = linear_engine(np.eye(3))
    pixels = [[3, 0, 0], [0, 3, 0], [0, 9, 0], [0, 1, 5], [2, 2, 0]]
    found = evaluate(engine, part(pixels, [0, 1, 0, 1, 1]), PLAIN, LABELS, batch=2)
    assert found.confusion.tolist() == [[1, 1, 0], [1, 1, 1], [0, 0, 0]]
    assert found.accuracy == 2 / 5
    assert found.interval == wilson(2, 5)
    a, b, c = found.classes
    assert (a.precision, a.recall, a.f1, a.support) == (1 / 2, 1 / 2, 1 / 2, 2)
    assert (b.precision, b.recall, b.support) == (1 / 2, 1 / 3, 3)
    assert b.f1 == pytest.approx(2 / 5)
    assert (c.precision, c.recall, c.f1, c.support) == (0, None, 0, 0)
    wrong = [(m.index, m.name, m.label, m.predicted) for m in found.mistakes]
    assert wrong == [(2, "2.png", "a", "b"), (3, "3.png", "b", "c"), (4, "4.png", "b", "a")]
    assert found.mistakes[0].probability == pytest.approx(math.exp(9) / (math.exp(9) + 2))
    by_hand = -sum(
        row[k] - math.log(sum(math.exp(v) for v in row))
        for row, k in zip(pixels, [0, 1, 0, 1, 1], strict=True)
    )
    assert found.loss == pytest.approx(by_hand / 5, rel=1e-14)


def test_the_answer_does_not_depend_on_the_batch(linear_engine):
    rng = np.random.default_rng(0)
    some = part(rng.integers(0, 20, (50, 3)).tolist(), rng.integers(0, 3, 50).tolist())
    engine = linear_engine(rng.integers(-3, 4, (3, 3)))  # whole numbers: exact sums
    seen: list[tuple[int, int]] = []
    one = evaluate(engine, some, PLAIN, LABELS, batch=1)
    other = evaluate(engine, some, PLAIN, LABELS, batch=17, listen=lambda *n: seen.append(n))
    assert one.to_json() == other.to_json()
    assert seen == [(17, 50), (34, 50), (50, 50)]


def test_scores_are_those_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(1)
    truth, answers = rng.integers(0, 3, (2, 400))
    confusion = metrics.confusion_matrix(truth, answers)
    wanted = np.array(metrics.precision_recall_fscore_support(truth, answers)).T
    found = [(s.precision, s.recall, s.f1, s.support) for s in class_scores(confusion, LABELS)]
    np.testing.assert_allclose(np.array(found, float), wanted, rtol=1e-14)


def test_the_loss_of_logits_far_apart_is_exact():
    found = log_softmax(np.array([[0.0, 1000.0, 2000.0]], np.float32))
    assert found.tolist() == [[-2000.0, -1000.0, 0.0]]
    assert log_softmax(np.array([[1e-9, 0.0]]))[0, 0] == pytest.approx(
        -math.log(2) + 5e-10, abs=1e-15
    )


def test_nan_answers_are_noted_and_never_counted_as_the_strongest(linear_engine):
    assert strongest(np.array([[np.nan, 1.0, 0.0], [np.nan] * 3, [2.0, 2.0, 0.0]])).tolist() == [
        1,
        0,
        0,
    ]
    engine = linear_engine(np.full((3, 3), np.nan))
    found = evaluate(engine, part([[1, 2, 3], [3, 2, 1]], [1, 2]), PLAIN, LABELS)
    assert "2 of 2 answers are NaN" in found.notes[0]
    said = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert said["loss"] is None
    assert said["accuracy"] == 0


def test_the_json_has_what_the_command_prints(linear_engine):
    found = evaluate(linear_engine(np.eye(3)), part([[3, 0, 0]], [0]), PLAIN, LABELS).to_json()
    assert list(found)[:4] == ["accuracy", "interval", "loss", "examples"]
    assert found["classes"]["a"] == {"precision": 1.0, "recall": 1.0, "f1": 1.0, "support": 1}
    assert json.loads(json.dumps(found)) == found


def test_no_examples_and_labels_beyond_the_network_are_told(linear_engine):
    with pytest.raises(DataError, match="no examples"):
        evaluate(linear_engine(np.eye(3)), part([], []), PLAIN, LABELS)
    with pytest.raises(DataError, match="label number 3"):
        evaluate(linear_engine(np.eye(3)), part([[1, 2, 3]], [3]), PLAIN, LABELS)
