"""SGD, Adam and clipping against torch.optim in float64, on every instruction set."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from beak.ops.optimiser import kernels, reference
from beak.ops.test_support import run

pytestmark = pytest.mark.usefixtures("every_instruction_set")

STEPS = 4
counts = st.integers(0, 70)
parts = st.integers(1, 5)
seeds = st.integers(0, 99)


def draw(seed, count):
    rng = np.random.default_rng(seed)
    start = rng.normal(size=count).astype(np.float32)
    return start, rng.normal(size=(STEPS, count)).astype(np.float32)


def torch_walk(make, start, gradients):
    p = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    optimiser = make([p])
    walk = []
    for g in gradients:
        p.grad = torch.tensor(g, dtype=torch.float64)
        optimiser.step()
        walk.append(p.detach().numpy().copy())
    return walk


def settings(rate, step=1, beta1=0.9, beta2=0.999, scale=1.0, average=0.0):
    """Of step `step`; the average's decay is `average`."""
    corrections = [1 - beta1**step, 1 - beta2**step]
    return np.array([rate, *corrections, scale, average, step, 1.0, np.nan])


@given(
    count=counts,
    momentum=st.sampled_from([0.0, 0.9]),
    nesterov=st.booleans(),
    decay=st.sampled_from([0.0, 0.01]),
    parts=parts,
    seed=seeds,
)
def test_sgd_walks_as_pytorchs(count, momentum, nesterov, decay, parts, seed):
    start, gradients = draw(seed, count)
    nesterov = nesterov and momentum > 0
    walk = torch_walk(
        lambda p: torch.optim.SGD(p, 0.1, momentum, 0, decay, nesterov), start, gradients
    )
    now = {"parameters": start}
    if momentum:
        now["moment"] = np.zeros(count, np.float32)
    absent = {"average": None} | ({} if momentum else {"moment": None})
    for g, expected in zip(gradients, walk, strict=True):
        now = run(
            kernels.SGD[0], now,
            gradient=g, settings=settings(0.1), count=count, momentum=momentum,
            nesterov=int(nesterov), decay=decay, parts=parts, threads=2, **absent,
        )  # fmt: skip
        np.testing.assert_allclose(now["parameters"], expected, rtol=2e-6, atol=2e-6)


def adam(now, gradient, step, decay=0.01, decoupled=1, scale=1.0, average=0.0, **options):
    row = kernels.ADAM_ROWS[0] if "listed" in options else kernels.ADAM[0]
    absent = {} if "average" in now else {"average": None}
    return run(
        row, now,
        gradient=gradient, settings=settings(0.01, step, scale=scale, average=average),
        beta1=0.9, beta2=0.999, epsilon=1e-8, decay=decay, decoupled=decoupled,
        **absent, **options,
    )  # fmt: skip


def adam_start(start):
    zeros = np.zeros_like(start)
    return {"parameters": start, "moment1": zeros, "moment2": zeros}


@given(
    count=counts,
    decoupled=st.booleans(),
    decay=st.sampled_from([0.0, 0.1]),
    parts=parts,
    seed=seeds,
)
def test_adam_and_adamw_walk_as_pytorchs(count, decoupled, decay, parts, seed):
    start, gradients = draw(seed, count)
    kind = torch.optim.AdamW if decoupled else torch.optim.Adam
    walk = torch_walk(lambda p: kind(p, 0.01, weight_decay=decay), start, gradients)
    now = adam_start(start)
    for step, (g, expected) in enumerate(zip(gradients, walk, strict=True), 1):
        now = adam(now, g, step, decay, int(decoupled), count=count, parts=parts, threads=2)
        np.testing.assert_allclose(now["parameters"], expected, rtol=2e-6, atol=2e-6)


def test_a_gradient_of_zero_moves_nothing_and_makes_no_nan():
    start = np.array([1.0, -2.0, 0.0], np.float32)
    now = adam(adam_start(start), np.zeros(3, np.float32), 1, decay=0.0, count=3)
    np.testing.assert_array_equal(now["parameters"], start)


