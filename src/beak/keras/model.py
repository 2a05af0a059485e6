"""Model and Sequential: layers put together, their arrays, their network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from beak.errors import UsageError
from beak.exchange.keras_graph import Call
from beak.exchange.keras_stream import Fragment, Stream
from beak.keras import config
from beak.keras.layer import Layer
from beak.keras.preparing import Preparing
from beak.keras.stepping import Training
from beak.keras.structure import Input, InputLayer
from beak.keras.tensors import Array, KerasTensor, Node, Variable, as_list, graph
from beak.keras.training import Trainer
from beak.network.network import Network


class Model(Trainer, Layer):
    """A feed-forward graph from one Input to one output: ``Model(inputs, outputs)``."""

    def __init__(
        self, inputs: Any = None, outputs: Any = None, name: str | None = None, **common: Any
    ) -> None:
        name = name or (config.unique_name("functional") if type(self) is Model else None)
        self._begin({}, {"name": name, **common})
        self._training = Training()
        if inputs is None or outputs is None:
            if type(self) is Model:
                raise UsageError("Model(inputs, outputs) was wanted, as Model(x, layers(x))")
            raise config.refuse(
                f"{type(self).__name__}, a Model of one's own with a call,",
                "Model(inputs, outputs) or Sequential",
            )
        self._put_together(_only(inputs, "input"), _only(outputs, "output"))

    @property
    def kind(self) -> str:
        """Keras's name of the class."""
        return "Functional"

    def _put_together(self, start: KerasTensor, end: KerasTensor) -> None:
        self._start_, self._end = start, end
        self._nodes = graph([end], [start])
        self.built = True

    # Structure.

    @property
    def layers(self) -> list[Layer]:
        """Its layers, in Keras's order."""
        self._check_built()
        seen: dict[int, Layer] = {}
        for node in self._nodes:
            seen.setdefault(id(node.layer), node.layer)
        return list(seen.values())

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer of this name or place."""
        if index is not None:
            return self.layers[index]
        for layer in self.layers:
            if layer.name == name:
                return layer
        known = ", ".join(layer.name for layer in self.layers)
        raise UsageError(f"no layer {name!r}; there are {known}")

    @property
    def input(self) -> KerasTensor:
        """What comes in."""
        self._check_built()
        return self._start_

    @property
    def output(self) -> KerasTensor:
        """What goes out."""
        self._check_built()
        return self._end

    @property
    def inputs(self) -> list[KerasTensor]:
        """What comes in, as a list."""
        return [self.input]

    @property
    def outputs(self) -> list[KerasTensor]:
        """What goes out, as a list."""
        return [self.output]

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """The shape of what comes in, None for the batch."""
        return self.input.shape

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """The shape of what goes out, None for the batch."""
        return self.output.shape

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "trainable" and "_nodes" in self.__dict__:
            for layer in self.layers:
                layer.trainable = value
        super().__setattr__(name, value)

    # Calls.

    def translated(self, streams: list[Stream]) -> tuple[Stream, Fragment]:
        """Its output for this input: what each of its layers makes of what it reads."""
        self._check_built()
        at: dict[int, Stream] = {id(self._start_.node): streams[0]}
        for node in self._nodes:
            if id(node) not in at:
                at[id(node)] = node.layer.build_for([at[id(t.node)] for t in node.inputs])
        return at[id(self._end.node)], Fragment()

    def build_for(self, streams: list[Stream]) -> Stream:
        """Its output's stream for this input."""
        if not self.built:
            self.build((None, *streams[0].shape))
        if streams[0].shape != self._start_.stream.shape:
            raise UsageError(
                f"the model '{self.name}' reads {self._start_.stream.shape}, but "
                f"{streams[0].shape} came"
            )
        return self.translated(streams)[0]

    def on_arrays(self, inputs: Any, training: bool = False, **options: Any) -> Any:
        """The model's answers to arrays."""
        array = np.asarray(inputs)
        if not self.built:
            self.build((None, *array.shape[1:]))
        if all(isinstance(layer, Preparing | InputLayer) for layer in self.layers):
            for layer in self.layers:
                if isinstance(layer, Preparing):
                    array = layer.apply(array, training)
            return array
        if training:
            raise config.refuse("calling a model with training=True", "train_on_batch")
        return self.predict_on_batch(array)

    def build(self, input_shape: Any = None) -> None:
        """Nothing is left to do for a model that knows its input."""

    def calls(self) -> tuple[list[Call], dict[str, Layer], str]:
        """All uses of layers in order, models within unfolded; the layers by call; the last."""
        self._check_built()
        calls: list[Call] = []
        layers: dict[str, Layer] = {}
        end = self._unfold("", calls, layers, None)
        return calls, layers, end

    def _unfold(
        self, within: str, calls: list[Call], layers: dict[str, Layer], start: str | None
    ) -> str:
        names: dict[int, str] = {}
        for node in self._nodes:
            reads = tuple(names[id(tensor.node)] for tensor in node.inputs)
            if node is self._start_.node and start is not None:
                names[id(node)] = start
                continue
            name = _free(within + node.layer.name, layers)
            if isinstance(node.layer, Model):
                layers[name] = node.layer
                names[id(node)] = node.layer._unfold(f"{name}/", calls, layers, reads[0])
                del layers[name]
                continue
            calls.append(Call(name, node.layer.for_translation(), reads))
            layers[name] = node.layer
            names[id(node)] = name
        return names[id(self._end.node)]

    def _check_built(self) -> None:
        if not self.built:
            raise UsageError(
                f"the model '{self.name}' is not built: it does not know its input yet; begin it "
                "with keras.Input(shape=…), or call fit"
            )

    # Arrays.

    @property
    def variables(self) -> list[Variable]:
        """All arrays of its layers."""
        if not self.built:
            return []
        found: dict[int, Variable] = {}
        for layer in self.layers:
            for variable in layer.variables:
                found.setdefault(id(variable), variable)
        return list(found.values())

    @property
    def trainable_weights(self) -> list[Variable]:
        """Those that training changes now."""
        if not self.built:
            return []
        return [v for layer in self.layers for v in layer.trainable_weights]

    trainable_variables = trainable_weights

    def get_weights(self) -> list[Array]:
        """Copies of all arrays, in Keras's order and layout."""
        self._check_built()
        return super().get_weights()

    # Files.

    def save(self, filepath: Any, overwrite: bool = True, **more: Any) -> None:
        """Write it: a name that ends in .keras, or .h5 for the old form."""
        from beak.keras.saving import save_model

        save_model(self, filepath, overwrite, **more)

    def save_weights(self, filepath: Any, overwrite: bool = True, **more: Any) -> None:
        """Write its arrays: a name that ends in .weights.h5."""
        from beak.keras.saving import save_weights

        save_weights(self, filepath, overwrite, **more)

    def load_weights(self, filepath: Any, **more: Any) -> None:
        """Take arrays from a .weights.h5, .keras or old .h5 file."""
        from beak.keras.saving import load_weights

        load_weights(self, filepath, **more)

    def to_json(self, **more: Any) -> str:
        """Its layers as JSON, without arrays."""
        import json

        from beak.keras.saving import model_config

        return json.dumps(model_config(self), **more)

    def get_config(self) -> dict[str, Any]:
        """Its layers as plain values."""
        from beak.keras.saving import model_config

        return dict(model_config(self)["config"])

    @classmethod
    def from_config(cls, settings: dict[str, Any], custom_objects: Any = None) -> Any:
        """A model from ``get_config``'s values."""
        from beak.exchange.keras_model import described
        from beak.keras.saving import built

        kind = "Functional" if "input_layers" in settings else "Sequential"
        return built(described({"class_name": kind, "config": settings}, "the config"))

    def export(self, filepath: Any, *more: Any, **options: Any) -> None:
        """Refused: SavedModel is TensorFlow's."""
        raise config.refuse("export as a SavedModel", "save_run, then beak export RUN FILE.onnx")

    def save_run(self, path: Any, labels: Sequence[str] | None = None) -> Any:
        """Write it as a run of beak's, for the page, the exports and the service.

        ``labels``: the classes' names; numbers where they are not given.
        """
        from beak.keras.runs import save_run

        return save_run(self, path, labels)

    def summary(self, line_length: int | None = None, print_fn: Any = None, **more: Any) -> None:
        """Print its layers, their shapes and how many numbers they have."""
        from beak.keras.summary import summary_text

        (print_fn or print)(summary_text(self, line_length))

    @property
    def network(self) -> Network:
        """Beak's network that this model is."""
        return self._running().assembled.network

    def parameters(self) -> dict[str, Array]:
        """Beak's parameters of ``network``."""
        runtime = self._running()
        return runtime.assembled.parameters([v.value for v in runtime.variables])


