"""Layers that prepare the input: they run on arrays, in NumPy, before beak's network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from beak.errors import ShapeError, UsageError
from beak.exchange.keras_stream import Stream
from beak.keras import config
from beak.keras.layer import Layer
from beak.keras.tensors import Array, Variable
from beak.keras.warping import affine, resized


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


class _Random(Preparing):
    """Changes examples in training alone."""

    def apply(self, inputs: Array, training: bool) -> Array:
        """Changed in training, as they are otherwise."""
        inputs = np.asarray(inputs, np.float32)
        return self.change(inputs, self._draws()) if training else inputs

    def change(self, inputs: Array, random: np.random.Generator) -> Array:
        """Examples, each changed at random."""
        raise config.lacks(self, "change(inputs, random), which gives the examples")

    def _draws(self) -> np.random.Generator:
        if self.fields.get("seed") is None:
            return config.random()
        if "_own_random" not in self.__dict__:
            self._own_random = np.random.default_rng(int(self.seed))
        return self._own_random


class RandomFlip(_Random):
    """Mirrored, every second time."""

    def __init__(
        self,
        mode: str = "horizontal_and_vertical",
        seed: int | None = None,
        data_format: str | None = None,
        **common: Any,
    ) -> None:
        if mode not in ("horizontal", "vertical", "horizontal_and_vertical"):
            raise UsageError(f"RandomFlip: mode={mode!r}; 'horizontal' or 'vertical' was wanted")
        self._begin(locals(), common)

    def change(self, inputs: Array, random: np.random.Generator) -> Array:
        """Mirrored or not."""
        out = inputs.copy()
        for word, axis in (("horizontal", 2), ("vertical", 1)):
            if word in self.mode:
                which = random.random(len(out)) < 0.5
                out[which] = np.flip(out[which], axis)
        return out


class _Moving(_Random):
    """What moves places: rotation, translation, zoom."""

    def change(self, inputs: Array, random: np.random.Generator) -> Array:
        """Each example's pixels from elsewhere in it."""
        matrices = self.matrices(len(inputs), inputs.shape[1:3], random)
        return affine(inputs, matrices, self.fill_mode, self.fill_value, self.interpolation)

    def matrices(self, count: int, size: tuple[int, ...], random: np.random.Generator) -> Array:
        """From (x, y, 1) of the output to (x, y) of the input: (count, 2, 3)."""
        raise config.lacks(self, "matrices(count, size, random), which gives (count, 2, 3)")


class RandomRotation(_Moving):
    """Turned by up to ``factor`` of a full turn, either way."""

    def __init__(
        self,
        factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **common: Any,
    ) -> None:
        self._begin(locals(), common)

    def matrices(self, count: int, size: tuple[int, ...], random: np.random.Generator) -> Array:
        """Turns about the middle."""
        angle = _between(self.factor, random, count) * 2 * np.pi
        cos, sin = np.cos(angle), np.sin(angle)
        return _about_middle(cos, -sin, sin, cos, size)


class RandomTranslation(_Moving):
    """Moved by up to a share of the height and the width."""

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **common: Any,
    ) -> None:
        self._begin(locals(), common)

    def matrices(self, count: int, size: tuple[int, ...], random: np.random.Generator) -> Array:
        """Moves."""
        down = _between(self.height_factor, random, count) * size[0]
        right = _between(self.width_factor, random, count) * size[1]
        one, zero = np.ones(count), np.zeros(count)
        return np.stack([one, zero, -right, zero, one, -down], axis=1).reshape(-1, 2, 3)


class RandomZoom(_Moving):
    """Seen from further away (above 0) or nearer (below 0), by a share."""

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any = None,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **common: Any,
    ) -> None:
        self._begin(locals(), common)

    def matrices(self, count: int, size: tuple[int, ...], random: np.random.Generator) -> Array:
        """Zooms about the middle; width as height where it is not given."""
        high = 1 + _between(self.height_factor, random, count)
        wide = high
        if self.width_factor is not None:
            wide = 1 + _between(self.width_factor, random, count)
        zero = np.zeros(count)
        return _about_middle(wide, zero, zero, high, size)


class RandomContrast(_Random):
    """Differences from the mean multiplied by up to 1 + factor, or down to 1 - factor."""

    def __init__(
        self,
        factor: Any,
        value_range: Sequence[float] = (0, 255),
        seed: int | None = None,
        **common: Any,
    ) -> None:
        self._begin(locals(), common)

    def change(self, inputs: Array, random: np.random.Generator) -> Array:
        """More or less contrast."""
        times = 1 + _between(self.factor, random, len(inputs))
        mean = inputs.mean(axis=(1, 2), keepdims=True)
        out = (inputs - mean) * times[:, None, None, None] + mean
        return np.asarray(np.clip(out, *self.value_range), np.float32)


class RandomBrightness(_Random):
    """All values moved by up to a share of the range."""

    def __init__(
        self,
        factor: Any,
        value_range: Sequence[float] = (0, 255),
        seed: int | None = None,
        **common: Any,
    ) -> None:
        self._begin(locals(), common)

    def change(self, inputs: Array, random: np.random.Generator) -> Array:
        """Lighter or darker."""
        low, high = self.value_range
        moved = _between(self.factor, random, len(inputs)) * (high - low)
        return np.asarray(np.clip(inputs + moved[:, None, None, None], low, high), np.float32)


def _between(factor: Any, random: np.random.Generator, count: int) -> Array:
    """Numbers between -factor and factor, or between its two."""
    low, high = factor if isinstance(factor, list | tuple) else (-factor, factor)
    return random.uniform(low, high, count)


def _about_middle(a: Array, b: Array, c: Array, d: Array, size: tuple[int, ...]) -> Array:
    """(x, y) -> middle + [[a, b], [c, d]] (x - middle, y - middle)."""
    x, y = (size[1] - 1) / 2, (size[0] - 1) / 2
    rows = [a, b, x - a * x - b * y, c, d, y - c * x - d * y]
    return np.stack(rows, axis=1).reshape(-1, 2, 3)
