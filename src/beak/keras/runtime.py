"""A model at work: its network in an engine, arrays going in and out as Keras lays them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from beak.engine.interface import Randomness
from beak.engine.learning import NativeLearner
from beak.engine.native import NativeEngine
from beak.errors import NetworkError, ShapeError
from beak.exchange.keras_graph import Assembled, assemble
from beak.exchange.keras_stream import Weight
from beak.keras import config
from beak.keras.losses import finish
from beak.keras.optimizers import Optimizer
from beak.keras.tensors import Array, Variable
from beak.network.layer import Layer as BeakLayer
from beak.network.layers import Activation
from beak.network.network import Network

if TYPE_CHECKING:
    from beak.keras.layer import Layer
    from beak.keras.model import Model

Judge = Callable[[Array], Array]
"""From logits as Keras has them to the loss's gradient by them."""
Moments = dict[tuple[int, str], Array]
"""By a variable's id and the learner's name of the kind, in Keras's layout."""


def without_end(network: Network) -> tuple[Network, str | None]:
    """The network up to its last softmax or sigmoid, and which it is; parameters keep their names.

    >>> from beak.network.layers import Dense
    >>> without_end(Network((3,), [Dense(2, activation="softmax")]))[1]
    'softmax'
    """
    last = network.nodes[-1]
    end = getattr(last.layer, "activation", getattr(last.layer, "function", None))
    if end not in ("softmax", "sigmoid"):
        return network, None
    kept = list(network.nodes)
    layers: list[BeakLayer]
    if isinstance(last.layer, Activation):
        kept = kept[:-1]
        if not kept:
            return network, None
        layers = [_placed(node.layer, node.name, node.inputs) for node in kept]
    else:
        layers = [_placed(node.layer, node.name, node.inputs) for node in kept]
        layers[-1] = dataclasses.replace(layers[-1], activation=None)  # type: ignore[call-arg]
    return Network(network.input, layers), end


def _placed(layer: BeakLayer, name: str, inputs: tuple[str, ...]) -> BeakLayer:
    return dataclasses.replace(layer, name=name, inputs=inputs)


