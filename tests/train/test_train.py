from __future__ import annotations

import dataclasses
import itertools
import json

import numpy as np
import pytest

from beak.data.memory import load_arrays
from beak.errors import NetworkError, RecipeError, RunError, ShapeError, UsageError
from beak.network.layers import Conv2D, Dense, Flatten, GlobalAvgPool
from beak.network.network import Network
from beak.runs.directory import RunDirectory
from beak.runs.evaluate import wilson
from beak.runs.model import load_model
from beak.train import single
from beak.train.fit import StoppedError
from beak.train.lines import line
from beak.train.recipe import Recipe
from beak.train.train import resume, train

SMALL = Network(
    (1, 8, 8), [Conv2D(4, 3, activation="relu"), GlobalAvgPool(), Dense(2, activation="softmax")]
)
BRIEF = {"epochs": 2, "batch": 16, "seed": 3}


@pytest.fixture
def begin(dataset, kind):
    """train() on the tiny data, the events in a list."""

    def begin(out, source=dataset, **options):
        events = []
        options = {"network": SMALL, "listen": events.append, "engine": kind, **BRIEF, **options}
        run = train(source, out=out, threads=1, **options)
        return run, events

    return begin


def named(events, name, **marks):
    return [e for e in events if e["event"] == name and marks.items() <= e.items()]


def weights(path):
    return (path / "model.safetensors").read_bytes()


def test_a_training_tells_data_start_epochs_baseline_and_done(begin, tmp_path):
    run, events = begin(tmp_path / "run")
    names = [e["event"] for e in events if e["event"] not in ("step", "note", "warning")]
    assert names == ["data", "start", "engine", "epoch", "epoch", "baseline", "done"]
    (data,) = named(events, "data")
    assert data["examples"] == {"train": 40, "validation": 10, "test": 10}
    assert data["labels"] == ["0", "1"]
    (start,) = named(events, "start")
    assert start["parameters"] == SMALL.parameter_count
    assert start["recipe"]["epochs"] == 2
    first = named(events, "epoch")[0]
    assert set(first) == {
        "event", "epoch", "epochs", "train_loss", "train_accuracy", "validation_loss",
        "validation_accuracy", "learning_rate", "seconds",
    }  # fmt: skip
    done = events[-1]
    assert set(done) == {"event", "run", "test", "baseline", "seconds"}
    assert set(done["test"]) == {"accuracy", "interval", "examples"}
    assert done["test"]["examples"] == 10
    correct = round(done["test"]["accuracy"] * 10)
    assert done["test"]["interval"] == list(wilson(correct, 10))
    assert done["baseline"]["name"] == "linear"
    json.dumps(events)
    files = {p.name for p in run.path.iterdir()}
    assert files == {
        "model.safetensors", "recipe.toml", "history.jsonl", "machine.json", "report.html",
        "README.md", "epochs",
    }  # fmt: skip
    assert list(run.epochs) == [0, 1]
    assert len(run.history) == 2
    assert run.info["test"] == done["test"]


def test_the_recipe_that_is_written_makes_the_same_run_again(begin, tmp_path):
    run, _ = begin(tmp_path / "first")
    again, _ = begin(
        tmp_path / "second", network=None, recipe=run.path / "recipe.toml", epochs=None,
        batch=None, seed=None,
    )  # fmt: skip
    assert (again.path / "recipe.toml").read_text() == (run.path / "recipe.toml").read_text()
    assert weights(again.path) == weights(run.path)


def test_an_exact_run_keeps_it_in_its_recipe_and_resumes_with_it(
    begin, dataset, kind, tmp_path, monkeypatch
):
    wide = Network(
        (1, 8, 8), [Conv2D(16, 3), Conv2D(16, 3), Flatten(), Dense(2, activation="softmax")]
    )
    asked = {"network": wide, "baseline": False}
    made, make = [], single.make_engine

    def noted(*given, **options):
        made.append(options["exact"])
        return make(*given, **options)

    monkeypatch.setattr(single, "make_engine", noted)
    begin(tmp_path / "whole", exact=True, **asked)
    assert RunDirectory(tmp_path / "whole").read_recipe().count("exact = true") == 1
    stopped(monkeypatch, 4, begin, tmp_path / "run", exact=True, **asked)
    resume(tmp_path / "run", source=dataset, listen=None, threads=1, engine=kind)
    assert weights(tmp_path / "run") == weights(tmp_path / "whole")
    assert all(made)


