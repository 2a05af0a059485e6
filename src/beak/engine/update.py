"""The optimiser's step as calls: flat stretches at once, embeddings by their touched rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from beak.engine.interface import Optimiser
from beak.engine.lowering.context import Touched, split
from beak.engine.slots import Segment, Slots
from beak.engine.tape import Tape
from beak.ops.optimiser import kernels
from beak.ops.panels import PANEL, padded

Array = np.ndarray[Any, Any]
ROW_PARTS = 32
"""Into how many parts the touched rows of an embedding are split."""


@dataclass
class Buffers:
    """The engine's arrays that plans read and write."""

    slots: Slots
    parameters: Array
    fixed: Array
    gradient: Array
    moment1: Array
    moment2: Array
    average: Array
    settings: Array
    """float64 (8,): what ops/optimiser reads at each step."""
    averaged: dict[str, Array]
    """By embedding, for each row: the step that its average is up to date with (int64)."""


def update(
    tape: Tape, b: Buffers, optimiser: Optimiser, touched: Mapping[str, Touched | None]
) -> None:
    """Emit the step; ``touched``: by node, the rows of an embedding that have a gradient."""
    segments = [
        (segment, None if segment.rows is None else touched[segment.rows[0]])
        for segment in b.slots.segments
    ]
    segments = [(s, rows) for s, rows in segments if s.rows is None or rows is not None]
    if optimiser.clip_norm is not None:
        _clip(tape, b, optimiser.clip_norm, segments)
    for segment, rows in segments:
        here = slice(segment.begin, segment.begin + segment.size)
        values: dict[str, Any] = {
            "parameters": b.parameters[here],
            "gradient": b.gradient[here],
            "average": None if optimiser.average is None else b.average[here],
            "settings": b.settings,
            "decay": optimiser.weight_decay if segment.decay else 0.0,
        }
        parts = split(segment.size * 2)
        if segment.rows is None or rows is None:
            values["count"] = segment.size
        else:
            name, _, row = segment.rows
            values |= {"listed": rows.rows, "count": rows.count, "row": row}
            values["averaged"] = b.averaged[name]
            parts = ROW_PARTS
        if optimiser.kind == "sgd":
            tape.emit(
                kernels.SGD if rows is None else kernels.SGD_ROWS,
                parts,
                **values,
                moment=b.moment1[here],
                momentum=optimiser.momentum,
                nesterov=int(optimiser.nesterov),
            )
        else:
            tape.emit(
                kernels.ADAM if rows is None else kernels.ADAM_ROWS,
                parts,
                **values,
                moment1=b.moment1[here],
                moment2=b.moment2[here],
                beta1=optimiser.beta1,
                beta2=optimiser.beta2,
                epsilon=optimiser.epsilon,
                decoupled=int(optimiser.kind == "adamw"),
            )
    _shorten(tape, b, optimiser.average is not None)


def _shorten(tape: Tape, b: Buffers, averaged: bool) -> None:
    """Bring weights that have grown too long back to their limit, and so their average."""
    for slot in b.slots.trainable.values():
        if slot.max_norm is None:
            continue
        panels = padded(slot.shape[0]) // PANEL
        for flat in (b.parameters, b.average) if averaged else (b.parameters,):
            tape.emit(
                kernels.MAX_NORM,
                panels,
                weight=flat[slot.range],
                panels=panels,
                terms=slot.size // (panels * PANEL),
                limit=slot.max_norm,
            )


def _clip(
    tape: Tape, b: Buffers, limit: float, segments: list[tuple[Segment, Touched | None]]
) -> None:
    """The gradient's norm over everything that has one, and the scale that follows from it."""
    parts = [split(s.size) if rows is None else ROW_PARTS for s, rows in segments]
    partials = tape.floats(sum(parts), itemsize=8)
    begin = 0
    for (segment, rows), count in zip(segments, parts, strict=True):
        gradient = b.gradient[segment.begin : segment.begin + segment.size]
        here = partials.behind(2 * begin)
        begin += count
        if segment.rows is None or rows is None:
            tape.emit(
                kernels.SQUARED_NORM, count, gradient=gradient, partials=here, count=segment.size
            )
        else:
            tape.emit(
                kernels.SQUARED_NORM_ROWS,
                count,
                gradient=gradient,
                partials=here,
                listed=rows.rows,
                count=rows.count,
                row=segment.rows[2],
            )
    tape.emit(
        kernels.CLIP_SCALE,
        1,
        partials=partials,
        settings=b.settings,
        partial_parts=sum(parts),
        limit=limit,
    )


def caught_up(b: Buffers, step: int) -> Array:
    """The average after ``step`` steps, of rows too that were not touched lately; b stays as it is.

    The average of weights that stand still: weights + decay^steps (average - weights).
    """
    if not b.averaged:
        return b.average
    flat = b.average.copy()
    for segment in b.slots.segments:
        if segment.rows is None:
            continue
        name, rows, row = segment.rows
        here = slice(segment.begin, segment.begin + rows * row)
        weights = b.parameters[here].reshape(rows, row)
        keep = b.settings[4] ** (step - b.averaged[name])
        late = np.flatnonzero(step > b.averaged[name])
        average = flat[here].reshape(rows, row)
        average[late] = weights[late] + keep[late, None].astype(np.float32) * (
            average[late] - weights[late]
        )
    return flat
