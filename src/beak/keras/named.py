"""Initial values, penalties, constraints: what Keras names with a word, an object or a config."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from beak.errors import UsageError, did_you_mean
from beak.keras import config

Array = np.ndarray[Any, Any]


class Named:
    """What has a config and is made from a word, an object or such a config."""

    module = ""

    def get_config(self) -> dict[str, Any]:
        """Its settings as plain values."""
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}

    @classmethod
    def from_config(cls, settings: dict[str, Any]) -> Any:
        """One made of ``get_config``'s values."""
        import inspect

        known = inspect.signature(cls).parameters
        return cls(**{name: value for name, value in settings.items() if name in known})

    def serialised(self) -> dict[str, Any]:
        """As it stands in a file's config."""
        return {
            "module": f"keras.{self.module}",
            "class_name": type(self).__name__,
            "config": self.get_config(),
            "registered_name": None,
        }


Kind = TypeVar("Kind", bound=Named)


def found(value: Any, base: type[Kind], table: dict[str, type[Kind]], what: str) -> Kind | None:
    """An object of a kind from a word, an object of it, a class, a config; None stays."""
    if value is None or isinstance(value, base):
        return value
    if isinstance(value, type) and issubclass(value, base):
        return value()
    settings: dict[str, Any] = {}
    if isinstance(value, dict):
        settings, value = value.get("config", {}), value.get("class_name", "")
    if not isinstance(value, str):
        raise UsageError(f"{what}: {value!r} came; a name or an object of beak's was wanted")
    flat = value.replace("_", "").lower()
    if flat not in table:
        raise UsageError(f"the {what} {value!r} is not in beak{did_you_mean(value, table)}")
    made: Kind = table[flat].from_config(settings)
    return made


# Initial values.


class Initializer(Named):
    """What a new array's numbers are."""

    module = "initializers"

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Array:
        """Float32 numbers of this shape."""
        return np.asarray(self.values(tuple(shape), self._random()), np.float32)

    def values(self, shape: tuple[int, ...], random: np.random.Generator) -> Array:
        """The numbers."""
        raise config.lacks(self, "values(shape, random), which gives the numbers")

    def _random(self) -> np.random.Generator:
        seed = getattr(self, "seed", None)
        return config.random() if seed is None else np.random.default_rng(int(seed))


class Zeros(Initializer):
    """All 0."""

    def values(self, shape: tuple[int, ...], random: np.random.Generator) -> Array:
        """The numbers."""
        return np.zeros(shape)


class Ones(Initializer):
    """All 1."""

    def values(self, shape: tuple[int, ...], random: np.random.Generator) -> Array:
        """The numbers."""
        return np.ones(shape)


class Constant(Initializer):
    """All one value, or an array's values."""

    def __init__(self, value: Any = 0.0) -> None:
        self.value = value

    def values(self, shape: tuple[int, ...], random: np.random.Generator) -> Array:
        """The numbers."""
        return np.broadcast_to(np.asarray(self.value, np.float32), shape).copy()


class RandomNormal(Initializer):
    """Normal numbers."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        self.mean, self.stddev, self.seed = mean, stddev, seed

    def values(self, shape: tuple[int, ...], random: np.random.Generator) -> Array:
        """The numbers."""
        return random.normal(self.mean, self.stddev, shape)


class TruncatedNormal(RandomNormal):
    """Normal numbers, drawn again where further than two deviations from the mean."""

    def values(self, shape: tuple[int, ...], random: np.random.Generator) -> Array:
        """The numbers."""
        return self.mean + self.stddev * _truncated(random, shape)


class RandomUniform(Initializer):
    """Numbers that are equally likely between two."""

    def __init__(
        self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None
    ) -> None:
        self.minval, self.maxval, self.seed = minval, maxval, seed

    def values(self, shape: tuple[int, ...], random: np.random.Generator) -> Array:
        """The numbers."""
        return random.uniform(self.minval, self.maxval, shape)


class VarianceScaling(Initializer):
    """Numbers whose variance is scale / fan: Glorot's, He's and LeCun's starts."""

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
    ) -> None:
        self.scale, self.mode, self.distribution, self.seed = scale, mode, distribution, seed

    def values(self, shape: tuple[int, ...], random: np.random.Generator) -> Array:
        """The numbers."""
        fan_in, fan_out = _fans(shape)
        fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, fan)
        if self.distribution == "uniform":
            return random.uniform(-1, 1, shape) * math.sqrt(3 * variance)
        if self.distribution == "untruncated_normal":
            return random.normal(0, math.sqrt(variance), shape)
        # 0.8796…: the deviation of a normal number that is cut off at two deviations
        return _truncated(random, shape) * math.sqrt(variance) / 0.87962566103423978


def _scaled(name: str, scale: float, mode: str, distribution: str) -> type[Initializer]:
    class Made(VarianceScaling):
        def __init__(self, seed: int | None = None) -> None:
            super().__init__(scale, mode, distribution, seed)

        def get_config(self) -> dict[str, Any]:
            return {"seed": self.seed}

    Made.__name__ = Made.__qualname__ = name
    Made.__doc__ = f"{distribution}, variance {scale:g} / {mode}."
    return Made


