"""Measures depthwise convolutions: GFLOPS of one thread, the grouped row beside it.

    BEAK_ISA=v3 python -m beak.ops.convolution.bench_depthwise [--seconds 0.3] [--torch]

Forward, input gradient (of stride 1) and weight gradient of each layer; the best of many runs.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any, NamedTuple

from beak.ops.convolution import kernels
from beak.ops.convolution.bench_winograd import best_seconds, floats, table
from beak.ops.kernel import Table, instruction_set
from beak.ops.panels import padded


class Layer(NamedTuple):
    """Padding is half the window; sizes in pixels."""

    images: int
    side: int
    channels: int
    each: int = 1
    window: int = 3
    stride: int = 1

    @property
    def out(self) -> int:
        """The output's side."""
        return (self.side - 1) // self.stride + 1

    @property
    def filters(self) -> int:
        """Outputs in all."""
        return self.channels * self.each

    @property
    def gigaflops(self) -> float:
        """Two for each multiply-add, padding counted."""
        return 2e-9 * self.images * self.out**2 * self.filters * self.window**2

    def __str__(self) -> str:
        return (
            f"{self.images} x {self.side}x{self.side}x{self.channels} -> {self.filters}, "
            f"{self.window}x{self.window}, stride {self.stride}"
        )


LAYERS = (
    Layer(16, 112, 32), Layer(16, 112, 64, stride=2), Layer(16, 28, 256), Layer(16, 14, 512),
    Layer(16, 7, 1024), Layer(16, 28, 144, window=5), Layer(64, 32, 24),
    Layer(16, 28, 64, each=2), Layer(16, 28, 16, each=8), Layer(16, 28, 16, each=16),
    Layer(16, 28, 8, each=32),
)  # fmt: skip
"""MobileNets' layers, a small network's, and several filters for each channel."""


def fields(layer: Layer, turned: bool = False) -> dict[str, int]:
    """The kernels' whole numbers; ``turned``: the input gradient's."""
    ones = ("dilation_h", "dilation_w", "spread_h", "spread_w", "bands", "y_step")
    inputs, outputs = layer.channels, layer.filters
    if turned:
        inputs, outputs = outputs, inputs
    return {
        **dict.fromkeys(ones, 1), "images": layer.images, "groups": layer.channels,
        "in_h": layer.side, "in_w": layer.side, "in_channels": inputs,
        "out_h": layer.out, "out_w": layer.out, "out_channels": outputs,
        "window_h": layer.window, "window_w": layer.window, "relu": 0,
        "stride_h": layer.stride, "stride_w": layer.stride,
        "pad_top": layer.window // 2, "pad_left": layer.window // 2,
        "y_row": layer.out, "y_image": layer.out**2,
    }  # fmt: skip


def forward_rows(layer: Layer, turned: bool) -> Iterator[tuple[str, Table]]:
    """Forward, or the input gradient; the filters lie ready in both rows' forms."""
    f = fields(layer, turned)
    x = floats(layer.images * f["in_h"] ** 2 * f["in_channels"])
    y = floats(layer.images * f["out_h"] ** 2 * f["out_channels"])
    terms = layer.window**2 * f["in_channels"] // layer.channels
    panels = layer.channels * padded(f["out_channels"] // layer.channels)
    arrays = {"x": x, "y": y, "bias": None}
    yield "grouped", table(kernels.FORWARD[0], 1, weight=floats(panels * terms), **arrays, **f)
    weight = floats(layer.filters * layer.window**2)
    yield "depthwise", table(kernels.DEPTHWISE_FORWARD[0], 1, weight=weight, **arrays, **f)


def weight_rows(layer: Layer) -> Iterator[tuple[str, Table]]:
    """The weight gradient, without the sum of its parts."""
    f = fields(layer)
    arrays: dict[str, Any] = {
        "x": floats(layer.images * layer.side**2 * layer.channels),
        "dy": floats(layer.images * layer.out**2 * layer.filters),
        "weight": None, "bias": None, "y": None,
    }  # fmt: skip
    for name, row, filters in (
        ("grouped", kernels.WEIGHT_GRADIENT[0], layer.channels * padded(layer.each)),
        ("depthwise", kernels.DEPTHWISE_WEIGHT_GRADIENT[0], layer.filters),
    ):
        size = filters * layer.window**2
        sums = {"partials": floats(8 * (size + filters)), "stride": size + filters}
        yield name, table(row, min(8, layer.images), **arrays, **f, **sums, bias_at=size)


def torch_seconds(layer: Layer, purpose: str, seconds: float) -> float:
    """PyTorch, channels_last, one thread, the same shape."""
    import torch

    torch.set_num_threads(1)
    last = {"memory_format": torch.channels_last}
    x = torch.randn(layer.images, layer.channels, layer.side, layer.side).to(**last)
    w = torch.randn(layer.filters, 1, layer.window, layer.window)
    dy = torch.randn(layer.images, layer.filters, layer.out, layer.out).to(**last)
    half, groups = layer.window // 2, layer.channels
    if purpose == "forward":
        run = torch.nn.functional.conv2d
        return best_seconds(lambda: run(x, w, None, layer.stride, half, 1, groups), seconds)
    wanted = [purpose == "input", purpose == "weights", False]
    back, stride, pads = torch.ops.aten.convolution_backward, [layer.stride] * 2, [half] * 2
    return best_seconds(
        lambda: back(dy, x, w, None, stride, pads, [1, 1], False, [0, 0], groups, wanted), seconds
    )


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=0.3, help="for each row")
    parser.add_argument("--torch", action="store_true", help="PyTorch beside them")
    options = parser.parse_args()
    print(f"{instruction_set()}, one thread, GFLOPS")
    for layer in LAYERS:
        purposes = {"forward": forward_rows(layer, False), "weights": weight_rows(layer)}
        if layer.stride == 1:
            purposes["input"] = forward_rows(layer, True)
        for purpose, rows in purposes.items():
            rates = {
                name: layer.gigaflops / best_seconds(t.run, options.seconds) for name, t in rows
            }
            if options.torch:
                seconds = torch_seconds(layer, purpose, options.seconds)
                rates["torch"] = layer.gigaflops / seconds
            line = "  ".join(f"{name} {rate:6.1f}" for name, rate in rates.items())
            print(f"{layer!s:42} {purpose:8} {line}", flush=True)


if __name__ == "__main__":
    main()
