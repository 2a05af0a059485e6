"""Batch and layer normalisation against the reference, on every instruction set."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from beak.ops.normalisation import kernels, reference
from beak.ops.test_support import run

pytestmark = pytest.mark.usefixtures("every_instruction_set")

rows_ = st.integers(1, 100)
channels_ = st.integers(1, 40)
parts_ = st.integers(1, 7)
seeds = st.integers(0, 99)
EPSILON, MOMENTUM = 1e-5, 0.1


def draw(seed, rows, channels, offset=3.0):
    rng = np.random.default_rng(seed)
    x, dy = rng.normal(size=(2, rows, channels)).astype(np.float32)
    weight, bias = rng.normal(size=(2, channels)).astype(np.float32)
    return x * 2 + np.float32(offset), dy, weight, bias


def statistics(x, parts=1, threads=1, running=None):
    """Mean, inverse deviation and the running averages after the batch."""
    rows, channels = x.shape
    partials = run(
        kernels.BATCH_NORM_STATISTICS[0], {"partials": ((parts, 2, channels), np.float64)},
        x=x, rows=rows, channels=channels, parts=parts, threads=threads,
    )["partials"]  # fmt: skip
    out = {"mean": (channels,), "inverse": (channels,)}
    absent = {"running_mean": None, "running_var": None}
    if running is not None:
        out |= {"running_mean": running[0], "running_var": running[1]}
        absent = {}
    return run(
        kernels.BATCH_NORM_FINISH[0], out,
        partials=partials, partial_parts=parts, rows=rows, channels=channels,
        epsilon=EPSILON, momentum=MOMENTUM, parts=2, threads=threads, **absent,
    )  # fmt: skip


def apply(x, found, weight, bias, function=-1, alias=False, **options):
    rows, channels = x.shape
    return run(
        kernels.BATCH_NORM_APPLY[0], {"y": "x" if alias else x.shape},
        x=x, mean=found["mean"], inverse=found["inverse"], weight=weight, bias=bias,
        rows=rows, channels=channels, function=function, **options,
    )["y"]  # fmt: skip


def backward(x, dy, found, weight, bias, function=-1, training=1, alias=False, parts=1, threads=1):
    rows, channels = x.shape
    known = {"mean": found["mean"], "inverse": found["inverse"]}
    sizes = {"rows": rows, "channels": channels, "function": function}
    known |= {"weight": weight, "bias": bias}
    partials = run(
        kernels.BATCH_NORM_BACKWARD_SUMS[0], {"partials": ((parts, 2, channels), np.float64)},
        x=x, dy=dy, **known, **sizes, parts=parts, threads=threads,
    )["partials"]  # fmt: skip
    sums = run(
        kernels.BATCH_NORM_BACKWARD_FINISH[0], {"dweight": (channels,), "dbias": (channels,)},
        partials=partials, partial_parts=parts, channels=channels, parts=2,
    )  # fmt: skip
    given_sums = sums if training else {"dweight": None, "dbias": None}
    dx = run(
        kernels.BATCH_NORM_BACKWARD_APPLY[0], {"dx": "dy" if alias else x.shape},
        x=x, dy=dy, training=training, **known, **given_sums, **sizes,
        parts=parts, threads=threads,
    )["dx"]  # fmt: skip
    return dx, sums["dweight"], sums["dbias"]


@given(rows=rows_, channels=channels_, parts=parts_, relu=st.booleans(), seed=seeds)
def test_a_norm_with_a_sum_behind_it_is_both_in_turn(rows, channels, parts, relu, seed):
    x, dy, weight, bias = draw(seed, rows, channels)
    other = np.random.default_rng(seed + 1).normal(size=x.shape).astype(np.float32)
    found = statistics(x)
    sizes = {"rows": rows, "channels": channels}
    known = {"mean": found["mean"], "inverse": found["inverse"]}
    y = run(
        kernels.BATCH_NORM_ADD[0], {"y": x.shape}, x=x, other=other, weight=weight, bias=bias,
        **known, **sizes, function=0 if relu else -1, parts=parts, threads=2,
    )["y"]  # fmt: skip
    whole = apply(x, found, weight, bias) + other
    np.testing.assert_array_equal(y, np.maximum(whole, 0) if relu else whole)
    sums = run(
        kernels.BATCH_NORM_ADD_BACKWARD_SUMS[0],
        {"g": x.shape, "partials": ((parts, 2, channels), np.float64)},
        x=x, y=y, dy=dy, **known, **sizes, parts=parts, threads=2,
    )  # fmt: skip
    masked = np.where(y <= 0, 0, dy).astype(np.float32)
    np.testing.assert_array_equal(sums["g"], masked)
    normal = (x.astype(float) - found["mean"]) * found["inverse"]
    truth = np.stack([masked.sum(0, dtype=float), (masked * normal).sum(0)])
    np.testing.assert_allclose(sums["partials"].sum(0), truth, rtol=1e-5, atol=1e-4)


@given(
    rows=rows_, channels=channels_, parts=parts_, threads=st.integers(1, 3),
    offset=st.sampled_from([0.0, 3.0, 1e4]), seed=seeds,
)  # fmt: skip
def test_statistics_of_a_batch_whatever_its_parts(rows, channels, parts, threads, offset, seed):
    x = draw(seed, rows, channels, offset)[0]
    running = np.full((2, channels), 0.5, np.float32)
    found = statistics(x, parts, threads, running)
    wide = x.astype(float)
    var = wide.var(0)
    np.testing.assert_allclose(found["mean"], wide.mean(0), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(found["inverse"], 1 / np.sqrt(var + EPSILON), rtol=1e-6)
    np.testing.assert_allclose(
        found["running_mean"], 0.45 + 0.1 * wide.mean(0), rtol=1e-6, atol=1e-7
    )
    running_var = 0.45 + 0.1 * var * rows / (rows - 1) if rows > 1 else np.full(channels, 0.5)
    np.testing.assert_allclose(found["running_var"], running_var, rtol=1e-6)


def test_a_small_variance_far_from_zero_is_not_lost():
    x = (np.array([[1e6 + 1], [1e6], [1e6 - 1], [1e6]] * 50)).astype(np.float32)
    found = statistics(x, parts=3)
    assert found["inverse"][0] == pytest.approx(1 / np.sqrt(0.5 + EPSILON), rel=1e-6)
    x = np.full((1000, 3), 0.1, np.float32)
    assert statistics(x, parts=4)["inverse"] == pytest.approx(EPSILON**-0.5, rel=1e-6)


@given(channels=channels_, seed=seeds)
def test_the_inverse_of_a_running_variance(channels, seed):
    variance = np.random.default_rng(seed).uniform(0, 2, channels).astype(np.float32)
    inverse = run(
        kernels.BATCH_NORM_INVERSE[0], {"inverse": (channels,)},
        variance=variance, channels=channels, epsilon=EPSILON, parts=3,
    )["inverse"]  # fmt: skip
    np.testing.assert_allclose(inverse, 1 / np.sqrt(variance.astype(float) + EPSILON), rtol=1e-7)


def batch_norm_truth(x, dy, weight, bias, running=None, relu=False):
    """y, dx, dweight, dbias in float64; with running statistics given, in evaluation."""
    mean, var = running or reference.batch_statistics(x)
    y = reference.batch_norm(x, weight, bias, mean, var, EPSILON)
    if relu:
        y, dy = np.maximum(y, 0), np.where(y > 0, dy, 0)
    if running:
        return y, *reference.batch_norm_backward(dy, x, weight, mean, var, EPSILON)
    return y, *reference.batch_norm_training_backward(dy, x, weight, EPSILON)


@given(
    rows=st.integers(2, 100), channels=channels_, parts=parts_, threads=st.integers(1, 3),
    relu=st.booleans(), alias=st.booleans(), seed=seeds,
)  # fmt: skip
def test_training_forward_and_backward_are_right(rows, channels, parts, threads, relu, alias, seed):
    x, dy, weight, bias = draw(seed, rows, channels)
    expected, dx, dweight, dbias = batch_norm_truth(x, dy, weight, bias, relu=relu)
    function = 0 if relu else -1
    found = statistics(x, parts, threads)
    y = apply(x, found, weight, bias, function, alias, parts=parts, threads=threads)
    # of two rows that are nearly equal, float32 cannot know better than their own last digit
    slack = 1e-5 * np.max(found["inverse"])
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=slack)
    assume(not relu or cut_for_sure(x, dy, weight, bias, slack))
    gradients = backward(x, dy, found, weight, bias, function, 1, alias, parts, threads)
    for got, wanted in zip(gradients, (dx, dweight, dbias), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=slack * 20)


def cut_for_sure(x, dy, weight, bias, slack, running=None):
    """Whether float32 and float64 agree on which outputs are positive: none is nearly zero."""
    before = batch_norm_truth(x, dy, weight, bias, running, relu=False)[0]
    return np.abs(before).min() > slack


@given(rows=rows_, channels=channels_, parts=parts_, relu=st.booleans(), seed=seeds)
def test_backward_through_running_statistics_is_right(rows, channels, parts, relu, seed):
    x, dy, weight, bias = draw(seed, rows, channels)
    rng = np.random.default_rng(seed)
    running = (
        rng.normal(3, 1, channels).astype(np.float32),
        rng.uniform(1, 5, channels).astype(np.float32),
    )
    expected, dx, dweight, dbias = batch_norm_truth(x, dy, weight, bias, running, relu)
    found = {"mean": running[0], "inverse": (1 / np.sqrt(running[1] + EPSILON)).astype(np.float32)}
    function = 0 if relu else -1
    y = apply(x, found, weight, bias, function, parts=parts)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)
    assume(not relu or cut_for_sure(x, dy, weight, bias, 1e-5, running))
    gradients = backward(x, dy, found, weight, bias, function, 0, False, parts)
    for got, wanted in zip(gradients, (dx, dweight, dbias), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=2e-5)


def test_a_fused_relu_passes_nan_on_and_the_gradient_with_it():
    x = np.array([[np.nan, 1.0], [2.0, -1.0]], np.float32)
    found = {"mean": np.zeros(2, np.float32), "inverse": np.ones(2, np.float32)}
    one, zero = np.ones(2, np.float32), np.zeros(2, np.float32)
    y = apply(x, found, one, zero, 0)
    np.testing.assert_array_equal(y, [[np.nan, 1], [2, 0]])
    dx, _, dbias = backward(x, np.ones_like(x), found, one, zero, 0, training=0)
    np.testing.assert_array_equal(dx, [[1, 1], [1, 0]])
    np.testing.assert_array_equal(dbias, [2, 1])


@given(
    rows=st.integers(0, 12), channels=st.integers(1, 70), parts=parts_, threads=st.integers(1, 3),
    offset=st.sampled_from([0.0, 100.0]), alias=st.booleans(), seed=seeds,
)  # fmt: skip
def test_layer_norm_and_its_gradients_are_right(
    rows, channels, parts, threads, offset, alias, seed
):
    x, dy, weight, bias = draw(seed, rows, channels, offset)
    expected = reference.layer_norm(x, weight, bias, EPSILON)
    dx, dweight, dbias = reference.layer_norm_backward(dy, x, weight, EPSILON)
    sizes = {"rows": rows, "channels": channels, "parts": parts, "threads": threads}
    out = {"y": "x" if alias else x.shape, "mean": (rows,), "inverse": (rows,)}
    found = run(
        kernels.LAYER_NORM_FORWARD[0], out, x=x, weight=weight, bias=bias, epsilon=EPSILON, **sizes
    )
    slack = 1e-5 * max(1, np.max(found["inverse"], initial=0) * (1 + offset / 10))
    np.testing.assert_allclose(found["y"], expected, rtol=1e-5, atol=slack)
    alone = run(
        kernels.LAYER_NORM_FORWARD[0], {"y": x.shape},
        x=x, mean=None, inverse=None, weight=weight, bias=bias, epsilon=EPSILON, **sizes,
    )  # fmt: skip
    np.testing.assert_array_equal(alone["y"], found["y"])
    out = {"dx": "dy" if alias else x.shape, "partials": ((parts, 2, channels), np.float64)}
    back = run(
        kernels.LAYER_NORM_BACKWARD[0], out,
        x=x, dy=dy, mean=found["mean"], inverse=found["inverse"], weight=weight, **sizes,
    )  # fmt: skip
    scale = slack * 10 * max(1, np.max(found["inverse"], initial=0))
    np.testing.assert_allclose(back["dx"], dx, rtol=1e-4, atol=scale)
    sums = run(
        kernels.BATCH_NORM_BACKWARD_FINISH[0], {"dweight": (channels,), "dbias": (channels,)},
        partials=back["partials"], partial_parts=parts, channels=channels,
    )  # fmt: skip
    np.testing.assert_allclose(sums["dweight"], dweight, rtol=1e-4, atol=slack * 10)
    np.testing.assert_allclose(sums["dbias"], dbias, rtol=1e-5, atol=1e-5)
