"""Modules of PyTorch, and ``.pt2`` files, as networks of beak's: through torch.export."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.export import ExportedProgram

from beak.errors import BeakError, RunError, did_you_mean
from beak.exchange.importing import Imported, Original
from beak.exchange.onnx_building import Building
from beak.exchange.onnx_ends import ended
from beak.exchange.onnx_given import Given
from beak.exchange.onnx_tidy import finished
from beak.exchange.onnx_views import Array, LackingError, Value, whole
from beak.exchange.torch_operators import NEAREST, OPERATORS, SPLITS, Call, split_parts
from beak.network.network import input_shape as checked_shape
from beak.runs.safe import one_line

ODD = (ValueError, IndexError, KeyError, TypeError, OverflowError, ArithmeticError)
"""What arrays raise when a graph's numbers do not fit each other."""


def read_module(module: nn.Module, input_shape: Sequence[int], name: str = "") -> Imported:
    """A module that reads one batch of inputs (B, *input_shape) and answers (B, classes).

    The module is traced in evaluation mode and left as it was. RunError: it cannot be traced, or
    something in it has no layer of beak's, named by its place in the module and what is nearest.
    """
    said = name or type(module).__name__
    shape = checked_shape(input_shape)
    modes = {part: part.training for part in module.modules()}
    example = torch.zeros(1, *shape, device=next(module.parameters(), torch.zeros(())).device)
    module.eval()
    try:
        program = torch.export.export(module, (example,))
    except (RuntimeError, TypeError, ValueError, AttributeError) as error:
        first = one_line(str(error).strip().splitlines()[0] if str(error).strip() else error, 200)
        raise RunError(
            f"{said}: torch.export cannot trace it with inputs {tuple(example.shape)}: {first}"
        ) from None
    finally:
        for part, training in modes.items():
            part.training = training

    def answers(inputs: Array) -> Array:
        before = module.training
        try:
            with torch.inference_mode():
                found = module.eval()(torch.from_numpy(inputs).to(example.device))
        finally:
            module.train(before)
        return np.asarray(found.cpu().numpy())

    return read_program(program, said, answers)


def read_program(program: ExportedProgram, name: str, answers: Any = None) -> Imported:
    """An exported program; ``answers``: what runs the original."""
    reading = _Reading(program, name)
    last = reading.outcome()
    try:
        end = ended(reading.net, last)
        network, parameters = finished(reading.net, end.node)
    except BeakError as error:
        raise RunError(f"{name}: {error}") from None
    original = Original("PyTorch", lambda inputs: end.turned(answers(inputs)))
    return Imported(
        network, parameters, end.labels, None, (), None if answers is None else original
    )


class _Reading:
    """The graph's values as far as they are known."""

    def __init__(self, program: ExportedProgram, name: str) -> None:
        self.program, self.name = program, name
        self.known: dict[str, Any] = {}
        self.names: dict[str, str] = {}
        """Constants' names in the module."""
        signature = program.graph_signature
        arrays = {**program.state_dict, **program.constants}
        held = {
            **signature.inputs_to_parameters,
            **signature.inputs_to_buffers,
            **signature.inputs_to_lifted_tensor_constants,
        }
        inputs = [n for n in program.graph.nodes if n.op == "placeholder" and n.name not in held]
        if len(inputs) != 1:
            raise RunError(f"{name}: it reads {len(inputs)} inputs; beak's networks read one")
        shape = tuple(int(n) for n in inputs[0].meta["val"].shape)
        self.batch = shape[0]
        self.net = Building(checked_shape(shape[1:]))
        self.known[inputs[0].name] = Value("input", whole(shape[1:]))
        for placeholder, target in held.items():
            tensor = arrays[target]
            self.known[placeholder] = tensor.detach().cpu().float().numpy()
            self.names[placeholder] = target

    def outcome(self) -> Given:
        """What the graph gives."""
        for node in self.program.graph.nodes:
            if node.op == "call_function":
                self.known[node.name] = self._step(node)
            elif node.op == "output":
                given = node.args[0]
                if len(given) != 1 or getattr(given[0], "name", None) not in self.known:
                    raise RunError(f"{self.name}: it gives {len(given)} answers; one was wanted")
                found: Given = self.known[given[0].name]
                return found
        raise RunError(f"{self.name}: it gives nothing")

    def _step(self, node: Any) -> Any:
        if node.target is operator.getitem:
            return self.known[node.args[0].name][node.args[1]]
        schema = getattr(node.target, "_schema", None)
        kind = schema.name.partition("::")[2] if schema else str(node.target)
        kind = kind if kind.startswith("__") else kind.rstrip("_")
        try:
            if schema is None or kind not in {*OPERATORS, *SPLITS}:
                raise LackingError(
                    "beak has no such layer"
                    + (f"; {NEAREST[kind]}" if kind in NEAREST else did_you_mean(kind, OPERATORS))
                )
            given, names = self._arguments(node, schema)
            call = Call(self.net, kind, given, names)
            found = split_parts(call) if kind in SPLITS else OPERATORS[kind](call)
        except (LackingError, *ODD) as error:
            said = (
                str(error)
                if isinstance(error, LackingError)
                else f"its numbers do not fit each other ({one_line(error, 120)})"
            )
            raise RunError(f"{self.name}: {_where(node)}{kind}: {said}") from None
        many = kind == "_native_batch_norm_legit_no_training"
        return [found] if many else found

    def _arguments(self, node: Any, schema: Any) -> tuple[dict[str, Any], dict[str, str]]:
        """Arguments by name; values of the graph in their places."""
        given: dict[str, Any] = {}
        names: dict[str, str] = {}
        for place, argument in enumerate(schema.arguments):
            if place < len(node.args):
                came = node.args[place]
            elif argument.name in node.kwargs:
                came = node.kwargs[argument.name]
            else:
                came = argument.default_value
            if hasattr(came, "name") and came.name in self.names:
                names[argument.name] = self.names[came.name]
            given[argument.name] = self._known(came)
        return given, names

    def _known(self, came: Any) -> Any:
        if isinstance(came, torch.fx.Node):
            return self.known[came.name]
        if isinstance(came, list | tuple):
            return [self._known(one) for one in came]
        return came


def _where(node: Any) -> str:
    """'layer1.0.norm (GroupNorm), ': the place in the module that an operator comes from."""
    stack: Mapping[str, Any] = node.meta.get("nn_module_stack") or {}
    for path, kind in reversed(list(stack.values())):
        word = str(kind).rpartition(".")[2].rstrip("'>")
        return f"{one_line(path)} ({one_line(word)}), " if path else f"{one_line(word)}, "
    return ""
