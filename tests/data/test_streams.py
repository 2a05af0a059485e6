import zlib

import numpy as np
from numpy.testing import assert_array_equal

from beak.data.streams import shuffled, uniforms
from beak.ops.random.reference import philox4x32


def test_numbers_are_philox_words_of_seed_use_epoch_and_example():
    examples = np.array([5, 2**40 + 7])
    for place, example in enumerate(examples.tolist()):
        blocks = [[block, 3, example % 2**32, example >> 32] for block in range(2)]
        words = philox4x32((2**32 - 2, zlib.crc32(b"augment")), np.array(blocks, np.uint32))
        got = uniforms(-2, "augment", 3, examples, 6)[place]
        assert_array_equal(got * 2**32, words.reshape(-1)[:6])


def test_an_examples_numbers_do_not_depend_on_its_batch():
    whole = uniforms(7, "augment", 3, np.arange(1000), 10)
    assert_array_equal(whole[[5, 900]], uniforms(7, "augment", 3, np.array([5, 900]), 10))
    assert_array_equal(whole[:, :6], uniforms(7, "augment", 3, np.arange(1000), 6))
    for other in (
        uniforms(8, "augment", 3, np.arange(1000), 10),
        uniforms(7, "x", 3, np.arange(1000), 10),
    ):
        assert (whole == other).mean() < 0.01
    assert abs(whole.mean() - 0.5) < 0.01
    assert 0 <= whole.min() <= whole.max() < 1


def test_a_shuffle_is_a_permutation_that_differs_by_epoch():
    first, second = shuffled(1, 1, 500), shuffled(1, 2, 500)
    assert sorted(first.tolist()) == list(range(500))
    assert (first != second).mean() > 0.9
    assert shuffled(1, 1, 0).shape == (0,)
