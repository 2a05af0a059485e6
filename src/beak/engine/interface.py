"""What every engine can do: the one small interface that training, runs and the lens use.

An engine holds one network and its parameters. Arrays that cross this border are channels first,
float32, C-contiguous: inputs (B, *network.input) (int32 word numbers where the network starts
with an Embedding), parameters under the network's names and in its shapes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from beak.network.network import Network

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Loss:
    """Cross-entropy over classes, the mean over the batch (weighted: over the sum of weights)."""

    label_smoothing: float = 0.0
    class_weights: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Optimiser:
    """How a gradient becomes a change of the parameters; the learning rate comes with each step."""

    kind: str = "adamw"
    """"sgd", "adam" (decay added to the gradient) or "adamw" (decay apart)."""
    momentum: float = 0.9
    nesterov: bool = False
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.0
    """Decays the parameters whose ``Parameter.decay`` is true: weights, not biases or norms."""
    clip_norm: float | None = None
    """The whole gradient is scaled down to this L2 norm when it is longer."""
    average: float | None = None
    """Decay of an exponential moving average of the parameters (EMA), kept beside them."""


@dataclass(frozen=True)
class Randomness:
    """Where a step's random numbers (dropout) come from: streams indexed, never drawn in order."""

    seed: int
    epoch: int
    examples: Array
    """int64 (B,): the number of each example in the training part."""


@dataclass(frozen=True)
class StepResult:
    """What a training step saw, before it changed the parameters."""

    loss: float
    """The batch's mean loss, label smoothing and class weights included."""
    correct: int
    """How many examples had their label as the strongest answer (a tie: the first class)."""
    examples: int


@dataclass(frozen=True)
class Gradients:
    """Gradients of a scalar by the parameters, by the input and by nodes' outputs."""

    parameters: dict[str, Array]
    input: Array
    nodes: dict[str, Array] = field(default_factory=dict)
    """By the outputs of the nodes that were asked for."""


class Engine(Protocol):
    """A network that can be run, differentiated and trained.

    Several threads may ask for answers, activations and gradients at once; one trains.
    """

    name: str
    """"native", "torch" or "reference"."""
    network: Network

    def parameters(self, average: bool = False) -> dict[str, Array]:
        """Copies of all parameters, running statistics included, in the network's order.

        ``average``: the moving average of the trainable ones (``Optimiser.average``).
        """

    def set_parameters(self, parameters: Mapping[str, Array]) -> None:
        """Take parameters; a missing, unknown or misshapen name raises ShapeError."""

    def forward(self, inputs: Array) -> Array:
        """The network's answers (B, *network.output), as in prediction (dropout off)."""

    def logits(self, inputs: Array) -> Array:
        """What stands before the final softmax; the answers themselves where there is none."""

    def activations(self, inputs: Array) -> dict[str, Array]:
        """Every node's output by name, "input" first: unfused, unfolded, direct kernels."""

    def fast_activations(self, inputs: Array) -> dict[str, Array]:
        """The nodes' outputs that ``forward`` writes on its way, by name.

        A node whose kernel goes on to the next one without writing its own output is not there.
        """

    def gradients(
        self,
        inputs: Array,
        output_gradient: Array,
        node: str | None = None,
        at: Sequence[str] = (),
    ) -> Gradients:
        """Gradients of sum(node's output x output_gradient), as in prediction.

        ``node``: by name; None is the logits. ``at``: names of nodes by whose outputs too; where
        nothing that was asked for depends on one, its gradient is 0.
        """

    def loss_gradients(
        self, inputs: Array, labels: Array, loss: Loss, randomness: Randomness
    ) -> tuple[StepResult, Gradients]:
        """One training-mode pass (batch statistics, dropout) without changing parameters."""

    def start_training(self, optimiser: Optimiser, loss: Loss) -> None:
        """Prepare moments, the average and the training plan; steps count from 0."""

    def train_step(
        self, inputs: Array, labels: Array, learning_rate: float, randomness: Randomness
    ) -> StepResult:
        """Forward, backward and update for one batch; labels are int32 (B,)."""

    def training_state(self) -> dict[str, Array]:
        """Everything besides the parameters that the next step depends on: moments, the average,
        the step count. Together with ``parameters()`` it continues to the same bytes.
        """

    def set_training_state(self, state: Mapping[str, Array]) -> None:
        """Take what ``training_state`` gave, after ``start_training`` with the same settings."""
