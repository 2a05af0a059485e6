"""How alike and how dead: silent units, filters that are each other's copies, saturation, and how
much each filter would be missed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from beak.engine.interface import Engine
from beak.engine.make import make_engine
from beak.errors import UsageError
from beak.lens.explanation import Explanation
from beak.lens.patches import Fetch
from beak.lens.subject import Array, Subject
from beak.network.network import Network, Node

WEIGHED = ("Conv1D", "Conv2D", "Dense")
SAME = 0.95
"""From this cosine on two filters are called alike."""
ENDS = {"sigmoid": (0.01, 0.99), "tanh": (-0.99, 0.99)}
"""Beyond these an activation is saturated: its slope is nearly nothing."""
BATCH = 128


def alike(
    subject: Subject,
    fetch: Fetch,
    examples: int,
    labels: Array | None = None,
    layers: list[str] | None = None,
    listen: Callable[[int, int], None] | None = None,
) -> Explanation:
    """What examples show of each filter and unit of the convolutions and dense layers.

    A unit's numbers are those behind its norm and activation. Arrays by layer: ``NAME.active``
    (units,): the share of its numbers above 0; ``NAME.largest``; ``NAME.spread``: how much its
    numbers differ (standard deviation); ``NAME.saturated``: the share at the ends of a sigmoid or
    tanh; ``NAME.likeness`` (units, units): cosines between weights. With ``labels`` (int (N,))
    ``NAME.without``: the accuracy when the unit's weights, bias and norm are 0 (the answers' own
    units are left alone). Dead is what is never above 0 behind a ReLU, or never changes.
    """
    nodes = [
        node
        for node in subject.network.nodes
        if node.layer.kind in WEIGHED and (layers is None or node.name in layers)
    ]
    for name in layers or ():
        subject.node(name, WEIGHED, "this")
    if not nodes:
        raise UsageError("the network has neither convolutions nor dense layers")
    arrays = _measure(subject, fetch, examples, nodes)
    rows = [_row(subject, node, arrays) for node in nodes]
    facts: dict[str, Any] = {"examples": examples, "layers": rows}
    if labels is not None:
        facts["accuracy"] = _ablate(subject, fetch, np.asarray(labels), nodes, arrays, listen)
        for row in rows:
            without = arrays[f"{row['layer']}.without"]
            worst = int(without.argmin())
            row["most_missed"] = {"unit": worst, "accuracy": without[worst]}
            row["not_missed"] = int((without >= facts["accuracy"]).sum())
    dead, pairs = (sum(len(row[name]) for row in rows) for name in ("dead", "alike"))
    units = sum(row["units"] for row in rows)
    caption = (
        f"Over {examples:,} examples {dead} of {units:,} filters and units are dead, "
        f"{pairs} pairs are alike (cosine at least {SAME})."
    )
    return Explanation("alike", caption, arrays, facts)


def _measure(subject: Subject, fetch: Fetch, examples: int, nodes: list[Node]) -> dict[str, Array]:
    """Sums over all examples, in batches."""
    sums = {n.name: np.zeros((4, n.output[0])) for n in nodes}
    largest = {n.name: np.full(n.output[0], -np.inf) for n in nodes}
    counted = 0
    for begin in range(0, examples, BATCH):
        numbers = np.arange(begin, min(begin + BATCH, examples))
        counted += len(numbers)
        found = subject.engine.activations(fetch(numbers))
        for node in nodes:
            end = chain(subject.network, node)[-1]
            values = found[end.name].reshape(len(numbers), node.output[0], -1)
            ends = np.zeros(values.shape, bool)
            if (function := ends_in(end)) in ENDS:
                low, high = ENDS[function]
                ends = (values < low) | (values > high)
            parts = (values > 0, values, np.square(values, dtype=np.float64), ends)
            sums[node.name] += [part.mean(2, dtype=np.float64).sum(0) for part in parts]
            largest[node.name] = np.maximum(largest[node.name], values.max((0, 2)))
    arrays: dict[str, Array] = {}
    for node in nodes:
        active, mean, square, ends = sums[node.name] / max(1, counted)
        spread = np.sqrt(np.maximum(square - mean**2, 0))
        named = {"active": active, "largest": largest[node.name], "spread": spread}
        if ends_in(chain(subject.network, node)[-1]) in ENDS:
            named["saturated"] = ends
        named["likeness"] = _likeness(np.asarray(subject.parameters[f"{node.name}.weight"]))
        arrays |= {f"{node.name}.{key}": a.astype(np.float32) for key, a in named.items()}
    return arrays


def _likeness(weight: Array) -> Array:
    """Cosines between the weights of each two units; 0 where one has none."""
    flat = weight.reshape(len(weight), -1).astype(np.float64)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    unit = flat / np.where(length, length, 1.0)
    return np.asarray(unit @ unit.T)


def _row(subject: Subject, node: Node, arrays: dict[str, Array]) -> dict[str, Any]:
    active, largest, spread, likeness = (
        arrays[f"{node.name}.{key}"] for key in ("active", "largest", "spread", "likeness")
    )
    end = chain(subject.network, node)[-1]
    dead = (active == 0) if ends_in(end) == "relu" else spread <= 1e-7
    first, second = np.nonzero(np.triu(likeness, 1) >= SAME)
    row: dict[str, Any] = {
        "layer": node.name,
        "kind": node.layer.kind,
        "units": node.output[0],
        "dead": np.flatnonzero(dead),
        "alike": list(zip(first.tolist(), second.tolist(), strict=True)),
        "active": float(active.mean()),
        "largest": float(largest.max()),
    }
    saturated = arrays.get(f"{node.name}.saturated")
    return row if saturated is None else row | {"saturated": float(saturated.mean())}


def chain(network: Network, node: Node) -> list[Node]:
    """A node and what alone reads it and keeps its channels apart: its norm, its activation."""
    found = [node]
    while ends_in(found[-1]) is None:
        readers = [after for after in network.nodes if found[-1].name in after.inputs]
        if len(readers) != 1 or readers[0].layer.kind not in ("BatchNorm", "Activation"):
            break
        if ends_in(readers[0]) == "softmax":
            break
        found.append(readers[0])
    return found


def ends_in(node: Node) -> str | None:
    """The activation that a node ends in."""
    found: str | None = getattr(node.layer, "activation", getattr(node.layer, "function", None))
    return found


def _ablate(
    subject: Subject,
    fetch: Fetch,
    labels: Array,
    nodes: list[Node],
    arrays: dict[str, Array],
    listen: Callable[[int, int], None] | None,
) -> float:
    """The accuracy, and by unit the accuracy when its weights and bias are 0."""
    if len(subject.network.output) != 1:
        raise UsageError("the network does not name one class; there is no accuracy to count")
    inputs = [
        fetch(np.arange(begin, min(begin + BATCH, len(labels))))
        for begin in range(0, len(labels), BATCH)
    ]
    engine = make_engine(subject.network, subject.parameters, threads=subject.threads)
    whole = {name: np.array(value) for name, value in subject.parameters.items()}
    last = subject.network.nodes[-1].name
    counted = [node for node in nodes if node.name != last]
    done, total = 0, sum(node.output[0] for node in counted)
    accuracy = _accuracy(engine, inputs, labels)
    for node in nodes:
        without = np.full(node.output[0], accuracy, np.float32)
        for unit in range(node.output[0] if node in counted else 0):
            cut = dict(whole)
            for name in (n for own in chain(subject.network, node) for n in own.parameters):
                if subject.network.parameters[name].trainable:
                    cut[name] = whole[name].copy()
                    cut[name][unit] = 0
            engine.set_parameters(cut)
            without[unit] = _accuracy(engine, inputs, labels)
            done += 1
            if listen is not None:
                listen(done, total)
        arrays[f"{node.name}.without"] = without
    return accuracy


def _accuracy(engine: Engine, inputs: list[Array], labels: Array) -> float:
    found = np.concatenate([engine.logits(batch).argmax(1) for batch in inputs])
    return float((found == labels).mean())
