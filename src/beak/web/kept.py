"""What a page without a server cannot find out: told beforehand, or why it is not there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from beak.errors import BeakError
from beak.lens.explanation import Explanation
from beak.web.session import Session

PATCHES = 9
SHOWN = 32
"""Filters of a layer whose patches a page shows."""
LAYER_BYTES = 300_000
"""That the patches of a layer may take; beyond, fewer are kept of each filter."""
EXAMPLES = 12
EXAMPLE_BYTES = 500_000


def told_beforehand(session: Session) -> tuple[dict[str, Any], dict[str, str]]:
    """Explanations that go through examples, by what the page asks, and reasons for what lacks."""
    told: dict[str, Any] = {}
    reasons: dict[str, str] = {}
    for what, options in (("patches", {"k": PATCHES}), ("alike", {})):
        try:
            whole = session.explain(what, options, None)
        except BeakError as error:
            reasons[what] = f"this file was written without the run's examples: {error}"
            continue
        more = "k=9&" if what == "patches" else ""
        for row in whole.facts["layers"]:
            one = of_layer(whole, row["layer"])
            told[f"{what}?{more}layer={row['layer']}"] = one.to_json(packed=True)
        if what == "alike":
            told["alike?"] = whole.to_json(packed=True)
    return told, reasons


def of_layer(whole: Explanation, layer: str) -> Explanation:
    """What an explanation of several layers says of one, its patches cut to what is shown."""
    start = f"{layer}."
    arrays = {name: array for name, array in whole.arrays.items() if name.startswith(start)}
    patch = arrays.get(f"{start}patch")
    if patch is not None:
        each = patch[:SHOWN, :1].nbytes
        most = max(1, min(patch.shape[1], LAYER_BYTES // max(1, each)))
        arrays = {name: array[:SHOWN, :most] for name, array in arrays.items()}
    rows = [row for row in whole.facts["layers"] if row["layer"] == layer]
    return replace(whole, arrays=arrays, facts={**whole.facts, "layers": rows})


def some_examples(session: Session) -> list[str]:
    """A few of the run's examples, by name; none where its data is not there."""
    try:
        there = len(session.examples())
    except BeakError:
        return []
    each = 4 * int(np.prod(session.run.network.input))
    most = max(1, min(EXAMPLES, EXAMPLE_BYTES // each, there)) if there else 0
    numbers = np.unique(np.linspace(0, max(0, there - 1), most).astype(int))
    return [session.example(int(number)) for number in numbers]
