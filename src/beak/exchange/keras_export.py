"""A run as a .keras file: beak's layers as Keras's, channels last, preparation included."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from beak.data.picture_spec import PictureSpec
from beak.data.pictures import load_raw
from beak.engine.make import make_engine
from beak.engine.moves import order_of
from beak.errors import RunError
from beak.exchange.check import Answers
from beak.exchange.keras_files import Array, archive_bytes
from beak.exchange.keras_functions import FUNCTIONS
from beak.exchange.keras_import import read_keras_network
from beak.network.network import Node
from beak.runs.likely import log_softmax
from beak.runs.model import Model

NAMES = {"relu": "relu", "gelu": "gelu", "silu": "silu", "hard_swish": "hard_silu",
         "tanh": "tanh", "sigmoid": "sigmoid", "softmax": "softmax"}  # fmt: skip
assert set(NAMES.values()) <= set(FUNCTIONS)
Own = Mapping[str, Array]
Made = tuple[str, dict[str, Any], list[Array]]
"""Class name, config, arrays in Keras's order and layout."""


def keras_bytes(model: Model) -> bytes:
    """The whole file. RunError where a layer or the kind of input has no twin in Keras."""
    spec = model.spec
    if spec.kind not in ("pictures", "numbers"):
        raise RunError(f"{spec.kind} are not exported as Keras files; beak export RUN FILE.onnx")
    writer = _Writer(model)
    for node in model.network.nodes:
        writer.node(node)
    if not model.network.classifies:
        writer.layer("softmax", "Activation", {"activation": "softmax"}, [], [writer.last])
    return archive_bytes(writer.config(), writer.tree)


def keras_answers(made: bytes, model: Model, threads: int | None = None) -> Answers:
    """The file's answers: read back as any Keras file, run on beak's engine."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        path.write_bytes(made)
        found = read_keras_network(path)
    spec = model.spec
    if found.spec is not None:
        spec = found.spec
    engine = make_engine(found.network, found.parameters, threads=threads)

    def answers(inputs: Array) -> Array:
        if isinstance(model.spec, PictureSpec):
            inputs = np.stack([load_raw(raw, model.spec)[0] for raw in inputs])
        return np.exp(log_softmax(engine.logits(spec.prepare(inputs))))

    return answers


class _Writer:
    """A functional model's config in the making."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.layers: list[dict[str, Any]] = []
        self.tree: list[tuple[str, Any]] = []
        self.names: dict[str, str] = {}
        self.rows: dict[str, tuple[int, ...]] = {}
        """Of flat features that come from maps: the (C, H, W) that they were."""
        shape = model.network.input
        last = (*shape[1:], shape[0]) if len(shape) > 1 else shape
        self.layer("input_layer", "InputLayer", {"batch_shape": [None, *last]}, [], [])
        gain, offset = (np.asarray(v, float) for v in _scale(model))
        config = {"scale": gain.tolist(), "offset": offset.tolist()}
        if len(shape) == 1 or (gain != 1).any() or (offset != 0).any():
            self.layer("rescaling", "Rescaling", config, [], [self.last])
        self.names["input"] = self.last

    @property
    def last(self) -> str:
        """The layer that was written last."""
        return str(self.layers[-1]["name"])

    def node(self, node: Node) -> None:
        """One of beak's nodes, and its activation where it has one."""
        own = {
            name.rpartition(".")[2]: np.asarray(self.model.parameters[name])
            for name in node.parameters
        }
        kind, config, arrays = _layer(node, own, self.rows.get(node.inputs[0]))
        self.layer(node.name, kind, config, arrays, [self.names[name] for name in node.inputs])
        self.names[node.name] = node.name
        before = [self.rows.get(name) for name in node.inputs]
        if kind == "Flatten" and len(node.input_shapes[0]) > 1:
            self.rows[node.name] = node.input_shapes[0]
        elif kind in ("Dropout", "Activation", "LeakyReLU", "BatchNormalization") and before[0]:
            self.rows[node.name] = before[0]
        elif kind in ("Add", "Multiply", "Concatenate", "LayerNormalization") and any(before):
            raise RunError(f"{node.name}: {kind} of flattened maps is not exported as Keras")

    def layer(
        self,
        name: str,
        kind: str,
        config: Mapping[str, Any],
        arrays: list[Array],
        inputs: list[str],
    ) -> None:
        """One of Keras's layers."""
        tensors = [
            {"class_name": "__keras_tensor__",
             "config": {"shape": [None], "dtype": "float32", "keras_history": [one, 0, 0]}}
            for one in inputs
        ]  # fmt: skip
        joins = kind in ("Add", "Multiply", "Concatenate")
        self.layers.append(
            {
                "module": "keras.layers",
                "class_name": kind,
                "config": {"name": name, **config},
                "registered_name": None,
                "name": name,
                "inbound_nodes": [{"args": [tensors] if joins else tensors, "kwargs": {}}]
                if tensors
                else [],
            }
        )
        self.tree.append((kind, arrays))

    def config(self) -> dict[str, Any]:
        """The model's config."""
        return {
            "module": "keras.src.models.functional",
            "class_name": "Functional",
            "config": {
                "name": "functional",
                "trainable": True,
                "layers": self.layers,
                "input_layers": [[self.layers[0]["name"], 0, 0]],
                "output_layers": [[self.last, 0, 0]],
            },
            "registered_name": "Functional",
        }


