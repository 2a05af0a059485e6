"""Every reader of files from strangers, and files to begin from.

``check(name, data, place)`` reads these bytes as the reader of that name does: what comes out is a
value or an error of beak's in one printable line. As a program it fuzzes a reader, guided by
coverage (needs atheris):

    python tests/fuzz/readers.py sgf corpus/ -max_total_time=30
"""

from __future__ import annotations

import gzip
import io
import json
import struct
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

if __name__ == "__main__":  # what is fuzzed is imported under atheris's eyes
    import atheris

    watching = partial(atheris.instrument_imports, include=["beak"])
else:
    watching = nullcontext

with watching():
    import numpy as np
    from PIL import Image

    from beak.data.archives import unpacked
    from beak.data.arrays import idx_member, npz_parts
    from beak.data.builtin import CIFAR_BATCHES
    from beak.data.cifar import cifar_parts
    from beak.data.decode import decode_file
    from beak.data.go_files import records_in
    from beak.data.go_kind import load_game
    from beak.data.kinds import read_spec
    from beak.data.sgf import read_games
    from beak.data.shards import find_samples, shards_at
    from beak.data.sounds import decode, wav
    from beak.data.store import DamagedStoreError, open_store, write_store
    from beak.data.tables import read_table
    from beak.data.texts import read_texts
    from beak.data.unpack import names_in
    from beak.data.vectors import read_vectors
    from beak.errors import BeakError
    from beak.network.catalogue import make_network
    from beak.network.network import Network
    from beak.play.sgf import parse_main_line
    from beak.runs.card import Figure, add_figure
    from beak.runs.history import read_history
    from beak.runs.model import Model, load_model, save_model
    from beak.runs.safe import parse_json
    from beak.train.recipe import Recipe

TOLD = (BeakError, DamagedStoreError)
GAME = b"(;GM[1]FF[4]SZ[19]HA[2]AB[dd][pp]RE[W+3.5]BR[2d];W[dp](;B[pd]C[a\\]b])(;B[qq]))"

PICTURES = {"kind": "pictures", "shape": [1, 8, 8], "fit": "pad", "background": 0,
            "mean": [0.3], "std": [0.4]}  # fmt: skip


@dataclass(frozen=True)
class Reader:
    """How bytes are read; the file lies at ``place`` if it is a path that is read."""

    read: Callable[[bytes, Path], object]
    seeds: Callable[[], list[bytes]]
    ending: str = ""


def _by_path(read: Callable[[Path], object]) -> Callable[[bytes, Path], object]:
    def written(data: bytes, place: Path) -> object:
        place.write_bytes(data)
        return read(place)

    return written


def _cifar(data: bytes, place: Path) -> None:
    files = [place.with_name(name) for name in CIFAR_BATCHES]
    for file in files:
        file.write_bytes(data)
    _parts(cifar_parts(files))


def _model(data: bytes, place: Path) -> object:
    place.write_bytes(data)
    return load_model(place)


def _saved_model() -> bytes:
    network = make_network("linear", (1, 8, 8), 3)
    spec = read_spec(PICTURES)
    arrays = {n: np.zeros(p.shape, np.float32) for n, p in network.parameters.items()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        save_model(path, Model(network, spec, ("a", "b", "c"), arrays, {}))
        return path.read_bytes()


def _pictures() -> list[bytes]:
    made, random = [], np.random.default_rng(0)
    for kind in ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"):
        out = io.BytesIO()
        Image.fromarray(random.integers(0, 256, (9, 7, 3), np.uint8)).save(out, kind)
        made.append(out.getvalue())
    return made


def _sounds() -> list[bytes]:
    samples = np.arange(-400, 400, dtype=np.int16)
    floats = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 44, b"WAVE", b"fmt ", 16, 3, 2, 8000,
                         64000, 8, 32, b"data", 8) + bytes(8)  # fmt: skip
    return [wav(samples, 8000), floats]


def _idx() -> list[bytes]:
    plain = struct.pack(">HBBIII", 0, 8, 3, 2, 4, 4) + bytes(32)
    return [plain, struct.pack(">HBBI", 0, 8, 1, 2) + b"\0\1"]


def _npz() -> list[bytes]:
    out = io.BytesIO()
    np.savez(out, x_train=np.zeros((3, 4, 4), np.uint8), y_train=np.arange(3))
    packed = io.BytesIO()
    np.savez_compressed(packed, x=np.zeros((3, 2)), y=np.arange(3))
    return [out.getvalue(), packed.getvalue()]


def _zip() -> list[bytes]:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("games/a.sgf", GAME)
    return [out.getvalue()]


def _tar() -> list[bytes]:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        member = tarfile.TarInfo("games/a.sgf")
        member.size = len(GAME)
        archive.addfile(member, io.BytesIO(GAME))
    return [out.getvalue()]


def _shard() -> list[bytes]:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in (("1.png", b"?"), ("1.cls", b"cat"), ("1.json", b"{}")):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return [out.getvalue()]


def _store() -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.beak"
        write_store(path, {"left": {}}, {"rows": np.arange(12).reshape(3, 4)})
        return [path.read_bytes()]