@given(count=counts, parts=parts, seed=seeds)
def test_the_average_follows_the_weights_after_the_step(count, parts, seed):
    start, gradients = draw(seed, count)
    average = gradients[1].copy()
    now = adam_start(start) | {"average": average}
    now = adam(now, gradients[0], 1, average=0.9, count=count, parts=parts)
    expected = 0.9 * average.astype(float) + 0.1 * now["parameters"]
    np.testing.assert_allclose(now["average"], expected, rtol=1e-6, atol=1e-6)
    sgd = run(
        kernels.SGD[0], {"parameters": start, "average": average},
        gradient=gradients[0], moment=None, settings=settings(0.1, average=0.75), count=count,
        momentum=0.0, nesterov=0, decay=0.0, parts=parts,
    )  # fmt: skip
    expected = 0.75 * average.astype(float) + 0.25 * sgd["parameters"]
    np.testing.assert_allclose(sgd["average"], expected, rtol=1e-6, atol=1e-6)


def some_rows(rng, rows):
    """Which rows a batch touched, in the order of its list."""
    order = rng.permutation(rows).astype(np.int32)
    count = int(rng.integers(0, rows + 1))
    yes = np.zeros(rows, bool)
    yes[order[:count]] = True
    return {"listed": order, "count": np.array([count])}, yes


@given(rows=st.integers(0, 9), row=st.integers(1, 40), parts=parts, seed=seeds)
def test_rows_that_are_not_touched_keep_weights_and_moments(rows, row, parts, seed):
    rng = np.random.default_rng(seed)
    p, g, m, average = rng.normal(size=(4, rows, row)).astype(np.float32)
    v = rng.uniform(size=(rows, row)).astype(np.float32)
    batch, yes = some_rows(rng, rows)
    now = {"parameters": p, "moment1": m, "moment2": v, "average": average}
    steps = {"averaged": np.full(rows, 2)}
    sizes = batch | {"row": row, "parts": parts, "threads": 2}
    after = adam(now | steps, g, 3, average=0.5, **sizes)
    whole = adam(now, g, 3, average=0.5, count=rows * row)
    for name in now:
        np.testing.assert_array_equal(after[name][yes], whole[name][yes])
        np.testing.assert_array_equal(after[name][~yes], now[name][~yes])
    np.testing.assert_array_equal(after["averaged"], np.where(yes, 3, 2))

    now = {"parameters": p, "moment": m, "average": average}
    rest = {"gradient": g, "settings": settings(0.1, 3, average=0.5), "momentum": 0.9}
    rest |= {"nesterov": 1, "decay": 0.01}
    after = run(kernels.SGD_ROWS[0], now | steps, **rest, **sizes)
    whole = run(kernels.SGD[0], now, **rest, count=rows * row)
    for name in now:
        np.testing.assert_array_equal(after[name][yes], whole[name][yes])
        np.testing.assert_array_equal(after[name][~yes], now[name][~yes])


@given(late=st.integers(0, 3000), seed=seeds)
def test_a_rows_average_follows_all_the_steps_in_which_it_was_not_touched(late, seed):
    rng = np.random.default_rng(seed)
    p, average, g = rng.normal(size=(3, 1, 21)).astype(np.float32)
    zeros = np.zeros_like(p)
    now = {"parameters": p, "moment1": zeros, "moment2": zeros, "average": average}
    after = adam(
        now | {"averaged": np.array([7])}, g, late + 8, average=0.99,
        listed=np.zeros(1, np.int32), count=np.ones(1, np.int64), row=21,
    )  # fmt: skip
    expected = average.astype(float)
    for _ in range(late):
        expected = 0.99 * expected + 0.01 * p
    expected = 0.99 * expected + 0.01 * after["parameters"]
    np.testing.assert_allclose(after["average"], expected, rtol=2e-6, atol=2e-6)


@given(rows=st.integers(0, 9), row=st.integers(1, 40), parts=parts, seed=seeds)
def test_the_norm_of_the_rows_that_have_a_gradient(rows, row, parts, seed):
    rng = np.random.default_rng(seed)
    g = rng.normal(size=(rows, row)).astype(np.float32)
    batch, yes = some_rows(rng, rows)
    g[~yes] = np.nan
    partials = run(
        kernels.SQUARED_NORM_ROWS[0], {"partials": ((parts,), np.float64)},
        gradient=g, row=row, parts=parts, threads=2, **batch,
    )["partials"]  # fmt: skip
    assert partials.sum() == pytest.approx((g[yes].astype(float) ** 2).sum(), rel=1e-12)


