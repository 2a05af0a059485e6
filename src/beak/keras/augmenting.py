"""Layers that change pictures at random in training: flips, moves, contrast, brightness."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from beak.errors import UsageError
from beak.keras import config
from beak.keras.preparing import Preparing
from beak.keras.tensors import Array
from beak.keras.warping import affine


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


class _Toning(_Random):
    """What changes values: contrast, brightness."""

    def __init__(
        self,
        factor: Any,
        value_range: Sequence[float] = (0, 255),
        seed: int | None = None,
        **common: Any,
    ) -> None:
        self._begin(locals(), common)

    def change(self, inputs: Array, random: np.random.Generator) -> Array:
        """Each example by an amount of its own, kept within the range."""
        amount = _between(self.factor, random, len(inputs))[:, None, None, None]
        return np.asarray(np.clip(self.toned(inputs, amount), *self.value_range), np.float32)

    def toned(self, inputs: Array, amount: Array) -> Array:
        """Examples changed by an amount each."""
        raise config.lacks(self, "toned(inputs, amount), which gives the examples")


class RandomContrast(_Toning):
    """Differences from the mean multiplied by up to 1 + factor, or down to 1 - factor."""

    def toned(self, inputs: Array, amount: Array) -> Array:
        """More or less contrast."""
        mean = inputs.mean(axis=(1, 2), keepdims=True)
        return np.asarray((inputs - mean) * (1 + amount) + mean)


class RandomBrightness(_Toning):
    """All values moved by up to a share of the range."""

    def toned(self, inputs: Array, amount: Array) -> Array:
        """Lighter or darker."""
        low, high = self.value_range
        return np.asarray(inputs + amount * (high - low))


def _between(factor: Any, random: np.random.Generator, count: int) -> Array:
    """Numbers between -factor and factor, or between its two."""
    low, high = factor if isinstance(factor, list | tuple) else (-factor, factor)
    return random.uniform(low, high, count)


def _about_middle(a: Array, b: Array, c: Array, d: Array, size: tuple[int, ...]) -> Array:
    """(x, y) -> middle + [[a, b], [c, d]] (x - middle, y - middle)."""
    x, y = (size[1] - 1) / 2, (size[0] - 1) / 2
    rows = [a, b, x - a * x - b * y, c, d, y - c * x - d * y]
    return np.stack(rows, axis=1).reshape(-1, 2, 3)
