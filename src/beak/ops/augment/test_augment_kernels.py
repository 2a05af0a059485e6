import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from beak.errors import ShapeError
from beak.ops.augment import reference
from beak.ops.augment.kernels import warp

SAME = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


def plain_colours(batch, channels):
    return np.tile(np.eye(channels, channels + 1), (batch, 1, 1))


def arguments(channels, height, width, seed, batch=3):
    draw = np.random.default_rng(seed)
    pictures = draw.integers(0, 256, (batch + 2, channels, height, width), dtype=np.uint8)
    places = SAME + draw.normal(0, 0.3, (batch, 2, 3)) * [1, 1, 4]
    colours = plain_colours(batch, channels) + draw.normal(0, 0.2, (batch, channels, channels + 1))
    colours[:, :, -1] *= 100
    erased = np.zeros((batch, 4), np.int64)
    erased[0] = [0, 0, height // 2, width // 2]
    gain, offset = draw.uniform(0.001, 0.02, channels), draw.normal(0, 1, channels)
    return pictures, draw.permutation(batch + 2)[:batch], places, colours, erased, gain, offset


@given(
    st.sampled_from([1, 2, 3, 4]),
    st.integers(1, 70),
    st.integers(1, 70),
    st.sampled_from([None, 0, 77, 255]),
    st.integers(0, 999),
)
@settings(deadline=None, max_examples=80)
def test_the_kernel_agrees_with_the_reference(channels, height, width, background, seed):
    pictures, rows, *rest = arguments(channels, height, width, seed)
    rest[0] = rest[0].astype(np.float32)
    ours = warp(pictures, rows, *rest, background)
    wanted = reference.warp(pictures[rows], *rest, background)
    # Places are float32 in the kernel: 1e-5 of a pixel between values that differ by up to 255.
    assert_allclose(ours, wanted, atol=2e-2 * rest[3].max() * 5, rtol=1e-4)


def test_no_change_gives_exactly_the_scaled_bytes():
    pictures = np.random.default_rng(0).integers(0, 256, (4, 3, 9, 11), dtype=np.uint8)
    out = warp(
        pictures, np.arange(4), np.tile(SAME, (4, 1, 1)), plain_colours(4, 3),
        np.zeros((4, 4), np.int64), np.ones(3), np.zeros(3), 0,
    )  # fmt: skip
    assert_array_equal(out, pictures.astype(np.float32))


def one_row(values, matrix, background):
    out = warp(
        np.array(values, np.uint8)[None, None, None], np.array([0]), np.array([matrix]),
        plain_colours(1, 1), np.zeros((1, 4), np.int64), np.ones(1), np.zeros(1), background,
    )  # fmt: skip
    return out[0, 0, 0].tolist()


def test_moving_by_one_shows_the_background_or_the_edge():
    left = [[1, 0, 1], [0, 1, 0]]
    assert one_row([10, 20, 30], left, 0) == [20, 30, 0]
    assert one_row([10, 20, 30], left, 99) == [20, 30, 99]
    assert one_row([10, 20, 30], left, None) == [20, 30, 30]


def test_between_two_pixels_is_their_mean():
    assert one_row([10, 20, 40], [[1, 0, 0.5], [0, 1, 0]], None) == [15, 30, 40]
    assert one_row([10, 20, 40], [[1, 0, 0.5], [0, 1, 0]], 0) == [15, 30, 20]


def test_colours_are_cut_to_bytes_before_they_are_scaled():
    colours = np.array([[[10.0, -500.0]]])
    out = warp(
        np.array([[[[20, 60, 255]]]], np.uint8), np.array([0]), SAME[None], colours,
        np.zeros((1, 4), np.int64), np.array([0.5]), np.array([1.0]), 0,
    )  # fmt: skip
    assert out.ravel().tolist() == [1.0, 51.0, 128.5]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1e30, 1e30])
def test_a_mad_matrix_reads_nothing_outside(bad):
    out = one_row([10, 20, 30], [[bad, 0, bad], [0, 1, 0]], 0)
    assert all(0 <= value <= 255 for value in out)


def test_the_same_bytes_for_any_number_of_threads_and_any_batch():
    pictures, rows, *rest = arguments(3, 33, 65, 5, batch=50)
    whole = warp(pictures, rows, *rest, 3, threads=1)
    assert_array_equal(whole, warp(pictures, rows, *rest, 3, threads=4))
    some = [v[20:27] if v.shape[0] == 50 else v for v in rest]
    assert_array_equal(whole[20:27], warp(pictures, rows[20:27], *some, 3))


def test_arrays_that_do_not_fit_are_refused():
    pictures, rows, *rest = arguments(3, 8, 8, 0)
    with pytest.raises(ShapeError, match="beyond"):
        warp(pictures, rows + 9, *rest, 0)
    with pytest.raises(ShapeError, match="places"):
        warp(pictures, rows, rest[0][:2], *rest[1:], 0)


def test_it_is_much_faster_than_numpy_would_be():
    pictures, rows, *rest = arguments(1, 28, 28, 0, batch=64)
    began = time.process_time()
    reference.warp(pictures[rows], *rest, 0)
    slow = time.process_time() - began
    times = []
    for _ in range(5):
        began = time.process_time()
        warp(pictures, rows, *rest, 0)
        times.append(time.process_time() - began)
    assert min(times) * 8 < slow