class Sequential(Model):
    """Layers one behind the other; without an Input it is built by the first arrays."""

    def __init__(
        self,
        layers: Sequence[Any] | None = None,
        trainable: bool = True,
        name: str | None = None,
    ) -> None:
        self._begin({}, {"name": name})
        self._training = Training()
        self._list: list[Layer] = []
        self._placed: list[Layer] = []  # those that ``_end`` stands behind
        self._open: InputLayer | None = None
        for layer in layers or ():
            self.add(layer)
        if not trainable:
            self.trainable = False

    @property
    def kind(self) -> str:
        """Keras's name of the class."""
        return "Sequential"

    def add(self, layer: Any) -> None:
        """Put a layer at the end."""
        if isinstance(layer, KerasTensor):
            layer = layer.node.layer
        if isinstance(layer, InputLayer):
            if self._list or self._open:
                raise UsageError("an Input stands first in a Sequential, and only there")
            self._open = layer
            return
        if not isinstance(layer, Layer):
            raise UsageError(f"{layer!r} is no layer of beak.keras; a layer was wanted")
        if not self._list and self._open is None and layer.given_shape is not None:
            self._open = Input(layer.given_shape).node.layer  # type: ignore[assignment]
        if not self._list and self._open is None and isinstance(layer, Model) and layer.built:
            self._open = Input(layer.input_shape[1:]).node.layer  # type: ignore[assignment]
        self._list.append(layer)
        self._forget()
        if self._open is not None:
            try:
                self._build_from(self._open)
            except Exception:
                self._list.pop()
                raise

    def pop(self, rebuild: bool = True) -> Layer:
        """Take the last layer away."""
        if not self._list:
            raise UsageError("the Sequential has no layer to take away")
        layer = self._list.pop()
        self._forget()
        if self._open is not None and self._list:
            self._build_from(self._open)
        return layer

    def _forget(self) -> None:
        self._training.runtime = None

    def build(self, input_shape: Any = None) -> None:
        """Make all arrays for inputs of this shape (the batch first)."""
        if self.built:
            return
        if input_shape is None:
            raise UsageError("build(input_shape) was wanted, as build((None, 28, 28, 1))")
        self._build_from(Input(tuple(input_shape)[1:]).node.layer)  # type: ignore[arg-type]

    def _build_from(self, start: InputLayer) -> None:
        if not self._list:
            return
        begin = start.tensor
        done = len(self._placed)
        goes_on = self._open is start and self.built and 0 < done < len(self._list)
        if goes_on and self._placed == self._list[:done]:
            at = self._end
        else:
            at, done = begin, 0
        for layer in self._list[done:]:
            stream = layer.build_for([at.stream])
            node = Node(layer, (at,))
            layer.nodes.append(node)
            at = KerasTensor(stream, node)
        self._open = start
        self._placed = list(self._list)
        self._put_together(begin, at)

    @property
    def layers(self) -> list[Layer]:
        """Its layers, without the Input."""
        return list(self._list)


def _only(value: Any, what: str) -> KerasTensor:
    if isinstance(value, dict):
        value = list(value.values())
    tensors = as_list(value)
    if len(tensors) != 1:
        raise config.refuse(f"a model with {len(tensors)} {what}s", f"one Model for each {what}")
    if not isinstance(tensors[0], KerasTensor):
        raise UsageError(f"{what}s: {tensors[0]!r} is no KerasTensor; begin with keras.Input")
    return tensors[0]


def _free(name: str, taken: dict[str, Layer]) -> str:
    made, number = name, 1
    while made in taken:
        made, number = f"{name}.{number}", number + 1
    return made
