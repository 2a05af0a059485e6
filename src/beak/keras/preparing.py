"""Layers that prepare the input: they run on arrays, in NumPy, before beak's network."""

from __future__ import annotations

from typing import Any

import numpy as np

from beak.errors import ShapeError, UsageError
from beak.exchange.keras_stream import Stream
from beak.keras import config
from beak.keras.layer import Layer
from beak.keras.tensors import Array, Variable
from beak.keras.warping import resized


class Preparing(Layer):
    """Base of these layers."""

    def apply(self, inputs: Array, training: bool) -> Array:
        """Arrays as they go on."""
        raise config.lacks(self, "apply(inputs, training), which gives the arrays")

    def on_arrays(self, inputs: Any, training: bool = False, **options: Any) -> Any:
        """The layer alone, on numbers; one picture alone too."""
        array = np.asarray(inputs)
        if array.ndim == 3 and not isinstance(self, Rescaling | Normalization):
            return self.apply(array[None], training)[0]
        return self.apply(array, training)


class Rescaling(Preparing):
    """X * scale + offset."""

    def __init__(self, scale: Any, offset: Any = 0.0, **common: Any) -> None:
        self._begin(locals(), common)

    def apply(self, inputs: Array, training: bool) -> Array:
        """Scaled and moved."""
        scale = np.asarray(self.scale, np.float32)
        return np.asarray(inputs, np.float32) * scale + np.asarray(self.offset, np.float32)


class Normalization(Preparing):
    """Channels to mean 0 and variance 1, as ``adapt`` measured them or as they are given."""

    def __init__(
        self,
        axis: Any = -1,
        mean: Any = None,
        variance: Any = None,
        invert: bool = False,
        **common: Any,
    ) -> None:
        if (mean is None) != (variance is None):
            raise UsageError("Normalization: mean and variance, or neither, were wanted")
        self._begin(locals(), common)

    def build_for(self, streams: list[Stream]) -> Stream:
        """Its arrays are mean, variance and count, where they are not given."""
        stream, _ = self.translated(streams)
        self.built = True
        if self.fields["mean"] is None and not self._variables:
            size = () if self.axis is None else (stream.shape[-1],)
            self._variables = [
                Variable(value, name, f"{self.name}/{name}", trainable=False)
                for name, value in (
                    ("mean", np.zeros(size)), ("variance", np.ones(size)), ("count", 0.0),
                )
            ]  # fmt: skip
        return stream

    def __getattr__(self, name: str) -> Any:
        if name in ("mean", "variance") and self.__dict__.get("_variables"):
            found = [v for v in self._variables if v.name == name]
            return found[0].value
        return super().__getattr__(name)

    def adapt(self, data: Any, batch_size: int | None = None, steps: int | None = None) -> None:
        """Measure mean and variance of each channel."""
        from beak.keras.feeds import feed

        if self.fields["mean"] is not None:
            raise UsageError("Normalization: mean and variance are given already")
        total, squares, count = 0.0, 0.0, 0
        for batch in feed(data, None, None, batch_size or 1024, steps).batches():
            values = np.asarray(batch.inputs, np.float64)
            axes = None if self.axis is None else tuple(range(values.ndim - 1))
            if not self.built:
                self.build_for([Stream(values.shape[1:])])
            rows = values.size if axes is None else values.size // values.shape[-1]
            total, squares = total + values.sum(axes), squares + (values**2).sum(axes)
            count += rows
        mean = np.asarray(total / count)
        found = {"mean": mean, "variance": squares / count - mean**2, "count": np.float32(count)}
        for variable in self._variables:
            variable.assign(found[variable.name])

    def apply(self, inputs: Array, training: bool) -> Array:
        """Normalised, or the other way round where ``invert``."""
        mean, variance = (np.asarray(getattr(self, n), np.float32) for n in ("mean", "variance"))
        spread = np.maximum(np.sqrt(variance), 1e-7)
        inputs = np.asarray(inputs, np.float32)
        return inputs * spread + mean if self.invert else (inputs - mean) / spread


class Resizing(Preparing):
    """Pictures brought to a size; bilinear between pixel middles, or the nearest."""

    def __init__(
        self,
        height: int,
        width: int,
        interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False,
        pad_to_aspect_ratio: bool = False,
        data_format: str | None = None,
        **common: Any,
    ) -> None:
        if pad_to_aspect_ratio:
            raise config.refuse("Resizing(pad_to_aspect_ratio=True)", "crop_to_aspect_ratio=True")
        if interpolation not in ("bilinear", "nearest"):
            raise config.refuse(f"interpolation={interpolation!r}", "'bilinear'")
        self._begin(locals(), common)

    def apply(self, inputs: Array, training: bool) -> Array:
        """At the new size."""
        if self.crop_to_aspect_ratio:
            high, wide = inputs.shape[1:3]
            keep_high = min(high, int(wide * self.height / self.width))
            keep_wide = min(wide, int(high * self.width / self.height))
            inputs = _middle(inputs, keep_high, keep_wide)
        return resized(inputs, self.height, self.width, self.interpolation)


class CenterCrop(Preparing):
    """The middle of pictures."""

    def __init__(
        self, height: int, width: int, data_format: str | None = None, **common: Any
    ) -> None:
        self._begin(locals(), common)

    def apply(self, inputs: Array, training: bool) -> Array:
        """Cut out; ShapeError where a picture is smaller."""
        if inputs.shape[1] < self.height or inputs.shape[2] < self.width:
            raise ShapeError(
                f"CenterCrop({self.height}, {self.width}) of {inputs.shape[1:3]}: larger pictures "
                "were wanted, or Resizing"
            )
        return _middle(inputs, self.height, self.width)


def _middle(inputs: Array, height: int, width: int) -> Array:
    top, left = (inputs.shape[1] - height) // 2, (inputs.shape[2] - width) // 2
    return inputs[:, top : top + height, left : left + width]
