"""What the tests of the references share: gradients by small steps and by PyTorch, doctests."""

from __future__ import annotations

import doctest
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import torch

Array = np.ndarray[Any, Any]


def numerical_gradient(function: Callable[[Array], Any], at: Array, step: float = 1e-6) -> Array:
    """The gradient of a number by an array, from central differences."""
    result = np.zeros(at.shape)
    for place in np.ndindex(at.shape):
        nudge = np.zeros(at.shape)
        nudge[place] = step
        result[place] = (function(at + nudge) - function(at - nudge)) / (2 * step)
    return result


def by_torch(
    function: Callable[..., Any], gradient: Array, *inputs: Array
) -> tuple[Array, list[Array]]:
    """What a torch function gives in float64, and the gradients of sum(output * gradient)."""
    tensors = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in inputs]
    output = function(*tensors)
    gradients = torch.autograd.grad(output, tensors, torch.tensor(gradient))
    return output.detach().numpy(), [g.numpy() for g in gradients]


def run_doctests(module: ModuleType) -> int:
    """Run a module's doctests; how many there are. A failing one raises."""
    result = doctest.testmod(module)
    assert result.failed == 0, f"{module.__name__}: {result.failed} examples fail"
    return result.attempted
