"""ONNX files that beak itself wrote: the same network, labels and preparation come back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from beak.data.kinds import read_spec
from beak.data.spec import InputSpec
from beak.engine.onnx_running import onnx_refusals, onnx_session
from beak.errors import BeakError, RunError
from beak.exchange.examples import made_pair
from beak.exchange.importing import Imported, Original
from beak.exchange.onnx_file import DAMAGED, OnnxFile
from beak.exchange.onnx_graph import Array
from beak.exchange.onnx_model import OUTPUT, input_name
from beak.network.network import Network
from beak.runs.safe import one_line, parse_json

KEYS = ("network", "input", "labels", "preparation")


def is_own(file: OnnxFile) -> bool:
    """Whether it says that beak wrote it."""
    return file.model.producer_name == "beak" and set(KEYS) <= set(file.metadata)


def read_own(file: OnnxFile) -> Imported:
    """What the run was that this file was exported from; RunError where it is not whole."""
    said = {key: parse_json(file.metadata[key], f"{file.name}: its {key}") for key in KEYS[:3]}
    try:
        network, spec = Network.from_json(said["network"]), read_spec(said["input"])
    except (BeakError, *_ODD) as error:
        raise RunError(f"{file.name}: its metadata: {one_line(error, 300)}; {DAMAGED}") from None
    labels = said["labels"]
    if not isinstance(labels, list) or not all(isinstance(text, str) for text in labels):
        raise RunError(f"{file.name}: its labels are no list of texts; {DAMAGED}")
    whole = _floats(file)
    parameters = {}
    for name, wanted in network.parameters.items():
        found = whole(name)
        if found is None or found.shape != wanted.shape:
            came = "missing" if found is None else f"{list(found.shape)}"
            raise RunError(
                f"{file.name}: '{one_line(name)}' is {came}, its network needs "
                f"{list(wanted.shape)}; {DAMAGED}"
            )
        parameters[name] = found
    notes = ["it was exported by beak: network, labels and preparation come back"]
    if "precision" in file.metadata:
        notes.append("its 8-bit weights are read as floats: the values' rounding is gone")
    original = _original(file, network, spec) if "precision" not in file.metadata else None
    return Imported(network, parameters, tuple(labels), spec, tuple(notes), original)


_ODD = (ValueError, IndexError, KeyError, TypeError, OverflowError, AttributeError)


def _floats(file: OnnxFile) -> Any:
    """A parameter by name: as it stands, or from the whole numbers it is kept as."""
    readers: Mapping[str, Any] = {
        node.input[0]: node
        for node in file.model.graph.node
        if node.op_type == "DequantizeLinear" and node.input
    }

    def whole(name: str) -> Array | None:
        if name not in file.tensors:
            return None
        found = file.array(file.tensors[name])
        if found.dtype.kind == "f":
            return found.astype(np.float32)
        return _scaled(file, found, readers.get(name))

    return whole


def _scaled(file: OnnxFile, found: Array, reader: Any) -> Array | None:
    """Whole numbers times the scale of their row."""
    if reader is None or len(reader.input) < 2 or reader.input[1] not in file.tensors:
        return None
    steps = file.array(file.tensors[reader.input[1]]).astype(np.float32)
    if steps.size not in (1, len(found)):
        return None
    return np.asarray(found * steps.reshape(-1, *[1] * (found.ndim - 1)), np.float32)


def _original(file: OnnxFile, network: Network, spec: InputSpec) -> Original:
    """The file through ONNX Runtime, on made inputs of every size and colour."""
    made: list[Any] = []

    def draw(random: np.random.Generator, number: int) -> tuple[list[Array], Array]:
        first = int(random.integers(1 << 30))
        pairs = [made_pair(spec, first + k) for k in range(number)]
        return [pair.exported for pair in pairs], np.stack([pair.prepared for pair in pairs])

    def answers(inputs: Any) -> Array:
        name = input_name(spec)
        try:
            if not made:
                made.append(onnx_session(file.model.SerializeToString(), 1))
            found = [made[0].run([OUTPUT], {name: one[None]})[0] for one in inputs]
        except onnx_refusals() as error:
            said = one_line(error, 200)
            raise RunError(f"{file.name}: ONNX Runtime does not take it: {said}") from None
        return np.concatenate(found)

    return Original("ONNX Runtime", answers, draw, shares=True)
