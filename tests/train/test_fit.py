from __future__ import annotations

import dataclasses
import itertools
import json
import math
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from beak.data.augment import Augmentation
from beak.data.memory import load_arrays
from beak.engine.interface import StepResult
from beak.engine.make import make_engine
from beak.errors import RecipeError, RunError
from beak.network.layers import BatchNorm, Conv2D, Dense, Dropout, Flatten, GlobalAvgPool, MaxPool2D
from beak.network.network import Network
from beak.runs.directory import RunDirectory
from beak.runs.evaluate import evaluate
from beak.train import fit as loop
from beak.train.fit import Fit, StoppedError, fit
from beak.train.portions import class_weights, leftover
from beak.train.progress import DivergedError
from beak.train.recipe import Recipe, with_values
from beak.train.records import EpochRecord, StepRecord

NETWORK = Network(
    (1, 8, 8),
    [
        Conv2D(4, 3, padding=1),
        BatchNorm(),
        MaxPool2D(2),
        Conv2D(6, 3, activation="relu"),
        GlobalAvgPool(),
        Dropout(0.2),
        Dense(2, activation="softmax"),
    ],
)
RECIPE = with_values(
    Recipe(),
    {
        "epochs": 3,
        "batch": 16,
        "seed": 7,
        "average": 0.8,
        "optimiser.learning_rate": 0.02,
        "loss.label_smoothing": 0.05,
    },
)


def fitting(dataset, kind, recipe=RECIPE, network=NETWORK, **options):
    runner = make_engine(network, seed=recipe.seed, threads=1, kind=kind)
    judge = make_engine(network, runner.parameters(), threads=1, kind=kind)
    return Fit(runner, dataset, recipe, judge=judge, **options)


def without_seconds(records):
    return [dataclasses.replace(r, seconds=0.0) for r in records if isinstance(r, EpochRecord)]


def same_bytes(first, second):
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert value.tobytes() == second[name].tobytes(), name


def after(steps):
    """A wish to stop that comes after so many steps."""
    counter = itertools.count(1)
    return lambda: next(counter) >= steps


def test_records_count_steps_and_epochs_and_learn(dataset, kind):
    recipe = with_values(RECIPE, {"epochs": 12, "optimiser.learning_rate": 0.03})
    training = fitting(dataset, kind, recipe)
    records = list(training)
    steps = [r for r in records if isinstance(r, StepRecord)]
    epochs = [r for r in records if isinstance(r, EpochRecord)]
    assert [(r.epoch, r.step, r.steps) for r in steps[:4]] == [
        (1, 1, 3), (1, 2, 3), (1, 3, 3), (2, 1, 3),
    ]  # fmt: skip
    assert [r.epoch for r in epochs] == list(range(1, 13))
    assert epochs[-1].train_loss < 0.7 * epochs[0].train_loss
    assert epochs[-1].validation_accuracy >= 0.8
    assert training.trained.epoch == 12


def test_sums_of_an_epoch_are_those_of_its_steps(dataset):
    class Counted:
        name, network = "counted", NETWORK

        def __init__(self):
            self.batches = []

        def start_training(self, optimiser, loss):
            pass

        def parameters(self, average=False):
            return {}

        def train_step(self, inputs, labels, learning_rate, randomness):
            self.batches.append((randomness.epoch, randomness.examples, learning_rate))
            return StepResult(loss=float(len(self.batches)), correct=5, examples=len(labels))

    engine = Counted()
    records = [r for r in fit(engine, dataset, RECIPE) if isinstance(r, EpochRecord)]
    # 40 examples in batches of 16, 16 and 8 with losses 1, 2, 3, then 4, 5, 6 …
    assert records[0].train_loss == pytest.approx((16 * 1 + 16 * 2 + 8 * 3) / 40)
    assert records[1].train_loss == pytest.approx((16 * 4 + 16 * 5 + 8 * 6) / 40)
    assert records[0].train_accuracy == pytest.approx(15 / 40)
    assert records[0].learning_rate == engine.batches[2][2]
    assert records[0].validation_loss is None
    for epoch in (1, 2, 3):
        seen = np.concatenate([e for number, e, _ in engine.batches if number == epoch])
        assert sorted(seen) == list(range(40))
    assert engine.batches[0][1].tolist() != engine.batches[3][1].tolist()


def test_two_trainings_with_one_seed_are_the_same_bytes_and_another_seed_is_not(dataset, kind):
    first, second = fitting(dataset, kind), fitting(dataset, kind)
    assert without_seconds(first) == without_seconds(second)
    same_bytes(first.trained.parameters, second.trained.parameters)
    other = fitting(dataset, kind, dataclasses.replace(RECIPE, seed=8))
    assert without_seconds(other) != without_seconds(fitting(dataset, kind))


