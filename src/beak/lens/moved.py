"""What moved the answer: gradients, integrated gradients, Grad-CAM, occlusion; one table of them.

Each gives ``heat``, a number for each place of the input (each word, each point of the time-
frequency plane, each point of a board), and says how it was made.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from beak.errors import ShapeError, UsageError, did_you_mean
from beak.lens.cam import cam_layers, class_map
from beak.lens.explanation import Explanation
from beak.lens.subject import Array, Look
from beak.lens.surface import Surface, surface_of

FIRST_STEPS, MOST_STEPS = 32, 512
GOOD_ENOUGH = 0.005
"""Share of the answer's change that integrated gradients may miss before steps are doubled."""


@dataclass(frozen=True, eq=False)
class Question:
    """Which answer for which point; what the methods share."""

    look: Look
    surface: Surface
    point: Array
    """(1, *shape)."""
    answer: int
    baseline: Array
    """(*shape): what nothing looks like; 0 is the mean of the training part, a zero vector for a
    word, an empty plane."""
    layer: str | None = None
    patch: int | None = None

    def logit(self, points: Array) -> Array:
        """(B,): the answer's logit."""
        return self.surface.scores(points)[:, self.answer].astype(np.float64)

    def slope(self, points: Array) -> Array:
        """(B, *shape): the logit's gradient."""
        wanted = np.zeros((len(points), self.look.subject.answers), np.float32)
        wanted[:, self.answer] = 1
        return self.surface.gradient(points, wanted)


Told = tuple[dict[str, Array], dict[str, Any], str]


def moved(
    look: Look,
    method: str = "integrated",
    *,
    answer: str | int | None = None,
    baseline: Array | None = None,
    layer: str | None = None,
    patch: int | None = None,
) -> Explanation:
    """What moved an answer (None: the strongest one); ``method`` is a name of METHODS.

    Arrays: ``heat`` by place and ``attribution`` by number where the method has it; ``real`` says
    which places of a text hold words. ``layer`` is for "cam", ``patch`` (a side, in places) for
    "occlusion". Raises UsageError for an unknown method or label.
    """
    if method not in METHODS:
        raise UsageError(f"no method '{method}'{did_you_mean(method, METHODS)}")
    subject, surface = look.subject, surface_of(look.subject)
    chosen = subject.answer(answer, look.logits)
    point = surface.point(look.inputs)
    nothing = np.zeros(surface.shape, np.float32) if baseline is None else np.asarray(baseline)
    if nothing.shape != surface.shape:
        raise ShapeError(f"a baseline of {nothing.shape} came, {surface.shape} was wanted")
    question = Question(look, surface, point, chosen, nothing, layer, patch)
    arrays, facts, told = METHODS[method](question)
    if surface.start == "words":
        arrays["real"] = look.inputs[0] != _padding(question)
    label = subject.label(chosen)
    common = {
        "method": method,
        "answer": label,
        "answer_number": chosen,
        "logit": look.logits[chosen],
        "value": look.outputs[chosen],
        "where": surface.start,
        "signed": method in ("integrated", "occlusion"),
    }
    return Explanation("moved", f"What moved '{label}': {told}.", arrays, {**common, **facts})


def _padding(question: Question) -> int:
    nodes = question.look.subject.network.nodes
    found = [n.layer.padding_index for n in nodes if n.layer.kind == "Embedding"]  # type: ignore[attr-defined]
    return -1 if found[0] is None else int(found[0])


def by_place(attribution: Array) -> Array:
    """(C, …) -> (…): channels added up; a plain row of numbers stays as it is."""
    return attribution.sum(0) if attribution.ndim > 1 else attribution


def gradient(question: Question) -> Told:
    """How much the logit changes with each number: Simonyan et al., arXiv 1312.6034."""
    slope = question.slope(question.point)[0]
    heat = by_place(np.abs(slope))
    told = "how steeply its logit changes with each place (gradient, without sign)"
    return {"heat": heat, "attribution": slope}, {}, told


