"""``.pt2`` files from anywhere, looked through before PyTorch opens them, and modules as runs.

PyTorch's own reader runs what a file tells it to: pickles, and expressions for open sizes. Here a
file with a pickle in it is refused, and so is an expression that is more than sums of sizes.
"""

from __future__ import annotations

import io
import json
import re
import warnings
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from beak.data.kinds import read_spec
from beak.errors import BeakError, RunError, UsageError
from beak.exchange.import_run import ImportedRun, Preparation, as_run
from beak.exchange.importing import Imported, Original
from beak.exchange.onnx_views import LackingError
from beak.exchange.torch_parts import read_boxed
from beak.exchange.torch_read import read_module, read_program
from beak.exchange.torch_write import TOLD, pt2_answers
from beak.network.network import Network
from beak.runs.model import Model
from beak.runs.run import Run
from beak.runs.safe import one_line

Array = np.ndarray[Any, Any]
LARGEST = 8 << 30
"""Bytes of a file, unpacked."""
GRAPH = 64 << 20
PLAIN = re.compile(r"[A-Za-z0-9_ +\-*/(),<>=]*")
"""What an expression about sizes is made of; nothing that could be called or reached into."""
CALLS = re.compile(r"__|[A-Za-z_]\w*\s*\(")
SYMBOL = re.compile(r"Symbol\('[A-Za-z]\w*'(?:, (?:positive|integer|nonnegative)=True)*\)")
"""A size that is left open, as PyTorch writes it."""
SIZES = re.compile(r"\b(?:Max|Min|Mod|FloorDiv|CleanDiv|PythonMod|Eq|Ne|Ge|Gt|Le|Lt)\s*\(")


def read_pt2(path: Path, shape: tuple[int, ...] | None = None) -> Imported:
    """The network of a ``.pt2`` file that torch.export.save wrote.

    RunError: damaged or hostile, or something in it has no layer. A file that beak wrote gives
    back its own network, preparation and labels.
    """
    name = one_line(path, 300)
    content = path.read_bytes()
    _look_through(content, name)
    told = {TOLD: ""}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.export.load(io.BytesIO(content), extra_files=told)
            module = program.module()
    except (RuntimeError, ValueError, KeyError, AssertionError, TypeError, OSError) as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise RunError(
            f"{name}: no exported program of PyTorch that this one reads ({one_line(first, 160)}); "
            "write it with torch.export.save(torch.export.export(module, (example,)), FILE)"
        ) from None
    if told[TOLD]:
        imported = _own(told[TOLD], program.state_dict, content, name)
    else:
        imported = read_program(program, name, _answers(module))
    if shape is not None and tuple(shape) != imported.network.input:
        raise UsageError(f"{name}: it was exported for inputs of {imported.network.input}")
    return imported


def _look_through(content: bytes, name: str) -> None:
    """Raise RunError for a file that PyTorch's reader should not be given."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            entries = packed.infolist()
            if len({entry.filename for entry in entries}) < len(entries):
                raise RunError(f"{name}: two parts of it have one name; it is damaged or hostile")
            if sum(entry.file_size for entry in entries) > LARGEST:
                raise RunError(f"{name}: unpacked it is larger than {LARGEST >> 30} GB")
            for entry in entries:
                _look_at(entry, packed, name)
    except (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError):
        raise RunError(f"{name}: no exported program of PyTorch, or a damaged one") from None


def _look_at(entry: zipfile.ZipInfo, packed: zipfile.ZipFile, name: str) -> None:
    last = entry.filename.rpartition("/")[2]
    if last.endswith(".json") and "/extra/" not in entry.filename:
        if entry.file_size > GRAPH:
            raise RunError(f"{name}: its graph is larger than {GRAPH >> 20} MB")
        for key, value in _all_of(json.loads(packed.read(entry))):
            if key == "use_pickle" and value is not False:
                raise RunError(f"{name}: it holds a pickle, which could run anything; not opened")
            if key in ("expr_str", "guards_code") and not _harmless(value):
                raise RunError(f"{name}: its graph holds code; not opened: {one_line(value, 60)}")
    elif "/constants/" in entry.filename and not last.startswith("tensor_"):
        raise RunError(f"{name}: it holds an object ('{one_line(last, 60)}'), not only numbers")
    elif last.endswith((".pt", ".pth", ".pkl")):
        try:
            torch.load(io.BytesIO(packed.read(entry)), weights_only=True)
        except Exception as error:  # the border to a stranger's file: whatever it raises
            raise RunError(
                f"{name}: '{one_line(last, 60)}' in it is more than numbers; not opened "
                f"({type(error).__name__})"
            ) from None


def _harmless(value: Any) -> bool:
    """Whether an expression says no more than sums and bounds of sizes."""
    return all(isinstance(text, str) and _plain(text) for text in _as_list(value))


def _plain(text: str) -> bool:
    short = re.sub(r"L\['\w+'\]\.size\(\)\[\d+\]", "s", SYMBOL.sub("s", text))
    return PLAIN.fullmatch(short) is not None and CALLS.search(SIZES.sub("(", short)) is None


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _all_of(value: Any) -> Iterator[tuple[str, Any]]:
    """Every key of nested JSON with its value."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield from one.items()
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)


