"""Several processes train one run: the loop by threads, the command by real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import numpy as np
import pytest

import beak
from beak.cli.train import without_processes
from beak.data.memory import load_arrays
from beak.engine.make import make_engine
from beak.errors import RunError, UsageError
from beak.runs.directory import RunDirectory
from beak.runs.evaluate import evaluate
from beak.train.fit import Fit, StoppedError
from beak.train.recipe import Recipe, with_values
from beak.train.together import begun_before, check_together, for_all, is_first, processes
from tests.engine.thread_group import in_a_group

NETWORK = beak.Network(
    (1, 8, 8),
    [
        beak.Conv2D(6, 3, activation="relu"),
        beak.MaxPool2D(2),
        beak.Flatten(),
        beak.Dropout(0.3),
        beak.Dense(2, activation="softmax"),
    ],
)
RECIPE = with_values(
    Recipe(epochs=3, batch=24, seed=5, average=0.9, baseline=False),
    {"augmentation.shift": 0.1, "loss.balance": True, "early_stopping.patience": 2},
)


def bars(count=150):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 90, (count, 1, 8, 8)).astype(np.uint8)
    y = rng.integers(0, 2, count)
    for i, lies in enumerate(y):
        at = rng.integers(1, 7)
        x[i, 0, at if lies else slice(None), slice(None) if lies else at] += 120
    return x, y


DATASET = load_arrays(*bars())


def fitted(group, directory=None, kind="native", stop_at=None):
    """A training to its end, or to a step after which process 1 is asked to stop."""
    engine = make_engine(NETWORK, seed=1, threads=1, kind=kind, group=group)
    judge = make_engine(NETWORK, seed=1, threads=1, kind=kind)
    first = group is None or group.rank == 0
    fit = Fit(engine, DATASET, RECIPE, directory if first else None, judge, group=group)
    done = 0
    if stop_at is not None:
        fit.stopping = lambda: group.rank == 1 and done == stop_at
        group.asked = fit.stopping
    fit.restore()
    records = []
    try:
        for record in fit:
            done += not hasattr(record, "train_loss")
            records.append(record)
    except StoppedError:
        return None, records
    return fit.trained.parameters, records


def epochs_of(records):
    return [record for record in records if hasattr(record, "train_loss")]


@pytest.mark.parametrize("kind", ["native", "torch"])
def test_three_processes_train_the_run_that_one_trains(kind):
    if kind == "torch":
        pytest.importorskip("torch")
    wanted, alone = fitted(None, kind=kind)
    for found, records in in_a_group(3, lambda group: fitted(group, kind=kind)):
        for name, value in wanted.items():
            np.testing.assert_allclose(found[name], value, rtol=0, atol=2e-4)
        for mine, its in zip(epochs_of(alone), epochs_of(records), strict=True):
            assert its.train_loss == pytest.approx(mine.train_loss, rel=1e-4)
            assert its.train_accuracy == mine.train_accuracy
            assert its.validation_loss == pytest.approx(mine.validation_loss, rel=1e-3)


def test_a_stopped_group_goes_on_to_the_same_bytes(tmp_path):
    whole = in_a_group(2, fitted)[0][0]
    directory = RunDirectory.create(tmp_path / "run")
    directory.save_recipe("")
    stopped = in_a_group(2, lambda group: fitted(group, directory, stop_at=7))
    assert [parameters for parameters, _ in stopped] == [None, None]
    assert len({len(records) for _, records in stopped}) == 1
    assert directory.checkpoint_path.exists()
    for found, _ in in_a_group(2, lambda group: fitted(group, directory)):
        for name, value in whole.items():
            np.testing.assert_array_equal(found[name], value)


def test_an_evaluation_by_several_is_that_of_one():
    engine = make_engine(NETWORK, seed=1, threads=1)
    part = DATASET.parts["train"]
    alone = evaluate(engine, part, DATASET.spec, DATASET.labels)

    def shared(group):
        own = make_engine(NETWORK, seed=1, threads=1)
        return evaluate(own, part, DATASET.spec, DATASET.labels, group=group)

    for found in in_a_group(3, shared):
        assert found.to_json() == alone.to_json()


def test_an_error_of_the_first_is_everybodys():
    def meet(group):
        def make():
            assert group.rank == 0
            raise RunError("no room")

        with pytest.raises(RunError, match="no room"):
            for_all(group, make)
        return for_all(group, lambda: 7)

    assert in_a_group(3, meet) == [7, 7, 7]


def test_what_an_earlier_start_left_misleads_nobody():
    """A first process that answers a dead one's number goes on until the living one has heard."""
    distributed = pytest.importorskip("torch.distributed")
    from beak.engine.torch_group import common_name

    store = distributed.HashStore()
    store.set("beak/here/1", "dead")
    store.set("beak/here/2", "dead too")
    store.set("beak/answer/dead", "an old name")
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(common_name, store, 0, 3)
        wait_for(lambda: store.check(["beak/answer/dead too"]))
        others = [pool.submit(common_name, store, rank, 3) for rank in (1, 2)]
        names = {each.result(20) for each in (first, *others)}
    assert len(names) == 1
    assert names != {"an old name"}


