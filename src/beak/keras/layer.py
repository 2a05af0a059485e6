"""What every layer of Keras is here: a config, its arrays, and a symbolic call."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from beak.errors import BeakError, NetworkError, ShapeError, UsageError, did_you_mean
from beak.exchange.keras_layers import refusal, translate
from beak.exchange.keras_names import snake
from beak.exchange.keras_stream import Fragment, Stream
from beak.keras import config
from beak.keras.feeds import whole
from beak.keras.named import (
    CONSTRAINTS,
    INITIALIZERS,
    REGULARIZERS,
    Constraint,
    Initializer,
    Named,
    Regularizer,
    found,
)
from beak.keras.old_names import modern
from beak.keras.tensors import Array, KerasTensor, Node, Variable, as_list

COMMON = ("name", "trainable", "dtype", "input_shape", "batch_input_shape", "input_dim")
WHOLE = ("units", "filters", "depth_multiplier")
EACH = ("kernel_size", "pool_size", "strides", "dilation_rate")
STARTS = {"bias": "zeros", "gamma": "ones", "beta": "zeros", "embeddings": "uniform"}


class Layer:
    """Base of all layers; one of your own is refused when it is used."""

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        if "__init__" in vars(cls):
            cls.__init__ = _taking_old_names(cls.__init__)  # type: ignore[method-assign]

    def __init__(self, **common: Any) -> None:
        self._begin({}, common)

    def _begin(self, fields: dict[str, Any], common: dict[str, Any]) -> None:
        """Take the fields of a layer's ``__init__`` and what all layers take."""
        kind = type(self).__name__
        fields = {k: v for k, v in fields.items() if k not in ("self", "__class__", "common")}
        for key in common:
            if key not in COMMON:
                raise UsageError(f"{kind}: unknown field {key!r}"
                                 + did_you_mean(key, [*fields, *COMMON]))  # fmt: skip
        self.name = common.get("name") or config.unique_name(snake(kind))
        self.trainable = bool(common.get("trainable", True))
        self.dtype = "float32"
        _float32(common.get("dtype"), kind)
        self.fields = {key: _field(key, value, kind) for key, value in fields.items()}
        self.weights_made = False
        self._variables: list[Variable] = []
        self.nodes: list[Node] = []
        self.given_shape = _given_shape(common)
        self.built = False

    def __getattr__(self, name: str) -> Any:
        fields = self.__dict__.get("fields", {})
        if name in fields:
            return fields[name]
        for variable in self.__dict__.get("_variables", ()):
            if variable.name == name:
                return variable
        raise AttributeError(f"{type(self).__name__} has no '{name}'")

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.__dict__.get("fields", {}):
            self.fields[name] = _field(name, value, type(self).__name__)
        else:
            super().__setattr__(name, value)

    # Config.

    def get_config(self) -> dict[str, Any]:
        """Its settings as plain values, as Keras writes them."""
        plain = {key: _plain(value) for key, value in self.fields.items()}
        return {"name": self.name, "trainable": self.trainable, "dtype": "float32", **plain}

    @classmethod
    def from_config(cls, settings: dict[str, Any]) -> Any:
        """A layer from ``get_config``'s values; what only newer or older Keras knows is checked."""
        known = inspect.signature(cls.__init__).parameters
        kept = {k: v for k, v in settings.items() if k in known or k in ("name", "trainable")}
        return cls(**kept)

    def for_translation(self) -> dict[str, Any]:
        """The config as the translation wants it."""
        return {**self.get_config(), "class_name": self.kind}

    @property
    def kind(self) -> str:
        """Keras's name of the class."""
        return type(self).__name__

    # Calls.

    def __call__(self, inputs: Any, **options: Any) -> Any:
        """A KerasTensor from KerasTensors; numbers from numbers."""
        tensors = as_list(inputs)
        if not all(isinstance(tensor, KerasTensor) for tensor in tensors):
            return self.on_arrays(inputs, **options)
        if type(self).call is not Layer.call:
            raise refusal(self.kind, self.name)
        stream = self.build_for([tensor.stream for tensor in tensors])
        node = Node(self, tuple(tensors))
        self.nodes.append(node)
        return KerasTensor(stream, node)

    def call(self, *inputs: Any, **options: Any) -> Any:
        """What a layer of one's own would define; refused when such a layer is called."""
        raise refusal(self.kind, self.name)

    def on_arrays(self, inputs: Any, training: bool = False, **options: Any) -> Any:
        """The layer alone, on numbers, as in prediction."""
        from beak.keras.model import Model
        from beak.keras.structure import Input

        array = np.asarray(inputs)
        start = Input(shape=array.shape[1:], dtype=str(array.dtype))
        return Model(start, self(start)).predict(array, verbose=0)

    def translated(self, streams: list[Stream]) -> tuple[Stream, Fragment]:
        """What it becomes on these streams; NetworkError where it is not in beak."""
        return translate(self.for_translation(), self.name, streams)

    def build_for(self, streams: list[Stream]) -> Stream:
        """Its output's stream; the first time, its arrays are made."""
        stream, fragment = self.translated(streams)
        shapes = [(one.name, one.shape, one.trainable) for one in fragment.weights]
        if not self.built:
            self._variables = [
                Variable(self._start(name, shape), name, f"{self.name}/{name}", trainable)
                for name, shape, trainable in shapes
            ]
            self.built = True
        elif [(v.name, v.shape) for v in self._variables] != [s[:2] for s in shapes]:
            raise ShapeError(
                f"{self.kind} '{self.name}' was built for other inputs; give each its own layer"
            )
        return stream

    def _start(self, name: str, shape: tuple[int, ...]) -> Array:
        key = {"kernel": "kernel_initializer"}.get(name, f"{name}_initializer")
        given = self.fields.get(key)
        if given is None and self.kind == "DepthwiseConv2D" and name == "kernel":
            given = self.fields.get("depthwise_initializer")
        if given is None:
            word = STARTS.get(name, "zeros" if "mean" in name else "ones" if "var" in name else "")
            given = found(word or "glorot_uniform", Initializer, INITIALIZERS, "initializer")
        assert given is not None
        return np.asarray(given(shape), np.float32)

    # Arrays.

    @property
    def variables(self) -> list[Variable]:
        """All its arrays: those that may be trained first."""
        own = self._variables
        return [v for v in own if v.trainable] + [v for v in own if not v.trainable]

    @property
    def weights(self) -> list[Variable]:
        """All its arrays, in Keras's order."""
        return self.variables

    @property
    def trainable_weights(self) -> list[Variable]:
        """Those that training changes now."""
        return [v for v in self.variables if v.trainable] if self.trainable else []

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """Those that it does not."""
        trained = {id(v) for v in self.trainable_weights}
        return [v for v in self.variables if id(v) not in trained]

    trainable_variables = trainable_weights
    non_trainable_variables = non_trainable_weights

    def get_weights(self) -> list[Array]:
        """Copies of its arrays, in Keras's order and layout."""
        return [variable.numpy() for variable in self.weights]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Take arrays in Keras's order and layout; ShapeError where they do not fit."""
        own = self.weights
        if len(weights) != len(own):
            raise ShapeError(
                f"{type(self).__name__} '{self.name}': {len(weights)} arrays came, {len(own)} "
                "were wanted" + ("" if own else "; is it built yet?")
            )
        for variable, array in zip(own, weights, strict=True):
            if np.shape(array) != variable.shape:
                raise ShapeError(
                    f"{variable.path}: {np.shape(array)} came, {variable.shape} was wanted"
                )
        for variable, array in zip(own, weights, strict=True):
            variable.assign(array)

    def count_params(self) -> int:
        """How many numbers it has."""
        return sum(int(np.prod(v.shape)) for v in self.weights)

    # Shapes.

    @property
    def input(self) -> Any:
        """What it read when it was called first."""
        inputs = self._first().inputs
        return inputs[0] if len(inputs) == 1 else list(inputs)

    @property
    def output(self) -> KerasTensor:
        """What came out when it was called first."""
        node = self._first()
        return KerasTensor(self.build_for([t.stream for t in node.inputs]), node)

    def compute_output_shape(self, input_shape: Sequence[Any]) -> tuple[Any, ...]:
        """The shape that comes out, for one that comes in (the batch first)."""
        stream, _ = self.translated([Stream(tuple(input_shape[1:]))])
        return (input_shape[0], *stream.shape)

    def build(self, input_shape: Sequence[Any]) -> None:
        """Make its arrays for inputs of this shape (the batch first)."""
        self.build_for([Stream(tuple(input_shape[1:]))])

    def _first(self) -> Node:
        if not self.nodes:
            raise UsageError(f"the layer '{self.name}' was never called")
        return self.nodes[0]

    def penalties(self) -> list[tuple[Variable, Regularizer]]:
        """Its arrays that add to the loss."""
        return self._own(Regularizer, "regularizer")

    def constraints(self) -> list[tuple[Variable, Constraint]]:
        """Its arrays that are changed after each step."""
        return self._own(Constraint, "constraint")

    def _own(self, kind: type[Any], ending: str) -> list[tuple[Variable, Any]]:
        found_ = []
        for variable in self.variables:
            value = self.fields.get(f"{variable.name}_{ending}")
            if value is None and variable.name == "kernel":
                value = self.fields.get(f"depthwise_{ending}")
            if isinstance(value, kind):
                found_.append((variable, value))
        return found_

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


