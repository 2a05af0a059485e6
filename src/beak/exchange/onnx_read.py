"""An ONNX file made elsewhere, read as a network of beak's: operator by operator."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from beak.errors import BeakError, RunError, UsageError, did_you_mean
from beak.exchange.importing import Imported, Original
from beak.exchange.onnx_arithmetic import ARITHMETIC, NEAREST
from beak.exchange.onnx_boxes import boxed
from beak.exchange.onnx_building import Building
from beak.exchange.onnx_ends import answers_of, ended
from beak.exchange.onnx_file import OnnxFile, Operator, open_onnx
from beak.exchange.onnx_folding import fold
from beak.exchange.onnx_given import Given
from beak.exchange.onnx_graph import Array
from beak.exchange.onnx_moves import MOVES
from beak.exchange.onnx_operators import LAYERS
from beak.exchange.onnx_own import is_own, read_own
from beak.exchange.onnx_tidy import finished
from beak.exchange.onnx_views import Bent, LackingError, Value
from beak.network.layer import Shape, count
from beak.network.layers import Opaque
from beak.network.network import Network
from beak.runs.safe import one_line
from beak.shapes import shape_text

ODD = (ValueError, IndexError, KeyError, TypeError, OverflowError, ArithmeticError, MemoryError)
"""What arrays raise when a file's numbers do not fit each other."""
FLOATS = (1, 10, 11)
BOXES = ("none", "unknown", "all")
"""Which operators may become boxes, tried in this order: none; those that beak does not know; also
those that it knows, in forms that no layer of beak's has.
"""


def read_onnx(path: Path, shape: tuple[int, ...] | None = None) -> Imported:
    """The network of an ONNX file.

    ``shape``: the input's, channels first, where the file leaves it open. Raises RunError: damaged,
    hostile, or an operator that is no layer of beak's and that nothing here can run as a box, named
    with what is nearest; UsageError: the shape is needed and not given.
    """
    file = open_onnx(path)
    if is_own(file):
        return read_own(file)
    if not file.inputs:
        raise RunError(f"{file.name}: the network reads no input")
    first: dict[str, BeakError] = {}
    outside = tuple(_declared(file, shape))
    for boxes in BOXES:
        for output in file.model.graph.output:
            operators = file.operators(output.name)
            for inside, places in _candidates(outside, operators):
                try:
                    reading = Reading(file, operators, outside, inside, places, boxes)
                    return reading.imported(output.name)
                except RunError as error:
                    first.setdefault(boxes, error)
    raise first.get("unknown", RunError(f"{file.name}: the network gives nothing"))


def _declared(file: OnnxFile, given: tuple[int, ...] | None) -> Shape:
    """The shape of the file's input, without the batch."""
    entry = file.inputs[0]
    kind = entry.type.tensor_type
    if kind.elem_type not in FLOATS:
        raise RunError(
            f"{file.name}: its input '{one_line(entry.name)}' is no float32 numbers; export the "
            "network without the preparation of its input"
        )
    dims = list(kind.shape.dim) if kind.HasField("shape") else []
    known = [int(d.dim_value) if d.HasField("dim_value") and d.dim_value > 0 else 0 for d in dims]
    text = "x".join(
        str(n or one_line(d.dim_param or "?")) for n, d in zip(known, dims, strict=True)
    )
    if given is None and (len(known) < 2 or 0 in known[1:]):
        raise UsageError(
            f"{file.name}: its input is {text or 'of any shape'}, which leaves sizes open; give "
            "them: beak import FILE RUN --input-shape 3,224,224 (channels, height, width)"
        )
    if given is None:
        shape = tuple(known[1:])
    else:
        shape = tuple(given)
        last = (*given[1:], given[0])  # as a file with channels last has them
        if not dims:
            return _checked(file, shape)
        fitting = [s for s in (shape, last) if _agrees(known[1:], s)]
        if not fitting:
            raise UsageError(
                f"{file.name}: its input is {text} with the batch, --input-shape says "
                f"{shape_text(given)}; give one that fits"
            )
        shape = fitting[0]
    return _checked(file, shape)


def _agrees(known: Sequence[int], shape: Shape) -> bool:
    return len(known) == len(shape) and all(k in (0, n) for k, n in zip(known, shape, strict=True))


