"""The optimisers against torch.optim for 20 steps; clipping and the moving average."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from beak.ops.optimiser import reference
from beak.ops.optimiser.reference import adam, adamw, clip_scale, moving_average, sgd
from beak.ops.test_reference_support import run_doctests

STEPS = 20


def gradients():
    return np.random.default_rng(1).normal(size=(STEPS, 3, 4))


def rates():
    return 0.1 * np.cos(np.arange(STEPS) / STEPS)  # the learning rate comes with each step


def by_pytorch(make):
    parameter = torch.nn.Parameter(torch.tensor(np.random.default_rng(0).normal(size=(3, 4))))
    optimiser, path = make([parameter]), []
    for gradient, rate in zip(gradients(), rates(), strict=True):
        parameter.grad = torch.tensor(gradient)
        optimiser.param_groups[0]["lr"] = rate
        optimiser.step()
        path.append(parameter.detach().numpy().copy())
    return path


@pytest.mark.parametrize("decay", [0.0, 0.05])
@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.9, True)])
def test_sgd_is_pytorchs(momentum, nesterov, decay):
    options = {"momentum": momentum, "nesterov": nesterov, "weight_decay": decay}
    wanted = by_pytorch(lambda p: torch.optim.SGD(p, 0.1, **options))
    parameter, velocity = np.random.default_rng(0).normal(size=(3, 4)), np.zeros((3, 4))
    for gradient, rate, there in zip(gradients(), rates(), wanted, strict=True):
        parameter, velocity = sgd(parameter, gradient, velocity, rate, **options)
        np.testing.assert_allclose(parameter, there, rtol=1e-12)


@pytest.mark.parametrize("epsilon", [1e-8, 0.3])  # 0.3: shows on which side of the root it is
@pytest.mark.parametrize("decay", [0.0, 0.05])
@pytest.mark.parametrize(("rule", "peer"), [(adam, torch.optim.Adam), (adamw, torch.optim.AdamW)])
def test_adam_and_adamw_are_pytorchs(rule, peer, decay, epsilon):
    wanted = by_pytorch(lambda p: peer(p, 0.1, betas=(0.8, 0.95), eps=epsilon, weight_decay=decay))
    parameter = np.random.default_rng(0).normal(size=(3, 4))
    first, second = np.zeros((2, 3, 4))
    for step in range(STEPS):
        given = gradients()[step], first, second, step + 1, rates()[step]
        parameter, first, second = rule(parameter, *given, 0.8, 0.95, epsilon, decay)
        np.testing.assert_allclose(parameter, wanted[step], rtol=1e-11)


def test_clipping_scales_a_long_gradient_to_the_norm_and_leaves_a_short_one():
    parts = [np.array([[3.0]]), np.array([0.0, 4.0])]
    assert clip_scale(parts, 2.5) == pytest.approx(0.5, rel=1e-6)
    assert clip_scale(parts, 5.1) == 1.0
    assert clip_scale(parts, 6.0) == 1.0
    tensors = [torch.nn.Parameter(torch.zeros(part.shape)) for part in parts]
    for tensor, part in zip(tensors, parts, strict=True):
        tensor.grad = torch.tensor(part, dtype=torch.float32)
    torch.nn.utils.clip_grad_norm_(tensors, 2.5)
    assert tensors[0].grad.item() == pytest.approx(3 * clip_scale(parts, 2.5), rel=1e-7)


def test_clipping_does_not_hide_a_nan():
    assert np.isnan(clip_scale([np.array([np.nan, 1e9])], 1.0))


def test_the_moving_average_of_a_steady_parameter_goes_to_it_geometrically():
    average = np.array([1.0])
    for _ in range(10):
        average = moving_average(average, np.array([0.0]), 0.5)
    assert average[0] == 0.5**10


def test_the_examples_in_the_docstrings_hold():
    assert run_doctests(reference) >= 4
