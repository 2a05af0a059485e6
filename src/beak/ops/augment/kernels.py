"""The kernel table of augmentation, and the batch as the data room asks for it."""

from __future__ import annotations

from typing import Any

import numpy as np

from beak.errors import ShapeError
from beak.ops.kernel import Kernel, call_kernel, choose, structure

Array = np.ndarray[Any, Any]

ROWS = (
    Kernel(
        "warp_bytes",
        structure(
            "WarpArgs",
            "ptr:pictures ptr:rows ptr:places ptr:colours ptr:erased ptr:gain ptr:offset ptr:out "
            "int:batch int:channels int:height int:width int:background",
        ),
        takes=lambda channels: channels <= 4,
        scratch="warp_scratch",
    ),
)
EXAMPLES_A_PART = 16


def warp(
    pictures: Array,
    rows: Array,
    places: Array,
    colours: Array,
    erased: Array,
    gain: Array,
    offset: Array,
    background: int | None,
    threads: int = 1,
) -> Array:
    """The chosen ``rows`` (B,) of pictures uint8 (N, C, H, W), as ``reference.warp`` defines it.

    Reads only those pictures (``pictures`` may be memory-mapped); float32 (B, C, H, W) comes out.
    Raises ShapeError for arrays that do not fit each other.
    """
    batch, channels = len(rows), pictures.shape[1]
    wanted: dict[str, tuple[int, ...]] = {"places": (batch, 2, 3), "erased": (batch, 4)}
    wanted |= {
        "colours": (batch, channels, channels + 1),
        "gain": (channels,),
        "offset": (channels,),
    }
    given = {"places": places, "colours": colours, "erased": erased, "gain": gain, "offset": offset}
    for name, shape in wanted.items():
        if given[name].shape != shape:
            raise ShapeError(f"warp: {name} is {given[name].shape}, wanted {shape}")
    if pictures.dtype != np.uint8 or pictures.ndim != 4:
        raise ShapeError(
            f"warp: pictures are {pictures.dtype} {pictures.shape}, not bytes (N, C, H, W)"
        )
    if batch and not 0 <= int(rows.min()) <= int(rows.max()) < len(pictures):
        raise ShapeError(f"warp: rows go beyond the {len(pictures)} pictures")
    out = np.empty((batch, *pictures.shape[1:]), np.float32)
    if not out.size:
        return out
    call_kernel(
        choose(ROWS, channels),
        parts=-(-batch // EXAMPLES_A_PART),
        threads=threads,
        pictures=pictures,
        rows=np.ascontiguousarray(rows, np.int64),
        places=np.ascontiguousarray(places, np.float32),
        colours=np.ascontiguousarray(colours, np.float32),
        erased=np.ascontiguousarray(erased, np.int64),
        gain=np.ascontiguousarray(gain, np.float32),
        offset=np.ascontiguousarray(offset, np.float32),
        out=out,
        batch=batch,
        channels=channels,
        height=pictures.shape[2],
        width=pictures.shape[3],
        background=-1 if background is None else background,
    )
    return out