def _card(data: bytes, place: Path) -> object:
    (place.parent / "README.md").write_bytes(data)
    return add_figure(place.parent, _CARDS, Figure("photos", "test", 0.5, (0.4, 0.6), 9))


_CARDS = Model(
    make_network("linear", (1, 8, 8), 3), read_spec(PICTURES), ("a", "b", "c"), {}
)  # fmt: skip


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _archive(path: Path) -> None:
    list(names_in(path))
    list(records_in(path, [path]))
    with tempfile.TemporaryDirectory() as cache:
        try:
            unpacked(path, [path], Path(cache))
        finally:
            if shards_at(path):
                find_samples([path], frozenset({".png"}), "pictures")
            left = [p.name for p in Path(cache, "unpacked").glob("*") if not p.is_dir()]
            assert not left, left


READERS = {
    "safetensors": Reader(_model, lambda: [_saved_model()], ".safetensors"),
    "sgf": Reader(lambda data, _: (list(read_games(data)), load_game(data, "game")),
                  lambda: [GAME]),
    "main line": Reader(lambda data, _: parse_main_line(_text(data)), lambda: [GAME]),
    "wav": Reader(lambda data, _: decode(data, "sound"), _sounds),
    "picture": Reader(lambda data, _: decode_file(data, "picture"), _pictures),
    "csv of texts": Reader(_by_path(read_texts),
                           lambda: [b'text,label\n"a ""fine"" film",good\ndull,bad\n'], ".csv"),
    "jsonl": Reader(_by_path(read_texts),
                    lambda: [b'{"text": "a film", "label": 1}\n{"text": "x", "label": 0}\n'],
                    ".jsonl"),
    "lines": Reader(_by_path(read_texts), lambda: [b"good a fine film\nbad dull\n" * 4], ".txt"),
    "table": Reader(_by_path(read_table), lambda: [b"path,label\na.png,cat\nb.png,dog\n"], ".csv"),
    "vectors": Reader(_by_path(lambda path: read_vectors(path, {"film": 0, "a": 1})),
                      lambda: [b"film 0.1 0.2\na 1 2\n", b"2 2\nfilm \0\0\0\0\0\0\0\0a "
                               + bytes(8)], ".txt"),
    "recipe": Reader(lambda data, _: Recipe.from_toml(_text(data)),
                     lambda: [Recipe().to_toml().encode()]),
    "network": Reader(
        lambda data, _: Network.from_json(parse_json(data, "network")),
        lambda: [json.dumps(make_network("lenet5", (1, 28, 28), 10).to_json()).encode()]),
    "idx": Reader(_by_path(lambda path: _read(idx_member(path))), _idx, "-idx3-ubyte"),
    "idx packed": Reader(
        _by_path(lambda path: _read(idx_member(path))),
        lambda: [gzip.compress(seed, mtime=0) for seed in _idx()],
        "-idx3-ubyte.gz",
    ),
    "cifar": Reader(_cifar,
                    lambda: [bytes([1]) + bytes(3072)], ".bin"),
    "npz": Reader(_by_path(lambda path: _parts(npz_parts(path))), _npz, ".npz"),
    "zip": Reader(_by_path(_archive), _zip, ".zip"),
    "tar": Reader(_by_path(_archive), _tar, ".tar.gz"),
    "shard": Reader(_by_path(_archive), _shard, ".tar"),
    "cache": Reader(_by_path(lambda path: _all_of(open_store(path))), _store, ".beak"),
    "history": Reader(_by_path(read_history), lambda: [b'{"epoch": 1, "loss": 0.5}\n{"epo']),
    "card": Reader(_card, lambda: [b"---\nmodel-index:\n- name: a\n---\n<!-- beak: measured -->\n"
                                   b"| a | test | 50.00 % | 40.00 to 60.00 % | 9 |\n"
                                   b"<!-- beak: end -->\n"]),
}  # fmt: skip
"""Name -> how it is read, and files that are in order."""


def _read(member: object) -> None:
    for _ in member.pieces():  # type: ignore[attr-defined]
        pass


def _parts(parts: list) -> None:
    for part in parts:
        _read(part.inputs)


def _all_of(store: object) -> dict:
    return {name: np.asarray(values) for name, values in store.arrays.items()}  # type: ignore[attr-defined]


def check(name: str, data: bytes, place: Path) -> str:
    """Read these bytes; "" where that works, else the error's line."""
    try:
        READERS[name].read(data, place)
    except TOLD as error:
        said = str(error)
        assert said.isprintable(), f"more than a line: {said!r}"
        assert len(said) < 3000, f"too long: {said[:300]!r}"
        return said
    return ""


def place_of(name: str, folder: Path) -> Path:
    """Where the file of a reader lies."""
    return folder / f"file{READERS[name].ending}"


def main() -> None:
    """Fuzz one reader; crashes end the process with a stack trace."""
    name = sys.argv.pop(1)
    with tempfile.TemporaryDirectory() as folder:
        place = place_of(name, Path(folder))
        atheris.Setup(sys.argv, lambda data: (check(name, data, place), None)[1])
        atheris.Fuzz()


if __name__ == "__main__":
    main()
