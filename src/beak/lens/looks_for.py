"""What a filter, a unit or an answer looks for: the input that excites it most, by going uphill."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from beak.errors import UsageError
from beak.lens.explanation import Explanation
from beak.lens.subject import Array, Subject
from beak.lens.surface import Surface, Words, surface_of
from beak.network.network import Network

ANSWER = "answer"
"""In place of a layer: the answers' logits."""
MOST_UNITS = 256
START = 0.1
"""How far the first points are from 0, as a standard deviation."""


def looks_for(
    subject: Subject,
    layer: str | None = None,
    units: Sequence[int] | None = None,
    *,
    steps: int = 100,
    rate: float = 0.1,
    l1: float = 0.0,
    smooth: float = 0.0,
    seed: int = 0,
) -> Explanation:
    """For each filter (its map's mean), dense unit or answer (its logit): an input found uphill.

    Where a layer's ReLU is closed everywhere there is no way up: its sums before it show one.

    ``layer``: a node, or None or "answer" for the answers. ``units``: which channels of it, None
    is all, at most 256. The lecture's steps: a filter, a unit, an answer plain; an answer with
    ``l1``, the price of each number's distance from nothing, against the slope's mean size 1.
    ``smooth``: after each step so much of each place becomes its neighbours' mean. Points stay
    within the input's bounds where it has such; nothing is the least value there, else 0.

    Arrays: ``input`` (units, *shape), ``score`` before and after (units, 2), ``unit``; for texts
    ``word``, the numbers of the nearest words.
    """
    surface, sums = surface_of(subject), surface_of(before_activation(subject, layer))
    node = None if layer in (None, ANSWER) else subject.node(str(layer)).name
    shape = subject.network.output if node is None else subject.network.node(node).output
    channels = subject.answers if node is None else shape[0]
    chosen = _units(channels, units)
    low, high = _bounds(subject, surface)
    random = np.random.Generator(np.random.Philox(key=seed))
    first = random.normal(0, START, surface.shape).astype(np.float32)  # one start for all units
    points = np.repeat(np.clip(first, low, high)[None], len(chosen), 0)
    pull = _pull(chosen, (channels,) if node is None else shape)
    nothing = np.zeros((), np.float32) if subject.bounds is None else low
    start = _score(surface, points, pull, node)
    for _ in range(steps):
        slope = surface.gradient(points, pull, node)
        stuck = ~slope.reshape(len(slope), -1).any(1)
        if stuck.any():
            slope[stuck] = sums.gradient(points[stuck], pull[stuck], node)
        size = np.abs(slope).mean(tuple(range(1, slope.ndim)), keepdims=True)
        points = points + rate * slope / np.maximum(size, 1e-12)
        if l1:  # a proximal step: numbers that do not earn their price end at nothing exactly
            away = points - nothing
            points = nothing + np.sign(away) * np.maximum(np.abs(away) - rate * l1, 0)
        if smooth:
            points = (1 - smooth) * points + smooth * _neighbours(points)
        points = np.clip(points, low, high).astype(np.float32)
    score = np.stack([start, _score(surface, points, pull, node)], axis=1)
    arrays = {"input": points, "score": score.astype(np.float32), "unit": chosen}
    if isinstance(surface, Words):
        arrays["word"] = nearest_words(surface, points)
    what = "answer" if node is None else node
    facts = {
        "layer": what,
        "labels": [subject.label(int(u)) for u in chosen] if node is None else None,
        "steps": steps,
        "rate": rate,
        "l1": l1,
        "smooth": smooth,
        "seed": seed,
        "where": surface.start,
    }
    used = [f"{name} {value:g}" for name, value in (("L1", l1), ("smoothing", smooth)) if value]
    how = f"with {' and '.join(used)}" if used else "plain"
    many = len(chosen)
    whose = f"{many} answers" if node is None else f"{many} of {node}'s {channels} channels"
    caption = (
        f"What {whose} look for: the inputs that excite each most, found by {steps} steps uphill "
        f"from noise, {how}."
    )
    return Explanation("looks-for", caption, arrays, facts)


def before_activation(subject: Subject, layer: str | None) -> Subject:
    """The same network in which this layer gives its sums as they are."""
    if (
        layer in (None, ANSWER)
        or getattr(subject.node(str(layer)).layer, "activation", None) is None
    ):
        return subject
    told = subject.network.to_json()
    for data in told["nodes"]:
        if data["name"] == layer:
            del data["activation"]
    return replace(subject, network=Network.from_json(told))


def _units(channels: int, units: Sequence[int] | None) -> Array:
    chosen = np.array(range(min(channels, MOST_UNITS)) if units is None else list(units), np.int64)
    if not len(chosen) or len(chosen) > MOST_UNITS:
        raise UsageError(f"{len(chosen)} units were asked for; 1 to {MOST_UNITS} go at once")
    if chosen.min() < 0 or chosen.max() >= channels:
        raise UsageError(f"no unit {chosen.max()}; 0 to {channels - 1} are there")
    return chosen


def _bounds(subject: Subject, surface: Surface) -> tuple[Array, Array]:
    """Least and greatest value, to be broadcast over points."""
    if subject.bounds is None or surface.start != "input":
        return np.float32(-np.inf) * np.ones(()), np.float32(np.inf) * np.ones(())
    ones = (1,) * (len(surface.shape) - 1)
    low, high = (np.asarray(b, np.float32).reshape(-1, *ones) for b in subject.bounds)
    return low, high


def _pull(chosen: Array, shape: tuple[int, ...]) -> Array:
    """(units, *shape): the mean over the places of each unit's own channel."""
    pull = np.zeros((len(chosen), *shape), np.float32)
    places = int(np.prod(shape[1:]))
    pull[np.arange(len(chosen)), chosen] = 1 / places
    return pull


def _score(surface: Surface, points: Array, pull: Array, node: str | None) -> Array:
    values = surface.scores(points, node)
    result: Array = (values * pull).reshape(len(points), -1).sum(1, dtype=np.float64)
    return result


def _neighbours(points: Array) -> Array:
    """The mean of the places around each place, along all axes behind the channels."""
    axes = range(2, points.ndim) if points.ndim > 2 else ()
    total, count = np.zeros_like(points), 0
    for axis in axes:
        for step in (-1, 1):
            moved = np.roll(points, step, axis)
            edge = [slice(None)] * points.ndim
            edge[axis] = slice(0, 1) if step == 1 else slice(-1, None)
            moved[tuple(edge)] = points[tuple(edge)]
            total, count = total + moved, count + 1
    return total / count if count else points


def nearest_words(surface: Words, points: Array) -> Array:
    """For each place the word whose vector points most the same way: (units, places).

    The first table decides; places that it does not read come out as 0.
    """
    node, depth, places = surface.spans()[0]
    table = np.asarray(surface.subject.parameters[f"{node.name}.weight"], np.float32)
    length = np.linalg.norm(table, axis=1)
    unit = table / np.maximum(length, 1e-12)[:, None]
    found = np.zeros((len(points), points.shape[2]), np.int64)
    for row, point in zip(found, points, strict=True):
        likeness = unit @ point[depth, places]
        likeness[length < 1e-12] = -np.inf  # padding stands for no word
        row[places] = likeness.argmax(0)
    return found
