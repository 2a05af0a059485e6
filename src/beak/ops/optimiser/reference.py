"""What an optimiser is: the rule by which a gradient changes a parameter.

Each rule takes a parameter, its gradient and its moments (what it remembers of earlier gradients)
and returns the new ones; nothing is changed in place. Float64. The rules are PyTorch's: weight
decay of SGD and Adam is added to the gradient, AdamW's is taken from the parameter directly, and
Adam's epsilon stands outside the bias-corrected root.

Source: Polyak 1964, Nesterov 1983 as in Sutskever et al. 2013 (SGD with momentum); Kingma & Ba,
arXiv 1412.6980 (Adam); Loshchilov & Hutter, arXiv 1711.05101 (AdamW).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def sgd(
    parameter: Array,
    gradient: Array,
    velocity: Array,
    learning_rate: float,
    momentum: float = 0.0,
    nesterov: bool = False,
    weight_decay: float = 0.0,
) -> tuple[Array, Array]:
    """One step of gradient descent with momentum: the new parameter and velocity.

        g += weight_decay * p;   v = momentum * v + g;   p -= learning_rate * v
        (Nesterov: p -= learning_rate * (g + momentum * v))

    The velocity starts at zero.

    >>> sgd(np.array([1.0]), np.array([0.5]), np.array([2.0]), learning_rate=0.1, momentum=0.9)
    (array([0.77]), array([2.3]))
    """
    decayed = gradient + weight_decay * parameter
    velocity = momentum * velocity + decayed
    direction = decayed + momentum * velocity if nesterov else velocity
    return parameter - learning_rate * direction, velocity


def adam(
    parameter: Array,
    gradient: Array,
    first: Array,
    second: Array,
    step: int,
    learning_rate: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    weight_decay: float = 0.0,
) -> tuple[Array, Array, Array]:
    """One step of Adam, `step` counting from 1: the new parameter, first and second moment.

        g += weight_decay * p
        m = beta1 * m + (1 - beta1) * g;   v = beta2 * v + (1 - beta2) * g^2
        p -= learning_rate * m / (1 - beta1^step) / (sqrt(v / (1 - beta2^step)) + epsilon)

    >>> new, _, _ = adam(np.array([1.0]), np.array([123.0]), np.zeros(1), np.zeros(1), 1, 0.01)
    >>> new.round(6)    # the first step is as long as the learning rate, whatever the gradient
    array([0.99])
    """
    decayed = gradient + weight_decay * parameter
    first = beta1 * first + (1 - beta1) * decayed
    second = beta2 * second + (1 - beta2) * decayed**2
    mean = first / (1 - beta1**step)
    spread = np.sqrt(second / (1 - beta2**step)) + epsilon
    return parameter - learning_rate * mean / spread, first, second


def adamw(
    parameter: Array,
    gradient: Array,
    first: Array,
    second: Array,
    step: int,
    learning_rate: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    weight_decay: float = 0.0,
) -> tuple[Array, Array, Array]:
    """One step of AdamW: first p *= 1 - learning_rate * weight_decay, then Adam without decay."""
    decayed = parameter * (1 - learning_rate * weight_decay)
    return adam(decayed, gradient, first, second, step, learning_rate, beta1, beta2, epsilon, 0.0)


def velocity(
    parameter: Array,
    gradient: Array,
    moment: Array,
    learning_rate: float,
    momentum: float = 0.0,
    nesterov: bool = False,
) -> tuple[Array, Array]:
    """One step of gradient descent as Keras has it: the velocity holds the rate of its day.

        v = momentum * v - learning_rate * g;   p += v
        (Nesterov: p += momentum * v - learning_rate * g)

    The same as ``sgd`` as long as the learning rate stays.

    >>> velocity(np.array([1.0]), np.array([0.5]), np.array([-0.2]), 0.1, momentum=0.9)
    (array([0.77]), array([-0.23]))
    """
    step = learning_rate * gradient
    moment = momentum * moment - step
    return parameter + (momentum * moment - step if nesterov else moment), moment


def rmsprop(
    parameter: Array,
    gradient: Array,
    square: Array,
    moment: Array,
    mean: Array,
    learning_rate: float,
    rho: float = 0.9,
    momentum: float = 0.0,
    epsilon: float = 1e-7,
    centred: bool = False,
) -> tuple[Array, Array, Array, Array]:
    """One step of RMSprop: the new parameter, mean square, velocity and mean gradient.

        s = rho * s + (1 - rho) * g^2;   m = rho * m + (1 - rho) * g
        v = momentum * v + learning_rate * g / sqrt(s - m^2 + epsilon);   p -= v

    m^2 only where ``centred``. Source: Hinton, lecture 6e, 2012; epsilon within the root as Keras.
    """
    square = rho * square + (1 - rho) * gradient**2
    mean = rho * mean + (1 - rho) * gradient if centred else mean
    spread = square - mean**2 if centred else square
    moment = momentum * moment + learning_rate * gradient / np.sqrt(spread + epsilon)
    return parameter - moment, square, moment, mean


def max_norm(parameter: Array, limit: float) -> Array:
    """Rows (first axis) that are longer than ``limit`` shortened to it; the others as they are.

    >>> max_norm(np.array([[3.0, 4.0], [0.3, 0.4]]), limit=1.0)
    array([[0.6, 0.8],
           [0.3, 0.4]])

    Source: Hinton et al., arXiv 1207.0580; as Kim 2014 constrains its last layer.
    """
    rows = np.asarray(parameter, np.float64).reshape(len(parameter), -1)
    length = np.sqrt((rows**2).sum(axis=1))
    scale = np.where(length > limit, limit / np.where(length > 0, length, 1), 1)
    return np.asarray((rows * scale[:, None]).reshape(np.shape(parameter)))


def clip_scale(gradients: Iterable[Array], clip_norm: float) -> float:
    """What all gradients are multiplied by so that together they are no longer than `clip_norm`.

    min(1, clip_norm / (length + 1e-6)), the length being the L2 norm over all numbers of all
    gradients, as PyTorch's ``clip_grad_norm_`` does it. A NaN anywhere makes the scale NaN.

    >>> round(clip_scale([np.array([3.0]), np.array([[4.0]])], clip_norm=1.0), 6)
    0.2
    """
    norm = math.sqrt(sum(float((np.asarray(g, np.float64) ** 2).sum()) for g in gradients))
    scale = clip_norm / (norm + 1e-6)
    return 1.0 if scale > 1 else scale


def moving_average(average: Array, parameter: Array, decay: float) -> Array:
    """The exponential moving average after a step: decay * average + (1 - decay) * parameter.

    It starts as the parameters that training starts from.

    >>> moving_average(np.array([1.0]), np.array([2.0]), decay=0.9)
    array([1.1])
    """
    return decay * average + (1 - decay) * parameter
