"""Optimisers and schedules, as Keras defines them; the engine does their sums."""

from __future__ import annotations

import math
from typing import Any

from beak.engine.rules import Rules
from beak.errors import UsageError, did_you_mean
from beak.exchange.keras_names import snake
from beak.keras import config
from beak.keras.named import Named


class LearningRateSchedule(Named):
    """A learning rate for each step; one of your own defines ``__call__(step)``."""

    module = "optimizers.schedules"

    def __call__(self, step: int) -> float:
        """The rate of this step, the first being 0."""
        raise config.lacks(self, "__call__(step), which gives the rate")


class Rate:
    """An optimiser's learning rate as a variable that callbacks read and set."""

    def __init__(self, value: float) -> None:
        self.assign(value)

    def assign(self, value: Any) -> None:
        """Set it."""
        if isinstance(value, str) or not hasattr(value, "__float__"):
            raise UsageError(f"learning_rate={value!r}; a number or a schedule was wanted")
        self.value = float(value)

    def numpy(self) -> float:
        """The rate."""
        return self.value

    def __float__(self) -> float:
        return self.value

    def __repr__(self) -> str:
        return f"<Rate {self.value:g}>"


class Optimizer(Named):
    """What the optimisers share: rate, decay, clipping."""

    module = "optimizers"
    kind = ""

    def _begin(self, learning_rate: Any, **shared: Any) -> None:
        for option, default in (
            ("use_ema", False), ("loss_scale_factor", None), ("gradient_accumulation_steps", None),
            ("amsgrad", False),
        ):  # fmt: skip
            if shared.pop(option, default) not in (default, None):
                raise config.refuse(f"{type(self).__name__}({option}=…)", "it without")
        for ignored in ("ema_momentum", "ema_overwrite_frequency", "jit_compile", "epoch"):
            shared.pop(ignored, None)
        if "lr" in shared:
            config.note(f"{type(self).__name__}: lr is called learning_rate today")
            learning_rate = shared.pop("lr")
        if "decay" in shared and shared.pop("decay"):
            raise config.refuse("decay", "learning_rate=schedules.InverseTimeDecay(…)")
        self.name = shared.pop("name", None) or config.unique_name(snake(type(self).__name__))
        self.weight_decay = shared.pop("weight_decay", None)
        self.clipnorm = shared.pop("clipnorm", None)
        self.clipvalue = shared.pop("clipvalue", None)
        self.global_clipnorm = shared.pop("global_clipnorm", None)
        if shared:
            known = ("learning_rate", "weight_decay", "clipnorm", "clipvalue", "global_clipnorm")
            name = next(iter(shared))
            raise UsageError(
                f"{type(self).__name__}: unknown field {name!r}{did_you_mean(name, known)}"
            )
        if sum(x is not None for x in (self.clipnorm, self.clipvalue, self.global_clipnorm)) > 1:
            raise UsageError("clipnorm, clipvalue and global_clipnorm: one of them was wanted")
        self._undecayed: set[int] = set()
        self._rate: Any = None
        if isinstance(learning_rate, dict):
            learning_rate = schedule(learning_rate)
        self.learning_rate = learning_rate
        self.iterations = 0

    @property
    def learning_rate(self) -> Any:
        """The rate: a variable, or what the schedule says now."""
        if isinstance(self._rate, LearningRateSchedule):
            return float(self._rate(self.iterations))
        return self._rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if isinstance(value, LearningRateSchedule):
            self._rate = value
        elif callable(value):
            raise config.refuse("a function as a learning rate", "callbacks.LearningRateScheduler")
        elif isinstance(self._rate, Rate):
            self._rate.assign(value)
        else:
            self._rate = Rate(value)

    lr = learning_rate

    @property
    def scheduled(self) -> bool:
        """Whether the rate follows a schedule."""
        return isinstance(self._rate, LearningRateSchedule)

    def exclude_from_weight_decay(self, var_list: Any = None, var_names: Any = None) -> None:
        """Leave these variables undecayed."""
        if var_names:
            raise config.refuse("exclude_from_weight_decay(var_names=…)", "var_list")
        self._undecayed |= {id(variable) for variable in var_list or ()}

    def spares(self, variable: Any) -> bool:
        """Whether a variable is left undecayed."""
        return id(variable) in self._undecayed

    def rules(self, **around: Any) -> Rules:
        """What the engine follows."""
        return Rules(
            self.kind,
            weight_decay=self.weight_decay or 0.0,
            clip_value=_above(self.clipvalue),
            clip_each=_above(self.clipnorm),
            clip_all=_above(self.global_clipnorm),
            **self.own(),
            **around,
        )

    def own(self) -> dict[str, Any]:
        """The fields that only this optimiser has, by their names in ``Rules``."""
        return {}

    def get_config(self) -> dict[str, Any]:
        """Its settings as plain values."""
        rate = self._rate.serialised() if self.scheduled else float(self._rate)
        own = {k: v for k, v in vars(self).items() if not k.startswith("_") and k != "iterations"}
        return {"name": self.name, "learning_rate": rate, **own}

    @classmethod
    def from_config(cls, settings: dict[str, Any]) -> Any:
        """One made of ``get_config``'s values."""
        return cls(**settings)


