"""Layers with windows that slide over a map: convolution and pooling."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from beak.errors import NetworkError, ShapeError
from beak.network.layer import Layer, Parameter, Shape, count, layer, short, whole
from beak.shapes import Padding, Pair, padding_pairs, pair, reach, shape_text, windows_along


@dataclass(frozen=True)
class Geometry:
    """A layer's windows on one input: a number for each axis, padding (before, after) for each."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[Pair, ...]
    dilation: tuple[int, ...]
    outputs: tuple[int, ...]


@layer
class Windowed(Layer, ABC):
    """What convolutions and pooling share: windows over the axes that follow the channels."""

    axes: ClassVar[int] = 2

    def geometry(self, shape: Shape) -> Geometry:
        """Kernel, stride, padding, dilation and outputs along each axis for an input (C, …)."""
        sizes = shape[1:]
        kernel, stride, dilation = self._steps()
        padding: Padding = getattr(self, "padding")  # noqa: B009
        pads = padding_pairs(padding, sizes, kernel, stride, dilation)
        outputs = tuple(
            windows_along(size, k, s, p, d)
            for size, k, s, p, d in zip(sizes, kernel, stride, pads, dilation, strict=True)
        )
        return Geometry(kernel, stride, pads, dilation, outputs)

    @abstractmethod
    def _steps(self) -> tuple[tuple[int, ...], ...]:
        """Kernel, stride and dilation, a number for each axis."""

    def _each(self, field: str, least: int = 1) -> None:
        """Check a field with a number for each axis; 2-D takes one number or a pair."""
        value, what = getattr(self, field), f"{self.kind}: {field}"
        if self.axes == 1:
            self._set(field, whole(value, what, least))
            return
        if hasattr(value, "__index__"):
            value = whole(value, what, least)
        try:
            values = pair(value)
        except ShapeError:
            raise NetworkError(
                f"{what}={short(value)}; one whole number or a pair (height, width) was wanted"
            ) from None
        self._set(field, tuple(whole(number, what, least) for number in values))

    def _padding(self) -> None:
        value = getattr(self, "padding")  # noqa: B009
        if isinstance(value, str):
            if value not in ("valid", "same"):
                raise NetworkError(
                    f"{self.kind}: padding={short(value)}; a number, 'valid' or 'same' was wanted"
                )
        else:
            self._each("padding", least=0)

    def _spatial(self, shape: Shape) -> Geometry:
        """The geometry for this input, or ShapeError that says what would fit."""
        if len(shape) != self.axes + 1:
            raise ShapeError(self._wrong_axes(shape))
        geometry = self.geometry(shape)
        if min(geometry.outputs) < 1:
            word = "kernel" if hasattr(self, "kernel") else "window"
            spans = [reach(k, d) for k, d in zip(geometry.kernel, geometry.dilation, strict=True)]
            room = [s + sum(p) for s, p in zip(shape[1:], geometry.padding, strict=True)]
            padded = " with its padding" if room != list(shape[1:]) else ""
            raise ShapeError(
                f"a {word} that spans {shape_text(spans)} is larger than its input of "
                f"{shape_text(room)}{padded}; a {word} of at most {shape_text(room)} would fit, "
                f'or padding="same", or fewer pooling layers and strides before it'
            )
        return geometry

    def _wrong_axes(self, shape: Shape) -> str:
        wanted = {1: "(channels, length)", 2: "(channels, height, width)"}[self.axes]
        came = f"{shape_text(shape)} came in, {wanted} was wanted"
        if len(shape) == 1:
            return f"{came}; it must stand before Flatten, GlobalAvgPool and Dense"
        if self.axes == 2:
            name = self.kind.replace("2D", "1D")
            sizes = ", ".join(map(str, shape))
            return f"{came}; a grey picture is (1, {sizes}), a sequence needs {name}"
        return f"{came}; maps need {self.kind.replace('1D', '2D')}"


