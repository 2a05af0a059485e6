"""Layers that move numbers without weights: padding and cutting, upsampling, reshaping."""

from __future__ import annotations

from typing import Any, ClassVar

from beak.errors import NetworkError, ShapeError
from beak.network.layer import Layer, Shape, count, layer, short, whole
from beak.shapes import shape_text


@layer
class Pad(Layer):
    """Zeros before and after a map along its axes; a number below 0 cuts so much off.

    ``before`` and ``after``: one whole number, or (height, width). (C, H, W) -> (C, H', W').
    """

    prefix: ClassVar[str] = "pad"

    before: Any = 0
    after: Any = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        for field in ("before", "after"):
            self._set(field, _numbers(getattr(self, field), f"Pad: {field}", None))

    def sides(self, shape: Shape) -> tuple[tuple[int, int], ...]:
        """(before, after) for each axis of an input (C, …)."""
        axes = len(shape) - 1
        before, after = (_each(v, axes, "Pad") for v in (self.before, self.after))
        return tuple(zip(before, after, strict=True))

    def output(self, *shapes: Shape) -> Shape:
        """(C, size + before + after along each axis)."""
        (shape,) = shapes
        _map(shape, "Pad")
        sizes = [size + b + a for size, (b, a) in zip(shape[1:], self.sides(shape), strict=True)]
        kept = [size + min(0, b) + min(0, a)
                for size, (b, a) in zip(shape[1:], self.sides(shape), strict=True)]  # fmt: skip
        if min(kept) < 1:
            raise ShapeError(
                f"{shape_text(shape)} came in and before={self.before}, after={self.after} leave "
                "nothing of it; less to cut off was wanted"
            )
        return (shape[0], *sizes)


@layer
class Upsample(Layer):
    """A map ``factor`` times as large: each number so many times, or what lies between them.

    ``factor``: one whole number, or (height, width). ``how``: "nearest" or "bilinear".
    """

    prefix: ClassVar[str] = "upsample"

    factor: Any = 2
    how: str = "nearest"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set("factor", _numbers(self.factor, "Upsample: factor", 1))
        if self.how not in ("nearest", "bilinear"):
            raise NetworkError(
                f"Upsample: how={short(self.how)}; 'nearest' or 'bilinear' was wanted"
            )

    def factors(self, shape: Shape) -> tuple[int, ...]:
        """A number for each axis of an input (C, …)."""
        return _each(self.factor, len(shape) - 1, "Upsample")

    def output(self, *shapes: Shape) -> Shape:
        """(C, size x factor along each axis)."""
        (shape,) = shapes
        _map(shape, "Upsample")
        times = zip(shape[1:], self.factors(shape), strict=True)
        return (shape[0], *(size * factor for size, factor in times))


@layer
class Reshape(Layer):
    """The same numbers in another shape, channels first: as they lie, or counted channels last.

    ``shape``: (C, H, W), (C, L) or (n,). ``last``: the numbers keep their order where on both
    sides the channels stand last, as in Keras.
    """

    prefix: ClassVar[str] = "reshape"
    listed: ClassVar[tuple[str, ...]] = ("shape",)

    shape: Any
    last: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        value = self.shape
        sizes = (value,) if hasattr(value, "__index__") else value
        if isinstance(sizes, str) or not hasattr(sizes, "__iter__") or not 1 <= len(sizes) <= 3:
            raise NetworkError(
                f"Reshape: shape={short(value)}; one to three sizes were wanted, as (16, 7, 7)"
            )
        self._set("shape", tuple(whole(size, "Reshape: shape") for size in sizes))
        self._true_or_false("last")

    def output(self, *shapes: Shape) -> Shape:
        """``shape``."""
        (shape,) = shapes
        if count(shape) != count(self.shape):
            raise ShapeError(
                f"{shape_text(shape)} came in, {count(shape)} numbers; they do not fit "
                f"{shape_text(self.shape)}, {count(self.shape)}"
            )
        return tuple(self.shape)


Moving = Pad | Upsample | Reshape


def _numbers(value: Any, what: str, least: int | None) -> Any:
    """One whole number, or two that differ."""
    if hasattr(value, "__index__") and not isinstance(value, bool):
        number = int(value.__index__())
        if abs(number) < 2**20 and (least is None or number >= least):
            return number
    elif isinstance(value, tuple | list) and len(value) == 2:
        both = tuple(_numbers(one, what, least) for one in value)
        if all(isinstance(one, int) for one in both):
            return both[0] if both[0] == both[1] else both
    bound = "" if least is None else f" of at least {least}"
    raise NetworkError(f"{what}={short(value)}; one whole number{bound} or a pair was wanted")


def _each(value: Any, axes: int, what: str) -> tuple[int, ...]:
    """A number for each axis; ShapeError where a pair meets one axis."""
    if isinstance(value, int):
        return (value,) * axes
    if len(value) != axes:
        raise ShapeError(f"{what}: {value} for {axes} axis; one number was wanted")
    return tuple(value)


def _map(shape: Shape, what: str) -> None:
    if len(shape) < 2:
        raise ShapeError(
            f"{shape_text(shape)} came in, a map (channels, height, width) or (channels, length) "
            f"was wanted; {what} must stand before Flatten and Dense"
        )
