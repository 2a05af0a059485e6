"""A small PNG writer for thumbnails and heat maps inside a report (ISO/IEC 15948)."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np

from beak.runs.files import Array

COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
"""PNG's colour type by channels: grey, grey + alpha, RGB, RGB + alpha."""


def png(pixels: Array) -> bytes:
    """A PNG file from uint8 pixels (C, H, W) with 1 to 4 channels."""
    channels, height, width = pixels.shape
    rows = np.ascontiguousarray(pixels.transpose(1, 2, 0), np.uint8).reshape(height, -1)
    unfiltered = np.concatenate([np.zeros((height, 1), np.uint8), rows], axis=1)
    size = struct.pack(">IIBBBBB", width, height, 8, COLOUR_TYPES[channels], 0, 0, 0)
    packed = zlib.compress(unfiltered.tobytes(), 9)
    chunks = ((b"IHDR", size), (b"IDAT", packed), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def data_uri(pixels: Array) -> str:
    """The picture as a ``data:`` address, to stand inside a page."""
    return "data:image/png;base64," + base64.b64encode(png(pixels)).decode()


def thumbnail(pixels: Array, largest: int = 96) -> Array:
    """A picture (C, H, W) of any channels, made to show: grey or RGB, no side beyond ``largest``.

    Larger ones are averaged over whole blocks; other than 1 or 3 channels show the first as grey.
    """
    shown = np.asarray(pixels, np.uint8)
    shown = shown if len(shown) in (1, 3) else shown[:1]
    block = -(-max(shown.shape[1:]) // largest)
    if block == 1:
        return shown
    height, width = (max(1, side // block) for side in shown.shape[1:])
    cut = shown[:, : height * block, : width * block]
    tall, wide = cut.shape[1] // height, cut.shape[2] // width
    blocks = cut.reshape(len(cut), height, tall, width, wide)
    averaged: Array = blocks.mean(axis=(2, 4)).round().astype(np.uint8)
    return averaged