def _scale(model: Model) -> tuple[Any, Any]:
    spec = model.spec
    assert isinstance(spec, PictureSpec)
    return spec.gain, spec.offset


def _layer(node: Node, own: Own, flat: tuple[int, ...] | None) -> Made:
    """A node as one of Keras's layers."""
    kind = node.layer.kind
    if kind not in TABLE:
        raise RunError(
            f"{node.name}: {kind} has no twin in Keras; beak export RUN FILE.onnx takes it"
        )
    return TABLE[kind](node, own, flat)


def _activation(node: Node) -> str:
    function = getattr(node.layer, "activation", None)
    if function == "leaky_relu":
        raise RunError(f"{node.name}: leaky_relu within a layer is not exported as Keras")
    return NAMES[function] if function else "linear"


def _padding(node: Node) -> str:
    layer: Any = node.layer
    padding = layer.padding
    geometry = layer.geometry(node.input_shapes[0])
    if not any(map(any, geometry.padding)):
        return "valid" if padding != "same" else "same"
    if padding == "same":
        return "same"
    same = type(layer)(**{**layer.fields(), "padding": "same"})
    if same.geometry(node.input_shapes[0]) == geometry:
        return "same"
    raise RunError(
        f"{node.name}: padding={padding} is neither 'valid' nor 'same', all that Keras has; "
        "beak export RUN FILE.onnx takes it"
    )


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _conv(node: Node, own: Own, flat: Any) -> Made:
    layer: Any = node.layer
    config = {
        "filters": layer.filters, "kernel_size": _plain(layer.kernel),
        "strides": _plain(layer.stride), "padding": _padding(node),
        "dilation_rate": _plain(layer.dilation), "groups": layer.groups,
        "activation": _activation(node), "use_bias": layer.bias,
    }  # fmt: skip
    weight = own["weight"]
    kernel = weight.transpose(2, 3, 1, 0) if weight.ndim == 4 else weight.transpose(2, 1, 0)
    return layer.kind, config, [kernel, *([own["bias"]] if layer.bias else [])]


def _dense(node: Node, own: Own, flat: tuple[int, ...] | None) -> Made:
    layer: Any = node.layer
    config = {"units": layer.units, "activation": _activation(node), "use_bias": layer.bias}
    kernel = own["weight"].T[_last(flat)] if flat else own["weight"].T
    return "Dense", config, [kernel, *([own["bias"]] if layer.bias else [])]


def _last(flat: tuple[int, ...]) -> Array:
    """Of each feature in Keras's order (channels last), its place in beak's."""
    places = np.arange(math.prod(flat)).reshape(flat)
    return np.moveaxis(places, 0, -1).reshape(-1)


def _norm(node: Node, own: Own, flat: tuple[int, ...] | None) -> Made:
    layer: Any = node.layer
    names = ["weight", "bias"]
    config: dict[str, Any] = {"epsilon": layer.epsilon}
    kind = "LayerNormalization"
    if layer.kind == "BatchNorm":
        kind, names = "BatchNormalization", [*names, "running_mean", "running_var"]
        config["momentum"] = 1 - layer.momentum
    arrays = [own[name] for name in names]
    return kind, config, [a[_last(flat)] for a in arrays] if flat else arrays