class Runtime:
    """The engine of a model, its variables, and who is ahead of whom."""

    def __init__(self, model: Model) -> None:
        calls, layers, output = model.calls()
        self.assembled: Assembled = assemble(calls, output)
        twin, self.end = without_end(self.assembled.network)
        if self.end == "softmax" and self.assembled.output.first:
            raise NetworkError(
                "softmax over channels that come first is not in beak; nearest: Flatten before it"
            )
        self.layers = layers
        self.variables = _variables(self.assembled, layers)
        self.preparing = [layers[name] for name, _ in self.assembled.input.prepared]
        self.engine = NativeEngine(twin, self._parameters())
        self.known = self._versions()
        self.learner: NativeLearner | None = None
        self.seed = 0

    # Who is ahead.

    def bring_back(self) -> None:
        """Write the engine's parameters into the variables."""
        arrays = self.assembled.arrays(self.engine.parameters())
        for variable, array in zip(self.variables, arrays, strict=True):
            variable.receive(array)
        self.known = self._versions()

    def bring_in(self) -> None:
        """Let the engine have what the variables hold, where others changed them."""
        for variable in self.variables:
            if variable.holder is not None and variable.holder is not self:
                variable.holder.bring_back()
        if self._versions() != self.known:
            if any(variable.holder is self for variable in self.variables):
                ahead = dict(zip(map(id, self.variables), self.known, strict=True))
                self._merge(ahead)
            self.engine.set_parameters(self._parameters())
            self.known = self._versions()

    def _merge(self, known: dict[int, int]) -> None:
        """Some variables were set while the engine was ahead with the others."""
        arrays = self.assembled.arrays(self.engine.parameters())
        for variable, array in zip(self.variables, arrays, strict=True):
            if variable.version == known[id(variable)]:
                variable.receive(array)

    def _versions(self) -> list[int]:
        return [variable.version for variable in self.variables]

    def _parameters(self) -> dict[str, Array]:
        return self.assembled.parameters([variable.value for variable in self.variables])

    # Arrays.

    def prepared(self, inputs: Array, training: bool) -> Array:
        """Arrays as they come, through the preparing layers, as the network reads them."""
        wanted = self.assembled.input_shape
        inputs = np.asarray(inputs)
        if inputs.shape[1:] != wanted:
            if inputs.shape[1:] == (*wanted, 1):  # Keras drops an axis of one place too
                inputs = inputs[..., 0]
            elif (*inputs.shape[1:], 1) == wanted:
                inputs = inputs[..., None]
            else:
                raise ShapeError(
                    f"inputs {inputs.shape} came, {('examples', *wanted)} was wanted"
                    + _hint(inputs.shape[1:], wanted)
                )
        for layer in self.preparing:
            inputs = layer.apply(inputs, training)
        if self.engine._words:
            return _words(inputs)
        return self.assembled.to_network(np.asarray(inputs, np.float32))

    def answers(self, inputs: Array) -> tuple[Array, Array]:
        """Logits and answers as Keras has them, as in prediction."""
        self.bring_in()
        logits = self.assembled.from_network(self.engine.forward(self.prepared(inputs, False)))
        return logits, finish(self.end, logits)

    # Training.

    def start(self, optimizer: Optimizer) -> NativeLearner:
        """Take an optimiser: its moments begin at zero, what is frozen is taken down."""
        self.learner = NativeLearner(self.engine, optimizer.rules(**self._around(optimizer)))
        self.seed = config.draw_seed()
        return self.learner

    def step(self, inputs: Array, judge: Judge, rate: float, epoch: int, numbers: Array) -> None:
        """One change of the parameters."""
        assert self.learner is not None
        made = self.assembled

        def judged(logits: Array) -> Array:
            return made.back_to_network(judge(made.from_network(logits)))

        randomness = Randomness(self.seed, epoch, numbers)
        self.learner.step(self.prepared(inputs, True), judged, rate, randomness)

    def weight_of(self) -> dict[int, Weight]:
        """Where each variable, by its id, lies in the network."""
        return {
            id(variable): weight
            for variable, (_, weight) in zip(self.variables, self.assembled.weights, strict=True)
        }

    def moments(self) -> Moments:
        """What the learner remembers of each variable, as Keras lays it."""
        assert self.learner is not None
        state, kinds = self.learner.state(), list(self.learner.moments)
        return {
            (at, kind): np.ascontiguousarray(weight.to_keras(state[f"{kind}.{weight.parameter}"]))
            for at, weight in self.weight_of().items()
            for kind in kinds
            if f"{kind}.{weight.parameter}" in state
        }

    def remember(self, moments: Moments, steps: int) -> None:
        """Let the learner go on with these moments, behind so many steps."""
        assert self.learner is not None
        state, weights = self.learner.state(), self.weight_of()
        for (at, kind), array in moments.items():
            weight = weights[at]
            state[f"{kind}.{weight.parameter}"] = weight.to_beak(np.asarray(array, np.float32))
        self.learner.set_state({**state, "step": np.array(steps, np.int64)})

    def take_over(self) -> None:
        """From now on the engine holds the newest values."""
        for variable in self.variables:
            variable.holder = self

    def penalty(self) -> float:
        """What regularisers add to the loss."""
        return self.learner.penalty() if self.learner is not None else self._penalty_now()

    def _penalty_now(self) -> float:
        return float(
            sum(
                float(penalty(variable.value))
                for layer in {id(one): one for one in self.layers.values()}.values()
                for variable, penalty in layer.penalties()
            )
        )

    def _around(self, optimizer: Optimizer) -> dict[str, Any]:
        """What of the rules hangs on the model: what is frozen, penalised, constrained."""
        place = self.weight_of()
        frozen, l1, l2, constraints = set(self.assembled.fixed), {}, {}, {}
        for layer in self.layers.values():
            if not layer.trainable:
                frozen |= {place[id(v)].parameter for v in layer.variables if id(v) in place}
            for variable, penalty in layer.penalties():
                name = place[id(variable)].parameter
                if penalty.l1:
                    l1[name] = penalty.l1
                if penalty.l2:
                    l2[name] = penalty.l2
            for variable, constraint in layer.constraints():
                weight = place[id(variable)]
                constraints[weight.parameter] = _turned(constraint, weight)
        undecayed = {place[id(v)].parameter for v in self.variables if optimizer.spares(v)}
        return {
            "frozen": frozenset(frozen), "l1": l1, "l2": l2, "constraints": constraints,
            "undecayed": frozenset(undecayed),
        }  # fmt: skip


def _turned(constraint: Callable[[Array], Array], weight: Weight) -> Callable[[Array], Array]:
    """A constraint on Keras's layout as one on beak's."""
    return lambda array: weight.to_beak(constraint(weight.to_keras(array)))


def _variables(assembled: Assembled, layers: dict[str, Layer]) -> list[Variable]:
    """The variable of each weight; NetworkError where a layer's arrays stand in two places."""
    found: list[Variable] = []
    seen: set[int] = set()
    for call, weight in assembled.weights:
        own = {variable.name: variable for variable in layers[call]._variables}
        variable = own[weight.name]
        if id(variable) in seen:
            raise config.refuse(
                f"the layer '{layers[call].name}' called twice in one model, its weights shared,",
                "two layers",
            )
        seen.add(id(variable))
        found.append(variable)
    return found


def _words(inputs: Array) -> Array:
    whole = np.asarray(inputs).astype(np.int32)
    if not (whole == inputs).all():
        raise ShapeError("an Embedding reads whole word numbers; fractions came")
    return whole


def _hint(came: Sequence[int], wanted: Sequence[int]) -> str:
    if len(came) == 3 and tuple(came) == (*wanted[1:], wanted[0]):
        return "; channels come first in this model: np.moveaxis(x, -1, 1)"
    if len(came) == 3 and tuple(came) == (wanted[-1], *wanted[:-1]):
        return "; channels come last in this model: np.moveaxis(x, 1, -1)"
    if int(np.prod(came)) == int(np.prod(wanted)):
        return f"; x.reshape(-1, {', '.join(map(str, wanted))})"
    return ""
