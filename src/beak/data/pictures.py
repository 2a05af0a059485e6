"""One raw picture into one input array: the same functions for training and for prediction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from beak.data.decode import (
    Decoded,
    check_size,
    decode_file,
    decode_picture,
    to_bytes,
    without_colour,
)
from beak.data.picture_spec import PictureSpec
from beak.errors import DataError
from beak.ops.resize.kernels import resize

Array = np.ndarray[Any, Any]

SUFFIXES = frozenset(
    ".png .jpg .jpeg .jpe .jfif .gif .bmp .dib .webp .tif .tiff".split()  # noqa: SIM905
)


def load(raw: Any, spec: PictureSpec) -> Array:
    """One raw picture as uint8 (C, H, W). See ``load_raw``."""
    return load_raw(raw, spec)[0]


def load_raw(raw: Any, spec: PictureSpec, name: str = "picture") -> tuple[Array, tuple[str, ...]]:
    """One raw picture as uint8 (C, H, W), and what had to be done to it that a user should know.

    ``raw``: a path, the bytes of a file, a Pillow picture, or an array: (H, W), (H, W, 1, 3 or 4)
    or (1 or 3, H, W) of bytes, 16-bit numbers, or floats from 0 to 1. For a spec of kind "numbers"
    an array of its shape (or as many numbers), float32. Raises DataError with the file's name.
    """
    if spec.kind == "numbers":
        return _numbers(raw, spec, name), ()
    picture = open_raw(raw, name)
    pixels, notes = fit(picture.pixels, spec)
    return pixels, picture.notes + notes


def open_raw(raw: Any, name: str = "picture") -> Decoded:
    """Any raw picture, decoded; see ``load_raw`` for what is taken."""
    if isinstance(raw, str | Path):
        return decode_file(Path(raw), str(raw))
    if isinstance(raw, bytes | bytearray | memoryview):
        return decode_file(bytes(raw), name)
    if isinstance(raw, np.ndarray):
        return Decoded(array_pixels(raw, name))
    if hasattr(raw, "getexif") and hasattr(raw, "convert"):
        check_size(raw.size, name)
        return decode_picture(raw)
    raise DataError(f"{name}: a path, bytes, array or picture is wanted, not {type(raw).__name__}")


def array_pixels(values: Array, name: str) -> Array:
    """An array as pixels (H, W, C): channels last, or first, or none."""
    if values.ndim == 2:
        values = values[:, :, None]
    elif values.ndim == 3 and values.shape[2] not in (1, 3, 4) and values.shape[0] in (1, 3):
        values = values.transpose(1, 2, 0)
    if values.ndim != 3 or values.shape[2] not in (1, 3, 4) or 0 in values.shape:
        raise DataError(
            f"{name}: an array of shape {values.shape} is no picture; "
            "(height, width), (height, width, 3) or (3, height, width) is wanted"
        )
    if values.dtype.kind not in "buif":
        raise DataError(f"{name}: an array of {values.dtype} is no picture; numbers are wanted")
    pixels = np.ascontiguousarray(to_bytes(values))
    return without_colour(pixels) if pixels.shape[2] == 3 else pixels


def fit(pixels: Array, spec: PictureSpec) -> tuple[Array, tuple[str, ...]]:
    """Pixels uint8 (H, W, 1, 3 or 4) as the spec's uint8 (C, H, W), and what is worth a note."""
    notes = []
    if pixels.shape[2] == 4:
        pixels = on_background(pixels, spec.background)
        notes.append(f"its see-through places are filled with {spec.background}")
    if pixels.shape[2] == 3 and spec.shape[0] == 1:
        pixels = grey(pixels)
        notes.append("a colour picture for a grey network: its brightness is used")
    elif pixels.shape[2] == 1 and spec.shape[0] == 3:
        notes.append("a grey picture for a colour network: its channel is used three times")
    size = spec.shape[1:]
    if spec.fit == "crop":
        pixels = _middle(pixels, size)
    if spec.fit == "pad":
        out = np.full((pixels.shape[2], *size), spec.background, np.uint8)
        height, width = _inside(pixels.shape[:2], size)
        top, left = (size[0] - height) // 2, (size[1] - width) // 2
        window = out[:, top : top + height, left : left + width]
        _place(pixels, (height, width), window)
    else:
        out = np.empty((pixels.shape[2], *size), np.uint8)
        _place(pixels, size, out)
    if len(out) != spec.shape[0]:
        out = np.repeat(out, spec.shape[0], axis=0)
    return out, tuple(notes)


def on_background(pixels: Array, background: int) -> Array:
    """Colour with alpha (H, W, 4) laid over one grey value: (H, W, 3), rounded half up."""
    alpha = pixels[:, :, 3:].astype(np.uint32)
    mixed = pixels[:, :, :3] * alpha + background * (255 - alpha)
    return ((2 * mixed + 255) // 510).astype(np.uint8)


def grey(pixels: Array) -> Array:
    """The brightness (H, W, 1) of colour pixels (H, W, 3): ITU-R BT.601, rounded half up."""
    weights = np.array([299, 587, 114], np.uint32)
    return ((pixels.astype(np.uint32) @ weights + 500) // 1000).astype(np.uint8)[:, :, None]


def _place(pixels: Array, size: tuple[int, ...], window: Array) -> None:
    if pixels.shape[:2] == tuple(size):
        window[...] = pixels.transpose(2, 0, 1)
    else:
        resize(pixels, (size[0], size[1]), out=window)


def _inside(size: tuple[int, ...], frame: tuple[int, ...]) -> tuple[int, int]:
    """The largest size of the same proportions that fits in the frame."""
    height, width = size
    if frame[0] * width <= frame[1] * height:
        return frame[0], max(1, min(frame[1], (2 * width * frame[0] + height) // (2 * height)))
    return max(1, min(frame[0], (2 * height * frame[1] + width) // (2 * width))), frame[1]


def _middle(pixels: Array, frame: tuple[int, ...]) -> Array:
    """The largest window in the middle that has the frame's proportions."""
    height, width = _inside(frame, pixels.shape[:2])
    top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
    return pixels[top : top + height, left : left + width]


def _numbers(raw: Any, spec: PictureSpec, name: str) -> Array:
    if isinstance(raw, str | Path) and Path(raw).suffix.lower() == ".npy":
        raw = _saved(Path(raw))
    values = np.asarray(raw)
    if values.dtype.kind not in "buif" or values.size != int(np.prod(spec.shape)):
        raise DataError(
            f"{name}: {spec.shape} numbers are wanted, got {values.dtype} {values.shape}"
        )
    return values.astype(np.float32).reshape(spec.shape)


def _saved(path: Path) -> Array:
    try:
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except (ValueError, EOFError):
        raise DataError(
            f"{path}: this is no array that NumPy saved; numpy.save writes one"
        ) from None
