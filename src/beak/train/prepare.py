"""From what the user said to what is trained: the examples, the network and the whole recipe."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from beak.data.builtin import BUILTIN
from beak.data.dataset import Dataset
from beak.data.load import load_dataset
from beak.data.memory import load_arrays
from beak.errors import NetworkError, RecipeError, ShapeError, UsageError
from beak.network.auto import choose_network
from beak.network.named import make_network
from beak.network.network import Network
from beak.train.defaults import recipe_for
from beak.train.keys import keys_of, known_key
from beak.train.recipe import Recipe, parse_settings, read_file, value_at


@dataclass(frozen=True)
class Prepared:
    """Everything that a training needs."""

    dataset: Dataset
    network: Network
    name: str
    """The network's name in the catalogue, or "own"."""
    why: str
    """Why this network; empty where the user named it."""
    recipe: Recipe


def gather(
    recipe: Recipe | str | Path | None,
    settings: Iterable[str] | Mapping[str, Any],
    direct: Mapping[str, Any],
) -> dict[str, Any]:
    """What the user gave, by dotted key: the recipe's file, then ``--set``, then own options.

    ``direct`` values that are None are not given.
    """
    values: dict[str, Any] = {}
    if isinstance(recipe, Recipe):
        values |= {name: value_at(recipe, name) for name in keys_of(Recipe)}
    elif recipe is not None:
        values |= read_file(recipe)
    if isinstance(settings, Mapping):
        values |= {name: known_key(Recipe, name).checked(v) for name, v in settings.items()}
    else:
        values |= parse_settings([settings] if isinstance(settings, str) else settings)
    for name, value in direct.items():
        if value is not None:
            values[name] = known_key(Recipe, name).checked(value)
    return values


def open_data(
    source: Any,
    values: Mapping[str, Any],
    network: Network | None = None,
    *,
    strict: bool = False,
    threads: int | None = None,
    progress: Callable[..., None] | None = None,
) -> Dataset:
    """The examples: a Dataset, a pair of arrays (X, y), or whatever ``load_dataset`` reads.

    A network that the user made fixes the pictures' size and channels where nothing else does.
    """
    if isinstance(source, Dataset):
        return source
    if source is not None and not isinstance(source, str | os.PathLike | tuple):
        raise UsageError(
            f"a {type(source).__name__} is no source; give a folder, a file, a built-in name, or "
            "arrays as (X, y)"
        )
    size = _size(values.get("data.size") or ())
    channels = values.get("data.channels") or None
    if network is not None and len(network.input) == 3:
        size, channels = size or network.input[1:], channels or network.input[0]
    fit = values.get("data.fit", "auto")
    how: dict[str, Any] = {
        "kind": values.get("data.kind", "auto"),
        "size": size,
        "channels": channels,
        "fit": None if fit == "auto" else fit,
        "strict": strict,
    }
    if isinstance(source, tuple) and len(source) == 2:
        return load_arrays(*source, **how)
    source = source or values.get("data.source")
    if not source:
        raise UsageError("nothing to train on: give a folder, a file or a built-in name as SOURCE")
    place = values.get("data.directory") or None
    return load_dataset(source, data_dir=place, threads=threads, progress=progress, **how)


def _size(given: Sequence[int]) -> tuple[int, int] | None:
    """Height and width from a recipe's data.size; one number is a square, none: unsaid."""
    if len(given) > 2:
        raise RecipeError(f"data.size = {list(given)}: wanted [height, width] or []")
    return (given[0], given[-1]) if given else None


def data_values(source: Any, dataset: Dataset, values: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe's [data] keys that bring the same examples again, from any working directory."""
    said = values.get("data.source", "") if source is None else source
    found: dict[str, Any] = {"data.source": ""}
    if isinstance(said, str | Path) and str(said):
        path = Path(said)
        named = str(said) in BUILTIN and not path.exists()
        found["data.source"] = str(said) if named else str(path.absolute())
    directory = values.get("data.directory", "")
    found["data.directory"] = str(Path(directory).absolute()) if directory else ""
    if dataset.kind == "pictures":
        channels, height, width = dataset.spec.shape
        found |= {
            "data.kind": "pictures",
            "data.size": (height, width),
            "data.channels": channels,
            "data.fit": dataset.spec.fit,
        }
    return found


def given_network(network: Network | str | Path | None) -> Network | str:
    """A network the user made (object, file or JSON), or a name of the catalogue or "auto"."""
    if isinstance(network, Network):
        return network
    text = str(network or "auto")
    if text.lstrip().startswith("{"):
        try:
            return Network.from_json(json.loads(text))
        except json.JSONDecodeError as error:
            raise NetworkError(f"the network is not JSON: {error}") from None
    if text.endswith(".json") or isinstance(network, Path):
        return Network.from_file(text)
    return text


def choose(network: Network | str, dataset: Dataset) -> tuple[Network, str, str]:
    """The network for this data, what the recipe calls it, and why it was chosen ("" if given)."""
    shape, classes = dataset.spec.shape, len(dataset.labels)
    if isinstance(network, Network):
        _check_fit(network, dataset)
        return network, _as_text(network), ""
    if network != "auto":
        return make_network(network, shape, classes), network, ""
    choice = choose_network(shape, classes, len(dataset.parts["train"]))
    text = _as_text(choice.network) if choice.options else choice.name
    return choice.network, text, f"{choice.name}: {choice.why}"


def _as_text(network: Network) -> str:
    return json.dumps(network.to_json(), separators=(",", ":"))


def name_of(network: Network, text: str, dataset: Dataset) -> str:
    """What to call it, known from the recipe's text and the data alone, so also on resume."""
    if not text.startswith("{"):
        return text
    choice = choose_network(dataset.spec.shape, len(dataset.labels), len(dataset.parts["train"]))
    return choice.name if choice.network == network else "own"


def _check_fit(network: Network, dataset: Dataset) -> None:
    shape, classes = dataset.spec.shape, len(dataset.labels)
    if network.input != shape:
        raise ShapeError(
            f"the network reads {network.input} but the examples are {shape}; set data.size and "
            "data.channels, or make the network for that input"
        )
    if network.output != (classes,):
        raise ShapeError(
            f"the network answers {network.output} but there are {classes} classes; end it in "
            f"Dense({classes}, activation='softmax')"
        )
    if not network.classifies:
        raise NetworkError(
            "the network does not end in softmax, so it gives no probabilities; end it in "
            f"Dense({classes}, activation='softmax')"
        )


def prepare(
    source: Any,
    values: Mapping[str, Any],
    network: Network | str | Path | None = None,
    *,
    strict: bool = False,
    threads: int | None = None,
    progress: Callable[..., None] | None = None,
) -> Prepared:
    """Examples, network and recipe from a source and the user's dotted keys."""
    wanted = given_network(network if network is not None else values.get("network"))
    dataset = open_data(
        source, values, wanted if isinstance(wanted, Network) else None,
        strict=strict, threads=threads, progress=progress,
    )  # fmt: skip
    made, text, why = choose(wanted, dataset)
    known = {**values, **data_values(source, dataset, values), "network": text}
    name = name_of(made, text, dataset)
    return Prepared(dataset, made, name, why, recipe_for(dataset, made, known))
