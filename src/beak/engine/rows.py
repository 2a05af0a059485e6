"""A plan's table as plain rows: which kernel runs each layer, how large, how much work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from beak.engine.interface import Loss, Optimiser
from beak.engine.native import NativeEngine
from beak.engine.plan import Plan, Purpose
from beak.engine.tape import Entry, Tensor
from beak.network.network import Network
from beak.ops.kernel import INT

NO_PRODUCTS = ("activation", "softmax", "relu", "sum_parts", "copy", "fill", "transpose", "add")
"""Kernels that stand beside a layer's own ones and multiply nothing."""


@dataclass(frozen=True)
class PlanRow:
    """One call of a plan's table."""

    layer: str
    """The node's name, what is fused into it behind plus signs; "input", "loss", "update"."""
    way: str
    """"forward", "backward", "update", or "prepare": only when parameters have changed."""
    kernel: str
    sizes: dict[str, int]
    """The call's whole numbers by the names that the kernel gives them."""
    parts: int
    """Into how many pieces threads may share it."""
    bytes: int
    """Of all arrays that it reads or writes."""
    operations: int
    """Of multiply-adds, counted as two each and as dense work whatever the kernel saves."""

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return dict(vars(self))


def plan_rows(
    network: Network, images: int = 1, purpose: Purpose = "forward", *, exact: bool = False
) -> list[PlanRow]:
    """The table of kernel calls for a batch of so many images.

    ``purpose``: "forward" (answers; what is prepared when parameters change comes first) or
    "train" (with AdamW). ``exact``: as for ``make_engine``.

    >>> from beak.network.catalogue import make_network
    >>> rows = plan_rows(make_network("lecture", (1, 28, 28), 10))
    >>> [row.layer for row in rows if row.way == "forward"]
    ['conv1 + pool1', 'conv2 + pool2', 'dense1', 'dense2', 'dense2']
    """
    engine = NativeEngine(network, threads=1, exact=exact)
    if purpose == "train":
        engine.start_training(Optimiser(), Loss())
    return rows_of(engine.plan(purpose, images))


def rows_of(plan: Plan) -> list[PlanRow]:
    """The rows of a plan, those of its preparation first."""
    first = plan.context.preparation
    rows = [_row(plan, entry, "prepare") for entry in (first.entries if first else ())]
    return rows + [_row(plan, entry, entry.way) for entry in plan.tape.entries]


def _row(plan: Plan, entry: Entry, way: str) -> PlanRow:
    fused = [name for name, root in plan.fusions.done.items() if root == entry.node]
    whole = [name for name, kind, *_ in entry.kernel.args._fields_ if kind is INT]
    sizes: dict[str, Any] = {name: entry.values[name] for name in whole}
    return PlanRow(
        layer=" + ".join([entry.node, *fused]),
        way=way,
        kernel=entry.kernel.name,
        sizes=sizes,
        parts=entry.parts,
        bytes=sum(_bytes(value) for value in entry.values.values()),
        operations=_operations(plan, entry, way),
    )


def _bytes(value: object) -> int:
    if isinstance(value, Tensor):
        return min(value.block.size - value.start, 4 * value.count)
    return value.nbytes if isinstance(value, np.ndarray) else 0


def _operations(plan: Plan, entry: Entry, way: str) -> int:
    kernel = entry.kernel.name
    if way in ("prepare", "update") or entry.node in ("input", "loss"):
        return 0
    each = plan.network.node(entry.node).multiply_adds
    multiplies = any(word in kernel for word in ("forward", "gradient", "scatter"))
    if not each or not multiplies or kernel.startswith(NO_PRODUCTS) or kernel.endswith("prepare"):
        return 0
    return 2 * each * plan.images


def operations(network: Network, purpose: str = "forward") -> int:
    """For one example: two for each multiply-add, forward; in training the gradients too.

    Dense work, padded taps counted; the gradient by the input is not wanted and not counted.

    >>> from beak.network.catalogue import make_network
    >>> lecture = make_network("lecture", (1, 28, 28), 10)
    >>> operations(lecture), operations(lecture, "train")
    (3278700, 9531900)
    """
    forward = 2 * network.multiply_adds
    if purpose == "forward":
        return forward
    first = sum(2 * node.multiply_adds for node in network.nodes if node.inputs == ("input",))
    return 3 * forward - first
