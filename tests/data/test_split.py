import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from beak.data.split import TEST, TRAIN, UNKNOWN, VALIDATION, fold_numbers, split


def hashes(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 16), dtype=np.uint8)


def unknown(count):
    return np.full(count, UNKNOWN, np.int8)


def test_eighty_ten_ten():
    parts, findings = split(hashes(20_000), unknown(20_000), np.zeros(20_000, np.int32), ("a",))
    shares = np.bincount(parts) / 20_000
    assert np.abs(shares - [0.8, 0.1, 0.1]).max() < 0.01
    assert [f.text for f in findings] == [
        "split by content: 80 % train, 10 % validation, 10 % test"
    ]


def test_examples_added_later_move_none_of_the_others():
    many = hashes(5000)
    classes = (np.arange(5000) % 10).astype(np.int32)
    labels = tuple("abcdefghij")
    before, _ = split(many[:3000], unknown(3000), classes[:3000], labels)
    after, _ = split(many, unknown(5000), classes, labels)
    assert_array_equal(before, after[:3000])


@given(st.integers(0, 99))
@settings(deadline=None)
def test_copies_are_always_on_one_side(seed):
    few = hashes(40, seed)
    chosen = np.random.default_rng(seed).integers(0, 40, 200)
    parts, _ = split(few[chosen], unknown(200), (chosen % 7).astype(np.int32), tuple("abcdefg"))
    for content in range(40):
        assert len(set(parts[chosen == content].tolist())) <= 1
    folds = fold_numbers(few[chosen], (chosen % 7).astype(np.int32), 5)
    for content in range(40):
        assert len(set(folds[chosen == content].tolist())) <= 1


def test_a_small_class_is_in_every_part_and_it_is_said():
    moved = 0
    for seed in range(30):
        classes = np.array([0] * 300 + [1] * 4, np.int32)
        parts, findings = split(hashes(304, seed), unknown(304), classes, ("large", "small"))
        assert set(parts[classes == 1].tolist()) == {TRAIN, VALIDATION, TEST}
        moved += any("small to" in f.line() for f in findings)
    assert moved > 15


def test_one_example_of_a_class_stays_for_training():
    for seed in range(20):
        classes = np.array([0] * 50 + [1], np.int32)
        parts, _ = split(hashes(51, seed), unknown(51), classes, ("large", "one"))
        assert (parts == TRAIN).sum() > 25
    parts, _ = split(hashes(3, 1), unknown(3), np.zeros(3, np.int32), ("a",))
    assert (parts == TRAIN).any()


def test_given_parts_are_kept_and_validation_is_a_tenth_of_train():
    given_parts = np.array([TRAIN] * 9000 + [TEST] * 1000, np.int8)
    parts, findings = split(hashes(10_000), given_parts, np.zeros(10_000, np.int32), ("a",))
    assert_array_equal(parts[9000:], TEST)
    assert abs((parts == VALIDATION).mean() - 0.09) < 0.01
    assert (parts[:9000] != TEST).all()
    assert "a tenth of train is validation" in findings[0].text


def test_a_given_validation_part_without_a_test_part():
    given_parts = np.array([TRAIN] * 9000 + [VALIDATION] * 1000, np.int8)
    parts, _ = split(hashes(10_000), given_parts, np.zeros(10_000, np.int32), ("a",))
    assert_array_equal(parts[9000:], VALIDATION)
    assert abs((parts == TEST).mean() - 0.09) < 0.01


@given(
    st.integers(2, 10), st.lists(st.integers(10, 60), min_size=2, max_size=5), st.integers(0, 99)
)
@settings(deadline=None)
def test_folds_spread_every_class_evenly(folds, counts, seed):
    classes = np.repeat(np.arange(len(counts)), counts).astype(np.int32)
    fold = fold_numbers(hashes(len(classes), seed), classes, folds)
    for c, count in enumerate(counts):
        sizes = np.bincount(fold[classes == c], minlength=folds)
        assert sizes.max() - sizes.min() <= 1
        assert sizes.sum() == count
