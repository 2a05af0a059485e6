"""Models into Keras's files and out of them: .keras, .weights.h5, the old .h5, JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from beak.errors import BeakError, RunError, UsageError
from beak.exchange.keras_files import (
    Stored,
    archive_bytes,
    read_keras,
    write_old,
    write_weights,
)
from beak.exchange.keras_layers import refusal
from beak.exchange.keras_model import Description, described
from beak.keras import config
from beak.keras.layer import Layer
from beak.keras.model import Model, Sequential
from beak.keras.moments import listed, take
from beak.keras.named import Named
from beak.keras.structure import InputLayer
from beak.keras.tensors import KerasTensor, Node
from beak.runs.files import write_whole

# Out.


def model_config(model: Model, inside: bool = False) -> dict[str, Any]:
    """A model's config as Keras writes it."""
    model._check_built()
    shape = [None, *model.input_shape[1:]]
    made: dict[str, Any] = {
        "module": "keras" if model.kind == "Sequential" else "keras.src.models.functional",
        "class_name": model.kind,
        "registered_name": None if model.kind == "Sequential" else "Functional",
        "build_config": {"input_shape": shape},
    }
    if isinstance(model, Sequential):
        start = model._start_.node.layer
        layers = [_entry(layer) for layer in (start, *model.layers)]
        made["config"] = {
            "name": model.name, "trainable": True, "dtype": "float32", "layers": layers,
            "build_input_shape": shape,
        }  # fmt: skip
        return made
    made["config"] = {
        "name": model.name,
        "trainable": True,
        "layers": [_placed(node, model) for node in model._nodes],
        "input_layers": [[model._start_.node.layer.name, 0, 0]],
        "output_layers": [[model._end.node.layer.name, 0, 0]],
    }
    return made


def _entry(layer: Layer) -> dict[str, Any]:
    if isinstance(layer, Model):
        return model_config(layer, inside=True)
    return {
        "module": "keras.layers",
        "class_name": layer.kind,
        "config": layer.get_config(),
        "registered_name": None,
    }


def _placed(node: Node, model: Model) -> dict[str, Any]:
    entry = _entry(node.layer)
    tensors = [_history(tensor) for tensor in node.inputs] if node is not model._start_.node else []
    joins = node.layer.kind in ("Add", "Multiply", "Concatenate")
    inbound: list[Any] = (
        [{"args": [tensors] if joins else tensors, "kwargs": {}}] if tensors else []
    )
    return {**entry, "name": node.layer.name, "inbound_nodes": inbound}


def _history(tensor: KerasTensor) -> dict[str, Any]:
    return {
        "class_name": "__keras_tensor__",
        "config": {
            "shape": list(tensor.shape),
            "dtype": tensor.dtype,
            "keras_history": [tensor.node.layer.name, 0, 0],
        },
    }


def compile_config(model: Model) -> dict[str, Any] | None:
    """What ``compile`` was given, as plain values; None before it."""
    compiled = model._training.compiled
    if compiled is None:
        return None
    return {
        "optimizer": compiled.optimizer.serialised(),
        "loss": _plain(compiled.said["loss"]),
        "loss_weights": None,
        "metrics": _plain(compiled.said["metrics"]),
        "weighted_metrics": _plain(compiled.said["weighted_metrics"]),
        "run_eagerly": False,
        "steps_per_execution": 1,
        "jit_compile": False,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Named):
        return value.serialised()
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return value if value is None or isinstance(value, str) else getattr(value, "__name__", None)


def tree_of(model: Model) -> list[tuple[str, Any]]:
    """Each layer's class and arrays, models within as trees."""
    return [
        (layer.kind, tree_of(layer) if isinstance(layer, Model) else layer.get_weights())
        for layer in model.layers
    ]


def save_model(
    model: Model,
    filepath: Any,
    overwrite: bool = True,
    zipped: Any = None,
    include_optimizer: bool = True,
    **more: Any,
) -> None:
    """Write a model: .keras, or the old .h5."""
    path = _target(filepath, (".keras", ".h5"), overwrite)
    whole = model_config(model)
    compiled = compile_config(model) if include_optimizer else None
    moments = [] if compiled is None else listed(model)
    if path.suffix == ".keras":
        if compiled is not None:
            whole["compile_config"] = compiled
        write_whole(path, [archive_bytes(whole, tree_of(model), moments)])
        return
    layers = [
        (layer.name, [(f"{layer.name}/{_label(v, layer)}", v.numpy()) for v in _old_order(layer)])
        for layer in model.layers
    ]
    if compiled is not None:
        optimizer = compiled.pop("optimizer")
        compiled["optimizer_config"] = {k: optimizer[k] for k in ("class_name", "config")}
    old = {"class_name": whole["class_name"], "config": whole["config"]}
    write_old(path, old, layers, compiled, moments)


def _old_order(layer: Layer) -> list[Any]:
    own = layer.weights
    return [v for v in own if v.trainable] + [v for v in own if not v.trainable]


def _label(variable: Any, layer: Layer) -> str:
    return str(variable.path if isinstance(layer, Model) else variable.name)


def save_weights(model: Model, filepath: Any, overwrite: bool = True, **more: Any) -> None:
    """Write a model's arrays: .weights.h5."""
    path = _target(filepath, (".weights.h5",), overwrite)
    moments = [] if model.optimizer is None else listed(model)
    write_weights(path, tree_of(model), model.name, moments)


