"""A Keras model's config, from any of its files, as layers and what reads what: nothing is run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from beak.errors import NetworkError, RunError
from beak.exchange.keras_graph import INPUT, Call
from beak.exchange.keras_layers import refusal
from beak.runs.safe import one_line

MODELS = ("Sequential", "Functional", "Model")
OLD_NAMES = {"Convolution2D": "Conv2D", "Convolution1D": "Conv1D", "Merge": "Concatenate"}
DEPTH = 20


@dataclass(frozen=True)
class Step:
    """A layer, or a model, in its place."""

    name: str
    kind: str
    config: Mapping[str, Any]
    inputs: tuple[str, ...]
    model: Description | None = None


@dataclass(frozen=True)
class Description:
    """A model: its steps in order, where it begins and where it ends."""

    name: str
    kind: str
    steps: tuple[Step, ...]
    start: str
    end: str

    def calls(self) -> tuple[list[Call], str]:
        """All uses of layers in order, models within unfolded, and the last."""
        calls: list[Call] = []
        return calls, self._unfold("", calls, None)

    def _unfold(self, within: str, calls: list[Call], start: str | None) -> str:
        names: dict[str, str] = {}
        for step in self.steps:
            if step.name == self.start and start is not None:
                names[step.name] = start
                continue
            name, reads = within + step.name, tuple(names[one] for one in step.inputs)
            if step.model is not None:
                names[step.name] = step.model._unfold(f"{name}/", calls, reads[0])
                continue
            calls.append(Call(name, {**step.config, "class_name": step.kind}, reads))
            names[step.name] = name
        return names[self.end]


def described(data: Any, where: str, depth: int = 0) -> Description:
    """A model's config as a Description; RunError where it is none, or holds code."""
    if not isinstance(data, Mapping) or data.get("class_name") not in MODELS or depth > DEPTH:
        kind = data.get("class_name") if isinstance(data, Mapping) else type(data).__name__
        raise RunError(
            f"{where}: {one_line(kind, 80)} is no Sequential or Functional model; a model of "
            "one's own class holds code, which beak does not run: save it as Model(inputs, outputs)"
        )
    config = data.get("config")
    if isinstance(config, list):
        config = {"layers": config, "name": "sequential"}
    if not isinstance(config, Mapping) or not isinstance(config.get("layers"), list):
        raise RunError(f"{where}: its config has no layers; is the file whole?")
    try:
        make = _sequential if data["class_name"] == "Sequential" else _functional
        return make(config, where, depth)
    except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
        if isinstance(error, NetworkError):
            raise
        raise RunError(f"{where}: its config does not work: {one_line(repr(error), 120)}") from None


def _sequential(config: Mapping[str, Any], where: str, depth: int) -> Description:
    steps: list[Step] = []
    for data in config["layers"]:
        step = _step(data, where, depth)
        if not steps and step.kind != INPUT:
            shape = step.config.get("batch_input_shape") or config.get("build_input_shape")
            if shape is None and step.model is not None:
                shape = step.model.steps[0].config.get("batch_shape")
            if shape is None:
                raise RunError(f"{where}: it has never seen its input; fit it, or begin with Input")
            steps.append(Step("input_layer", INPUT, {"batch_shape": list(shape)}, ()))
        before = (steps[-1].name,) if steps else ()
        steps.append(replace(step, inputs=before))
    if not steps:
        raise RunError(f"{where}: it has no layers")
    name = str(config.get("name", "sequential"))
    return Description(name, "Sequential", tuple(steps), steps[0].name, steps[-1].name)


def _functional(config: Mapping[str, Any], where: str, depth: int) -> Description:
    steps: list[Step] = []
    for data in config["layers"]:
        step = _step(data, where, depth)
        uses = [_read(node) for node in data.get("inbound_nodes", [])]
        if not uses:
            steps.append(step)
        for number, inputs in enumerate(uses):
            name = _numbered(step.name, number)
            steps.append(replace(step, name=name, inputs=inputs))
    start, end = (_ends(config[key], where, key) for key in ("input_layers", "output_layers"))
    return Description(str(config.get("name", "model")), "Functional", tuple(steps), start, end)


def _step(data: Any, where: str, depth: int) -> Step:
    kind = str(data["class_name"])
    kind = OLD_NAMES.get(kind, kind)
    config = data["config"]
    module = data.get("module")
    ours = module is None or str(module).split(".")[0] in ("keras", "keras_core", "tensorflow")
    if not ours or data.get("registered_name") not in (None, kind, f"keras>{kind}"):
        raise refusal(kind)
    name = str((config.get("name") if isinstance(config, Mapping) else None) or data.get("name"))
    if kind in MODELS:
        return Step(name, kind, {}, (), described(data, where, depth + 1))
    return Step(name, kind, config, ())


def _read(node: Any) -> tuple[str, ...]:
    """The names that one use of a layer reads, as Keras 3 or Keras 2 writes them."""
    if isinstance(node, Mapping):
        found: list[str] = []
        _histories(node.get("args", []), found)
        return tuple(found)
    if node and isinstance(node[0], str):
        node = [node]
    return tuple(_numbered(str(one[0]), int(one[1])) for one in node)


def _histories(value: Any, found: list[str]) -> None:
    if isinstance(value, Mapping):
        if value.get("class_name") == "__keras_tensor__":
            name, number, _ = value["config"]["keras_history"]
            found.append(_numbered(str(name), int(number)))
        return
    if isinstance(value, list | tuple):
        for one in value:
            _histories(one, found)


def _numbered(name: str, number: int) -> str:
    return name if number == 0 else f"{name}:{number}"


def _ends(value: Any, where: str, key: str) -> str:
    if value and isinstance(value[0], str):
        value = [value]
    if len(value) != 1:
        raise NetworkError(f"{where}: {len(value)} {key} are not in beak; nearest: one of them")
    return _numbered(str(value[0][0]), int(value[0][1]))