def test_two_runs_with_one_seed_are_the_same_file_at_any_thread_count(dataset, kind, tmp_path):
    for name, threads in (("one", 1), ("three", 3)):
        options = {"network": "dense", "listen": None, "engine": kind, **BRIEF}
        train(dataset, out=tmp_path / name, threads=threads, **options)
    assert weights(tmp_path / "one") == weights(tmp_path / "three")


@pytest.mark.parametrize("options", [{"folds": 2}, {"compare": "linear"}, {}])
def test_stopping_anywhere_names_the_run_to_go_on_with(begin, tmp_path, monkeypatch, options):
    """Also in a fold's own directory, and while the baseline trains, which has none."""
    path, places = tmp_path / "run", set()
    for count in range(1, 60, 2):
        try:
            text = stopped(monkeypatch, count, begin, path, **options, overwrite=True)
        except pytest.fail.Exception:
            break  # it came to its end
        places.add(text.split(";")[0])
    assert "stopped in epoch 1 of 2" in places
    assert len(places) >= 3  # both epochs, and one of the baseline's


@pytest.mark.parametrize(("size", "shape"), [((6,), (1, 6, 6)), ((6, 7), (1, 6, 7))])
def test_one_number_is_a_square_size(begin, tmp_path, size, shape):
    run, _ = begin(tmp_path / "run", "digits", network="linear", set={"data.size": size}, epochs=1)
    assert run.model.spec.shape == shape
    assert f"size = [{shape[1]}, {shape[2]}]" in run.recipe


def test_a_source_of_another_kind_is_told(begin, tmp_path):
    with pytest.raises(UsageError, match=r"a ndarray is no source; .* arrays as \(X, y\)"):
        begin(tmp_path / "run", np.zeros((4, 8, 8)))


def test_too_many_folds_are_told_before_a_run_is_made(begin, tmp_path):
    with pytest.raises(UsageError, match="folds: 61 of 60 examples"):
        begin(tmp_path / "run", folds=61)
    assert not (tmp_path / "run").exists()


def stopped(monkeypatch, count, begin, *arguments, **options):
    """Begin a training in which the wish to stop comes at the count-th time it is asked for."""
    real = single.Session

    def session(listen, stopping, *others):
        asked = iter(range(1, 10**9))
        return real(listen, lambda: next(asked) >= count, *others)

    with monkeypatch.context() as patch:
        patch.setattr("beak.train.train.Session", session)
        with pytest.raises(StoppedError) as caught:
            begin(*arguments, **options)
    assert str(caught.value).endswith(f"go on with: beak train --resume {arguments[0]}")
    return str(caught.value)


@pytest.mark.parametrize("count", [1, 3, 4, 7, 8, 9])
def test_a_stopped_run_resumes_to_the_same_files(
    begin, dataset, kind, tmp_path, monkeypatch, count
):
    whole, _ = begin(tmp_path / "whole")
    stopped(monkeypatch, count, begin, tmp_path / "run")
    events = []
    run = resume(tmp_path / "run", source=dataset, listen=events.append, engine=kind, threads=2)
    assert weights(run.path) == weights(whole.path)
    assert [{**r, "seconds": 0} for r in run.history] == [
        {**r, "seconds": 0} for r in whole.history
    ]
    assert not (run.path / "checkpoint.safetensors").exists()


def test_a_recipe_changed_before_resuming_is_told(begin, dataset, kind, tmp_path, monkeypatch):
    stopped(monkeypatch, 2, begin, tmp_path / "run")
    recipe = tmp_path / "run" / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("epochs = 2", "epochs = 3"))
    events = []
    run = resume(tmp_path / "run", source=dataset, listen=events.append, engine=kind)
    assert "not to the same bytes: recipe" in named(events, "note")[0]["text"]
    assert len(run.history) == 3


def test_weights_of_epochs_on_the_way_are_kept_each_a_model_of_its_own(begin, tmp_path):
    run, _ = begin(tmp_path / "run", epochs=5)
    assert list(run.epochs) == [0, 1, 2, 4]
    models = [load_model(path) for path in run.epochs.values()]
    assert [model.info["epochs"] for model in models] == [0, 1, 2, 4]
    assert all(model.labels == run.labels for model in models)
    name = next(iter(run.model.parameters))
    kept = [model.parameters[name] for model in [*models, run.model]]
    assert all(not np.array_equal(a, b) for a, b in itertools.pairwise(kept))
    train_again, _ = begin(tmp_path / "run", epochs=2, overwrite=True)
    assert list(train_again.epochs) == [0, 1]
    none, _ = begin(tmp_path / "none", set={"keep_epochs": 0})
    assert none.epochs == {}


