"""Ways to write nodes in a Python list, and the turning of such a list into named nodes."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from beak.errors import NetworkError, did_you_mean
from beak.network.layer import Layer, short
from beak.network.layers import Activation, Add, Concat

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,199}")


@dataclass(frozen=True)
class Residual:
    """Layers around which a shortcut leads: body, shortcut, Add, and an activation where given.

    ``shortcut``: layers on the way round, for a body that changes the shape; none is the input.
    """

    body: Sequence[Layer | Residual | Parallel]
    shortcut: Sequence[Layer | Residual | Parallel] = ()
    name: str | None = None
    activation: str | None = None


@dataclass(frozen=True, init=False)
class Parallel:
    """Branches that read the same input, joined by Concat; a branch is a layer or a list."""

    branches: tuple[Layer | Residual | Sequence[Layer | Residual | Parallel], ...]
    name: str | None = None

    def __init__(
        self,
        *branches: Layer | Residual | Sequence[Layer | Residual | Parallel],
        name: str | None = None,
    ) -> None:
        object.__setattr__(self, "branches", branches)
        object.__setattr__(self, "name", name)


Written = Layer | Residual | Parallel


@dataclass(frozen=True)
class Draft:
    """A node before its shapes are known; its layer bears neither name nor inputs."""

    name: str
    layer: Layer
    inputs: tuple[str, ...]


def write_nodes(layers: Iterable[Written]) -> list[Draft]:
    """Named nodes from layers and writers in order, or NetworkError."""
    writer = _Writer()
    writer.write(list(layers), "", "input")
    return writer.drafts


def bare(layer: Layer) -> Layer:
    """The layer without name and inputs, which belong to its node."""
    return dataclasses.replace(layer, name=None, inputs=None)


class _Writer:
    """What is written so far: drafts, and where each name leads (a writer's: to its last node)."""

    def __init__(self) -> None:
        self.drafts: list[Draft] = []
        self.leads = {"input": "input"}
        self.given: set[str] = set()  # made names keep clear of these, also of those to come

    def write(self, layers: list[Written], scope: str, before: str) -> str:
        """Write layers under a scope such as "res1."; the name of the last node."""
        counts: Counter[str] = Counter()
        self.given |= {f"{scope}{item.name}" for item in layers if isinstance(item, Written)}
        for item in layers:
            if isinstance(item, Residual):
                before = self._residual(item, self._name(item.name, "res", scope, counts), before)
            elif isinstance(item, Parallel):
                name = self._name(item.name, "parallel", scope, counts)
                before = self._parallel(item, name, before)
            elif isinstance(item, Layer):
                before = self._layer(item, scope, counts, before)
            else:
                raise NetworkError(
                    f"{short(item)} is no layer; a list of layers was wanted, as [Conv2D(25, 3), …]"
                )
        return before

    def _layer(self, layer: Layer, scope: str, counts: Counter[str], before: str) -> str:
        prefix = layer.function if isinstance(layer, Activation) else layer.prefix
        name = self._name(layer.name, prefix, scope, counts)
        if layer.inputs is None:
            inputs: tuple[str, ...] = (before,)
        else:
            inputs = tuple(self._lookup(wanted, name, scope) for wanted in layer.inputs)
        least, most = layer.arity
        if len(inputs) < least:
            raise NetworkError(
                f"{name}: {layer.kind} joins at least {least} inputs, {len(inputs)} came; "
                f'name them, as {layer.kind}(inputs=("conv1", "conv2"))'
            )
        if most is not None and len(inputs) > most:
            raise NetworkError(
                f"{name}: {layer.kind} reads one input, not {len(inputs)}; "
                "join them first with Concat, Add or Multiply"
            )
        self._add(name, layer, inputs)
        return name

    def _add(self, name: str, layer: Layer, inputs: tuple[str, ...]) -> None:
        self.drafts.append(Draft(name, bare(layer), inputs))
        self.leads[name] = name

    def _residual(self, residual: Residual, name: str, before: str) -> str:
        if not residual.body:
            raise NetworkError(f"{name}: a Residual needs at least one layer in its body")
        scope = f"{name}."
        body = self.write(as_list(residual.body), scope, before)
        shortcut = self.write(as_list(residual.shortcut), f"{scope}shortcut.", before)
        last = f"{scope}add"
        self._new(last)
        self._add(last, Add(), (body, shortcut))
        if residual.activation is not None:
            last = f"{scope}{residual.activation}"
            self._new(last)
            self._add(last, Activation(residual.activation), (f"{scope}add",))
        self.leads[name] = last
        return last

    def _parallel(self, parallel: Parallel, name: str, before: str) -> str:
        if len(parallel.branches) < 2:
            raise NetworkError(f"{name}: Parallel needs at least two branches")
        ends = tuple(
            self.write(as_list(branch), f"{name}.branch{number}.", before)
            for number, branch in enumerate(parallel.branches, start=1)
        )
        last = f"{name}.concat"
        self._new(last)
        self._add(last, Concat(), ends)
        self.leads[name] = last
        return last

    def _name(self, given: str | None, prefix: str, scope: str, counts: Counter[str]) -> str:
        """The given name, or the next free one made from the prefix; in the scope."""
        if given is not None:
            if not isinstance(given, str) or not NAME.fullmatch(given) or given == "input":
                raise NetworkError(
                    f"the name {short(given)} cannot be used; letters, digits, '_', '.' and '-' "
                    "were wanted, and 'input' is the network's own"
                )
            self._new(scope + given)
            return scope + given
        while True:
            counts[prefix] += 1
            name = f"{scope}{prefix}{counts[prefix]}"
            if name not in self.leads and name not in self.given:
                return name

    def _new(self, name: str) -> None:
        if name in self.leads:
            raise NetworkError(f"the name {name!r} is given twice; each node needs its own")

    def _lookup(self, wanted: str, reader: str, scope: str) -> str:
        """The node that a name leads to, seen from inside a scope outward."""
        parts = scope.split(".")
        for depth in range(len(parts) - 1, -1, -1):
            name = ".".join([*parts[:depth], str(wanted)])
            if name in self.leads and name != reader:
                return self.leads[name]
        if wanted in self.given or wanted == reader:
            raise NetworkError(
                f"{reader} reads {short(wanted)}, which does not stand before it; "
                "a network has no loops: a node reads only nodes above it"
            )
        raise NetworkError(
            f"{reader} reads {short(wanted)}, which does not exist"
            + did_you_mean(str(wanted), self.leads)
        )


def as_list(written: Written | Iterable[Written]) -> list[Written]:
    """One layer as a list of it."""
    return [written] if isinstance(written, Written) else list(written)