class SGD(Optimizer):
    """Gradient descent, with a velocity where momentum is given."""

    kind = "sgd"

    def __init__(
        self,
        learning_rate: Any = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        **shared: Any,
    ) -> None:
        self._begin(learning_rate, **shared)
        self.momentum, self.nesterov = _share(momentum, "momentum"), bool(nesterov)

    def own(self) -> dict[str, Any]:
        """Momentum and Nesterov's."""
        return {"momentum": self.momentum, "nesterov": self.nesterov}


class Adam(Optimizer):
    """Adam of Kingma and Ba, epsilon beside the uncorrected root."""

    kind = "adam"

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        weight_decay: float | None = None,
        **shared: Any,
    ) -> None:
        self._begin(learning_rate, amsgrad=amsgrad, weight_decay=weight_decay, **shared)
        self.beta_1, self.beta_2 = float(beta_1), float(beta_2)
        self.epsilon = 1e-7 if epsilon is None else float(epsilon)

    def own(self) -> dict[str, Any]:
        """The moments' decays."""
        return {"beta1": self.beta_1, "beta2": self.beta_2, "epsilon": self.epsilon}


class AdamW(Adam):
    """Adam with decay apart from the gradient."""

    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **shared: Any,
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay, **shared)


class RMSprop(Optimizer):
    """Steps divided by the root of the mean square of late gradients."""

    kind = "rmsprop"

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        **shared: Any,
    ) -> None:
        self._begin(learning_rate, **shared)
        self.rho, self.momentum = float(rho), float(momentum)
        self.epsilon = 1e-7 if epsilon is None else float(epsilon)
        self.centered = bool(centered)

    def own(self) -> dict[str, Any]:
        """What is remembered."""
        return {
            "rho": self.rho, "momentum": self.momentum, "epsilon": self.epsilon,
            "centred": self.centered,
        }  # fmt: skip


def _share(value: Any, what: str) -> float:
    if isinstance(value, str) or not 0 <= value <= 1:
        raise UsageError(f"{what}={value!r}; from 0 to 1 was wanted")
    return float(value)


def _above(limit: float | None) -> float | None:
    """A limit to clip at; none where it is not above 0, as in Keras."""
    return limit if limit is not None and limit > 0 else None


TABLE: dict[str, type[Optimizer]] = {"sgd": SGD, "adam": Adam, "adamw": AdamW, "rmsprop": RMSprop}
NEAREST = {
    "Adagrad": "RMSprop",
    "Adadelta": "RMSprop",
    "Adamax": "Adam",
    "Nadam": "Adam, or SGD(momentum=0.9, nesterov=True)",
    "Ftrl": "SGD",
    "Lion": "AdamW",
    "Lamb": "AdamW",
    "Muon": "AdamW",
    "Adafactor": "Adam",
    "LossScaleOptimizer": "the optimizer itself: all is float32",
}


def get(value: Any) -> Optimizer:
    """An optimiser from a name, an object or a config."""
    if isinstance(value, Optimizer):
        return value
    if isinstance(value, type) and issubclass(value, Optimizer):
        return value()
    settings: dict[str, Any] = {}
    if isinstance(value, dict):
        settings, value = value.get("config", {}), value.get("class_name")
    if isinstance(value, str) and value.lower() in TABLE:
        return TABLE[value.lower()](**settings)
    low = {name.lower(): near for name, near in NEAREST.items()}
    near = low.get(str(value).lower())
    hint = f"; nearest: {near}" if near else did_you_mean(str(value), TABLE)
    raise UsageError(f"the optimizer {value!r} is not in beak{hint}")


