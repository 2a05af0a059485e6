"""Networks made elsewhere: who reads which file, by its ending, and what a reader gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from beak.data.spec import InputSpec
from beak.engine.choice import has_torch
from beak.engine.make import make_engine
from beak.errors import MissingExtraError, UsageError
from beak.network.network import Network
from beak.runs.likely import log_softmax
from beak.runs.safe import one_line

Array = np.ndarray[Any, Any]


INPUTS = 16
"""Random inputs that an imported network is compared on."""


@dataclass(frozen=True, eq=False)
class Original:
    """The network as it was, where something on this machine can run it: what to compare with."""

    by: str
    """Who runs it: "ONNX Runtime"."""
    answers: Callable[[Any], Array]
    """Inputs as ``draw`` gives them first -> what the network's output (N, …) should be."""
    draw: Callable[[np.random.Generator, int], tuple[Any, Array]] | None = None
    """So many inputs at random, as the original takes them and as the network does. None: normal
    numbers (N, *network.input), the same for both."""
    shares: bool = False
    """The original gives probabilities also where the network ends without a softmax."""


@dataclass(frozen=True, eq=False)
class Imported:
    """A network made elsewhere, as beak computes it."""

    network: Network
    parameters: dict[str, Array]
    """float32 under the network's names."""
    labels: tuple[str, ...] = ()
    """Empty where the file has none."""
    spec: InputSpec | None = None
    """How a raw input is prepared; None where the file does not say."""
    notes: tuple[str, ...] = ()
    """What a user may not expect, a line each."""
    original: Original | None = None
    """None where nothing here can run it."""


Reader = Callable[[Path, tuple[int, ...] | None], Imported]
"""A file, and the input's shape (channels first, without the batch) where the user gave it."""


def _onnx(path: Path, shape: tuple[int, ...] | None) -> Imported:
    from beak.exchange.onnx_read import read_onnx

    return read_onnx(path, shape)


def _keras(path: Path, shape: tuple[int, ...] | None) -> Imported:
    from beak.exchange.keras_import import read_keras_network

    return read_keras_network(path, shape)


def _pt2(path: Path, shape: tuple[int, ...] | None) -> Imported:
    if not has_torch():
        raise MissingExtraError("reading a file of PyTorch's", "torch")
    from beak.exchange.torch_file import read_pt2

    return read_pt2(path, shape)


READERS: dict[str, Reader] = {
    ".onnx": _onnx,
    ".keras": _keras,
    ".h5": _keras,
    ".json": _keras,
    ".pt2": _pt2,
}
"""Ending, in small letters, with the dot -> its reader, which imports its library when called."""


def read_network(path: str | Path, input_shape: tuple[int, ...] | None = None) -> Imported:
    """The network of a file made elsewhere, told by its ending.

    ``input_shape``: for files that leave it open. Raises UsageError: no such file, or an ending
    that nobody reads; RunError: damaged, hostile, or with something in it that beak lacks, named.
    """
    file = Path(path)
    reader = READERS.get(file.suffix.lower())
    if reader is None:
        known = ", ".join(READERS)
        raise UsageError(f"{one_line(file, 300)}: networks are read from {known} files")
    if not file.exists():
        raise UsageError(f"{one_line(file, 300)} is not there; is the path right?")
    if not file.is_file():
        raise UsageError(f"{one_line(file, 300)} is no file; give the network's file in it")
    return reader(file, input_shape)


def compared(imported: Imported, inputs: int = INPUTS, seed: int = 0) -> float | None:
    """The largest difference between the network's answers and the original's on random inputs.

    Of answers beyond 1 as a share of the largest. None where nothing here can run the original.
    """
    original, network = imported.original, imported.network
    if original is None:
        return None
    random = np.random.default_rng(seed)
    if original.draw is None:
        ours = random.standard_normal((inputs, *network.input)).astype(np.float32)
        theirs: Any = ours
    else:
        theirs, ours = original.draw(random, inputs)
    wanted = np.asarray(original.answers(theirs), np.float64).reshape(len(ours), -1)
    found = make_engine(network, imported.parameters).forward(ours).reshape(len(ours), -1)
    if original.shares and not network.classifies:
        found = np.exp(log_softmax(found))
    if found.shape != wanted.shape or not (np.isfinite(found).all() and np.isfinite(wanted).all()):
        return float("inf")
    apart = np.abs(found - wanted).max(axis=1) / np.maximum(1, np.abs(wanted).max(axis=1))
    return float(apart.max())
