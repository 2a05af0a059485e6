"""The machine's peak of multiply-adds, measured."""

from __future__ import annotations

import time

import numpy as np

from beak.ops.kernel import Call, Kernel, Phase, Table, choose, default_threads, fill, structure

FMA_PEAK = (Kernel("fma_peak", structure("FmaArgs", "ptr:sums ptr:done int:rounds")),)


def fma_peak(threads: int | None = None, seconds: float = 0.2) -> float:
    """Floating-point operations a second of so many threads at their best, in float32.

    A multiply-add counts as two. Measured with the loaded instruction set: the best of some
    twenty tries in ``seconds``.
    """
    threads = threads or default_threads()
    sums, done = np.zeros((threads, 16), np.float32), np.zeros(threads)
    kernel = choose(FMA_PEAK)
    rounds, best = 100_000, 0.0
    end = time.perf_counter() + seconds
    while True:
        arguments = fill(kernel, {"sums": sums, "done": done, "rounds": rounds})
        table = Table([Phase((Call(kernel, arguments, (sums, done)),), threads)])
        began = time.perf_counter()
        table.run(threads)
        took = time.perf_counter() - began
        best = max(best, float(done.sum()) / took)
        if time.perf_counter() > end:
            return best
        if took < seconds / 40:
            rounds *= 2
