"""A chain of nodes as an ONNX model, for the two runtimes that read it."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from beak.network import layers
from beak.network.initial import initial_parameters
from beak.network.network import Network
from sides import CannotError

FUNCTIONS = {"relu": ("Relu", {}), "softmax": ("Softmax", {"axis": 1})}


def onnx_model(network: Network, batch: int) -> bytes:
    """The model with fixed batch and beak's first weights; its input is "input", "output" comes
    out. Only kinds that the works for answering have."""
    parameters = initial_parameters(network, 0)
    weights, nodes = [], []
    last = "input"

    def constant(name: str, value: np.ndarray) -> str:
        weights.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def emit(kind: str, more: list[str], **fields: object) -> None:
        nonlocal last
        out = f"value{len(nodes)}"
        nodes.append(helper.make_node(kind, [last, *more], [out], **fields))
        last = out

    for node in network.nodes:
        layer = node.layer
        own = [constant(name, parameters[name]) for name in node.parameters]
        match layer:
            case layers.Conv2D():
                g = layer.geometry(node.input_shapes[0])
                pads = [p[0] for p in g.padding] + [p[1] for p in g.padding]
                emit("Conv", own, kernel_shape=g.kernel, strides=g.stride, pads=pads)
            case layers.MaxPool2D():
                g = layer.geometry(node.input_shapes[0])
                emit("MaxPool", [], kernel_shape=g.kernel, strides=g.stride)
            case layers.Dense():
                emit("Gemm", own, transB=1)
            case layers.Flatten():
                emit("Flatten", [])
            case layers.PositionBias():
                emit("Add", own)
            case layers.Activation():
                pass
            case _:
                raise CannotError(f"{layer.kind} is not translated to ONNX")
        function = getattr(layer, "activation", getattr(layer, "function", None))
        if function:
            if function not in FUNCTIONS:
                raise CannotError(f"{function} is not translated to ONNX")
            kind, fields = FUNCTIONS[function]
            emit(kind, [], **fields)
    shape = helper.make_tensor_value_info("input", TensorProto.FLOAT, [batch, *network.input])
    out = helper.make_tensor_value_info(last, TensorProto.FLOAT, [batch, *network.output])
    graph = helper.make_graph(nodes, "network", [shape], [out], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model.SerializeToString()
