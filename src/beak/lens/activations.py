"""Every layer's output for one input."""

from __future__ import annotations

import numpy as np

from beak.lens.explanation import Explanation
from beak.lens.subject import Array, Look
from beak.shapes import shape_text


def activations(look: Look, layer: str | None = None) -> Explanation:
    """Every node's output for an input, or one node's: arrays by the nodes' names.

    The numbers are those of the direct plan; ``facts["layers"]`` has each one's shape, least and
    greatest number, share of zeros, and how far the fast plan is away where it writes it.
    """
    subject = look.subject
    if layer is None:
        names = list(look.values)
    else:
        names = ["input"] if layer == "input" else [subject.node(layer).name]
    kinds = {"input": "input"} | {node.name: node.layer.kind for node in subject.network.nodes}
    told = [
        {"name": n, "kind": kinds[n], **_facts(look.values[n], look.fast.get(n))} for n in names
    ]
    best = int(np.argmax(look.outputs))
    facts = {
        "layers": told,
        "answer": subject.label(best),
        "value": look.outputs[best],
        "answers": {subject.label(i): value for i, value in enumerate(look.outputs[:1000])},
    }
    shown = f"{names[0]}'s output" if layer else f"the output of each of {len(names) - 1} layers"
    shape = f" ({shape_text(look.values[names[0]].shape)})" if layer else ""
    caption = f"{shown}{shape} for this input; the answer is {subject.label(best)}."
    arrays = {name: look.values[name] for name in names}
    return Explanation("activations", caption[0].upper() + caption[1:], arrays, facts)


def _facts(values: Array, fast: Array | None) -> dict[str, object]:
    away = None if fast is None else np.max(np.abs(values - fast), initial=0.0)
    return {
        "shape": values.shape,
        "least": values.min(),
        "greatest": values.max(),
        "zeros": float(np.mean(values == 0)),
        "fast_difference": away,
    }
