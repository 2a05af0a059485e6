import numpy as np
from numpy.testing import assert_array_equal

from beak.data.streams import philox, shuffled, uniforms


def test_the_published_vectors():
    """Random123's kat_vectors for philox4x32-10."""
    ones = 0xFFFFFFFF
    counter = np.array([[ones] * 4, [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344]], np.uint64)
    assert [hex(w) for w in philox(counter[:1], (ones, ones))[0]] == [
        "0x408f276d", "0x41c83b0e", "0xa20bc7c6", "0x6d5451fd",
    ]  # fmt: skip
    assert [hex(w) for w in philox(counter[1:], (0xA4093822, 0x299F31D0))[0]] == [
        "0xd16cfe09", "0x94fdcceb", "0x5001e420", "0x24126ea1",
    ]  # fmt: skip


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