@given(count=st.integers(0, 3000), parts=parts, limit=st.sampled_from([0.1, 1.0, 1e4]), seed=seeds)
def test_clipping_scales_as_pytorchs(count, parts, limit, seed):
    g = np.random.default_rng(seed).normal(size=count).astype(np.float32)
    partials = run(
        kernels.SQUARED_NORM[0], {"partials": ((parts,), np.float64)},
        gradient=g, count=count, parts=parts, threads=2,
    )["partials"]  # fmt: skip
    assert np.sqrt(partials.sum()) == pytest.approx(np.linalg.norm(g.astype(float)), rel=1e-12)
    before = settings(0.25, average=0.5)
    after = run(
        kernels.CLIP_SCALE[0], {"settings": before},
        partials=partials, partial_parts=parts, limit=limit, parts=parts, threads=2,
    )["settings"]  # fmt: skip
    p = torch.zeros(count, dtype=torch.float64, requires_grad=True)
    p.grad = torch.tensor(g, dtype=torch.float64)
    torch.nn.utils.clip_grad_norm_([p], limit)
    np.testing.assert_allclose(g * after[3], p.grad.numpy(), rtol=1e-12)
    np.testing.assert_array_equal(np.delete(after, 3), np.delete(before, 3))


def test_a_nan_in_the_gradient_is_not_clipped_away():
    after = run(
        kernels.CLIP_SCALE[0], {"settings": settings(0.1)},
        partials=np.array([1.0, np.nan]), partial_parts=2, limit=1.0,
    )["settings"]  # fmt: skip
    assert np.isnan(after[3])


def test_the_scale_reaches_the_step():
    start, gradients = draw(0, 20)
    half = adam(adam_start(start), gradients[0] / 2, 1, count=20)
    scaled = adam(adam_start(start), gradients[0], 1, scale=0.5, count=20)
    np.testing.assert_array_equal(half["parameters"], scaled["parameters"])
    np.testing.assert_array_equal(half["moment2"], scaled["moment2"])


@given(
    count=counts,
    momentum=st.sampled_from([0.3, 0.9]),
    nesterov=st.booleans(),
    parts=parts,
    seed=seeds,
)
def test_a_velocity_holds_the_rate_of_its_day(count, momentum, nesterov, parts, seed):
    start, gradients = draw(seed, count)
    now = {"parameters": start, "moment": np.zeros(count, np.float32)}
    p, v = start.astype(float), np.zeros(count)
    for rate, g in zip((0.1, 0.02, 0.0, 0.3), gradients, strict=True):
        now = run(
            kernels.VELOCITY[0], now, gradient=g, settings=settings(rate), count=count,
            momentum=momentum, nesterov=int(nesterov), parts=parts, threads=2,
        )  # fmt: skip
        p, v = reference.velocity(p, g.astype(float), v, rate, momentum, nesterov)
        np.testing.assert_allclose(now["parameters"], p, rtol=2e-6, atol=2e-6)


@given(
    count=counts,
    momentum=st.sampled_from([0.0, 0.9]),
    centred=st.booleans(),
    parts=parts,
    seed=seeds,
)
def test_rmsprop_walks_as_its_reference(count, momentum, centred, parts, seed):
    start, gradients = draw(seed, count)
    zeros = np.zeros(count, np.float32)
    now = {"parameters": start, "moment2": zeros}
    now |= ({"moment1": zeros} if momentum else {}) | ({"mean": zeros} if centred else {})
    absent = {name: None for name in ("moment1", "mean") if name not in now}
    p, s, v, m = start.astype(float), np.zeros(count), np.zeros(count), np.zeros(count)
    for g in gradients:
        now = run(
            kernels.RMSPROP[0], now, gradient=g, settings=settings(0.01), count=count, rho=0.9,
            momentum=momentum, epsilon=1e-3, parts=parts, threads=2, **absent,
        )  # fmt: skip
        p, s, v, m = reference.rmsprop(
            p, g.astype(float), s, v, m, 0.01, 0.9, momentum, 1e-3, centred
        )
        np.testing.assert_allclose(now["parameters"], p, rtol=1e-5, atol=1e-5)


def test_adams_epsilon_is_scaled_by_what_the_settings_say():
    start = np.ones(3, np.float32)
    g = np.full(3, 1e-6, np.float32)
    plain = settings(0.01)
    plain[6] = 100.0
    options = {"gradient": g, "beta1": 0.9, "beta2": 0.999, "decay": 0.0, "decoupled": 0}
    both = [
        run(
            kernels.ADAM[0],
            adam_start(start),
            settings=s,
            epsilon=e,
            average=None,
            count=3,
            **options,
        )
        for s, e in ((plain, 1e-8), (settings(0.01), 1e-6))
    ]
    np.testing.assert_array_equal(both[0]["parameters"], both[1]["parameters"])
    assert both[0]["parameters"][0] != 1
