"""A trained network as one ONNX file: preparation of the input, network, labels."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from typing import Any

from beak.data.picture_spec import PictureSpec
from beak.data.sound_spec import SoundSpec
from beak.data.spec import InputSpec
from beak.data.text_spec import TextSpec
from beak.exchange.onnx_graph import Array, Graph
from beak.exchange.onnx_layers import emit_network
from beak.exchange.onnx_pictures import prepare_pictures
from beak.exchange.onnx_sounds import prepare_sounds
from beak.exchange.onnx_texts import prepare_texts
from beak.network.network import Network
from beak.runs.model import Model

OUTPUT = "probabilities"


def _prepare_go(g: Graph, spec: InputSpec) -> str:
    return g.input("planes", "float32", ["N", *spec.shape])


PREPARE: dict[str, Callable[[Graph, Any], str]] = {
    "pictures": prepare_pictures,
    "numbers": prepare_pictures,
    "sounds": prepare_sounds,
    "texts": prepare_texts,
    "go": _prepare_go,
}
"""Kind of input -> what makes the network's input from decoded raw data."""

OUTSIDE = {
    "pictures": "decode the file to uint8 (N, height, width, channels), 1 grey, 3 red-green-blue "
    "or 4 with alpha, turned upright as EXIF says; every picture of a batch has one size",
    "numbers": "float32 numbers as they are",
    "sounds": "decode the file to one channel, resample it to the rate below, put a shorter one in "
    "the middle of silence, take a longer one's loudest stretch: float32 from -1 to 1",
    "texts": "split the text into words and number them as 'input' below says: word i of its list "
    "is i + 2, a word that is not in it 1, behind the text's end 0; bytes: each byte + 1",
    "go": "make the planes from the game's record as beak's docs/go-planes.md defines them",
}
"""What a program has to do before, for each kind."""


def input_name(spec: InputSpec) -> str:
    """What the file's one input is called.

    >>> from beak.data.go_spec import GoSpec
    >>> input_name(GoSpec.of("alphago-4"))
    'planes'
    """
    names = {"pictures": "pixels", "sounds": "samples", "texts": "words", "go": "planes"}
    return names.get(spec.kind, "numbers")


def exported_input(spec: InputSpec, stored: Array) -> Array:
    """Stored rows of a run as the file's input: what a program gives it after decoding."""
    if isinstance(spec, PictureSpec) and spec.kind == "pictures":
        return stored.transpose(0, 2, 3, 1)
    if isinstance(spec, SoundSpec):
        scale = 32768.0 if stored.dtype.kind == "i" else 1.0
        return (stored.astype("float32") / scale).astype("float32")
    if isinstance(spec, TextSpec):
        return stored.astype("int32")
    return spec.prepare(stored) if spec.kind == "go" else stored.astype("float32")


def metadata_of(model: Model, **more: str) -> dict[str, str]:
    """What the file says of itself, all texts: labels, preparation, network, beak's version."""
    found = {
        "labels": json.dumps(list(model.labels), ensure_ascii=False),
        "name": model.name,
        "beak": str(model.info.get("beak", "")),
        "before": OUTSIDE[model.spec.kind],
        "preparation": model.spec.describe(),
        "input": _text(model.spec.to_json()),
        "network": _text(_short(model.network)),
    }
    return found | more


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _short(network: Network) -> dict[str, Any]:
    """The network as plain data without what its reader assumes anyway."""
    data = network.to_json()
    for node, said in zip(network.nodes, data["nodes"], strict=True):
        for field in dataclasses.fields(node.layer):
            if field.name in said and said[field.name] == field.default:
                del said[field.name]
    return data


def onnx_bytes(model: Model) -> bytes:
    """The whole file, checked by onnx.checker. Raises MissingExtraError without the extra."""
    g = Graph()
    prepared = PREPARE[model.spec.kind](g, model.spec)
    values = emit_network(g, model.network, model.parameters, prepared)
    return finished(g, model, values)


def finished(g: Graph, model: Model, values: Mapping[str, str], **more: str) -> bytes:
    """The model of a graph whose network is written: softmax behind it, labels, metadata."""
    shares = g.emit("Softmax", values[model.network.nodes[-1].name], axis=1)
    shape: list[int | str] = ["N", len(model.labels)]
    return g.model({OUTPUT: (shares, shape)}, metadata_of(model, **more))