def _checked(file: OnnxFile, shape: Shape) -> Shape:
    if not 1 <= len(shape) <= 4 or count(shape) > 1 << 26:
        raise RunError(f"{file.name}: an input of {shape_text(shape)} is none that beak takes")
    return shape


def _candidates(outside: Shape, operators: Sequence[Operator]) -> Iterator[tuple[Shape, Array]]:
    """What the network may read, channels first, and where the file's input has each number."""
    order = np.arange(count(outside))
    flat = order.reshape(1, *outside)
    last = len(outside) == 3 and outside[2] in (1, 3, 4) and outside[0] not in (1, 3, 4)
    found: list[tuple[Shape, Array]] = []
    if len(outside) <= 3:
        found.append((outside, flat))
    if len(outside) in (2, 3):
        inside = (outside[-1], *outside[:-1])
        found.insert(0 if last else 1, (inside, np.moveaxis(order.reshape(inside), 0, -1)[None]))
    if len(outside) in (1, 2):
        found.append(((1, *outside), flat))
    ones = [n for n in outside if n != 1]
    if len(outside) == 4 and len(ones) < 4:
        found.append((tuple(ones) if len(ones) == 3 else (1, *outside)[-3:], flat))
    for op in operators:
        if op.kind == "Reshape" and len(outside) == 1:
            sides = round(len(order) ** 0.5)
            if sides * sides == len(order):
                found.insert(0, ((1, sides, sides), flat))
            break
    return iter([(s, p) for s, p in found if count(s) == len(order)])


