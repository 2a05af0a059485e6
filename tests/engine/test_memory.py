"""What is not kept for backward is made anew to the same bytes, and engines share their memory."""

from __future__ import annotations

import numpy as np
import pytest

from beak.engine.interface import Loss, Optimiser, Randomness
from beak.engine.lowering import context
from beak.engine.make import make_engine
from beak.engine.native import NativeEngine
from beak.network.catalogue import make_network

NETWORK = make_network("resnet20", (3, 16, 16), 10)
BATCH = 4


def step(engine, number, batch=BATCH):
    rng = np.random.default_rng(number)
    x = rng.standard_normal((batch, *NETWORK.input), np.float32)
    labels = rng.integers(0, 10, batch).astype(np.int32)
    return engine.train_step(x, labels, 0.01, Randomness(0, 0, np.arange(batch)))


def trained(beside=None):
    engine = NativeEngine(NETWORK, seed=1, threads=2, beside=beside)
    engine.start_training(Optimiser(), Loss())
    losses = [step(engine, number).loss for number in range(3)]
    return engine, losses


def same(first, second):
    for name, value in first.parameters().items():
        np.testing.assert_array_equal(value, second.parameters()[name], err_msg=name)


def test_making_outputs_anew_spares_memory_and_changes_no_byte(monkeypatch):
    monkeypatch.setattr(context, "LONGEST_CHAIN", 0)  # everything is kept
    kept, losses = trained()
    sizes = [kept.plan("train", BATCH).bytes]
    for longest in (1, 2, 9):
        monkeypatch.setattr(context, "LONGEST_CHAIN", longest)
        other, found = trained()
        assert found == losses
        same(other, kept)
        sizes.append(other.plan("train", BATCH).bytes)
    assert sizes[1] < 0.85 * sizes[0]
    assert sizes[2] < 0.95 * sizes[1], "of sums only every third is kept"


def test_a_chain_stops_where_a_tensor_is_kept():
    engine, _ = trained()
    made = engine.plan("train", BATCH).context.makers
    chains = {chain for _, chain in made.values()}
    assert chains == {1, 2}
    answers = engine.plan("forward", BATCH).context
    assert not answers.makers, "without backward nothing is made twice"


@pytest.mark.parametrize("batch", [2, 300])
def test_an_engine_beside_works_in_the_same_memory_and_disturbs_nothing(batch):
    alone, _ = trained()
    engine, _ = trained()
    judge = make_engine(NETWORK, engine.parameters(), threads=1, beside=engine, kind="native")
    x = np.random.default_rng(9).standard_normal((batch, *NETWORK.input), np.float32)
    answers = judge.forward(x)
    before = engine._arena.memory.size
    for number in range(3, 6):
        step(engine, number)
        step(alone, number)
        np.testing.assert_array_equal(judge.forward(x), answers)
    assert judge._arena is engine._arena
    assert engine._arena.memory.size == before
    same(engine, alone)