def integrated(question: Question) -> Told:
    """The way from nothing to the input, slope by slope: Sundararajan et al., arXiv 1703.01365.

    The parts add up to the difference of the logits; steps are doubled until they nearly do.
    """
    away = (question.point[0] - question.baseline).astype(np.float64)
    ends = question.logit(np.stack([question.point[0], question.baseline]))
    change = float(ends[0] - ends[1])
    steps, total = FIRST_STEPS, np.zeros_like(away)
    while True:
        total = np.zeros_like(away)
        for begin in range(0, steps, 64):
            share = (np.arange(begin, min(begin + 64, steps)) + 0.5) / steps
            share = share.reshape(-1, *(1,) * away.ndim)
            points = (question.baseline + share * away).astype(np.float32)
            total += question.slope(points).sum(0, dtype=np.float64)
        attribution = total / steps * away
        gap = float(attribution.sum()) - change
        if abs(gap) <= GOOD_ENOUGH * abs(change) or steps >= MOST_STEPS:
            break
        steps *= 2
    facts = {"steps": steps, "change": change, "sum": float(attribution.sum()), "gap": gap}
    told = (
        f"parts that add up to {facts['sum']:.4g}; from nothing to this input the logit changes "
        f"by {change:.4g} (integrated gradients, {steps} steps)"
    )
    arrays = {"heat": by_place(attribution), "attribution": attribution}
    return {k: v.astype(np.float32) for k, v in arrays.items()}, facts, told


def cam(question: Question) -> Told:
    """Grad-CAM of the last convolution, found by itself: Selvaraju et al., arXiv 1610.02391."""
    surface = question.surface
    engine, inputs = surface.ready(question.point)
    layers = [question.layer] if question.layer else cam_layers(engine.network)
    wanted = np.zeros((1, *engine.network.output), np.float32)
    wanted.reshape(1, -1)[0, question.answer] = 1
    for name in layers:
        question.look.subject.node(name)
    slopes = engine.gradients(inputs, wanted, at=layers).nodes
    values = engine.activations(inputs)
    heat, maps = None, {}
    for name in layers:
        small, large = class_map(engine.network, name, values[name][0], slopes[name][0])
        maps[f"map_{name}"] = small
        heat = large if heat is None else heat + large
    assert heat is not None
    told = f"where the last convolution saw what speaks for it (Grad-CAM at {', '.join(layers)})"
    return {"heat": heat, **maps}, {"layers": layers}, told


def occlusion(question: Question) -> Told:
    """How much the logit falls when a patch is blotted out: Zeiler and Fergus, arXiv 1311.2901."""
    sizes = question.surface.shape[1:] or question.surface.shape
    words = question.surface.start == "words"
    patch = tuple(1 if words else min(question.patch or usual_patch(n), n) for n in sizes)
    boxes = list(itertools.product(*(_spans(n, p) for n, p in zip(sizes, patch, strict=True))))
    if words:
        real = np.flatnonzero(question.look.inputs[0] != _padding(question))
        boxes = [boxes[i] for i in real]
    whole = float(question.logit(question.point)[0])
    heat, covered = np.zeros(sizes), np.zeros(sizes)
    for begin in range(0, len(boxes), 64):
        some = boxes[begin : begin + 64]
        points = np.repeat(question.point, len(some), 0)
        for point, box in zip(points, some, strict=True):
            at = (slice(None), *box) if point.ndim > 1 else box
            point[at] = question.baseline[at]
        for box, logit in zip(some, question.logit(points), strict=True):
            heat[box] += whole - logit
            covered[box] += 1
    heat = heat / np.maximum(covered, 1)
    what = "word" if words else f"patch of {'x'.join(map(str, patch))}"
    facts = {"patch": patch, "patches": len(boxes)}
    told = f"how far its logit falls without each {what} ({len(boxes)} tried)"
    return {"heat": heat.astype(np.float32)}, facts, told


def usual_patch(size: int) -> int:
    """The side of a patch along an axis: a point of a board, a seventh of a picture."""
    if size <= 20:
        return 1
    return size // 7 if size <= 512 else size // 40


def _spans(size: int, patch: int) -> list[slice]:
    """Overlapping stretches, half a patch apart, that cover an axis."""
    starts = sorted({*range(0, size - patch + 1, max(1, patch // 2)), size - patch})
    return [slice(start, start + patch) for start in starts]


METHODS: dict[str, Callable[[Question], Told]] = {
    "integrated": integrated,
    "gradient": gradient,
    "cam": cam,
    "occlusion": occlusion,
}
"""The ways to ask, by the name of ``--method``."""
