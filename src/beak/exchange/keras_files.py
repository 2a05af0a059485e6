"""Keras's files, read and written without Keras: .keras, .weights.h5, the old .h5, JSON.

Numbers and texts alone are taken from them: no pickle is opened, no code of theirs is run.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from beak.errors import MissingExtraError, RunError, UsageError
from beak.exchange.keras_model import MODELS, Description, described
from beak.exchange.keras_names import group_names
from beak.runs.safe import one_line, parse_json

Array = np.ndarray[Any, Any]
Listed = Sequence[tuple[str, Array]]
"""An optimiser's variables, in order: path, numbers."""
WEIGHTS = "model.weights.h5"
LARGEST = 1 << 32
"""No part of a file may be larger than this when unpacked: 4 GB."""
TREES = ("layers", "_layer_checkpoint_dependencies")
"""What Keras 3 calls the layers' group, now and in its first files."""
OLD_MOMENTS = "optimizer_weights"
OWN_MOMENTS = "beak_optimizer_weights"
"""Where an old .h5 of ours has them: Keras 3 cannot train a model whose .h5 has the other."""
VERSION = "3.15.1"
"""The version of Keras whose files these are."""


@dataclass(frozen=True)
class Stored:
    """What a file holds."""

    description: Description | None
    """None: weights alone."""
    arrays: dict[str, list[Array]] | None
    """By the model's layers, Keras's arrays in its order; None: no weights."""
    trainable_first: bool = False
    """Whether the arrays of a model within are all the trained ones, then the others (old .h5)."""
    compiled: Mapping[str, Any] | None = None
    """Optimiser, loss and metrics, as the file says them."""
    optimizer: list[Array] | None = None
    """The optimiser's variables: steps, rate, moments."""


def h5py() -> Any:
    """The reader of HDF5, or MissingExtraError."""
    try:
        import h5py as found
    except ImportError:
        raise MissingExtraError("reading and writing Keras's files", "keras") from None
    return found


def read_keras(path: Path, of: Description | None = None) -> Stored:
    """What a .keras, .h5, .weights.h5 or .json file holds.

    ``of``: the model that weights alone belong to; without it they stay unread.
    Raises UsageError where there is no such file, RunError where it is damaged or holds code.
    """
    where = one_line(path, 300)
    if not path.is_file():
        raise UsageError(f"{where} is not there; is the path right?")
    if path.suffix.lower() == ".json":
        return _read_json(path, where)
    if zipfile.is_zipfile(path):
        return _read_archive(path, where)
    with _open(path, where) as file:
        if "model_config" in file.attrs:
            return _read_old(file, where)
        if any(key in file or key in file.attrs for key in (*TREES, "layer_names")):
            return _read_weights(file, where, of)
    raise RunError(f"{where} holds no Keras model; a .keras, .h5 or .weights.h5 file was wanted")


def _read_json(path: Path, where: str) -> Stored:
    data = parse_json(path.read_text(encoding="utf-8", errors="replace"), where)
    description = described(data, where)
    beside = path.with_name(f"{path.stem}.weights.h5")
    if not beside.is_file():
        return Stored(description, None)
    with _open(beside, one_line(beside, 300)) as file:
        return Stored(description, _tree(file, description, one_line(beside, 300)))


def _read_archive(path: Path, where: str) -> Stored:
    try:
        with zipfile.ZipFile(path) as archive:
            config = parse_json(
                _part(archive, "config.json", where).decode("utf-8", "replace"), where
            )
            weights = _part(archive, WEIGHTS, where)
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError) as error:
        raise RunError(f"{where} is damaged: {one_line(error, 120)}") from None
    description = described(config, where)
    with _open(io.BytesIO(weights), where) as file:
        compiled = config.get("compile_config")
        arrays = _tree(file, description, where)
        compiled = compiled if isinstance(compiled, dict) else None
        return Stored(description, arrays, False, compiled, _optimizer(file, where))


def _part(archive: zipfile.ZipFile, name: str, where: str) -> bytes:
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise RunError(f"{where} holds no {name}; is it a .keras file?") from None
    if info.file_size > LARGEST:
        raise RunError(f"{where}: its {name} would be {info.file_size:,} bytes, which is too large")
    return archive.read(info)


@contextmanager
def _open(source: Any, where: str) -> Iterator[Any]:
    reader = h5py()
    try:
        file = reader.File(source, "r")
    except (OSError, ValueError) as error:
        raise RunError(f"{where} is no HDF5 file: {one_line(error, 120)}") from None
    with file:
        try:
            yield file
        except (KeyError, OSError, TypeError, AttributeError, RuntimeError) as error:
            raise RunError(f"{where} is damaged: {one_line(error, 120)}") from None


def _tree(file: Any, description: Description, where: str) -> dict[str, list[Array]]:
    """By layer, from the tree that Keras 3 writes: layers/<kind>_<number>/vars/<place>."""
    root: Any = next((file[key] for key in TREES if key in file), {})
    found: dict[str, list[Array]] = {}
    steps = [s for s in description.steps if ":" not in s.name]
    if description.kind == "Sequential":
        steps = [s for s in steps if s.kind != "InputLayer"]
    for step, name in zip(steps, group_names([s.kind for s in steps]), strict=True):
        here = root.get(step.name) if name not in root else root[name]
        if here is None:
            continue
        if step.model is not None:
            inside = _tree(here, step.model, where)
            found[step.name] = [a for arrays in inside.values() for a in arrays]
        else:
            found[step.name] = _numbered(here, where)
    return found


