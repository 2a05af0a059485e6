"""Seeing each picture a little differently in every epoch, and what suits which kind of picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from beak.data.rows import Pixels, as_rows
from beak.data.spec import InputSpec
from beak.data.streams import uniforms
from beak.errors import RecipeError, did_you_mean
from beak.ops.augment.kernels import warp

Array = np.ndarray[Any, Any]

OUTSIDE = ("background", "edge")
DRAWS = 20
LUMINANCE = np.array([0.299, 0.587, 0.114])


@dataclass(frozen=True)
class Augmentation:
    """How far each picture is changed at most; every field at 0 changes nothing.

    >>> Augmentation().none, Augmentation(shift=0.1).none
    (True, False)
    """

    shift: float = 0.0
    """Moved by up to this share of its side, each way."""
    rotate: float = 0.0
    """Turned by up to this many degrees, either way."""
    scale: float = 0.0
    """Made larger or smaller by up to this share: 0.1 is from 1/1.1 to 1.1 times."""
    stretch: float = 0.0
    """Width against height changed by up to this share."""
    shear: float = 0.0
    """Slanted by up to this many degrees, either way."""
    crop: float = 0.0
    """Cut down by up to this share of its side, anywhere, and enlarged to full size again."""
    flip: bool = False
    """Mirrored left to right, every second time."""
    flip_vertical: bool = False
    """Mirrored top to bottom, every second time."""
    brightness: float = 0.0
    """All values moved by up to this share of white."""
    contrast: float = 0.0
    """Differences from middle grey multiplied by up to 1 + this, or divided."""
    saturation: float = 0.0
    """Colours multiplied by up to 1 + this, or divided; nothing for grey pictures."""
    erase: float = 0.0
    """Every second time a rectangle with sides up to this share is blanked."""
    outside: str = "background"
    """What is seen beyond the picture: "background" (the InputSpec's) or "edge" (it goes on)."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "outside":
                if value not in OUTSIDE:
                    hint = did_you_mean(str(value), OUTSIDE)
                    raise RecipeError(f"augmentation: no outside {value!r}{hint}")
            elif field.name.startswith("flip"):
                if not isinstance(value, bool):
                    raise RecipeError(f"augmentation: {field.name} is true or false, not {value!r}")
            elif isinstance(value, bool) or not isinstance(value, int | float):
                raise RecipeError(f"augmentation: {field.name} must be a number, not {value!r}")
            elif not 0 <= value <= LIMITS.get(field.name, 1.0):
                most = LIMITS.get(field.name, 1.0)
                raise RecipeError(f"augmentation: {field.name} {value} is not from 0 to {most:g}")

    @property
    def none(self) -> bool:
        """Whether nothing is changed."""
        return not any(getattr(self, f.name) for f in fields(self) if f.name != "outside")

    def to_json(self) -> dict[str, Any]:
        """A dict of plain values; ``from_json`` gives the same augmentation back."""
        return asdict(self)

    @staticmethod
    def from_json(data: dict[str, Any]) -> Augmentation:
        """From ``to_json``'s dict; unknown keys and values out of range raise RecipeError."""
        known = [f.name for f in fields(Augmentation)]
        for name in data:
            if name not in known:
                raise RecipeError(f"augmentation: no {name!r}{did_you_mean(str(name), known)}")
        return Augmentation(**data)


LIMITS = {"rotate": 180.0, "shear": 60.0, "scale": 3.0, "stretch": 3.0, "crop": 0.9}
LIMITS |= {"contrast": 3.0, "saturation": 3.0}

DRAWINGS = Augmentation(shift=0.07, rotate=10.0, scale=0.1, stretch=0.05, shear=6.0)
PHOTOGRAPHS = Augmentation(
    rotate=5.0, crop=0.2, stretch=0.1, flip=True, brightness=0.1, contrast=0.2, saturation=0.2,
    erase=0.25, outside="edge",
)  # fmt: skip
FEW_PHOTOGRAPHS = Augmentation(
    rotate=12.0, scale=0.1, crop=0.35, stretch=0.2, shear=5.0, flip=True, brightness=0.15,
    contrast=0.35, saturation=0.4, erase=0.4, outside="edge",
)  # fmt: skip
FEW_EXAMPLES = 5000
SIDED = ("left", "right")


def suitable(
    spec: InputSpec, labels: Sequence[str], examples: int, plain_border: bool
) -> Augmentation:
    """What suits pictures like these.

    Small grey pictures on a plain ground, or of numbers and letters, are taken for drawings: no
    flips. Everything else is taken for photographs; labels that a mirror would change (numbers,
    single letters, left or right) switch the flip off.
    """
    if spec.kind != "pictures":
        return Augmentation()
    words = [label.casefold() for label in labels]
    signs = all(len(word) == 1 or word.isdigit() for word in words)
    if spec.shape[0] == 1 and max(spec.shape[1:]) <= 64 and (plain_border or signs):
        return DRAWINGS
    kind = FEW_PHOTOGRAPHS if examples < FEW_EXAMPLES else PHOTOGRAPHS
    if signs or any(
        side in w.replace("_", " ").replace("-", " ").split() for w in words for side in SIDED
    ):
        return Augmentation(**{**asdict(kind), "flip": False})
    return kind


def augmented(
    inputs: Pixels,
    chosen: Array,
    spec: InputSpec,
    augmentation: Augmentation,
    *,
    seed: int,
    epoch: int,
    threads: int = 1,
) -> Array:
    """The chosen examples as the network sees them in this epoch: float32 (B, C, H, W).

    Each example's random numbers come from (seed, epoch, its number) alone.
    """
    rows = as_rows(inputs)
    draws = uniforms(seed, "augment", epoch, chosen, DRAWS)
    return warp(
        rows.base,
        rows.index[chosen],
        place_matrices(draws, augmentation, spec.shape[1], spec.shape[2]),
        colour_matrices(draws, augmentation, spec.shape[0]),
        erased_rectangles(draws, augmentation, spec.shape[1], spec.shape[2]),
        spec.gain,
        spec.offset,
        spec.background if augmentation.outside == "background" else None,
        threads=threads,
    )


def place_matrices(draws: Array, a: Augmentation, height: int, width: int) -> Array:
    """From output places to input places, float64 (B, 2, 3), as ``ops/augment`` wants them."""
    either = draws * 2.0 - 1.0
    zoom = np.power(1.0 + a.scale, either[:, 2]) / (1.0 - a.crop * draws[:, 6])
    aspect = np.power(1.0 + a.stretch, either[:, 3] / 2)
    turn, slant = np.radians(a.rotate) * either[:, 4], np.tan(np.radians(a.shear) * either[:, 5])
    mirror_x = np.where(a.flip & (draws[:, 7] < 0.5), -1.0, 1.0)
    mirror_y = np.where(a.flip_vertical & (draws[:, 8] < 0.5), -1.0, 1.0)
    cos, sin = np.cos(turn), np.sin(turn)
    across, down = mirror_x / (zoom * aspect), mirror_y * aspect / zoom
    linear = np.stack(
        [across * cos, across * (slant * cos - sin), down * sin, down * (slant * sin + cos)], axis=1
    ).reshape(-1, 2, 2)
    room = a.crop * draws[:, 6] / 2
    moved_x = either[:, 0] * a.shift * width + either[:, 9] * room * (width - 1)
    moved_y = either[:, 1] * a.shift * height + either[:, 10] * room * (height - 1)
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    offset = middle + np.stack([moved_x, moved_y], axis=1) - linear @ middle
    return np.concatenate([linear, offset[:, :, None]], axis=2)


def colour_matrices(draws: Array, a: Augmentation, channels: int) -> Array:
    """Saturation, then contrast, then brightness: float64 (B, C, C + 1)."""
    either = draws * 2.0 - 1.0
    mix = np.broadcast_to(np.eye(channels), (len(draws), channels, channels)).copy()
    if channels == 3 and a.saturation:
        colour = np.power(1.0 + a.saturation, either[:, 11])[:, None, None]
        mix = colour * mix + (1.0 - colour) * np.broadcast_to(LUMINANCE, (3, 3))
    contrast = np.power(1.0 + a.contrast, either[:, 12])
    added = 127.5 * (1.0 - contrast) + 255.0 * a.brightness * either[:, 13]
    added = np.broadcast_to(added[:, None, None], (len(draws), channels, 1))
    return np.concatenate([mix * contrast[:, None, None], added], axis=2)


def erased_rectangles(draws: Array, a: Augmentation, height: int, width: int) -> Array:
    """First row, first column, row and column behind the last, int64 (B, 4); empty every second
    time.
    """
    out = np.zeros((len(draws), 4), np.int64)
    if not a.erase:
        return out
    sides = 0.3 + 0.7 * draws[:, 16:18]
    tall, wide = (np.rint(sides[:, i] * a.erase * n) for i, n in ((0, height), (1, width)))
    out[:, 0] = np.floor(draws[:, 14] * (height - tall + 1))
    out[:, 1] = np.floor(draws[:, 15] * (width - wide + 1))
    out[:, 2], out[:, 3] = out[:, 0] + tall, out[:, 1] + wide
    out[draws[:, 18] < 0.5] = 0
    return out