def _taking_old_names(make: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(make)
    def made(self: Any, *values: Any, **fields: Any) -> None:
        values, fields = modern(type(self).__name__, values, fields)
        try:
            make(self, *values, **fields)
        except TypeError as error:
            if isinstance(error, BeakError) or error.__traceback__ is None:
                raise
            if error.__traceback__.tb_next is not None:
                raise
            raise UsageError(f"{type(self).__name__}: {str(error).split('() ')[-1]}") from None

    return made


def _field(key: str, value: Any, kind: str) -> Any:
    """A field as it is kept: objects for names, plain numbers for NumPy's."""
    if key.endswith("_initializer"):
        if callable(value) and not isinstance(value, Initializer | type):
            raise config.refuse(f"{kind}({key}=a function)", "initializers.Constant(array)")
        return found(value, Initializer, INITIALIZERS, "initializer")
    if key.endswith("_regularizer"):
        made = found(value, Regularizer, REGULARIZERS, "regularizer")
        if key == "activity_regularizer" and made is not None:
            raise config.refuse(f"{kind}(activity_regularizer=…)", "kernel_regularizer")
        return made
    if key.endswith("_constraint"):
        return found(value, Constraint, CONSTRAINTS, "constraint")
    if key == "data_format":
        return config.data_format_of(value)
    if key == "activation":
        return activation_name(value)
    if isinstance(value, np.generic):
        value = value.item()
    _check(key, value, kind)
    return value


def _check(key: str, value: Any, kind: str) -> None:
    """UsageError for sizes and shares that cannot be."""
    if key == "rate":
        if isinstance(value, bool | str) or not 0 <= value <= 1:
            raise UsageError(f"{kind}: rate={value!r}; from 0 to 1 was wanted")
    elif key in WHOLE or (key in EACH and value is not None):
        for one in value if key in EACH and isinstance(value, tuple | list) else [value]:
            whole(one, f"{kind}: {key}", 1)


def activation_name(value: Any) -> str | None:
    """A function's name, from a name, a function of keras.activations, a layer, a config."""
    if isinstance(value, dict):
        inner = value.get("config")
        value = inner if isinstance(inner, str) else value.get("class_name")
    if value is None or isinstance(value, str):
        return value or "linear"
    name = getattr(value, "__name__", None)
    if name and getattr(value, "__module__", "") == "beak.keras.activations":
        return str(name)
    if isinstance(value, Layer):
        raise config.refuse("a layer as an activation", "the layer behind this one")
    raise NetworkError(f"the activation {value!r} is not in beak; nearest: one by its name")


def _plain(value: Any) -> Any:
    if isinstance(value, Named):
        return value.serialised()
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value


def _float32(dtype: Any, kind: str) -> None:
    if isinstance(dtype, dict):
        dtype = dtype.get("config", {}).get("name")
    if dtype not in (None, "float32", np.float32) and not str(dtype).startswith(("int", "uint")):
        raise config.refuse(f"{kind}(dtype={dtype!r})", "float32")


def _given_shape(common: dict[str, Any]) -> tuple[int, ...] | None:
    if common.get("batch_input_shape") is not None:
        return tuple(common["batch_input_shape"][1:])
    if common.get("input_shape") is not None:
        return tuple(common["input_shape"])
    if common.get("input_dim") is not None:
        return (int(common["input_dim"]),)
    return None
