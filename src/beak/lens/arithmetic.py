"""The arithmetic of a cell: which inputs times which weights make this number, term by term."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from beak.errors import UsageError
from beak.lens.explanation import Explanation
from beak.lens.rules import FORMULAS, TERMS
from beak.lens.subject import Array, Look, cell_name, checked_cell
from beak.lens.terms import At, Index, Terms
from beak.network.network import Node
from beak.ops.activation.reference import activation
from beak.shapes import windows_along

POOLS = ("MaxPool1D", "MaxPool2D", "AvgPool1D", "AvgPool2D")


def arithmetic(look: Look, node: str, index: Index) -> Explanation:
    """Which numbers one layer down make the number at a place of a node's output, and how.

    Arrays, a row for each term: ``source`` (which of ``facts["sources"]``), ``index`` (where in it,
    as many columns as it has axes; outside it is padding: ``inside`` is false), ``input``,
    ``weight``, ``product``. They and ``facts["constants"]`` make ``facts["sum"]``; the layer's
    activation makes ``facts["value"]`` of it; ``facts["engine"]`` is the engine's own number by the
    direct plan, ``facts["fast"]`` the predicting plan's (None where that plan never writes it).
    Every term names a cell to ask for next, down to the input.
    """
    if node == "input":
        raise UsageError("the input's numbers come from outside; ask for a cell of a layer")
    subject = look.subject
    checked = checked_cell(subject, node, index)
    found = subject.node(node)
    at = at_work(look, found)
    terms = TERMS[found.layer.kind](at, checked)
    before = _through(terms)
    step = _activation(at, checked, before)
    value = before if step is None else step["value"]
    facts = {
        "node": node,
        "kind": found.layer.kind,
        "index": checked,
        "shape": found.output,
        "formula": FORMULAS[found.layer.kind],
        "how": terms.how,
        "sources": [
            {"name": name, "shape": shape}
            for name, shape in zip(found.inputs, found.input_shapes, strict=True)
        ],
        "constants": [vars(constant) for constant in terms.constants],
        "sum": terms.total,
        "function": terms.function,
        "before": before,
        "activation": step,
        "value": value,
        "scale": max(terms.scale, abs(value)),
        **_engines(look, node, checked, value),
        **terms.facts,
        "pooled": _pooled(look, found, checked),
    }
    arrays = {
        name: getattr(terms, name)
        for name in ("source", "index", "inside", "input", "weight", "product")
    }
    if found.layer.kind == "BatchNorm":
        facts["folded"] = {**terms.facts["folded"], **_fold(look, found, checked, arrays, facts)}
    return Explanation("arithmetic", _caption(facts, terms), arrays, facts)


def at_work(look: Look, node: Node) -> At:
    """A node with what it reads and its parameters."""
    own = {
        name.rpartition(".")[2]: np.asarray(look.subject.parameters[name])
        for name in node.parameters
    }
    return At(node, [look.values[name] for name in node.inputs], own, look.values[node.name])


def terms_of(look: Look, node: str, index: Index) -> Terms:
    """The bare terms of a cell, for those who count them."""
    found = look.subject.node(node)
    return TERMS[found.layer.kind](at_work(look, found), index)


def _through(terms: Terms) -> float:
    return float(np.log(terms.total)) if terms.function == "ln" else terms.total


def _activation(at: At, index: Index, before: float) -> dict[str, Any] | None:
    """What the layer's activation makes of the sum; softmax looks at all channels of the place."""
    function = getattr(at.layer, "activation", getattr(at.layer, "function", None))
    if function is None:
        return None
    if function != "softmax":
        slope = getattr(at.layer, "slope", None)
        value = float(activation(function, np.array([[before]]), slope)[0, 0])
        return {"function": function, "before": before, "value": value}
    make, channels = TERMS[at.layer.kind], range(at.node.output[0])
    row = np.array([make(at, (channel, *index[1:])).total for channel in channels])
    powers = np.exp(row - row.max())
    return {
        "function": "softmax",
        "before": before,
        "value": float(powers[index[0]] / powers.sum()),
        "largest": row.max(),
        "all_before": row,
        "powers": powers,
        "sum_of_powers": powers.sum(),
    }


