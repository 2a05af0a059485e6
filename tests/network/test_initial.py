"""The numbers that networks start with."""

from __future__ import annotations

import numpy as np
import pytest

from beak.network.catalogue import CATALOGUE, make_network
from beak.network.initial import initial_parameters
from beak.network.layers import BatchNorm, Conv2D, Dense, Embedding, Flatten
from beak.network.network import Network

CONV = [-0.0683734715, -0.799543202, -1.07623935, -0.584048033]
DENSE = [0.0156825408, 0.0507595539, -0.0341397226]
RESNET = make_network("resnet8", (3, 32, 32), 10)


@pytest.mark.parametrize("name", CATALOGUE)
def test_arrays_come_in_the_networks_order_shapes_and_float32(name):
    usual = CATALOGUE[name].usual
    network = make_network(name, usual, 361 if usual[-2:] == (19, 19) else 10)
    arrays = initial_parameters(network, 3)
    assert list(arrays) == list(network.parameters)
    for key, array in arrays.items():
        assert array.shape == network.parameters[key].shape
        assert array.dtype == np.float32
        assert array.flags.c_contiguous


def test_he_weights_are_normal_with_variance_2_over_fan_in():
    weights = initial_parameters(RESNET, 0)["res3.conv2.weight"].astype(float)
    fan_in = 64 * 9
    assert weights.var() == pytest.approx(2 / fan_in, rel=0.02)
    assert abs(weights.mean()) < 3 * np.sqrt(2 / fan_in / weights.size)
    assert (weights**4).mean() / weights.var() ** 2 == pytest.approx(3, abs=0.1)
    neighbours = np.corrcoef(weights.ravel()[:-1], weights.ravel()[1:])[0, 1]
    assert abs(neighbours) < 3 / np.sqrt(weights.size)


def test_glorot_weights_are_uniform_within_their_limit():
    network = Network((1, 28, 28), [Flatten(), Dense(50, activation="tanh")])
    weights = initial_parameters(network, 0)["dense1.weight"].astype(float)
    limit = np.sqrt(6 / (784 + 50))
    assert np.abs(weights).max() == pytest.approx(limit, rel=1e-3)
    assert np.abs(weights).max() <= limit * (1 + 1e-6)
    assert weights.var() == pytest.approx(limit**2 / 3, rel=0.02)


def test_biases_start_at_0_and_norms_at_1():
    arrays = initial_parameters(Network((3, 4, 4), [Conv2D(2, 3), BatchNorm()]), 0)
    assert not arrays["conv1.bias"].any()
    for name, value in (("weight", 1), ("bias", 0), ("running_mean", 0), ("running_var", 1)):
        assert (arrays[f"norm1.{name}"] == value).all()


def test_a_name_and_a_seed_give_the_same_numbers_in_any_network():
    one = initial_parameters(Network((3, 8, 8), [Conv2D(4, 3, activation="relu")]), 7)
    other = Network((3, 9, 9), [Conv2D(4, 3, activation="relu"), Flatten(), Dense(5)])
    assert np.array_equal(one["conv1.weight"], initial_parameters(other, 7)["conv1.weight"])


def test_other_names_and_other_seeds_give_other_numbers():
    network = Network((4, 8, 8), [Conv2D(4, 3, activation="relu") for _ in range(2)])
    one, other = initial_parameters(network, 0), initial_parameters(network, 1)
    draws = [one["conv1.weight"], one["conv2.weight"], other["conv1.weight"]]
    for a in range(3):
        for b in range(a):
            together = np.corrcoef(draws[a].ravel(), draws[b].ravel())[0, 1]
            assert abs(together) < 4 / np.sqrt(draws[a].size)


def test_the_numbers_never_change_from_version_to_version():
    network = Network((1, 28, 28), [Conv2D(2, 2, activation="relu"), Flatten(), Dense(2)])
    arrays = initial_parameters(network, 0)
    assert arrays["conv1.weight"].ravel()[:4] == pytest.approx(CONV, rel=1e-6)
    assert arrays["dense1.weight"].ravel()[:3] == pytest.approx(DENSE, rel=1e-6)


def test_seeds_may_be_any_whole_number():
    network = Network((2,), [Dense(2)])
    for seed in (-1, 2**64 + 5):
        assert np.isfinite(initial_parameters(network, seed)["dense1.weight"]).all()


def test_the_vector_of_the_padding_word_is_zero():
    network = Network((5,), [Embedding(10, 4, padding_index=3)])
    weights = initial_parameters(network, 0)["embedding1.weight"]
    assert not weights[3].any()
    assert weights[[0, 1, 2, 4]].all()


def test_signals_keep_their_size_through_20_layers():
    """He's rule: forward through ReLU layers, the mean square neither dies nor explodes."""
    layers = [Dense(256, activation="relu") for _ in range(20)]
    network = Network((256,), layers)
    arrays = initial_parameters(network, 0)
    x = np.random.default_rng(0).standard_normal((64, 256))
    for node in network.nodes:
        x = np.maximum(x @ arrays[f"{node.name}.weight"].T, 0)
    assert 0.1 < (x**2).mean() * 2 < 10
