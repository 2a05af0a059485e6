"""Seeing each picture a little differently in every epoch, and what suits which kind of picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from beak.data.augment import Augmentation
from beak.data.picture_spec import PictureSpec
from beak.data.rows import Pixels, as_rows
from beak.data.streams import uniforms
from beak.ops.augment.kernels import warp

Array = np.ndarray[Any, Any]

DRAWS = 20
LUMINANCE = np.array([0.299, 0.587, 0.114])

DRAWINGS = Augmentation(shift=0.07, rotate=10.0, scale=0.1, stretch=0.05, shear=6.0)
PHOTOGRAPHS = Augmentation(
    rotate=5.0, crop=0.2, stretch=0.1, flip=True, brightness=0.1, contrast=0.2, saturation=0.2,
    erase=0.25, outside="edge",
)  # fmt: skip
SMALL_PHOTOGRAPHS = Augmentation(
    shift=0.125, flip=True, brightness=0.05, contrast=0.1, saturation=0.1, erase=0.25,
    outside="edge",
)  # fmt: skip
FEW_PHOTOGRAPHS = Augmentation(
    rotate=12.0, scale=0.1, crop=0.35, stretch=0.2, shear=5.0, flip=True, brightness=0.15,
    contrast=0.35, saturation=0.4, erase=0.4, outside="edge",
)  # fmt: skip
FEW_EXAMPLES, MANY_EXAMPLES = 5000, 20_000
SMALL = 48
"""Pixels a side, up to which photographs move by whole pixels: anything else would blur them."""
SIDED = ("left", "right")


def suitable(
    spec: PictureSpec, labels: Sequence[str], examples: int, plain_border: bool
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
    if examples >= MANY_EXAMPLES and max(spec.shape[1:]) <= SMALL:
        kind = SMALL_PHOTOGRAPHS
    if signs or any(
        side in w.replace("_", " ").replace("-", " ").split() for w in words for side in SIDED
    ):
        return Augmentation(**{**asdict(kind), "flip": False})
    return kind


def augmented(
    inputs: Pixels,
    chosen: Array,
    spec: PictureSpec,
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
    """From output places to input places, float64 (B, 2, 3), as ``ops/augment`` wants them.

    Where nothing but ``shift`` and the flips is asked for, pictures move by whole pixels.
    """
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
    if not (a.rotate or a.scale or a.stretch or a.shear or a.crop):
        moved_x, moved_y = np.rint(moved_x), np.rint(moved_y)
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
