"""Strongest patches: for each filter, where in a data set it answers most."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from beak.engine.interface import Engine
from beak.engine.make import make_engine
from beak.errors import UsageError
from beak.lens.explanation import Explanation
from beak.lens.subject import Array, Subject
from beak.lens.surface import BehindNode, surface_of
from beak.network.layer import count
from beak.network.network import Network, Node
from beak.network.receptive import Field, receptive_fields

Fetch = Callable[[Array], Array]
"""Gives the examples of these numbers (int64) as the network's inputs (B, *shape)."""

BATCH = 512
LARGEST_PATCHES = 20_000_000
"""Numbers that cut-out patches may take; beyond that only their places are told."""
CONVOLUTIONS = ("Conv1D", "Conv2D")


def strongest_patches(
    subject: Subject,
    fetch: Fetch,
    examples: int,
    layers: Sequence[str] | None = None,
    k: int = 9,
    listen: Callable[[int, int], None] | None = None,
) -> Explanation:
    """For each filter the ``k`` examples in which it answers most, and where in each.

    One pass over the examples in batches; memory does not grow with them. A filter's answer to an
    example is its map's largest number (a dense unit's is its own); each example counts once.
    ``layers``: None is all convolutions. Arrays, by layer: ``NAME.value`` and ``NAME.example``
    (filters, k), ``NAME.place`` (filters, k, axes) in its map, ``NAME.box`` (filters, k, axes, 2)
    from and up to in the input (of samples: in their spectrogram), ``NAME.patch`` (filters, k,
    *patch) cut out of it (NaN or -1 beyond its edge). Where fewer examples came than k,
    ``example`` is -1.
    """
    nodes = _chosen(subject, layers)
    if k < 1 or examples < 1:
        raise UsageError(f"k={k} of {examples} examples; at least one of each was wanted")
    engine = _maxima_engine(subject, nodes)
    _, numbers = _pass(engine, fetch, examples, k, listen)
    arrays: dict[str, Array] = {}
    seen, shape = _seen(subject, fetch)
    fields = receptive_fields(subject.network)
    at = 0
    found = _look_again(subject, fetch, nodes, numbers)
    told = []
    for node in nodes:
        width = node.output[0]
        example = numbers[:, at : at + width].T
        value, place = found[node.name]
        order = np.argsort(-value, axis=1, kind="stable")
        value, example = (np.take_along_axis(a, order, 1) for a in (value, example))
        place = np.take_along_axis(place, order[..., None], 1)
        box = boxes(fields[node.name], fields["input"], place)
        own = {"value": value, "example": example, "place": place, "box": box}
        patch = _cut(seen, shape, example, box, fields[node.name])
        own |= {} if patch is None else {"patch": patch}
        arrays |= {f"{node.name}.{name}": array for name, array in own.items()}
        silent = int((value[:, 0] <= 0).sum())
        told.append({"layer": node.name, "filters": width, "never_positive": silent})
        at += width
    facts = {"examples": examples, "k": k, "layers": told}
    filters = sum(node.output[0] for node in nodes)
    caption = (
        f"For each of {filters:,} filters, the places in {examples:,} examples that excite it most,"
        " the strongest first."
    )
    return Explanation("patches", caption, arrays, facts)


def _chosen(subject: Subject, layers: Sequence[str] | None) -> list[Node]:
    if layers is None:
        nodes = [n for n in subject.network.nodes if n.layer.kind in CONVOLUTIONS]
        if not nodes:
            raise UsageError("the network has no convolution; name layers, as --layer dense1")
        return nodes
    return [subject.node(name) for name in layers]


def _maxima_engine(subject: Subject, nodes: Sequence[Node]) -> Engine:
    """The network up to these nodes, ending in each one's largest numbers, all behind each other.

    Largest numbers alone leave the engine, not the maps: that is what makes one pass fast.
    """
    network = subject.network
    needed: set[str] = {node.name for node in nodes}
    for node in reversed(network.nodes):
        if node.name in needed:
            needed |= set(node.inputs)
    told = []
    for data, node in zip(network.to_json()["nodes"], network.nodes, strict=True):
        if node.name in needed:
            told.append(data | {"inputs": list(node.inputs)})
    ends = []
    for number, node in enumerate(nodes):
        kind = "GlobalMaxPool" if len(node.output) > 1 else "Flatten"
        ends.append(f"__largest{number}")
        told.append({"name": ends[-1], "kind": kind, "inputs": [node.name]})
    if len(ends) > 1:
        told.append({"name": "__all", "kind": "Concat", "inputs": ends})
    made = Network.from_json({"format": 1, "input": list(network.input), "nodes": told})
    own = {name: subject.parameters[name] for name in made.parameters}
    return make_engine(made, own, threads=subject.threads)


