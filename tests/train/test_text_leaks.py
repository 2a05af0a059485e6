"""What leaked in published code on sentences stays out: of each known leak a test."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from beak.data.batches import batches
from beak.data.load import load_dataset
from beak.data.text_spec import TextSpec
from beak.engine.make import make_engine
from beak.network.initial import initial_parameters
from beak.network.named import make_network
from beak.runs.directory import RunDirectory
from beak.runs.model import load_model
from beak.train.prepare import on, prepare
from beak.train.single import Session, train_one
from beak.train.train import train
from tests.train.text_cases import sentences, write

SMALL = {
    "network.dimensions": 8,
    "network.filters": 8,
    "epochs": 4,
    "early_stopping.patience": 1,
    "optimiser.learning_rate": 0.02,
}


def trained(source, out, **options):
    return train(source, out=out, listen=None, set=SMALL, **options)


@pytest.mark.parametrize("network", ["sentence", "sentence-pairs"])
def test_weights_do_not_depend_on_the_texts_that_are_tested(tmp_path, network):
    """The published code made its vocabulary from training and test texts together."""
    sources = [write(tmp_path / f"{seed}", test_seed=seed) for seed in (3, 4)]
    runs = [trained(path, path / "run", network=network) for path in sources]
    first, second = (load_model(run.path) for run in runs)
    assert first.spec == second.spec
    for name, value in first.parameters.items():
        np.testing.assert_array_equal(value, second.parameters[name])


def test_no_training_text_fills_up_a_batch_or_is_validated_on(tmp_path):
    """The published code repeated random training texts before it cut off its development set."""
    dataset = load_dataset(write(tmp_path), unit="words")
    part = dataset.parts["train"]
    seen = [
        batch.examples
        for batch in batches(part, dataset.spec, None, seed=0, epoch=1, batch_size=50)
    ]
    assert [len(s) for s in seen] == [50, 50, 50, 10]
    assert sorted(np.concatenate(seen).tolist()) == list(range(160))
    hashes = [{h.tobytes() for h in dataset.parts[p].hashes} for p in dataset.parts]
    assert not hashes[0] & hashes[1]
    assert not hashes[0] & hashes[2]


def test_what_is_kept_of_a_fold_does_not_depend_on_its_test_labels(tmp_path):
    """Stopping by the test part, or choosing the best epoch on it, is the commonest leak."""
    rows = "".join(f"{text},{label}\n" for text, label in sentences(150, 5))
    (tmp_path / "all.csv").write_text("text,label\n" + rows)
    ready = prepare(tmp_path / "all.csv", {**SMALL, "network": "sentence"})
    for number, fold in enumerate(ready.dataset.folds(3)):
        test = fold.parts["test"]
        turned = replace(test, labels=1 - np.asarray(test.labels))
        pair = fold, replace(fold, parts={**fold.parts, "test": turned})
        right, wrong = (
            train_one(
                on(ready, dataset, ready.recipe),
                RunDirectory.create(tmp_path / f"{number}{side}"),
                Session(),
                resume=False,
            )
            for side, dataset in enumerate(pair)
        )
        assert right.model.info["epochs"] == wrong.model.info["epochs"]
        for name, value in right.model.parameters.items():
            np.testing.assert_array_equal(value, wrong.model.parameters[name])
        assert right.test["accuracy"] == pytest.approx(1 - wrong.test["accuracy"])


def test_folds_test_each_text_once_and_validate_on_none_of_them(tmp_path):
    rows = "".join(f"{text},{label}\n" for text, label in sentences(90, 5))
    (tmp_path / "all.csv").write_text("text,label\n" + rows)
    tested = []
    for fold in load_dataset(tmp_path / "all.csv").folds(4):
        indices = {name: set(part.inputs.index.tolist()) for name, part in fold.parts.items()}
        assert not indices["train"] & indices["validation"]
        assert not indices["test"] & (indices["train"] | indices["validation"])
        assert indices["validation"]
        tested += indices["test"]
    assert sorted(tested) == list(range(90))


@pytest.mark.parametrize("name", ["sentence", "sentence-wide", "sentence-pairs", "characters"])
def test_padding_never_changes_an_answer(name):
    """Padded to a batch's longest text, as published code does, a text's answer depends on it."""
    unit = {"characters": "bytes", "sentence-pairs": "pairs"}.get(name, "words")
    words = () if unit == "bytes" else ("a", "fine", "dull", "film")
    answers = []
    for length in (12, 30, 101):
        places = length * (3 if unit == "pairs" else 1)
        spec = TextSpec("texts", (places,), unit, True, 64 if unit == "pairs" else 0, words)
        options = {k: v for k, v in spec.network_options.items() if name != "characters"}
        network = make_network(name, spec.shape, 2, filters=8, dimensions=8, **options)
        parameters = initial_parameters(network, 1)
        rng = np.random.default_rng(2)
        for key, value in parameters.items():  # no weight at zero, where a mistake would hide
            parameters[key] = rng.normal(0, 0.3, value.shape).astype(np.float32)
            if key in ("words.weight", "grams.weight", "bytes.weight"):
                parameters[key][0] = 0
        if unit == "pairs":  # its votes are means over the places
            parameters[f"{network.nodes[-1].name}.weight"][:, -2:] *= network.node("grams").output[
                1
            ]
        rows = spec.prepare(np.stack([spec.row("a film"), spec.row("fine a dull")]))
        answers.append(make_engine(network, parameters).logits(rows))
    np.testing.assert_allclose(answers[1], answers[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(answers[2], answers[0], rtol=1e-5, atol=1e-6)
