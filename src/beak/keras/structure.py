"""Where a model begins, and what joins or bends what flows: no windows, no arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from beak.errors import UsageError
from beak.exchange.keras_stream import Stream
from beak.keras.layer import Layer
from beak.keras.tensors import Array, KerasTensor, Node


class InputLayer(Layer):
    """Where a model's input comes in."""

    def __init__(
        self,
        shape: Sequence[Any] | None = None,
        batch_size: int | None = None,
        dtype: Any = None,
        sparse: bool | None = None,
        batch_shape: Sequence[Any] | None = None,
        **common: Any,
    ) -> None:
        shape = shape if shape is not None else common.pop("input_shape", None)
        if batch_shape is None and common.get("batch_input_shape") is not None:
            batch_shape = common.pop("batch_input_shape")
        if batch_shape is None:
            if shape is None:
                raise UsageError("Input: no shape; Input(shape=(28, 28, 1)) was wanted")
            batch_shape = (batch_size, *([shape] if isinstance(shape, int) else shape))
        sizes = tuple(batch_shape)
        self._begin({"batch_shape": sizes}, common)
        self.input_dtype = str(dtype or "float32")
        if any(size is None for size in sizes[1:]):
            raise UsageError(
                f"Input(shape={sizes[1:]}) leaves a size open, which is not in beak; nearest: the "
                "size that all examples are brought to"
            )
        self.built = True
        self.stream = Stream(tuple(int(size) for size in sizes[1:]))
        self.tensor = KerasTensor(self.stream, Node(self, ()), self.input_dtype)
        self.nodes.append(self.tensor.node)

    def get_config(self) -> dict[str, Any]:
        """Its settings as plain values."""
        return {
            "batch_shape": [None, *self.stream.shape],
            "dtype": self.input_dtype,
            "sparse": False,
            "name": self.name,
        }

    @property
    def output(self) -> KerasTensor:
        """The tensor that comes in."""
        return self.tensor


def Input(  # noqa: N802 - Keras's name
    shape: Sequence[Any] | None = None,
    batch_size: int | None = None,
    dtype: Any = None,
    sparse: bool | None = None,
    batch_shape: Sequence[Any] | None = None,
    name: str | None = None,
    tensor: Any = None,
    **more: Any,
) -> KerasTensor:
    """The tensor that a model begins with; ``shape`` is without the batch."""
    layer = InputLayer(shape, batch_size, dtype, sparse, batch_shape, name=name, **more)
    return layer.tensor


class Flatten(Layer):
    """Everything in one row."""

    def __init__(self, data_format: str | None = None, **common: Any) -> None:
        self._begin(locals(), common)


class Reshape(Layer):
    """Another shape for the same numbers: of the input, or to a row."""

    def __init__(self, target_shape: Sequence[int], **common: Any) -> None:
        target_shape = tuple(target_shape)
        self._begin(locals(), common)

    def apply(self, inputs: Array, training: bool) -> Array:
        """Arrays of the input, before the network reads them."""
        return inputs.reshape(len(inputs), *self.target_shape)


class Activation(Layer):
    """A function of each number, by name."""

    def __init__(self, activation: Any, **common: Any) -> None:
        self._begin(locals(), common)


class ReLU(Layer):
    """max(x, 0)."""

    def __init__(
        self,
        max_value: float | None = None,
        negative_slope: float = 0.0,
        threshold: float = 0.0,
        **common: Any,
    ) -> None:
        self._begin(locals(), common)


class LeakyReLU(Layer):
    """X, or negative_slope x below 0."""

    def __init__(self, negative_slope: float = 0.3, **common: Any) -> None:
        self._begin(locals(), common)


class Softmax(Layer):
    """Shares of 1 along the channels."""

    def __init__(self, axis: int = -1, **common: Any) -> None:
        self._begin(locals(), common)


class Dropout(Layer):
    """In training, numbers fall out at random."""

    def __init__(
        self, rate: float, noise_shape: Any = None, seed: int | None = None, **common: Any
    ) -> None:
        self._begin(locals(), common)


class SpatialDropout1D(Layer):
    """In training, whole channels of a sequence fall out."""

    def __init__(self, rate: float, seed: int | None = None, **common: Any) -> None:
        self._begin(locals(), common)


class SpatialDropout2D(Layer):
    """In training, whole channels of a map fall out."""

    def __init__(
        self,
        rate: float,
        data_format: str | None = None,
        seed: int | None = None,
        **common: Any,
    ) -> None:
        self._begin(locals(), common)


class Add(Layer):
    """The sum of tensors of one shape."""

    def __init__(self, **common: Any) -> None:
        self._begin({}, common)


class Multiply(Layer):
    """The product of tensors; (1, 1, C) multiplies each channel of a map."""

    def __init__(self, **common: Any) -> None:
        self._begin({}, common)


class Concatenate(Layer):
    """Channels one behind the other."""

    def __init__(self, axis: int = -1, **common: Any) -> None:
        self._begin(locals(), common)


def add(inputs: Sequence[KerasTensor], **common: Any) -> Any:
    """The sum of tensors of one shape."""
    return Add(**common)(inputs)


def multiply(inputs: Sequence[KerasTensor], **common: Any) -> Any:
    """The product of tensors."""
    return Multiply(**common)(inputs)


def concatenate(inputs: Sequence[KerasTensor], axis: int = -1, **common: Any) -> Any:
    """Channels one behind the other."""
    return Concatenate(axis=axis, **common)(inputs)