GlorotUniform = _scaled("GlorotUniform", 1.0, "fan_avg", "uniform")
GlorotNormal = _scaled("GlorotNormal", 1.0, "fan_avg", "truncated_normal")
HeUniform = _scaled("HeUniform", 2.0, "fan_in", "uniform")
HeNormal = _scaled("HeNormal", 2.0, "fan_in", "truncated_normal")
LecunUniform = _scaled("LecunUniform", 1.0, "fan_in", "uniform")
LecunNormal = _scaled("LecunNormal", 1.0, "fan_in", "truncated_normal")


def _truncated(random: np.random.Generator, shape: tuple[int, ...]) -> Array:
    values = random.normal(size=shape)
    while (far := np.abs(values) > 2).any():
        values[far] = random.normal(size=int(far.sum()))
    return np.asarray(values)


def _fans(shape: tuple[int, ...]) -> tuple[float, float]:
    """How many numbers an output adds up, and an input adds to; Keras's layout, outputs last."""
    if len(shape) < 2:
        size = float(shape[0]) if shape else 1.0
        return size, size
    window = math.prod(shape[:-2])
    return float(window * shape[-2]), float(window * shape[-1])


INITIALIZERS: dict[str, type[Initializer]] = {
    kind.__name__.lower(): kind
    for kind in (
        Zeros, Ones, Constant, RandomNormal, TruncatedNormal, RandomUniform, VarianceScaling,
        GlorotUniform, GlorotNormal, HeUniform, HeNormal, LecunUniform, LecunNormal,
    )
} | {"uniform": RandomUniform, "normal": RandomNormal}  # fmt: skip


# Penalties.


class Regularizer(Named):
    """What weights add to the loss: l1 times the sum of |w| and l2 times that of w squared."""

    module = "regularizers"
    l1: float = 0.0
    l2: float = 0.0

    def __call__(self, x: Any) -> Any:
        """What these weights add."""
        w = np.asarray(x, np.float64)
        return np.float32(self.l1 * np.abs(w).sum() + self.l2 * (w * w).sum())


class L1(Regularizer):
    """The sum of absolute values."""

    def __init__(self, l1: float = 0.01) -> None:
        self.l1 = float(l1)


class L2(Regularizer):
    """The sum of squares."""

    def __init__(self, l2: float = 0.01) -> None:
        self.l2 = float(l2)


class L1L2(Regularizer):
    """Both."""

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        self.l1, self.l2 = float(l1 or 0), float(l2 or 0)


REGULARIZERS: dict[str, type[Regularizer]] = {"l1": L1, "l2": L2, "l1l2": L1L2}


# Constraints.


class Constraint(Named):
    """What weights become after each step."""

    module = "constraints"

    def __call__(self, w: Any) -> Array:
        """The weights as they may be."""
        raise config.lacks(self, "__call__(w), which gives the weights as they may be")


class MaxNorm(Constraint):
    """Columns that are longer than ``max_value`` shortened to it; their numbers lie along axis."""

    def __init__(self, max_value: float = 2, axis: Any = 0) -> None:
        self.max_value, self.axis = max_value, axis

    def __call__(self, w: Any) -> Array:
        """The weights as they may be."""
        length = _length(w, self.axis)
        return np.asarray(w * (np.clip(length, 0, self.max_value) / (1e-7 + length)))


class NonNeg(Constraint):
    """What is below 0 becomes 0."""

    def __call__(self, w: Any) -> Array:
        """The weights as they may be."""
        return np.asarray(np.maximum(w, 0))


class UnitNorm(Constraint):
    """Columns brought to length 1."""

    def __init__(self, axis: Any = 0) -> None:
        self.axis = axis

    def __call__(self, w: Any) -> Array:
        """The weights as they may be."""
        return np.asarray(w / (1e-7 + _length(w, self.axis)))


class MinMaxNorm(Constraint):
    """Columns brought between two lengths, at a rate."""

    def __init__(
        self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Any = 0
    ) -> None:
        self.min_value, self.max_value, self.rate, self.axis = min_value, max_value, rate, axis

    def __call__(self, w: Any) -> Array:
        """The weights as they may be."""
        length = _length(w, self.axis)
        wanted = np.clip(length, self.min_value, self.max_value)
        wanted = self.rate * wanted + (1 - self.rate) * length
        return np.asarray(w * (wanted / (1e-7 + length)))


def _length(w: Any, axis: Any) -> Array:
    axes = tuple(axis) if isinstance(axis, list | tuple) else axis
    return np.asarray(np.sqrt(np.sum(np.square(w), axis=axes, keepdims=True)))


CONSTRAINTS: dict[str, type[Constraint]] = {
    kind.__name__.lower(): kind for kind in (MaxNorm, NonNeg, UnitNorm, MinMaxNorm)
}