@dataclass(eq=False)
class Reading:
    """One way of reading a file: its values as far as they are known."""

    file: OnnxFile
    operators: Sequence[Operator]
    outside: Shape
    inside: Shape
    places: Array
    boxes: str = "none"
    known: dict[str, Given] = field(default_factory=dict)
    replaced: dict[str, str] = field(default_factory=dict)
    """Quantisations -> what they are read as."""
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.net = Building(self.inside)
        self.known[self.file.inputs[0].name] = Value("input", self.places)

    def imported(self, output: str) -> Imported:
        """The whole network that gives this value."""
        for op in self.operators:
            self._step(op)
        if output not in self.known:
            raise RunError(f"{self.file.name}: nothing gives '{one_line(output)}'")
        try:
            end = ended(self.net, self.known[output])
            network, parameters = finished(self.net, end.node)
        except BeakError as error:
            raise RunError(f"{self.file.name}: {error}") from None
        self._tell(output, network)
        original = Original(
            "ONNX Runtime", answers_of(self.file, self.operators, self._constants(), output,
                                       self.replaced, self.outside, self.places, end)
        )  # fmt: skip
        return Imported(network, parameters, end.labels, None, tuple(self.notes), original)

    def _step(self, op: Operator) -> None:
        args = [self._given(op, name) for name in op.inputs]
        try:
            made = self._made(op, args)
        except (LackingError, *ODD) as error:
            try:
                if self.boxes != "all":
                    raise error
                made = [boxed(self.net, op, args, self.file.opset)]
            except (LackingError, *ODD):
                said = (
                    str(error)
                    if isinstance(error, LackingError)
                    else f"its numbers do not fit each other ({one_line(error, 120)})"
                )
                raise RunError(f"{self.file.name}: {op}: {said}") from None
        self.known.update(zip(op.outputs, made, strict=False))

    def _given(self, op: Operator, name: str) -> Given:
        """An input's value: known already, or a constant of the file."""
        if not name:
            return None
        if name not in self.known:
            if name not in self.file.tensors:
                others = [entry.name for entry in self.file.inputs[1:]]
                what = "no operator before it gives (a loop, or a damaged file)"
                if name in others:
                    what = "is a second input; beak's networks read one"
                elif any(name in one.outputs[1:] for one in self.operators):
                    what = "is not the first that its operator gives; of a box it is the only one"
                raise RunError(f"{self.file.name}: {op} reads '{one_line(name)}', which {what}")
            self.known[name] = self.file.array(self.file.tensors[name])
        return self.known[name]

    def _made(self, op: Operator, args: list[Given]) -> list[Given]:
        constants = [a for a in args if not isinstance(a, Value | Bent)]
        if len(constants) == len(args):
            folded = fold(op, constants)
            if folded is not None:
                return list(folded)
        if op.kind in ("Shape", "Size"):
            shapes = [a.shape if isinstance(a, Value) else () for a in args]
            return list(fold(op, [np.broadcast_to(np.int64(0), shapes[0])]) or [])
        if op.kind == "Dropout" or op.kind in ARITHMETIC:
            self._quantised(op, args)
            versioned = Operator(op.kind, op.name, op.inputs, op.outputs,
                                 {**op.fields, "opset": self.file.opset})  # fmt: skip
            return [ARITHMETIC[op.kind](self.net, versioned, args)]
        if op.kind in MOVES:
            return list(self._moved(op, args))
        if op.kind in LAYERS:
            return [LAYERS[op.kind](self.net, op, args, op.inputs)]
        near = NEAREST.get(op.kind)
        hint = f"; {near}" if near else did_you_mean(op.kind, [*ARITHMETIC, *MOVES, *LAYERS])
        hint = hint if near or "did you mean" in hint else ""
        if self.boxes == "none":
            raise LackingError(f"beak has no such layer{hint}")
        try:
            return [boxed(self.net, op, args, self.file.opset)]
        except LackingError as error:
            raise LackingError(f"{error}{hint}") from None

    def _moved(self, op: Operator, args: list[Given]) -> Iterator[Given]:
        value, others = args[0], args[1:]
        if isinstance(value, Bent):
            if op.kind != "Identity" and value.how != "log":
                raise LackingError(f"it reads {value.how} of a value, which is no layer alone")
            moved = MOVES[op.kind](op, value.value.places, [])
            yield Bent(value.how, Value(value.value.node, moved[0]), value.factor)
            return
        if not isinstance(value, Value):
            raise LackingError("it looks up a table by computed numbers, as word vectors are")
        if op.kind == "Reshape":
            op, others = self._one_example(op, others)
        known: Any = [None if isinstance(a, Value | Bent) else a for a in others]
        for places in MOVES[op.kind](op, value.places, known):
            yield Value(value.node, places)

    def _one_example(self, op: Operator, args: list[Given]) -> tuple[Operator, list[Given]]:
        """A shape that names the file's own batch names a batch of one."""
        dims = self.file.inputs[0].type.tensor_type.shape.dim
        batch = int(dims[0].dim_value) if dims else 0
        if batch > 1 and args and isinstance(args[0], np.ndarray) and args[0].size:
            shape = np.array(args[0])
            if shape.ravel()[0] == batch:
                shape.reshape(-1)[0] = 1
            return op, [shape]
        return op, args

    def _quantised(self, op: Operator, args: list[Given]) -> None:
        if op.kind in ("QuantizeLinear", "DequantizeLinear"):
            zero = args[2] if len(args) > 2 else None
            cut = isinstance(zero, np.ndarray) and np.all(zero == np.iinfo(zero.dtype).min)
            relu = op.kind == "QuantizeLinear" and cut
            self.replaced[op.outputs[0]] = "Relu" if relu else "Identity"

    def _constants(self) -> dict[str, Array]:
        tensors = self.file.tensors
        return {n: a for n, a in self.known.items() if n in tensors and isinstance(a, np.ndarray)}

    def _tell(self, output: str, network: Network) -> None:
        file = self.file
        found = [f"{n.name} ({n.layer.operator})" for n in network.nodes
                 if isinstance(n.layer, Opaque)]  # fmt: skip
        if found:
            self.notes.append(
                f"boxes, computed by ONNX and not opened by beak: {', '.join(found[:8])}"
                + (f" and {len(found) - 8} more" if len(found) > 8 else "")
                + "; no gradient passes them"
            )
        outputs = [entry.name for entry in file.model.graph.output]
        if len(outputs) > 1:
            rest = ", ".join(one_line(name, 40) for name in outputs if name != output)
            self.notes.append(
                f"of its outputs '{one_line(output)}' is read; left out: {rest[:200]}"
            )
        if self.replaced:
            self.notes.append("its 8-bit values are read as floats: the 8 bits' rounding is gone")
        if any(e.type.tensor_type.elem_type in FLOATS[1:] for e in file.inputs[:1]):
            self.notes.append("its 16- or 64-bit floats are read as 32-bit ones")
