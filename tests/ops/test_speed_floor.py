"""The only test of speed: no kernel may fall under half of its usual ratio to a plain loop.

Compilers make kernels two or three times slower without a word (an accumulator that no longer
stays in a register is enough). A ratio of this thread's own processor times in one process, the
best of many turns, hardly depends on the machine or on what else it does; where it still seems too
low, it is measured again.

By hand, with what was measured: make test ARGS="tests/ops/test_speed_floor.py -s" SLOW=1
"""

from __future__ import annotations

import ctypes
import math
import time
from pathlib import Path

import numpy as np
import pytest

from beak.ops.convolution.kernels import (
    FORWARD,
    POOLED_FORWARD,
    WINOGRAD_FORWARD,
    WINOGRAD_PREPARE,
)
from beak.ops.convolution.winograd import prepared_floats
from beak.ops.dense.kernels import FORWARD as DENSE
from beak.ops.kernel import Call, Phase, Table, call_kernel, fill, supported_sets
from beak.ops.panels import pad_groups, padded, to_panels
from beak.ops.test_support import using_instruction_set

pytestmark = pytest.mark.slow
TURNS, ROUNDS = 40, 6
HERE = Path(__file__).parent

# Images, side, channels, filters, window; then the usual ratio by instruction set, measured on an
# Intel Xeon (Sapphire Rapids). AVX-512 is half as fast on some CPUs, so that v4 needs v3's only.
CASES = {
    "convolution": ((1, 18, 24, 48, 3), {"v2": 8, "v3": 20, "v4": 20}),
    "winograd4": ((2, 18, 64, 64, 3), {"v2": 34, "v3": 80, "v4": 80}),
    "pooled_direct": ((8, 28, 1, 25, 3), {"v2": 9, "v3": 26, "v4": 26}),
    "pooled_winograd": ((4, 14, 25, 50, 3), {"v2": 13, "v3": 35, "v4": 35}),
    "dense": ((96, 1, 500, 100, 1), {"v2": 8, "v3": 13, "v4": 13}),
}


@pytest.fixture(scope="module")
def plain(find_program, run_program, tmp_path_factory) -> ctypes.CDLL:
    """The plain loops, compiled without vectors."""
    compiler = find_program("g++", "clang++")
    library = tmp_path_factory.mktemp("plain") / "plain_loops.so"
    flags = ("-O2", "-fno-tree-vectorize", "-shared", "-fPIC", "-std=c++17")
    run_program([compiler, *flags, HERE / "plain_loops.cc", "-o", library])
    return ctypes.CDLL(str(library))


