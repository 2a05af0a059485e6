"""The dense kernels against the float64 reference, on every instruction set."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beak.ops.dense.kernels import FORWARD, WEIGHT_GRADIENT
from beak.ops.dense.reference import dense, dense_backward
from beak.ops.panels import from_panels, pad_groups, to_panels, unpad_groups
from beak.ops.test_support import run

pytestmark = pytest.mark.usefixtures("every_instruction_set")

sizes = st.tuples(st.integers(1, 101), st.integers(1, 600), st.integers(1, 101))


def arrays(sizes, seed=0):
    rows, inputs, outputs = sizes
    generator = np.random.default_rng(seed)
    shapes = ((rows, inputs), (outputs, inputs), (outputs,), (rows, outputs))
    return [generator.normal(size=shape).astype(np.float32) for shape in shapes]


def forward(x, w, b, relu=0, **options):
    return run(
        FORWARD[0], {"y": (len(x), len(w))}, x=x, weight=to_panels(w[..., None, None]),
        bias=pad_groups(b), rows=len(x), inputs=x.shape[1], outputs=len(w), relu=relu, **options,
    )["y"]  # fmt: skip


@given(sizes, st.integers(1, 7))
@settings(max_examples=100)
def test_forward_is_the_reference_in_any_parts(sizes, parts):
    x, w, b, _ = arrays(sizes)
    y = forward(x, w, b, parts=parts, threads=2)
    np.testing.assert_allclose(y, dense(x, w, b), rtol=1e-4, atol=2e-4)
    np.testing.assert_array_equal(forward(x, w, b), y)
    np.testing.assert_array_equal(forward(x, w, b, relu=1), np.maximum(y, 0))


@given(sizes)
@settings(max_examples=40)
def test_a_row_does_not_depend_on_its_batch(sizes):
    x, w, b, _ = arrays(sizes)
    np.testing.assert_array_equal(forward(x[-1:], w, b)[0], forward(x, w, b)[-1])


@given(sizes, st.integers(1, 7))
@settings(max_examples=100)
def test_gradients_are_the_reference(sizes, parts):
    x, w, b, dy = arrays(sizes)
    panels, bias = to_panels(w[..., None, None]), pad_groups(b)
    out = run(
        WEIGHT_GRADIENT[0], {"dweight": panels.shape, "dbias": bias.shape}, parts=parts, threads=2,
        x=x, dy=dy, rows=len(x), inputs=x.shape[1], outputs=len(w),
    )  # fmt: skip
    truth = dense_backward(dy, x, w)
    weight = from_panels(out["dweight"], (*w.shape, 1, 1))[..., 0, 0]
    np.testing.assert_allclose(weight, truth.weight, rtol=1e-4, atol=2e-4)
    np.testing.assert_allclose(unpad_groups(out["dbias"], len(b)), truth.bias, rtol=1e-4, atol=2e-4)


def test_whole_numbers_are_exact():
    generator = np.random.default_rng(3)
    x, w = (generator.integers(-9, 10, shape).astype(np.float32) for shape in ((50, 90), (33, 90)))
    b = np.arange(33, dtype=np.float32)
    np.testing.assert_array_equal(forward(x, w, b), dense(x, w, b))
