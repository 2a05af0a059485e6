"""An ONNX file from anywhere: its operators and constants, everything checked before it is used.

Nothing is allocated from a number in the file that the file's own bytes do not cover, and numbers
kept beside the file are read from its folder alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from beak.engine.onnx_running import onnx_library
from beak.errors import RunError
from beak.exchange.onnx_graph import Array
from beak.runs.safe import one_line

LARGEST = (1 << 31) - 1
"""Bytes of a file and of all its numbers: what a protobuf, and so a comparison, can hold."""
OPSETS = range(7, 29)
DAMAGED = "the file is damaged or no ONNX file: take another copy or export it again"
DATA = {
    1: "float_data", 2: "int32_data", 3: "int32_data", 4: "int32_data", 5: "int32_data",
    6: "int32_data", 7: "int64_data", 9: "int32_data", 10: "int32_data", 11: "double_data",
}  # fmt: skip
"""Kind of numbers -> where a tensor keeps them when not as raw bytes; other kinds are not read."""


@dataclass(frozen=True, eq=False)
class Operator:
    """One operator of the graph."""

    kind: str
    name: str
    inputs: tuple[str, ...]
    """Names of values; "" for one left out."""
    outputs: tuple[str, ...]
    fields: dict[str, Any]
    """Its attributes: numbers, lists, texts, arrays."""

    def __str__(self) -> str:
        return f"{one_line(self.kind)} '{one_line(self.name or self.outputs[0])}'"


@dataclass(eq=False)
class OnnxFile:
    """A parsed file; its arrays are read when they are asked for."""

    path: Path
    model: Any
    taken: int = field(default=0)
    """Bytes of arrays read so far."""

    @property
    def name(self) -> str:
        """What errors call it."""
        return one_line(self.path, 300)

    @property
    def metadata(self) -> dict[str, str]:
        """What the file says of itself."""
        return {entry.key: entry.value for entry in self.model.metadata_props}

    @cached_property
    def opset(self) -> int:
        """The version of ONNX's own operators."""
        found = [o.version for o in self.model.opset_import if o.domain in ("", "ai.onnx")]
        if not found or found[0] not in OPSETS:
            came = f"opset {found[0]}" if found else "no opset of ONNX"
            raise RunError(
                f"{self.name}: {came}; opsets {OPSETS[0]} to {OPSETS[-1]} are read: export it again"
            )
        return int(found[0])

    @cached_property
    def tensors(self) -> dict[str, Any]:
        """The constants by name, not yet read."""
        if len(self.model.graph.sparse_initializer):
            raise RunError(f"{self.name}: sparse constants are not read; export them dense")
        return {tensor.name: tensor for tensor in self.model.graph.initializer}

    @cached_property
    def inputs(self) -> list[Any]:
        """What has to come from outside."""
        return [entry for entry in self.model.graph.input if entry.name not in self.tensors]

    def operators(self, wanted: str) -> list[Operator]:
        """Those that a value needs, in the file's order."""
        by_output: dict[str, Any] = {}
        for node in self.model.graph.node:
            for out in filter(None, node.output):
                if out in by_output:
                    raise RunError(f"{self.name}: two operators give '{one_line(out)}'; {DAMAGED}")
                by_output[out] = node
        needed, waiting = set(), [wanted]
        while waiting:
            node = by_output.get(waiting.pop())
            if node is not None and id(node) not in needed:
                needed.add(id(node))
                waiting.extend(node.input)
        return [self._operator(n) for n in self.model.graph.node if id(n) in needed]

    def _operator(self, node: Any) -> Operator:
        kind = node.op_type
        if node.domain not in ("", "ai.onnx"):
            kind = f"{node.domain}.{kind}"
        fields = {entry.name: self._field(entry) for entry in node.attribute}
        return Operator(kind, node.name, tuple(node.input), tuple(node.output), fields)

    def _field(self, entry: Any) -> Any:
        if entry.type == 4:
            return self.array(entry.t)
        if entry.type in (1, 2, 6, 7):
            kept: Any = {1: entry.f, 2: entry.i, 6: entry.floats, 7: entry.ints}[entry.type]
            return kept if entry.type < 3 else tuple(kept)
        return entry.s.decode("utf-8", "replace") if entry.type == 3 else None

    def array(self, tensor: Any) -> Array:
        """A tensor's numbers. RunError where its shape says more than there are."""
        name = f"{self.name}: the numbers of '{one_line(tensor.name)}'"
        if tensor.data_type not in DATA:
            raise RunError(f"{name} are of kind {tensor.data_type}, which is not read")
        kind = onnx_library().helper.tensor_dtype_to_np_dtype(tensor.data_type)
        if any(size < 0 for size in tensor.dims):
            raise RunError(f"{name} have a size below 0; {DAMAGED}")
        numbers = math.prod(tensor.dims)
        needed = numbers * kind.itemsize
        self.taken += needed
        if self.taken > LARGEST:
            raise RunError(f"{name} and those before are {self.taken:,} bytes; 2 GB are read")
        if tensor.data_location == 1:
            raw = self._beside(tensor, needed, name)
        elif tensor.HasField("raw_data"):
            raw = tensor.raw_data
        else:
            there = len(getattr(tensor, DATA[tensor.data_type]))
            if there != numbers:
                raise RunError(f"{name}: {numbers:,} were wanted, {there:,} are there; {DAMAGED}")
            return np.asarray(onnx_library().numpy_helper.to_array(tensor))
        if len(raw) != needed:
            raise RunError(
                f"{name}: {needed:,} bytes were wanted, {len(raw):,} are there; {DAMAGED}"
            )
        little = np.frombuffer(raw, kind.newbyteorder("<"))
        return little.astype(kind, copy=False).reshape(tuple(tensor.dims))

    def _beside(self, tensor: Any, needed: int, name: str) -> bytes:
        """Numbers kept in another file of the same folder."""
        said = {entry.key: entry.value for entry in tensor.external_data}
        location = said.get("location", "")
        folder = self.path.parent.resolve()
        file = (folder / location).resolve() if "\0" not in location else folder
        if not location or folder not in file.parents:
            raise RunError(
                f"{name} are said to lie in '{one_line(location)}', outside of the file's folder; "
                "nothing is read from there"
            )
        offset, length = (_number(said.get(key, str(usual))) for key, usual in
                          (("offset", 0), ("length", needed)))  # fmt: skip
        if not file.is_file():
            raise RunError(f"{name} lie in '{one_line(location)}', which is not beside the file")
        if offset < 0 or length != needed or offset + needed > file.stat().st_size:
            raise RunError(
                f"{name}: {needed:,} bytes at {offset:,} were wanted from '{one_line(location)}', "
                f"which has {file.stat().st_size:,}; {DAMAGED}"
            )
        with file.open("rb") as opened:
            opened.seek(offset)
            return opened.read(needed)


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 20 else -1


