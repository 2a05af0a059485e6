from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from PIL import Image

from beak.data.dataset import Dataset, Part
from beak.errors import DataError, RunError, UsageError
from beak.runs.directory import RunDirectory
from beak.runs.evaluate import evaluate
from beak.runs.model import save_model
from beak.runs.run import Run, load


def some_part(model, count: int, seed: int, labels: int = 3) -> Part:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (count, *model.spec.shape), dtype=np.uint8)
    return Part(
        pixels, rng.integers(0, labels, count).astype(np.int32), [f"{k}" for k in range(count)]
    )


@pytest.fixture
def dataset(model) -> Dataset:
    parts = {"train": some_part(model, 30, 0), "validation": some_part(model, 4, 1)}
    parts["test"] = some_part(model, 9, 2)
    return Dataset("animals", "pictures", model.labels, model.spec, parts)


@pytest.fixture
def run(tmp_path, model) -> Run:
    directory = RunDirectory.create(tmp_path / "animals")
    directory.append_history({"epoch": 1, "train_loss": 0.5})
    directory.save_recipe("seed = 1\n")
    info = {**model.info, "test": {"accuracy": 0.875}}
    save_model(directory.path, dataclasses.replace(model, info=info))
    return Run(directory.path, engine="reference")


def test_a_run_tells_what_it_is(run, model):
    assert run.network == model.network
    assert run.labels == model.labels
    assert run.history == [{"epoch": 1, "train_loss": 0.5}]
    assert run.recipe == "seed = 1\n"
    assert run.path.name == "animals"
    assert repr(run).endswith("animals': 151 parameters, 3 labels, test accuracy 87.5 %)")
    assert run.summary().parameters == 151


def test_a_weights_file_alone_predicts_but_has_no_history(tmp_path, run, model):
    alone = tmp_path / "sent.safetensors"
    alone.write_bytes((run.path / "model.safetensors").read_bytes())
    found = load(alone)
    found.engine = "reference"
    assert found.path == alone
    assert found.history == []
    assert found.recipe == ""
    picture = np.full((8, 8), 99, np.uint8)
    assert found.predict(picture) == run.predict(picture)


def test_one_input_gives_one_answer_and_several_give_a_list(run, tmp_path):
    Image.new("L", (8, 8), 7).save(tmp_path / "a.png")
    one = run.predict(tmp_path / "a.png")
    assert [answer.label for answer in run.predict([tmp_path / "a.png"] * 2)] == [one.label] * 2
    stack = np.zeros((5, 8, 8, 1), np.uint8)
    assert len(run.predict(stack)) == 5
    with pytest.raises(DataError, match="gone"):
        run.predict([tmp_path / "a.png", tmp_path / "gone.png"])


def test_the_test_part_is_counted_and_said(run, dataset, model):
    found = run.evaluate(dataset)
    wanted = evaluate(run.predictor.engine, dataset.parts["test"], model.spec, model.labels)
    assert found.confusion.tolist() == wanted.confusion.tolist()
    assert found.notes == ("9 of 43 examples are counted: the test part",)
    assert run.evaluate(dataset, part="all").examples == 43
    with pytest.raises(UsageError, match="no part 'tset'; did you mean 'test'"):
        run.evaluate(dataset, part="tset")


def test_labels_in_another_order_are_matched_by_name(run, dataset, model):
    order = [2, 0, 1]
    labels = tuple(model.labels[k] for k in order)
    moved = {
        name: dataclasses.replace(part, labels=np.argsort(order).astype(np.int32)[part.labels])
        for name, part in dataset.parts.items()
    }
    other = dataclasses.replace(dataset, labels=labels, parts=moved)
    assert run.evaluate(other).to_json() == run.evaluate(dataset).to_json()


def test_labels_that_the_network_does_not_know_are_named(run, dataset):
    other = dataclasses.replace(dataset, labels=("cat", "dgo", "bird"))
    with pytest.raises(
        DataError, match="label 'dgo' is none that the network knows; did you mean 'dog'"
    ):
        run.evaluate(other)


def test_another_preparation_is_refused_or_said(run, dataset, model):
    spec = dataclasses.replace(model.spec, background=255)
    found = run.evaluate(dataclasses.replace(dataset, spec=spec))
    assert "prepared as 'pad' on 255 here, as 'pad' on 0 in training" in found.notes[0]
    wide = dataclasses.replace(model.spec, shape=(1, 8, 9))
    with pytest.raises(RunError, match=r"prepared as \[1, 8, 9\], the network reads \[1, 8, 8\]"):
        run.evaluate(dataclasses.replace(dataset, spec=wide))


def test_a_source_without_a_test_part_says_what_to_do(run, dataset):
    empty = some_part(run.model, 0, 0)
    with pytest.raises(DataError, match="no test part; evaluate part='all'"):
        run.evaluate(dataclasses.replace(dataset, parts={**dataset.parts, "test": empty}))


def test_a_folder_of_pictures_is_evaluated_as_it_was_trained(run, tmp_path):
    rng = np.random.default_rng(5)
    for label in run.labels:
        (tmp_path / "photos" / label).mkdir(parents=True)
        for k in range(20):
            pixels = rng.integers(0, 256, (12, 10), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / label / f"{k}.png")
    found = run.evaluate(tmp_path / "photos", part="all")
    assert found.examples == 60
    for mistake in found.mistakes[:5]:
        (path,) = (tmp_path / "photos").rglob(mistake.name.split("photos/")[-1])
        assert run.predict(path).label == mistake.predicted
