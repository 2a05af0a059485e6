"""Training by another's rules: a loss that the caller computes, and Keras's optimisers.

A learner holds an engine and changes its parameters, step by step. What differs from
``Engine.train_step``: the loss is the caller's (``Judge``), the optimisers are Keras's (Adam's
epsilon beside the uncorrected root, a velocity that holds the learning rate, decay of every
parameter apart from the gradient), all rows of an embedding move, running variances are the
batches' biased ones, and parameters may be frozen, penalised, clipped one by one and constrained.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from beak.engine.interface import Randomness
from beak.errors import UsageError, did_you_mean

Array = np.ndarray[Any, Any]
Judge = Callable[[Array], Array]
"""From the logits (B, *output), as in training, to the loss's gradient by them."""
KINDS = ("sgd", "adam", "rmsprop")


@dataclass(frozen=True)
class Rules:
    """How a gradient becomes a change of the parameters; the learning rate comes with each step."""

    kind: str = "rmsprop"
    """"sgd", "adam" or "rmsprop"."""
    momentum: float = 0.0
    nesterov: bool = False
    beta1: float = 0.9
    beta2: float = 0.999
    rho: float = 0.9
    centred: bool = False
    epsilon: float = 1e-7
    weight_decay: float = 0.0
    """Every parameter that is trained is first multiplied by 1 - learning rate x this."""
    undecayed: frozenset[str] = frozenset()
    """Parameters that are not."""
    l1: Mapping[str, float] = field(default_factory=dict)
    """By parameter: this times the sum of its absolute values is added to the loss."""
    l2: Mapping[str, float] = field(default_factory=dict)
    """By parameter: this times the sum of its squares is added to the loss."""
    clip_value: float | None = None
    clip_each: float | None = None
    """The longest that each parameter's gradient may be (L2)."""
    clip_all: float | None = None
    """The longest that all gradients together may be."""
    frozen: frozenset[str] = frozenset()
    """Parameters that stay; a batch norm whose running mean is here answers as in prediction."""
    constraints: Mapping[str, Callable[[Array], Array]] = field(default_factory=dict)
    """By parameter: what it becomes after each step."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UsageError(f"no optimiser '{self.kind}'{did_you_mean(self.kind, KINDS)}")


class Learner(Protocol):
    """An engine in training by rules."""

    def step(
        self, inputs: Array, judge: Judge, learning_rate: float, randomness: Randomness
    ) -> None:
        """Forward in training, the caller's judgement, backward, and one change of parameters."""

    def penalty(self) -> float:
        """What l1 and l2 add to the loss now."""

    def state(self) -> dict[str, Array]:
        """Moments by kind and parameter and the step count: what the next step depends on."""

    def set_state(self, state: Mapping[str, Array]) -> None:
        """Take what ``state`` gave, with the same rules."""


def clip_scales(rules: Rules, norms: Mapping[str, float]) -> dict[str, float]:
    """What each parameter's gradient is multiplied with, from the gradients' lengths.

    >>> clip_scales(Rules(clip_all=1.0), {"a": 3.0, "b": 4.0})
    {'a': 0.2, 'b': 0.2}
    """
    if rules.clip_each is not None:
        longest = rules.clip_each
        return {name: longest / max(norm, longest) for name, norm in norms.items()}
    if rules.clip_all is not None:
        whole = float(np.sqrt(sum(norm**2 for norm in norms.values())))
        return dict.fromkeys(norms, rules.clip_all / max(whole, rules.clip_all))
    return {}