def test_resuming_a_finished_run_says_so_and_changes_nothing(begin, tmp_path):
    run, _ = begin(tmp_path / "run")
    before = {p.name: p.read_bytes() for p in run.path.rglob("*.*")}
    events = []
    again = resume(run.path, listen=events.append)
    assert "is finished" in events[0]["text"]
    assert len(events) == 1
    assert {p.name: p.read_bytes() for p in run.path.rglob("*.*")} == before
    assert again.labels == run.labels


def test_arrays_in_memory_have_to_be_given_again_to_resume(begin, tmp_path, monkeypatch):
    stopped(monkeypatch, 2, begin, tmp_path / "run")
    with pytest.raises(RunError, match="trained on arrays in memory"):
        resume(tmp_path / "run")


def test_a_source_on_disk_resumes_by_itself_from_another_directory(
    begin, kind, make_strokes, tmp_path, monkeypatch
):
    pictures, labels = make_strokes(60)
    np.savez(tmp_path / "strokes.npz", x=pictures, y=labels)
    monkeypatch.chdir(tmp_path)
    begin("whole", "strokes.npz", network=None)
    stopped(monkeypatch, 2, begin, "run", "strokes.npz", network=None)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    run = resume("../run", listen=None, engine=kind)
    assert weights(run.path) == weights(tmp_path / "whole")


def test_a_run_is_not_written_over_unless_asked(begin, tmp_path, monkeypatch):
    first, _ = begin(tmp_path / "run")
    kept = weights(first.path)
    with pytest.raises(UsageError, match="holds a run already"):
        begin(tmp_path / "run", seed=99)
    assert weights(first.path) == kept
    begin(tmp_path / "run", seed=99, overwrite=True)
    assert weights(first.path) != kept
    monkeypatch.chdir(tmp_path)
    paths = [begin(None)[0].path for _ in range(3)]
    assert [p.parent.name for p in paths] == ["runs"] * 3
    assert len({p.name for p in paths}) == 3


def test_compare_trains_another_network_of_the_same_size_beside(begin, tmp_path, dataset, kind):
    run, events = begin(tmp_path / "run", compare="dense")
    (told,) = [e for e in named(events, "compare") if "test" in e]
    assert told["name"] == "dense"
    assert abs(told["parameters"] - SMALL.parameter_count) < 8 * 8 + 4
    assert len(named(events, "epoch", compare="dense")) == 2
    done = events[-1]
    assert done["compare"] == {k: told[k] for k in ("name", "parameters", "test")}
    assert load_model(run.path / "compare").network != SMALL
    assert run.network == SMALL


def test_with_folds_the_compared_network_is_tested_on_the_same_folds(
    begin, dataset, kind, tmp_path, monkeypatch
):
    asked = {"folds": 2, "compare": "linear", "baseline": False}
    run, events = begin(tmp_path / "run", **asked)
    folds = [load_model(run.path / f"compare/folds/{n}").info["test"] for n in (1, 2)]
    told = events[-1]["compare"]["test"]
    assert told["folds"] == [test["accuracy"] for test in folds]
    assert told["examples"] == events[-1]["test"]["examples"] == 60
    assert [f["fold"] for f in named(events, "fold", compare="linear")] == [1, 2]
    last = named(events, "fold", compare="linear")[-1]
    assert line(last).startswith("linear: fold 2 of 2: test accuracy")
    stopped(monkeypatch, 26, begin, tmp_path / "again", **asked)  # in the compared one's folds
    assert (tmp_path / "again/compare/folds").exists()
    resume(tmp_path / "again", source=dataset, listen=None, threads=1, engine=kind)
    for path in ("", "compare/folds/1", "compare/folds/2"):
        assert weights(tmp_path / "again" / path) == weights(run.path / path)


