"""Padding, cutting, upsampling, reshaping: reference and kernel against NumPy and torch."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beak.ops.moving import kernels
from beak.ops.moving import reference as moving
from beak.ops.test_support import run

torch = pytest.importorskip("torch")

sizes = st.integers(1, 9)
seeds = st.integers(0, 99)


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


@given(size=sizes, before=st.integers(-3, 4), after=st.integers(-3, 4), seed=seeds)
def test_padding_adds_zeros_and_cuts(size, before, after, seed):
    if size + min(0, before) + min(0, after) < 1:
        return
    x = normal(seed, 2, 3, size)
    added = np.pad(x, [(0, 0), (0, 0), (max(0, before), max(0, after))])
    wanted = added[:, :, max(0, -before) : added.shape[2] - max(0, -after)]
    found = moving.moved(x, [moving.pad_matrix(size, before, after)])
    np.testing.assert_array_equal(found, wanted)


@given(height=sizes, width=sizes, down=st.integers(1, 4), across=st.integers(1, 4),
       how=st.sampled_from(["nearest", "bilinear"]), seed=seeds)  # fmt: skip
def test_upsampling_is_torchs_and_so_is_its_gradient(height, width, down, across, how, seed):
    x = torch.tensor(normal(seed, 2, 3, height, width), requires_grad=True)
    wanted = torch.nn.functional.interpolate(x, scale_factor=(float(down), float(across)), mode=how)
    along = [moving.upsample_matrix(height, down, how), moving.upsample_matrix(width, across, how)]
    found = moving.moved(x.detach().numpy(), along)
    np.testing.assert_allclose(found, wanted.detach().numpy(), atol=1e-12)
    pull = normal(seed + 1, *found.shape)
    wanted.backward(torch.tensor(pull))
    back = moving.moved_backward(pull, along)
    np.testing.assert_allclose(back, x.grad.numpy(), atol=1e-12)


def test_reshaping_counts_channels_first_or_last():
    x = np.arange(24.0).reshape(1, 2, 3, 4)
    np.testing.assert_array_equal(moving.reshape(x, (4, 6), False), x.reshape(1, 4, 6))
    last = x.transpose(0, 2, 3, 1).reshape(1, 6, 4).transpose(0, 2, 1)
    np.testing.assert_array_equal(moving.reshape(x, (4, 6), True), last)


@pytest.mark.usefixtures("every_instruction_set")
@given(height=st.integers(1, 5), width=st.integers(1, 5), channels=st.integers(1, 40),
       images=st.integers(0, 3), factor=st.integers(1, 3), edge=st.integers(-1, 2),
       parts=st.integers(1, 6), seed=seeds)  # fmt: skip
def test_the_kernel_mixes_rows_there_and_back(
    height, width, channels, images, factor, edge, parts, seed
):
    up = moving.upsample_matrix(width, factor, "bilinear")
    along = [moving.pad_matrix(height, max(edge, 1 - height), 1), up]
    taps = kernels.taps_of(along)
    for table, turned in ((taps, along), (taps.turned(), [m.T for m in along])):
        into, out = ([m.shape[axis] for m in turned] for axis in (1, 0))
        x = normal(seed, images, *into, channels).astype(np.float32)
        found = run(
            kernels.MIX_ROWS[0], {"y": (images, *out, channels)}, x=x, starts=table.starts,
            sources=table.sources, weights=table.weights, images=images, in_rows=table.inputs,
            out_rows=table.outputs, width=channels, parts=parts, threads=2,
        )["y"]  # fmt: skip
        wanted = moving.moved(np.moveaxis(x, -1, 1), turned)
        np.testing.assert_allclose(found, np.moveaxis(wanted, 1, -1), atol=1e-5)


def test_what_only_moves_has_one_source_or_none():
    taps = kernels.taps_of([moving.pad_matrix(2, 1, 1)])
    assert taps.starts.tolist() == [0, 0, 1, 2, 2]
    assert kernels.taps_from(np.array([2, 0, 1])).turned().sources.tolist() == [1, 2, 0]
