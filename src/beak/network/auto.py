"""Which network of the catalogue suits some data, and why: what `auto` stands for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from beak.network.layer import Shape
from beak.network.named import make_network, options_of
from beak.network.network import Network, input_shape
from beak.shapes import shape_text

MANY_EXAMPLES = 20_000
"""From here on a deeper network pays for small colour pictures."""
FEW_EXAMPLES = 5_000
"""Below, a network of 300,000 parameters sees all there is to see in minutes instead of an hour."""
FEW_POSITIONS = 100_000
"""Positions of Go, some 500 games, below which a smaller go-small learns as much in less time."""
BUDGET = 85_000_000
"""Multiply-adds for a picture: an epoch of 1,000 pictures then takes seconds on two cores."""
BUDGET_OF_FEW = 20_000_000
"""The same where examples are few: 82 % on 1,399 cats and dogs of 64x64 come from 16 million."""
PHOTOGRAPHS: tuple[dict[str, Any], ...] = (
    {"width": 32, "stem_stride": 2},
    {"width": 24, "stem_stride": 2},
    {"width": 16, "stem_stride": 2},
    {"width": 32, "stem_stride": 2, "stem_pool": True},
    {"width": 24, "stem_stride": 2, "stem_pool": True},
    {"width": 16, "stem_stride": 2, "stem_pool": True},
)
"""resnet8 for larger and larger pictures; the first within the budget is taken."""


@dataclass(frozen=True)
class Choice:
    """A network that was chosen: ``make_network(name, …, **options)`` makes it again."""

    name: str
    network: Network
    why: str
    """One line."""
    options: Mapping[str, Any] = field(default_factory=dict)


def choose_network(
    shape: Sequence[int],
    classes: int,
    examples: int,
    kind: str = "pictures",
    options: Mapping[str, Any] | None = None,
) -> Choice:
    """The network that trains well from scratch on a few cores for this input and so many examples.

    ``kind``: what the examples are, as the data's spec names it. ``options``: fields of the network
    that the data fix or the user wants; the chosen one takes those that it knows.

    >>> choice = choose_network((1, 28, 28), classes=10, examples=60_000)
    >>> choice.name, choice.why
    ('lecture', 'small grey pictures (28x28): two convolutions with pooling are enough')
    """
    shape = input_shape(shape)
    name, chosen, why = RULES.get(kind, _rule)(shape, classes, examples)
    if kind == "sounds" and "axis" in (options or {}):
        name, chosen, why = "spectrogram-frequency", {}, "the network whose filters can be turned"
    known = options_of(name)
    all_options = {**chosen, **{k: v for k, v in (options or {}).items() if k in known}}
    return Choice(name, make_network(name, shape, classes, **all_options), why, all_options)


def _rule(shape: Shape, classes: int, examples: int) -> tuple[str, dict[str, Any], str]:
    text = shape_text(shape[1:]) if len(shape) == 3 else shape_text(shape)
    if len(shape) != 3:
        return "dense", {}, f"{text} is no picture: every input may matter with every other"
    if min(shape[1:]) < 8:
        return "dense", {}, f"pictures of {text} are too small for windows to slide over"
    area = shape[1] * shape[2]
    if shape[0] == 1 and min(shape[1:]) >= 10 and area <= 36 * 36:
        why = f"small grey pictures ({text}): two convolutions with pooling are enough"
        return "lecture", {}, why
    if area <= 48 * 48:
        if examples >= MANY_EXAMPLES:
            why = f"small pictures ({text}) and {examples:,} examples: depth pays"
            return "resnet20", {}, f"{why}; resnet8 is three times faster and a little worse"
        why = f"small pictures ({text}) and {examples:,} examples: residual, with few parameters"
        return "resnet8", {}, why
    return _photograph(shape, classes, examples, text)


def _texts(shape: Shape, classes: int, examples: int) -> tuple[str, dict[str, Any], str]:
    why = "windows over word vectors find phrases; words and pairs vote beside as a strong baseline"
    return "sentence-pairs", {}, f"texts: {why}"


Rule = Callable[[Shape, int, int], tuple[str, dict[str, Any], str]]
RULES: dict[str, Rule] = {
    "pictures": _rule,
    "numbers": _rule,
    "sounds": lambda *a: _sound(*a),
    "texts": _texts,
    "go": lambda *a: _go(*a),
}
"""For each kind of input: (shape, classes, examples) to name, options and why."""


def _sound(shape: Shape, classes: int, examples: int) -> tuple[str, dict[str, Any], str]:
    if len(shape) != 3 or min(shape[1:]) < 8:
        return "dense", {}, f"{shape_text(shape)} is no spectrogram for windows to slide over"
    why = f"spectrograms of {shape_text(shape[1:])} (frames x bands): residual, few parameters"
    return "keyword", {} if examples >= MANY_EXAMPLES else {"width": 16}, why


def _go(shape: Shape, classes: int, examples: int) -> tuple[str, dict[str, Any], str]:
    few = examples < FEW_POSITIONS
    why = f"{examples:,} positions of Go as {shape[0]} planes: residual, without pooling"
    options = {"width": 32, "blocks": 3} if few else {}
    return "go-small", options, f"{why}, small enough for a laptop"


def _photograph(
    shape: Shape, classes: int, examples: int, text: str
) -> tuple[str, dict[str, Any], str]:
    few = examples < MANY_EXAMPLES
    budget = BUDGET_OF_FEW if examples < FEW_EXAMPLES else BUDGET
    for sizes in PHOTOGRAPHS:
        options = {**sizes, "stages": 4, **({"dropout": 0.2} if few else {})}
        cost = make_network("resnet8", shape, classes, **options).multiply_adds
        if cost <= budget:
            break
    how = "with dropout" if few else "without dropout"
    stem = f"a stem that takes them to 1/{4 if 'stem_pool' in options else 2} of their size"
    why = (
        f"photographs of {text}, {examples:,} examples: residual, {stem}, "
        f"{options['width']} to {8 * options['width']} filters, {how}; "
        f"{cost / 1e6:.0f} million multiply-adds for each"
    )
    return "resnet8", options, why
