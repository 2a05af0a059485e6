"""The activation kernels against float64 and PyTorch, on every instruction set."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from beak.ops.activation.kernels import (
    ACTIVATION_BACKWARD,
    ACTIVATION_FORWARD,
    FUNCTIONS,
    LEAK,
    SOFTMAX_BACKWARD,
    SOFTMAX_FORWARD,
)
from beak.ops.activation.reference import (
    activation,
    activation_backward,
    softmax,
    softmax_backward,
)
from beak.ops.test_support import run

pytestmark = pytest.mark.usefixtures("every_instruction_set")


def truth(function, x, slope=None):
    """Value and slope in float64."""
    return activation(function, x, slope), activation_backward(function, np.ones_like(x), x, slope)


def forward(x, function, slope=LEAK, **options):
    options |= {"function": FUNCTIONS.index(function), "slope": slope}
    return run(ACTIVATION_FORWARD[0], {"y": x.shape}, x=x, count=x.size, **options)["y"]


def backward(x, y, dy, function, out=None, slope=LEAK, **options):
    before = function in ("gelu", "silu", "hard_swish")
    return run(
        ACTIVATION_BACKWARD[0],
        {"dx": out or dy.shape},
        x=x if before else None,
        y=None if before else y,
        dy=dy,
        count=x.size,
        function=FUNCTIONS.index(function),
        slope=slope,
        **options,
    )["dx"]


@given(slope=st.floats(1e-3, 0.9), seed=st.integers(0, 99))
def test_a_leaky_relu_of_any_slope(slope, seed):
    x = np.random.default_rng(seed).normal(size=37).astype(np.float32)
    value, derivative = truth("leaky_relu", x.astype(np.float64), slope)
    y = forward(x, "leaky_relu", slope)
    np.testing.assert_allclose(y, value, rtol=1e-6)
    dx = backward(x, y, np.ones_like(x), "leaky_relu", slope=slope)
    np.testing.assert_allclose(dx, derivative, rtol=1e-6)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_and_its_slope_are_right_to_float32_over_the_whole_line(function):
    near = np.linspace(-12, 12, 40_001)
    x = np.concatenate([near, near * 8, np.geomspace(1e-30, 1, 999), -np.geomspace(1e-30, 1, 999)])
    x = x.astype(np.float32)
    value, slope = truth(function, x.astype(np.float64))
    y = forward(x, function)
    # gelu is right to 5e-8 of everything, but its far tail not to so many digits (nor is PyTorch's)
    least = {"gelu": 0.1, "hard_swish": 1e-2}.get(function, 1e-30)
    assert np.max(np.abs(y - value) / np.maximum(np.abs(value), least)) < 5e-7
    dx = backward(x, y, np.ones_like(x), function)
    np.testing.assert_allclose(dx, slope, rtol=2e-6, atol=3e-7)


@given(
    function=st.sampled_from(FUNCTIONS),
    count=st.integers(0, 70),
    parts=st.integers(1, 5),
    threads=st.integers(1, 3),
    in_place=st.booleans(),
    seed=st.integers(0, 99),
)
def test_any_count_in_any_parts_and_in_place_is_the_same_to_the_bit(
    function, count, parts, threads, in_place, seed
):
    rng = np.random.default_rng(seed)
    x, dy = rng.normal(0, 3, (2, count)).astype(np.float32)
    one = np.array([forward(x[i : i + 1], function)[0] for i in range(count)], np.float32)
    y = run(
        ACTIVATION_FORWARD[0],
        {"y": "x" if in_place else x.shape},
        x=x, count=count, function=FUNCTIONS.index(function), slope=0.01, parts=parts,
        threads=threads,
    )["y"]  # fmt: skip
    np.testing.assert_array_equal(y, one)
    value, slope = truth(function, x.astype(np.float64))
    np.testing.assert_allclose(y, value, rtol=1e-6, atol=3e-7)
    dx = backward(x, y, dy, function, "dy" if in_place else None, parts=parts, threads=threads)
    np.testing.assert_allclose(dx, slope * dy, rtol=3e-6, atol=1e-6)


TORCH = {
    "relu": torch.relu,
    "leaky_relu": torch.nn.functional.leaky_relu,
    "gelu": lambda x: 0.5 * x * (1 + torch.erf(x * 0.5**0.5)),  # oneDNN's makes NaN of infinity
    "silu": torch.nn.functional.silu,
    "hard_swish": torch.nn.functional.hardswish,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_nan_infinities_and_borders_are_as_in_pytorch(function):
    special = [np.nan, np.inf, -np.inf, 0.0, 3.0, -3.0, 1e-45, -1e-45, 3e38, -3e38, 88.0, -88.0]
    x = np.array(special * 3, np.float32)
    t = torch.tensor(x, requires_grad=True)
    after = TORCH[function](t)
    after.backward(torch.ones_like(t))
    y = forward(x, function)
    np.testing.assert_allclose(y, after.detach().numpy(), rtol=1e-6, atol=1e-6)
    finite = np.isfinite(x)
    dx = backward(x, y, np.ones_like(x), function)
    np.testing.assert_allclose(dx[finite], t.grad.numpy()[finite], rtol=1e-6, atol=1e-6)
    assert np.isnan(y[np.isnan(x)]).all()


def test_the_slope_of_relu_at_zero_is_zero_and_nan_lets_the_gradient_pass():
    y = np.array([0.0, -0.0, np.nan, 2.0], np.float32)
    dy = np.array([5, 5, 5, 5], np.float32)
    np.testing.assert_array_equal(backward(y, y, dy, "relu"), [0, 0, 5, 5])


@given(
    rows=st.integers(0, 5),
    channels=st.integers(1, 40),
    parts=st.integers(1, 4),
    in_place=st.booleans(),
    scale=st.sampled_from([0.1, 3.0, 60.0]),
    seed=st.integers(0, 99),
)
def test_softmax_and_its_gradient(rows, channels, parts, in_place, scale, seed):
    rng = np.random.default_rng(seed)
    x, dy = (scale * rng.normal(size=(2, rows, channels))).astype(np.float32)
    sizes = {"rows": rows, "channels": channels, "parts": parts, "threads": 2}
    y = run(SOFTMAX_FORWARD[0], {"y": "x" if in_place else x.shape}, x=x, **sizes)["y"]
    np.testing.assert_allclose(
        y, softmax(x) if rows else x, rtol=1e-5 if scale > 10 else 2e-6, atol=1e-37
    )
    out = {"dx": "dy" if in_place else x.shape}
    dx = run(SOFTMAX_BACKWARD[0], out, y=y, dy=dy, **sizes)["dx"]
    expected = softmax_backward(dy, x) if rows else dy
    np.testing.assert_allclose(dx, expected, rtol=1e-5, atol=1e-6 * scale)


def test_softmax_of_infinities_and_nan_is_as_in_pytorch():
    inf, nan = np.inf, np.nan
    x = [[1, 2, inf], [1, -inf, 2], [-inf, -inf, -inf], [nan, 1, 2], [nan, -inf, inf]]
    x = np.array(x, np.float32)
    y = run(SOFTMAX_FORWARD[0], {"y": x.shape}, x=x, rows=5, channels=3)["y"]
    np.testing.assert_allclose(y, torch.softmax(torch.tensor(x), 1).numpy(), rtol=1e-6)
