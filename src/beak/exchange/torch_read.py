"""Modules of PyTorch, and ``.pt2`` files, as networks of beak's: through torch.export."""

from __future__ import annotations

import io
import logging
import operator
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.export import ExportedProgram

from beak.errors import BeakError, RunError, did_you_mean
from beak.exchange.importing import INPUTS, Imported, Original
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
FAILED = (RuntimeError, TypeError, ValueError, AttributeError, LookupError, ArithmeticError)
"""What modules raise for an input that they do not take, and torch.export for a module."""


def read_module(
    module: nn.Module,
    input_shape: Sequence[int],
    name: str = "",
    reading: type[Reading] | None = None,
) -> Imported:
    """A module that reads one batch of inputs (B, *input_shape) and answers (B, classes).

    The module is traced in evaluation mode and left as it was. RunError: it cannot be traced, or
    something in it has no layer of beak's, named by its place in the module and what is nearest.
    """
    said = name or type(module).__name__
    shape = checked_shape(input_shape)
    device = next(module.parameters(), torch.zeros(())).device
    program = traced(module, torch.zeros(1, *shape, device=device), said)
    step = INPUTS if reading is None else 1  # boxes may tell the examples of a batch apart

    def answers(inputs: Array) -> Array:
        with evaluating(module), torch.no_grad():
            given = torch.from_numpy(inputs).to(device)
            parts = [given[i : i + step] for i in range(0, len(given), step)]
            return np.concatenate([module(part).cpu().numpy() for part in parts])

    return read_program(program, said, answers, reading)


def traced(module: nn.Module, example: torch.Tensor, name: str) -> ExportedProgram:
    """The module's graph in evaluation mode. UntracedError, one line: torch.export has none."""
    try:
        with evaluating(module), _silently():
            return torch.export.export(module, (example,))
    except FAILED as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise UntracedError(
            f"{name}: torch.export cannot trace it with inputs {tuple(example.shape)}: "
            f"{one_line(lines[0], 200)}{_why(error)}",
            example.device,
        ) from None


def _why(error: Exception) -> str:
    if "data-dependent" not in str(error):
        return ""
    return " (it decides by computed numbers; torch.where can be traced, or look at a part of it)"


@contextmanager
def _silently() -> Iterator[None]:
    """Without what torch.export logs and prints on its way to an error, graphs of many lines."""
    before, said = logging.root.manager.disable, io.StringIO()
    logging.disable(logging.CRITICAL)
    try:
        with redirect_stdout(said), redirect_stderr(said):
            yield
    finally:
        logging.disable(before)


class UntracedError(RunError):
    """A module that torch.export cannot trace."""

    def __init__(self, told: str, device: torch.device) -> None:
        super().__init__(told)
        self.device = device


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """The module in evaluation mode, and afterwards each part of it as it was."""
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for part, training in modes.items():
            part.training = training


def read_program(
    program: ExportedProgram,
    name: str,
    answers: Any = None,
    reading: type[Reading] | None = None,
) -> Imported:
    """An exported program; ``answers``: what runs the original; ``reading``: who reads it."""
    read = (reading or Reading)(program, name)
    last = read.outcome()
    try:
        end = ended(read.net, last)
        network, parameters = finished(read.net, end.node)
    except BeakError as error:
        raise RunError(f"{name}: {error}") from None
    original = Original("PyTorch", lambda inputs: end.turned(answers(inputs)))
    return Imported(
        network, parameters, end.labels, None, (), None if answers is None else original
    )


class Reading:
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
            real = not tensor.is_complex()
            self.known[placeholder] = tensor.detach().cpu().float().numpy() if real else None
            self.names[placeholder] = target

    def outcome(self) -> Given:
        """What the graph gives."""
        for node in self.program.graph.nodes:
            if node.op == "call_function":
                self.known[node.name] = self.step(node)
            elif node.op == "output":
                return self.answer(node)
        raise RunError(f"{self.name}: it gives nothing")

    def answer(self, node: Any) -> Given:
        """What the graph's last node, its output, gives. RunError where it gives several."""
        given = node.args[0]
        if len(given) != 1 or getattr(given[0], "name", None) not in self.known:
            raise RunError(f"{self.name}: it gives {len(given)} answers; one was wanted")
        found: Given = self.known[given[0].name]
        return found

    def step(self, node: Any) -> Any:
        """What one node gives. LackingError where beak has no layer for it."""
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
            raise LackingError(f"{self.name}: {place_of(node)}{kind}: {said}") from None
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


def place_of(node: Any) -> str:
    """'layer1.0.norm (GroupNorm), ': the place in the module that an operator comes from."""
    stack: Mapping[str, Any] = node.meta.get("nn_module_stack") or {}
    for path, kind in reversed(list(stack.values())):
        word = str(kind).rpartition(".")[2].rstrip("'>")
        return f"{one_line(path)} ({one_line(word)}), " if path else f"{one_line(word)}, "
    return ""