@pytest.mark.parametrize("stops", [[1], [2], [3], [4], [2, 3], [1] * 9])
def test_a_training_stopped_anywhere_goes_on_to_the_same_bytes(dataset, kind, tmp_path, stops):
    whole = RunDirectory.create(tmp_path / "whole")
    uninterrupted = fitting(dataset, kind, directory=whole)
    list(uninterrupted)
    parts = RunDirectory.create(tmp_path / "in parts")
    for stop in stops:
        training = fitting(dataset, kind, directory=parts, stopping=after(stop))
        training.restore()
        with pytest.raises(StoppedError, match=r"go on with: beak train --resume '.*in parts'$"):
            list(training)
    last = fitting(dataset, kind, directory=parts)
    last.restore()
    list(last)
    same_bytes(last.trained.parameters, uninterrupted.trained.parameters)
    lines = [{**line, "seconds": 0} for line in parts.read_history()]
    assert lines == [{**line, "seconds": 0} for line in whole.read_history()]
    assert len(lines) == 3


@pytest.mark.parametrize("lost", ["after the checkpoint", "torn history", "history ahead"])
def test_a_kill_between_two_writes_leaves_no_trace(dataset, kind, tmp_path, lost):
    reference = fitting(dataset, kind)
    list(reference)
    run = RunDirectory.create(tmp_path / "run")
    training = fitting(dataset, kind, directory=run)
    for record in training:
        if isinstance(record, StepRecord) and (record.epoch, record.step) == (2, 2):
            break  # as a kill: nothing more is written
    del training
    if lost == "torn history":
        with run.history_path.open("a") as file:
            file.write('{"epoch": 2, "train_lo')
    if lost == "history ahead":
        run.append_history({"epoch": 2, "train_loss": 9.0})
    again = fitting(dataset, kind, directory=run)
    again.restore()
    list(again)
    same_bytes(again.trained.parameters, reference.trained.parameters)
    assert [line["epoch"] for line in run.read_history()] == [1, 2, 3]


def test_a_checkpoint_is_written_when_its_time_has_come(dataset, kind, tmp_path, monkeypatch):
    run = RunDirectory.create(tmp_path / "run")
    written = []
    monkeypatch.setattr(
        RunDirectory, "save_checkpoint", lambda self, arrays, info: written.append(info["position"])
    )
    seconds = itertools.count(0, 4)  # every look at the clock is 4 seconds after the one before
    training = fitting(dataset, kind, directory=run, clock=lambda: float(next(seconds)))
    list(training)
    within = [(p["epoch"], p["step"]) for p in written if p["step"]]
    assert within, "no checkpoint within an epoch"
    assert [(p["epoch"], p["step"]) for p in written if not p["step"]] == [(2, 0), (3, 0), (4, 0)]
    assert loop.CHECKPOINT_SECONDS <= 25


def test_validation_and_the_weights_kept_are_the_averaged_ones(dataset, kind):
    training = fitting(dataset, kind)
    epochs = [r for r in training if isinstance(r, EpochRecord)]
    averaged = training.engine.parameters(average=True)
    same_bytes(training.trained.parameters, averaged)
    assert any(
        value.tobytes() != averaged[name].tobytes()
        for name, value in training.engine.parameters().items()
    )
    judge = make_engine(NETWORK, averaged, threads=1, kind=kind)
    found = evaluate(judge, dataset.parts["validation"], dataset.spec, dataset.labels)
    assert epochs[-1].validation_loss == found.loss
    assert epochs[-1].validation_accuracy == found.accuracy


def test_early_stopping_keeps_the_best_epoch_also_over_a_resume(dataset, kind, tmp_path):
    recipe = with_values(
        RECIPE,
        {"epochs": 30, "early_stopping.patience": 2, "optimiser.learning_rate": 0.2, "average": 0},
    )
    training = fitting(dataset, kind, recipe)
    epochs = [r for r in training if isinstance(r, EpochRecord)]
    best = min(epochs, key=lambda r: r.validation_loss)
    assert len(epochs) < 30
    assert training.trained.epoch == best.epoch == len(epochs) - 2
    assert training.trained.stopped_early
    judge = make_engine(NETWORK, training.trained.parameters, threads=1, kind=kind)
    found = evaluate(judge, dataset.parts["validation"], dataset.spec, dataset.labels)
    assert found.loss == best.validation_loss

    run = RunDirectory.create(tmp_path / "run")
    stopped = fitting(dataset, kind, recipe, directory=run, stopping=after(3 * best.epoch + 2))
    with pytest.raises(StoppedError):
        list(stopped)
    resumed = fitting(dataset, kind, recipe, directory=run)
    resumed.restore()
    list(resumed)
    same_bytes(resumed.trained.parameters, training.trained.parameters)
    once_more = fitting(dataset, kind, recipe, directory=run)
    once_more.restore()
    assert list(once_more) == []
    same_bytes(once_more.trained.parameters, training.trained.parameters)


def test_a_loss_that_is_no_number_ends_in_one_line_and_keeps_the_checkpoint(
    dataset, kind, tmp_path
):
    run = RunDirectory.create(tmp_path / "run")
    recipe = with_values(
        RECIPE,
        {"optimiser.kind": "sgd", "optimiser.learning_rate": 1e30, "schedule.start": 1e-33},
    )
    dense = Network(
        (1, 8, 8), [Flatten(), Dense(9, activation="relu"), Dense(2, activation="softmax")]
    )
    with pytest.raises(DivergedError) as caught, np.errstate(all="ignore"):
        list(fitting(dataset, kind, recipe, dense, directory=run))
    text = str(caught.value)
    assert "\n" not in text
    assert "--set optimiser.learning_rate=1e+29" in text
    assert text.startswith("epoch ")
    if run.checkpoint_path.exists():
        arrays, _ = run.load_checkpoint()
        assert all(np.isfinite(value).all() for value in arrays.values())


