"""How fast the rows of pooled convolutions are: python -m beak.ops.convolution.bench_pooled

One thread, the best of many runs. GFLOPS count dense work (2 x multiply-adds of every output of the
convolution, padding counted), so that rows that skip work show more than the machine's peak.
PyTorch is slow with the C library's usual malloc: give both sides MALLOC_MMAP_THRESHOLD_=4000000000
MALLOC_TRIM_THRESHOLD_=8000000000 MALLOC_TOP_PAD_=268435456 in the environment.
"""

from __future__ import annotations

import argparse
import time
from typing import NamedTuple

import numpy as np

from beak.ops.convolution import kernels
from beak.ops.convolution.kernels import PooledShape
from beak.ops.kernel import Call, Kernel, Phase, Table, choose, fill, instruction_set
from beak.ops.panels import padded
from beak.ops.pooling import kernels as pooling


class Layer(NamedTuple):
    images: int
    side: int
    channels: int
    filters: int
    window: int = 3
    padding: int = 0

    @property
    def out(self):
        return self.side + 2 * self.padding - self.window + 1

    @property
    def gigaflops(self):
        terms = self.window**2 * self.channels * self.filters
        return 2e-9 * self.images * self.out**2 * terms

    def __str__(self):
        return (
            f"{self.images} x {self.side}x{self.side}x{self.channels} -> {self.filters}, "
            f"{self.window}x{self.window}, padding {self.padding}"
        )


LAYERS = (
    Layer(128, 28, 1, 25),  # the lecture's
    Layer(128, 13, 25, 50),
    Layer(128, 28, 1, 6, 5, 2),  # LeNet-5's
    Layer(128, 14, 6, 16, 5),
    Layer(64, 32, 3, 32, 3, 1),  # the usual ones for CIFAR-10
    Layer(64, 16, 32, 64, 3, 1),
    Layer(16, 32, 64, 64, 3, 1),
)


