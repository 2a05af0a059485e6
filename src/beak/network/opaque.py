"""A layer that beak does not open: an operator of ONNX's or a part of a PyTorch module."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from beak.errors import NetworkError, ShapeError, UsageError
from beak.network.layer import Layer, Parameter, Shape, count, layer, short, whole
from beak.shapes import shape_text

if TYPE_CHECKING:
    from beak.network.network import Node

MOST_WHOLE = 4096
"""Whole numbers that an argument may hold; what is larger are weights, which are floats."""
WHOLE = ("int64", "int32", "bool")
LIBRARIES = ("ONNX", "PyTorch")


@layer
class Opaque(Layer):
    """What ONNX's ``operator`` of version ``opset`` gives: values pass, no gradient does.

    ``shape``: what comes out. ``arguments``: what the operator is given, in its order, each one of
    ("read", shape): the next of the layer's inputs, as ONNX has it, without the batch;
    ("own", shape): floats of the file, a parameter by the argument's place ("argument1");
    ("int64", shape, values), or int32 or bool; (): left out.
    ``attributes``: (name, number, text or list of them). ``last``: ONNX has the channels last.
    ``by``: "PyTorch" for a part of a module, named by ``operator``; ``run`` computes it from
    what it reads (B, …) and is in no file: such a network lives as long as its module does.
    """

    prefix: ClassVar[str] = "box"
    arity: ClassVar[tuple[int, int | None]] = (1, None)

    operator: str
    opset: int
    shape: Shape
    arguments: tuple[tuple[Any, ...], ...]
    attributes: tuple[tuple[str, Any], ...] = ()
    last: bool = False
    by: str = "ONNX"
    run: Callable[..., Any] | None = dataclasses.field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.operator, str) or not self.operator.isidentifier():
            raise NetworkError(f"Opaque: {short(self.operator)} is no operator's name")
        self._whole("opset")
        self._true_or_false("last")
        if self.by not in LIBRARIES:
            raise NetworkError(f"Opaque: by {short(self.by)}; one of {', '.join(LIBRARIES)}")
        if self.run is not None and not callable(self.run):
            raise NetworkError(f"Opaque: run {short(self.run)}; a function was wanted")
        self._set("shape", _sizes(self.shape, "shape"))
        if not 1 <= len(self.shape) <= 3:
            raise NetworkError(f"Opaque: shape {short(self.shape)}; one to three sizes were wanted")
        self._set("arguments", tuple(map(_argument, _list(self.arguments, "arguments"))))
        self._set("attributes", tuple(map(_attribute, _list(self.attributes, "attributes"))))

    @property
    def reads(self) -> list[Shape]:
        """The shapes of what it reads, as ONNX has them, without the batch."""
        return [one[1] for one in self.arguments if one[:1] == ("read",)]

    def output(self, *shapes: Shape) -> Shape:
        """``shape``; ShapeError where other numbers come in than the operator was given."""
        wanted = self.reads
        if list(map(count, shapes)) != list(map(count, wanted)):
            raise ShapeError(
                f"{' and '.join(map(shape_text, shapes))} came in, "
                f"{' and '.join(map(shape_text, wanted)) or 'nothing'} was wanted by "
                f"{self.by}'s {self.operator}, which works on no other shape"
            )
        return self.shape

    def parameters(self, *shapes: Shape) -> dict[str, Parameter]:
        """The floats that it was given, by place; they are never trained."""
        return {
            f"argument{place}": Parameter(one[1], "zeros", 1, 1, trainable=False)
            for place, one in enumerate(self.arguments)
            if one[:1] == ("own",)
        }

    def fields(self) -> dict[str, Any]:
        """The layer's fields as lists, which JSON keeps as they are."""
        found = {name: _lists(value) for name, value in super().fields().items() if name != "run"}
        if self.by == LIBRARIES[0]:  # as files of older versions have it
            del found["by"]
        return found


def refuse_boxes(nodes: Iterable[Node], what: str) -> None:
    """UsageError with ``what`` (a clause) is not to be had where some of the nodes are opaque."""
    boxes = [(n.name, n.layer) for n in nodes if isinstance(n.layer, Opaque)]
    found = [f"{name} ({layer.operator})" for name, layer in boxes]
    if found:
        more = f" and {len(found) - 4} more" if len(found) > 4 else ""
        names = f"{', '.join(found[:4])}{more}"
        by = boxes[0][1].by
        raise UsageError(f"{names}: computed by {by} and not opened by beak, so {what}")


def _lists(value: Any) -> Any:
    return [_lists(one) for one in value] if isinstance(value, tuple) else value


def _list(value: Any, what: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise NetworkError(f"Opaque: {what} {short(value)}; a list was wanted")
    return tuple(value)


def _sizes(value: Any, what: str) -> Shape:
    return tuple(whole(size, f"Opaque: {what}: size") for size in _list(value, what))


def _argument(value: Any) -> tuple[Any, ...]:
    """One argument, checked."""
    match _list(value, "argument"):
        case ():
            return ()
        case ("read" | "own" as how, sizes):
            return how, _sizes(sizes, how)
        case (str(kind), sizes, values) if kind in WHOLE:
            shape = tuple(whole(size, "Opaque: size", 0) for size in _list(sizes, kind))
            numbers = _list(values, kind)
            fits = count(shape) == len(numbers) <= MOST_WHOLE
            if fits and all(isinstance(n, int) and -(2**63) <= n < 2**63 for n in numbers):
                return kind, shape, numbers
    raise NetworkError(
        f'Opaque: argument {short(value)}; ["read", shape], ["own", shape], '
        '["int64", shape, values] or [] was wanted'
    )


def _attribute(value: Any) -> tuple[str, Any]:
    """One attribute, checked."""
    match _list(value, "attribute"):
        case (str(name), int() | float() | str() as one) if not isinstance(one, bool):
            return name, one
        case (str(name), list() | tuple() as several):
            kinds = {type(one) for one in several}
            if kinds in ({int}, {float}, {str}) and len(several) <= MOST_WHOLE:
                return name, tuple(several)
    raise NetworkError(
        f"Opaque: attribute {short(value)}; [name, value] with a number, a text or a list of them "
        "was wanted"
    )