class Work:
    """A layer's inputs, the plain loop over them, and the kernel's table."""

    def __init__(self, name: str, plain: ctypes.CDLL) -> None:
        self.name, self.plain = name, plain
        self.images, self.side, self.channels, self.filters, self.k = CASES[name][0]
        self.out = self.side - self.k + 1
        generator = np.random.default_rng(0)
        x_shape = (self.images, self.side, self.side, self.channels)
        self.x = generator.normal(size=x_shape).astype(np.float32)
        w_shape = (self.filters, self.channels, self.k, self.k)
        self.w = (generator.normal(size=w_shape) / math.sqrt(w_shape[1])).astype(np.float32)
        self.w_last = np.ascontiguousarray(self.w.transpose(0, 2, 3, 1))
        self.sums = np.empty((self.images, self.out, self.out, self.filters), np.float32)
        half = self.out // 2
        self.largest = np.empty((self.images, half, half, self.filters), np.float32)
        self.pooled = name.startswith("pooled")
        self.y = np.empty_like(self.largest if self.pooled else self.sums)
        self.table = getattr(self, name)()

    def run_plain(self) -> np.ndarray:
        def address(array: np.ndarray) -> ctypes.c_void_p:
            return ctypes.c_void_p(array.ctypes.data)

        sizes = [self.images, self.side, self.channels, self.filters, self.k]
        self.plain.plain_convolution(
            *map(address, (self.x, self.w_last, self.sums)), *map(ctypes.c_int64, sizes)
        )
        if not self.pooled:
            return self.sums
        sizes = [self.images, self.out, self.filters]
        self.plain.plain_pool(*map(address, (self.sums, self.largest)), *map(ctypes.c_int64, sizes))
        return self.largest

    def call(self, kernel, **values) -> Table:
        values = {"bias": pad_groups(np.zeros(self.filters)), "x": self.x, "y": self.y, **values}
        return Table([Phase((Call(kernel, fill(kernel, values), tuple(values.values())),), 1)])

    def window(self) -> dict[str, int]:
        return {
            "images": self.images, "in_h": self.side, "in_w": self.side,
            "pad_top": 0, "pad_left": 0,
        }  # fmt: skip

    def sizes(self) -> dict[str, int]:
        return {
            **self.window(), "in_channels": self.channels, "out_channels": self.filters,
            "out_h": self.out, "out_w": self.out, "relu": 0,
        }  # fmt: skip

    def convolution(self) -> Table:
        return self.call(
            FORWARD[0], weight=to_panels(self.w), **self.sizes(), groups=1, bands=1,
            window_h=self.k, window_w=self.k, stride_h=1, stride_w=1, dilation_h=1, dilation_w=1,
            spread_h=1, spread_w=1, y_step=1, y_row=self.out, y_image=self.out**2,
        )  # fmt: skip

    def winograd4(self) -> Table:
        prepared = np.zeros(prepared_floats(4, self.channels, self.filters), np.float32)
        call_kernel(
            WINOGRAD_PREPARE[3][4][0], weight=to_panels(self.w), prepared=prepared,
            channels=self.channels, filters=self.filters, turned=0,
        )  # fmt: skip
        given = {"prepared": prepared, "onto": None}
        return self.call(WINOGRAD_FORWARD[3][4][0], **given, **self.sizes(), blocks=2, groups=1)

    def pooled_row(self, row, weight) -> Table:
        half = self.out // 2
        winners = np.zeros((self.images, half, half, padded(self.filters)), np.uint8)
        return self.call(
            row, weight=weight, winners=winners, **self.window(), channels=self.channels,
            filters=self.filters, pooled_h=half, pooled_w=half, window_h=3, window_w=3, bands=1,
        )  # fmt: skip

    def pooled_direct(self) -> Table:
        return self.pooled_row(POOLED_FORWARD[-1], to_panels(self.w))

    def pooled_winograd(self) -> Table:
        row = POOLED_FORWARD[0]
        packed = np.zeros(16 * self.channels * padded(self.filters), np.float32)
        call_kernel(
            row.prepare, weight=to_panels(self.w), packed=packed, channels=self.channels,
            filters=self.filters, window_h=3, window_w=3,
        )  # fmt: skip
        return self.pooled_row(row, packed)

    def dense(self) -> Table:
        return self.call(
            DENSE[0], weight=to_panels(self.w), rows=self.images, inputs=self.channels,
            outputs=self.filters, relu=0,
        )  # fmt: skip


def seconds(work) -> float:
    begin = time.thread_time_ns()
    work()
    return (time.thread_time_ns() - begin) / 1e9


def ratio(work: Work) -> float:
    """How many times faster the kernel is, each at its best of many turns taken by turns."""
    kernel = plain = float("inf")
    for _ in range(TURNS):
        plain = min(plain, seconds(work.run_plain))
        kernel = min(kernel, *(seconds(work.table.run) for _ in range(5)))
    return plain / kernel


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("isa", supported_sets())
def test_a_kernel_keeps_half_of_its_usual_ratio_to_a_plain_loop(name, isa, plain):
    usual = CASES[name][1].get(isa)
    if usual is None:
        pytest.skip(f"nobody has measured {isa} yet")
    with using_instruction_set(isa):
        work = Work(name, plain)
        truth = work.run_plain()
        work.table.run()
        np.testing.assert_allclose(work.y, truth, atol=2e-3 * truth.std())
        best = 0.0
        for _ in range(ROUNDS):
            best = max(best, ratio(work))
            if best >= usual / 2:
                break
    print(f"\n{name} on {isa}: {best:.1f} times a plain loop, usually {usual}")
    assert best >= usual / 2, f"{name} on {isa}: only {best:.1f} times a plain loop"
