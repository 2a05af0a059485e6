"""What the activations are: one number in, one number out (softmax: all channels of a place).

Each has a function and its gradient; `activation` and `activation_backward` choose by name.
Float64; the channels are axis 1. NaN and infinity pass as in PyTorch.

Source: GELU, Hendrycks & Gimpel, arXiv 1606.08415; SiLU, Elfwing et al., arXiv 1702.03118;
hard swish, Howard et al., arXiv 1905.02244; LeakyReLU, Maas et al. 2013.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from beak.errors import NetworkError, did_you_mean

Array = np.ndarray[Any, Any]
LEAK = 0.01
_erf = np.vectorize(math.erf, otypes=[np.float64])


def activation(function: str, inputs: Array, slope: float | None = None) -> Array:
    """Apply an activation by name: (B,C,...) -> (B,C,...); NetworkError for an unknown name.

    ``slope``: of leaky_relu, where it is not 0.01.

    >>> activation("leaky_relu", np.array([[-2.0, 3.0]]))
    array([[-0.02,  3.  ]])
    """
    with np.errstate(invalid="ignore", over="ignore"):
        return _rule(function)[0](np.asarray(inputs, np.float64), **_slope(slope))


def activation_backward(
    function: str, gradient: Array, inputs: Array, slope: float | None = None
) -> Array:
    """The gradient of sum(activation(function, inputs) * gradient) by the inputs."""
    with np.errstate(invalid="ignore", over="ignore"):
        known = np.asarray(gradient, np.float64), np.asarray(inputs, np.float64)
        return _rule(function)[1](*known, **_slope(slope))


def _slope(slope: float | None) -> dict[str, float]:
    return {} if slope is None else {"slope": slope}


def relu(x: Array) -> Array:
    """What is positive stays, the rest becomes 0: max(x, 0)."""
    return np.maximum(x, 0.0)


def relu_backward(gradient: Array, x: Array) -> Array:
    """The gradient passes where x > 0; at 0 it does not; at NaN it does."""
    return np.where(x <= 0, 0.0, gradient)


def leaky_relu(x: Array, slope: float = LEAK) -> Array:
    """What is positive stays, of the rest a hundredth (or another share): x or slope x."""
    return np.where(x > 0, x, slope * x)


def leaky_relu_backward(gradient: Array, x: Array, slope: float = LEAK) -> Array:
    """The gradient passes where x > 0, else that share of it."""
    return np.where(x > 0, gradient, slope * gradient)


def gelu(x: Array) -> Array:
    """Each x times the chance that a standard normal number is below x (exact, with erf)."""
    return x * _normal_below(x)


def gelu_backward(gradient: Array, x: Array) -> Array:
    """The slope is chance(x) + x * density(x)."""
    density = np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
    return gradient * (_normal_below(x) + x * density)


def silu(x: Array) -> Array:
    """Each x times its sigmoid, also called swish."""
    return x * sigmoid(x)


def silu_backward(gradient: Array, x: Array) -> Array:
    """The slope is s + x s (1 - s), s = sigmoid(x)."""
    s = sigmoid(x)
    slope: Array = s * (1 + x * (1 - s))
    return gradient * slope


def hard_swish(x: Array) -> Array:
    """Each x times min(max(x + 3, 0), 6) / 6: a swish without an exponential."""
    share: Array = np.clip(x + 3, 0, 6) / 6
    return x * share


def hard_swish_backward(gradient: Array, x: Array) -> Array:
    """0 up to -3, the whole gradient from 3 on (and at NaN), x/3 + 1/2 of it between."""
    between = gradient * (x / 3 + 0.5)
    return np.where(x <= -3, 0.0, np.where(x < 3, between, gradient))


def tanh(x: Array) -> Array:
    """The hyperbolic tangent."""
    return np.tanh(x)


def tanh_backward(gradient: Array, x: Array) -> Array:
    """The slope is 1 - tanh^2."""
    slope: Array = 1 - np.tanh(x) ** 2
    return gradient * slope


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), written so that no exponential overflows."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small))


def sigmoid_backward(gradient: Array, x: Array) -> Array:
    """The slope is s (1 - s), s = sigmoid(x)."""
    s = sigmoid(x)
    slope: Array = s * (1 - s)
    return gradient * slope


def softmax(x: Array) -> Array:
    """exp(x) / sum of exp(x) over the channels (axis 1); the largest is taken away first.

    >>> softmax(np.array([[0.0, math.log(3.0)]])).round(6)
    array([[0.25, 0.75]])
    """
    powers = np.exp(x - x.max(axis=1, keepdims=True))
    result: Array = powers / powers.sum(axis=1, keepdims=True)
    return result


def softmax_backward(gradient: Array, x: Array) -> Array:
    """The gradient by x is p (g - sum over channels of p g), p = softmax(x)."""
    p = softmax(x)
    result: Array = p * (gradient - (p * gradient).sum(axis=1, keepdims=True))
    return result


def _normal_below(x: Array) -> Array:
    result: Array = 0.5 * (1 + _erf(x / math.sqrt(2)))
    return result


Rule = tuple[Callable[..., Array], Callable[..., Array]]
ACTIVATIONS: dict[str, Rule] = {
    "relu": (relu, relu_backward),
    "leaky_relu": (leaky_relu, leaky_relu_backward),
    "gelu": (gelu, gelu_backward),
    "silu": (silu, silu_backward),
    "hard_swish": (hard_swish, hard_swish_backward),
    "tanh": (tanh, tanh_backward),
    "sigmoid": (sigmoid, sigmoid_backward),
    "softmax": (softmax, softmax_backward),
}
"""Each activation and its gradient, by the name that a layer's field has."""


def _rule(function: str) -> Rule:
    if function not in ACTIVATIONS:
        raise NetworkError(
            f"'{function}' is not an activation{did_you_mean(function, ACTIVATIONS)}"
        )
    return ACTIVATIONS[function]