def _target(filepath: Any, endings: tuple[str, ...], overwrite: bool) -> Path:
    path = Path(filepath)
    if not path.name.endswith(endings) or (".weights.h5" not in endings
                                           and path.name.endswith(".weights.h5")):  # fmt: skip
        raise UsageError(f"{path}: a name that ends in {' or '.join(endings)} was wanted")
    if not path.parent.is_dir():
        raise UsageError(f"{path}: the folder is not there; make it first")
    if path.exists() and not overwrite:
        raise UsageError(f"{path} is there already; overwrite=True writes over it")
    return path


# In.


def load_model(
    filepath: Any, custom_objects: Any = None, compile: bool = True, safe_mode: bool = True
) -> Model:
    """The model of a .keras or old .h5 file, compiled as it was."""
    if custom_objects:
        raise config.refuse("custom_objects", "layers of beak.keras")
    path = Path(filepath)
    stored = read_keras(path)
    if stored.description is None or stored.arrays is None:
        raise RunError(f"{path} holds no whole model; load_weights takes weights alone")
    model = built(stored.description)
    _fill(model, stored, str(path))
    if compile and stored.compiled is not None:
        said = stored.compiled
        try:
            model.compile(
                said.get("optimizer") or "rmsprop", said.get("loss"), None,
                said.get("metrics"), said.get("weighted_metrics"),
            )  # fmt: skip
        except BeakError as error:
            config.note(f"{path}: not compiled: {error}")
        else:
            take(model, stored.optimizer, str(path))
    return model


def built(description: Description) -> Model:
    """A model from its description, with fresh arrays."""
    if description.kind == "Sequential":
        return Sequential(
            [_layer(step.kind, step.config, step.model) for step in description.steps],
            name=description.name,
        )
    tensors: dict[str, KerasTensor] = {}
    layers: dict[str, Layer] = {}
    for step in description.steps:
        base = step.name.split(":")[0]
        if base not in layers:
            layers[base] = _layer(step.kind, step.config, step.model)
        layer = layers[base]
        if isinstance(layer, InputLayer):
            tensors[step.name] = layer.tensor
            continue
        reads = [tensors[name] for name in step.inputs]
        joins = layer.kind in ("Add", "Multiply", "Concatenate")
        tensors[step.name] = layer(reads if joins else reads[0])
    ends = tensors[description.start], tensors[description.end]
    return Model(*ends, name=description.name)


def _layer(kind: str, settings: Mapping[str, Any], model: Description | None) -> Layer:
    if model is not None:
        return built(model)
    from beak.keras import layers

    if kind not in layers.__all__ or not isinstance(getattr(layers, kind), type):
        raise refusal(kind, str(settings.get("name", "")))
    settings = dict(settings)
    if "alpha" in settings and kind == "LeakyReLU":
        settings["negative_slope"] = settings.pop("alpha")
    if kind == "InputLayer" and "batch_input_shape" in settings:
        settings["batch_shape"] = settings.pop("batch_input_shape")
    made: Layer = getattr(layers, kind).from_config(settings)
    if kind == "InputLayer" and not made.name:
        made.name = str(settings.get("name"))
    return made


def _fill(model: Model, stored: Stored, where: str) -> None:
    assert stored.arrays is not None
    for layer in model.layers:
        own = _old_order(layer) if stored.trainable_first else layer.weights
        arrays = stored.arrays.get(layer.name, [])
        if not own:
            continue
        shapes = [array.shape for array in arrays]
        if shapes != [v.shape for v in own]:
            raise RunError(
                f"{where}: the layer '{layer.name}' holds {shapes or 'nothing'}, "
                f"{[v.shape for v in own]} was wanted"
            )
        for variable, array in zip(own, arrays, strict=True):
            variable.assign(array)


def load_weights(
    model: Model, filepath: Any, skip_mismatch: bool = False, by_name: bool = False, **more: Any
) -> None:
    """A model's arrays from a .weights.h5, a .keras or an old .h5 file."""
    if skip_mismatch or by_name:
        raise config.refuse("load_weights(skip_mismatch=… or by_name=…)", "set_weights of layers")
    path = Path(filepath)
    model._check_built()
    stored = read_keras(path, described(model_config(model), model.name))
    arrays = stored.arrays
    if arrays is None:
        raise RunError(f"{path} holds no weights")
    if stored.description is not None:
        steps = [s.name for s in stored.description.steps if s.kind != "InputLayer"]
        own = [layer.name for layer in model.layers if not isinstance(layer, InputLayer)]
        if len(steps) == len(own):
            arrays = {mine: arrays.get(theirs, []) for mine, theirs in zip(own, steps, strict=True)}
    _fill(model, Stored(None, arrays, stored.trainable_first), str(path))
    if model.optimizer is not None and not stored.trainable_first:
        take(model, stored.optimizer, str(path), built=_has_moments(model))


def _has_moments(model: Model) -> bool:
    """Whether its optimiser has seen a step, or a file: Keras takes moments then alone."""
    state = model._training
    return state.moments is not None or (
        state.runtime is not None and state.runtime.learner is not None
    )


def model_from_json(json_string: str, custom_objects: Any = None) -> Model:
    """A model from ``to_json``'s text, with fresh arrays."""
    if custom_objects:
        raise config.refuse("custom_objects", "layers of beak.keras")
    try:
        data = json.loads(json_string)
    except json.JSONDecodeError as error:
        raise UsageError(f"no JSON: {error}") from None
    return built(described(data, "the JSON"))


def clone_model(model: Model) -> Model:
    """A model of the same layers with fresh arrays."""
    return built(described(model_config(model), model.name))
