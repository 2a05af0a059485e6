"""ONNX and ONNX Runtime, where they are installed: models of theirs, and one operator alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from beak.errors import MissingExtraError, RunError
from beak.network.layer import Shape, count
from beak.network.layers import Opaque
from beak.shapes import shape_text

Array = np.ndarray[Any, Any]
IR_VERSION = 8
LARGEST = 1 << 26
"""Numbers that an operator may give."""
WINDOWED = ("kernel_shape", "strides", "dilations", "size", "group", "blocksize", "num_groups")
"""What must be above 0: libraries divide by these."""
INSIDE = ("If", "Loop", "Scan", "SequenceMap")
DRAWING = (
    "Bernoulli",
    "Multinomial",
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
)


def onnx_library() -> Any:
    """The package onnx. Raises MissingExtraError where it is not installed."""
    try:
        import onnx
        import onnx.checker
        import onnx.helper
        import onnx.numpy_helper
    except ImportError:
        raise MissingExtraError("an ONNX file", "onnx") from None
    return onnx


def onnx_refusals() -> tuple[type[Exception], ...]:
    """What ONNX Runtime raises for a model that it does not take."""
    state = import_module("onnxruntime.capi.onnxruntime_pybind11_state")
    names = ("Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NotImplemented",
             "RuntimeException", "EPFail")  # fmt: skip
    return tuple(getattr(state, name) for name in names if hasattr(state, name))


def onnx_session(made: bytes, threads: int | None = None) -> Any:
    """An ONNX Runtime session of these bytes."""
    try:
        import onnxruntime
    except ImportError:
        raise MissingExtraError("checking an ONNX file", "onnx") from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what is wrong is raised
    if threads:
        options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(made, options, providers=["CPUExecutionProvider"])


def by_definition(model: bytes, inputs: Mapping[str, Array]) -> Array:
    """A model's first output as the package onnx defines its operators, slowly; RunError."""
    evaluator = import_module("onnx.reference").ReferenceEvaluator
    odd = (RuntimeError, ValueError, TypeError, IndexError, KeyError, AttributeError)
    try:
        return np.asarray(evaluator(model).run(None, dict(inputs))[0])
    except odd as error:
        line = " ".join(str(error).split())[:200]
        raise RunError(f"neither ONNX Runtime nor the package onnx runs it: {line}") from None


class Operator:
    """One operator of ONNX's at work: by ONNX Runtime, or where that has it not, by definition."""

    def __init__(
        self, layer: Opaque, arrays: Mapping[str, Array], threads: int | None = None
    ) -> None:
        """``arrays``: the layer's own by short name. RunError: nothing here runs it, or it gives
        no floats, more than is taken, or as many as its input's numbers say.
        """
        self.layer, self.threads = layer, threads
        self.model = _model(layer, arrays)
        self.shape = _inferred(self.model, layer)
        self._session: Any = None
        self._slowly = False

    def __call__(self, inputs: Sequence[Array]) -> Array:
        """The layer's output (B, *shape), one example after another: each is a batch of one."""
        wanted, last = self.layer.reads, self.layer.last
        made = []
        for example in range(len(inputs[0])):
            given = {}
            for place, (values, shape) in enumerate(zip(inputs, wanted, strict=True)):
                laid = np.asarray(values[example], np.float32)
                laid = np.moveaxis(laid, 0, -1) if last else laid
                given[f"x{place}"] = np.ascontiguousarray(laid.reshape(1, *shape))
            found = self.checked(given)[0]
            made.append(np.moveaxis(found, -1, 0) if last else found)
        return np.ascontiguousarray(made, np.float32).reshape(-1, *self.layer.shape)

    def checked(self, given: Mapping[str, Array] | None = None) -> Array:
        """What comes of inputs by name; None is zeros. RunError where it is of another shape."""
        if given is None:
            reads = enumerate(self.layer.reads)
            given = {f"x{place}": np.zeros((1, *shape), np.float32) for place, shape in reads}
        found = self._run(given)
        if found.shape != self.shape:
            raise RunError(
                f"ONNX's {self.layer.operator} gave {shape_text(found.shape)} with the batch, "
                f"{shape_text(self.shape)} was wanted"
            )
        return found

    def _run(self, given: Mapping[str, Array]) -> Array:
        if not self._slowly:
            try:
                self._session = self._session or onnx_session(self.model, self.threads)
                return np.asarray(self._session.run(None, given)[0])
            except onnx_refusals():
                self._slowly = True
        return by_definition(self.model, given)


