"""How a picture of any size and colour becomes the network's input."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from beak.data.spec import InputSpec
from beak.errors import DataError, did_you_mean
from beak.shapes import shape_text

Array = np.ndarray[Any, Any]

FITS = {
    "pad": "made to fit whole, the rest filled",
    "crop": "filled from the middle, what is beyond cut off",
    "stretch": "stretched to fill, whatever its proportions",
}
KINDS = ("pictures", "numbers")
MOST_SIDE = 1 << 20


@dataclass(frozen=True)
class PictureSpec(InputSpec):
    """How one raw picture, or array of numbers, becomes the network's input array.

    >>> spec = PictureSpec("pictures", (1, 28, 28), background=0, mean=(0.13,), std=(0.31,))
    >>> PictureSpec.from_json(spec.to_json()) == spec
    True
    """

    kind: str
    """"pictures", or "numbers": arrays of any scale that are standardised and never resized."""
    shape: tuple[int, ...]
    """Channels (1 grey, 3 red-green-blue), height, width; of plain numbers one to three sizes."""
    fit: str = "stretch"
    """"pad", "crop" or "stretch": what happens to a picture of other proportions."""
    background: int = 0
    """What padding and see-through places are filled with, 0 (black) to 255 (white)."""
    mean: tuple[float, ...] = (0.5,)
    """Mean of value/255 over the training pictures, for each channel."""
    std: tuple[float, ...] = (0.5,)
    """Standard deviation of the same."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise DataError(f"input: no kind {self.kind!r}{did_you_mean(str(self.kind), KINDS)}")
        if self.fit not in FITS:
            raise DataError(f"input: no fit {self.fit!r}{did_you_mean(str(self.fit), FITS)}")
        axes = (1, 2, 3) if self.kind == "numbers" else (3,)
        if len(self.shape) not in axes or any(
            type(n) is not int or not 1 <= n <= MOST_SIDE for n in self.shape
        ):
            raise DataError(f"input: the shape {self.shape} is not (channels, height, width)")
        if self.kind == "pictures" and self.shape[0] not in (1, 3):
            last = self.shape[-1] in (1, 3)
            hint = f"; channels come first: {(self.shape[2], *self.shape[:2])}" if last else ""
            raise DataError(f"input: pictures have 1 or 3 channels, not {self.shape[0]}{hint}")
        if type(self.background) is not int or not 0 <= self.background <= 255:
            raise DataError(f"input: the background {self.background!r} is not from 0 to 255")
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) != self.shape[0] or not all(math.isfinite(v) for v in values):
                raise DataError(f"input: {name} needs {self.shape[0]} numbers, got {values}")
        if min(self.std) <= 0:
            raise DataError(f"input: std must be above 0, got {self.std}")

    @property
    def gain(self) -> Array:
        """float64 (C,): what a pixel's value is multiplied with."""
        return np.asarray(1.0 / (np.array(self.std) * self._one))

    @property
    def offset(self) -> Array:
        """float64 (C,): what is added afterwards."""
        return np.asarray(-np.array(self.mean) / np.array(self.std))

    @property
    def bounds(self) -> tuple[Array, Array] | None:
        """Black and white, as the network reads them; plain numbers have none."""
        if self.kind == "numbers":
            return None
        return self.offset, np.asarray(255.0 * self.gain + self.offset)

    @property
    def _one(self) -> float:
        return 255.0 if self.kind == "pictures" else 1.0

    def prepare(self, pixels: Array) -> Array:
        """Pixels uint8 (N, C, H, W) as the network's input float32 (N, C, H, W).

        (value/255 - mean) / std, looked up in a table: the same bytes on every machine. Arrays of
        kind "numbers" are float32 already and become (value - mean) / std.
        """
        if pixels.shape[1:] != self.shape:
            raise DataError(f"input: made for {self.shape}, got {pixels.shape[1:]}")
        if pixels.dtype != np.uint8:
            ones = (1,) * (len(self.shape) - 1)
            gain, offset = (
                v.reshape(-1, *ones).astype(np.float32) for v in (self.gain, self.offset)
            )
            return np.asarray(pixels.astype(np.float32) * gain + offset)
        table = np.arange(256) * self.gain[:, None] + self.offset[:, None]
        out = np.empty(pixels.shape, np.float32)
        for channel, values in enumerate(table.astype(np.float32)):
            np.take(values, pixels[:, channel], out=out[:, channel], mode="clip")
        return out

    def describe(self) -> str:
        """One line for people.

        >>> PictureSpec("pictures", (3, 64, 96), "crop", 0, (0.5,) * 3, (0.2,) * 3).describe()
        '96x64 pixels in colour; a picture of another shape is filled from the middle, what is \
beyond cut off'
        """
        if self.kind == "numbers":
            same = set(self.mean) == {0.0} and set(self.std) == {1.0}
            return f"{shape_text(self.shape)} numbers, {'as they are' if same else 'standardised'}"
        channels, height, width = self.shape
        colour = "in colour" if channels == 3 else "in grey"
        how = FITS[self.fit] + (f" with {self.background}" if self.fit == "pad" else "")
        return f"{width}x{height} pixels {colour}; a picture of another shape is {how}"

    @property
    def recipe_values(self) -> dict[str, Any]:
        """Size, channels and fit; nothing for plain numbers, which have one shape."""
        if self.kind == "numbers":
            return {}
        channels, height, width = self.shape
        return {
            "data.kind": "pictures",
            "data.size": (height, width),
            "data.channels": channels,
            "data.fit": self.fit,
        }

    def difference(self, other: InputSpec) -> str:
        """Another fit or background; the scale may differ, for that is the network's own."""
        if not isinstance(other, PictureSpec):
            return super().difference(other)
        if (self.fit, self.background) == (other.fit, other.background):
            return ""
        return (
            f"pictures are prepared as '{other.fit}' on {other.background} here, as '{self.fit}' "
            f"on {self.background} in training: the accuracy may suffer from that"
        )

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The spec from ``to_json``'s dict; anything else raises DataError with what is wrong."""
        found = cls.checked_fields(data)
        for name in ("kind", "fit"):
            if not isinstance(found[name], str):
                raise DataError(f"input: {name} must be a word, got {found[name]!r:.80}")
        for name in ("shape", "mean", "std"):
            values = found[name]
            if not isinstance(values, tuple) or not all(
                type(v) in (int, float) and -1e9 < v < 1e9 for v in values
            ):
                raise DataError(f"input: {name} must be a list of numbers, got {values!r:.80}")
        for name in ("mean", "std"):
            found[name] = tuple(float(v) for v in found[name])
        return cls(**found)