@pytest.mark.parametrize(
    ("examples", "batch", "network", "left"),
    [(33, 16, NETWORK, 1), (32, 16, NETWORK, 0), (1, 16, NETWORK, 0), (5, 1, NETWORK, 0),
     (33, 16, Network((1, 8, 8), [Flatten(), Dense(2, activation="softmax")]), 0)],
)  # fmt: skip
def test_a_last_batch_of_one_is_left_out_where_a_batch_norm_would_meet_it(
    examples, batch, network, left
):
    assert leftover(examples, batch, network) == left


def test_leaving_one_out_is_said_and_still_every_epoch_is_whole(make_strokes, kind):
    data = load_arrays(*make_strokes(37), kind="pictures", given=np.repeat([0, 1, 2], [33, 2, 2]))
    training = fitting(data, kind)
    assert "left out: 33 examples in batches of 16" in training.notes[0]
    steps = [r for r in training if isinstance(r, StepRecord)]
    assert [r.step for r in steps] == [1, 2] * 3
    assert all(math.isfinite(r.loss) for r in steps)


def test_an_epoch_of_one_batch_and_a_part_without_validation(make_strokes, kind):
    data = load_arrays(*make_strokes(12), kind="pictures")
    data = data.everything()
    training = fitting(data, kind)
    epochs = [r for r in training if isinstance(r, EpochRecord)]
    assert [r.validation_loss for r in epochs] == [None] * 3
    assert training.steps == 1


def test_other_data_than_the_checkpoints_is_refused(dataset, make_strokes, kind, tmp_path):
    run = RunDirectory.create(tmp_path / "run")
    with pytest.raises(StoppedError):
        list(fitting(dataset, kind, directory=run, stopping=after(2)))
    parts = np.repeat([0, 1, 2], [40, 10, 10])
    other = load_arrays(*make_strokes(60, seed=1), kind="pictures", given=parts)
    with pytest.raises(RunError, match="not those that the training began"):
        fitting(other, kind, directory=run).restore()


def test_another_version_goes_on_and_says_that_it_is_not_exact(
    dataset, kind, tmp_path, monkeypatch
):
    run = RunDirectory.create(tmp_path / "run")
    with pytest.raises(StoppedError):
        list(fitting(dataset, kind, directory=run, stopping=after(2)))
    monkeypatch.setattr("beak.train.progress.beak_version", lambda: "99.0")
    training = fitting(dataset, kind, directory=run)
    training.restore()
    assert any("not to the same bytes: version" in note for note in training.notes)
    list(training)


def test_balance_gives_a_rare_class_the_same_say(make_strokes, kind):
    pictures, labels = make_strokes(60)
    keep = np.flatnonzero((labels == 0) | (np.arange(60) % 5 == 1))
    parts = np.zeros(len(keep), int)
    parts[-4:] = [1, 1, 2, 2]
    data = load_arrays(pictures[keep], labels[keep], kind="pictures", given=parts)
    counts = np.bincount(data.parts["train"].labels)
    weights = class_weights(data, with_values(RECIPE, {"loss.balance": True}))
    assert np.allclose(np.array(weights) * counts, counts.sum() / 2)
    with pytest.raises(RecipeError, match="3 weights for 2 classes"):
        list(fitting(data, kind, with_values(RECIPE, {"loss.class_weights": [1, 2, 3]})))


def test_augmentation_is_on_in_training_only(dataset, kind):
    recipe = dataclasses.replace(RECIPE, augmentation=Augmentation(shift=0.2, flip=True))
    plain, changed = fitting(dataset, kind), fitting(dataset, kind, recipe)
    assert without_seconds(plain)[0].train_loss != without_seconds(changed)[0].train_loss


POSITION = {
    "epoch": 1, "step": 2, "loss_sum": 1.0, "correct": 1, "seen": 32, "seconds": 1.0,
    "best_epoch": 0, "best_loss": "inf", "ended": False,
}  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(sorted(POSITION)),
        st.one_of(st.none(), st.text(max_size=5), st.integers(), st.floats(), st.just([])),
        min_size=1,
    )
)
def test_a_damaged_position_is_one_line_or_one_that_training_can_go_on_from(
    dataset, kind, tmp_path, damage
):
    run = RunDirectory(tmp_path)
    training = fitting(dataset, kind, directory=run)
    training._start()
    training._save()
    arrays, info = run.load_checkpoint()
    info["position"] = {**POSITION, **damage}
    with suppress(RunError):
        run.save_checkpoint(arrays, json.loads(json.dumps(info)))
        again = fitting(dataset, kind, with_values(RECIPE, {"epochs": 1}), directory=run)
        again.restore()
        records = list(again)
        assert len(records) <= 4
