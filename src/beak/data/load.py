"""Any source of examples as a data set: the one door of the data room."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from beak.data import folders, tables
from beak.data.arrays import idx_parts, npz_parts
from beak.data.assemble import Examples, assemble
from beak.data.dataset import Dataset
from beak.data.decode import decode_file
from beak.data.memory import load_arrays, label_words
from beak.data.pictures import fit as fit_picture
from beak.data.split import UNKNOWN
from beak.data.survey import choose_spec, look_at
from beak.ops.resize.kernels import resize
from beak.errors import DataError, UsageError, did_you_mean


def load_dataset(
    source: Any,
    *,
    kind: str = "auto",
    data_dir: Any = None,
    cache_dir: Any = None,
    size: Any = None,
    channels: int | None = None,
    fit: str | None = None,
    strict: bool = False,
    threads: int | None = None,
    progress: Any = None,
) -> Dataset:
    opts = dict(size=size, channels=channels, fit=fit)
    if str(source) == "digits":
        z = np.load(Path(__file__).parent / "files/digits.npz", allow_pickle=False)
        scaled = ((z["images"].astype(np.uint32) * 255 + 8) // 16).astype(np.uint8)
        big = np.stack([resize(p[:, :, None], (28, 28)) for p in scaled])
        return load_arrays(big, z["labels"], name="digits", strict=strict, **opts)
    path = Path(source)
    if not path.exists():
        raise UsageError(f"{source}: no such file, folder or built-in set")
    arrays = npz_parts(path) if path.suffix == ".npz" else idx_parts(path) if path.is_dir() else []
    if arrays:
        return load_arrays(
            np.concatenate([p.inputs.read() for p in arrays]),
            np.concatenate([p.labels for p in arrays]),
            name=path.name,
            given=None
            if arrays[0].part == UNKNOWN
            else np.repeat([p.part for p in arrays], [len(p.labels) for p in arrays]),
            strict=strict,
            **opts,
        )
    if path.is_file():
        found = tables.find({UNKNOWN: path})
    else:
        t = tables.find_tables(path)
        found = tables.find(t) if t else folders.find(path)

    def get(i):
        try:
            d = decode_file(found.path(i), found.names[i])
            return d, d.content_hash()
        except DataError as e:
            return e, b""

    with ThreadPoolExecutor(2) as pool:
        got = list(pool.map(get, range(len(found.names))))
    good = [i for i, g in enumerate(got) if not isinstance(g[0], DataError)]
    survey = look_at(got[i][0].pixels for i in good[:: max(1, len(good) // 256)])
    spec, told = choose_spec(survey, len(good), size, channels, fit)
    pixels = np.stack([fit_picture(got[i][0].pixels, spec)[0] for i in good])
    hashes = np.stack([np.frombuffer(got[i][1], np.uint8) for i in good])
    idx = np.array(good)
    ex = Examples(
        pixels,
        np.arange(len(good)),
        found.classes[idx],
        found.given[idx],
        [found.names[i] for i in good],
        hashes,
        None,
        told + found.findings,
    )
    return assemble(
        path.name, found.labels, spec, ex, plain_border=survey.plain_border, strict=strict
    )
