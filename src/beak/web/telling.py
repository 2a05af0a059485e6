"""What the page is told: a network's picture as JSON, and an input's maps in few bytes."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np

from beak.data.go_spec import GoSpec
from beak.network.network import Network
from beak.network.summary import summarise
from beak.runs.likely import log_softmax
from beak.runs.run import Run
from beak.web.session import Seen, Session

WHOLE_NUMBERS = 400_000
"""Up to so many numbers in all maps each is sent as float32; of more, in 255 steps a layer."""
FOLDED = 14
"""Networks of more layers are folded by block."""


def network_json(session: Session) -> dict[str, Any]:
    """The network, its layers with shapes and counts, its labels, and how inputs are prepared."""
    run = session.run
    summary = summarise(run.network)
    layers = [
        {
            **row.to_json(),
            "inputs": list(node.inputs),
            "jump": list(row.jump),
            "fields": _fields(written),
        }
        for row, node, written in zip(
            summary.rows, run.network.nodes, run.network.to_json()["nodes"], strict=True
        )
    ]
    return {
        "name": run.model.name,
        "kind": run.spec.kind,
        "preparation": run.spec.describe(),
        "input": list(run.network.input),
        "bounds": _bounds(run),
        "labels": list(run.labels),
        "layers": layers,
        "blocks": blocks(run.network),
        "parameters": summary.parameters,
        "multiply_adds": summary.multiply_adds,
        "dense_parameters": summary.dense_parameters,
        "test": run.info.get("test"),
        "examples": bool(session.source),
        "planes": list(run.spec.plane_names) if isinstance(run.spec, GoSpec) else [],
        "background": getattr(run.spec, "background", 0),
        "sound": {name: getattr(run.spec, name, None) for name in ("rate", "seconds")},
    }


def others(session: Session) -> dict[str, str]:
    """The runs that can be set beside each other, by what they are asked for with.

    "" is the one that was opened; empty where it is alone.
    """
    if not session.others:
        return {}
    return {"": session.run.model.name, **{name: name for name in session.others}}


def blocks(network: Network) -> list[dict[str, Any]]:
    """Layers that are drawn as one until they are unfolded: each a name and its layers' names.

    Of small networks every layer is its own. Of large ones those of one prefix ("res2.") stand
    together, and neighbours whose maps have one shape.
    """
    found: list[dict[str, Any]] = []
    large = len(network.nodes) > FOLDED
    for node in network.nodes:
        prefix = node.name.rpartition(".")[0].split(".")[0]
        key = prefix or str(node.output)
        if large and found and found[-1]["key"] == key:
            found[-1]["layers"].append(node.name)
        else:
            found.append({"key": key, "name": prefix, "layers": [node.name]})
    return [{"name": one["name"] or _span(one["layers"]), "layers": one["layers"]} for one in found]


def _span(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} – {names[-1]}"


def _fields(told: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if name not in ("name", "kind", "inputs")}


def _bounds(run: Run) -> list[list[float]] | None:
    bounds = run.spec.bounds
    return None if bounds is None else [np.asarray(side).tolist() for side in bounds]


def maps_bytes(session: Session, seen: Seen) -> bytes:
    """All maps of an input: the length of the JSON (uint32), the JSON, then the numbers.

    The JSON tells of each layer its shape, where its numbers begin (``at``, in bytes after the
    JSON) and their ``type``: "f4" as they are, "u1" as ``least + value * step``.
    """
    values = seen.look.values
    exact = sum(array.size for array in values.values()) <= WHOLE_NUMBERS
    layers, parts, at = [], [], 0
    for name, array in values.items():
        told, packed = _packed(name, array, exact or array.size < 4096)
        layers.append({**told, "at": at})
        packed += b"\0" * (-len(packed) % 4)
        parts.append(packed)
        at += len(packed)
    look = seen.look
    outputs = look.outputs
    if not look.subject.network.classifies:  # as beak predict has it
        outputs = np.exp(log_softmax(look.logits[None])[0])
    head = {
        "input": seen.name,
        "about": dict(seen.about),
        "places": list(seen.opened.places) if seen.opened else seen.about.get("places", []),
        "answers": [round(float(value), 9) for value in outputs],
        "logits": [round(float(value), 6) for value in look.logits],
        "best": int(outputs.argmax()),
        "layers": layers,
    }
    text = json.dumps(head, ensure_ascii=False, allow_nan=False, default=float).encode()
    text += b" " * (-len(text) % 4)
    return b"".join([struct.pack("<I", len(text)), text, *parts])


def _packed(name: str, array: Any, exact: bool) -> tuple[dict[str, Any], bytes]:
    values = np.nan_to_num(np.asarray(array, np.float32))
    least, most = float(values.min()), float(values.max())
    told: dict[str, Any] = {
        "name": name,
        "shape": list(values.shape),
        "least": least,
        "greatest": most,
        "finite": bool(np.isfinite(array).all()),
    }
    if exact:
        return {**told, "type": "f4"}, values.astype("<f4").tobytes()
    step = (most - least) / 255 or 1.0
    packed = np.rint((values - least) / step).astype(np.uint8)
    return {**told, "type": "u1", "step": step}, packed.tobytes()
