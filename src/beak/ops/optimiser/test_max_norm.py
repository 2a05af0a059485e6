"""The longest that an output's weights may be: kernel, reference, both engines, in training."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beak.engine.interface import Loss, Optimiser, Randomness
from beak.engine.native import NativeEngine
from beak.engine.reference import ReferenceEngine
from beak.errors import NetworkError
from beak.network.layers import Dense, Dropout
from beak.network.network import Network
from beak.ops.optimiser.kernels import MAX_NORM
from beak.ops.optimiser.reference import max_norm
from beak.ops.panels import from_panels, to_panels
from beak.ops.test_support import run


@pytest.mark.usefixtures("every_instruction_set")
@given(st.integers(1, 40), st.integers(1, 30), st.floats(0.1, 9), st.integers(0, 99))
def test_the_kernel_shortens_what_is_too_long_and_nothing_else(units, inputs, limit, seed):
    weight = np.random.default_rng(seed).normal(size=(units, inputs, 1, 1)).astype(np.float32)
    panels = to_panels(weight)
    flat = run(
        MAX_NORM[0], {"weight": panels}, panels=panels.shape[1], terms=inputs, limit=limit, parts=2,
    )["weight"]  # fmt: skip
    found = from_panels(flat, weight.shape)
    np.testing.assert_allclose(found, max_norm(weight, limit), rtol=2e-6)
    short = np.sqrt((weight.astype(np.float64) ** 2).sum(axis=(1, 2, 3))) <= limit
    np.testing.assert_array_equal(found[short], weight[short])


@pytest.mark.parametrize("average", [None, 0.5])
def test_both_engines_keep_the_limit_in_training(average):
    network = Network(
        (5,),
        [Dense(9, activation="relu"), Dropout(0.5), Dense(3, activation="softmax", max_norm=0.7)],
    )
    rng = np.random.default_rng(0)
    inputs, labels = rng.normal(size=(20, 5)).astype(np.float32), rng.integers(0, 3, 20)
    found = {}
    for engine in (NativeEngine(network), ReferenceEngine(network)):
        engine.start_training(Optimiser("adam", average=average), Loss())
        for epoch in range(4):
            engine.train_step(
                inputs, labels.astype(np.int32), 0.3, Randomness(0, epoch, np.arange(20))
            )
        found[engine.name] = engine.parameters(average=average is not None)
    lengths = np.sqrt((found["native"]["dense2.weight"] ** 2).sum(axis=1))
    assert lengths.max() == pytest.approx(0.7, rel=1e-5)
    for name, values in found["reference"].items():
        np.testing.assert_allclose(found["native"][name], values, rtol=1e-3, atol=1e-4)


def test_a_limit_is_a_number_above_zero():
    with pytest.raises(NetworkError, match="max_norm=0"):
        Dense(3, max_norm=0)
