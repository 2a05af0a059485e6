"""Training on texts: every network, folds, the strong baseline, what votes start as."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from beak.data.load import load_dataset
from beak.errors import BeakError, ShapeError
from beak.network.layers import Dense, Embedding, GlobalMaxPool
from beak.network.network import Network
from beak.runs.model import load_model
from beak.runs.predictor import Predictor
from beak.train.baseline import better_baseline
from beak.train.prepare import prepare
from beak.train.text_baseline import nbsvm
from beak.train.train import train
from beak.train.words import RATIO_SCALE, log_count_ratios, start_of
from tests.train.text_cases import sentences, write

SMALL = {"network.dimensions": 16, "network.filters": 8, "epochs": 3}


def trained(source, out, **options):
    settings = {**SMALL, **options.pop("set", {})}
    return train(source, out=out, listen=None, set=settings, **options)


def test_folds_choose_words_and_networks_anew_and_tell_the_baseline(tmp_path):
    events = []
    rows = "".join(f"{text},{label}\n" for text, label in sentences(120, 5))
    (tmp_path / "all.csv").write_text("text,label\n" + rows)
    train(
        tmp_path / "all.csv", out=tmp_path / "run", folds=3, listen=events.append,
        set={**SMALL, "epochs": 2, "early_stopping.patience": 1},
    )  # fmt: skip
    folds = [load_model(tmp_path / "run" / "folds" / str(k)) for k in (1, 2, 3)]
    assert len({model.spec.words for model in folds}) == 3
    for model in folds:
        assert model.network.node("words").layer.words == model.spec.numbers
    done = events[-1]
    assert done["baseline"]["name"] == "NBSVM"
    assert len(done["test"]["folds"]) == 3
    kept = load_model(tmp_path / "run")
    assert {w for model in folds for w in model.spec.words} <= {*kept.spec.words}


def test_the_baseline_learns_pairs_of_words_and_the_network_does(tmp_path):
    source = write(tmp_path / "data", train=600, test=200)
    found = nbsvm(load_dataset(source))
    assert found.examples == 200
    assert found.accuracy > 0.9  # words alone cannot: "not fine" has the words of both sides
    run = trained(source, tmp_path / "run")
    assert run.model.info["test"]["accuracy"] > 0.9
    assert run.model.info["baseline"] == {"name": "NBSVM", "accuracy": found.accuracy}


def test_a_better_baseline_is_said_with_what_would_help(tmp_path):
    source = write(tmp_path)
    pairs, plain = (prepare(source, {}, name) for name in ("sentence-pairs", "sentence"))
    assert better_baseline(pairs, "NBSVM", 0.7, 0.75) == (
        "NBSVM is better than the network by 5.0 points: word vectors trained on more text "
        "(--vectors FILE) or more examples would help"
    )
    assert "--network sentence-pairs" in better_baseline(plain, "NBSVM", 0.7, 0.75)
    assert better_baseline(pairs, "NBSVM", 0.75, 0.75) == ""


def test_votes_start_as_log_count_ratios_of_the_training_part(tmp_path):
    ready = prepare(write(tmp_path), {})
    spec, part = ready.dataset.spec, ready.dataset.parts["train"]
    start = start_of(ready.network, ready.dataset, ready.recipe).parameters
    place = spec.places["fine"] - 1
    ratios = log_count_ratios(spec, part, spec.numbers + spec.buckets, 2)
    np.testing.assert_allclose(start["grams.weight"], RATIO_SCALE * ratios)
    grams = [set(row[row > 0].tolist()) for row in spec.grams(np.asarray(part.inputs[:]))]
    counts = np.zeros((2, 2))
    for row, label in zip(grams, part.labels, strict=True):
        counts[label] += (place in row), len(row)
    kinds = len({gram for row in grams for gram in row})
    shares = [(1 + here) / (kinds + all_) for here, all_ in counts]
    assert ratios[place, 0] == pytest.approx(np.log(shares[0] / shares[1]), rel=1e-4)
    assert ratios[place, 1] == pytest.approx(-ratios[place, 0])


@pytest.mark.parametrize("name", ["sentence", "sentence-wide", "sentence-pairs", "characters"])
def test_every_network_trains_and_answers(tmp_path, name):
    settings = {"epochs": 1, "network.filters": 8, "network.dimensions": 8}
    source = write(tmp_path / "d", 60, 10)
    run = train(
        source, network=name, out=tmp_path / "run", listen=None, set=settings, baseline=False
    )
    answer = Predictor(run.model).predict("a fine film")
    assert answer.label in ("pos", "neg")
    assert sum(answer.probabilities.values()) == pytest.approx(1)
    with pytest.raises(BeakError, match="an empty text"):
        Predictor(run.model).predict("  ")


def test_a_stopped_training_of_texts_goes_on_to_the_same_bytes(tmp_path):
    from beak.train.train import resume

    source = write(tmp_path / "d")
    settings = {"augmentation.drop_words": 0.2}
    whole = trained(source, tmp_path / "whole", set=settings, baseline=False)
    count = 0

    def stop(event):
        nonlocal count
        count += event["event"] == "epoch"
        if count == 2:
            raise KeyboardInterrupt

    with pytest.raises(BaseException):  # noqa: B017
        train(source, out=tmp_path / "half", listen=stop, set={**SMALL, **settings}, baseline=False)
    again = resume(tmp_path / "half", listen=None)
    for key, value in load_model(whole.path).parameters.items():
        np.testing.assert_array_equal(value, load_model(again.path).parameters[key])


def test_votes_for_two_classes_train_half_as_long(tmp_path):
    source = write(tmp_path)
    (tmp_path / "three.csv").write_text(
        "text,label\n" + "".join(f"a text of {i},{'xyz'[i % 3]}\n" for i in range(120))
    )
    assert prepare(tmp_path / "three.csv", {}, "sentence-pairs").recipe.epochs == 20
    slow, fast = (prepare(source, {}, name).recipe for name in ("sentence", "sentence-pairs"))
    assert slow.epochs == 2 * fast.epochs == 20
    assert prepare(source, {"epochs": 7}, "sentence-pairs").recipe.epochs == 7


def test_without_scikit_learn_there_is_no_baseline_and_that_is_said(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    events = []
    source = write(tmp_path / "d", 60, 10)
    train(source, out=tmp_path / "run", listen=events.append, set={**SMALL, "epochs": 1})
    assert events[-1]["event"] == "done"
    assert events[-1]["baseline"] is None
    said = [e["text"] for e in events if e["event"] == "note"]
    assert any("it needs scikit-learn; install it with: pip install" in text for text in said)


def test_a_network_of_ones_own_needs_a_vector_for_every_word(tmp_path):
    def own(words):
        layers = [Embedding(words, 4), GlobalMaxPool(), Dense(2, activation="softmax")]
        return Network((12,), layers)

    source, values = write(tmp_path), {"data.length": 12, "data.words": 20}
    with pytest.raises(ShapeError, match=r"embedding1: 21 word vectors, .* 22 .*data.words=19"):
        prepare(source, values, own(21))
    assert prepare(source, values, own(22)).dataset.spec.numbers == 22
