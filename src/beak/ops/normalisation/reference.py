"""What normalisation is: take away the mean, divide by the spread, then scale and shift.

    y = (x - mean) / sqrt(variance + epsilon) * weight + bias

BatchNorm takes mean and variance of each channel over the batch and all places (in training; in
prediction it uses the running ones). LayerNorm takes them at each place of each example, over the
channels. Variances are biased (divided by n) but for the running variance of BatchNorm, which is
fed the unbiased one (divided by n - 1), as in PyTorch. Float64, channels first; the channels are
axis 1, weight and bias (C,).

Source: Ioffe & Szegedy, arXiv 1502.03167; Ba, Kiros & Hinton, arXiv 1607.06450.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]


class NormalisationGradients(NamedTuple):
    """What a normalisation's gradient is by each thing that went in."""

    inputs: Array
    weight: Array
    bias: Array


def batch_statistics(inputs: Array) -> tuple[Array, Array]:
    """Mean and biased variance of each channel over batch and places: (B,C,...) -> (C,), (C,).

    >>> batch_statistics(np.array([[1.0, 5.0], [3.0, 5.0]]))
    (array([2., 5.]), array([1., 0.]))
    """
    inputs = np.asarray(inputs, np.float64)
    return inputs.mean(axis=_all_but_channels(inputs)), inputs.var(axis=_all_but_channels(inputs))


def batch_norm(
    inputs: Array, weight: Array, bias: Array, mean: Array, variance: Array, epsilon: float = 1e-5
) -> Array:
    """Normalise each channel with the mean and variance given (C,): (B,C,...) -> (B,C,...).

    In training these are `batch_statistics(inputs)`, in prediction the running ones.
    """
    normal = _normalised(inputs, mean, variance, epsilon)
    return normal * _by_channel(weight, normal) + _by_channel(bias, normal)


def updated_running_statistics(
    running_mean: Array, running_variance: Array, inputs: Array, momentum: float = 0.1
) -> tuple[Array, Array]:
    """The running statistics after a training batch: `momentum` of the new in the old.

    The variance that goes in is the unbiased one. A batch of a single value per channel says
    nothing about the variance: the running one is left as it is.

    >>> updated_running_statistics(np.zeros(1), np.ones(1), np.array([[2.0], [4.0]]))
    (array([0.3]), array([1.1]))
    """
    mean, variance = batch_statistics(inputs)
    count = inputs.size // inputs.shape[1]
    unbiased = variance * count / (count - 1) if count > 1 else running_variance
    return (
        (1 - momentum) * np.asarray(running_mean, np.float64) + momentum * mean,
        (1 - momentum) * np.asarray(running_variance, np.float64) + momentum * unbiased,
    )


def batch_norm_backward(
    gradient: Array,
    inputs: Array,
    weight: Array,
    mean: Array,
    variance: Array,
    epsilon: float = 1e-5,
) -> NormalisationGradients:
    """The gradients of `batch_norm` with fixed statistics (prediction): each number for itself."""
    normal = _normalised(inputs, mean, variance, epsilon)
    scale = np.asarray(weight, np.float64) / np.sqrt(variance + epsilon)
    others = _all_but_channels(normal)
    return NormalisationGradients(
        inputs=gradient * _by_channel(scale, normal),
        weight=(gradient * normal).sum(axis=others),
        bias=np.asarray(gradient, np.float64).sum(axis=others),
    )


def batch_norm_training_backward(
    gradient: Array, inputs: Array, weight: Array, epsilon: float = 1e-5
) -> NormalisationGradients:
    """The gradients of `batch_norm` with the batch's own statistics, which depend on every input.

    d x = weight / sqrt(variance + epsilon)
          * (g - mean(g) - normal * mean(g * normal)),   means over batch and places
    """
    mean, variance = batch_statistics(inputs)
    fixed = batch_norm_backward(gradient, inputs, weight, mean, variance, epsilon)
    normal = _normalised(inputs, mean, variance, epsilon)
    scale = np.asarray(weight, np.float64) / np.sqrt(variance + epsilon)
    through = _centred(np.asarray(gradient, np.float64), normal, _all_but_channels(normal))
    return NormalisationGradients(through * _by_channel(scale, normal), fixed.weight, fixed.bias)


def layer_norm(inputs: Array, weight: Array, bias: Array, epsilon: float = 1e-5) -> Array:
    """Normalise over the channels at each place: (B,C,...) -> (B,C,...), weight and bias (C,).

    >>> layer_norm(np.array([[1.0, 3.0]]), np.ones(2), np.array([0.0, 10.0]), epsilon=0.0)
    array([[-1., 11.]])
    """
    normal, _ = _normalised_over_channels(inputs, epsilon)
    return normal * _by_channel(weight, normal) + _by_channel(bias, normal)


def layer_norm_backward(
    gradient: Array, inputs: Array, weight: Array, epsilon: float = 1e-5
) -> NormalisationGradients:
    """The gradients of `layer_norm`: as BatchNorm's in training, the means over channels."""
    normal, spread = _normalised_over_channels(inputs, epsilon)
    gradient = np.asarray(gradient, np.float64)
    through = _centred(gradient * _by_channel(weight, normal), normal, (1,))
    return NormalisationGradients(
        inputs=through / spread,
        weight=(gradient * normal).sum(axis=_all_but_channels(normal)),
        bias=gradient.sum(axis=_all_but_channels(normal)),
    )


def _all_but_channels(inputs: Array) -> tuple[int, ...]:
    return (0, *range(2, inputs.ndim))


def _by_channel(values: Array, inputs: Array) -> Array:
    """(C,) made to stand beside (B,C,...)."""
    return np.asarray(values, np.float64).reshape(-1, *(1,) * (inputs.ndim - 2))


def _normalised(inputs: Array, mean: Array, variance: Array, epsilon: float) -> Array:
    inputs = np.asarray(inputs, np.float64)
    spread = np.sqrt(np.asarray(variance, np.float64) + epsilon)
    with np.errstate(invalid="ignore"):
        return (inputs - _by_channel(mean, inputs)) / _by_channel(spread, inputs)


def _normalised_over_channels(inputs: Array, epsilon: float) -> tuple[Array, Array]:
    inputs = np.asarray(inputs, np.float64)
    spread = np.sqrt(inputs.var(axis=1, keepdims=True) + epsilon)
    return (inputs - inputs.mean(axis=1, keepdims=True)) / spread, spread


def _centred(gradient: Array, normal: Array, axes: tuple[int, ...]) -> Array:
    """What is left of a gradient that neither shifts nor stretches all the inputs together."""
    shift = gradient.mean(axis=axes, keepdims=True)
    stretch = (gradient * normal).mean(axis=axes, keepdims=True)
    result: Array = gradient - shift - normal * stretch
    return result
