"""From a picture file of any common kind to plain bytes per pixel."""

from __future__ import annotations

import functools
import hashlib
import importlib
import io
import threading
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from beak.data.damage import DAMAGED
from beak.data.limits import limits
from beak.data.plain import NotPlainError, Stretch, open_plain
from beak.data.report import printable
from beak.errors import DataError, TooLargeError

Array = np.ndarray[Any, Any]

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF")
DAMAGED_NOTES = "its camera's notes are damaged: it is taken as it lies"
_opening = threading.Lock()


@functools.cache
def readers() -> Any:
    """Pillow with the readers of our formats; without this it knows some of them only by luck."""
    from PIL import Image

    for reader in ("Bmp", "Gif", "Jpeg", "Png", "Tiff", "WebP"):
        importlib.import_module(f"PIL.{reader}ImagePlugin")
    # Its warnings of odd EXIF data or padding would fall between the lines of a progress bar.
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
    return Image


@dataclass(frozen=True)
class Decoded:
    """A picture as stored: upright, uint8 (H, W, C); C is 1 grey, 3 colour, 4 colour with alpha."""

    pixels: Array
    notes: tuple[str, ...] = ()

    def content_hash(self) -> bytes:
        """16 bytes that are the same for the same pixels, whatever file they came in."""
        digest = hashlib.blake2b(repr(self.pixels.shape).encode(), digest_size=16)
        digest.update(np.ascontiguousarray(self.pixels).data)
        return digest.digest()


def decode_file(source: Path | Stretch | bytes, name: str) -> Decoded:
    """Decode a picture file, or its bytes. Raises DataError, one line with ``name``."""
    from PIL import UnidentifiedImageError

    image, name = readers(), printable(name)

    if isinstance(source, bytes) and not source:
        raise DataError(f"{name}: the file is empty")
    try:
        stream = io.BytesIO(source) if isinstance(source, bytes) else open_plain(source)
        with stream:
            # Pillow warns of large pictures; they are refused below with a clearer word. The
            # filters of warnings belong to the whole process, hence the lock.
            with _opening, warnings.catch_warnings():
                warnings.simplefilter("ignore")
                picture = image.open(stream, formats=FORMATS)
            with picture:
                check_size(picture.size, name)
                return decode_picture(picture)
    except DataError:
        raise
    except FileNotFoundError:
        raise DataError(f"{name}: the file is not there (any more)") from None
    except PermissionError:
        raise DataError(f"{name}: no permission to read it") from None
    except IsADirectoryError:
        raise DataError(f"{name}: is a folder, not a picture") from None
    except UnidentifiedImageError:
        if isinstance(source, Path) and source.stat().st_size == 0:
            raise DataError(f"{name}: the file is empty") from None
        raise DataError(f"{name}: not a picture that can be read ({', '.join(FORMATS)})") from None
    except image.DecompressionBombError:
        most = limits().pixels
        raise TooLargeError(f"{name}: more than {most} pixels; make it smaller") from None
    except NotPlainError as error:
        raise DataError(f"{name}: {error.strerror}") from None
    except DAMAGED as error:
        if isinstance(error, OSError) and error.strerror:
            raise DataError(f"{name}: cannot be read ({error.strerror})") from None
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise DataError(f"{name}: damaged or cut short ({reason})") from None


def check_size(size: tuple[int, int], name: str) -> None:
    """Refuse pictures whose pixels would fill the memory."""
    most = limits().pixels
    if size[0] * size[1] > most:
        raise TooLargeError(
            f"{name}: {size[0]}x{size[1]} pixels, more than {most} (it may be a "
            "decompression bomb); make it smaller"
        )


def decode_picture(picture: Any) -> Decoded:
    """A Pillow picture: its first frame, turned upright, as bytes."""
    from PIL import ImageOps

    notes = []
    if getattr(picture, "n_frames", 1) > 1 and picture.format != "MPO":
        notes.append("several frames: the first is taken")
    try:
        turned = _orientation(picture) != 1
    except DAMAGED:  # none makes a picture unreadable
        turned = False
        notes.append(DAMAGED_NOTES)
    if turned:
        picture = ImageOps.exif_transpose(picture)
        notes.append("turned upright as its camera noted")
    return Decoded(_pixels(picture), tuple(notes))


def _orientation(picture: Any) -> int:
    """1 to 8 as the camera noted; raises any error where its notes are damaged."""
    if picture.format in ("BMP", "GIF"):
        return 1
    value = picture.getexif().get(0x0112, 1)
    if isinstance(value, int) and 2 <= value <= 8:
        return value
    if noted := picture.info.get("exif"):  # a JPEG's were read on opening, and no error was told
        readers().Exif().load(noted)
    return 1


def _pixels(picture: Any) -> Array:
    mode = picture.mode
    if mode == "I" and picture.format == "PNG":  # how older Pillows hold 16 bits
        return to_bytes(np.asarray(picture).astype(np.uint16))[:, :, None]
    if mode.startswith("I") or mode == "F":
        return to_bytes(np.asarray(picture))[:, :, None]
    if mode in ("1", "L") and "transparency" not in picture.info:
        return np.array(picture.convert("L"))[:, :, None]
    if "A" in mode or "a" in mode or "transparency" in picture.info:
        pixels = np.array(picture.convert("RGBA"))
        if (pixels[:, :, 3] == 255).all():
            pixels = pixels[:, :, :3]
    else:
        pixels = np.array(picture if mode == "RGB" else picture.convert("RGB"))
    return without_colour(pixels) if pixels.shape[2] == 3 else pixels


def without_colour(pixels: Array) -> Array:
    """Colour pixels (H, W, 3) as (H, W, 1) where red, green and blue are the same everywhere."""
    first = pixels[0]
    if (first[:, 0] != first[:, 1]).any() or (first[:, 0] != first[:, 2]).any():
        return pixels  # most colour pictures show it in their first row
    red = pixels[:, :, 0]
    if (red == pixels[:, :, 1]).all() and (red == pixels[:, :, 2]).all():
        return np.ascontiguousarray(pixels[:, :, :1])
    return pixels


def to_bytes(values: Array) -> Array:
    """Numbers of any kind as uint8: scaled by what their kind can hold, never clipped.

    16 bits are divided by 257. Whole numbers of 32 bits and floats are read by their range: floats
    from 0 to 1 times 255, whole numbers up to 255 as they are, up to 65535 as 16 bits, anything
    else from its least to its greatest.

    >>> to_bytes(np.array([[0, 257, 65535]], np.uint16)).tolist()
    [[0, 1, 255]]
    """
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    if values.dtype == np.uint8:
        return values
    if values.dtype == bool:
        return values.astype(np.uint8) * np.uint8(255)
    if values.dtype == np.uint16:
        return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    numbers = np.nan_to_num(values.astype(np.float64))
    low, high = (float(numbers.min()), float(numbers.max())) if numbers.size else (0.0, 0.0)
    whole = bool(np.issubdtype(values.dtype, np.integer))
    if low < 0 or high > 65535 or (not whole and high > 255):
        numbers = (numbers - low) * (255.0 / (high - low if high > low else 1.0))
    elif not whole and high <= 1:
        numbers *= 255.0
    elif high > 255:
        numbers /= 257.0
    return np.floor(numbers + 0.5).astype(np.uint8)
