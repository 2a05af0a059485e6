"""What every layer is: a few checked fields, and what follows from them without numbers."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeVar, dataclass_transform

from beak.errors import NetworkError, did_you_mean

Shape = tuple[int, ...]

RELU_KINDS = ("relu", "leaky_relu", "gelu", "silu", "hard_swish")
"""Activations whose weights start as He et al. 2015 say; the others as Glorot and Bengio 2010."""
ACTIVATIONS = (*RELU_KINDS, "tanh", "sigmoid", "softmax")


@dataclass(frozen=True)
class Parameter:
    """One array of a network that has values: its shape, and how it starts."""

    shape: Shape
    initial: Literal["he", "glorot", "zeros", "ones"]
    fan_in: int
    """How many inputs each output adds up."""
    fan_out: int
    trainable: bool = True
    decay: bool = False
    """Whether weight decay applies: the weights of convolutions, dense layers and embeddings."""
    max_norm: float | None = None
    """After each step a row (what one output multiplies with) that is longer is shortened to it."""


@dataclass(frozen=True)
class Layer:
    """Base of all layers. ``inputs``: names of the nodes it reads; None is the node before."""

    name: str | None = dataclasses.field(default=None, kw_only=True)
    inputs: tuple[str, ...] | None = dataclasses.field(default=None, kw_only=True)

    prefix: ClassVar[str] = ""
    """What made names start with: conv1, conv2, …"""
    arity: ClassVar[tuple[int, int | None]] = (1, 1)
    """Least and greatest number of inputs; None is any."""
    listed: ClassVar[tuple[str, ...]] = ()
    """Fields whose several equal numbers are not one number."""
    opens: ClassVar[bool] = False
    """Whether it reads the network's input, which then no other kind can read."""

    def __post_init__(self) -> None:
        if isinstance(self.inputs, str):
            self._set("inputs", (self.inputs,))
        elif self.inputs is not None:
            self._set("inputs", tuple(self.inputs))

    @property
    def kind(self) -> str:
        """The layer's name in JSON and in tables, as ``Conv2D``."""
        return type(self).__name__

    def output(self, *shapes: Shape) -> Shape:
        """The shape that comes out; ShapeError where the shapes that come in do not fit."""
        return shapes[0]

    def parameters(self, *shapes: Shape) -> dict[str, Parameter]:
        """The layer's own arrays by short name, for inputs of these shapes."""
        return {}

    def multiply_adds(self, *shapes: Shape) -> int:
        """Products that are summed for one example, taps on padding counted."""
        return 0

    def dense_parameters(self, *shapes: Shape) -> int:
        """What the same map costs fully connected; its own parameters where it has no such twin."""
        return count_trainable(self.parameters(*shapes).values())

    def fields(self) -> dict[str, Any]:
        """The layer's own fields (neither name nor inputs) by name."""
        names = [f.name for f in dataclasses.fields(self) if f.name not in ("name", "inputs")]
        return {name: getattr(self, name) for name in names}

    def _set(self, field: str, value: Any) -> None:
        object.__setattr__(self, field, value)

    def _whole(self, field: str, least: int = 1) -> None:
        """Check that a field is a whole number of at least ``least``."""
        value = getattr(self, field)
        self._set(field, whole(value, f"{self.kind}: {field}", least))

    def _true_or_false(self, field: str) -> None:
        if not isinstance(getattr(self, field), bool):
            raise NetworkError(
                f"{self.kind}: {field}={short(getattr(self, field))}; true or false was wanted"
            )

    def _number(self, field: str, least: float, below: float) -> None:
        value = getattr(self, field)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise NetworkError(f"{self.kind}: {field}={short(value)} is no number")
        if not least <= value < below:
            raise NetworkError(
                f"{self.kind}: {field}={short(value)}; from {least:g} to below {below:g} was wanted"
            )
        self._set(field, float(value))

    def _function(self, field: str, optional: bool = True) -> None:
        """Check that a field names an activation."""
        value = getattr(self, field)
        if value is None and optional:
            return
        if value not in ACTIVATIONS:
            hint = "; leave it out" if value == "linear" else ""
            raise NetworkError(
                f"{self.kind}: unknown activation {short(value)}"
                + (hint or did_you_mean(str(value), ACTIVATIONS))
            )


_Kind = TypeVar("_Kind", bound=Layer)


@dataclass_transform(frozen_default=True)
def layer(cls: type[_Kind]) -> type[_Kind]:
    """A frozen dataclass whose unknown fields are told with the nearest known one."""
    made = dataclass(frozen=True)(cls)
    known = [field.name for field in dataclasses.fields(made)]
    fill = made.__init__

    @functools.wraps(fill)
    def checked(self: Layer, *values: Any, **fields: Any) -> None:
        for field in fields:
            if field not in known:
                hint = did_you_mean(field, known)
                raise NetworkError(f"{cls.__name__}: unknown field {short(field)}{hint}")
        fill(self, *values, **fields)

    made.__init__ = checked  # type: ignore[method-assign]
    return made


def short(value: Any) -> str:
    """How an error quotes a value: in one line, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def whole(value: Any, what: str, least: int = 1) -> int:
    """A whole number of at least ``least``, or NetworkError; NumPy's integers become Python's."""
    if not isinstance(value, bool | float | str) and hasattr(value, "__index__"):
        number = int(value.__index__())
        if least <= number < 2**31:
            return number
    raise NetworkError(f"{what}={short(value)}; a whole number of at least {least} was wanted")


def count(shape: Iterable[int]) -> int:
    """How many numbers an array of this shape holds."""
    product = 1
    for size in shape:
        product *= size
    return product


def count_trainable(parameters: Iterable[Parameter]) -> int:
    """How many numbers are trained: running statistics are not counted."""
    return sum(count(parameter.shape) for parameter in parameters if parameter.trainable)
