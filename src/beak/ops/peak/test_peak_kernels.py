"""The measured peak: what it counts and where it can lie."""

from __future__ import annotations

import numpy as np

from beak.ops.kernel import call_kernel, choose, instruction_set
from beak.ops.peak.kernels import FMA_PEAK, fma_peak


def test_every_part_counts_its_multiply_adds_and_really_does_them():
    sums, done = np.zeros((3, 16), np.float32), np.zeros(3)
    call_kernel(choose(FMA_PEAK), 3, 2, sums=sums, done=done, rounds=1000)
    lanes = {"v3": 8, "v4": 16}.get(instruction_set(), 4)
    np.testing.assert_array_equal(done, 2.0 * 12 * lanes * 1000)
    np.testing.assert_allclose(sums[:, :lanes], 12 * 2.0, rtol=1e-6)  # each chain tends to 2
    assert not sums[:, lanes:].any()


def test_one_cores_peak_lies_where_cpus_are():
    """From 0.3 GHz of one 4-lane unit to 6 GHz of two 16-lane ones, twice over for surprises."""
    assert 1e9 < fma_peak(1, 0.05) < 8e11