def _numbered(group: Any, where: str) -> list[Array]:
    held = group.get("vars", {})
    return [_array(held[str(place)], where) for place in range(len(held))]


def _array(data: Any, where: str) -> Array:
    if not hasattr(data, "shape") or data.dtype.kind not in "fiu" or data.size * 4 > LARGEST:
        raise RunError(f"{where}: {one_line(data, 80)} is no array of numbers of a fair size")
    return np.asarray(data[()], np.float64 if data.shape == () else np.float32)


def _read_weights(file: Any, where: str, of: Description | None) -> Stored:
    if "layer_names" in file.attrs:
        return Stored(None, _by_names(file, where), True)
    arrays = None if of is None else _tree(file, of, where)
    return Stored(None, arrays, optimizer=_optimizer(file, where))


def _read_old(file: Any, where: str) -> Stored:
    description = described(parse_json(_text(file.attrs["model_config"]), where), where)
    compiled = None
    if "training_config" in file.attrs:
        compiled = parse_json(_text(file.attrs["training_config"]), where)
        compiled = {**compiled, "optimizer": compiled.get("optimizer_config")}
    arrays = _by_names(file["model_weights"], where)
    group = next((file[name] for name in (OWN_MOMENTS, OLD_MOMENTS) if name in file), None)
    held = None
    if group is not None:
        held = [_array(group[_text(name)], where) for name in _list(group, "weight_names")]
    return Stored(description, arrays, True, compiled, held)


def _optimizer(file: Any, where: str) -> list[Array] | None:
    return _numbered(file["optimizer"], where) if "optimizer" in file else None


def _by_names(group: Any, where: str) -> dict[str, list[Array]]:
    return {
        layer: [
            _array(group[layer][_text(name)], where) for name in _list(group[layer], "weight_names")
        ]
        for layer in map(_text, _list(group, "layer_names"))
    }


def _list(group: Any, key: str) -> list[Any]:
    """An attribute's list, which Keras cuts into key0, key1, … where it is long."""
    if key in group.attrs:
        return list(group.attrs[key])
    found: list[Any] = []
    while f"{key}{len(found)}" in group.attrs:
        found.append(group.attrs[f"{key}{len(found)}"])
    return [name for part in found for name in part]


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


# Writing.


def archive_bytes(
    config: Mapping[str, Any], tree: Sequence[tuple[str, Any]], optimizer: Listed = ()
) -> bytes:
    """A .keras file.

    ``tree``: (class name, arrays or a tree of a model within) of each layer; ``optimizer``: its
    variables by path, none where the model is not compiled.
    """
    buffer = io.BytesIO()
    with h5py().File(buffer, "w") as file:
        _write_tree(file, tree, config["config"].get("name", "model"))
        _write_optimizer(file, optimizer)
    meta = {
        "keras_version": VERSION,
        "date_saved": datetime.now().strftime("%Y-%m-%d@%H:%M:%S"),
    }
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        archive.writestr("metadata.json", json.dumps(meta))
        archive.writestr("config.json", json.dumps(config))
        archive.writestr(WEIGHTS, buffer.getvalue())
    return whole.getvalue()


def write_weights(
    path: Path, tree: Sequence[tuple[str, Any]], name: str, optimizer: Listed = ()
) -> None:
    """A .weights.h5 file."""
    beside = path.with_name(path.name + ".part")
    with h5py().File(beside, "w") as file:
        _write_tree(file, tree, name)
        _write_optimizer(file, optimizer)
    beside.replace(path)


def _write_tree(file: Any, tree: Sequence[tuple[str, Any]], name: str) -> None:
    layers = file.create_group("layers")
    for (kind, held), group in zip(tree, group_names([kind for kind, _ in tree]), strict=True):
        here = layers.create_group(group)
        if kind in MODELS:
            _write_tree(here, held, group)
            continue
        own = here.create_group("vars")
        own.attrs["name"] = group
        for place, array in enumerate(held):
            own.create_dataset(str(place), data=np.asarray(array, np.float32))
    file.create_group("vars").attrs["name"] = name


def _write_optimizer(file: Any, optimizer: Listed) -> None:
    if not optimizer:
        return
    held = file.create_group("optimizer/vars")
    held.attrs["name"] = optimizer[0][0].split("/")[0]
    for place, (_, array) in enumerate(optimizer):
        held.create_dataset(str(place), data=array)


def write_old(
    path: Path,
    config: Mapping[str, Any],
    layers: Sequence[tuple[str, Sequence[tuple[str, Array]]]],
    compiled: Mapping[str, Any] | None,
    optimizer: Listed = (),
) -> None:
    """An old .h5 file. ``layers``: name, and its arrays by name, of each layer."""
    beside = path.with_name(path.name + ".part")
    with h5py().File(beside, "w") as file:
        file.attrs["backend"], file.attrs["keras_version"] = "beak", VERSION
        file.attrs["model_config"] = json.dumps(config)
        if compiled is not None:
            file.attrs["training_config"] = json.dumps(compiled)
        weights = file.create_group("model_weights")
        weights.attrs["layer_names"] = [name.encode() for name, _ in layers]
        for name, arrays in layers:
            group = weights.create_group(name)
            group.attrs["weight_names"] = [f"{name}/{one}".encode() for one, _ in arrays]
            for one, array in arrays:
                group.create_dataset(f"{name}/{one}", data=np.asarray(array, np.float32))
        if optimizer:
            moments = file.create_group(OWN_MOMENTS)
            moments.attrs["weight_names"] = [path.encode() for path, _ in optimizer]
            for path_within, array in optimizer:
                moments.create_dataset(path_within, data=array)
    beside.replace(path)
