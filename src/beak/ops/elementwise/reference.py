"""What joins several maps: add, multiply, stand them in a row; and one bias for each place.

Float64, channels first; the inputs are a list of arrays (B,C,...).

Source: residual sums, He et al., arXiv 1512.03385; channel weights (squeeze and excite), Hu et
al., arXiv 1709.01507; a bias for each place, Silver et al., Nature 529, 2016.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def add(inputs: Sequence[Array]) -> Array:
    """The sum of arrays of one shape; each of them gets the sum's gradient as it is."""
    return sum((np.asarray(x, np.float64) for x in inputs[1:]), np.asarray(inputs[0], np.float64))


def multiply(inputs: Sequence[Array]) -> Array:
    """The product; (B,C) is spread over all places of (B,C,H,W).

    >>> multiply([np.array([[[[1.0, 2.0]], [[3.0, 4.0]]]]), np.array([[10.0, 100.0]])])[0]
    array([[[ 10.,  20.]],
    <BLANKLINE>
           [[300., 400.]]])
    """
    return math.prod(_spread(inputs)[1:], start=_spread(inputs)[0])


def multiply_backward(gradient: Array, inputs: Sequence[Array]) -> list[Array]:
    """The gradient by each input: the gradient times all the others, added up where it was spread.

    The others are multiplied anew rather than the product divided, so that a 0 is no trouble.
    """
    wide = _spread(inputs)
    result = []
    for k, x in enumerate(inputs):
        others = math.prod(wide[:k] + wide[k + 1 :], start=np.asarray(gradient, np.float64))
        extra = tuple(range(x.ndim, others.ndim))
        result.append(others.sum(axis=extra) if extra else others)
    return result


def concat(inputs: Sequence[Array]) -> Array:
    """Stand all channels one after the other: (B,C1,...), (B,C2,...) -> (B,C1+C2,...).

    >>> concat([np.array([[1.0]]), np.array([[2.0, 3.0]])])
    array([[1., 2., 3.]])
    """
    return np.concatenate([np.asarray(x, np.float64) for x in inputs], axis=1)


def concat_backward(gradient: Array, inputs: Sequence[Array]) -> list[Array]:
    """Each input gets its own channels of the gradient."""
    ends = np.cumsum([x.shape[1] for x in inputs])[:-1]
    return np.split(np.asarray(gradient, np.float64), ends, axis=1)


def position_bias(inputs: Array, bias: Array) -> Array:
    """Add one number for each place, the same for all channels: (B,C,H,W), (H,W) -> (B,C,H,W).

    Features (B,n) have n places and no channels: bias (n,).

    >>> position_bias(np.zeros((1, 2, 3)), np.array([1.0, 2.0, 3.0]))
    array([[[1., 2., 3.],
            [1., 2., 3.]]])
    """
    return np.asarray(inputs, np.float64) + np.asarray(bias, np.float64)


def position_bias_backward(gradient: Array, bias: Array) -> Array:
    """The gradient by the bias: summed over batch and channels; the inputs' is `gradient`."""
    gradient = np.asarray(gradient, np.float64)
    result: Array = gradient.sum(axis=tuple(range(gradient.ndim - np.ndim(bias))))
    return result


def _spread(inputs: Sequence[Array]) -> list[Array]:
    """All inputs with as many axes as the widest, by axes of size 1 behind."""
    axes = max(x.ndim for x in inputs)
    wide = [np.asarray(x, np.float64) for x in inputs]
    return [x.reshape(*x.shape, *(1,) * (axes - x.ndim)) for x in wide]
