"""What the lowering functions share: the context, a lowered node, sizes and orders.

Each lowering function takes its inputs' tensors, emits the forward calls and returns the output
with a function that, when backward comes by, emits the calls for the gradients. Gradient tensors
are never written twice: one may be shared by several branches.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from beak.engine.slots import Slots
from beak.engine.tape import Tape, Tensor, make_arena
from beak.network import layers
from beak.network.network import Network, Node
from beak.ops.elementwise import kernels as elementwise
from beak.ops.kernel import Kernel

Array = np.ndarray[Any, Any]
Order = tuple[int, int, int] | None
Backward = Callable[[Tensor, Sequence[bool]], list[Tensor | None]]

STATISTICS_PARTS = 16
"""Into how many sums statistics over a batch are split."""
LONGEST_CHAIN = 2
"""So many tensors, each made of the one before, backward makes anew rather than to keep them."""


@dataclass
class Context:
    """What lowering needs to know besides the node itself."""

    tape: Tape
    slots: Slots
    parameters: Array
    fixed: Array
    gradient: Array
    settings: Array
    """int64 (2,): seed and epoch of the step that runs."""
    examples: Array
    """int64 (images,): the examples' numbers."""
    training: bool
    """Batch statistics and dropout, as in a training step."""
    goes_back: bool = True
    """Whether backward follows, so that what it needs is kept."""
    direct: bool = False
    """Direct kernels only, so that every number is the sum of its terms: no Winograd."""
    preparation: Tape | None = None
    """Calls that depend on parameters alone and run only when these have changed; None in
    training, where they change with each step and such calls stand in the tape itself."""
    threads: int = 4
    """So many may share a small batch's calls; how these are cut changes no bit of the result."""
    frozen: frozenset[str] = frozenset()
    """Names of parameters that stay as they are, running statistics too."""
    makers: dict[Tensor, tuple[Callable[[], Tensor], int]] = field(default_factory=dict)
    """How to make an output anew, and how many must be made for it: see ``cheap``."""
    remade: dict[Tensor, Tensor] = field(default_factory=dict)

    def cheap(self, tensor: Tensor, make: Callable[[], Tensor], *of: Tensor) -> None:
        """Say that backward may make a tensor anew, of others besides those that are kept anyway.

        Where that would be a long chain (of sums in residual networks) the tensor is kept.
        """
        chain = 1 + max((self.makers[other][1] for other in of if other in self.makers), default=0)
        if self.goes_back and chain <= LONGEST_CHAIN:
            self.makers[tensor] = make, chain

    def again(self, tensor: Tensor) -> Tensor:
        """What forward wrote, as backward reads it: made anew where that spares keeping it."""
        if tensor in self.makers and tensor not in self.remade:
            self.remade[tensor] = self.makers[tensor][0]()
        return self.remade.get(tensor, tensor)

    def prepare(
        self,
        table: Sequence[Kernel] | Kernel,
        parts: int,
        /,
        **values: Tensor | Array | float | None,
    ) -> None:
        """Add a call that depends on parameters alone."""
        (self.preparation or self.tape).emit(table, parts, **values)

    def prepared(self, floats: int) -> Tensor | Array:
        """Memory for what ``prepare`` makes, which lasts as long as the parameters do."""
        if self.preparation is None:
            return self.tape.floats(floats)
        return make_arena(4 * floats).view(np.float32)

    def parameter(self, name: str) -> Array:
        """A parameter's floats in the native layout."""
        slot = self.slots[name]
        return (self.parameters if name in self.slots.trainable else self.fixed)[slot.range]

    def gradient_of(self, name: str) -> Array:
        """Where a parameter's gradient goes."""
        return self.gradient[self.slots[name].range]


@dataclass(frozen=True)
class Touched:
    """The rows of a table that have a gradient: int32 ``rows``, of which int64 ``count`` count."""

    rows: Tensor | Array
    count: Tensor | Array


@dataclass
class Lowered:
    """A node's output and how to go back through it."""

    output: Tensor
    backward: Backward
    from_logits: Backward | None = None
    """Of a layer with an activation: back from before that activation."""
    touched: Touched | None = None
    """Of an embedding through which backward went: the rows that the batch touched."""


def dimensions(shape: Sequence[int]) -> tuple[int, int, int]:
    """Height, width, channels of a network's shape: (C, H, W), (C, L) or (n,)."""
    if len(shape) == 3:
        return shape[1], shape[2], shape[0]
    if len(shape) == 2:
        return 1, shape[1], shape[0]
    return 1, 1, shape[0]


def split(count: int) -> int:
    """Into how many parts elementwise work on so many floats is split."""
    return max(1, min(64, count // 8192))


def orders(network: Network) -> dict[str, Order]:
    """By node, the order that its (first) input's flat features lie in (see Tensor.order)."""
    out: dict[str, Order] = {"input": None}
    into: dict[str, Order] = {}
    for node in network.nodes:
        before = [out[name] for name in node.inputs]
        into[node.name] = before[0]
        out[node.name] = _order_behind(node, before)
    return into


def _order_behind(node: Node, before: list[Order]) -> Order:
    if isinstance(node.layer, layers.Flatten):
        height, width, channels = dimensions(node.input_shapes[0])
        if channels > 1 and height * width > 1:
            return channels, height, width
        return before[0]
    if isinstance(node.layer, layers.Dropout | layers.Activation):
        return before[0]
    return None


def straight(c: Context, tensor: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """Features in the network's own order, and the way back for their gradient."""
    if tensor.order is None:
        return tensor, lambda gradient: gradient
    order = tensor.order
    channels, places = order[0], order[1] * order[2]

    def turn(source: Tensor, rows: int, columns: int, to: Order) -> Tensor:
        out = c.tape.tensor(source.images, 1, 1, source.channels, order=to)
        c.tape.emit(
            elementwise.TRANSPOSE_IMAGES,
            source.images,
            x=source,
            y=out,
            images=source.images,
            rows=rows,
            columns=columns,
        )
        return out

    back = lambda gradient: turn(gradient, channels, places, order)  # noqa: E731
    return turn(tensor, places, channels, None), back


def add(tape: Tape, a: Tensor, b: Tensor, relu: bool = False) -> Tensor:
    """The sum of two tensors of one shape, and its ReLU if wanted."""
    y = tape.like(a)
    table = elementwise.ADD_RELU if relu else elementwise.ADD
    tape.emit(table, split(a.count), a=a, b=b, y=y, count=a.count)
    return y


def total(tape: Tape, gradients: Sequence[Tensor], waiting: Collection[Tensor] = ()) -> Tensor:
    """The sum of gradients that arrive from several readers.

    A kernel that can add its result onto another's (``onto``) is made to, but not where others
    wait for that result alone: ``waiting``, what is still to be read at other nodes.
    """
    shared = {id(tensor.block) for tensor in waiting}
    whole = gradients[0]
    for gradient in gradients[1:]:
        laid = id(gradient.block) not in shared and _lay_onto(tape, whole, gradient)
        whole = gradient if laid else add(tape, whole, gradient)
    return whole


def _lay_onto(tape: Tape, before: Tensor, gradient: Tensor) -> bool:
    at = gradient.block.first
    if at < 0 or gradient.block.last != at or before.block.last >= at:
        return False
    values = tape.entries[at].values
    if values.get("onto", 0) is not None or values.get("dx", values.get("y")) is not gradient:
        return False
    values["onto"] = before
    before.block.last = at
    return True
