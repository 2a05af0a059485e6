"""What symbolic calls are made of: arrays that layers own, tensors that are still to come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from beak.errors import ShapeError
from beak.exchange.keras_stream import Stream
from beak.keras.config import refuse

if TYPE_CHECKING:
    from beak.keras.layer import Layer

Array = np.ndarray[Any, Any]


class Holder(Protocol):
    """Who may hold newer values of variables than they themselves."""

    def bring_back(self) -> None:
        """Write them into the variables."""


class Variable:
    """An array of a layer, in Keras's layout."""

    def __init__(self, value: Any, name: str, path: str = "", trainable: bool = True) -> None:
        self._value = np.array(value, np.float32)
        self.name, self.path, self.trainable = name, path or name, trainable
        self.holder: Holder | None = None
        """A model that has trained it since the value was read."""
        self.version = 0

    @property
    def shape(self) -> tuple[int, ...]:
        """Its sizes."""
        return self._value.shape

    @property
    def dtype(self) -> str:
        """Always float32."""
        return "float32"

    @property
    def value(self) -> Array:
        """The numbers, as they are now."""
        if self.holder is not None:
            self.holder.bring_back()
        return self._value

    def numpy(self) -> Array:
        """A copy of the numbers."""
        return self.value.copy()

    def assign(self, value: Any) -> None:
        """Take new numbers of the same shape."""
        array = np.asarray(value, np.float32)
        if array.shape != self.shape:
            raise ShapeError(f"{self.path}: {array.shape} came, {self.shape} was wanted")
        if self.holder is not None:
            self.holder.bring_back()
        self.receive(array)

    def receive(self, value: Array) -> None:
        """Take what a holder brings back."""
        self._value = np.array(value, np.float32)
        self.holder = None
        self.version += 1

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self.value, dtype)

    def __repr__(self) -> str:
        return f"<Variable path={self.path}, shape={self.shape}, dtype=float32>"


@dataclass(eq=False)
class Node:
    """One use of a layer: what it read and what came out."""

    layer: Layer
    inputs: tuple[KerasTensor, ...]


class KerasTensor:
    """What a layer will give: a shape, and where it comes from."""

    def __init__(self, stream: Stream, node: Node, dtype: str = "float32") -> None:
        self.stream, self.node, self.dtype = stream, node, dtype

    @property
    def shape(self) -> tuple[int | None, ...]:
        """Its sizes; None is the batch's."""
        return (None, *self.stream.shape)

    @property
    def ndim(self) -> int:
        """How many axes, the batch's included."""
        return len(self.shape)

    @property
    def name(self) -> str:
        """That of the layer that gives it."""
        return self.node.layer.name

    def __repr__(self) -> str:
        return f"<KerasTensor shape={self.shape}, dtype={self.dtype}, name={self.name}>"

    def __add__(self, other: Any) -> KerasTensor:
        return self._joined("Add", other)

    def __mul__(self, other: Any) -> KerasTensor:
        return self._joined("Multiply", other)

    def _joined(self, kind: str, other: Any) -> KerasTensor:
        from beak.keras import layers

        if not isinstance(other, KerasTensor):
            raise refuse(f"{kind} of a tensor and {type(other).__name__}", "layers.Rescaling")
        made: KerasTensor = getattr(layers, kind)()([self, other])
        return made

    def __sub__(self, other: Any) -> KerasTensor:
        raise refuse("the difference of tensors", "layers.Add")

    def __truediv__(self, other: Any) -> KerasTensor:
        raise refuse("dividing a tensor", "layers.Rescaling(1 / 255), right behind the Input")

    def __getitem__(self, key: Any) -> KerasTensor:
        raise refuse("a slice of a tensor", "layers.Cropping2D")

    def __array__(self, *given: Any, **more: Any) -> Array:
        raise TypeError(
            "a KerasTensor has no numbers yet; give model.predict an array, and layers the tensor"
        )


def as_list(value: Any) -> list[Any]:
    """One thing as a list of it."""
    return list(value) if isinstance(value, list | tuple) else [value]


def graph(outputs: Sequence[KerasTensor], inputs: Sequence[KerasTensor]) -> list[Node]:
    """The nodes between inputs and outputs in Keras's order: by depth, then by first visit.

    Raises NetworkError where an output hangs on an Input that is not among the inputs.
    """
    ends = {id(tensor.node) for tensor in inputs}
    visits: dict[int, int] = {}
    done: list[Node] = []
    finished: set[int] = set()

    def visit(node: Node) -> None:
        if id(node) in finished:
            return
        visits.setdefault(id(node.layer), len(visits))
        if id(node) not in ends:
            if not node.inputs:
                raise refuse(
                    f"a model whose outputs hang on '{node.layer.name}', which is none of its "
                    "inputs,",
                    "Model(inputs=that Input, …)",
                )
            for tensor in node.inputs:
                visit(tensor.node)
        finished.add(id(node))
        done.append(node)

    for tensor in outputs:
        visit(tensor.node)
    depth: dict[int, int] = {}
    layer_depth: dict[int, int] = {}
    for node in reversed(done):
        here = max(depth.get(id(node), 0), layer_depth.get(id(node.layer), 0))
        depth[id(node)] = layer_depth[id(node.layer)] = here
        if id(node) in ends:
            continue
        for tensor in node.inputs:
            depth[id(tensor.node)] = max(here + 1, depth.get(id(tensor.node), 0))
    return sorted(done, key=lambda node: (-depth[id(node)], visits[id(node.layer)]))
