"""Measures every row for 3x3 convolutions: effective GFLOPS (counted as direct), one thread.

    BEAK_ISA=v3 python -m beak.ops.convolution.bench_winograd [--seconds 0.3] [--grid] [--torch]

For each shape and each of forward, input gradient and weight gradient: the direct kernel, both
Winograd rows, the row that ``winograd.choose_side`` takes, and how far it is from the best. The
best of many runs counts, by the thread's own time: machines are shared. ``--grid`` measures small
and odd shapes too, from which ``benchmarks/choices.py`` takes the costs of the transforms.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from beak.ops.convolution import winograd
from beak.ops.convolution.kernels import (
    FORWARD,
    WEIGHT_GRADIENT,
    WINOGRAD_FORWARD,
    WINOGRAD_PREPARE,
    WINOGRAD_WEIGHT_GRADIENT,
)
from beak.ops.convolution.winograd import Layer
from beak.ops.kernel import Call, Kernel, Phase, Table, fill, instruction_set
from beak.ops.panels import padded

Array = np.ndarray[Any, Any]
SHAPES = (
    (128, 16, 16, 32), (128, 32, 32, 16), (128, 64, 64, 8),
    (1, 64, 64, 19), (16, 64, 64, 19), (128, 64, 64, 19),
    (1, 192, 192, 19), (16, 192, 192, 19), (128, 192, 192, 19),
)  # fmt: skip
"""Images, channels, filters, side: ResNet-20's layers and the Go networks'."""
GRID = tuple(
    (max(1, 40000 // (side * side * c)), c, f, side)
    for side in (1, 2, 3, 5, 7, 12)
    for c, f in ((1, 8), (3, 16), (4, 16), (8, 8), (8, 32), (25, 50), (48, 64), (128, 128))
)


def best_seconds(run: Callable[[], object], seconds: float) -> float:
    """The least time that a run took, of as many as there is time for (three at least)."""
    run()
    best, end, turns = float("inf"), time.perf_counter() + seconds, 0
    while turns < 3 or time.perf_counter() < end:
        begin = time.thread_time()
        run()
        best, turns = min(best, time.thread_time() - begin), turns + 1
    return best


def table(kernel: Kernel, parts: int, **values: Any) -> Table:
    """One call as a table; the arrays stay alive with it."""
    return Table([Phase((Call(kernel, fill(kernel, values), tuple(values.values())),), parts)])


def floats(count: int) -> Array:
    """Random floats at an aligned address."""
    room = np.empty(count + 16, np.float32)
    start = -room.ctypes.data % 64 // 4
    room[:] = np.random.default_rng(0).standard_normal(room.size, np.float32)
    return room[start : start + count]


def shape_fields(images: int, layer: Layer) -> dict[str, int]:
    """What all kernels want to know about a layer of padding 1."""
    return {
        "images": images, "pad_top": 1, "pad_left": 1,
        "in_h": layer.out_h, "in_w": layer.out_w, "in_channels": layer.in_channels,
        "out_h": layer.out_h, "out_w": layer.out_w, "out_channels": layer.out_channels,
    }  # fmt: skip


def direct_fields(images: int, layer: Layer) -> dict[str, int]:
    """The same for the direct kernels."""
    ones = ("stride_h", "stride_w", "dilation_h", "dilation_w", "spread_h", "spread_w", "bands")
    fields = {**shape_fields(images, layer), **dict.fromkeys((*ones, "groups"), 1)}
    whole = {"y_step": 1, "y_row": layer.out_w, "y_image": layer.out_h * layer.out_w}
    return {**fields, **whole, "window_h": 3, "window_w": 3, "relu": 0}


def forward_rows(images: int, layer: Layer, turned: bool) -> Iterator[tuple[str, Table]]:
    """Forward, or the input gradient of a layer whose channels are this one's filters."""
    pixels = images * layer.out_h * layer.out_w
    c, f = layer.in_channels, layer.out_channels
    x, y, bias = floats(pixels * c), floats(pixels * f), floats(padded(f))
    weight = floats((padded(c) * f if turned else padded(f) * c) * 9)
    turned_weight = floats(padded(f) * 9 * c)
    yield (
        "direct",
        table(
            FORWARD[0], 1, x=x, weight=turned_weight, bias=None if turned else bias, y=y,
            **direct_fields(images, layer),
        ),
    )  # fmt: skip
    for m in winograd.SIDES[3]:
        prepared = floats(winograd.prepared_floats(m, c, f))
        channels, filters = (f, c) if turned else (c, f)
        preparation = table(
            WINOGRAD_PREPARE[3][m][0], 1, weight=weight, prepared=prepared, channels=channels,
            filters=filters, turned=int(turned),
        )  # fmt: skip
        preparation.run()
        yield f"F{m} filters", preparation
        yield (
            f"F{m}",
            table(
                WINOGRAD_FORWARD[3][m][0], 1, x=x, prepared=prepared, bias=None if turned else bias,
                onto=None, y=y, **shape_fields(images, layer), relu=0,
                blocks=winograd.forward_cut(m, images, layer).blocks, groups=1,
            ),
        )  # fmt: skip


