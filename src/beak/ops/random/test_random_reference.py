"""Philox against the published vectors and NumPy's own, and the rule of dropout."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beak.ops.random import reference
from beak.ops.random.reference import dropout, dropout_mask, philox4x32
from beak.ops.test_reference_support import run_doctests

FULL = 0xFFFFFFFF
PI = (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344, 0xA4093822, 0x299F31D0)
VECTORS = [  # kat_vectors of Random123, philox4x32 with 10 rounds: counter, key, words
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((FULL,) * 4, (FULL,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (PI[:4], PI[4:], (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)),
]


@pytest.mark.parametrize(("counter", "key", "words"), VECTORS)
def test_philox_gives_the_published_words(counter, key, words):
    assert tuple(philox4x32(key, np.array(counter, np.uint32)).tolist()) == words


def test_many_counters_at_once_are_the_same_as_one_by_one():
    counters = np.random.default_rng(0).integers(0, 2**32, size=(3, 5, 4), dtype=np.uint32)
    together = philox4x32((7, 9), counters)
    for place in np.ndindex(3, 5):
        assert (together[place] == philox4x32((7, 9), counters[place])).all()


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 2**63),
    st.sampled_from(["dropout", "res2.dropout1"]),
    st.integers(0, 1000),
    st.integers(0, 2**40),
    st.integers(1, 9),
)
def test_the_mask_follows_the_rule_word_by_word(seed, name, epoch, example, count):
    mask = dropout_mask(0.3, count, seed=seed, name=name, epoch=epoch, example=example)
    key = (seed % 2**32, zlib.crc32(name.encode()))
    for i in range(count):
        counter = np.array([i // 4, epoch, example % 2**32, example // 2**32], np.uint32)
        word = int(philox4x32(key, counter)[i % 4])
        assert mask[i] == (word >= int(0.3 * 2**32))


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.9])
def test_a_share_of_rate_is_dropped_and_the_mean_is_kept(rate):
    mask = dropout_mask(rate, 40_000, seed=1, name="dropout", epoch=0, example=3)
    assert 1 - mask.mean() == pytest.approx(rate, abs=0.01)
    assert dropout(np.ones(40_000), mask, rate).mean() == pytest.approx(1, abs=0.05)


def test_other_examples_epochs_nodes_and_seeds_get_other_masks():
    base = {"seed": 1, "name": "a", "epoch": 2, "example": 3}
    first = dropout_mask(0.5, 256, **base)
    for change in (
        {"seed": 2},
        {"name": "b"},
        {"epoch": 3},
        {"example": 4},
        {"example": 3 + 2**32},
    ):
        assert (dropout_mask(0.5, 256, **{**base, **change}) != first).mean() > 0.3
    assert (dropout_mask(0.5, 100, **base) == first[:100]).all()


def test_the_examples_in_the_docstrings_hold():
    assert run_doctests(reference) >= 2
