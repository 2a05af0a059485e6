"""What a convolution is: every output place looks at one window, all places through one filter.

    y[b, f, i, j] = bias[f] + sum over c, m, n of
                    filters[f, c, m, n] * x[b, c, i*stride + m*dilation - padding, ...]

(a cross-correlation, as in every deep-learning library: the filter is not flipped). Float64,
channels first, slow and clear: this file is the definition that the fast kernels are tested
against. With `groups` the channels are cut into equal parts and each part of the filters reads
its own part only.

Source: LeCun et al., Gradient-based learning applied to document recognition, 1998; Dumoulin &
Visin, A guide to convolution arithmetic for deep learning, arXiv 1603.07285.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np

from beak.errors import ShapeError
from beak.shapes import Padding, padding_pairs, pair, windows_along

Array = np.ndarray[Any, Any]
Size = int | tuple[int, int]
Along = int | Literal["valid", "same"]


class ConvolutionGradients(NamedTuple):
    """What a convolution's gradient is by each thing that went in."""

    images: Array
    filters: Array
    bias: Array


def conv2d(
    images: Array,
    filters: Array,
    bias: Array | None = None,
    stride: Size = 1,
    padding: Padding = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> Array:
    """Slide filters over images: (B,C,H,W), (F,C/groups,h,w), (F,) -> (B,F,H',W'), float64.

    `padding` is a number, a pair (h, w), "valid" or "same" (ceil(size / stride) outputs, the odd
    zero at the end). Raises ShapeError where channels or sizes do not fit.

    >>> image = np.array([[[[1, 0, 0], [0, 1, 0], [0, 0, 1]]]])
    >>> diagonal = np.array([[[[1, -1], [-1, 1]]]])
    >>> conv2d(image, diagonal)[0, 0]
    array([[ 2., -1.],
           [-1.,  2.]])
    """
    windows, grouped = _windows_and_filters(images, filters, stride, padding, dilation, groups)
    with np.errstate(invalid="ignore", over="ignore"):
        maps = np.einsum("bgcijmn,gfcmn->bgfij", windows, grouped)
        maps = maps.reshape(maps.shape[0], -1, *maps.shape[3:])
        result: Array = maps if bias is None else maps + np.asarray(bias, np.float64)[:, None, None]
        return result


def conv2d_backward(
    gradient: Array,
    images: Array,
    filters: Array,
    stride: Size = 1,
    padding: Padding = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> ConvolutionGradients:
    """The gradients of sum(conv2d(images, filters, bias) * gradient), gradient (B,F,H',W').

    A shared weight was used at every place, so its gradient is the sum over all of them; a pixel
    stood in several windows, so its gradient is the sum over those.
    """
    windows, grouped = _windows_and_filters(images, filters, stride, padding, dilation, groups)
    batch, _, height, width = gradient.shape
    by_group = np.asarray(gradient, np.float64).reshape(batch, groups, -1, height, width)
    with np.errstate(invalid="ignore", over="ignore"):
        to_filters = np.einsum("bgfij,bgcijmn->gfcmn", by_group, windows)
        to_windows = np.einsum("bgfij,gfcmn->bgcijmn", by_group, grouped)
    to_images = _put_windows_back(to_windows, images.shape, stride, padding, dilation)
    to_bias = by_group.sum(axis=(0, 3, 4)).reshape(-1)
    return ConvolutionGradients(to_images, to_filters.reshape(filters.shape), to_bias)


def conv1d(
    sequences: Array,
    filters: Array,
    bias: Array | None = None,
    stride: int = 1,
    padding: Along = 0,
    dilation: int = 1,
    groups: int = 1,
) -> Array:
    """Slide filters along sequences: (B,C,L), (F,C/groups,k), (F,) -> (B,F,L').

    The same as `conv2d` on pictures of height 1.

    >>> conv1d(np.array([[[1, 2, 4, 8]]]), np.array([[[-1, 1]]]))
    array([[[1., 2., 4.]]])
    """
    options = ((1, stride), along_the_width(padding), (1, dilation), groups)
    return conv2d(_as_picture(sequences), _as_picture(filters), bias, *options)[:, :, 0]


def conv1d_backward(
    gradient: Array,
    sequences: Array,
    filters: Array,
    stride: int = 1,
    padding: Along = 0,
    dilation: int = 1,
    groups: int = 1,
) -> ConvolutionGradients:
    """The gradients of sum(conv1d(sequences, filters, bias) * gradient), gradient (B,F,L')."""
    options = ((1, stride), along_the_width(padding), (1, dilation), groups)
    pictures, weights = _as_picture(sequences), _as_picture(filters)
    images, weights, bias = conv2d_backward(_as_picture(gradient), pictures, weights, *options)
    return ConvolutionGradients(images[:, :, 0], weights[:, :, 0], bias)


def convolution_matrix(
    filters: Array,
    image_shape: tuple[int, int, int],
    stride: Size = 1,
    padding: Padding = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> Array:
    """The convolution as a fully connected layer: (F*H'*W', C*H*W), mostly zeros, rows sharing.

    A convolution is linear, so its matrix holds in column k what it makes of the k-th unit image
    (flattened channels first). A 3x3 filter on 6x6: 16 x 36 numbers, 144 of them not zero.

    >>> convolution_matrix(np.array([[[[1, 2]]]]), (1, 1, 3)).astype(int)
    array([[1, 2, 0],
           [0, 1, 2]])
    """
    pixels = int(np.prod(image_shape))
    units = np.eye(pixels).reshape(pixels, *image_shape)
    maps = conv2d(units, filters, None, stride, padding, dilation, groups)
    return maps.reshape(pixels, -1).T


def along_the_width(padding: Along) -> Padding:
    """A sequence's padding as the padding of a picture of height 1."""
    return padding if isinstance(padding, str) else (0, padding)


def _as_picture(sequences: Array) -> Array:
    return np.asarray(sequences)[:, :, None, :]


def _windows_and_filters(
    images: Array, filters: Array, stride: Size, padding: Padding, dilation: Size, groups: int
) -> tuple[Array, Array]:
    """Windows (B, groups, C/groups, H', W', h, w), filters (groups, F/groups, C/groups, h, w)."""
    images, filters = np.asarray(images, np.float64), np.asarray(filters, np.float64)
    batch, channels = images.shape[:2]
    if channels != filters.shape[1] * groups:
        raise ShapeError(
            f"convolution: the filters read {filters.shape[1]} channels in {groups} group(s) but "
            f"the images have {channels}; give images with {filters.shape[1] * groups} channels"
        )
    if filters.shape[0] % groups:
        raise ShapeError(
            f"convolution: {filters.shape[0]} filters do not split into {groups} groups; "
            f"take a multiple of {groups}"
        )
    windows = _all_windows(images, filters.shape[2:], stride, padding, dilation)
    return (
        windows.reshape(batch, groups, channels // groups, *windows.shape[2:]),
        filters.reshape(groups, -1, *filters.shape[1:]),
    )


def _all_windows(
    images: Array, kernel: tuple[int, ...], stride: Size, padding: Padding, dilation: Size
) -> Array:
    """Every window of zero-padded images: (B,C,H,W) -> (B,C,H',W',h,w)."""
    steps, gaps = pair(stride), pair(dilation)
    pads = padding_pairs(padding, images.shape[2:], kernel, steps, gaps)
    for size, window, step, pad, gap in zip(
        images.shape[2:], kernel, steps, pads, gaps, strict=True
    ):
        if windows_along(size, window, step, pad, gap) < 1:
            raise ShapeError(
                f"convolution: a window of {(window - 1) * gap + 1} does not fit in {size} with "
                f"padding {pad}; take a smaller kernel or padding='same'"
            )
    padded = np.pad(images, ((0, 0), (0, 0), *pads))
    spans = tuple((k - 1) * gap + 1 for k, gap in zip(kernel, gaps, strict=True))
    every = np.lib.stride_tricks.sliding_window_view(padded, spans, axis=(2, 3))
    return every[:, :, :: steps[0], :: steps[1], :: gaps[0], :: gaps[1]]


def _put_windows_back(
    windows: Array, shape: tuple[int, ...], stride: Size, padding: Padding, dilation: Size
) -> Array:
    """Add each window's numbers onto the pixels that it was cut from; the padding's are dropped."""
    rows, columns, h, w = windows.shape[3:]
    windows = windows.reshape(*shape[:2], rows, columns, h, w)
    (down, right), (row_gap, column_gap) = pair(stride), pair(dilation)
    pads = padding_pairs(padding, shape[2:], (h, w), (down, right), (row_gap, column_gap))
    (top, bottom), (left, rest) = pads
    padded = np.zeros((*shape[:2], shape[2] + top + bottom, shape[3] + left + rest))
    for m in range(h):
        for n in range(w):
            first, start = m * row_gap, n * column_gap
            pixels = padded[:, :, first:, start:][:, :, ::down, ::right][:, :, :rows, :columns]
            pixels += windows[..., m, n]
    return padded[:, :, top : top + shape[2], left : left + shape[3]]
