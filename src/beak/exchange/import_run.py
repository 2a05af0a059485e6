"""From a network made elsewhere to a run: labels, preparation, the comparison, the files."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from beak.data.picture_spec import PictureSpec
from beak.data.spec import InputSpec
from beak.errors import RunError, UsageError, did_you_mean
from beak.exchange.importing import INPUTS, Imported, compared, read_network
from beak.network.layer import Layer
from beak.network.layers import Conv2D
from beak.network.network import Network
from beak.runs.directory import RunDirectory
from beak.runs.model import Model, save_model
from beak.runs.safe import one_line
from beak.shapes import shape_text

MOST_DIFFERENCE = 1e-4
COLOURS = ("rgb", "bgr")
LABELS_LIMIT = 16 << 20


@dataclass(frozen=True)
class Preparation:
    """How a picture becomes the network's input: (pixel x scale - mean) / std, pixels 0 to 255.

    None is left to beak; ``numbers``: no pictures but arrays, taken as they are.
    """

    scale: float | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    fit: str | None = None
    background: int = 0
    colour: str | None = None
    """"rgb" or "bgr": in which order the network reads colours."""
    numbers: bool = False

    @property
    def given(self) -> bool:
        """Whether anything of it was said."""
        return self != Preparation()


@dataclass(frozen=True)
class ImportedRun:
    """What came in, and how it compares with the file."""

    model: Model
    difference: float | None
    """The largest between its answers and the original's; None: nothing here runs the original."""
    by: str
    """Who ran the original."""
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """As ``beak import --json`` prints it."""
        model = self.model
        found: dict[str, Any] = {
            "run": str(model.path.parent if model.path else ""),
            "input": list(model.network.input),
            "labels": len(model.labels),
            "layers": len(model.network.nodes),
            "parameters": model.network.parameter_count,
        }
        if self.difference is not None:
            found["compared"] = {"with": self.by, "inputs": INPUTS, "difference": self.difference}
        return {**found, "notes": list(self.notes)}


def import_network(
    file: str | Path,
    run: str | Path | None = None,
    *,
    labels: str | Path | Sequence[str] | None = None,
    preparation: Preparation | None = None,
    input_shape: tuple[int, ...] | None = None,
    overwrite: bool = False,
) -> ImportedRun:
    """Read a network made elsewhere, compare it with the file, and write it as a run.

    ``run``: the new run's directory; None writes nothing. ``labels``: a file with one a line or a
    JSON list, or the labels. Raises as `read_network` does; RunError where the answers differ by
    more than 1e-4: then nothing is written. UsageError for labels or a preparation that do not fit.
    """
    path = Path(file)
    return as_run(
        read_network(path, input_shape), path, run, labels=labels, preparation=preparation,
        overwrite=overwrite,
    )  # fmt: skip


def as_run(
    imported: Imported,
    path: Path,
    run: str | Path | None = None,
    *,
    labels: str | Path | Sequence[str] | None = None,
    preparation: Preparation | None = None,
    overwrite: bool = False,
) -> ImportedRun:
    """What was read from a file, or from a module by that name, as ``import_network`` gives it."""
    network = imported.network
    notes = list(imported.notes)
    if len(network.output) != 1:
        raise RunError(
            f"{one_line(path, 300)}: it answers {shape_text(network.output)} numbers; beak's runs "
            "answer a row of them, one for each label"
        )
    named = _labels(imported, labels, notes)
    wanted = preparation or Preparation()
    spec = _spec(imported, wanted, notes)
    difference = _agreeing(path, imported, notes)
    by = imported.original.by if imported.original else ""
    parameters = imported.parameters
    if wanted.colour == "bgr":
        network, parameters = _blue_first(network, parameters)
    _tell_answers(network, notes)
    told = {"file": path.name, "difference": difference, "with": by, "notes": notes}
    info = {"name": path.stem, "imported": told}
    model = Model(network, spec, named, parameters, info, path)
    if run is not None:
        directory = RunDirectory.create(run, overwrite)
        save_model(directory.model_path, model)
        model = dataclasses.replace(model, path=directory.model_path)
    return ImportedRun(model, difference, by, tuple(notes))


def _agreeing(path: Path, imported: Imported, notes: list[str]) -> float | None:
    """The difference from the file's own answers, if the network may be used for it."""
    if imported.original is None:
        notes.append("not compared with the file: nothing here runs it as it is")
        return None
    difference = compared(imported)
    if difference is None or difference <= MOST_DIFFERENCE:
        return difference
    raise RunError(
        f"{one_line(path, 300)}: the network answers otherwise than the file does in "
        f"{imported.original.by}: {difference:.2g} at most (1e-4 is allowed); nothing is written; "
        "please report this"
    )


def _labels(
    imported: Imported, given: str | Path | Sequence[str] | None, notes: list[str]
) -> tuple[str, ...]:
    """What the answers are called: as given, as the file says, or by number."""
    count = imported.network.output[0]
    if isinstance(given, str | Path):
        found, where = _read_labels(Path(given)), one_line(given, 300)
    else:
        found, where = list(given) if given is not None else [], "labels"
    if not found and given is None:
        if not imported.labels:
            notes.append("the file names no labels: they are numbers from 0; give --labels FILE")
        return imported.labels or tuple(map(str, range(count)))
    if len(found) != count:
        raise UsageError(
            f"{where}: {len(found)} labels for a network that gives {count} answers; one a line "
            "was wanted, in the network's order"
        )
    seen: Counter[str] = Counter()
    unique = []
    for label in found:
        seen[label] += 1
        unique.append(label if seen[label] == 1 else f"{label} ({seen[label]})")
    if len(seen) < count:
        twice = next(label for label, times in seen.items() if times > 1)
        notes.append(f"labels that stand twice get a number: '{one_line(twice)} (2)'")
    return tuple(unique)


