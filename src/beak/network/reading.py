"""Networks from and to JSON, strictly: every field known, every name resolved."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from beak.errors import NetworkError, UsageError, did_you_mean
from beak.network.layer import Layer, short
from beak.network.layers import LAYERS
from beak.network.writers import Draft, write_nodes


def node_to_json(name: str, layer: Layer, inputs: tuple[str, ...], before: str) -> dict[str, Any]:
    """One node as plain data; inputs are left out where they are the node before."""
    node: dict[str, Any] = {"name": name, "kind": layer.kind}
    if inputs != (before,):
        node["inputs"] = list(inputs)
    for field, value in layer.fields().items():
        if isinstance(value, tuple):
            alike = len(set(value)) == 1 and field not in layer.listed
            value = value[0] if alike else list(value)
        if value is not None:
            node[field] = value
    return node


def drafts_from_json(data: Any) -> tuple[Sequence[int], list[Draft]]:
    """The input shape and the nodes of a network in JSON, or NetworkError."""
    if not isinstance(data, Mapping):
        raise NetworkError(f'a network is an object {{"format": 1, …}}, not {short(data)}')
    _check_keys(data, ("format", "input", "nodes"), "the network")
    if data["format"] != 1 or isinstance(data["format"], bool):
        raise NetworkError(
            f"network format {short(data['format'])}: this beak reads format 1; a newer beak may "
            "read it"
        )
    if not isinstance(data["input"], list | tuple):
        raise NetworkError(f"input {short(data['input'])}; a list as [1, 28, 28] was wanted")
    if not isinstance(data["nodes"], list | tuple):
        raise NetworkError(f"nodes {short(data['nodes'])}; a list of nodes was wanted")
    layers = [_layer(node, number) for number, node in enumerate(data["nodes"], start=1)]
    return data["input"], write_nodes(layers)


def read_json_file(path: Path) -> Any:
    """What a JSON file holds; UsageError where it cannot be read, NetworkError if it is no JSON."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        names = [p.name for p in path.parent.glob("*.json")] if path.parent.is_dir() else []
        hint = did_you_mean(path.name, names) if names else "; is the path right?"
        raise UsageError(f"{path}: there is no such file{hint}") from None
    except UnicodeDecodeError:
        raise NetworkError(f"{path} is no text; a network in JSON was wanted") from None
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from None
    try:
        return json.loads(text, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        raise NetworkError(
            f"{path}:{error.lineno}:{error.colno}: {error.msg}; a network in JSON was wanted"
        ) from None
    except RecursionError:
        raise NetworkError(f"{path}: nested too deep to be a network") from None
    except ValueError as error:
        raise NetworkError(f"{path}: {error}") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise NetworkError(f"the field {twice!r} is given twice in one object")
    return fields


def _layer(node: Any, number: int) -> Layer:
    where = f"node {number}"
    if not isinstance(node, Mapping):
        raise NetworkError(f"{where}: {short(node)} is no node; an object was wanted")
    if isinstance(node.get("name"), str):
        where += f" ({short(node['name'])})"
    kind = node.get("kind")
    if kind is None:
        raise NetworkError(f'{where}: \'kind\' is missing, as "kind": "Conv2D"')
    if not isinstance(kind, str) or kind not in LAYERS:
        raise NetworkError(f"{where}: unknown layer {short(kind)}{did_you_mean(str(kind), LAYERS)}")
    layer = LAYERS[kind]
    known = {field.name: field for field in dataclasses.fields(layer)}
    needed = [
        name
        for name, field in known.items()
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]
    _check_keys(node, ["kind", *known], f"{where}: {kind}", ["kind", *needed])
    values = {name: _plain(value) for name, value in node.items() if name != "kind"}
    inputs = values.get("inputs")
    if inputs is not None and not (
        isinstance(inputs, tuple) and inputs and all(isinstance(name, str) for name in inputs)
    ):
        raise NetworkError(f"{where}: inputs {short(node['inputs'])}; a list of names was wanted")
    try:
        return layer(**values)
    except NetworkError as error:
        raise NetworkError(f"{where}: {error}") from None


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _check_keys(
    data: Mapping[str, Any], known: Sequence[str], where: str, needed: Sequence[str] | None = None
) -> None:
    """Raise NetworkError for a key that is unknown or missing."""
    for key in data:
        if key not in known:
            raise NetworkError(
                f"{where}: unknown field {short(key)}{did_you_mean(str(key), known)}"
            )
    for key in known if needed is None else needed:
        if key not in data:
            raise NetworkError(f"{where}: the field {key!r} is missing")