def _model(layer: Opaque, arrays: Mapping[str, Array]) -> bytes:
    """A model of this operator alone, its constants inside."""
    onnx = onnx_library()
    helper, name = onnx.helper, layer.operator
    if name in INSIDE or name in DRAWING:
        why = "holds networks of its own" if name in INSIDE else "draws random numbers"
        raise RunError(f"ONNX's {name} {why}, which beak does not run")
    fields = dict(layer.attributes)
    for key in WINDOWED:
        if key in fields and np.min(fields[key], initial=1) < 1:
            raise RunError(f"ONNX's {name}: its {key} {fields[key]} is not possible")
    names, given, constants, reads = [], [], [], iter(range(len(layer.arguments)))
    for place, one in enumerate(layer.arguments):
        names.append(f"argument{place}" if one else "")
        if one[:1] == ("read",):
            names[-1] = f"x{next(reads)}"
            shape = (1, *one[1])
            given.append(helper.make_tensor_value_info(names[-1], onnx.TensorProto.FLOAT, shape))
        elif one:
            constants.append(onnx.numpy_helper.from_array(_constant(one, place, arrays), names[-1]))
    node = helper.make_node(name, names, ["y"], **fields)
    graph = helper.make_graph(
        [node], "one", given, [helper.make_empty_tensor_value_info("y")], constants
    )
    opsets = [helper.make_opsetid("", layer.opset)]
    made = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
    return bytes(made.SerializeToString())


def _is_function(layer: Opaque) -> bool:
    """Whether ONNX defines it by other operators, number by number, as norms are."""
    try:
        schema = onnx_library().defs.get_schema(layer.operator, layer.opset)
    except (RuntimeError, ValueError):  # none of this version
        return False
    return bool(schema.has_function or schema.has_context_dependent_function) and bool(layer.reads)


def _constant(one: tuple[Any, ...], place: int, arrays: Mapping[str, Array]) -> Array:
    if one[0] == "own":
        return np.ascontiguousarray(arrays[f"argument{place}"], np.float32)
    return np.array(one[2], one[0]).reshape(one[1])


def _inferred(model: bytes, layer: Opaque) -> Shape:
    """The shape that comes out, the batch of one included, before anything is computed."""
    onnx, name = onnx_library(), layer.operator
    if not onnx.defs.has(name):
        raise RunError(f"ONNX has no operator {name} either")
    inference = import_module("onnx.shape_inference")
    try:
        known = inference.infer_shapes(
            onnx.load_from_string(model), check_type=True, strict_mode=True, data_prop=True
        )
    except (inference.InferenceError, ValueError) as error:
        line = " ".join(str(error).split())[:200]
        raise RunError(
            f"ONNX knows no {name} of this form in opset {layer.opset}: {line}"
        ) from None
    kind = known.graph.output[0].type.tensor_type
    dims = [int(d.dim_value) if d.HasField("dim_value") else 0 for d in kind.shape.dim]
    if kind.elem_type not in (onnx.TensorProto.FLOAT, onnx.TensorProto.UNDEFINED):
        raise RunError(f"ONNX's {name} gives no floats, which beak's layers do")
    if min(dims, default=0) < 1 and _is_function(layer):  # inference leaves these out
        return (1, *layer.reads[0])
    if min(dims, default=0) < 1:
        raise RunError(f"how many numbers ONNX's {name} gives is not known before it is run")
    if count(dims) > LARGEST:
        raise RunError(f"ONNX's {name} gives {shape_text(dims)} numbers, more than beak takes")
    return tuple(dims)