def _read_labels(path: Path) -> list[str]:
    """One a line, a JSON list, or a JSON object from numbers to labels."""
    where = one_line(path, 300)
    try:
        if path.stat().st_size > LABELS_LIMIT:
            raise UsageError(f"{where} is larger than {LABELS_LIMIT >> 20} MB; labels were wanted")
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{where} is no UTF-8 text; one label a line was wanted") from None
    except OSError as error:
        raise UsageError(f"{where}: {one_line(error.strerror or error)}") from None
    if not text.lstrip().startswith(("[", "{")):
        return [line.strip() for line in text.splitlines() if line.strip()]
    try:
        found = json.loads(text)
        if isinstance(found, dict):
            found = [found[str(number)] for number in range(len(found))]
    except (ValueError, KeyError, RecursionError):
        raise UsageError(
            f'{where}: no list of labels in JSON; ["cat", "dog"] or {{"0": "cat", …}} was wanted'
        ) from None
    return [str(entry[-1] if isinstance(entry, list) and entry else entry) for entry in found]


def _spec(imported: Imported, wanted: Preparation, notes: list[str]) -> InputSpec:
    """How inputs are prepared: as the file says, as given, or as is usual."""
    if imported.spec is not None:
        if wanted.given:
            raise UsageError("import: the file says itself how its input is prepared; leave it out")
        return imported.spec
    shape = imported.network.input
    pictures = len(shape) == 3 and shape[0] in (1, 3)
    if wanted.numbers or not pictures:
        if dataclasses.replace(wanted, numbers=False).given:
            why = (
                "with --numbers" if wanted.numbers else f"a network that reads {shape_text(shape)}"
            )
            raise UsageError(f"import: {why} takes arrays as they are, without a preparation")
        if not wanted.numbers:
            notes.append(f"it reads arrays of {shape_text(shape)} numbers, as they are")
        return PictureSpec("numbers", shape, mean=(0.0,) * shape[0], std=(1.0,) * shape[0])
    if (wanted.scale, wanted.mean, wanted.std) == (None, None, None):
        notes.append(
            "the file does not say how pictures are prepared: pixels are taken from 0 to 1; "
            "give --scale, --mean and --std where it was trained otherwise"
        )
    if wanted.colour is not None and (shape[0] == 1 or wanted.colour not in COLOURS):
        near = did_you_mean(wanted.colour, COLOURS) if shape[0] == 3 else "; the network reads grey"
        raise UsageError(f"import: no colour '{one_line(wanted.colour)}'{near}")
    scale = 1 / 255 if wanted.scale is None else wanted.scale
    mean, std = (
        _each(values, usual, shape[0], name)
        for values, usual, name in ((wanted.mean, 0.0, "mean"), (wanted.std, 1.0, "std"))
    )
    if scale <= 0 or min(std) <= 0:
        raise UsageError("import: --scale and --std must be above 0")
    if wanted.colour == "bgr":  # the network's own order; pixels come as red, green, blue
        mean, std = mean[::-1], std[::-1]
    fit = wanted.fit or ("crop" if shape[0] == 3 else "pad")
    by = 255 * scale
    return PictureSpec(
        "pictures", shape, fit, wanted.background, tuple(m / by for m in mean),
        tuple(s / by for s in std),
    )  # fmt: skip


def _each(
    given: tuple[float, ...] | None, usual: float, channels: int, name: str
) -> tuple[float, ...]:
    values = (usual,) if given is None else given
    if len(values) not in (1, channels):
        raise UsageError(
            f"import: --{name} has {len(values)} numbers; one, or one for each of {channels} "
            "channels was wanted"
        )
    return values * channels if len(values) == 1 else values


def _blue_first(network: Network, parameters: dict[str, Any]) -> tuple[Network, dict[str, Any]]:
    """The network behind a turn of red, green and blue to blue, green and red."""
    name = "bgr" if all(node.name != "bgr" for node in network.nodes) else "blue-first"
    layers: list[Layer] = [Conv2D(3, 1, bias=False, name=name)]
    for node in network.nodes:
        inputs = tuple(name if one == "input" else one for one in node.inputs)
        layers.append(dataclasses.replace(node.layer, name=node.name, inputs=inputs))
    turn = np.eye(3, dtype=np.float32)[::-1].reshape(3, 3, 1, 1)
    return Network(network.input, layers), {
        f"{name}.weight": np.ascontiguousarray(turn),
        **parameters,
    }


def _tell_answers(network: Network, notes: list[str]) -> None:
    last: Any = network.nodes[-1].layer
    function = getattr(last, "activation", getattr(last, "function", None))
    if function == "sigmoid":
        notes.append(
            "its answers are sigmoids, each label on its own; beak predict shows their softmax, "
            "which keeps the order but not the numbers"
        )
