"""Measures which rows of convolutions win, and writes the limits into the choice table.

    python benchmarks/choices.py [--only TEXT] [--isa v3] [--seconds 0.02] [--write]

For each instruction set that this machine runs: the competing rows over many shapes, one thread,
and the limits at which their choice loses least time (the mean over all shapes of how much longer
the chosen row takes than the best). A limit that stands is kept unless another is better by more
than half a percent: each change of a row changes the last bits of trained weights. ``--only``
takes the limits whose name contains TEXT; ``--write`` writes src/beak/ops/convolution/choices.json.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from beak.ops.convolution import bench_pooled, bench_slide, bench_winograd, kernels, winograd
from beak.ops.convolution.bench_winograd import best_seconds, floats, table
from beak.ops.convolution.choices import PATH
from beak.ops.kernel import supported_sets
from beak.ops.panels import padded

ENOUGH = 0.005
SIDES = [0.5 * half for half in range(2, 33)]
"""Costs of a transform that are tried."""


class Case(NamedTuple):
    """One shape, and how long each row took; ``about`` is what the limit looks at."""

    about: tuple[Any, ...]
    seconds: dict[str, float]


class Limit(NamedTuple):
    """One entry of the table: which shapes are measured, what is tried, what it would choose."""

    place: tuple[str, ...]
    measure: Callable[[float], Iterator[Case]]
    tried: Sequence[Any]
    choose: Callable[[Any, tuple[Any, ...]], str]


def winograd_cases(purpose: str, seconds: float) -> Iterator[Case]:
    """3x3 convolutions: the direct row and both of Winograd's."""
    for images, c, f, side in bench_winograd.SHAPES + bench_winograd.GRID:
        images = min(images, max(1, 2**26 // (c * f * side * side)))
        layer = winograd.Layer(c, f, side, side)
        rows = (
            bench_winograd.weight_rows(images, layer)
            if purpose == "weights"
            else bench_winograd.forward_rows(images, layer, False)
        )
        times = {n: best_seconds(t.run, seconds) for n, t in rows if "filters" not in n}
        yield Case((c, f, side), times)


def winograd_choice(purpose: str) -> Callable[[Any, tuple[Any, ...]], str]:
    """The row that given costs of the transforms choose."""

    def choose(costs: Any, about: tuple[Any, ...]) -> str:
        c, f, side = about
        chosen = winograd.cheapest_side(winograd.Layer(c, f, side, side), tuple(costs), purpose)
        return f"F{chosen}" if chosen else "direct"

    return choose


def pooled_cases(seconds: float) -> Iterator[Case]:
    """Weight gradients of pooled convolutions of 1 to 12 channels."""
    rows = dict(zip(("few", "many"), kernels.POOLED_WEIGHT_GRADIENT, strict=True))
    for channels, filters, window in itertools.product(
        (1, 2, 3, 4, 5, 6, 8, 10, 12), (8, 25, 64), (3, 5)
    ):
        layer = bench_pooled.Layer(8, 20, channels, filters, window)
        arrays = bench_pooled.make_arrays(layer)
        works = {name: bench_pooled.table(layer, row, arrays) for name, row in rows.items()}
        yield Case((channels,), {n: best_seconds(w.run, seconds) for n, w in works.items()})


def slide_cases(seconds: float) -> Iterator[Case]:
    """Windows along sequences, of which only the maximum counts; a step prepares its filters."""
    for window, out, (channels, filters) in itertools.product(
        (2, 3, 4, 5), (1, 2, 3, 5, 8, 13, 52), ((16, 16), (64, 100), (300, 100))
    ):
        shape = {
            "images": 32, "in_h": 1, "in_w": out + window - 1, "channels": channels, "out_h": 1,
            "out_w": out, "filters": filters, "window_h": 1, "window_w": window, "stride_h": 1,
            "stride_w": 1, "dilation_h": 1, "dilation_w": 1, "pad_top": 0, "pad_left": 0, "relu": 1,
        }  # fmt: skip
        arrays = {
            "x": floats(32 * shape["in_w"] * channels), "bias": floats(padded(filters)),
            "y": floats(32 * filters), "winners": floats(32 * filters),
        }  # fmt: skip
        weight = floats(padded(filters) * window * channels)
        prepared = floats(padded(filters) * 6 * channels)
        direct = table(kernels.GLOBAL_MAX_FORWARD[0], 1, weight=weight, **arrays, **shape)
        prepare = table(
            kernels.GLOBAL_MAX_WINOGRAD_PREPARE[0], 1, weight=weight, prepared=prepared,
            window=window, channels=channels, filters=filters,
        )  # fmt: skip
        slide = table(kernels.GLOBAL_MAX_WINOGRAD[0], 1, prepared=prepared, **arrays, **shape)
        times = {
            "direct": best_seconds(direct.run, seconds),
            "winograd": best_seconds(slide.run, seconds) + best_seconds(prepare.run, seconds),
        }
        yield Case((window, out), times)


def row_cases(seconds: float) -> Iterator[Case]:
    """Windows along rows: forward and gradients together, direct and by Winograd.

    Without the input's gradient for a single channel, which is the input of a network.
    """
    sizes = ((1, 7), (1, 30), (1, 200), (9, 9), (14, 30))
    for size, channels, filters, height, width in itertools.product(
        sizes, (1, 16, 64), (16, 100), (1, 4, 9), (2, 3, 4, 5, 7, 8)
    ):
        if height > size[0] or width > size[1]:
            continue
        images = max(1, 2**22 // (size[0] * size[1] * channels * filters))
        layer, calls, _ = bench_slide.measured(images, size, channels, filters, (height, width))
        if channels == 1:
            del calls["input"]
        direct, slide = (
            sum(best_seconds(pair[i].run, seconds) for pair in calls.values()) for i in (0, 1)
        )
        about = (channels, filters, layer.out_h, layer.out_w, layer.window, size[0])
        yield Case(about, {"direct": direct, "winograd": slide})


def row_choice(cost: Any, about: tuple[Any, ...]) -> str:
    """The row that a given cost of the transforms chooses."""
    *shape, window, in_h = about
    layer = winograd.Layer(*shape, window=tuple(window), padding=(0, 0))
    return "winograd" if winograd.slide_pays(layer, in_h, cost) else "direct"


LIMITS = (
    *(
        Limit(
            ("transform", purpose),
            lambda seconds, purpose=purpose: winograd_cases(purpose, seconds),  # type: ignore[misc]
            [list(pair) for pair in itertools.product(SIDES, SIDES)],
            winograd_choice(purpose),
        )
        for purpose in ("forward", "weights")
    ),
    Limit(
        ("few_channels",),
        pooled_cases,
        list(range(13)),
        lambda limit, about: "few" if about[0] <= limit else "many",
    ),
    Limit(
        ("slide_transform",), row_cases, [*SIDES, 18.0, 20.0, 24.0, 28.0, 34.0, 40.0], row_choice
    ),
    Limit(
        ("slide_work",),
        slide_cases,
        [round(0.05 * n, 2) for n in range(8, 21)],  # its error is larger: no more products
        lambda limit, about: "winograd" if winograd.slide_work(*about) <= limit else "direct",
    ),
)


def loss(limit: Limit, value: Any, cases: Sequence[Case]) -> float:
    """How much longer the chosen rows take than the best, in logarithms, on average."""
    over = (
        math.log(case.seconds[limit.choose(value, case.about)] / min(case.seconds.values()))
        for case in cases
    )
    return math.fsum(over) / len(cases)


def best(limit: Limit, present: Any, cases: Sequence[Case]) -> tuple[Any, float, float]:
    """The value to write, its loss, and the present one's."""
    losses = [loss(limit, value, cases) for value in limit.tried]
    before = loss(limit, present, cases)
    if before <= min(losses) + ENOUGH:
        return present, before, before
    ties = [v for v, x in zip(limit.tried, losses, strict=True) if x <= min(losses) + 1e-12]
    return ties[len(ties) // 2], min(losses), before


def measured(isa: str, only: str, seconds: float) -> dict[str, list[Case]]:
    """All cases of one instruction set, from a process that loaded it."""
    command = [sys.executable, __file__, "--measure", "--seconds", str(seconds), "--only", only]
    done = subprocess.run(
        command, env={**os.environ, "BEAK_ISA": isa}, stdout=subprocess.PIPE, text=True, check=True
    )
    found = json.loads(done.stdout)
    return {
        name: [Case(tuple(about), times) for about, times in cases] for name, cases in found.items()
    }


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", default="", help="limits whose name contains this")
    parser.add_argument("--isa", choices=supported_sets(), help="one instruction set only")
    parser.add_argument("--seconds", type=float, default=0.02, help="for each row and shape")
    parser.add_argument("--write", action="store_true", help="write the choice table")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    limits = [limit for limit in LIMITS if options.only in " ".join(limit.place)]
    if options.measure:
        print(json.dumps({" ".join(m.place): list(m.measure(options.seconds)) for m in limits}))
        return
    chosen = json.loads(PATH.read_text())
    for isa in [options.isa] if options.isa else supported_sets():
        cases = measured(isa, options.only, options.seconds)
        for limit in limits:
            update(chosen[isa], limit, cases[" ".join(limit.place)], isa)
    if options.write:
        PATH.write_text(written(chosen))


def update(row: dict[str, Any], limit: Limit, cases: Sequence[Case], isa: str) -> None:
    """Put the best value into an instruction set's row, and say what it is."""
    for name in limit.place[:-1]:
        row = row[name]
    name = limit.place[-1]
    value, after, before = best(limit, row[name], cases)
    print(
        f"{isa} {' '.join(limit.place)}: {row[name]} loses {100 * before:.1f} %, "
        f"written {value}, {100 * after:.1f} % of {len(cases)} shapes"
    )
    row[name] = value


def written(chosen: dict[str, Any]) -> str:
    """The table as its file has it: one instruction set a line."""
    lines = (f"  {json.dumps(isa)}: {json.dumps(row)}" for isa, row in chosen.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    main()
