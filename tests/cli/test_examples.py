"""Pictures of a source's test part with the network's answers: the right ones, the right words."""

from __future__ import annotations

import json

import numpy as np
import pytest

from beak.cli.examples import Example, caption, fitting_in_a_row, pick_examples, show_examples
from beak.data.picture_spec import PictureSpec
from beak.errors import DataError
from beak.network.layers import Dense, Flatten
from beak.network.network import Network
from beak.runs.model import Model

LABELS = ("dark", "grey", "light")


@pytest.fixture
def source(tmp_path, monkeypatch):
    """An .npz whose five test pictures are light, dark, grey, light, dark."""
    monkeypatch.setenv("BEAK_CACHE", str(tmp_path / "cache"))
    random = np.random.default_rng(0)
    train = random.integers(0, 256, (40, 1, 4, 4), np.uint8)
    shades = np.array([2, 0, 1, 2, 0])
    test = (120 * shades[:, None, None, None] + random.integers(0, 6, (5, 1, 4, 4))).astype(
        np.uint8
    )
    names = np.array(LABELS)
    path = tmp_path / "shades.npz"
    np.savez(
        path, x_train=train, y_train=names[np.arange(40) % 3], x_test=test, y_test=names[shades]
    )
    return str(path)


@pytest.fixture
def model():
    """Answers by the mean shade; takes light for grey."""
    network = Network((1, 4, 4), [Flatten(), Dense(3, activation="softmax")])
    weight = np.repeat(np.array([[-1.0], [1.0], [0.0]], np.float32), 16, axis=1)
    parameters = {"dense1.weight": weight, "dense1.bias": np.array([-4, 0, -99], np.float32)}
    return Model(network, PictureSpec("pictures", (1, 4, 4)), LABELS, parameters)


def test_examples_come_with_their_own_labels_and_answers(source, model):
    found = pick_examples(model, source, 3, None, 1)
    assert [one.label for one in found] == ["light", "grey", "dark"]
    assert [one.predicted for one in found] == ["grey", "grey", "dark"]
    for one in found:
        assert next(iter(one.probabilities)) == one.predicted
        assert sum(one.probabilities.values()) == pytest.approx(1)
        assert list(one.probabilities.values()) == sorted(one.probabilities.values(), reverse=True)
    assert found[0].pixels.min() >= 240
    assert len(pick_examples(model, source, 50, None, 1)) == 5


def test_examples_for_programs(source, model, capsys):
    show_examples(model, source, 2, threads=1, as_json=True)
    first, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["label"], first["truth"]) == ("grey", "light")
    assert (last["label"], last["truth"]) == ("dark", "dark")


def test_a_source_without_a_test_part_is_told(tmp_path, model, monkeypatch):
    monkeypatch.setenv("BEAK_CACHE", str(tmp_path / "cache"))
    random = np.random.default_rng(5)
    pictures = random.integers(0, 256, (3, 4, 4), np.uint8)  # by content all for training
    np.savez(tmp_path / "few.npz", x_train=pictures, y_train=np.array(LABELS))
    with pytest.raises(DataError, match="no test part"):
        pick_examples(model, str(tmp_path / "few.npz"), 3, None, 1)


def test_a_caption_says_how_sure_or_what_it_is():
    right = Example("a", np.zeros((1, 2, 2), np.uint8), "7", "7", {"7": 0.998, "1": 0.002})
    wrong = Example("a", np.zeros((1, 2, 2), np.uint8), "7", "1", {"1": 0.9, "7": 0.1})
    assert [piece.plain for piece in caption(right)] == ["✓ 7", "99.8 %"]
    assert [piece.plain for piece in caption(wrong)] == ["✗ 1", "is 7"]


@pytest.mark.parametrize(("width", "fitting"), [(10, 1), (37, 1), (38, 2), (80, 4), (500, 6)])
def test_as_many_pictures_as_fit_side_by_side(width, fitting):
    assert fitting_in_a_row(width) == fitting