def _pool(kind: str) -> Callable[[Node, Own, Any], Made]:
    def made(node: Node, own: Own, flat: Any) -> Made:
        layer: Any = node.layer
        config = {
            "pool_size": _plain(layer.window), "strides": _plain(layer.stride),
            "padding": _padding(node),
        }  # fmt: skip
        return f"{kind}{layer.kind[-2:]}", config, []

    return made


def _global(kind: str) -> Callable[[Node, Own, Any], Made]:
    return lambda node, own, flat: (f"{kind}{len(node.input_shapes[0]) - 1}D", {}, [])


def _function(node: Node, own: Own, flat: Any) -> Made:
    layer: Any = node.layer
    if layer.function == "leaky_relu":
        slope = 0.01 if layer.slope is None else layer.slope
        return "LeakyReLU", {"negative_slope": slope}, []
    return "Activation", {"activation": NAMES[layer.function]}, []


def _dropout(node: Node, own: Own, flat: Any) -> Made:
    layer: Any = node.layer
    axes = len(node.output) - 1
    kind = f"SpatialDropout{axes}D" if layer.maps and axes else "Dropout"
    return kind, {"rate": layer.rate}, []


def _pad(node: Node, own: Own, flat: Any) -> Made:
    layer: Any = node.layer
    sides = layer.sides(node.input_shapes[0])
    kind, numbers = f"{len(sides)}D", [number for side in sides for number in side]
    if min(numbers) < 0 < max(numbers):
        raise RunError(f"{node.name}: Pad that adds here and cuts there is not exported as Keras")
    if max(numbers) > 0:
        value = [list(side) for side in sides]
        return f"ZeroPadding{kind}", {"padding": value if len(sides) > 1 else value[0]}, []
    value = [[-number for number in side] for side in sides]
    return f"Cropping{kind}", {"cropping": value if len(sides) > 1 else value[0]}, []


def _upsample(node: Node, own: Own, flat: Any) -> Made:
    layer: Any = node.layer
    factors = list(layer.factors(node.input_shapes[0]))
    if len(factors) > 1:
        return "UpSampling2D", {"size": factors, "interpolation": layer.how}, []
    if layer.how != "nearest":
        raise RunError(f"{node.name}: Keras has no bilinear upsampling of sequences")
    return "UpSampling1D", {"size": factors[0]}, []


def _reshape(node: Node, own: Own, flat: tuple[int, ...] | None) -> Made:
    """Keras counts channels last: so must the layer, or put a flattened map together again."""
    layer: Any = node.layer
    into = node.input_shapes[0]
    counted = replace(layer, last=True)
    same = layer.last or np.array_equal(order_of(layer, into), order_of(counted, into))
    again = flat is not None and not layer.last and layer.shape[0] == flat[0]
    if again or (flat is None and same):
        return "Reshape", {"target_shape": [*layer.shape[1:], layer.shape[0]]}, []
    raise RunError(f"{node.name}: Reshape with channels first has no twin in Keras")


TABLE: dict[str, Callable[[Node, Own, Any], Made]] = {
    "Conv1D": _conv,
    "Conv2D": _conv,
    "Dense": _dense,
    "BatchNorm": _norm,
    "LayerNorm": _norm,
    "MaxPool1D": _pool("MaxPooling"),
    "MaxPool2D": _pool("MaxPooling"),
    "AvgPool1D": _pool("AveragePooling"),
    "AvgPool2D": _pool("AveragePooling"),
    "GlobalMaxPool": _global("GlobalMaxPooling"),
    "GlobalAvgPool": _global("GlobalAveragePooling"),
    "Flatten": lambda node, own, flat: ("Flatten", {}, []),
    "Pad": _pad,
    "Upsample": _upsample,
    "Reshape": _reshape,
    "Dropout": _dropout,
    "Activation": _function,
    "Add": lambda node, own, flat: ("Add", {}, []),
    "Multiply": lambda node, own, flat: ("Multiply", {}, []),
    "Concat": lambda node, own, flat: ("Concatenate", {}, []),
}
"""Kind of layer -> Keras's."""