# Schedules.


class ExponentialDecay(LearningRateSchedule):
    """Rate x decay_rate^(step / decay_steps)."""

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ) -> None:
        self.initial_learning_rate, self.decay_steps = initial_learning_rate, decay_steps
        self.decay_rate, self.staircase, self.name = decay_rate, staircase, name

    def __call__(self, step: int) -> float:
        """The rate of this step."""
        times = step / self.decay_steps
        times = math.floor(times) if self.staircase else times
        return float(self.initial_learning_rate * self.decay_rate**times)


class InverseTimeDecay(ExponentialDecay):
    """Rate / (1 + decay_rate x step / decay_steps)."""

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "InverseTimeDecay",
    ) -> None:
        super().__init__(initial_learning_rate, decay_steps, decay_rate, staircase, name)

    def __call__(self, step: int) -> float:
        """The rate of this step."""
        times = step / self.decay_steps
        times = math.floor(times) if self.staircase else times
        return float(self.initial_learning_rate / (1 + self.decay_rate * times))


class PiecewiseConstantDecay(LearningRateSchedule):
    """values[0] up to boundaries[0], values[1] up to boundaries[1], …"""

    def __init__(self, boundaries: Any, values: Any, name: str = "PiecewiseConstant") -> None:
        if len(boundaries) != len(values) - 1:
            raise UsageError(f"{len(boundaries)} boundaries want {len(boundaries) + 1} values")
        self.boundaries, self.values, self.name = list(boundaries), list(values), name

    def __call__(self, step: int) -> float:
        """The rate of this step."""
        return float(self.values[sum(step > boundary for boundary in self.boundaries)])


class PolynomialDecay(LearningRateSchedule):
    """From one rate to another by a power of the time that is left."""

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ) -> None:
        self.initial_learning_rate, self.decay_steps = initial_learning_rate, decay_steps
        self.end_learning_rate, self.power = end_learning_rate, power
        self.cycle, self.name = cycle, name

    def __call__(self, step: int) -> float:
        """The rate of this step."""
        whole = self.decay_steps
        if self.cycle:
            whole *= 1 if step == 0 else math.ceil(step / self.decay_steps)
        left = 1 - min(step, whole) / whole
        span = self.initial_learning_rate - self.end_learning_rate
        return float(span * left**self.power + self.end_learning_rate)


class CosineDecay(LearningRateSchedule):
    """Half a cosine down to alpha x the rate, after a straight rise where one is asked for."""

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: int = 0,
    ) -> None:
        self.initial_learning_rate, self.decay_steps = initial_learning_rate, decay_steps
        self.alpha, self.name = alpha, name
        self.warmup_target, self.warmup_steps = warmup_target, warmup_steps

    def __call__(self, step: int) -> float:
        """The rate of this step."""
        top = self.initial_learning_rate
        if self.warmup_target is not None:
            if step < self.warmup_steps:
                return float(top + (self.warmup_target - top) * step / self.warmup_steps)
            top, step = self.warmup_target, step - self.warmup_steps
        done = min(step, self.decay_steps) / self.decay_steps
        share = 0.5 * (1 + math.cos(math.pi * done))
        return float(top * ((1 - self.alpha) * share + self.alpha))


SCHEDULES: dict[str, type[LearningRateSchedule]] = {
    kind.__name__: kind
    for kind in (
        ExponentialDecay, InverseTimeDecay, PiecewiseConstantDecay, PolynomialDecay, CosineDecay,
    )
}  # fmt: skip


def schedule(value: dict[str, Any]) -> LearningRateSchedule:
    """A schedule from its config."""
    name = value.get("class_name", "")
    if name not in SCHEDULES:
        raise UsageError(f"the schedule {name!r} is not in beak{did_you_mean(name, SCHEDULES)}")
    made: LearningRateSchedule = SCHEDULES[name].from_config(value.get("config", {}))
    return made


class schedules:  # noqa: N801 - a module in Keras
    """``keras.optimizers.schedules``."""

    LearningRateSchedule = LearningRateSchedule
    ExponentialDecay = ExponentialDecay
    InverseTimeDecay = InverseTimeDecay
    PiecewiseConstantDecay = PiecewiseConstantDecay
    PolynomialDecay = PolynomialDecay
    CosineDecay = CosineDecay


__getattr__ = config.missing("optimizers", [k.__name__ for k in TABLE.values()], NEAREST)