def _engines(look: Look, node: str, index: Index, value: float) -> dict[str, Any]:
    """The number as the direct plan and the predicting plan have it, and how far both are away."""
    direct = float(look.values[node][index])
    fast = float(look.fast[node][index]) if node in look.fast else None
    away = None if fast is None else fast - direct
    return {
        "engine": direct,
        "difference": value - direct,
        "fast": fast,
        "fast_difference": away,
    }


def _fold(
    look: Look, norm: Node, index: Index, arrays: dict[str, Array], facts: Mapping[str, Any]
) -> dict[str, Any]:
    """The same number with the norm folded into the convolution before it, as predicting may do."""
    network, before = look.subject.network, norm.inputs[0]
    readers = [node.name for node in network.nodes if before in node.inputs]
    if before == "input" or readers != [norm.name]:
        return {"into": None}
    node = network.node(before)
    if node.layer.kind not in ("Conv1D", "Conv2D") or getattr(node.layer, "activation", None):
        return {"into": None}
    terms = terms_of(look, before, index)
    scale, shift = (facts["folded"][name] for name in ("scale", "shift"))
    folded = replace(terms, weight=terms.weight * scale)
    bias = scale * sum(c.value for c in terms.constants) + shift
    for name in ("index", "inside", "input", "weight", "product"):
        arrays[f"folded_{name}"] = getattr(folded, name)
    return {"into": before, "bias": bias, "value": float(folded.product.sum() + bias)}


def _pooled(look: Look, node: Node, index: Index) -> list[dict[str, Any]]:
    """The cells of a pooling layer behind that have this number under their window."""
    found = []
    for after in look.subject.network.nodes:
        if node.name not in after.inputs or after.layer.kind not in POOLS:
            continue
        at = at_work(look, after)
        for place in _windows_over(at, index):
            cell = (index[0], *place)
            terms = TERMS[after.layer.kind](at, cell)
            mine = np.flatnonzero((terms.index == np.array(index)).all(1))[0]
            found.append(
                {
                    "node": after.name,
                    "index": cell,
                    "value": terms.total,
                    "weight": float(terms.weight[mine]),
                }
            )
    return found


def _windows_over(at: At, index: Index) -> list[Index]:
    """The places of a pooling layer's output whose window holds this cell of its input."""
    layer, shape = at.layer, at.node.input_shapes[0]
    g = layer.geometry(shape)
    along = []
    for i, size, kernel, stride, pads in zip(
        index[1:], shape[1:], g.kernel, g.stride, g.padding, strict=True
    ):
        outputs = windows_along(size, kernel, stride, pads)
        spans = ((o, o * stride - pads[0]) for o in range(outputs))
        along.append([o for o, begin in spans if begin <= i < begin + kernel])
    grid = np.meshgrid(*along, indexing="ij")
    places = np.stack([axis.ravel() for axis in grid], axis=1)
    return [tuple(int(i) for i in place) for place in places]


def _caption(facts: Mapping[str, Any], terms: Terms) -> str:
    cell = cell_name(facts["node"], facts["index"])
    if facts["kind"] == "Opaque":
        read = ", ".join(source["name"] for source in facts["sources"])
        return f"{cell} = {facts['value']:.6g}: {facts['formula']}. It reads {read}."
    real = int(terms.inside.sum())
    padding = len(terms.inside) - real
    counted = f"{real:,} number{'s' if real != 1 else ''}"
    counted += f" ({padding} more are padding)" if padding else ""
    step = facts["activation"]
    then = "" if step is None else f", then {step['function']}"
    made = f"{facts['formula']}, from {counted}{then}"
    return f"{cell} = {facts['value']:.6g}: {made}."


__all__ = ["arithmetic", "at_work", "terms_of"]