def _own(text: str, arrays: Any, content: bytes, name: str) -> Imported:
    """What beak wrote, as it was."""
    try:
        told = json.loads(text)
        network, spec = Network.from_json(told["network"]), read_spec(told["input"])
        held = {key.removeprefix("network."): value for key, value in arrays.items()}
        parameters = {key: held[key].detach().float().numpy() for key in network.parameters}
        labels = tuple(map(str, told["labels"]))
    except (ValueError, KeyError, TypeError, BeakError) as error:
        raise RunError(f"{name}: what beak wrote into it is damaged ({one_line(error)})") from None
    answers = pt2_answers(content, Model(network, spec, labels, parameters))
    return Imported(
        network, parameters, labels, spec, (), Original("PyTorch", answers, shares=True)
    )


def _answers(module: Any) -> Callable[[Array], Array]:
    """Answers of a program that may be made for a batch of one alone."""

    def answers(inputs: Array) -> Array:
        with torch.inference_mode():
            rows = [module(torch.from_numpy(row[None])).detach().numpy() for row in inputs]
        return np.concatenate(rows)

    return answers


def from_torch(
    module: nn.Module,
    input_shape: Sequence[int],
    run: str | Path | None = None,
    *,
    labels: str | Path | Sequence[str] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    weights: str | Path | None = None,
    overwrite: bool = False,
    boxes: bool = False,
) -> Run:
    """A PyTorch module as a run: predict, look, explain and export take it.

    ``input_shape``: (channels, height, width), without the batch. ``run``: a directory to write;
    None: in memory alone. ``mean``, ``std``: of pixels from 0 to 1, as torchvision's Normalize
    takes them. ``weights``: a state dict's file, read with ``weights_only``. The network's answers
    are compared with the module's. RunError names what beak has no layer for, and the nearest.
    ``boxes``: let PyTorch compute that; such a run is looked at and predicts, in memory alone.

    >>> from torch import nn
    >>> small = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2))
    >>> [node.name for node in from_torch(small, (1, 8, 8)).network.nodes]
    ['0', 'flatten1', '3']
    """
    name = type(module).__name__
    if weights is not None:
        _load_state(module, Path(weights))
    wanted = Preparation(
        mean=None if mean is None else tuple(mean), std=None if std is None else tuple(std),
        scale=None if mean is None and std is None else 1 / 255,
    )  # fmt: skip
    if boxes and run is not None:
        raise UsageError("from_torch: boxes live with their module, in no file; leave out 'run'")
    try:
        imported = (read_boxed if boxes else read_module)(module, input_shape, name)
    except LackingError as error:
        more = "" if boxes else "; beak.look(module, input) opens the page on it all the same"
        raise RunError(f"{error}{more}") from None
    found: ImportedRun = as_run(
        imported, Path(name), run, labels=labels, preparation=wanted, overwrite=overwrite
    )
    return Run(run) if run is not None else Run(found.model)


def _load_state(module: nn.Module, path: Path) -> None:
    """A state dict into the module; UsageError or RunError where it is none or fits no more."""
    name = one_line(path, 300)
    if not path.is_file():
        raise UsageError(f"{name} is not there; a file that torch.save(module.state_dict()) wrote")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the border to a stranger's file: whatever it raises
        raise RunError(
            f"{name}: no state dict of plain tensors ({type(error).__name__}); save it with "
            "torch.save(module.state_dict(), FILE)"
        ) from None
    state = state.get("state_dict", state) if isinstance(state, dict) else state
    try:
        module.load_state_dict(state)
    except (RuntimeError, TypeError, AttributeError) as error:
        first = " ".join(str(error).split())
        raise RunError(f"{name} does not fit the module: {one_line(first, 200)}") from None


__all__ = ["from_torch", "read_pt2"]
