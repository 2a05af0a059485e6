"""A network lowered to one table of kernel calls for one batch size and one purpose."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from beak.engine.fusion import Fused, Fusions, fuse
from beak.engine.interface import Loss, Optimiser
from beak.engine.lowering.context import Context, Lowered, dimensions, split, straight, total
from beak.engine.lowering.layers import LOWER
from beak.engine.tape import Arena, Tape, Tensor
from beak.engine.update import Buffers, update
from beak.network.layers import Activation, Embedding
from beak.network.network import Network
from beak.ops.elementwise import kernels as elementwise
from beak.ops.kernel import Table
from beak.ops.loss import kernels as loss_kernels

Array = np.ndarray[Any, Any]
Purpose = Literal[
    "forward", "written", "activations", "gradients", "loss", "train", "share", "learn"
]
"""What a plan is for; "written" is "forward" that keeps whatever outputs it writes; "share" is
"train" without the update, which follows when several processes have added up; "learn" is "share"
in two halves, between which the caller judges the logits."""
TRAINING = ("loss", "train", "share", "learn")
NO_WAY_BACK = ("forward", "written", "activations")


class Plan:
    """Lower a network; then ``bind`` it to an arena and ``run`` the table.

    ``node``: whose output is differentiated ("gradients"); None is the logits. ``at``: nodes by
    whose outputs too. ``exact``: direct kernels on weights as they are. ``frozen``: parameters that
    "learn" has no gradient for; a batch norm whose statistics are frozen answers as in prediction.
    """

    def __init__(
        self,
        network: Network,
        buffers: Buffers,
        images: int,
        purpose: Purpose,
        *,
        node: str | None = None,
        at: tuple[str, ...] = (),
        loss: Loss | None = None,
        optimiser: Optimiser | None = None,
        exact: bool = False,
        threads: int = 4,
        frozen: frozenset[str] = frozenset(),
    ) -> None:
        self.network, self.buffers, self.images = network, buffers, images
        self.purpose = purpose
        self.tape = Tape()
        self.stream = np.zeros(2, np.int64)
        self.examples = np.zeros(images, np.int64)
        self.context = Context(
            self.tape,
            buffers.slots,
            buffers.parameters,
            buffers.fixed,
            buffers.gradient,
            self.stream,
            self.examples,
            training=purpose in TRAINING,
            direct=exact or purpose == "activations",
            goes_back=purpose not in NO_WAY_BACK,
            preparation=None if purpose in TRAINING else Tape(),
            threads=threads,
            frozen=frozen,
        )
        self.lowered: dict[str, Lowered] = {}
        self.outputs: dict[str, Tensor] = {}
        self.fusions = Fusions()
        if purpose != "activations":
            folds = purpose in ("forward", "written") and not exact
            self.fusions = fuse(network, fold_norms=folds)
        fusions, looked_at = self.fusions, at if node is None else (node, *at)
        if any(fusions.hides(name) or fusions.leaves_gradient(name) for name in looked_at):
            self.fusions = Fusions()
        self._forward()
        self.logits = self._logits()
        self.output_gradient: Tensor | None = None
        self.input_gradient: Tensor | None = None
        self.node_gradients: dict[str, Tensor | None] = dict.fromkeys(at)
        self.turn = 0
        """How many calls stand before the logits are judged ("learn")."""
        if purpose == "learn":
            self.output_gradient, self.turn = self.tape.like(self.logits), len(self.tape.entries)
            self._backward(None, self.output_gradient, to_input=False)
        elif purpose == "gradients":
            target = self.logits if node is None else self.outputs[node]
            self.output_gradient = self.tape.like(target)
            self._backward(node, self.output_gradient, to_input=True)
        elif purpose in TRAINING:
            assert loss is not None
            self._backward(None, self._loss(loss), to_input=purpose == "loss")
        if purpose == "train":
            assert optimiser is not None
            touched = {name: own.touched for name, own in self.lowered.items()}
            self.at("update", "update")
            update(self.tape, buffers, optimiser, touched)
        self.staging.block.first = 0  # filled before the table runs
        for tensor in self.kept():
            self.tape.keep(tensor)
        self.bytes = self.tape.plan_memory()
        self.table: Table | None = None
        self.halves: tuple[Table, ...] = ()
        self.preparation: Table | None = None
        self.prepared_for = -1
        self.generation = -1

    def kept(self) -> list[Tensor]:
        """What must stand when the table has run, or be filled before it runs and stay."""
        tensors = [self.outputs[self.network.nodes[-1].name], self.logits]
        gradients = (self.output_gradient, self.input_gradient, *self.node_gradients.values())
        tensors += [tensor for tensor in gradients if tensor is not None]
        if self.purpose in ("activations", "written"):
            tensors += list(self.outputs.values())
        return tensors

    def bind(self, arena: Arena) -> None:
        """Make the table, with pointers into this arena, unless they hold already."""
        arena.hold(self.bytes)
        if self.generation == arena.generation:
            return
        self.generation = arena.generation
        if self.purpose == "learn":
            whole = self.tape.entries
            halves = Tape(whole[: self.turn]), Tape(whole[self.turn :])
            self.halves = tuple(half.build(arena.memory) for half in halves)
        else:
            self.table = self.tape.build(arena.memory)
        if self.context.preparation is not None and self.preparation is None:
            self.preparation = self.context.preparation.build(arena.memory)

    def run(self, threads: int, version: int) -> None:
        """Run the table; ``version`` changes whenever the parameters do."""
        assert self.table is not None
        if self.preparation is not None and self.prepared_for != version:
            self.preparation.run(threads)
            self.prepared_for = version
        self.table.run(threads)

    def at(self, node: str, way: str) -> None:
        """Say for which node, and on which way, the next calls are emitted."""
        for tape in (self.tape, self.context.preparation):
            if tape is not None:
                tape.node, tape.way = node, way

    def _forward(self) -> None:
        network, tape, images = self.network, self.tape, self.images
        if isinstance(network.nodes[0].layer, Embedding):
            height, width, channels = 1, 1, network.input[0]
        else:
            height, width, channels = dimensions(network.input)
        self.staging = tape.tensor(images, height, width, channels)
        self.outputs["input"] = self.staging
        self.at("input", "forward")
        if channels > 1 and height * width > 1:
            self.outputs["input"] = tape.like(self.staging)
            tape.emit(
                elementwise.TRANSPOSE_IMAGES,
                images,
                x=self.staging,
                y=self.outputs["input"],
                images=images,
                rows=channels,
                columns=height * width,
            )
        for node in network.nodes:
            inputs = [self.outputs[name] for name in node.inputs]
            if node.name in self.fusions.done:
                self.outputs[node.name] = inputs[0]
                self.lowered[node.name] = Lowered(inputs[0], lambda dy, wanted: [dy])
                continue
            fused = self.fusions.at.get(node.name, Fused())
            self.at(node.name, "forward")
            lowered = LOWER[type(node.layer)](self.context, node, inputs, fused)
            self.lowered[node.name] = lowered
            self.outputs[node.name] = lowered.output

    def _logits(self) -> Tensor:
        """What stands before the final softmax."""
        if not self.network.classifies:
            return self.outputs[self.network.nodes[-1].name]
        softmax = self.tape.entries[-1]
        logits = softmax.values["x"]
        assert isinstance(logits, Tensor)
        if self.purpose in TRAINING:
            self.tape.entries.pop()  # training needs no probabilities
            self.outputs[self.network.nodes[-1].name] = logits
        return logits

    def _loss(self, loss: Loss) -> Tensor:
        self.at("loss", "forward")
        logits, back = straight(self.context, self.logits)
        rows, classes = self.images, logits.count // self.images
        self.labels = np.zeros(rows, np.int32)
        self.losses, self.correct = np.zeros(rows), np.zeros(rows, np.uint8)
        self.total = np.ones(1)
        weights = loss.class_weights
        class_weights = None if weights is None else np.asarray(weights, np.float32)
        gradient = self.tape.like(logits)
        self.tape.emit(
            loss_kernels.LABEL_WEIGHTS,
            1,
            labels=self.labels,
            class_weights=class_weights,
            total=self.total,
            rows=rows,
        )
        self.tape.emit(
            loss_kernels.CROSS_ENTROPY,
            split(rows * classes),
            logits=logits,
            labels=self.labels,
            class_weights=class_weights,
            total=self.total,
            losses=self.losses,
            correct=self.correct,
            dlogits=gradient,
            rows=rows,
            classes=classes,
            smoothing=loss.label_smoothing,
        )
        return back(gradient)

    def _backward(self, start: str | None, gradient: Tensor, to_input: bool) -> None:
        """Gradients from a node's output (None: the logits) to parameters, and to the input."""
        network = self.network
        wanted = {"input": to_input and not isinstance(network.nodes[0].layer, Embedding)}
        for node in network.nodes:
            wanted[node.name] = (
                node.name in self.node_gradients
                or any(wanted[name] for name in node.inputs)
                or any(
                    p.trainable and name not in self.context.frozen
                    for name, p in node.parameters.items()
                )
            )
        arriving: dict[str, list[Tensor]] = {start or network.nodes[-1].name: [gradient]}
        for node in reversed(network.nodes):
            if node.name not in arriving:
                continue
            self.at(node.name, "backward")
            here = arriving.pop(node.name)
            dy = total(self.tape, here, self._still_read(arriving))
            if node.name in self.node_gradients:
                self.node_gradients[node.name] = dy
            own = self.lowered[node.name]
            if start is None and network.classifies and node is network.nodes[-1]:
                gradients = self._before_softmax(dy)
            else:
                gradients = own.backward(dy, [wanted[name] for name in node.inputs])
            for name, tensor in zip(node.inputs, gradients, strict=True):
                if tensor is not None and wanted[name]:
                    arriving.setdefault(name, []).append(tensor)
        if "input" in arriving:
            self.input_gradient = total(self.tape, arriving.pop("input"), self._still_read({}))

    def _still_read(self, arriving: dict[str, list[Tensor]]) -> list[Tensor]:
        """Gradients that wait at nodes or were asked for: nothing is added onto them."""
        asked = [tensor for tensor in self.node_gradients.values() if tensor is not None]
        return asked + [tensor for tensors in arriving.values() for tensor in tensors]

    def _before_softmax(self, dy: Tensor) -> list[Tensor | None]:
        """Back through the last node from its logits: as if its softmax were not there."""
        node = self.network.nodes[-1]
        if isinstance(node.layer, Activation):
            return [dy]
        own = self.lowered[node.name]
        assert own.from_logits is not None
        wanted = [node.inputs != ("input",) or self.purpose in ("gradients", "loss")]
        return own.from_logits(dy, wanted)
