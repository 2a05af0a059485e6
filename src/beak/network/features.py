"""Layers without windows: dense, norms, activations, embedding, and what joins several inputs."""

from __future__ import annotations

from typing import ClassVar

from beak.errors import NetworkError, ShapeError
from beak.network.layer import Layer, Parameter, Shape, count, layer
from beak.shapes import shape_text


@layer
class GlobalPool(Layer):
    """What both poolings over a whole map share: (C, H, W) or (C, L) -> (C,)."""

    prefix: ClassVar[str] = "global_pool"

    def output(self, *shapes: Shape) -> Shape:
        """(C,)."""
        (shape,) = shapes
        if len(shape) < 2:
            raise ShapeError(
                f"{shape_text(shape)} came in, maps (channels, height, width) or (channels, "
                "length) were wanted; it must stand before Flatten and Dense"
            )
        return shape[:1]


@layer
class GlobalMaxPool(GlobalPool):
    """The largest number of each channel: (C, H, W) or (C, L) -> (C,)."""


@layer
class GlobalAvgPool(GlobalPool):
    """The mean of each channel: (C, H, W) or (C, L) -> (C,)."""


@layer
class Flatten(Layer):
    """All numbers in one row, channels first: (C, H, W) -> (C*H*W,)."""

    prefix: ClassVar[str] = "flatten"

    def output(self, *shapes: Shape) -> Shape:
        """(product of the sizes,)."""
        return (count(shapes[0]),)


@layer
class Dense(Layer):
    """Every output from every input: (n,) -> (units,). weight (units, n), bias (units,).

    ``max_norm``: in training, the weights of one output are never longer than this (L2).
    """

    prefix: ClassVar[str] = "dense"

    units: int
    bias: bool = True
    activation: str | None = None
    max_norm: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._whole("units")
        self._true_or_false("bias")
        self._function("activation")
        if self.max_norm is not None:
            self._number("max_norm", 1e-6, 1e6)

    def output(self, *shapes: Shape) -> Shape:
        """(units,)."""
        (shape,) = shapes
        if len(shape) != 1:
            raise ShapeError(
                f"{shape_text(shape)} came in, one row of numbers (n,) was wanted; put Flatten() "
                f"before it ({count(shape)} inputs) or GlobalAvgPool() ({shape[0]} inputs)"
            )
        return (self.units,)

    def parameters(self, *shapes: Shape) -> dict[str, Parameter]:
        """Weight (units, n), bias (units,)."""
        inputs = shapes[0][0]
        shape, limit = (self.units, inputs), self.max_norm
        weight = Parameter(shape, "glorot", inputs, self.units, decay=True, max_norm=limit)
        arrays = {"weight": weight}
        if self.bias:
            arrays["bias"] = Parameter((self.units,), "zeros", inputs, self.units)
        return arrays

    def multiply_adds(self, *shapes: Shape) -> int:
        """N x units."""
        return shapes[0][0] * self.units


@layer
class BatchNorm(Layer):
    """Each channel to mean 0 and variance 1 over the batch, then scaled and shifted.

    Parameters, all (C,): weight, bias, and the running_mean and running_var that prediction uses.
    """

    prefix: ClassVar[str] = "norm"

    epsilon: float = 1e-5
    momentum: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        self._number("epsilon", 0, 1)
        self._number("momentum", 0, 1)

    def parameters(self, *shapes: Shape) -> dict[str, Parameter]:
        """weight, bias, running_mean, running_var: (C,) each."""
        size = shapes[0][0]
        return {
            "weight": Parameter((size,), "ones", 1, 1),
            "bias": Parameter((size,), "zeros", 1, 1),
            "running_mean": Parameter((size,), "zeros", 1, 1, trainable=False),
            "running_var": Parameter((size,), "ones", 1, 1, trainable=False),
        }


@layer
class LayerNorm(Layer):
    """At each place, the channels to mean 0 and variance 1, then scaled and shifted: (C,) each."""

    prefix: ClassVar[str] = "norm"

    epsilon: float = 1e-5

    def __post_init__(self) -> None:
        super().__post_init__()
        self._number("epsilon", 0, 1)

    def parameters(self, *shapes: Shape) -> dict[str, Parameter]:
        """Weight and bias (C,)."""
        size = shapes[0][0]
        return {
            "weight": Parameter((size,), "ones", 1, 1),
            "bias": Parameter((size,), "zeros", 1, 1),
        }


@layer
class Dropout(Layer):
    """In training, each number becomes 0 with probability ``rate``, the others grow to match.

    ``maps``: whole channels at once, as Tompson et al. 2015, arXiv 1411.4280.
    """

    prefix: ClassVar[str] = "dropout"

    rate: float = 0.5
    maps: bool | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._number("rate", 0, 1)
        if self.maps is not None:
            self._true_or_false("maps")