def test_folds_test_every_example_once_and_keep_a_network_trained_on_all(begin, tmp_path):
    run, events = begin(tmp_path / "run", folds=3)
    folds = named(events, "fold")
    assert [f["fold"] for f in folds] == [1, 2, 3]
    assert sum(f["test"]["examples"] for f in folds) == 60
    done = events[-1]
    assert done["test"]["examples"] == 60
    assert done["test"]["accuracy"] == pytest.approx(
        np.mean([f["test"]["accuracy"] for f in folds])
    )
    assert done["baseline"]["accuracy"] == pytest.approx(np.mean([f["baseline"] for f in folds]))
    last = [e for e in named(events, "epoch") if "fold" not in e]
    assert [e["validation_loss"] for e in last] == [None, None]
    assert run.info["test"] == done["test"]
    assert "3 folds: mean test accuracy" in (run.path / "report.html").read_text()


@pytest.mark.parametrize("count", [2, 9, 14, 20, 27, 34])
def test_stopped_folds_resume_to_the_same_files(begin, dataset, kind, tmp_path, monkeypatch, count):
    whole, _ = begin(tmp_path / "whole", folds=2, compare="linear")
    stopped(monkeypatch, count, begin, tmp_path / "run", folds=2, compare="linear")
    run = resume(tmp_path / "run", source=dataset, listen=None, engine=kind, threads=1)
    assert weights(run.path) == weights(whole.path)
    for name in ("folds/1", "folds/2", "compare/folds/1", "compare/folds/2"):
        assert weights(run.path / name) == weights(whole.path / name)
        assert RunDirectory(run.path / name).finished


def test_the_baseline_is_left_out_when_asked_or_when_it_is_the_network(begin, tmp_path):
    _, events = begin(tmp_path / "without", baseline=False)
    assert events[-1]["baseline"] is None
    assert not named(events, "baseline")
    _, events = begin(tmp_path / "linear", network="linear")
    assert "is the linear one itself" in named(events, "note")[-1]["text"]
    _, events = begin(tmp_path / "short", network="dense", epochs=1)
    assert events[-1]["baseline"] is None or events[-1]["baseline"]["accuracy"] >= 0


def test_values_come_from_recipe_then_set_then_own_options(begin, tmp_path):
    recipe = dataclasses.replace(Recipe(), epochs=9, batch=8, seed=5, average=0.5)
    run, _ = begin(
        tmp_path / "run", recipe=recipe, set=["epochs=1", "batch=4"], epochs=None, batch=20,
        seed=None,
    )  # fmt: skip
    written = Recipe.from_toml(run.recipe)
    assert (written.epochs, written.batch, written.seed, written.average) == (1, 20, 5, 0.5)
    run, _ = begin(tmp_path / "other", set={"optimiser.learning_rate": 0.125})
    assert Recipe.from_toml(run.recipe).optimiser.learning_rate == 0.125


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"network": "lectur"}, UsageError, "did you mean 'lecture'?"),
        ({"network": "nowhere.json"}, UsageError, "nowhere.json"),
        ({"network": Network((1, 9, 9), [Flatten(), Dense(2, activation="softmax")])},
         ShapeError, "reads (1, 9, 9) but the examples are (1, 8, 8)"),
        ({"network": Network((1, 8, 8), [Flatten(), Dense(3, activation="softmax")])},
         ShapeError, "there are 2 classes; end it in Dense(2"),
        ({"network": Network((1, 8, 8), [Flatten(), Dense(2)])},
         NetworkError, "does not end in softmax"),
        ({"set": ["optimiser.lr=1"]}, RecipeError, "known in [optimiser]"),
        ({"compare": "dens"}, UsageError, "did you mean 'dense'?"),
        ({"recipe": "missing.toml"}, UsageError, "no such recipe file"),
        ({"source": None}, UsageError, "nothing to train on"),
    ],
)  # fmt: skip
def test_a_slip_is_one_line_and_leaves_no_directory(begin, tmp_path, options, error, said):
    with pytest.raises(error) as caught:
        begin(tmp_path / "run", **options)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_every_event_but_the_steps_has_a_line(begin, tmp_path, capsys):
    _, events = begin(tmp_path / "run", folds=2, compare="dense")
    for event in events:
        text = line(event)
        assert bool(text) == (event["event"] not in ("step", "baseline")), event
        assert "\n" not in text
    begin(tmp_path / "again", listen=None)
    assert capsys.readouterr().out == ""


def test_arrays_train_by_themselves(make_strokes, kind, tmp_path):
    run = train(
        make_strokes(60), out=tmp_path / "run", epochs=1, listen=None, engine=kind, threads=1
    )
    assert run.labels == ("0", "1")
    assert load_arrays(*make_strokes(60)).spec == run.spec