def open_onnx(path: Path) -> OnnxFile:
    """The file, parsed. RunError: too large, cut short, or something else."""
    name = one_line(path, 300)
    onnx = onnx_library()
    try:
        if path.stat().st_size > LARGEST:
            raise RunError(f"{name} has more than 2 GB; keep its numbers beside it and try again")
        raw = path.read_bytes()
    except OSError as error:
        raise RunError(f"{name} could not be read: {one_line(error.strerror or error)}") from None
    model = onnx.ModelProto()
    damaged = import_module("google.protobuf.message").DecodeError  # comes with onnx, untyped
    try:
        model.ParseFromString(raw)
    except (damaged, RecursionError):
        raise RunError(f"{name} cannot be read; {DAMAGED}") from None
    if not model.graph.node or not model.graph.output:
        raise RunError(f"{name} holds no network; {DAMAGED}")
    return OnnxFile(path, model)


def runnable(
    file: OnnxFile,
    operators: Sequence[Operator],
    arrays: Mapping[str, Array],
    output: str,
    replaced: Mapping[str, str],
    input_shape: Iterable[int | str],
) -> bytes:
    """A model of these operators alone, for a runtime: all numbers inside, floats of 32 bits.

    ``replaced``: by the name of what comes out, another operator that takes its first input alone.
    """
    onnx = onnx_library()
    kept = {id_of(op) for op in operators}
    nodes = []
    for node in file.model.graph.node:
        if tuple(node.output) not in kept:
            continue
        if node.output[0] in replaced:
            made = onnx.helper.make_node(replaced[node.output[0]], [node.input[0]], node.output[:1])
        else:
            made = onnx.NodeProto()
            made.CopyFrom(node)
            _widen(made)
        nodes.append(made)
    read = {name for node in nodes for name in node.input}
    weights = [
        onnx.numpy_helper.from_array(_wide(array), name)
        for name, array in arrays.items()
        if name in read
    ]
    kind = file.inputs[0].type.tensor_type.elem_type
    kind = 1 if kind in (10, 11) else kind
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        nodes, "read", [info(file.inputs[0].name, kind, list(input_shape))],
        [onnx.helper.make_empty_tensor_value_info(output)], weights,
    )  # fmt: skip
    opsets = [o for o in file.model.opset_import if o.domain in ("", "ai.onnx")]
    made_model = onnx.helper.make_model(
        graph, opset_imports=opsets, ir_version=max(4, min(file.model.ir_version, 10))
    )
    return bytes(made_model.SerializeToString())


def id_of(operator: Operator) -> tuple[str, ...]:
    """What tells an operator from all others."""
    return operator.outputs


def _wide(array: Array) -> Array:
    return array.astype(np.float32) if array.dtype in (np.float16, np.float64) else array


def _widen(node: Any) -> None:
    """Half and double floats of an operator's own constants, and casts to them, as floats."""
    onnx = onnx_library()
    for entry in node.attribute:
        if entry.type == 4 and entry.t.data_type in (10, 11):
            entry.t.CopyFrom(
                onnx.numpy_helper.from_array(_wide(onnx.numpy_helper.to_array(entry.t)))
            )
        if node.op_type == "Cast" and entry.name == "to" and entry.i in (10, 11):
            entry.i = 1
