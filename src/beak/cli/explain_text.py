"""An explanation in a few lines of text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from beak.cli.colours import number
from beak.cli.console import plain
from beak.cli.explain_board import COLUMNS
from beak.lens.ask import phrase
from beak.lens.explanation import Explanation

MOST_LINES = 12


def print_explanation(told: Explanation) -> None:
    """The caption, and what can be told in lines."""
    print(plain(told.caption))
    for line in LINES.get(told.what, _nothing)(told):
        print(plain(line))


def _nothing(told: Explanation) -> Iterator[str]:
    yield "The numbers: --json; a picture: --out FILE.png"


def _moved(told: Explanation) -> Iterator[str]:
    heat = told["heat"]
    about = told.facts.get("input", {})
    names = about.get("places") or ()
    board = len(heat) if about.get("kind") == "go" and heat.ndim == 2 else 0
    for k in np.argsort(-np.abs(heat).ravel(), kind="stable")[:MOST_LINES]:
        place = tuple(int(i) for i in np.unravel_index(int(k), heat.shape))
        value = float(heat[place])
        if value == 0:
            return
        yield f"  {number(value):>9}  {_place(place, names, board)}"


def _place(place: tuple[int, ...], names: Sequence[str], board: int) -> str:
    """A word, a point of a board as players call it, or numbers."""
    if board:
        return f"{COLUMNS[place[1]]}{board - place[0]}"
    if len(place) == 1 and place[0] < len(names):
        return names[place[0]]
    return ", ".join(map(str, place))


def _arithmetic(told: Explanation) -> Iterator[str]:
    facts = told.facts
    order = np.argsort(-np.abs(told["product"]), kind="stable")[:MOST_LINES]
    for k in np.sort(order):
        source = facts["sources"][int(told["source"][k])]
        place = ", ".join(str(int(i)) for i in told["index"][k][: len(source["shape"])])
        cell = f"{source['name']}[{place}]" if told["inside"][k] else "padding"
        numbers = f"{number(told['input'][k]):>9} x {number(told['weight'][k]):>9}"
        yield f"  {cell:<28}{numbers} = {number(told['product'][k]):>9}"
    if len(told["product"]) > len(order):
        yield f"  … and {len(told['product']) - len(order):,} smaller terms"
    for constant in facts["constants"]:
        yield f"  {constant['name']:<28}{number(constant['value']):>33}"
    yield f"  sum {facts['sum']:.7g}"
    if facts["activation"]:
        yield f"  {facts['activation']['function']} of it {facts['value']:.7g}"
    yield f"  the engine's number {facts['engine']:.7g}, away by {facts['difference']:.1e}"
    if facts["fast"] is not None:
        fast = f"{facts['fast']:.7g}, away by {facts['fast_difference']:.1e}"
        yield f"  when predicting {fast}"


def _layers(told: Explanation) -> Iterator[str]:
    for row in told.facts["layers"]:
        shape = "x".join(map(str, row["shape"]))
        span = f"{number(row['least'])} to {number(row['greatest'])}"
        yield f"  {row['name']:<26}{row['kind']:<14}{shape:>12}  {span}"


def _forgives(told: Explanation) -> Iterator[str]:
    for row in told.facts["layers"]:
        yield f"  {row['name']:<26}{row['kind']:<14}{100 * row['change']:>7.1f} %"


def _patches(told: Explanation) -> Iterator[str]:
    names = told.facts["names"]
    for row in told.facts["layers"]:
        name = row["layer"]
        example, value = told[f"{name}.example"], told[f"{name}.value"]
        yield f"  {name}: {row['filters']} filters, {row['never_positive']} of them never above 0"
        for unit in range(min(len(example), MOST_LINES)):
            best = int(example[unit, 0])
            box = " x ".join(f"{a}:{b}" for a, b in told[f"{name}.box"][unit, 0])
            where = f"{names[str(best)]}  {box}"
            if (words := told.facts.get("words")) and f"{name}.patch" in told.arrays:
                where += f"  {phrase(told[f'{name}.patch'][unit, 0], words)}"
            yield f"    {unit:>4}  {number(float(value[unit, 0])):>8}  {where}"
        if len(example) > MOST_LINES:
            yield f"    … and {len(example) - MOST_LINES} more filters"


def _looks_for(told: Explanation) -> Iterator[str]:
    words = told.facts.get("words")
    if words is None:
        yield from _nothing(told)
        return
    for unit, own in list(zip(told["unit"], told["word"], strict=True))[:MOST_LINES]:
        yield f"  {int(unit):>4}  {phrase(own[:MOST_LINES], words)}"


def _alike(told: Explanation) -> Iterator[str]:
    for row in told.facts["layers"]:
        line = f"  {row['layer']:<20}{row['units']:>5} units, {len(row['dead'])} dead"
        line += f", {len(row['alike'])} pairs alike"
        if missed := row.get("most_missed"):
            line += f"; without unit {missed['unit']}: {100 * float(missed['accuracy']):.1f} %"
        yield line


def _twin(told: Explanation) -> Iterator[str]:
    for name, value in told.facts["edges"].items():
        yield f"  {name.replace('_', ' '):<16}{value:>14,}"


LINES: dict[str, Callable[[Explanation], Iterator[str]]] = {
    "moved": _moved,
    "arithmetic": _arithmetic,
    "activations": _layers,
    "forgives": _forgives,
    "patches": _patches,
    "looks-for": _looks_for,
    "alike": _alike,
    "twin": _twin,
}
"""What each explanation says in lines; the others are pictures."""
