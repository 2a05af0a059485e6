"""Winograd's algorithm along rows beside the direct kernels: effective GFLOPS, one thread.

    BEAK_ISA=v3 python -m beak.ops.convolution.bench_slide [--seconds 0.3]

For each shape and each of forward, input gradient and weight gradient: the direct kernel, the row
by Winograd, how many times faster that is, and whether ``winograd.slides`` takes it. GFLOPS count
the direct kernel's multiply-adds; the best of many runs counts, by the thread's own time.
"""

from __future__ import annotations

import argparse
from typing import Any

from beak.ops.convolution import winograd
from beak.ops.convolution.bench_winograd import best_seconds, floats, table
from beak.ops.convolution.kernels import (
    FORWARD,
    SCATTER,
    SLIDE_FORWARD,
    SLIDE_INPUT_GRADIENT,
    SLIDE_WEIGHT_GRADIENT,
    WEIGHT_GRADIENT,
)
from beak.ops.convolution.winograd import Layer
from beak.ops.kernel import Table, instruction_set
from beak.ops.panels import padded

SHAPES = (
    (20, (32, 40), 1, 64, (20, 8)), (20, (1, 200), 32, 64, (1, 9)), (20, (1, 200), 32, 64, (1, 7)),
    (48, (13, 11), 64, 64, (10, 4)), (32, (1, 56), 300, 100, (1, 3)),
    (32, (1, 56), 128, 128, (1, 5)),
    (32, (1, 20), 64, 64, (1, 2)), (32, (1, 7), 64, 64, (1, 3)), (32, (12, 12), 32, 32, (4, 4)),
    (32, (12, 12), 16, 16, (5, 3)), (8, (1, 500), 16, 32, (1, 5)), (8, (40, 40), 16, 16, (1, 5)),
    (16, (14, 14), 192, 192, (1, 5)),
)  # fmt: skip
"""Images, (height, width), channels, filters, window."""


def measured(
    images: int, size: tuple[int, int], channels: int, filters: int, window: tuple[int, int]
) -> tuple[Layer, dict[str, tuple[Table, Table]], float]:
    """The layer, for each purpose the direct call and Winograd's, and the work in FLOP."""
    (in_h, in_w), (window_h, window_w) = size, window
    out_h, out_w = in_h - window_h + 1, in_w - window_w + 1
    layer = Layer(channels, filters, out_h, out_w, window, padding=(0, 0))
    together = winograd.slide_together(layer, in_h)
    piece, pieces, _ = winograd.slide_cut(window_w, out_w)
    shape = {
        "images": images, "in_h": in_h, "in_w": in_w, "in_channels": channels, "out_h": out_h,
        "out_w": out_w, "out_channels": filters, "window_h": window_h, "window_w": window_w,
        "pad_top": 0, "pad_left": 0,
    }  # fmt: skip
    direct = {
        **shape, "groups": 1, "stride_h": 1, "stride_w": 1, "dilation_h": 1, "dilation_w": 1,
        "spread_h": 1, "spread_w": 1, "relu": 0, "bands": 1, "y_step": 1, "y_row": out_w,
        "y_image": out_h * out_w,
    }  # fmt: skip
    back = {
        **shape, "in_h": out_h, "in_w": out_w, "in_channels": filters, "out_h": in_h,
        "out_w": in_w, "out_channels": channels, "pad_top": window_h - 1,
    }  # fmt: skip
    wide, taps = padded(filters), window_h * window_w
    x, dy = floats(images * in_h * in_w * channels), floats(images * out_h * out_w * filters)
    y, dx = floats(dy.size), floats(x.size)
    weight, turned = floats(wide * taps * channels), floats(padded(channels) * taps * filters)
    ready = floats(6 * wide * pieces * window_h * channels)
    ready_back = floats(6 * padded(channels) * pieces * window_h * filters)
    bias, size_of_part = floats(wide), wide * taps * channels + wide
    cut: dict[str, Any] = {"piece": piece, "together": together}
    sums = {
        "partials": floats(size_of_part),
        "stride": size_of_part,
        "bias_at": size_of_part - wide,
    }
    whole = {**cut, "relu": 0, "groups": 1}
    unused = {"weight": None, "bias": None, "y": None}
    calls = {
        "forward": (
            table(FORWARD[0], 1, x=x, weight=weight, y=y, **{**direct, "bias": bias}),
            table(SLIDE_FORWARD[0], 1, x=x, prepared=ready, bias=bias, y=y, **shape, **whole),
        ),
        "input": (
            table(SCATTER[0], 1, **{**unused, "x": None, "weight": turned}, dy=dy, dx=dx, **direct),
            table(
                SLIDE_INPUT_GRADIENT[0], 1, x=dy, prepared=ready_back, bias=None, y=dx,
                **{**back, **whole},
            ),
        ),
        "weights": (
            table(WEIGHT_GRADIENT[0], 1, x=x, dy=dy, **unused, **direct, **sums),
            table(SLIDE_WEIGHT_GRADIENT[0], 1, x=x, dy=dy, **shape, **cut, **sums),
        ),
    }  # fmt: skip
    return layer, calls, 2.0 * dy.size * taps * channels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=0.3, help="for each measurement")
    seconds = parser.parse_args().seconds
    isa = instruction_set()
    print(f"{isa}: effective GFLOPS, direct and along rows")
    for images, size, channels, filters, window in SHAPES:
        layer, calls, work = measured(images, size, channels, filters, window)
        line = (
            f"{images:3} x {size[0]}x{size[1]} {channels:3} -> {filters:3} {window[0]}x{window[1]}"
        )
        for purpose, (direct, slid) in calls.items():
            plain, fast = (work / best_seconds(call.run, seconds) / 1e9 for call in (direct, slid))
            line += f"   {purpose} {plain:5.0f} {fast:5.0f} {fast / plain:5.2f}"
        print(f"{line}   {'taken' if winograd.slides(layer, size[0], isa) else ''}", flush=True)


if __name__ == "__main__":
    main()
