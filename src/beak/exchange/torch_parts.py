"""Parts of a module that torch.export cannot trace, such as those that decide by numbers.

Each becomes one operator of PyTorch's, made for the time being, so that the rest can be traced.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from beak.exchange.importing import Imported
from beak.exchange.torch_boxes import BoxedReading
from beak.exchange.torch_read import FAILED, UntracedError, evaluating, read_module, traced

NUMBERS = itertools.count()
SPACE = "beak_part"
Seen = dict[nn.Module, tuple[torch.Tensor, torch.Tensor]]


def read_boxed(module: nn.Module, input_shape: Sequence[int], name: str = "") -> Imported:
    """As ``read_module``, but what has no layer is a box that PyTorch computes.

    RunError: random numbers are drawn, it reads or gives several tensors, or torch.export cannot
    trace its outermost ``forward``.
    """
    try:
        return read_module(module, input_shape, name, BoxedReading)
    except UntracedError as error:
        shape = tuple(input_shape)
        try:
            seen = _seen(module, torch.zeros(1, *shape, device=error.device))
        except FAILED:  # it cannot even be run
            raise error from None
        parts = _untraced(module, seen)
        if not parts or module in parts:
            raise
        with _as_operators(parts, seen):
            return read_module(module, input_shape, name, BoxedReading)


def _seen(module: nn.Module, example: torch.Tensor) -> Seen:
    """What each part is given and gives, where it is one tensor each."""
    found: Seen = {}

    def keep(part: nn.Module, given: tuple[Any, ...], gave: Any) -> None:
        if len(given) == 1 and all(isinstance(one, torch.Tensor) for one in (*given, gave)):
            found.setdefault(part, (given[0].detach().clone(), gave.detach().clone()))

    hooks = [part.register_forward_hook(keep) for part in module.modules()]
    try:
        with evaluating(module), torch.no_grad():
            module(example)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def _untraced(module: nn.Module, seen: Seen) -> list[nn.Module]:
    """The innermost parts that cannot be traced; the module itself where no part is to blame."""
    parts = [part for part in module.children() if part in seen and not _is_traced(part, seen)]
    inner = [one for part in parts for one in _untraced(part, seen)]
    return list(dict.fromkeys(inner)) or [module]


def _is_traced(part: nn.Module, seen: Seen) -> bool:
    try:
        traced(part, seen[part][0], "")
    except UntracedError:
        return False
    return True


@contextmanager
def _as_operators(parts: Sequence[nn.Module], seen: Seen) -> Iterator[None]:
    """Each of the parts as one operator, while the module around them is traced."""
    operators: Any = torch.library
    library = operators.Library(SPACE, "FRAGMENT")
    for part in parts:
        name = f"part{next(NUMBERS)}"
        library.define(f"{name}(Tensor x) -> Tensor")
        library.impl(name, _computing(part, library), "CompositeExplicitAutograd")
        operators.register_fake(f"{SPACE}::{name}", _shaped(seen[part][1]), lib=library)
        part.forward = getattr(getattr(torch.ops, SPACE), name)
    try:
        yield
    finally:
        for part in parts:
            del part.forward


def _computing(part: nn.Module, library: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """The part's own way, in evaluation mode; it keeps its operator's library alive."""
    forward = part.forward

    def compute(x: torch.Tensor, _kept: Any = library) -> torch.Tensor:
        with evaluating(part), torch.no_grad():
            found: torch.Tensor = forward(x)
            return found.clone()

    return compute


def _shaped(gave: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda x: x.new_empty(gave.shape, dtype=gave.dtype)
