"""Embeddings that read a stretch of their input, or are not tuned: all engines agree."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from beak.engine.interface import Loss, Optimiser, Randomness
from beak.engine.native import NativeEngine
from beak.engine.reference import ReferenceEngine
from beak.engine.torch_module import load_parameters, torch_module
from beak.errors import ShapeError
from beak.network.initial import initial_parameters
from beak.network.layers import Concat, Conv1D, Dense, Embedding, GlobalAvgPool, GlobalMaxPool
from beak.network.network import Network


def network():
    layers = [
        Embedding(9, 20, padding_index=0, places=6, name="words"),
        Embedding(9, 20, 0, trainable=False, places=6, name="still", inputs=("input",)),
        Concat(inputs=("words", "still")),
        Conv1D(17, 3, padding=3, activation="relu"),
        GlobalMaxPool(name="most"),
        Embedding(30, 3, padding_index=0, begin=6, name="pairs", inputs=("input",)),
        GlobalAvgPool(name="sum"),
        Concat(inputs=("most", "sum")),
        Dense(3, activation="softmax"),
    ]
    return Network((11,), layers)


def batch(count, seed=0):
    rng = np.random.default_rng(seed)
    words, pairs = rng.integers(0, 9, (count, 6)), rng.integers(0, 30, (count, 5))
    return np.concatenate([words, pairs], 1).astype(np.int32), rng.integers(0, 3, count)


def test_shapes_and_counts():
    made = network()
    assert made.node("words").output == (20, 6)
    assert made.node("pairs").output == (3, 5)
    assert made == Network.from_json(made.to_json())
    tuned = sum(p.trainable for p in made.parameters.values())
    assert tuned == len(made.parameters) - 1
    with pytest.raises(ShapeError, match="11 places came in, 6 from place 8 on were wanted"):
        Network((11,), [Embedding(9, 2, begin=8, places=6)])


def test_answers_and_gradients_agree_with_the_reference_and_torch():
    made, (inputs, labels) = network(), batch(13)
    parameters = initial_parameters(made, 3)
    native, reference = NativeEngine(made, parameters), ReferenceEngine(made, parameters)
    expected = reference.logits(inputs)
    np.testing.assert_allclose(native.logits(inputs), expected, rtol=1e-4, atol=1e-5)
    module = torch_module(made, logits=True)
    load_parameters(module, parameters)
    found = module(torch.from_numpy(inputs).long())
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=1e-4, atol=1e-5)
    random = Randomness(0, 0, np.arange(13))
    mine, its = (
        engine.loss_gradients(inputs, labels.astype(np.int32), Loss(), random)[1].parameters
        for engine in (native, reference)
    )
    torch.nn.functional.cross_entropy(found, torch.from_numpy(labels)).backward()
    assert {n for n, p in module.named_parameters() if p.grad is None} == {"still.weight"}
    for name, value in mine.items():
        np.testing.assert_allclose(value, its[name], rtol=1e-3, atol=1e-5, err_msg=name)


def test_a_step_tunes_touched_rows_of_tuned_tables_alone():
    made, (inputs, labels) = network(), batch(4)
    inputs[:, :6] = np.clip(inputs[:, :6], 0, 5)
    for engine in (NativeEngine(made), ReferenceEngine(made)):
        before = engine.parameters()
        engine.start_training(Optimiser("adam"), Loss())
        engine.train_step(inputs, labels.astype(np.int32), 0.1, Randomness(0, 0, np.arange(4)))
        after = engine.parameters()
        np.testing.assert_array_equal(before["still.weight"], after["still.weight"])
        for name, begin, end in (("words", 0, 6), ("pairs", 6, 11)):
            moved = (before[f"{name}.weight"] != after[f"{name}.weight"]).any(axis=1)
            there = np.unique(inputs[:, begin:end])
            assert set(np.flatnonzero(moved)) == set(there[there > 0].tolist())
