"""N processes train as one does on the whole batch: the steps of both engines, by threads."""

from __future__ import annotations

import numpy as np
import pytest

from beak.engine.group import own_share
from beak.engine.interface import Loss, Optimiser, Randomness
from beak.engine.make import make_engine
from tests.engine.test_native import inputs_for, labels_for, network_of
from tests.engine.thread_group import in_a_group

OPTIMISERS = {
    "sgd": Optimiser("sgd", momentum=0.9, nesterov=True, weight_decay=1e-2, clip_norm=0.5),
    "adamw": Optimiser("adamw", weight_decay=1e-1, average=0.9),
}
COUNTS = (7, 12, 2, 1)
"""Examples in the batches: shares are uneven, and some are empty."""


@pytest.fixture(params=["native", "torch"])
def kind(request):
    if request.param == "torch":
        pytest.importorskip("torch")
    return request.param


def trained(kind, name, optimiser, loss, group=None):
    network = network_of(name)
    engine = make_engine(network, seed=2, threads=1, kind=kind, group=group)
    engine.start_training(OPTIMISERS[optimiser], loss)
    results = []
    for number, count in enumerate(COUNTS * 3):
        own = own_share(np.arange(count), group)
        x, labels = inputs_for(network, count, seed=number), labels_for(network, count)
        numbers = Randomness(11, number, np.arange(count, dtype=np.int64)[own] + 100)
        results.append(engine.train_step(x[own], labels[own], 0.01, numbers))
    return engine, results


WEIGHTS = Loss(label_smoothing=0.1, class_weights=(0.5, 1.0, 2.0, 1.5))


@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("name", ["pooled", "dropout", "words", "words twice"])
def test_three_processes_are_one_with_the_whole_batch(kind, name, optimiser):
    three_are_one(kind, name, optimiser)


@pytest.mark.parametrize(("name", "optimiser"), [("norms", "sgd"), ("residual", "adamw")])
def test_torchs_norms_are_those_of_the_whole_batch(name, optimiser):
    """Native's normalise each share by itself."""
    pytest.importorskip("torch")
    three_are_one("torch", name, optimiser)


def three_are_one(kind, name, optimiser):
    alone, wanted = trained(kind, name, optimiser, WEIGHTS)
    group = in_a_group(3, lambda g: trained(kind, name, optimiser, WEIGHTS, g))
    for engine, found in group:
        for mine, its in zip(wanted, found, strict=True):
            assert its.loss == pytest.approx(mine.loss, rel=1e-4, abs=1e-6)
            assert (its.correct, its.examples) == (mine.correct, mine.examples)
        if name in ("norms", "residual"):  # a bias before a norm has no gradient but rounding
            x = inputs_for(alone.network, 20)
            np.testing.assert_allclose(engine.logits(x), alone.logits(x), rtol=0.02, atol=0.02)
            continue
        for average in (False, True) if OPTIMISERS[optimiser].average else (False,):
            for key, value in alone.parameters(average).items():
                scale = np.abs(value).max()
                other = engine.parameters(average)[key]
                np.testing.assert_allclose(other, value, rtol=0, atol=2e-3 * scale, err_msg=key)
    first = group[0][0]
    for engine, _ in group[1:]:
        for key, value in {**first.parameters(), **first.training_state()}.items():
            same = {**engine.parameters(), **engine.training_state()}[key]
            np.testing.assert_array_equal(same, value, err_msg=key)


def test_of_natives_norms_the_running_statistics_are_the_mean_of_the_shares():
    network = network_of("norms")
    x, labels = inputs_for(network, 6), labels_for(network, 6)
    shares = []
    for own in (slice(0, 3), slice(3, 6)):
        engine = make_engine(network, seed=2, threads=1)
        engine.start_training(OPTIMISERS["sgd"], Loss())
        engine.train_step(x[own], labels[own], 0.0, Randomness(0, 0, np.arange(3)))
        shares.append(engine.parameters()["norm1.running_mean"])

    def step(group):
        engine = make_engine(network, seed=2, threads=1, group=group)
        engine.start_training(OPTIMISERS["sgd"], Loss())
        own = own_share(np.arange(6), group)
        engine.train_step(x[own], labels[own], 0.0, Randomness(0, 0, own))
        return engine.parameters()["norm1.running_mean"]

    for found in in_a_group(2, step):
        np.testing.assert_allclose(found, (shares[0] + shares[1]) / 2, rtol=1e-5, atol=1e-7)


def test_a_wish_to_stop_is_heard_by_all(kind):
    network = network_of("plain")

    def step(group):
        engine = make_engine(network, seed=2, threads=1, kind=kind, group=group)
        engine.start_training(OPTIMISERS["sgd"], Loss())
        group.asked = lambda: group.rank == 1
        own = own_share(np.arange(4), group)
        engine.train_step(
            inputs_for(network, 4)[own], labels_for(network, 4)[own], 0.1, Randomness(0, 0, own)
        )
        return group.stopped

    assert in_a_group(2, step) == [True, True]


def test_shares_are_stretches_in_order_that_lose_and_repeat_nothing():
    for size in (1, 2, 3, 5, 8):
        for count in (0, 1, 4, 7, 64):
            parts = in_a_group(size, lambda group, n=count: own_share(np.arange(n), group))
            np.testing.assert_array_equal(np.concatenate(parts), np.arange(count))
            assert max(map(len, parts)) - min(map(len, parts)) <= 1
