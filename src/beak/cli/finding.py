"""What ``beak train SOURCE --find-lr`` shows."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import numpy as np

from beak.cli.console import make_console, print_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from beak.train.find_lr import LearningRates

HEIGHT = 6
BLOCKS = " ▁▂▃▄▅▆▇█"


def find_learning_rate(source: str | None, options: dict[str, Any], as_json: bool) -> None:
    """Run the range test and show the loss over the rate, and the rate to take."""
    from beak.train.find_lr import find_lr

    taken = (
        "network", "recipe", "kind", "seed", "data_dir", "threads", "engine", "device",
    )  # fmt: skip
    settings = {name: options[name] for name in taken}
    exact = ["exact=true"] if options["exact"] else []
    found = find_lr(source, set=[*options["settings"], *exact], **settings)
    if as_json:
        print_json(found.to_json())
        return
    show_rates(found, [source or "", *typed(options)])


def typed(options: dict[str, Any]) -> list[str]:
    """The options that say what is trained, as they were typed."""
    names = ("network", "recipe", "kind", "seed", "data_dir")
    given = [(f"--{name.replace('_', '-')}", options[name]) for name in names]
    given += [("--set", setting) for setting in options["settings"]]
    return [word for name, value in given if value is not None for word in (name, str(value))]


def show_rates(found: LearningRates, words: Sequence[str]) -> None:
    """The curve as a chart of characters, the suggestion, and how to use it.

    ``words``: what was typed behind ``beak train``.
    """
    console = make_console()
    width = min(72, console.width - 12)
    lines = chart(found.smoothed, width)
    top, bottom = max(found.smoothed), min(found.smoothed)
    for i, line in enumerate(lines):
        edge = {0: f"{top:.3g}", len(lines) - 1: f"{bottom:.3g}"}.get(i, "")
        console.print(f"{edge:>8}  {line}", no_wrap=True)
    first, last = f"{found.rates[0]:.1g}", f"{found.rates[-1]:.1g}"
    console.print(f"{'loss':>8}  {first}{last.rjust(len(lines[0]) - len(first))}", style="dim")
    console.print(f"{'':10}learning rate, each step the same factor higher\n", style="dim")
    console.print(f"A rate well below the least loss: {found.suggestion:g}. To train with it:")
    chosen = ("--set", f"optimiser.learning_rate={found.suggestion:g}")
    command = shlex.join(["beak", "train", *filter(None, words), *chosen])
    console.print(f"  {command}", style="command", soft_wrap=True)


def chart(values: Sequence[float], width: int) -> list[str]:
    """Values as columns of eighths of a character, ``HEIGHT`` lines high."""
    places = np.linspace(0, len(values) - 1, width)
    curve = np.interp(places, np.arange(len(values)), np.asarray(values, np.float64))
    spread = curve.max() - curve.min()
    eighths = np.rint((curve - curve.min()) / (spread or 1.0) * (8 * HEIGHT - 1)).astype(int) + 1
    return [
        "".join(BLOCKS[int(np.clip(e - 8 * row, 0, 8))] for e in eighths)
        for row in reversed(range(HEIGHT))
    ]