def _pass(
    engine: Engine,
    fetch: Fetch,
    examples: int,
    k: int,
    listen: Callable[[int, int], None] | None,
) -> tuple[Array, Array]:
    """The k largest answers (k, filters), the first example first where they tie, and whose."""
    width = engine.network.output[0]
    best = np.full((k, width), -np.inf, np.float32)
    whose = np.full((k, width), -1, np.int64)
    for begin in range(0, examples, BATCH):
        numbers = np.arange(begin, min(begin + BATCH, examples))
        values = engine.forward(fetch(numbers))
        better = (values > best[-1]).any(1)
        pool = np.concatenate([best, values[better]])
        owner = np.concatenate([whose, np.repeat(numbers[better, None], width, 1)])
        order = np.argsort(-pool, axis=0, kind="stable")[:k]
        best, whose = (np.take_along_axis(a, order, 0) for a in (pool, owner))
        if listen is not None:
            listen(int(numbers[-1]) + 1, examples)
    return best, whose


def _look_again(
    subject: Subject, fetch: Fetch, nodes: Sequence[Node], numbers: Array
) -> dict[str, tuple[Array, Array]]:
    """The chosen examples once more by the direct plan: each answer and its place in the map."""
    k = len(numbers)
    found: dict[str, tuple[Array, Array]] = {}
    at = 0
    spans: list[tuple[Node, Array]] = []
    for node in nodes:
        width, axes = node.output[0], len(node.output) - 1
        found[node.name] = np.full((width, k), -np.inf, np.float32), np.zeros((width, k, axes), int)
        spans.append((node, numbers[:, at : at + width].T))
        at += width
    wanted = np.unique(numbers[numbers >= 0])
    for begin in range(0, len(wanted), 32):
        some = wanted[begin : begin + 32]
        maps = subject.engine.activations(fetch(some))
        for node, example in spans:
            value, place = found[node.name]
            units, ranks = np.nonzero(np.isin(example, some))
            rows = np.searchsorted(some, example[units, ranks])
            own = maps[node.name][rows, units].reshape(len(rows), count(node.output[1:]))
            first = own.argmax(1)
            value[units, ranks] = own[np.arange(len(rows)), first]
            if len(node.output) > 1:
                where = np.unravel_index(first, node.output[1:])
                place[units, ranks] = np.stack(where, axis=-1)
    return found


def boxes(fields: tuple[Field, ...], whole: tuple[Field, ...], place: Array) -> Array:
    """(…, axes) places in a map -> (…, axes, 2) from and up to in the input, cut to it."""
    ends = []
    for axis, (field, sizes) in enumerate(zip(fields, whole, strict=True)):
        has = axis < place.shape[-1]
        at = place[..., axis] if has else np.zeros(place.shape[:-1], int)
        begin = field.start + field.jump * at
        end = np.stack([begin, begin + field.size], axis=-1)
        ends.append(np.clip(end, 0, sizes.places))
    if not ends:
        return np.zeros((*place.shape[:-1], 0, 2), int)
    return np.stack(ends, axis=-2)


def _seen(subject: Subject, fetch: Fetch) -> tuple[Fetch, tuple[int, ...]]:
    """What the boxes lie in, and its shape: the inputs, or the spectrograms made of samples."""
    surface = surface_of(subject)
    if isinstance(surface, BehindNode):
        return lambda numbers: surface.point(fetch(numbers)), surface.shape
    return fetch, subject.network.input


def _cut(
    fetch: Fetch,
    shape: tuple[int, ...],
    example: Array,
    box: Array,
    fields: tuple[Field, ...],
) -> Array | None:
    """What lies in the boxes: (filters, k, C, *patch); None where that is too much."""
    sizes = shape[len(shape) - len(fields) :]
    channels = shape[: len(shape) - len(fields)]
    patch = tuple(min(field.size, size) for field, size in zip(fields, sizes, strict=True))
    if not fields or example.size * count(channels) * count(patch) > LARGEST_PATCHES:
        return None
    wanted = np.unique(example[example >= 0])
    first = fetch(wanted[:1])
    words = np.issubdtype(first.dtype, np.integer)
    cut = np.full((*example.shape, *channels, *patch), -1 if words else np.nan, first.dtype)
    for begin in range(0, len(wanted), 256):
        some = wanted[begin : begin + 256]
        inputs = fetch(some)
        for unit, rank in zip(*np.nonzero(np.isin(example, some)), strict=True):
            row = inputs[np.searchsorted(some, example[unit, rank])]
            cut[unit, rank] = _one(row, box[unit, rank], patch, cut[unit, rank])
    return cut


def _one(row: Array, box: Array, patch: tuple[int, ...], empty: Array) -> Array:
    """One patch; a box that was cut at the input's beginning lies at the patch's end."""
    out, inside, target = empty.copy(), [], []
    for (begin, end), size in zip(box, patch, strict=True):
        inside.append(slice(begin, end))
        shift = size - (end - begin) if begin == 0 else 0
        target.append(slice(shift, shift + end - begin))
    lead = (slice(None),) * (row.ndim - len(inside))
    out[(*lead, *target)] = row[(*lead, *inside)]
    return out
