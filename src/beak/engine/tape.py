"""A table of kernel calls in the making: tensors, calls in order, then one memory plan.

Tensors live from the first call that names them to the last; tensors that never live at the same
time share memory. The arena that they lie in belongs to the engine and is reused by every plan.
"""

from __future__ import annotations

import dataclasses
import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from beak.ops.kernel import Call, Kernel, Phase, Table, choose, fill

Array = np.ndarray[Any, Any]
ALIGNMENT = 64


@dataclass(eq=False)
class Block:
    """Some bytes of the arena, needed from call ``first`` to call ``last``."""

    size: int
    first: int = -1
    last: int = -1
    offset: int = -1


@dataclass(eq=False)
class Tensor:
    """NHWC float32 in the arena: (images, height, width, channels).

    ``order``: where these are flat features (height = width = 1) that lie in (H, W, C) order
    although the network counts them as (C, H, W), that (C, H, W).
    """

    block: Block
    images: int
    height: int
    width: int
    channels: int
    order: tuple[int, int, int] | None = None
    start: int = 0
    """Where in the block it begins, in bytes."""

    @property
    def places(self) -> int:
        """Pixels an image."""
        return self.height * self.width

    @property
    def rows(self) -> int:
        """Pixels in the batch."""
        return self.images * self.places

    @property
    def count(self) -> int:
        """Floats in all."""
        return self.rows * self.channels

    def view(
        self, height: int, width: int, channels: int, order: tuple[int, int, int] | None = None
    ) -> Tensor:
        """The same memory under another shape."""
        return Tensor(self.block, self.images, height, width, channels, order, self.start)

    def behind(self, floats: int) -> Tensor:
        """The same block from ``floats`` further on."""
        return dataclasses.replace(self, start=self.start + 4 * floats)


@dataclass(eq=False)
class Entry:
    """A call of the tape before its pointers are known."""

    kernel: Kernel
    parts: int
    values: dict[str, Tensor | Array | float | None]
    node: str = ""
    way: str = "forward"


@dataclass
class Tape:
    """Collects calls; ``build`` makes them a table."""

    entries: list[Entry] = field(default_factory=list)
    node: str = ""
    """For which node calls are emitted now ("input", "loss", "update" stand for no node)."""
    way: str = "forward"
    """"forward", "backward" or "update"."""
    kept: list[Block] = field(default_factory=list)
    """What has a place though no call may name it, as the input of a network of Dropout alone."""

    def tensor(
        self,
        images: int,
        height: int,
        width: int,
        channels: int,
        itemsize: int = 4,
        order: tuple[int, int, int] | None = None,
    ) -> Tensor:
        """A new tensor, its contents undefined."""
        block = Block(max(1, images * height * width * channels) * itemsize)
        return Tensor(block, images, height, width, channels, order)

    def like(self, tensor: Tensor, itemsize: int = 4) -> Tensor:
        """A new tensor of the same shape."""
        return self.tensor(
            tensor.images, tensor.height, tensor.width, tensor.channels, itemsize, tensor.order
        )

    def floats(self, count: int, itemsize: int = 4) -> Tensor:
        """A new flat piece of memory."""
        return self.tensor(1, 1, 1, count, itemsize)

    def emit(
        self,
        table: Sequence[Kernel] | Kernel,
        parts: int,
        /,
        **values: Tensor | Array | float | None,
    ) -> None:
        """Add a call of a kernel, or of the first kernel of a table that runs here."""
        for value in values.values():
            if isinstance(value, Tensor):
                if value.block.first < 0:
                    value.block.first = len(self.entries)
                value.block.last = len(self.entries)
        kernel = table if isinstance(table, Kernel) else choose(table)
        self.entries.append(Entry(kernel, max(1, parts), values, self.node, self.way))

    def keep(self, tensor: Tensor) -> None:
        """Let a tensor's contents stand from the table's beginning to its end: all is emitted."""
        tensor.block.first, tensor.block.last = 0, len(self.entries)
        self.kept.append(tensor.block)

    def plan_memory(self) -> int:
        """Give every block its offset (first fit, largest first); returns the bytes in all."""
        blocks = {
            id(v.block): v.block
            for entry in self.entries
            for v in entry.values.values()
            if isinstance(v, Tensor)
        } | {id(block): block for block in self.kept}
        placed: list[Block] = []
        for block in sorted(blocks.values(), key=lambda b: (-b.size, b.first)):
            alive = sorted(
                (
                    other
                    for other in placed
                    if other.first <= block.last and block.first <= other.last
                ),
                key=lambda b: b.offset,
            )
            offset = 0
            for other in alive:
                if offset + block.size <= other.offset:
                    break
                offset = max(offset, other.offset + _aligned(other.size))
            block.offset = offset
            placed.append(block)
        return max((b.offset + _aligned(b.size) for b in placed), default=0)

    def build(self, arena: Array) -> Table:
        """The table, with pointers into the arena (uint8, 64-byte aligned)."""
        base = arena.ctypes.data
        phases = []
        for entry in self.entries:
            values: dict[str, Array | float | None] = {
                name: base + value.block.offset + value.start
                if isinstance(value, Tensor)
                else value
                for name, value in entry.values.items()
            }
            keep = tuple(v for v in values.values() if isinstance(v, np.ndarray))
            call = Call(entry.kernel, fill(entry.kernel, values), keep)
            phases.append(Phase((call,), entry.parts))
        return Table(phases)


class Arena:
    """Working memory that grows; engines may share one, of which only one runs at a time."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        """Held from the choice of a plan until its answers are copied out."""
        self.memory = make_arena(0)
        self.generation = 0
        """Counts how often it has moved: pointers into it hold for one generation."""

    def hold(self, size: int) -> None:
        """Make it at least so many bytes."""
        if size > self.memory.size:
            self.memory = make_arena(0)  # let the old one go before the new one comes
            self.memory = make_arena(size)
            self.generation += 1


def _aligned(size: int) -> int:
    return math.ceil(size / ALIGNMENT) * ALIGNMENT


def make_arena(size: int) -> Array:
    """Uninitialised bytes at an aligned address."""
    raw = np.empty(size + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + size]


def contents(tensor: Tensor, arena: Array, dtype: Any = np.float32) -> Array:
    """A tensor's values in the arena as (images, height, width, channels), not copied."""
    count = tensor.count * np.dtype(dtype).itemsize
    start = tensor.block.offset + tensor.start
    flat = arena[start : start + count].view(dtype)
    shaped: Array = flat.reshape(tensor.images, tensor.height, tensor.width, tensor.channels)
    return shaped
