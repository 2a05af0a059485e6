"""A picture of where a training step's time goes, measured here: docs/cycles.svg.

python benchmarks/cycles.py [--network lecture] [--batch 128] [--out docs/cycles.svg]
"""

from __future__ import annotations

import argparse
from html import escape
from pathlib import Path

from peers import processor
from works import NETWORKS

from beak.engine.measure import LayerTime, measure
from beak.ops.kernel import default_threads, instruction_set
from beak.ops.peak.kernels import fma_peak

OUT = Path(__file__).parents[1] / "docs" / "cycles.svg"
WIDTH, LEFT, ROW, BAR = 760, 150, 30, 18
COLOURS = {"forward": "#3b6ea8", "backward": "#c8823a"}


def picture(layers: tuple[LayerTime, ...], peak: float, title: str) -> str:
    """A bar for each layer: forward, then backward; its time, its share of the peak."""
    room = WIDTH - LEFT - 190
    longest = max(layer.seconds for layer in layers)
    whole = sum(layer.seconds for layer in layers)
    lines = [text(8, 20, title, "bold"), *legend()]
    for number, layer in enumerate(layers):
        y, x = 64 + number * ROW, float(LEFT)
        lines.append(text(LEFT - 8, y + 13, layer.layer, anchor="end"))
        for way, seconds in (("forward", layer.forward), ("backward", layer.backward)):
            width = room * seconds / longest
            lines.append(
                f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{BAR}" '
                f'fill="{COLOURS[way]}"/>'
            )
            x += width
        share = layer.share(peak)
        said = f"{1e6 * layer.seconds:,.0f} us, {100 * layer.seconds / whole:.0f} %"
        if share is not None:
            said += f"; {100 * share:.0f} % of peak"
        lines.append(text(x + 6, y + 13, said))
    height = 64 + len(layers) * ROW + 8
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="sans-serif" font-size="12">\n'
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>\n' + "\n".join(lines) + "\n</svg>\n"
    )


def legend() -> list[str]:
    marks = []
    for i, (name, colour) in enumerate(COLOURS.items()):
        x = LEFT + 110 * i
        marks.append(f'<rect x="{x}" y="36" width="12" height="12" fill="{colour}"/>')
        marks.append(text(x + 18, 46, name))
    return marks


def text(x: float, y: float, said: str, weight: str = "normal", anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y}" font-weight="{weight}" text-anchor="{anchor}" '
        f'fill="#222">{escape(said)}</text>'
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", default="lecture", choices=NETWORKS)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--threads", type=int, default=default_threads())
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    peak = fma_peak(given.threads, 1.0)
    speed = measure(
        NETWORKS[given.network](), given.batch, "train",
        threads=given.threads, seconds=given.seconds,
    )  # fmt: skip
    share = 100 * speed.rate * speed.operations / peak
    title = (
        f"{given.network}, a training step of {given.batch}: {speed.rate:,.0f} a second, "
        f"{share:.0f} % of {peak / 1e9:.0f} GFLOPS ({processor()}, {instruction_set()}, "
        f"{given.threads} threads)"
    )
    given.out.write_text(picture(speed.layers, peak, title))
    print(f"{title}\n{given.out}")


if __name__ == "__main__":
    main()
