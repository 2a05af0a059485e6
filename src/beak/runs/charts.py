"""Curves and scales as SVG inside HTML: no scripts; colours come from the page's style."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from beak.runs.safe import one_line

WIDTH, HEIGHT = 520, 300
LEFT, RIGHT, TOP, BOTTOM = 52, 84, 16, 40
LABEL_GAP = 15
"""Units between the middles of two labels, so that they do not overlap."""


@dataclass(frozen=True)
class Line:
    """One curve: what it shows, its look (a class of the style) and a value (or None) a step."""

    label: str
    look: str
    values: Sequence[float | None]


def text(value: object, limit: int = 300) -> str:
    """Any text made safe to stand in HTML, control characters shown as escapes."""
    return html.escape(one_line(value, limit))


def percent(share: float, digits: int = 1) -> str:
    r"""A share in per cent; more digits rather than a rounding up to a false 100 %.

    >>> percent(0.98912), percent(0.99996), percent(1)
    ('98.9\xa0%', '99.996\xa0%', '100.0\xa0%')
    """
    while digits < 6 and share < 1 and float(f"{100 * share:.{digits}f}") >= 100:
        digits += 1
    return f"{100 * share:.{digits}f}\u00a0%"


def nice_ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers that span low to high.

    >>> nice_ticks(0.0, 2.3)
    [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]
    """
    if not high > low:
        high = low + (abs(low) or 1.0)
    raw = (high - low) / about
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * m for m in (1, 2, 2.5, 5, 10) if size * m >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(step * k, 12) for k in range(first, last + 1)]


def curves(
    title: str,
    lines: Sequence[Line],
    *,
    show: Callable[[float], str],
    ticks: Sequence[float] | None = None,
    highest: float | None = None,
) -> str:
    """Curves over epochs with both axes, each labelled at its end; gaps where values miss.

    ``ticks``: the value axis (made from the values when None); ``highest``: where it must end.
    """
    known = [v for line in lines for v in line.values if v is not None and math.isfinite(v)]
    if not known:
        return ""
    marks = list(ticks) if ticks else nice_ticks(min(0.0, *known), max(known))
    if highest is not None:
        marks = [m for m in marks if m <= highest + 1e-9]
    steps = max(len(line.values) for line in lines)
    low, high = marks[0], marks[-1]

    def across(step: float) -> float:
        free = WIDTH - LEFT - RIGHT
        return LEFT + (free / 2 if steps == 1 else free * (step - 1) / (steps - 1))

    def up(value: float) -> float:
        share = (min(max(value, low), high) - low) / (high - low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    parts = [_axes(marks, steps, across, up, show)]
    parts += [_curve(line, across, up, show) for line in lines]
    parts.append(_labels(lines, across, up))
    said = f"{text(title)} by epoch"
    body = "".join(parts)
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{said}">{body}</svg>'


def _axes(
    marks: Sequence[float],
    steps: int,
    across: Callable[[float], float],
    up: Callable[[float], float],
    show: Callable[[float], str],
) -> str:
    found = []
    for mark in marks:
        y = up(mark)
        found.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="tick" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">'
            f"{show(mark)}</text>"
        )
    for epoch in epoch_ticks(steps):
        found.append(
            f'<text class="tick" x="{across(epoch):.1f}" y="{HEIGHT - BOTTOM + 18}" '
            f'text-anchor="middle">{epoch}</text>'
        )
    middle = (LEFT + WIDTH - RIGHT) / 2
    found.append(
        f'<text class="tick" x="{middle}" y="{HEIGHT - 4}" text-anchor="middle">epoch</text>'
    )
    return "".join(found)