@layer
class _Convolution(Windowed):
    prefix: ClassVar[str] = "conv"

    filters: int
    kernel: Any
    stride: Any = 1
    padding: Any = "valid"
    dilation: Any = 1
    groups: int = 1
    bias: bool = True
    activation: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._whole("filters")
        self._whole("groups")
        for field in ("kernel", "stride", "dilation"):
            self._each(field)
        self._padding()
        self._true_or_false("bias")
        self._function("activation")
        if self.filters % self.groups:
            raise NetworkError(
                f"{self.kind}: groups={self.groups} must divide filters={self.filters}; "
                f"{_divisors(self.filters)} would"
            )

    def _steps(self) -> tuple[tuple[int, ...], ...]:
        steps = (self.kernel, self.stride, self.dilation)
        return tuple((step,) if isinstance(step, int) else step for step in steps)

    def output(self, *shapes: Shape) -> Shape:
        """(F, outputs along each axis)."""
        (shape,) = shapes
        geometry = self._spatial(shape)
        if shape[0] % self.groups:
            both = [d for d in _divisor_list(shape[0]) if self.filters % d == 0]
            raise ShapeError(
                f"groups={self.groups} must divide the {shape[0]} channels that come in "
                f"and the {self.filters} filters; {_listed(both)} would"
            )
        return (self.filters, *geometry.outputs)

    def parameters(self, *shapes: Shape) -> dict[str, Parameter]:
        """Weight (F, C/groups, *kernel), bias (F,)."""
        (shape,) = shapes
        kernel = self._steps()[0]
        fan_in = shape[0] // self.groups * count(kernel)
        fan_out = self.filters // self.groups * count(kernel)
        weight = (self.filters, shape[0] // self.groups, *kernel)
        arrays = {"weight": Parameter(weight, "glorot", fan_in, fan_out, decay=True)}
        if self.bias:
            arrays["bias"] = Parameter((self.filters,), "zeros", fan_in, fan_out)
        return arrays

    def multiply_adds(self, *shapes: Shape) -> int:
        """Taps of one filter x outputs, padded taps counted."""
        (shape,) = shapes
        return count(self.parameters(shape)["weight"].shape) * count(self.output(shape)[1:])

    def dense_parameters(self, *shapes: Shape) -> int:
        """Inputs x outputs, and a bias for each output where the convolution has biases."""
        inputs, outputs = count(shapes[0]), count(self.output(*shapes))
        return inputs * outputs + (outputs if self.bias else 0)


@layer
class Conv2D(_Convolution):
    """Filters that slide over a map: (C, H, W) -> (F, H', W').

    ``kernel``, ``stride``, ``dilation``: one number or (height, width); ``padding`` also "valid"
    or "same". Parameters: weight (F, C/groups, h, w), bias (F,).
    """


@layer
class Conv1D(_Convolution):
    """Filters that slide along a sequence: (C, L) -> (F, L').

    Parameters: weight (F, C/groups, k), bias (F,).
    """

    axes: ClassVar[int] = 1


@layer
class _Pool(Windowed):
    prefix: ClassVar[str] = "pool"

    window: Any = 2
    stride: Any = None
    padding: Any = "valid"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._each("window")
        if self.stride is None:
            self._set("stride", self.window)
        self._each("stride")
        self._padding()
        if not isinstance(self.padding, str):
            pads = [self.padding] if self.axes == 1 else self.padding
            if any(p >= k for p, k in zip(pads, self._steps()[0], strict=True)):
                raise NetworkError(
                    f"{self.kind}: padding={self.padding!r} must be less than the window "
                    f"{self.window!r}, or a window would hold nothing but padding"
                )

    def _steps(self) -> tuple[tuple[int, ...], ...]:
        steps = (self.window, self.stride, 1 if self.axes == 1 else (1, 1))
        return tuple((step,) if isinstance(step, int) else step for step in steps)

    def output(self, *shapes: Shape) -> Shape:
        """(C, outputs along each axis), rounded down."""
        (shape,) = shapes
        return (shape[0], *self._spatial(shape).outputs)


@layer
class MaxPool2D(_Pool):
    """The largest number of each window: (C, H, W) -> (C, H', W'); stride None: the window."""


@layer
class MaxPool1D(_Pool):
    """The largest number of each window: (C, L) -> (C, L'); stride None: the window."""

    axes: ClassVar[int] = 1


@layer
class AvgPool2D(_Pool):
    """The mean of each window, padding not counted: (C, H, W) -> (C, H', W')."""


@layer
class AvgPool1D(_Pool):
    """The mean of each window, padding not counted: (C, L) -> (C, L')."""

    axes: ClassVar[int] = 1


def _divisor_list(number: int) -> list[int]:
    return [d for d in range(1, min(number, 4096) + 1) if number % d == 0]


def _listed(numbers: list[int]) -> str:
    return ", ".join(str(n) for n in numbers[:8])


def _divisors(number: int) -> str:
    return _listed(_divisor_list(number))
