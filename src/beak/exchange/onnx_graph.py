"""A graph of ONNX nodes while it is written: values by name, constants, the finished model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from beak.engine.onnx_running import onnx_library

Array = np.ndarray[Any, Any]

OPSET = 17
"""Read by ONNX Runtime since 1.12, OpenVINO since 2022.2, onnxruntime-web since 1.12."""
IR_VERSION = 8

STEPS = {"quantizelinear": "q", "dequantizelinear": "d"}
"""Small steps, of which there are many, as those of the preparation: names that say more would be
half of a small file.
"""


class Graph:
    """Nodes in order, each with one output; a value is the name of what a node gives."""

    def __init__(self) -> None:
        self.onnx = onnx_library()
        self.nodes: list[Any] = []
        self.weights: dict[str, Array] = {}
        self.inputs: list[Any] = []
        self._known: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._scope = ""
        self._used: set[str] = set()
        self._counts: dict[str, int] = {}

    def scope(self, name: str) -> None:
        """What the names of the values that follow begin with: a layer's name."""
        self._scope = name

    def _fresh(self, kind: str) -> str:
        name = base = f"{self._scope}/{kind}" if self._scope else kind
        if self._scope == "prepare" or kind in STEPS:
            name = base = STEPS.get(kind, "p")
        between = "" if len(base) == 1 else "_"
        while name in self._used:
            self._counts[base] = self._counts.get(base, 1) + 1
            name = f"{base}{between}{self._counts[base]}"
        self._used.add(name)
        return name

    def input(self, name: str, dtype: str, shape: Sequence[int | str]) -> str:
        """An input of the model; a text in the shape is a size that is not known beforehand."""
        kind = self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        self.inputs.append(self.onnx.helper.make_tensor_value_info(name, kind, list(shape)))
        self._used.add(name)
        return name

    def emit(self, kind: str, *inputs: str, **fields: Any) -> str:
        """One operator on these values ("" for one left out); the value that comes out."""
        out = self._fresh(kind.lower())
        self.nodes.append(self.onnx.helper.make_node(kind, list(inputs), [out], **fields))
        return out

    def constant(self, value: Any, dtype: str = "float32", name: str = "") -> str:
        """A constant array; equal ones are kept once, unless they have a name of their own."""
        array = np.ascontiguousarray(np.asarray(value, dtype))
        if np.ndim(value) == 0:
            array = array.reshape(())
        key = (array.dtype.str, array.shape, array.tobytes())
        if not name and key in self._known:
            return self._known[key]
        if not name or name in self.weights:
            scope, self._scope = self._scope, ""
            name = self._fresh(name or "c")
            self._scope = scope
            self._known[key] = name
        self.weights[name] = array
        self._used.add(name)
        return name

    def whole(self, values: Any) -> str:
        """A constant of whole numbers, as operators read axes and shapes."""
        return self.constant(values, "int64")

    def add(self, a: str, b: str | float) -> str:
        """A + b."""
        return self._two("Add", a, b)

    def subtract(self, a: str, b: str | float) -> str:
        """A - b."""
        return self._two("Sub", a, b)

    def multiply(self, a: str, b: str | float) -> str:
        """A b."""
        return self._two("Mul", a, b)

    def _two(self, kind: str, a: str, b: str | float) -> str:
        return self.emit(kind, a, b if isinstance(b, str) else self.constant(b))

    def number(self, a: str) -> str:
        """Truth values or whole numbers as float32."""
        return self.emit("Cast", a, to=int(self.onnx.TensorProto.FLOAT))

    def integer(self, a: str) -> str:
        """As int64."""
        return self.emit("Cast", a, to=int(self.onnx.TensorProto.INT64))

    def top(self, a: str, count: int) -> str:
        """The largest so many numbers of the last axis."""
        out, places = self._fresh("topk"), self._fresh("places")
        inputs = [a, self.whole([count])]
        self.nodes.append(self.onnx.helper.make_node("TopK", inputs, [out, places]))
        return out

    def parts(self, a: str, axis: int, begin: int, end: int) -> str:
        """The stretch from ``begin`` to before ``end`` of an axis."""
        places = (self.whole([begin]), self.whole([end]), self.whole([axis]))
        return self.emit("Slice", a, *places)

    def unsqueeze(self, a: str, *axes: int) -> str:
        """With axes of size 1 at these places."""
        return self.emit("Unsqueeze", a, self.whole(list(axes)))

    def reshape(self, a: str, *shape: int) -> str:
        """In another shape: 0 keeps a size, -1 takes what is left."""
        return self.emit("Reshape", a, self.whole(list(shape)))

    def convolution(
        self, images: str, weight: Array, bias: Array | None, name: str, **f: Any
    ) -> str:
        """Filters over a map; the weights keep their names."""
        arrays = [self.constant(weight, name=f"{name}.weight")]
        if bias is not None:
            arrays.append(self.constant(bias, name=f"{name}.bias"))
        return self.emit("Conv", images, *arrays, **f)

    def dense(self, features: str, weight: Array, bias: Array | None, name: str) -> str:
        """Every output from every input; weight (units, n)."""
        arrays = [self.constant(weight, name=f"{name}.weight")]
        if bias is not None:
            arrays.append(self.constant(bias, name=f"{name}.bias"))
        return self.emit("Gemm", features, *arrays, transB=1)

    def rows(self, table: Array, numbers: str, name: str) -> str:
        """The table's rows of these numbers."""
        return self.emit("Gather", self.constant(table, name=f"{name}.weight"), numbers)

    def model(
        self, outputs: Mapping[str, tuple[str, Sequence[int | str]]], metadata: Mapping[str, str]
    ) -> bytes:
        """The finished, checked model. ``outputs``: name -> (value, shape)."""
        helper, last = self.onnx.helper, []
        for name, (value, shape) in outputs.items():
            self.nodes.append(helper.make_node("Identity", [value], [name]))
            last.append(
                helper.make_tensor_value_info(name, self.onnx.TensorProto.FLOAT, list(shape))
            )
        weights = [
            self.onnx.numpy_helper.from_array(array, name) for name, array in self.weights.items()
        ]
        graph = helper.make_graph(self.nodes, "beak", self.inputs, last, weights)
        made = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="beak",
            producer_version=metadata.get("beak", ""),
        )
        helper.set_model_props(made, dict(metadata))
        self.onnx.checker.check_model(made, full_check=True)
        return bytes(made.SerializeToString(deterministic=True))
