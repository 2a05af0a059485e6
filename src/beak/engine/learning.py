"""Training by rules (see ``rules.py``) on the native engine."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from beak.engine.checks import check_names, check_not_empty
from beak.engine.interface import Randomness
from beak.engine.lowering.context import split
from beak.engine.native import NativeEngine
from beak.engine.rules import Array, Judge, Rules, clip_scales
from beak.engine.slots import Slot, running_statistics
from beak.engine.tape import Tape
from beak.errors import ShapeError
from beak.network.layers import BatchNorm
from beak.ops.optimiser import kernels

MOMENTS = {"sgd": ("velocity",), "adam": ("first", "second"), "rmsprop": ("velocity", "second")}


class NativeLearner:
    """Changes a native engine's parameters by rules."""

    def __init__(self, engine: NativeEngine, rules: Rules) -> None:
        self.engine, self.rules = engine, rules
        self.steps = 0
        size = engine.slots.trainable_size
        kinds = [*MOMENTS[rules.kind], *(["mean"] if rules.centred else [])]
        if rules.kind != "adam" and not rules.momentum:
            kinds.remove("velocity")
        self.moments = {kind: np.zeros(size, np.float32) for kind in kinds}
        self._settings = np.ones(8)
        self._update = self._calls().build(np.empty(0, np.uint8))
        slots = engine.slots.trainable
        self._frozen = [slots[name] for name in sorted(rules.frozen) if name in slots]
        self._norms = [
            (node.name, int(np.prod(node.output[1:])), node.layer.momentum)
            for node in engine.network.nodes
            if isinstance(node.layer, BatchNorm) and running_statistics(node)[0] not in rules.frozen
        ]
        engine._frozen = rules.frozen
        engine._plans.clear()

    def step(
        self, inputs: Array, judge: Judge, learning_rate: float, randomness: Randomness
    ) -> None:
        """Forward in training, the caller's judgement, backward, and one change of parameters."""
        engine, fixed = self.engine, self.engine._buffers.fixed
        inputs = engine._checked(inputs)
        check_not_empty(len(inputs))
        plan = engine._plan("learn", len(inputs))
        plan.examples[:] = randomness.examples
        plan.stream[:] = randomness.seed % 2**32, randomness.epoch
        before = fixed.copy() if self._norms else fixed
        engine._stage(plan, inputs)
        ahead, back = plan.halves
        ahead.run(engine.threads)
        gradient = judge(engine._out(plan.logits, engine.network.output))
        if not len(self.engine.slots.trainable):
            return
        assert plan.output_gradient is not None
        engine._into(plan.output_gradient, gradient)
        for segment in engine.slots.segments:
            if segment.rows is not None:  # backward writes the rows that the batch touched
                engine._buffers.gradient[segment.begin : segment.begin + segment.size] = 0
        back.run(engine.threads)
        self._count_biased(before, len(inputs))
        self._change(learning_rate)
        engine._version += 1

    def penalty(self) -> float:
        """What l1 and l2 add to the loss now."""
        weights, found = self.engine._buffers.parameters, 0.0
        for name, factor in self.rules.l1.items():
            found += factor * float(np.abs(weights[self._slot(name).range]).sum(dtype=np.float64))
        for name, factor in self.rules.l2.items():
            here = weights[self._slot(name).range].astype(np.float64)
            found += factor * float(here @ here)
        return found

    def state(self) -> dict[str, Array]:
        """Moments by kind and parameter, and the step count."""
        named = {
            f"{kind}.{name}": value
            for kind, flat in self.moments.items()
            for name, value in self.engine._unpack(flat).items()
        }
        return {"step": np.array(self.steps, np.int64), **named}

    def set_state(self, state: Mapping[str, Array]) -> None:
        """Take what ``state`` gave, with the same rules."""
        check_names("training state", state, self.state())
        for kind, flat in self.moments.items():
            for name, slot in self.engine.slots.trainable.items():
                value = np.asarray(state[f"{kind}.{name}"])
                if value.shape != slot.shape:
                    raise ShapeError(f"{kind}.{name} has shape {value.shape}, not {slot.shape}")
                flat[slot.range] = slot.pack(value)
        self.steps = int(state["step"])

    def _slot(self, name: str) -> Slot:
        return self.engine.slots.trainable[name]

    def _calls(self) -> Tape:
        """The optimiser's step over all parameters at once."""
        tape, rules, b = Tape(), self.rules, self.engine._buffers
        count = len(b.parameters)
        known = {"parameters": b.parameters, "gradient": b.gradient, "settings": self._settings}
        moment, moments, parts = self.moments.get("velocity"), self.moments, split(count * 2)
        if rules.kind == "adam":
            tape.emit(
                kernels.ADAM, parts, **known, moment1=moments["first"], moment2=moments["second"],
                average=None, count=count, beta1=rules.beta1, beta2=rules.beta2,
                epsilon=rules.epsilon, decay=0.0, decoupled=0,
            )  # fmt: skip
        elif rules.kind == "rmsprop":
            tape.emit(
                kernels.RMSPROP, parts, **known, moment1=moment, moment2=moments["second"],
                mean=moments.get("mean"), count=count, rho=rules.rho, momentum=rules.momentum,
                epsilon=rules.epsilon,
            )  # fmt: skip
        elif moment is not None:
            tape.emit(
                kernels.VELOCITY, parts, **known, moment=moment, count=count,
                momentum=rules.momentum, nesterov=int(rules.nesterov),
            )  # fmt: skip
        else:
            tape.emit(
                kernels.SGD, parts, **known, moment=None, average=None, count=count,
                momentum=0.0, nesterov=0, decay=0.0,
            )  # fmt: skip
        return tape

    def _change(self, learning_rate: float) -> None:
        rules, b, settings = self.rules, self.engine._buffers, self._settings
        self._shape_gradient()
        kept = [(slot, b.parameters[slot.range].copy()) for slot in self._frozen]
        self._decay(learning_rate)
        self.steps += 1
        settings[0] = learning_rate
        settings[1] = 1 - rules.beta1**self.steps
        settings[2] = 1 - rules.beta2**self.steps
        settings[6] = 1 / np.sqrt(settings[2])
        self._update.run(self.engine.threads)
        for slot, values in kept:
            b.parameters[slot.range] = values
        for name, constraint in rules.constraints.items():
            slot = self._slot(name)
            public = constraint(slot.unpack(b.parameters[slot.range]))
            b.parameters[slot.range] = slot.pack(np.asarray(public, np.float32))

    def _shape_gradient(self) -> None:
        """Penalties added, frozen parameters left out, the rest clipped."""
        rules, b = self.rules, self.engine._buffers
        for name, factor in rules.l1.items():
            here = self._slot(name).range
            b.gradient[here] += np.float32(factor) * np.sign(b.parameters[here])
        for name, factor in rules.l2.items():
            here = self._slot(name).range
            b.gradient[here] += np.float32(2 * factor) * b.parameters[here]
        for slot in self._frozen:
            b.gradient[slot.range] = 0
        if rules.clip_value is not None:
            np.clip(b.gradient, -rules.clip_value, rules.clip_value, out=b.gradient)
        if rules.clip_each is None and rules.clip_all is None:
            return
        slots = self.engine.slots.trainable
        norms = {
            name: float(np.linalg.norm(b.gradient[s.range].astype(np.float64)))
            for name, s in slots.items()
        }
        for name, scale in clip_scales(rules, norms).items():
            b.gradient[slots[name].range] *= np.float32(scale)

    def _decay(self, learning_rate: float) -> None:
        if not self.rules.weight_decay:
            return
        b = self.engine._buffers
        shrink = np.float32(1 - learning_rate * self.rules.weight_decay)
        for name, slot in self.engine.slots.trainable.items():
            if name not in self.rules.undecayed:
                b.parameters[slot.range] *= shrink

    def _count_biased(self, before: Array, images: int) -> None:
        """Running variances that took a batch's unbiased variance take its biased one instead."""
        fixed = self.engine._buffers.fixed
        for name, places, momentum in self._norms:
            here = self.engine.slots.fixed[f"{name}.running_var"].range
            rows = images * places
            if rows < 2:  # the kernel leaves a single row's variance out: it is 0
                fixed[here] = (1 - momentum) * before[here]
                continue
            kept = np.float32(1 - momentum) * before[here]
            fixed[here] = kept + (fixed[here] - kept) * np.float32((rows - 1) / rows)
