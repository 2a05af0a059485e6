"""model.safetensors: one file with all that prediction needs, checked in full when it is read."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from typing import Any

import numpy as np

from beak.data.kinds import read_spec
from beak.data.spec import InputSpec
from beak.errors import RunError
from beak.network.network import Network
from beak.runs.directory import CHECKPOINT, MODEL, existing
from beak.runs.files import Array, check_wanted, read_arrays, read_header, write_arrays
from beak.runs.history import plain
from beak.runs.safe import AGAIN, one_line, parse_json

FORMAT = "1"
VALUES_LIMIT = 1 << 29
"""Numbers that one example may make on its way through the network: 2 GB."""
WORK_LIMIT = 10**14
"""Multiply-adds that one example may take: days of work are no answer."""
LABEL_LIMIT = 1000


@dataclass(frozen=True, eq=False)
class Model:
    """A trained network: what it computes, what it reads, what its answers are called."""

    network: Network
    spec: InputSpec
    labels: tuple[str, ...]
    parameters: dict[str, Array]
    """float32 under the network's names."""
    info: dict[str, Any] = field(default_factory=dict)
    """How it came about: beak's version, recipe, seed, test result; nothing that answers need."""
    path: Path | None = None
    notes: tuple[str, ...] = ()
    """What was odd when it was read, a line each."""

    @property
    def name(self) -> str:
        """What to call it: its file's directory, or the recipe's network."""
        if self.path is not None:
            inside = self.path.name == MODEL and self.path.parent.name
            return one_line(inside or self.path.stem)
        return one_line(self.info.get("name", "model"))


def save_model(path: str | Path, model: Model) -> None:
    """Write a model; the same model gives the same bytes.

    Raises RunError when it does not fit together or cannot be written.
    """
    target = Path(path)
    target = target / MODEL if target.is_dir() else target
    name = one_line(target, 300)
    shapes = {key: tuple(parameter.shape) for key, parameter in model.network.parameters.items()}
    found = {key: tuple(value.shape) for key, value in model.parameters.items()}
    if shapes != found:
        odd = sorted(
            key for key in shapes.keys() | found.keys() if shapes.get(key) != found.get(key)
        )
        raise RunError(f"{name}: '{odd[0]}' is {found.get(odd[0])}, not {shapes.get(odd[0])}")
    _check(model.network, model.spec, model.labels, name)
    metadata = {
        "format": FORMAT,
        "kind": "model",
        "network": json.dumps(model.network.to_json()),
        "input": json.dumps(model.spec.to_json()),
        "labels": json.dumps(list(model.labels)),
        "info": json.dumps(plain(model.info), allow_nan=False),
    }
    arrays = {key: np.asarray(value, np.float32) for key, value in model.parameters.items()}
    write_arrays(target, arrays, metadata)


def load_model(path: str | Path) -> Model:
    """The model in a run directory or file, from wherever it comes.

    Raises UsageError when there is no such path, RunError when it is damaged, hostile or later
    than this beak; nothing is run or allocated before all is checked.
    """
    target = find_model(path)
    name = one_line(target, 300)
    header = read_header(target)
    network, spec, labels, info = _read_metadata(header.metadata, name)
    _check(network, spec, labels, name)
    wanted = {key: tuple(parameter.shape) for key, parameter in network.parameters.items()}
    check_wanted(header, wanted, name)
    arrays, metadata = read_arrays(target, wanted)
    if metadata != header.metadata:
        raise RunError(f"{name} changed while it was read; try again")
    parameters = {key: arrays[key] for key in wanted}
    return Model(network, spec, labels, parameters, info, target, _odd_weights(parameters))


def find_model(path: str | Path) -> Path:
    """The weights file of a run directory, or the file itself."""
    found = existing(path)
    if not found.is_dir():
        return found
    if (found / MODEL).exists():
        return found / MODEL
    name = one_line(found, 300)
    if (found / CHECKPOINT).exists():
        raise RunError(
            f"{name} is not trained to its end; go on: beak train --resume {quote(name)}"
        )
    raise RunError(f"{name} holds no {MODEL}; give a run directory or a weights file")


def _read_metadata(
    metadata: Mapping[str, str], name: str
) -> tuple[Network, InputSpec, tuple[str, ...], dict[str, Any]]:
    """The network, the input's preparation, the labels and the rest, from texts of a stranger."""
    if "format" not in metadata or metadata.get("kind", "model") != "model":
        what = one_line(metadata.get("kind", "weights without beak's network"))
        raise RunError(f"{name} is no model of beak's ({what}); give a run's {MODEL}")
    if metadata["format"] != FORMAT:
        raise RunError(
            f"{name} is of format {one_line(metadata['format'])}, this beak reads {FORMAT}; "
            "install a newer beak: pip install --upgrade beak"
        )
    said = {
        key: parse_json(metadata.get(key, "null"), f"{name}: its {key}")
        for key in ("network", "input", "labels", "info")
    }
    labels, info = said["labels"], said["info"] or {}
    if not isinstance(labels, list) or not all(isinstance(text, str) for text in labels):
        raise RunError(f"{name}: its labels are no list of texts; {AGAIN}")
    if not isinstance(info, dict):
        raise RunError(f"{name}: its info is no JSON object; {AGAIN}")
    network = _made(Network.from_json, said["network"], f"{name}: its network")
    spec = _made(read_spec, said["input"], f"{name}: its input")
    return network, spec, tuple(labels), info


def _made(make: Any, value: Any, what: str) -> Any:
    """``make(value)``; whatever is wrong with the value is one RunError."""
    if not isinstance(value, dict):
        raise RunError(f"{what} is no JSON object; {AGAIN}")
    try:
        return make(value)
    except Exception as error:  # the border to a stranger's file: no value may show a stack trace
        raise RunError(f"{what} does not work: {one_line(error, 300)}; {AGAIN}") from error


def _check(network: Network, spec: InputSpec, labels: tuple[str, ...], name: str) -> None:
    """The parts fit each other and one example's answer is affordable; else RunError."""
    if tuple(spec.shape) != tuple(network.input):
        raise RunError(
            f"{name}: its input is prepared as {one_line(list(spec.shape))} but its network reads "
            f"{one_line(list(network.input))}; {AGAIN}"
        )
    if tuple(network.output) != (len(labels),):
        raise RunError(
            f"{name}: {len(labels)} labels for a network that answers "
            f"{one_line(list(network.output))}; {AGAIN}"
        )
    if len(set(labels)) != len(labels) or any(not 0 < len(t) <= LABEL_LIMIT for t in labels):
        raise RunError(f"{name}: a label is empty, too long or there twice; {AGAIN}")
    values = sum(math.prod(node.output) for node in network.nodes)
    if values > VALUES_LIMIT or network.multiply_adds > WORK_LIMIT:
        raise RunError(
            f"{name}: one example would take {one_line(values)} numbers and "
            f"{one_line(network.multiply_adds)} multiply-adds; {AGAIN}"
        )


def _odd_weights(parameters: Mapping[str, Array]) -> tuple[str, ...]:
    odd = [key for key, value in parameters.items() if not np.isfinite(value).all()]
    if not odd:
        return ()
    more = f" and {len(odd) - 1} more" if len(odd) > 1 else ""
    return (
        f"the weights '{one_line(odd[0])}'{more} hold NaN or infinity: the training had diverged; "
        "train again with a smaller learning rate",
    )
