"""A layer's weights as the patterns they are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from beak.errors import UsageError
from beak.lens.explanation import Explanation
from beak.lens.subject import Array, Subject
from beak.network.layer import count
from beak.network.network import Node
from beak.shapes import shape_text

Pattern = tuple[Array, str]
"""The patterns (units, …), and what one of them is."""


def filters(subject: Subject, layer: str | None = None) -> Explanation:
    """The weights of a layer: ``weight`` as patterns (units, …), and its other parameters.

    A dense layer behind a Flatten shows its weights on the maps that were flattened. None is the
    first layer with weights. ``facts``: each pattern's length (L2) and the largest weight.
    """
    node = _chosen(subject, layer)
    own = {
        name.rpartition(".")[2]: np.asarray(subject.parameters[name]) for name in node.parameters
    }
    arrange = PATTERNS.get(node.layer.kind)
    patterns, one = arrange(subject, node, own["weight"]) if arrange else _as_they_are(own)
    arrays = {**own, "weight": patterns} if "weight" in own else {**own, "pattern": patterns}
    flat = patterns.reshape(len(patterns), -1)
    facts = {
        "layer": node.name,
        "kind": node.layer.kind,
        "each": patterns.shape[1:],
        "numbers_each": flat.shape[1],
        "lengths": np.sqrt(np.square(flat, dtype=np.float64).sum(1)),
        "largest": np.abs(flat).max(initial=0.0),
        "parameters": {name: array.size for name, array in own.items()},
    }
    return Explanation("filters", f"{node.name}: {len(patterns)} {one}.", arrays, facts)


def _chosen(subject: Subject, layer: str | None) -> Node:
    having = [node for node in subject.network.nodes if node.parameters]
    if layer is not None:
        node = subject.node(layer)
        if not node.parameters:
            known = ", ".join(n.name for n in having[:12])
            raise UsageError(f"'{layer}' has no weights; these have: {known}")
        return node
    if not having:
        raise UsageError("the network has no weights to show")
    return having[0]


def _windows(subject: Subject, node: Node, weight: Array) -> Pattern:
    return weight, f"filters of {shape_text(weight.shape[1:])} numbers (channels first)"


def _rows(subject: Subject, node: Node, weight: Array) -> Pattern:
    """A dense layer's rows, on the maps that its input was flattened from."""
    shape = flattened_from(subject, node.inputs[0])
    maps = weight.reshape(len(weight), *shape)
    where = f" on maps of {shape_text(shape)}" if len(shape) > 1 else ""
    return maps, f"units of {weight.shape[1]} weights each{where}"


def flattened_from(subject: Subject, name: str) -> tuple[int, ...]:
    """The shape of the maps that a row of numbers lay in before Flatten (and Dropout)."""
    while name != "input":
        node = subject.network.node(name)
        if node.layer.kind == "Flatten":
            return node.input_shapes[0]
        if node.layer.kind not in ("Dropout", "Activation"):
            return node.output
        name = node.inputs[0]
    return subject.network.input


def _table(subject: Subject, node: Node, weight: Array) -> Pattern:
    return weight, f"words with a vector of {weight.shape[1]} numbers each"


def _as_they_are(own: dict[str, Array]) -> Pattern:
    """Norms and biases: a number (or a map) for each channel or place."""
    first: Array = next(iter(own.values()))
    if "weight" in own:
        return first, "channels, each with a scale and a shift"
    return first.reshape(1, *first.shape), f"bias for each of {count(first.shape)} places"


PATTERNS: dict[str, Callable[[Subject, Node, Array], Pattern]] = {
    "Conv1D": _windows,
    "Conv2D": _windows,
    "Dense": _rows,
    "Embedding": _table,
}
"""How the weights of a kind of layer are arranged; the others show theirs as they are."""
