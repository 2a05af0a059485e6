import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from PIL import Image

from beak.errors import ShapeError
from beak.ops import kernel
from beak.ops.resize import reference
from beak.ops.resize.kernels import resize

sides = st.integers(1, 40)


def random_pixels(height, width, channels, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


@given(sides, sides, st.sampled_from([1, 3, 4]), sides, sides, st.integers(0, 99))
@settings(deadline=None, max_examples=150)
def test_the_kernel_gives_the_references_bytes(height, width, channels, height2, width2, seed):
    pixels = random_pixels(height, width, channels, seed)
    wanted = reference.resize(pixels, (height2, width2)).transpose(2, 0, 1)
    assert_array_equal(resize(pixels, (height2, width2)), wanted)


def test_every_instruction_set_gives_the_same_bytes(monkeypatch):
    pixels = random_pixels(57, 83, 3)
    made = []
    for name in kernel.supported_sets():
        monkeypatch.setenv("BEAK_ISA", name)
        kernel.instruction_set.cache_clear()
        kernel.library.cache_clear()
        made.append(resize(pixels, (19, 31)))
    monkeypatch.delenv("BEAK_ISA")
    kernel.instruction_set.cache_clear()
    kernel.library.cache_clear()
    for other in made:
        assert_array_equal(made[0], other)


@given(st.integers(1, 600), st.integers(1, 600))
@settings(deadline=None)
def test_the_weights_of_a_position_add_up_to_one_and_are_never_negative(size, new_size):
    first, weights = reference.triangle_weights(size, new_size)
    assert_array_equal(weights.sum(axis=1), reference.UNIT)
    assert weights.min() >= 0
    used = (weights > 0) * np.arange(1, weights.shape[1] + 1)
    assert (first + used.max(axis=1)).max() <= size


@given(sides, sides, sides, sides, st.integers(0, 255))
@settings(deadline=None)
def test_a_plain_picture_stays_plain(height, width, new_height, new_width, value):
    pixels = np.full((height, width, 1), value, np.uint8)
    assert (resize(pixels, (new_height, new_width)) == value).all()


def test_the_same_size_changes_nothing():
    pixels = random_pixels(13, 17, 3)
    assert_array_equal(resize(pixels, (13, 17)), pixels.transpose(2, 0, 1))


@pytest.mark.parametrize("size", [(20, 30), (7, 9), (64, 64), (113, 80)])
def test_it_is_pillows_bilinear_within_two_levels(size):
    pixels = random_pixels(50, 61, 3)
    theirs = Image.fromarray(pixels).resize(size[::-1], Image.Resampling.BILINEAR)
    ours = resize(pixels, size).transpose(1, 2, 0).astype(int)
    difference = np.abs(ours - np.asarray(theirs).astype(int))
    assert difference.max() <= 2
    assert difference.mean() < 0.35


def test_shrinking_skips_no_pixel():
    pixels = np.zeros((100, 100, 1), np.uint8)
    pixels[:, ::2] = 255
    assert np.abs(resize(pixels, (10, 10))[:, :, 1:-1].astype(int) - 128).max() <= 1


def test_a_window_of_a_larger_picture_is_filled_and_nothing_else():
    pixels, out = random_pixels(9, 9, 3), np.full((3, 20, 20), 7, np.uint8)
    resize(pixels, (5, 6), out=out[:, 3:8, 4:10])
    assert_array_equal(out[:, 3:8, 4:10], resize(pixels, (5, 6)))
    assert (out != 7).sum() == (out[:, 3:8, 4:10] != 7).sum()


def test_a_picture_without_pixels_is_refused():
    with pytest.raises(ShapeError, match="cannot make"):
        resize(np.zeros((0, 4, 1), np.uint8), (2, 2))
    with pytest.raises(ShapeError, match="out is"):
        resize(random_pixels(4, 4, 1), (2, 2), out=np.zeros((1, 3, 2), np.uint8))
