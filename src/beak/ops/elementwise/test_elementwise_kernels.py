"""The elementwise kernels against NumPy, on every instruction set."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beak.ops.elementwise import kernels, reference
from beak.ops.test_support import run

pytestmark = pytest.mark.usefixtures("every_instruction_set")

images = st.integers(0, 3)
places = st.integers(1, 12)
channels = st.integers(1, 70)
parts = st.integers(1, 6)
seeds = st.integers(0, 99)


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@given(count=st.integers(0, 100), parts=parts, same=st.sampled_from(["", "a", "b"]), seed=seeds)
def test_add_and_multiply_in_place_or_not(count, parts, same, seed):
    a, b = normal(seed, 2, count)
    for row, expected in (
        (kernels.ADD[0], a + b),
        (kernels.ADD_RELU[0], np.maximum(a + b, 0)),
        (kernels.MULTIPLY[0], a * b),
    ):
        out = {"y": same or (count,)}
        y = run(row, out, a=a, b=b, count=count, parts=parts, threads=2)["y"]
        np.testing.assert_array_equal(y, expected)


def test_nan_and_infinity_pass_through_sums():
    a = np.array([np.nan, np.inf, np.inf, -0.0, 1.0], np.float32)
    b = np.array([1.0, -np.inf, 1.0, -0.0, np.nan], np.float32)
    y = run(kernels.ADD[0], {"y": (5,)}, a=a, b=b, count=5)["y"]
    np.testing.assert_array_equal(y, [np.nan, np.nan, np.inf, -0.0, np.nan])
    assert np.signbit(y[3])
    y = run(kernels.ADD_RELU[0], {"y": (5,)}, a=a, b=b, count=5)["y"]
    np.testing.assert_array_equal(y, [np.nan, np.nan, np.inf, 0.0, np.nan])


@given(
    images=images, places=places, channels=channels, parts=parts, alias=st.booleans(), seed=seeds
)
def test_multiply_channels_and_its_gradients(images, places, channels, parts, alias, seed):
    x, dy = normal(seed, 2, images, places, channels)
    scale = normal(seed + 1, images, channels)
    sizes = {"images": images, "places": places, "channels": channels, "parts": parts, "threads": 2}
    out = {"y": "x" if alias else x.shape}
    y = run(kernels.MULTIPLY_CHANNELS[0], out, x=x, scale=scale, **sizes)["y"]
    np.testing.assert_array_equal(y, x * scale[:, None])
    out = {"dx": "dy" if alias else x.shape, "dscale": scale.shape}
    row = kernels.MULTIPLY_CHANNELS_BACKWARD[0]
    back = run(row, out, x=x, scale=scale, dy=dy, **sizes)
    np.testing.assert_array_equal(back["dx"], dy * scale[:, None])
    first = (0, 2, 1)  # channels first
    _, exact = reference.multiply_backward(dy.transpose(first), [x.transpose(first), scale])
    np.testing.assert_allclose(back["dscale"], exact, rtol=1e-7, atol=1e-12)


@given(
    rows=st.integers(0, 9),
    widths=st.lists(st.integers(1, 40), min_size=1, max_size=4),
    parts=parts,
    seed=seeds,
)
def test_copies_of_channels_concatenate_and_split_again(rows, widths, parts, seed):
    pieces = [normal(seed + i, rows, width) for i, width in enumerate(widths)]
    row, total = kernels.COPY_CHANNELS[0], sum(widths)
    together, offset = np.full((rows, total), np.nan, np.float32), 0
    for x, width in zip(pieces, widths, strict=True):
        sizes = {"x_channels": width, "y_channels": total, "x_offset": 0, "y_offset": offset}
        together = run(
            row, {"y": together}, x=x, rows=rows, count=width, parts=parts, threads=2, **sizes
        )["y"]
        offset += width
    np.testing.assert_array_equal(together, np.concatenate(pieces, axis=1))
    sizes = {"x_channels": total, "y_channels": widths[-1], "y_offset": 0}
    sizes |= {"x_offset": total - widths[-1], "count": widths[-1]}
    last = run(row, {"y": (rows, widths[-1])}, x=together, rows=rows, parts=parts, **sizes)["y"]
    np.testing.assert_array_equal(last, pieces[-1])


@given(images=images, rows=st.integers(1, 40), columns=st.integers(1, 40), parts=parts, seed=seeds)
def test_transpose_turns_each_image(images, rows, columns, parts, seed):
    x = normal(seed, images, rows, columns)
    row = kernels.TRANSPOSE_IMAGES[0]
    sizes = {"images": images, "rows": rows, "columns": columns, "parts": parts, "threads": 2}
    y = run(row, {"y": (images, columns, rows)}, x=x, **sizes)["y"]
    np.testing.assert_array_equal(y, x.transpose(0, 2, 1))


@given(
    images=images, places=places, channels=channels, parts=parts, alias=st.booleans(), seed=seeds
)
def test_position_bias_and_its_gradient(images, places, channels, parts, alias, seed):
    x, bias = normal(seed, images, places, channels), normal(seed + 1, places)
    sizes = {"images": images, "places": places, "channels": channels, "parts": parts, "threads": 2}
    out = {"y": "x" if alias else x.shape}
    y = run(kernels.POSITION_BIAS[0], out, x=x, bias=bias, **sizes)["y"]
    np.testing.assert_array_equal(y, x + bias[:, None])
    exact = reference.position_bias_backward(x.transpose(0, 2, 1), bias)
    dbias = run(kernels.POSITION_BIAS_BACKWARD[0], {"dbias": (places,)}, dy=x, **sizes)["dbias"]
    np.testing.assert_allclose(dbias, exact, rtol=1e-7, atol=1e-12)


@given(
    partial=st.integers(1, 9),
    count=st.integers(0, 50),
    gap=st.integers(0, 20),
    parts=parts,
    seed=seeds,
)
def test_partial_sums_are_put_together_across_gaps(partial, count, gap, parts, seed):
    partials = normal(seed, partial, count + gap)
    partials[:, count:] = np.nan
    sizes = {"partial_parts": partial, "count": count, "stride": count + gap}
    y = run(kernels.SUM_PARTS[0], {"y": (count,)}, partials=partials, parts=parts, **sizes)["y"]
    exact = partials[:, :count].astype(float).sum(0)
    np.testing.assert_allclose(y, exact, rtol=1e-7, atol=1e-12)


@given(count=st.integers(0, 100), parts=parts)
def test_fill_zero_fills_all_and_only_its_own(count, parts):
    y = run(kernels.FILL_ZERO[0], {"y": (count,)}, count=count, parts=parts, threads=2)["y"]
    np.testing.assert_array_equal(y, np.zeros(count))
