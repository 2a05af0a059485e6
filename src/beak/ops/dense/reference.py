"""What a fully connected layer is: every output looks at every input through its own weight.

    y[b, u] = bias[u] + sum over n of weight[u, n] * x[b, n]

Float64, slow and clear: the definition that the fast kernels are tested against.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from beak.errors import ShapeError

Array = np.ndarray[Any, Any]


class DenseGradients(NamedTuple):
    """What a dense layer's gradient is by each thing that went in."""

    features: Array
    weight: Array
    bias: Array


def dense(features: Array, weight: Array, bias: Array | None = None) -> Array:
    """Weigh and add: (B,n), (units,n), (units,) -> (B,units), float64.

    Raises ShapeError where the number of features is not what the weights read.

    >>> dense(np.array([[1, 2]]), np.array([[10, 1], [0, -1], [1, 1]]), np.array([0, 0, 100]))
    array([[ 12.,  -2., 103.]])
    """
    features, weight = np.asarray(features, np.float64), np.asarray(weight, np.float64)
    if features.ndim != 2 or features.shape[1] != weight.shape[1]:
        raise ShapeError(
            f"dense: the weights read {weight.shape[1]} features but {features.shape} came; "
            f"give an array of (examples, {weight.shape[1]})"
        )
    with np.errstate(invalid="ignore", over="ignore"):
        sums = np.einsum("bn,un->bu", features, weight)
        result: Array = sums if bias is None else sums + np.asarray(bias, np.float64)
        return result


def dense_backward(gradient: Array, features: Array, weight: Array) -> DenseGradients:
    """The gradients of sum(dense(features, weight, bias) * gradient), gradient (B,units)."""
    gradient = np.asarray(gradient, np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        return DenseGradients(
            features=np.einsum("bu,un->bn", gradient, np.asarray(weight, np.float64)),
            weight=np.einsum("bu,bn->un", gradient, np.asarray(features, np.float64)),
            bias=gradient.sum(axis=0),
        )