def weight_rows(images: int, layer: Layer) -> Iterator[tuple[str, Table]]:
    """The weight gradient."""
    pixels = images * layer.out_h * layer.out_w
    x, dy = floats(pixels * layer.in_channels), floats(pixels * layer.out_channels)
    size = padded(layer.out_channels) * 9 * layer.in_channels
    stride = size + padded(layer.out_channels)
    partials = floats(8 * stride)
    sums = {"partials": partials, "stride": stride, "bias_at": size}
    yield (
        "direct",
        table(
            WEIGHT_GRADIENT[0], min(8, images), x=x, weight=None, bias=None, y=None, dy=dy, **sums,
            **direct_fields(images, layer),
        ),
    )  # fmt: skip
    for m in winograd.SIDES[3]:
        cut = winograd.gradient_cut(m, images, layer)
        yield (
            f"F{m}",
            table(
                WINOGRAD_WEIGHT_GRADIENT[3][m][0], cut.parts, x=x, dy=dy, **sums,
                **shape_fields(images, layer), splits=cut.splits,
                channel_blocks=cut.channel_blocks, filter_blocks=cut.filter_blocks,
            ),
        )  # fmt: skip


def torch_seconds(images: int, layer: Layer, purpose: str, seconds: float) -> float:
    """PyTorch, channels_last, one thread, the same shape."""
    import torch

    torch.set_num_threads(1)
    side = (layer.out_h, layer.out_w)
    last = {"memory_format": torch.channels_last}
    x = torch.randn(images, layer.in_channels, *side).to(**last)
    w = torch.randn(layer.out_channels, layer.in_channels, 3, 3).to(**last)
    dy = torch.randn(images, layer.out_channels, *side).to(**last)
    if purpose == "forward":
        return best_seconds(lambda: torch.nn.functional.conv2d(x, w, padding=1), seconds)
    wanted = [purpose == "input", purpose == "weights", False]
    ones, none = [1, 1], [0, 0]
    back = torch.ops.aten.convolution_backward
    return best_seconds(
        lambda: back(dy, x, w, None, ones, ones, ones, False, none, 1, wanted), seconds
    )


def measure(shape: tuple[int, int, int, int], seconds: float, with_torch: bool) -> None:
    """Prints the three lines of one shape."""
    images, channels, filters, side = shape
    operations = 18e-9 * images * channels * filters * side * side
    forward, back = Layer(channels, filters, side, side), Layer(filters, channels, side, side)
    for purpose, layer, rows in (
        ("forward", forward, forward_rows(images, forward, False)),
        ("input", back, forward_rows(images, back, True)),
        ("weights", forward, weight_rows(images, forward)),
    ):
        rates = {name: operations / best_seconds(t.run, seconds) for name, t in rows}
        chosen = winograd.choose_side(
            layer, instruction_set(), "weights" if purpose == "weights" else "forward"
        )
        kernels = {name: rate for name, rate in rates.items() if "filters" not in name}
        share = kernels[f"F{chosen}" if chosen else "direct"] / max(kernels.values())
        line = "  ".join(f"{name} {rate:6.1f}" for name, rate in kernels.items())
        if with_torch:
            line += f"  torch {operations / torch_seconds(images, forward, purpose, seconds):6.1f}"
        spent = "".join(
            f"  F{m} filters {100 * rates[f'F{m}'] / rates[f'F{m} filters']:.1f} %"
            for m in winograd.SIDES[3]
            if f"F{m} filters" in rates
        )
        name = f"F{chosen}" if chosen else "direct"
        print(
            f"{shape!s:22} {purpose:8} {line}  -> {name} ({share:.2f} of the best){spent}",
            flush=True,
        )


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=0.3, help="for each row")
    parser.add_argument("--grid", action="store_true", help="small and odd shapes too")
    parser.add_argument("--torch", action="store_true", help="PyTorch beside them")
    parser.add_argument("--images", type=int, default=128, help="no larger batches than this")
    options = parser.parse_args()
    print(f"{instruction_set()}, one thread, GFLOPS counted as direct convolution")
    for images, *rest in SHAPES + (GRID if options.grid else ()):
        if images <= options.images or tuple(rest) not in {s[1:] for s in SHAPES}:
            measure((min(images, options.images), *rest), options.seconds, options.torch)


if __name__ == "__main__":
    main()
