"""What pooling forgives: the input shifted by a step, and how far each layer's output moves."""

from __future__ import annotations

import numpy as np

from beak.errors import UsageError
from beak.lens.explanation import Explanation
from beak.lens.subject import Array, Look


def forgives(look: Look, shift: int = 1) -> Explanation:
    """How far each layer's output moves when the input is shifted by ``shift`` places.

    Shifted each way along each axis; what comes in at the edge is a copy of the edge. Array
    ``change`` (layers, ways): |a(shifted) - a| / |a| (L2), "input" first; ``likeness``: the cosine
    between both. ``answers`` (ways + 1, answers): the answers, unshifted first.
    """
    inputs = look.inputs
    axes = _axes(look)
    if shift < 1 or any(shift >= inputs.shape[axis] for axis in axes):
        raise UsageError(f"a shift of {shift} leaves nothing of an input of {inputs.shape[1:]}")
    ways = [(axis, sign * shift) for axis in axes for sign in (-1, 1)]
    moved = np.concatenate([shifted(inputs, axis, by) for axis, by in ways])
    found = look.subject.engine.activations(moved)
    names = [name for name in look.values if name != "input" or inputs.dtype.kind == "f"]
    change = np.array([_away(look.values[name], found[name]) for name in names])
    likeness = np.array([_alike(look.values[name], found[name]) for name in names])
    last = look.subject.network.nodes[-1].name
    answers = np.concatenate([look.values[last][None], found[last]]).reshape(len(ways) + 1, -1)
    kinds = {"input": "input"} | {n.name: n.layer.kind for n in look.subject.network.nodes}
    rows = [
        {"name": name, "kind": kinds[name], "change": float(row.mean())}
        for name, row in zip(names, change, strict=True)
    ]
    same = int((answers.argmax(1)[1:] == answers[0].argmax()).sum())
    facts = {
        "shift": shift,
        "ways": [_way(inputs.ndim, axis, by) for axis, by in ways],
        "layers": rows,
        "answer": look.subject.label(int(answers[0].argmax())),
        "same_answer": same,
    }
    first, end = (100 * float(change[k].mean()) for k in (0, -1))
    caption = (
        f"Shifted by {shift}, the {names[0]} changes by {first:.0f} % of its size "
        f"and the answer by {end:.1f} %; {same} of {len(ways)} ways keep it "
        f"'{facts['answer']}'."
    )
    arrays = {"change": change, "likeness": likeness, "answers": answers}
    as_float = {name: array.astype(np.float32) for name, array in arrays.items()}
    return Explanation("forgives", caption, as_float, facts)


def _axes(look: Look) -> list[int]:
    """The axes of a batch along which places lie."""
    axes = len(look.inputs.shape)
    samples = look.subject.network.nodes[0].layer.kind == "LogMel"
    if axes == 2 and look.inputs.dtype.kind == "f" and not samples:
        raise UsageError("this network reads a row of numbers without places; nothing to shift")
    return list(range(min(2, axes - 1), axes))


def shifted(inputs: Array, axis: int, by: int) -> Array:
    """The inputs moved along an axis; the edge that comes in is a copy of the edge.

    >>> row = np.array([[1, 2, 3]])
    >>> shifted(row, 1, 1).tolist(), shifted(row, 1, -1).tolist()
    ([[1, 1, 2]], [[2, 3, 3]])
    """
    size = inputs.shape[axis]
    return np.asarray(np.take(inputs, np.clip(np.arange(size) - by, 0, size - 1), axis))


def _away(before: Array, after: Array) -> Array:
    flat = after.reshape(len(after), -1).astype(np.float64)
    own = before.ravel().astype(np.float64)
    length = np.linalg.norm(own)
    moved = np.linalg.norm(flat - own, axis=1)
    return np.asarray(moved / length if length else np.where(moved > 0, np.inf, 0.0))


def _alike(before: Array, after: Array) -> Array:
    flat = after.reshape(len(after), -1).astype(np.float64)
    own = before.ravel().astype(np.float64)
    length = np.linalg.norm(own) * np.linalg.norm(flat, axis=1)
    return np.asarray(flat @ own / np.where(length, length, 1.0))


def _way(axes: int, axis: int, by: int) -> str:
    words = {4: {2: ("up", "down"), 3: ("left", "right")}}.get(axes, {})
    before, after = words.get(axis, ("back", "on"))
    return before if by < 0 else after