def test_a_name_of_a_first_process_that_died_is_not_taken():
    """It answered the new ones as its last deed; who heard it hears its successor too."""
    distributed = pytest.importorskip("torch.distributed")
    from beak.engine.torch_group import common_name

    store = distributed.HashStore()
    with ThreadPoolExecutor(3) as pool:
        others = [pool.submit(common_name, store, rank, 3) for rank in (1, 2)]
        wait_for(lambda: store.check(["beak/here/1"]) and store.check(["beak/here/2"]))
        store.set("beak/answer/" + store.get("beak/here/1").decode(), "of the dead")
        wait_for(lambda: store.check(["beak/heard/of the dead/1"]))
        assert not any(other.done() for other in others)
        first = pool.submit(common_name, store, 0, 3)
        names = {each.result(20) for each in (first, *others)}
    assert len(names) == 1
    assert names != {"of the dead"}


def test_processes_that_do_not_all_come_are_not_waited_for_without_end(monkeypatch):
    distributed = pytest.importorskip("torch.distributed")
    from beak.engine import torch_group

    monkeypatch.setattr(torch_group, "PATIENCE", timedelta(seconds=0.1))
    for rank in (0, 1):
        with pytest.raises(RuntimeError, match="of 2 processes not all came"):
            torch_group.common_name(distributed.HashStore(), rank, 2)


def test_the_others_wait_for_the_first_however_long_it_works_alone(monkeypatch):
    """Its baseline and test may take longer than the patience with a lost process."""
    distributed = pytest.importorskip("torch.distributed")
    from beak.engine import torch_group

    monkeypatch.setattr(torch_group, "PATIENCE", timedelta(seconds=0.1))
    store = distributed.HashStore()
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(torch_group.wait_for_first, store, 1)
        time.sleep(0.4)
        assert not other.done()
        torch_group.wait_for_first(store, 0)
        other.result(5)


def test_who_is_the_first_and_what_was_begun(monkeypatch, tmp_path):
    assert processes() == 1
    assert is_first()
    for name, value in {"WORLD_SIZE": "3", "RANK": "2", "MASTER_ADDR": "here"}.items():
        monkeypatch.setenv(name, value)
    assert processes() == 3
    assert not is_first()
    (tmp_path / "recipe.toml").write_text("")
    assert begun_before(tmp_path) is None
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    assert begun_before(tmp_path) == tmp_path
    assert begun_before(None) is None
    monkeypatch.setenv("BEAK_PROCESSES_RUN", str(tmp_path / "where"))
    (tmp_path / "where").write_text(str(tmp_path))
    assert begun_before(None) == tmp_path


def test_what_several_processes_do_not_do_is_said():
    with pytest.raises(UsageError, match="--folds trains one network after another"):
        check_together(Recipe(folds=5))
    assert without_processes(["train", "x", "--processes=2", "--json"]) == ["train", "x", "--json"]


@pytest.fixture(scope="module")
def data_file(tmp_path_factory):
    x, y = bars(600)
    path = tmp_path_factory.mktemp("bars") / "bars.npz"
    np.savez(path, X=x, y=y)
    return path


def typed(data, out, *more):
    words = [sys.executable, "-m", "beak", "train", str(data), "--out", str(out)]
    words += ["--no-baseline", "--epochs", "40", "--network", "dense", "--batch", "16"]
    return [*words, "--seed", "3", "--processes", "2", *more]


def workers_of(parent):
    """The processes that torchrun, the child of this one, has started."""
    found = []
    for child in children(parent):
        found += children(child)
    return found


def children(process):
    try:
        with open(f"/proc/{process}/task/{process}/children") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def wait_for(check, seconds=240):
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="finds processes in /proc")
def test_a_killed_process_brings_all_back_to_the_last_checkpoint(data_file, tmp_path):
    """The run ends as the one that nobody killed, to the byte; and Ctrl-C stops one cleanly."""
    pytest.importorskip("torch")
    environment = {**os.environ, "BEAK_CHECKPOINT_SECONDS": "0.2"}
    calm = subprocess.run(
        typed(data_file, tmp_path / "calm", "--json"), env=environment, capture_output=True
    )
    assert calm.returncode == 0, calm.stderr.decode()
    run = tmp_path / "killed"
    process = subprocess.Popen(
        typed(data_file, run), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    history = run / "history.jsonl"
    wait_for(lambda: history.exists() and len(history.read_text().splitlines()) >= 3)
    os.kill(workers_of(process.pid)[1], signal.SIGKILL)
    said = process.communicate()[1].decode()
    assert process.returncode == 0, said
    before, after = (beak.load(tmp_path / name) for name in ("calm", "killed"))
    assert [r["epoch"] for r in after.history] == list(range(1, 41))
    for name, value in before.model.parameters.items():
        np.testing.assert_array_equal(after.model.parameters[name], value)
    run = tmp_path / "stopped"
    process = subprocess.Popen(
        typed(data_file, run), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    wait_for(lambda: (run / "history.jsonl").exists())
    process.send_signal(signal.SIGINT)
    said = process.communicate()[1].decode()
    assert process.returncode == 1
    assert f"go on with: beak train --resume {run}" in said
    assert said.count("beak train: stopped") == 1
