"""Philox and dropout against the published numbers and NumPy, on every instruction set."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beak.ops.random.kernels import DROPOUT, PHILOX_WORDS
from beak.ops.random.reference import dropout, dropout_mask, philox4x32
from beak.ops.test_support import run

pytestmark = pytest.mark.usefixtures("every_instruction_set")

words32 = st.integers(0, 2**32 - 1)


def philox(counter, key):
    return philox4x32(key, np.array(counter, np.uint32)).tolist()


def words(counters, key, **options):
    counters = np.array(counters, np.uint32).reshape(-1, 4)
    return run(
        PHILOX_WORDS[0], {"words": (counters.shape, np.uint32)},
        counters=counters, key0=key[0], key1=key[1], count=len(counters), **options,
    )["words"]  # fmt: skip


# Random123's kat_vectors, philox4x32 10: counter, key, words
KNOWN = [
    ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
    ([2**32 - 1] * 4, [2**32 - 1] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
    (
        [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
        [0xA4093822, 0x299F31D0],
        [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
    ),
]


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN)
def test_philox_gives_the_published_words(counter, key, expected):
    assert words([counter], key)[0].tolist() == expected


@given(
    counters=st.lists(st.tuples(words32, words32, words32, words32), max_size=40),
    key=st.tuples(words32, words32),
    parts=st.integers(1, 5),
)
def test_philox_of_any_counters_in_any_parts(counters, key, parts):
    got = words(counters, key, parts=parts, threads=2)
    assert got.tolist() == [philox(counter, key) for counter in counters]


def dropout_truth(x, settings, examples, node, rate):
    """The rule of the mask, word by word; the node by its number, as the kernel has it."""
    images, places, channels = x.shape
    seed, epoch = settings
    kept = np.empty((images, channels, places), bool)
    for image, example in enumerate(examples.tolist()):
        i = np.arange(places * channels)
        counters = np.empty((i.size, 4), np.uint32)
        counters[:, 0] = i // 4
        counters[:, 1:] = epoch, example % 2**32, example >> 32
        words = philox4x32((seed % 2**32, node), counters)[i, i % 4]
        kept[image] = (words >= int(rate * 2**32)).reshape(channels, places)
    return dropout(x, kept.transpose(0, 2, 1), rate)


def test_the_mask_is_the_references_for_a_nodes_name():
    x = np.ones((1, 6, 10), np.float32)
    y = run(
        DROPOUT[0], {"y": x.shape},
        x=x, settings=np.array([2**33 + 5, 3]), examples=np.array([2**32 + 9]), images=1,
        places=6, channels=10, node=zlib.crc32(b"drop1"), rate=0.5,
    )["y"]  # fmt: skip
    kept = dropout_mask(0.5, 60, seed=2**33 + 5, name="drop1", epoch=3, example=2**32 + 9)
    np.testing.assert_array_equal(y[0].T.ravel() > 0, kept)


@given(
    images=st.integers(0, 3),
    places=st.integers(1, 9),
    channels=st.integers(1, 23),
    rate=st.sampled_from([0.0, 0.1, 0.5, 0.9]),
    seed=st.integers(0, 2**40),
    epoch=st.integers(0, 2**31),
    first=st.integers(0, 2**34),
    node=words32,
    parts=st.integers(1, 6),
    alias=st.booleans(),
)
def test_dropout_keeps_what_the_rule_says(
    images, places, channels, rate, seed, epoch, first, node, parts, alias
):
    x = np.random.default_rng(0).normal(size=(images, places, channels)).astype(np.float32)
    examples = first + 3 * np.arange(images)[::-1].astype(np.int64)
    settings = np.array([seed, epoch], np.int64)
    y = run(
        DROPOUT[0], {"y": "x" if alias else x.shape},
        x=x, settings=settings, examples=examples, images=images, places=places,
        channels=channels, node=node, rate=rate, parts=parts, threads=2,
    )["y"]  # fmt: skip
    expected = dropout_truth(x, settings.tolist(), examples, node, rate)
    np.testing.assert_allclose(y, expected, rtol=1e-6)


def test_a_large_example_is_the_same_in_pieces_and_keeps_its_share():
    x = np.ones((2, 49, 211), np.float32)
    values = {"settings": np.array([5, 2]), "examples": np.array([7, 8])}
    sizes = {"images": 2, "places": 49, "channels": 211, "node": 123, "rate": 0.3}
    one, many = (
        run(DROPOUT[0], {"y": x.shape}, x=x, parts=parts, **values, **sizes)["y"]
        for parts in (1, 11)
    )
    np.testing.assert_array_equal(one, many)
    kept = (one > 0).mean()
    assert abs(kept - 0.7) < 4 * np.sqrt(0.21 / x.size)
    # the last elements of an example, far behind its first piece, follow the rule too
    i = 49 * 211 - 1
    word = philox((i // 4, 2, 8, 0), (5, 123))[i % 4]
    assert (one[1, 48, 210] > 0) == (word >= int(0.3 * 2**32))
