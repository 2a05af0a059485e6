"""The convolution's definition: the lecture's 6x6 example, PyTorch, small steps."""

from __future__ import annotations

import numpy as np
import pytest
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as st

from beak.errors import ShapeError
from beak.ops.convolution import reference
from beak.ops.convolution.reference import (
    conv1d,
    conv1d_backward,
    conv2d,
    conv2d_backward,
    convolution_matrix,
)
from beak.ops.pooling.reference import max_pool2d
from beak.ops.test_reference_support import by_torch, numerical_gradient, run_doctests
from beak.shapes import padding_pairs

IMAGE = np.array(
    [
        [1, 0, 0, 0, 0, 1],
        [0, 1, 0, 0, 1, 0],
        [0, 0, 1, 1, 0, 0],
        [1, 0, 0, 0, 1, 0],
        [0, 1, 0, 0, 1, 0],
        [0, 0, 1, 0, 1, 0],
    ]
)[None, None]
FILTER_1 = np.array([[1, -1, -1], [-1, 1, -1], [-1, -1, 1]])[None, None]
FILTER_2 = np.array([[-1, 1, -1]] * 3)[None, None]


def map_of(image, filters, **options):
    return conv2d(image, filters, **options)[0, 0].astype(int).tolist()


def test_the_lectures_first_filter():
    stride_1 = [[3, -1, -3, -1], [-3, 1, 0, -3], [-3, -3, 0, 1], [3, -2, -2, -1]]
    assert map_of(IMAGE, FILTER_1) == stride_1
    assert map_of(IMAGE, FILTER_1, stride=2) == [[3, -3], [-3, 0]]
    assert max_pool2d(conv2d(IMAGE, FILTER_1))[0, 0].tolist() == [[3, 0], [3, 1]]


def test_the_lectures_second_filter():
    stride_1 = [[-1, -1, -1, -1], [-1, -1, -2, 1], [-1, -1, -2, 1], [-1, 0, -4, 3]]
    assert map_of(IMAGE, FILTER_2) == stride_1
    assert map_of(IMAGE, FILTER_2, stride=2) == [[-1, -1], [-1, -2]]
    assert max_pool2d(conv2d(IMAGE, FILTER_2))[0, 0].tolist() == [[-1, 1], [0, 3]]


def test_a_3x3_filter_on_6x6_is_a_16x36_matrix_with_144_non_zeros_and_9_distinct_weights():
    nine = np.arange(1.0, 10.0).reshape(1, 1, 3, 3)
    matrix = convolution_matrix(nine, (1, 6, 6))
    assert matrix.shape == (16, 36)
    assert np.count_nonzero(matrix) == 144
    assert set(matrix[matrix != 0]) == set(range(1, 10))
    assert (np.flatnonzero(matrix[0]) + 1).tolist() == [1, 2, 3, 7, 8, 9, 13, 14, 15]
    assert (np.flatnonzero(matrix[1]) + 1).tolist() == [2, 3, 4, 8, 9, 10, 14, 15, 16]
    both = [convolution_matrix(f, (1, 6, 6)) @ IMAGE.ravel() for f in (FILTER_1, FILTER_2)]
    assert both[0].tolist() == conv2d(IMAGE, FILTER_1).ravel().tolist()
    assert both[1].tolist() == conv2d(IMAGE, FILTER_2).ravel().tolist()


def test_a_shared_weights_gradient_is_the_sum_of_its_16_copies_gradients():
    rng = np.random.default_rng(0)
    gradient = rng.normal(size=(1, 1, 4, 4))
    by_every_edge = np.outer(gradient.ravel(), IMAGE.ravel())  # of the 16x36 matrix
    shared = conv2d_backward(gradient, IMAGE, FILTER_1).filters[0, 0]
    for m in range(3):
        for n in range(3):
            copies = [
                by_every_edge[4 * i + j, 6 * (i + m) + (j + n)] for i in range(4) for j in range(4)
            ]
            assert len(copies) == 16
            assert shared[m, n] == pytest.approx(sum(copies), abs=1e-12)