def epoch_ticks(steps: int) -> list[int]:
    """A few whole epochs: the first, the last and round ones between, none too near another.

    >>> epoch_ticks(12), epoch_ticks(100)
    ([1, 3, 6, 9, 12], [1, 20, 40, 60, 80, 100])
    """
    scales = (step * 10**power for power in range(7) for step in (1, 2, 3, 5))
    gap = next(step for step in scales if steps <= 5 * step)
    between = [e for e in range(gap, steps, gap) if e - 1 >= gap / 2 and steps - e >= gap / 2]
    return sorted({1, *between, steps})


def _curve(
    line: Line,
    across: Callable[[float], float],
    up: Callable[[float], float],
    show: Callable[[float], str],
) -> str:
    path, dots, pen = [], [], "M"
    for epoch, value in enumerate(line.values, 1):
        if value is None or not math.isfinite(value):
            pen = "M"
            continue
        x, y = across(epoch), up(value)
        path.append(f"{pen}{x:.1f} {y:.1f}")
        pen = "L"
        said = f"epoch {epoch}, {text(line.label)}: {show(value)}"
        dots.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6"><title>{said}</title></circle>')
    shown = "".join(dots) if len(dots) <= 40 else ""
    return f'<g class="{line.look}"><path d="{"".join(path)}"/>{shown}</g>'


def _labels(
    lines: Sequence[Line], across: Callable[[float], float], up: Callable[[float], float]
) -> str:
    """Each curve's name at its end, pushed apart where the ends meet."""
    ends = []
    for line in lines:
        last = max(
            (e for e, v in enumerate(line.values, 1) if v is not None and math.isfinite(v)),
            default=0,
        )
        if last:
            ends.append((up(float(line.values[last - 1] or 0.0)), line))
    ends.sort(key=lambda end: end[0])
    found, floor = [], -math.inf
    lowest = HEIGHT - BOTTOM - LABEL_GAP * (len(ends) - 1)
    for place, (y, line) in enumerate(ends):
        y = max(min(y, lowest + LABEL_GAP * place), floor)
        floor = y + LABEL_GAP
        x = WIDTH - RIGHT + 8
        found.append(
            f'<text class="{line.look} end" x="{x}" y="{y + 4:.1f}">{text(line.label)}</text>'
        )
    return "".join(found)


def interval_scale(
    accuracy: float, interval: tuple[float, float], baseline: tuple[str, float] | None
) -> str:
    """The accuracy with its interval on a line up to 100 %, the baseline on the same line.

    Written as places in per cent of the line, so that its words stay readable on any screen.
    """
    least = min(interval[0], baseline[1] if baseline else 1.0)
    low = max(0.0, math.floor((least - 0.02) * 20) / 20)

    def along(share: float) -> float:
        return 100 * (share - low) / (1 - low)

    def said(look: str, share: float, words: str) -> str:
        return f'<span class="{look}" style="{_beside(along(share))}">{words}</span>'

    ticks = [tick for tick in nice_ticks(low, 1.0) if low - 1e-9 <= tick <= 1 + 1e-9]
    found = [
        f'<span class="mark" style="left:{along(tick):.2f}%">{100 * tick:g}</span>'
        for tick in ticks
    ]
    begin, end = along(interval[0]), along(interval[1])
    found.append(f'<span class="band" style="left:{begin:.2f}%;width:{end - begin:.2f}%"></span>')
    found.append(f'<span class="point" style="left:{along(accuracy):.2f}%"></span>')
    found.append(said("this", accuracy, f"this network {percent(accuracy)}"))
    if baseline:
        name, share = baseline
        found.append(f'<span class="base" style="left:{along(share):.2f}%"></span>')
        found.append(said("that", share, f"{text(name, 40)} baseline {percent(share)}"))
    return f'<div class="scale">{"".join(found)}</div>'


def _beside(place: float) -> str:
    """Words centred at a place in per cent, or ending there when near an end."""
    if place < 22:
        return f"left:{place:.2f}%"
    if place > 78:
        return f"right:{100 - place:.2f}%"
    return f"left:{place:.2f}%;transform:translateX(-50%)"