@layer
class Activation(Layer):
    """A function of each number; softmax of each place's channels (axis 0).

    ``slope``: of leaky_relu, what numbers below 0 are multiplied with; None is 0.01.
    """

    function: str
    slope: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._function("function", optional=False)
        if self.slope is None:
            return
        if self.function != "leaky_relu":
            raise NetworkError(f"Activation: {self.function} has no slope; leaky_relu has one")
        self._number("slope", 1e-6, 1)


@layer
class Embedding(Layer):
    """A vector for each word number: (L,) -> (dimensions, L). weight (words, dimensions).

    ``padding_index``: the word number that stands for no word; its vector stays zero.
    ``trainable``: whether the vectors are tuned. ``begin`` and ``places``: which stretch of the
    input is read, as "words" and then "pairs of words"; None is up to the end.
    """

    prefix: ClassVar[str] = "embedding"
    opens: ClassVar[bool] = True

    words: int
    dimensions: int
    padding_index: int | None = None
    trainable: bool = True
    begin: int = 0
    places: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._whole("words")
        self._whole("dimensions")
        self._true_or_false("trainable")
        self._whole("begin", least=0)
        if self.places is not None:
            self._whole("places")
        if self.padding_index is not None:
            self._whole("padding_index", least=0)
            if self.padding_index >= self.words:
                raise NetworkError(
                    f"Embedding: padding_index={self.padding_index} is no word number; "
                    f"0 to {self.words - 1} are"
                )

    def output(self, *shapes: Shape) -> Shape:
        """(dimensions, L)."""
        (shape,) = shapes
        if len(shape) != 1:
            raise ShapeError(f"{shape_text(shape)} came in, word numbers (length,) were wanted")
        places = shape[0] - self.begin if self.places is None else self.places
        if places < 1 or self.begin + places > shape[0]:
            raise ShapeError(
                f"{shape[0]} places came in, {places} from place {self.begin} on were wanted; "
                f"begin and places must lie within 0 to {shape[0]}"
            )
        return (self.dimensions, places)

    def parameters(self, *shapes: Shape) -> dict[str, Parameter]:
        """Weight (words, dimensions)."""
        size = self.dimensions
        shape, tuned = (self.words, size), self.trainable
        return {"weight": Parameter(shape, "glorot", size, size, tuned, decay=True)}


@layer
class PositionBias(Layer):
    """One bias for each place, the same for all channels: bias (H, W), (L,) or (n,)."""

    prefix: ClassVar[str] = "position_bias"

    def parameters(self, *shapes: Shape) -> dict[str, Parameter]:
        """bias: the input's shape without its channels."""
        (shape,) = shapes
        return {"bias": Parameter(shape[1:] or shape, "zeros", 1, 1)}


@layer
class _Join(Layer):
    arity: ClassVar[tuple[int, int | None]] = (2, None)


@layer
class Add(_Join):
    """The sum of inputs of one shape."""

    prefix: ClassVar[str] = "add"

    def output(self, *shapes: Shape) -> Shape:
        """The inputs' common shape."""
        if len(set(shapes)) > 1:
            raise ShapeError(
                f"{' and '.join(map(shape_text, shapes))} came in, inputs of one shape were "
                f"wanted; {_what_fits(shapes)}"
            )
        return shapes[0]


@layer
class Concat(_Join):
    """The inputs' channels one after another; their other sizes must agree."""

    prefix: ClassVar[str] = "concat"

    def output(self, *shapes: Shape) -> Shape:
        """(sum of the channels, …)."""
        if len({shape[1:] for shape in shapes}) > 1:
            raise ShapeError(
                f"{' and '.join(map(shape_text, shapes))} came in, maps of one height and width "
                'were wanted; padding="same" and equal strides keep the branches alike'
            )
        return (sum(shape[0] for shape in shapes), *shapes[0][1:])


@layer
class Multiply(_Join):
    """The product of inputs of one shape; (C,) multiplies each channel of (C, H, W) or (C, L)."""

    prefix: ClassVar[str] = "multiply"

    def output(self, *shapes: Shape) -> Shape:
        """The largest input's shape."""
        whole = max(shapes, key=len)
        if any(shape not in (whole, whole[:1]) for shape in shapes):
            raise ShapeError(
                f"{' and '.join(map(shape_text, shapes))} came in, inputs of one shape or "
                f"({whole[0]},) beside {shape_text(whole)} were wanted"
            )
        return whole


def _what_fits(shapes: tuple[Shape, ...]) -> str:
    """The 1x1 convolution that brings one input to the other's shape, where one does."""
    first, second = shapes[0], next(shape for shape in shapes if shape != shapes[0])
    which = "the second input"
    if first[1:] > second[1:]:
        first, second, which = second, first, "the first input"
    if len(first) == len(second) == 3:
        stride = -(-second[1] // first[1])
        if first[1:] == tuple(-(-size // stride) for size in second[1:]):
            more = f", stride={stride}" if stride > 1 else ""
            return f"Conv2D({first[0]}, 1{more}) on {which} would fit"
    return "a convolution with as many filters, and padding and stride to match, would fit"