@st.composite
def convolutions(draw):
    """Images, filters, bias and options that fit, odd ones among them."""
    small = st.integers(1, 3)
    groups, dilation = draw(small), (draw(small), draw(small))
    kernel, stride = (draw(st.integers(1, 4)), draw(st.integers(1, 4))), (draw(small), draw(small))
    padding = draw(
        st.sampled_from(["valid", "same"]) | st.integers(0, 3) | st.tuples(*[st.integers(0, 3)] * 2)
    )
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    least = (
        [1, 1]
        if padding == "same"
        else [max(1, s - 2 * p[0]) for s, p in zip(spans, pads(padding), strict=True)]
    )
    sizes = [low + draw(st.integers(0, 5)) for low in least]
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    images = rng.normal(size=(draw(small), groups * draw(small), *sizes))
    filters = rng.normal(size=(groups * draw(small), images.shape[1] // groups, *kernel))
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    return images, filters, rng.normal(size=len(filters)), options


def pads(padding):
    return padding_pairs(padding, (9, 9), (1, 1), (1, 1), (1, 1))


def torch_conv2d(options, kernel):
    def convolve(images, filters, bias):
        stride, dilation = options["stride"], options["dilation"]
        edges = padding_pairs(options["padding"], images.shape[2:], kernel, stride, dilation)
        (top, bottom), (left, right) = edges
        padded = F.pad(images, (left, right, top, bottom))
        return F.conv2d(padded, filters, bias, stride, 0, dilation, options["groups"])

    return convolve


@settings(max_examples=60, deadline=None)
@given(convolutions(), st.integers(0, 2**32))
def test_values_and_gradients_are_pytorchs(case, seed):
    images, filters, bias, options = case
    output = conv2d(images, filters, bias, **options)
    gradient = np.random.default_rng(seed).normal(size=output.shape)
    function = torch_conv2d(options, filters.shape[2:])
    wanted, gradients = by_torch(function, gradient, images, filters, bias)
    np.testing.assert_allclose(output, wanted, atol=1e-10)
    got = conv2d_backward(gradient, images, filters, **options)
    for ours, theirs in zip(got, gradients, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-10)


def test_same_padding_puts_the_odd_zero_at_the_end():
    row = np.array([[[1.0, 2.0, 4.0, 8.0]]])
    assert conv1d(row, np.ones((1, 1, 2)), padding="same").tolist() == [[[3, 6, 12, 8]]]
    assert conv1d(row, np.ones((1, 1, 2)), padding="same", stride=3).tolist() == [[[3, 8]]]


@pytest.mark.parametrize("options", [{}, {"stride": 2, "padding": "same"}, {"padding": (2, 0)}])
def test_gradients_by_small_steps(options):
    rng = np.random.default_rng(1)
    images, filters, bias = rng.normal(size=(2, 2, 5, 4)), rng.normal(size=(4, 1, 3, 2)), np.ones(4)
    options = {**options, "groups": 2, "dilation": (2, 1)}
    gradient = rng.normal(size=conv2d(images, filters, bias, **options).shape)
    got = conv2d_backward(gradient, images, filters, **options)
    for name, at in {"images": images, "filters": filters, "bias": bias}.items():
        given = {"images": images, "filters": filters, "bias": bias}

        def total(value, name=name, given=given):
            return (conv2d(**{**given, name: value}, **options) * gradient).sum()

        np.testing.assert_allclose(getattr(got, name), numerical_gradient(total, at), atol=1e-7)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 9),
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(1, 2),
    st.sampled_from(["same", 0, 2]),
)
def test_along_a_sequence_it_is_pytorchs_too(extra, kernel, stride, dilation, padding):
    rng = np.random.default_rng(extra)
    sequences = rng.normal(size=(2, 4, (kernel - 1) * dilation + extra))
    filters, bias = rng.normal(size=(6, 2, kernel)), rng.normal(size=6)
    options = (stride, padding, dilation, 2)

    def function(x, w, b):
        edges = padding_pairs(padding, x.shape[2:], (kernel,), (stride,), (dilation,))[0]
        return F.conv1d(F.pad(x, edges), w, b, stride, 0, dilation, 2)

    output = conv1d(sequences, filters, bias, *options)
    gradient = rng.normal(size=output.shape)
    wanted, gradients = by_torch(function, gradient, sequences, filters, bias)
    np.testing.assert_allclose(output, wanted, atol=1e-10)
    got = conv1d_backward(gradient, sequences, filters, *options)
    for ours, theirs in zip(got, gradients, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-10)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_none_reaches_exactly_the_windows_that_saw_it(bad):
    image = IMAGE.astype(float)
    image[0, 0, 0, 0] = bad
    got = conv2d(image, FILTER_1)[0, 0]
    assert np.argwhere(~np.isfinite(got)).tolist() == [[0, 0]]


def test_what_does_not_fit_is_said():
    with pytest.raises(ShapeError, match=r"read 1 channels in 1 group.* the images have 3"):
        conv2d(np.zeros((1, 3, 4, 4)), FILTER_1)
    with pytest.raises(ShapeError, match="window of 3 does not fit in 2"):
        conv2d(np.zeros((1, 1, 2, 4)), FILTER_1)
    with pytest.raises(ShapeError, match="3 filters do not split into 2"):
        conv2d(np.zeros((1, 2, 4, 4)), np.zeros((3, 1, 1, 1)), groups=2)


def test_the_examples_in_the_docstrings_hold():
    assert run_doctests(reference) >= 3
