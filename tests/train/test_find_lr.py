from __future__ import annotations

import numpy as np
import pytest

from beak.engine.make import make_engine
from beak.errors import DataError
from beak.network.named import make_network
from beak.train.defaults import recipe_for
from beak.train.find_lr import find_lr, range_test, suggest


@pytest.fixture
def tested(dataset, kind):
    network = make_network("dense", (1, 8, 8), 2)
    recipe = recipe_for(dataset, network, {"optimiser.kind": "sgd", "seed": 1})
    engine = make_engine(network, seed=1, threads=1, kind=kind)
    return range_test(engine, dataset, recipe, highest=1e4)


def test_rates_grow_by_one_factor_and_the_test_ends_where_the_loss_has_blown_up(tested):
    factors = np.array(tested.rates[1:]) / np.array(tested.rates[:-1])
    assert np.allclose(factors, factors[0])
    assert tested.rates[0] == pytest.approx(1e-6)
    assert tested.diverged_at is not None
    assert tested.diverged_at > tested.rates[-1]
    assert len(tested.rates) == len(tested.losses) == len(tested.smoothed) < 120


def test_the_suggestion_is_below_where_it_blows_up_and_training_with_it_learns(
    tested, dataset, kind
):
    assert 3e-3 < tested.suggestion < 0.1
    network = make_network("dense", (1, 8, 8), 2)
    recipe = recipe_for(dataset, network, {"optimiser.kind": "sgd", "seed": 2})
    engine = make_engine(network, seed=2, threads=1, kind=kind)
    rate = tested.suggestion
    losses = range_test(engine, dataset, recipe, steps=60, lowest=rate, highest=rate).losses
    assert np.mean(losses[-10:]) < 0.7 * np.mean(losses[:3])


def test_smoothing_is_the_bias_corrected_average(tested):
    average = 0.0
    for step, (loss, smooth) in enumerate(zip(tested.losses, tested.smoothed, strict=True), 1):
        average = 0.9 * average + 0.1 * loss
        assert smooth == pytest.approx(average / (1 - 0.9**step))


@pytest.mark.parametrize("noise", [0.0, 0.1, 0.3])
def test_an_order_below_the_least_is_found_under_noise_and_a_low_first_loss(noise):
    rates = 10 ** np.linspace(-6, 1, 120)
    fall = 1 + 0.4 * (np.log10(rates) + 1.5) ** 2  # least at 10^-1.5
    losses = np.minimum(fall, 2.3) + noise * np.random.default_rng(0).standard_normal(120)
    losses[0] = 0.2
    assert 10**-2.9 < suggest(rates, losses) < 10**-2.1


def test_where_nothing_falls_a_low_rate_is_suggested():
    assert suggest([1e-3, 1e-2, 1e-1], [1.0, 2.0, 3.0]) == 0.01


def test_a_loss_that_is_never_a_number_is_told(dataset, kind):
    network = make_network("dense", (1, 8, 8), 2)
    engine = make_engine(network, threads=1, kind=kind)
    broken = {name: value * np.nan for name, value in engine.parameters().items()}
    engine.set_parameters(broken)
    with pytest.raises(DataError, match="no number at a learning rate of 1e-06 already"):
        range_test(engine, dataset, recipe_for(dataset, network))


def test_find_lr_is_the_test_for_what_train_would_train(dataset, kind):
    first = find_lr(dataset, network="dense", seed=4, threads=1, engine=kind)
    again = find_lr(dataset, network="dense", seed=4, threads=2, engine=kind)
    assert first == again
    event = first.to_json()
    assert event["event"] == "learning_rates"
    assert event["suggestion"] == first.suggestion
