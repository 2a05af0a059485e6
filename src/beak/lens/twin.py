"""The fully connected twin: a convolution as the sparse matrix that computes the same map."""

from __future__ import annotations

import math

import numpy as np

from beak.errors import UsageError
from beak.lens.explanation import Explanation
from beak.lens.subject import Array, Subject
from beak.lens.terms import At, window_places
from beak.network.layer import count
from beak.network.network import Node
from beak.shapes import shape_text

KINDS = ("Conv1D", "Conv2D", "Dense")
SHOWN = (128, 256)
"""Rows and columns of the matrix that are told where nobody asks for others."""
MOST_EDGES = 4_000_000

Window = tuple[int, int]


def twin(
    subject: Subject,
    layer: str | None = None,
    rows: Window | None = None,
    columns: Window | None = None,
) -> Explanation:
    """The matrix W with W @ input.ravel() + biases == output.ravel(), a window of it.

    Arrays, an entry for each edge that is kept: ``row`` (the output's number), ``column`` (the
    input's), ``shared`` (which weight, a flat index into the layer's ``weight``: equal numbers are
    one weight), ``value``; and ``bias`` by row of the window, ``bias_shared`` which bias it is.
    ``facts["edges"]`` counts all edges of a fully connected layer, those kept, and the different
    weights. ``rows``, ``columns``: from and up to (without); None is the beginning.
    """
    node = subject.node(layer, KINDS, "the twin") if layer else _first(subject)
    shape, out = node.input_shapes[0], node.output
    span = _checked("rows", rows, count(out), SHOWN[0])
    across = _checked("columns", columns, count(shape), SHOWN[1])
    weight = np.asarray(subject.parameters[f"{node.name}.weight"])
    taps = math.prod(weight.shape[1:])
    if (span[1] - span[0]) * taps > MOST_EDGES:
        raise UsageError(
            f"{span[1] - span[0]:,} rows of {taps:,} weights are too many at once; "
            f"ask for at most {max(1, MOST_EDGES // taps):,} rows"
        )
    arrays = _edges(node, weight, span, across)
    arrays |= _biases(subject, node, span)
    edges = edge_counts(node)
    facts = {
        "layer": node.name,
        "kind": node.layer.kind,
        "input_shape": shape,
        "output_shape": out,
        "rows": span,
        "columns": across,
        "all_rows": count(out),
        "all_columns": count(shape),
        "edges": edges,
    }
    return Explanation("twin", _caption(node, edges), arrays, facts)


def _first(subject: Subject) -> Node:
    for node in subject.network.nodes:
        if node.layer.kind in KINDS[:2]:
            return node
    raise UsageError("the network has no convolution; the twin is one of a convolution")


def edge_counts(node: Node) -> dict[str, int]:
    """Edges fully connected, edges kept, different weights; and the same of biases."""
    (shape,) = node.input_shapes
    weight = node.parameters[f"{node.name}.weight"]
    bias = node.parameters.get(f"{node.name}.bias")
    if node.layer.kind == "Dense":
        kept = count(weight.shape)
    else:
        geometry = node.layer.geometry(shape)  # type: ignore[attr-defined]
        axes = zip(
            shape[1:],
            geometry.kernel,
            geometry.stride,
            geometry.padding,
            geometry.dilation,
            geometry.outputs,
            strict=True,
        )
        kept = weight.shape[0] * weight.shape[1]
        for size, kernel, stride, pads, dilation, outputs in axes:
            at = np.arange(outputs)[:, None] * stride - pads[0] + dilation * np.arange(kernel)
            kept *= int(((at >= 0) & (at < size)).sum())
    return {
        "all": count(shape) * count(node.output),
        "kept": kept,
        "shared": count(weight.shape),
        "all_biases": count(node.output) if bias else 0,
        "shared_biases": count(bias.shape) if bias else 0,
    }


def _edges(node: Node, weight: Array, rows: Window, columns: Window) -> dict[str, Array]:
    """The edges of some outputs that begin in some inputs, row by row."""
    shape, taps = node.input_shapes[0], weight[0].size
    found = [np.empty((0, 3), np.int64)]
    at = At(node, (), {})
    for row in range(*rows):
        place = tuple(int(i) for i in np.unravel_index(row, node.output))
        if node.layer.kind == "Dense":
            places = np.arange(shape[0])[:, None]
        else:
            depth = weight.shape[1]
            groups = node.layer.groups  # type: ignore[attr-defined]
            first = place[0] // (len(weight) // groups) * depth
            places = window_places(at, place, range(first, first + depth))
        inside = ((places >= 0) & (places < np.array(shape))).all(1)
        inputs = np.ravel_multi_index(tuple(places[inside].T), shape)
        shared = place[0] * taps + np.flatnonzero(inside)
        here = (inputs >= columns[0]) & (inputs < columns[1])
        kept = np.stack([np.full(here.sum(), row), inputs[here], shared[here]], axis=1)
        found.append(kept)
    edges = np.concatenate(found)
    return {
        "row": edges[:, 0],
        "column": edges[:, 1],
        "shared": edges[:, 2],
        "value": weight.ravel()[edges[:, 2]],
    }


def _biases(subject: Subject, node: Node, rows: Window) -> dict[str, Array]:
    which = np.arange(*rows) // count(node.output[1:])
    name = f"{node.name}.bias"
    if name not in node.parameters:
        return {}
    return {"bias": np.asarray(subject.parameters[name])[which], "bias_shared": which}


def _checked(what: str, window: Window | None, size: int, shown: int) -> Window:
    begin, end = window or (0, min(size, shown))
    if not 0 <= begin < end <= size:
        raise UsageError(f"{what} {begin} to {end}: 0 to {size:,} are there")
    return begin, end


def _caption(node: Node, edges: dict[str, int]) -> str:
    (shape,) = node.input_shapes
    size = f"{count(shape):,} inputs ({shape_text(shape)}) to {count(node.output):,} outputs"
    less = edges["all"] / edges["shared"]
    return (
        f"{node.name}, {size}: fully connected {edges['all']:,} weights; the convolution keeps "
        f"{edges['kept']:,} edges and shares {edges['shared']:,} weights among them, "
        f"{less:,.0f} times fewer."
        if node.layer.kind != "Dense"
        else f"{node.name}, {size}: fully connected, all {edges['all']:,} weights its own."
    )