def aligned(array):
    """A copy that begins at a cache line, as tensors do in a plan."""
    room = np.zeros(array.nbytes + 64, np.uint8)
    begin = -room.ctypes.data % 64
    copy = room[begin : begin + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def make_arrays(layer):
    """All that the kernels read and write; forward has run, so that winners are real."""
    generator = np.random.default_rng(0)
    side, pooled, lanes = layer.side, layer.out // 2, padded(layer.filters)
    terms = layer.window**2 * layer.channels
    weight = np.zeros((lanes // 16, terms, 16), np.float32)
    scale = (2 / terms) ** 0.5
    for f in range(layer.filters):
        weight[f // 16, :, f % 16] = generator.normal(size=terms) * scale
    places = (layer.images, pooled, pooled)
    normal = lambda *shape: generator.normal(size=shape).astype(np.float32)  # noqa: E731
    arrays = {
        "x": normal(layer.images, side, side, layer.channels), "weight": weight,
        "bias": np.zeros(lanes, np.float32), "y": np.zeros((*places, layer.filters), np.float32),
        "winners": np.zeros((*places, lanes), np.uint8), "dy": normal(*places, layer.filters),
        "partials": np.zeros((1, weight.size + lanes), np.float32),
        "dx": np.zeros((layer.images, side, side, layer.channels), np.float32),
    }  # fmt: skip
    arrays = {name: aligned(array) for name, array in arrays.items()}
    table(layer, kernels.POOLED_FORWARD[-1], arrays).run(1)
    return arrays


def fields(layer):
    return {
        "images": layer.images, "in_h": layer.side, "in_w": layer.side,
        "channels": layer.channels, "filters": layer.filters,
        "pooled_h": layer.out // 2, "pooled_w": layer.out // 2,
        "window_h": layer.window, "window_w": layer.window,
        "pad_top": layer.padding, "pad_left": layer.padding, "bands": 1,
    }  # fmt: skip


def call(kernel, **values):
    """A call with those of the values that the kernel has fields for."""
    wanted = {name: values[name] for name, _ in kernel.args._fields_}
    return Call(kernel, fill(kernel, wanted), keep=tuple(wanted.values()))


def table(layer, row, arrays):
    """A row, and before it the packing of its weights."""
    values = {**arrays, **fields(layer)}
    values |= {"stride": arrays["partials"].size, "bias_at": arrays["weight"].size}
    calls = []
    if getattr(row, "prepare", None) is not None:
        shape = PooledShape((layer.window,) * 2, layer.channels, layer.filters)
        values["packed"] = aligned(np.zeros(row.packed(shape), np.float32))
        calls.append(call(row.prepare, **values))
        values["weight"] = values["packed"]
    return Table([Phase((*calls, call(row, **values)), 1)])


def unfused(layer, arrays):
    """By name the tables that do the same work with a kernel for each operation."""
    n, side, out = layer.images, layer.side, layer.out
    maps, dmaps = (np.zeros((n, out, out, layer.filters), np.float32) for _ in range(2))
    window = {"window_h": layer.window, "window_w": layer.window, "stride_h": 1, "stride_w": 1}
    ones = {"groups": 1, "dilation_h": 1, "dilation_w": 1, "spread_h": 1, "spread_w": 1, "bands": 1}
    shape = {
        "images": n, "in_h": side, "in_w": side, "in_channels": layer.channels, "out_h": out,
        "out_w": out, "out_channels": layer.filters, "pad_top": layer.padding,
        "pad_left": layer.padding, "relu": 1, **window, **ones,
        "y_step": 1, "y_row": out, "y_image": out * out,
    }  # fmt: skip
    back = shape | {
        "in_h": out, "in_w": out, "in_channels": layer.filters, "out_h": side, "out_w": side,
        "out_channels": layer.channels, "pad_top": layer.window - 1 - layer.padding,
        "pad_left": layer.window - 1 - layer.padding, "relu": 0,
        "y_row": side, "y_image": side * side,
    }  # fmt: skip
    pool = {
        "images": n, "channels": layer.filters, "in_h": out, "in_w": out, "out_h": out // 2,
        "out_w": out // 2, "window_h": 2, "window_w": 2, "stride_h": 2, "stride_w": 2,
        "pad_top": 0, "pad_left": 0,
        "winner": np.zeros((n, out // 2, out // 2, layer.filters), np.uint16),
    }  # fmt: skip
    x, dx, weight, bias = arrays["x"], arrays["dx"], arrays["weight"], arrays["bias"]
    turned = np.zeros(padded(layer.channels) * layer.window**2 * layer.filters, np.float32)
    partials = {
        "partials": np.zeros_like(arrays["partials"]), "stride": arrays["partials"].size,
        "bias_at": weight.size,
    }  # fmt: skip
    unpool = call(choose(pooling.MAX_POOL_BACKWARD), x=dmaps, y=arrays["dy"], **pool)
    forward = (
        call(choose(kernels.FORWARD), x=x, weight=weight, bias=bias, y=maps, **shape),
        call(choose(pooling.MAX_POOL_FORWARD), x=maps, y=arrays["y"].copy(), **pool),
    )
    weights = call(
        choose(kernels.WEIGHT_GRADIENT), x=x, weight=None, bias=None, y=None, dy=dmaps,
        **partials, **shape,
    )  # fmt: skip
    images = (
        call(
            choose(kernels.TURN_FILTERS), weight=weight, turned=turned, groups=1,
            window_h=layer.window, window_w=layer.window, channels=layer.channels,
            filters=layer.filters, first_h=0, first_w=0, step_h=1, step_w=1,
        ),
        call(choose(kernels.FORWARD), x=dmaps, weight=turned, bias=None, y=dx.copy(), **back),
    )  # fmt: skip
    return {
        "forward": Table([Phase(forward, 1)]),
        "weights": Table([Phase((unpool, weights), 1)]),
        "images": Table([Phase(images, 1)]),  # the way through the pool is counted above
    }


def best_time(run, seconds):
    """The best time of one run, tried for so many seconds."""
    run()
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
    return best


def torch_runs(layer, arrays):
    """The same with PyTorch in its faster layout; {} where it is not installed."""
    try:
        import torch
    except ImportError:
        return {}
    torch.set_num_threads(1)
    last = {"memory_format": torch.channels_last}
    x = torch.from_numpy(arrays["x"]).permute(0, 3, 1, 2).contiguous(**last)
    convolution = torch.nn.Conv2d(
        layer.channels, layer.filters, layer.window, padding=layer.padding
    )
    convolution = convolution.to(**last)
    dy = torch.from_numpy(arrays["dy"]).permute(0, 3, 1, 2)

    def forward(x=x):
        return torch.nn.functional.max_pool2d(torch.relu(convolution(x)), 2)

    def infer():
        with torch.no_grad():
            forward()

    def both(to_images):
        forward(x.detach().requires_grad_(to_images)).backward(dy)

    return {"forward": infer, "weights": lambda: both(False), "images": lambda: both(True)}


def torch_times(layer, arrays, seconds):
    """Backward's parts as differences: what forward, and what the weights' gradient, take."""
    found = {name: best_time(run, seconds) for name, run in torch_runs(layer, arrays).items()}
    if not found:
        return {}
    return {
        "forward": found["forward"],
        "weights": found["weights"] - found["forward"],
        "images": found["images"] - found["weights"],
    }


ROWS: tuple[tuple[str, tuple[Kernel, ...]], ...] = (
    ("forward", kernels.POOLED_FORWARD),
    ("weights", kernels.POOLED_WEIGHT_GRADIENT),
    ("images", kernels.POOLED_INPUT_GRADIENT),
)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="layers whose name contains this")
    parser.add_argument("--seconds", type=float, default=0.5, help="for each row")
    parser.add_argument("--all", action="store_true", help="rows that would not be chosen too")
    options = parser.parse_args()
    print(f"instruction set {instruction_set()}, one thread; us an image (GFLOPS of dense work)")
    for layer in LAYERS:
        if options.only not in str(layer):
            continue
        print(layer)
        arrays = make_arrays(layer)
        shape = PooledShape((layer.window,) * 2, layer.channels, layer.filters)
        plain, peer = unfused(layer, arrays), torch_times(layer, arrays, options.seconds)

        def show(name, seconds, layer=layer):
            rate = layer.gigaflops / max(seconds, 1e-9)
            print(f"    {name:40}{seconds / layer.images * 1e6:8.2f} ({rate:.0f})")

        for what, rows in ROWS:
            fit = [r for r in rows if instruction_set() in r.isa and r.takes(shape)]
            for row in fit if options.all else fit[:1]:
                work = table(layer, row, arrays)
                show(f"{what}: {row.name}", best_time(lambda w=work: w.run(1), options.seconds))
            show(f"{what}: unfused", best_time(lambda w=plain[what]: w.run(1), options.seconds))
            if peer:
                show(f"{what}: PyTorch", peer[what])


if __name__ == "__main__":
    main()
